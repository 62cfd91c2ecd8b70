//! Received bytes become messages.

use std::mem;

use bytes::Bytes;

use super::body::{Body, Decoded};
use super::head::{self, Field, Framing, Head, Role, StartLine};
use super::input::Input;
use super::template::Templates;
use crate::{Limits, Part, PeerError};

/// Decodes one message after another.
///
/// It decodes into `message`: the head, followed by the data of the body. The client's side takes both at the end of the
/// message; the server's side takes the head, then data as it arrives.
#[derive(Debug)]
pub(crate) struct Reader {
    role: Role,
    limits: Limits,
    input: Input,
    /// Initialised storage; valid up to `filled`.
    message: Vec<u8>,
    filled: usize,
    /// The length of a small reply that arrived at once: it stays at the start of `input` instead of being moved to
    /// `message`. 0 if there is none.
    in_place: usize,
    /// Positions in the current head.
    fields: Vec<Field>,
    templates: Templates,
    /// The trailers of a request. Those of a reply are checked and discarded.
    trailers: Vec<u8>,
    state: State,
    end_of_input: bool,
}

#[derive(Debug)]
enum State {
    /// Before a head. Interim replies of `interim` bytes have preceded it; its end is not in the first `scanned` bytes.
    Head {
        scanned: usize,
        interim: usize,
    },
    /// In a body of at most `longest` bytes, which is discarded unless it is `stored`. `landed`: some of it was read
    /// directly into the message since the last step.
    Body {
        body: Body,
        longest: u64,
        stored: bool,
        landed: bool,
    },
    /// After the head of a reply whose whole body, of this length, is in the input.
    InPlace {
        body: u64,
        longest: u64,
    },
    Failed(PeerError),
}

/// A step of decoding.
#[derive(Debug)]
pub(crate) enum Step {
    /// A head was appended to the message.
    Head(Head),
    /// Some of the body was appended to the message.
    Data,
    /// The message is complete.
    End,
    /// The peer closed the connection between two messages.
    Closed,
    NeedInput,
}

impl Reader {
    /// Storage up to this size is reused for the next message.
    const KEEP: usize = 16 * 1024;
    /// The storage of a large body grows at least by this, and at most by as much as has arrived.
    const GROWTH: usize = 64 * 1024;

