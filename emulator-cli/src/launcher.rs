//! Starts the function so that it does not outlive the emulator, even if that is killed.
//!
//! On Linux the command starts itself as a launcher, which asks the kernel to kill it when its parent dies and then
//! becomes the function. (Between `fork` and `exec` only unsafe code could ask.) The request is tied to the thread that
//! starts the launcher: the function is killed when that thread ends.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Child, Command, ExitCode, Stdio};

pub(crate) use platform::{run, spawn};

#[cfg(target_os = "linux")]
mod platform {
    use std::io::{Read as _, Write as _};
    use std::os::fd::{AsFd as _, OwnedFd};
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;

    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    use super::*;

    /// The running program, even if its file has been replaced.
    const OWN_PROGRAM: &str = "/proc/self/exe";
    /// The first argument of a launcher. The emulator's process id, the function's program and its arguments follow.
    const LAUNCH: &str = "--launch-function";

    /// Starts a program with these arguments, on a thread that must live as long as the program.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    pub(crate) fn spawn(
        program: &OsStr,
        args: &[OsString],
        configure: impl FnOnce(&mut Command) -> &mut Command,
    ) -> io::Result<Child> {
        if !Path::new(OWN_PROGRAM).exists() {
            return spawn_directly(program, args, configure);
        }
        // The launcher sends the error of `exec` through its stdin, which is closed if there is none.
        let (mut errors, stdin) = UnixStream::pair()?;
        let mut launcher = Command::new(OWN_PROGRAM);
        launcher.arg(LAUNCH).arg(getpid().to_string()).arg(program).args(args);
        let mut child = configure(&mut launcher).stdin(OwnedFd::from(stdin)).spawn()?;
        drop(launcher);
        let mut code = [0; 4];
        match errors.read_exact(&mut code) {
            Ok(()) => {
                child.wait()?;
                Err(io::Error::from_raw_os_error(i32::from_ne_bytes(code)))
            }
            Err(_) => Ok(child),
        }
    }

    /// Becomes the function if this process is a launcher; returns if it is not, or if that fails.
    pub(crate) fn run(mut args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
        if args.nth(1)? != LAUNCH {
            return None;
        }
        let (emulator, program) = (args.next()?, args.next()?);
        // The clone is closed by `exec`, and stdin itself is replaced.
        let errors = io::stdin().as_fd().try_clone_to_owned().ok()?;
        let error = launch(&emulator, &program, args);
        let code = error.raw_os_error().unwrap_or_default();
        // Best effort: the emulator may be gone.
        let _ = UnixStream::from(errors).write_all(&code.to_ne_bytes());
        Some(ExitCode::FAILURE)
    }

    fn launch(emulator: &OsStr, program: &OsStr, args: impl Iterator<Item = OsString>) -> io::Error {
        if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
            return error.into();
        }
        match getppid() {
            Some(parent) if *emulator == *parent.to_string() => {
                Command::new(program).args(args).stdin(Stdio::null()).exec()
            }
            // The emulator died before the kernel was asked.
            _ => rustix::io::Errno::SRCH.into(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::*;

    pub(crate) use super::spawn_directly as spawn;

    /// Returns `None`: no launcher is needed.
    pub(crate) fn run(_args: impl Iterator<Item = OsString>) -> Option<ExitCode> {
        None
    }
}

/// Starts a program with these arguments.
///
/// # Errors
///
/// The program cannot be started.
pub(crate) fn spawn_directly(
    program: &OsStr,
    args: &[OsString],
    configure: impl FnOnce(&mut Command) -> &mut Command,
) -> io::Result<Child> {
    configure(Command::new(program).args(args)).stdin(Stdio::null()).spawn()
}
