//! The function's output: it is passed on to stderr, and recorded as the log of invocations.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::history::History;

/// The destination of the output of the function's processes.
pub(crate) struct Output {
    history: Arc<History>,
    /// The pipe of the current process. Locked while its bytes are read and recorded.
    current: Mutex<Option<Arc<PipeReader>>>,
}

impl Output {
    pub(crate) fn new(history: Arc<History>) -> Arc<Self> {
        Arc::new(Self { history, current: Mutex::new(None) })
    }

    /// Returns a pipe for the next process. A new thread reads it to its end.
    ///
    /// # Errors
    ///
    /// No pipe can be opened, or no thread can be started.
    pub(crate) fn attach(self: &Arc<Self>) -> io::Result<PipeWriter> {
        let (reader, writer) = io::pipe()?;
        let reader = Arc::new(reader);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&reader));
        let output = Arc::clone(self);
        let read = move || {
            while wait(&reader, None) {
                let _reading = output.current.lock().unwrap_or_else(PoisonError::into_inner);
                if output.read_available(&reader) {
                    return;
                }
            }
        };
        thread::Builder::new().name("output".to_owned()).spawn(read)?;
        Ok(writer)
    }

    /// Passes on and records everything that the process has written so far.
    pub(crate) fn drain(&self) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = &*current {
            self.read_available(reader);
        }
    }

    /// Reads the bytes in the pipe. Returns whether the pipe has ended.
    fn read_available(&self, reader: &PipeReader) -> bool {
        /// More than fits into a pipe. Limited, because a process that never stops writing must not block other threads.
        const LIMIT: usize = 1024 * 1024;
        let mut buffer = [0; 16 * 1024];
        let mut total = 0;
        while total < LIMIT && wait(reader, Some(&Timespec::default())) {
            match (&*reader).read(&mut buffer) {
                Ok(0) => return true,
                Ok(n) => {
                    let data = buffer.get(..n).unwrap_or_default();
                    let _ = io::stderr().write_all(data);
                    self.history.logged(data);
                    total += n;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
        false
    }
}

/// Waits until there are bytes to read, or the end; `false` after a timeout.
fn wait(reader: &PipeReader, limit: Option<&Timespec>) -> bool {
    let mut polled = [PollFd::new(reader, PollFlags::IN)];
    loop {
        match poll(&mut polled, limit) {
            Ok(ready) => return ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