    pub(crate) fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            input: Input::new(),
            message: Vec::new(),
            filled: 0,
            in_place: 0,
            fields: Vec::new(),
            templates: Templates::default(),
            trailers: Vec::new(),
            state: State::BEFORE_HEAD,
            end_of_input: false,
        }
    }

    /// Starts over on a new connection.
    pub(crate) fn reset(&mut self) {
        self.discard();
        self.input.reset();
        self.state = State::BEFORE_HEAD;
        self.end_of_input = false;
    }

    /// Returns the buffer to read into, which is never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if let State::Body { body, longest, stored: true, .. } = &self.state {
            let contiguous = usize::try_from(body.contiguous(*longest)).unwrap_or(usize::MAX);
            if self.input.bytes().is_empty() && contiguous > 0 {
                // Reads become larger as more arrives.
                let wanted = self.filled.clamp(Self::GROWTH, 16 * Self::GROWTH);
                if self.message.len() == self.filled {
                    self.make_room(contiguous.min(wanted), contiguous);
                }
                let end = self.message.len().min(self.filled.saturating_add(contiguous));
                return self.message.get_mut(self.filled..end).unwrap_or_default();
            }
            return self.input.space(true);
        }
        self.input.space(false)
    }

    /// Reports that `n` bytes were read into [`space`](Self::space).
    pub(crate) fn filled(&mut self, n: usize) {
        if let State::Body { body, longest, stored: true, landed } = &mut self.state
            && self.input.bytes().is_empty()
            && body.contiguous(*longest) > 0
        {
            let n = n.min(self.message.len() - self.filled);
            self.filled += n;
            body.skip(u64::try_from(n).unwrap_or(u64::MAX));
            *landed = true;
            return;
        }
        self.input.filled(n);
    }

    /// Copies `bytes` into [`space`](Self::space).
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let n = space.len().min(bytes.len());
            let (Some(to), Some((from, rest))) = (space.get_mut(..n), bytes.split_at_checked(n)) else { return };
            to.copy_from_slice(from);
            bytes = rest;
            self.filled(n);
        }
    }

    pub(crate) fn end_of_input(&mut self) {
        self.end_of_input = true;
    }

    /// Whether no message has started and no input is left.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.input.bytes().len() == self.in_place && matches!(self.state, State::Head { interim: 0, .. })
    }

    /// Whether no part of a head has arrived since the last message. [`poll`](Self::poll) would return
    /// [`Step::NeedInput`].
    pub(crate) fn needs_input(&self) -> bool {
        self.input.bytes().len() == self.in_place && matches!(self.state, State::Head { .. }) && !self.end_of_input
    }

    /// Whether the input that is left exceeds the limits of one message.
    pub(crate) fn is_overfull(&self) -> bool {
        let most = u64::try_from(self.limits.head).unwrap_or(u64::MAX).saturating_add(self.limits.body);
        u64::try_from(self.input.bytes().len()).is_ok_and(|here| here > most)
    }

    /// Replaces [`Limits::body`] for the message whose head was returned last.
    pub(crate) fn limit_body(&mut self, limit: u64) {
        if let State::Body { longest, .. } | State::InPlace { longest, .. } = &mut self.state {
            *longest = limit;
        }
    }

    /// Discards the body of the message whose head was returned last, up to this many bytes.
    pub(crate) fn drain_body(&mut self, limit: u64) {
        self.limit_body(limit);
        if let State::Body { stored, .. } = &mut self.state {
            *stored = false;
        }
    }

    /// Shortens the message so far to at most `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.in_place = self.in_place.min(len);
        self.filled = self.filled.min(len);
    }

    /// From now on every [`poll`](Self::poll) returns this error.
    pub(crate) fn fail(&mut self, error: PeerError) -> PeerError {
        self.state = State::Failed(error.clone());
        error
    }

    pub(crate) fn poll(&mut self) -> Result<Step, PeerError> {
        self.step().map_err(|error| self.fail(error))
    }

    fn step(&mut self) -> Result<Step, PeerError> {
        loop {
            match &mut self.state {
                State::Failed(error) => return Err(error.clone()),
                State::Head { scanned, interim } => {
                    if self.input.bytes().len() == self.in_place {
                        return match (self.end_of_input, *interim) {
                            (false, _) => Ok(Step::NeedInput),
                            (true, 0) => Ok(Step::Closed),
                            (true, _) => Err(PeerError::UnexpectedEnd(Part::Head)),
                        };
                    }
                    self.input.consume(mem::take(&mut self.in_place));
                    let input = self.input.bytes();
                    // RFC 9112 section 2.2: a server skips empty lines before a request.
                    if self.role == Role::Request && input.starts_with(b"\r\n") {
                        self.input.consume(2);
                        *scanned = 0;
                        continue;
                    }
                    let (role, limits, fields) = (self.role, &self.limits, &mut self.fields);
                    // Only before the search for its end: a head in small pieces is not parsed again for each of them.
                    let at_once = match *scanned {
                        0 => head_at_once(role, input, limits, &mut self.templates, fields),
                        _ => None,
                    };
                    let head = match at_once {
                        Some(head) => head,
                        None => match head::find_end(role, input, scanned, limits)? {
                            Some(len) => head::parse(role, input.get(..len).unwrap_or_default(), limits, fields)?,
                            None => {
                                return match self.end_of_input {
                                    true => Err(PeerError::UnexpectedEnd(Part::Head)),
                                    false => Ok(Step::NeedInput),
                                };
                            }
                        },
                    };
                    let len = head.len;
                    match head.start_line {
                        StartLine::Response { status: 101 } => return Err(PeerError::SwitchingProtocols),
                        StartLine::Response { status: 100..=199 } => {
                            *interim = interim.saturating_add(len);
                            *scanned = 0;
                            if *interim > self.limits.interim {
                                return Err(PeerError::InterimTooLong(self.limits.interim));
                            }
                            self.input.consume(len);
                        }
                        _ => {
                            let longest = self.limits.body;
                            let complete = complete_message(&head, input);
                            self.discard();
                            if let Some((message, body)) = complete {
                                self.in_place = message;
                                self.state = State::InPlace { body, longest };
                                return Ok(Step::Head(head));
                            }
                            let body = Body::new(head.framing);
                            self.reserve_for(&head);
                            self.accept(len, len);
                            self.state = State::Body { body, longest: self.limits.body, stored: true, landed: false };
                            return Ok(Step::Head(head));
                        }
                    }
                }
                State::InPlace { body, longest } => match *body {
                    0 => {
                        self.state = State::BEFORE_HEAD;
                        return Ok(Step::End);
                    }
                    length if length > *longest => return Err(PeerError::BodyTooLong(*longest)),
                    _ => {
                        *body = 0;
                        return Ok(Step::Data);
                    }
                },
                State::Body { landed: landed @ true, .. } => {
                    *landed = false;
                    return Ok(Step::Data);
                }
                State::Body { body, longest, stored, .. } => {
                    match body.decode(self.input.bytes(), *longest, &self.limits)? {
                        Decoded::Framing(n) => self.input.consume(n),
                        Decoded::Data(n) if !*stored => self.input.consume(n),
                        Decoded::Data(n) => {
                            let useful = match body {
                                Body::Length(remaining) => usize::try_from(*remaining).unwrap_or(usize::MAX),
                                _ => usize::MAX,
                            };
                            self.accept(n, n.saturating_add(useful));
                            return Ok(Step::Data);
                        }
                        Decoded::End { trailers } => {
                            if self.role == Role::Request {
                                self.trailers.extend_from_slice(self.input.bytes().get(..trailers).unwrap_or_default());
                            }
                            self.input.consume(trailers);
                            self.state = State::BEFORE_HEAD;
                            return Ok(Step::End);
                        }
                        Decoded::Nothing if !self.end_of_input => return Ok(Step::NeedInput),
                        Decoded::Nothing if matches!(body, Body::UntilClose(_)) => {
                            self.state = State::BEFORE_HEAD;
                            return Ok(Step::End);
                        }
                        Decoded::Nothing => return Err(PeerError::UnexpectedEnd(body.part())),
                    }
                }
            }
        }
    }

    /// Everything that decides what the reader does next.
    #[cfg(any(test, feature = "checks"))]
    pub(crate) fn digest(&self) -> String {
        format!("{:?}", (&self.state, self.input.bytes(), self.message(), &self.trailers, self.end_of_input))
    }

    /// The positions of the fields in the head that was parsed last.
    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The message so far: its head, followed by the data of its body.
    pub(crate) fn message(&self) -> &[u8] {
        match self.in_place {
            0 => self.message.get(..self.filled).unwrap_or_default(),
            len => self.input.bytes().get(..len).unwrap_or_default(),
        }
    }

    /// Takes the message so far. A small one is copied into an allocation of the exact size, and the storage is reused.
    pub(crate) fn take(&mut self) -> Bytes {
        let taken = if self.filled > Self::KEEP {
            let mut message = std::mem::take(&mut self.message);
            message.truncate(self.filled);
            Bytes::from(message)
        } else {
            Bytes::copy_from_slice(self.message())
        };
        self.filled = 0;
        self.input.consume(mem::take(&mut self.in_place));
        taken
    }

    /// Takes the trailer section of the message that has just ended, its empty line included.
    pub(crate) fn take_trailers(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.trailers)
    }

    /// Discards the message so far.
    fn discard(&mut self) {
        self.input.consume(mem::take(&mut self.in_place));
        self.filled = 0;
        self.trailers.clear();
        if self.message.len() > Self::KEEP {
            self.message = Vec::new();
        }
    }

    /// Moves `n` bytes from the input to the message. At most `useful` bytes of the message, these included, are missing.
    fn accept(&mut self, n: usize, useful: usize) {
        let end = self.filled + n;
        self.make_room(n, useful);
        let (Some(to), Some(from)) = (self.message.get_mut(self.filled..end), self.input.bytes().get(..n)) else {
            return;
        };
        to.copy_from_slice(from);
        self.filled = end;
        self.input.consume(n);
    }

    /// Makes room for the message, as far as its bytes have arrived.
    fn reserve_for(&mut self, head: &Head) {
        let here = self.input.bytes().len();
        let message = match head.framing {
            Framing::Length(length) => usize::try_from(length).unwrap_or(usize::MAX).saturating_add(head.len),
            Framing::Chunked | Framing::UntilClose => usize::MAX,
        };
        self.make_room(here.min(message), message);
    }

    /// Makes room for at least `wanted` bytes after `filled`. Storage doubles, so that it is at most twice what has arrived
    /// (or [`Self::GROWTH`]), but never grows beyond the `useful` bytes that can still arrive.
    fn make_room(&mut self, wanted: usize, useful: usize) {
        let end = self.filled.saturating_add(wanted);
        if self.message.len() >= end {
            return;
        }
        if self.message.capacity() < end {
            let doubled = self.message.capacity().saturating_mul(2).min(self.filled.saturating_add(useful));
            self.message.reserve_exact(doubled.max(end) - self.message.len());
        }
        self.message.resize(end, 0);
    }
}

