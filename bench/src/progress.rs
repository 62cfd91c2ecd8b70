//! A line of progress.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Instant;

pub struct Progress {
    begin: Instant,
    done: usize,
    total: usize,
}

impl Progress {
    pub fn new(total: usize) -> Self {
        Self { begin: Instant::now(), done: 0, total }
    }

    /// `what` begins.
    pub fn step(&mut self, what: &str) {
        let elapsed = self.begin.elapsed();
        let left = elapsed.as_secs_f64() / self.done.max(1) as f64 * self.total.saturating_sub(self.done) as f64;
        let left = if self.done == 0 { String::new() } else { format!(", about {left:.0} s left") };
        self.done += 1;
        self.show(&format!("[{}/{}{left}] {what}", self.done, self.total));
    }

    /// Clears the line.
    pub fn end(&self) {
        if stderr().is_terminal() {
            self.show("");
        }
    }

    fn show(&self, line: &str) {
        let mut stderr = stderr().lock();
        // Errors of the terminal do not matter.
        let _ = if stderr.is_terminal() { write!(stderr, "\r\x1b[K{line}") } else { writeln!(stderr, "{line}") };
        let _ = stderr.flush();
    }
}
