//! Everything that happens, in order: hashed always, and written as text on request.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};

/// Nanoseconds of virtual time.
pub type Nanos = u64;

/// The hash of all events so far.
///
/// It covers text, numbers and bytes of the simulation only: no address, thread, `Instant` or order of a hash map.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    file: Option<BufWriter<File>>,
}

/// An odd number with about as many ones as zeros.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Trace {
    pub fn new() -> Self {
        Self { hash: FACTOR, file: None }
    }

    /// Writes everything to `file` as well.
    pub fn write_to(&mut self, file: File) {
        self.file = Some(BufWriter::new(file));
    }

    /// Whether the trace is written to a file.
    pub fn is_written(&self) -> bool {
        self.file.is_some()
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Includes the hash of another trace.
    pub fn append(&mut self, hash: u64) {
        self.mix(hash);
    }

    /// Records an event. Each `#` in the text stands for the next number.
    pub fn note(&mut self, now: Nanos, text: &str, numbers: &[u64]) {
        self.mix(now);
        self.mix_bytes(text.as_bytes());
        numbers.iter().for_each(|number| self.mix(*number));
        if self.file.is_some() {
            let mut line = String::new();
            let mut rest = numbers.iter();
            for c in text.chars() {
                match rest.as_slice() {
                    [number, ..] if c == '#' => {
                        let _ = write!(line, "{number}");
                        rest.next();
                    }
                    _ => line.push(c),
                }
            }
            self.line(now, &line);
        }
    }

    /// Writes text that the hash does not cover.
    pub fn text(&mut self, now: Nanos, text: &str) {
        self.line(now, text);
    }

    /// Records bytes on a connection.
    pub fn bytes(&mut self, now: Nanos, text: &str, connection: u64, bytes: &[u8]) {
        self.note(now, text, &[connection]);
        self.mix_bytes(bytes);
        if self.file.is_some() {
            self.line(now, &format!("    {:>6} {}", bytes.len(), bytes.escape_ascii()));
        }
    }

    fn line(&mut self, now: Nanos, line: &str) {
        if let Some(file) = &mut self.file {
            // Best effort: the hash does not depend on the file.
            let _ = writeln!(file, "{:>16.6} ms {line}", now as f64 / 1e6);
        }
    }

    fn mix(&mut self, word: u64) {
        let product = u128::from(self.hash ^ word) * u128::from(FACTOR);
        self.hash = (product as u64) ^ ((product >> 64) as u64) ^ word.rotate_left(32);
    }

    fn mix_bytes(&mut self, bytes: &[u8]) {
        self.mix(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        let mut last = [0; 8];
        let rest = words.remainder();
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last));
    }
}