/// The lengths of the message and its body, if it is a small reply of known length that is in `input`.
fn complete_message(head: &Head, input: &[u8]) -> Option<(usize, u64)> {
    let (StartLine::Response { .. }, Framing::Length(body)) = (&head.start_line, head.framing) else { return None };
    let message = usize::try_from(body).ok()?.checked_add(head.len)?;
    (message <= input.len().min(Reader::KEEP)).then_some((message, body))
}

/// The head at the start of `input`, if it is complete and valid.
fn head_at_once(
    role: Role,
    input: &[u8],
    limits: &Limits,
    templates: &mut Templates,
    fields: &mut Vec<Field>,
) -> Option<Head> {
    if role == Role::Request {
        return head::parse_whole(role, input, limits, fields);
    }
    if let Some(head) = templates.find(input, limits, fields) {
        return Some(head);
    }
    let head = head::parse_whole(role, input, limits, fields)?;
    templates.store(input, fields, head);
    Some(head)
}

impl State {
    const BEFORE_HEAD: State = State::Head { scanned: 0, interim: 0 };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_over_the_limit_is_refused_although_some_of_it_is_read_before_the_next_poll() {
        let mut reader = Reader::new(Role::Response, Limits::default().body(10));
        reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n");
        assert!(matches!(reader.poll(), Ok(Step::Head(_))));
        reader.receive(b"12345678");
        assert!(matches!(reader.poll(), Err(PeerError::BodyTooLong(10))));
    }

