//! The function's output: it is passed on to stderr, and recorded as the log of invocations.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::history::History;

/// The destination of the output of the function's processes.
pub(crate) struct Output {
    history: Arc<History>,
    /// Locked while bytes are read and recorded.
    pipes: Mutex<Pipes>,
}

/// The pipes of the processes that run.
#[derive(Default)]
struct Pipes {
    open: Vec<Arc<Pipe>>,
    /// That of the function, whose process is the last that was started.
    function: Option<Arc<Pipe>>,
}

/// The pipe to which a process writes.
struct Pipe {
    reader: PipeReader,
    /// The start of a line that the process writes in pieces. It waits for the rest: other lines must not appear within it.
    unfinished: Mutex<Vec<u8>>,
}

impl Output {
    pub(crate) fn new(history: Arc<History>) -> Arc<Self> {
        Arc::new(Self { history, pipes: Mutex::default() })
    }

    /// Returns a pipe for the next process. A new thread reads it to its end.
    ///
    /// # Errors
    ///
    /// No pipe can be opened, or no thread can be started.
    pub(crate) fn attach(self: &Arc<Self>) -> io::Result<PipeWriter> {
        let (reader, writer) = io::pipe()?;
        let pipe = Arc::new(Pipe { reader, unfinished: Mutex::default() });
        {
            let mut pipes = self.pipes();
            pipes.open.push(Arc::clone(&pipe));
            pipes.function = Some(Arc::clone(&pipe));
        }
        let output = Arc::clone(self);
        let read = move || {
            while wait(&pipe.reader, None) {
                let mut pipes = output.pipes();
                if output.read_available(&pipe) {
                    pipes.open.retain(|open| !Arc::ptr_eq(open, &pipe));
                    return pipe.end_line();
                }
            }
        };
        thread::Builder::new().name("output".to_owned()).spawn(read)?;
        Ok(writer)
    }

    /// Passes on and records everything that the processes have written so far. If the last line of the function has no end,
    /// it gets one.
    pub(crate) fn drain(&self) {
        let pipes = self.pipes();
        for pipe in &pipes.open {
            self.read_available(pipe);
        }
        if let Some(function) = &pipes.function {
            function.end_line();
        }
    }

    fn pipes(&self) -> MutexGuard<'_, Pipes> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the bytes in the pipe. Returns whether the pipe has ended.
    fn read_available(&self, pipe: &Pipe) -> bool {
        /// More than fits into a pipe. Limited, because a process that never stops writing must not block other threads.
        const LIMIT: usize = 1024 * 1024;
        let mut buffer = [0; 16 * 1024];
        let mut total = 0;
        while total < LIMIT && wait(&pipe.reader, Some(&Timespec::default())) {
            match (&pipe.reader).read(&mut buffer) {
                Ok(0) => return true,
                Ok(n) => {
                    let data = buffer.get(..n).unwrap_or_default();
                    pipe.write(data);
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

impl Pipe {
    /// Passes on the lines that are complete. A closed stderr is not an error.
    fn write(&self, data: &[u8]) {
        /// A longer line is passed on in parts.
        const LINE: usize = 16 * 1024;
        let mut unfinished = self.unfinished();
        unfinished.extend_from_slice(data);
        let complete = match unfinished.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => last + 1,
            None if unfinished.len() > LINE => unfinished.len(),
            None => return,
        };
        let _ = io::stderr().write_all(unfinished.get(..complete).unwrap_or_default());
        unfinished.drain(..complete);
    }

    /// Passes on the start of a line, and ends it.
    fn end_line(&self) {
        let mut unfinished = self.unfinished();
        if !unfinished.is_empty() {
            unfinished.push(b'\n');
            let _ = io::stderr().write_all(&unfinished);
            unfinished.clear();
        }
    }

    fn unfinished(&self) -> MutexGuard<'_, Vec<u8>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
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