    #[test]
    fn only_a_server_stores_trailers() {
        for (role, first_line, expected) in
            [(Role::Request, "POST / HTTP/1.1", "A: b\r\n\r\n"), (Role::Response, "HTTP/1.1 200 OK", "")]
        {
            let mut reader = Reader::new(role, Limits::default());
            reader.receive(format!("{first_line}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n").as_bytes());
            assert!(matches!(reader.poll(), Ok(Step::Head(_))));
            assert!(matches!(reader.poll(), Ok(Step::End)));
            assert_eq!(reader.take_trailers(), expected.as_bytes());
        }
    }

    #[test]
    fn reads_of_a_large_body_become_larger_as_more_arrives() {
        let mut reader = Reader::new(Role::Response, Limits::default());
        reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 6000000\r\n\r\n");
        assert!(matches!(reader.poll(), Ok(Step::Head(_))));
        let mut sizes = Vec::new();
        let mut arrived = 0;
        while arrived < 6_000_000 {
            let n = reader.space().len();
            assert!(n > 0);
            reader.filled(n);
            arrived += n;
            sizes.push(n);
            assert!(matches!(reader.poll(), Ok(Step::Data)));
        }
        assert!(matches!(reader.poll(), Ok(Step::End)));
        assert_eq!(arrived, 6_000_000, "nothing beyond the body is read");
        assert_eq!(sizes.first(), Some(&(64 * 1024)));
        assert_eq!(sizes.iter().max(), Some(&(1024 * 1024)));
        assert!(sizes.len() < 12, "{sizes:?}");
    }

    #[test]
    fn a_drained_body_is_not_stored() {
        let head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 20\r\n\r\n";
        let mut reader = Reader::new(Role::Response, Limits::default());
        reader.receive(head);
        assert!(matches!(reader.poll(), Ok(Step::Head(_))));
        reader.drain_body(20);
        reader.receive(&[b'x'; 15]);
        assert!(matches!(reader.poll(), Ok(Step::NeedInput)));
        reader.receive(&[b'x'; 5]);
        assert!(matches!(reader.poll(), Ok(Step::End)));
        assert_eq!(reader.message(), head);
    }

    #[test]
    fn more_bytes_than_there_was_space_for_are_not_counted() {
        let mut reader = Reader::new(Role::Response, Limits::default());
        reader.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        assert!(matches!(reader.poll(), Ok(Step::Head(_))));
        let head = reader.message().len();
        let space = reader.space().len();
        reader.filled(usize::MAX);
        assert!(matches!(reader.poll(), Ok(Step::Data)));
        assert_eq!(reader.message().len(), head + space);
    }

    /// A reader that has received a message of this many bytes, which is too long to stay in the input.
    fn with_message(len: usize) -> Reader {
        let mut reader = Reader::new(Role::Request, Limits::default());
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {:07}\r\n\r\n", len - 44);
        reader.receive(head.as_bytes());
        assert!(matches!(reader.poll(), Ok(Step::Head(head)) if head.len == 44));
        let mut missing = len - 44;
        while missing > 0 {
            let n = reader.space().len().min(missing);
            assert!(n > 0);
            reader.filled(n);
            missing -= n;
            assert!(matches!(reader.poll(), Ok(Step::Data)));
        }
        assert_eq!(reader.message().len(), len);
        reader
    }

    #[test]
    fn a_large_message_is_taken_with_its_storage_and_a_small_one_is_copied() {
        for (len, is_copied) in [(16 * 1024, true), (16 * 1024 + 1, false), (4_000_000, false)] {
            let mut reader = with_message(len);
            let storage = reader.message().as_ptr();
            let taken = reader.take();
            assert_eq!((taken.len(), taken.as_ptr() != storage), (len, is_copied));
            assert!(reader.message().is_empty());
            assert_eq!(reader.message.capacity() > 0, is_copied, "the storage is reused");
        }
    }

    #[test]
    fn the_storage_of_a_large_message_is_freed_when_the_message_is_discarded() {
        for (len, is_kept) in [(16 * 1024, true), (16 * 1024 + 1, false), (4_000_000, false)] {
            let mut reader = with_message(len);
            reader.message.truncate(len);
            reader.reset();
            assert!(reader.message().is_empty());
            assert_eq!(reader.message.capacity() > 0, is_kept, "{len}");
        }
    }

    #[test]
    fn storage_does_not_grow_beyond_the_body() {
        let mut reader = Reader::new(Role::Request, Limits::default());
        reader.receive(b"POST / HTTP/1.1\r\nContent-Length: 8000\r\n\r\n");
        reader.receive(&[b'x'; 5000]);
        assert!(matches!(reader.poll(), Ok(Step::Head(_))));
        reader.take();
        reader.receive(&[b'x'; 3000]);
        assert!(matches!(reader.poll(), Ok(Step::Data)));
        assert_eq!(reader.message().len(), 8000);
        assert_eq!(reader.message.capacity(), 8000);
    }

    #[test]
    fn storage_that_suffices_does_not_grow() {
        let mut reader = Reader::new(Role::Request, Limits::default());
        reader.message = Vec::with_capacity(100);
        reader.make_room(100, 1000);
        assert_eq!((reader.message.len(), reader.message.capacity()), (100, 100));
    }

    #[test]
    fn a_small_reply_that_arrives_at_once_is_not_moved() {
        let small = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n".to_vec();
        let large = [head, vec![b'x'; 20_000]].concat();
        for (reply, is_moved) in [(&small, false), (&large, true)] {
            let mut reader = Reader::new(Role::Response, Limits::default());
            reader.receive(reply);
            assert!(matches!(reader.poll(), Ok(Step::Head(_))));
            assert!(matches!(reader.poll(), Ok(Step::Data)));
            assert!(matches!(reader.poll(), Ok(Step::End)));
            assert_eq!(reader.message(), reply);
            assert_eq!(reader.message.capacity() > 0, is_moved);
            assert_eq!(reader.take(), reply);
            assert!(matches!(reader.poll(), Ok(Step::NeedInput)));
        }
    }

    #[test]
    fn heads_of_replies_are_remembered() {
        for (role, head, is_remembered) in [
            (Role::Response, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            (Role::Request, "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", false),
        ] {
            let mut reader = Reader::new(role, Limits::default());
            reader.receive(head.as_bytes());
            assert!(matches!(reader.poll(), Ok(Step::Head(_))));
            let found = reader.templates.find(head.as_bytes(), &Limits::default(), &mut Vec::new());
            assert_eq!(found.is_some(), is_remembered, "{head}");
        }
    }

    #[test]
    fn a_reader_needs_input_between_messages_only() {
        let mut reader = Reader::new(Role::Response, Limits::default());
        let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
            .split_inclusive(|&b| b == b'\n');
        assert!(reader.needs_input());
        let mut after_lines = Vec::new();
        for line in bytes {
            reader.receive(line);
            assert!(!reader.needs_input(), "a part of a head or body is here");
            while !matches!(reader.poll().unwrap(), Step::NeedInput) {}
            after_lines.push(reader.needs_input());
        }
        // After the first line, the interim reply, two lines, the head, and the body.
        assert_eq!(after_lines, [false, true, false, false, false, true]);
        reader.end_of_input();
        assert!(!reader.needs_input(), "the end is reported");
    }
}
