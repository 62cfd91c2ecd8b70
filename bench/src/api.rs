//! A Runtime API that is as fast as possible: replies are built in advance, each connection has a blocking thread, and /next
//! waits only for permission, by which a measurement limits the number of invocations.

use std::io::{self, IoSlice, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::load::Load;
use crate::request::Requests;

/// An API for one process, on a free port.
pub struct Api {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    head: Head,
    /// The number of the next invocation.
    number: AtomicU64,
    event: Vec<u8>,
    /// The minimum length of a response.
    response: u64,
    /// The delay before each reply.
    delay: Duration,
    /// The number of invocations that may still begin.
    permits: AtomicU64,
    acknowledged: AtomicU64,
    gate: Mutex<Gate>,
    changed: Condvar,
}

#[derive(Default)]
struct Gate {
    connections: u64,
    /// Connections on which /next waits for permission.
    waiting: u64,
    first_next: Option<Instant>,
    fault: Option<String>,
    over: bool,
}

impl Api {
    /// Starts to serve a load, with an optional delay before each reply.
    pub fn start(load: &Load, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let event = load.event.json();
        let shared = Arc::new(Shared {
            head: Head::new(event.len()),
            number: AtomicU64::new(0),
            event,
            response: load.event.least_response(),
            delay,
            permits: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            gate: Mutex::default(),
            changed: Condvar::new(),
        });
        let api = Self { address, shared: Arc::clone(&shared) };
        thread::spawn(move || accept(&listener, &shared));
        Ok(api)
    }

    /// The value for `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until `workers` connections have requested an invocation; returns the time of the first request.
    pub fn await_workers(&self, workers: u64, patience: Duration) -> Result<Instant> {
        let gate = self.await_gate(patience, |gate| gate.waiting >= workers)?;
        gate.first_next.ok_or_else(|| "no invocation was requested".into())
    }

    /// Permits `count` invocations, waits until they have responses and `workers` connections have requested more, and returns
    /// the duration.
    pub fn serve(&self, count: u64, workers: u64, patience: Duration) -> Result<Duration> {
        let target = self.shared.acknowledged.load(Ordering::Relaxed) + count;
        let begin = Instant::now();
        self.shared.permits.store(count, Ordering::Relaxed);
        drop(self.shared.gate());
        self.shared.changed.notify_all();
        let acknowledged = || self.shared.acknowledged.load(Ordering::Relaxed);
        drop(self.await_gate(patience, |gate| acknowledged() >= target && gate.waiting >= workers)?);
        Ok(begin.elapsed())
    }

    /// The number of connections that were opened.
    pub fn connections(&self) -> u64 {
        self.shared.gate().connections
    }

    fn await_gate(&self, patience: Duration, reached: impl Fn(&Gate) -> bool) -> Result<MutexGuard<'_, Gate>> {
        let gate = self.shared.gate();
        let (gate, waited) = self
            .shared
            .changed
            .wait_timeout_while(gate, patience, |gate| gate.fault.is_none() && !reached(gate))
            .unwrap_or_else(PoisonError::into_inner);
        match &gate.fault {
            Some(fault) => Err(fault.clone().into()),
            None if waited.timed_out() => Err(format!("no progress within {patience:?}").into()),
            None => Ok(gate),
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.shared.gate().over = true;
        self.shared.changed.notify_all();
        // The accepting thread notices the end at the next connection.
        let _ = TcpStream::connect(self.address);
    }
}

/// The head of /next's reply.
#[derive(Clone)]
struct Head {
    bytes: Vec<u8>,
    /// The positions of the invocation's number.
    numbers: Vec<usize>,
}

impl Head {
    const NUMBER: &str = "##########";

    fn new(length: usize) -> Self {
        let deadline = u64::from(u32::MAX) * 1000;
        let number = Self::NUMBER;
        let bytes = format!(
            "HTTP/1.1 200 OK\r\n\
             Content-Type: application/json\r\n\
             Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2d{number}\r\n\
             Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:123456789012:function:bench\r\n\
             Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6{number};Parent=9a9197{number};Sampled=1\r\n\
             Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let bytes = bytes.into_bytes();
        let numbers = memchr::memmem::find_iter(&bytes, number).collect();
        Self { bytes, numbers }
    }

    /// The head of an invocation. Its ids are unique, as in Lambda, so that a runtime cannot profit from repetition.
    fn numbered(&mut self, number: u64) -> &[u8] {
        let digits = format!("{number:010x}");
        for &at in &self.numbers {
            self.bytes[at..at + Self::NUMBER.len()].copy_from_slice(digits.as_bytes());
        }
        &self.bytes
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut gate = shared.gate();
        if gate.over {
            return;
        }
        gate.connections += 1;
        drop(gate);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A killed process leaves its connection in any state, which is not an error.
            if let Err(fault) = stream.map_err(Into::into).and_then(|stream| serve(stream, &shared)) {
                shared.gate().fault.get_or_insert(fault.to_string());
                shared.changed.notify_all();
            }
        });
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> Result<()> {
    const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\n\
        Content-Type: application/json\r\n\
        Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
        Content-Length: 16\r\n\r\n\
        {\"status\":\"OK\"}\n";
    stream.set_nodelay(true)?;
    let mut requests = Requests::new(&stream);
    let mut head = shared.head.clone();
    while let Some(request) = requests.read()? {
        if request.is_get && !shared.pass_gate() {
            break;
        }
        if !shared.delay.is_zero() {
            thread::sleep(shared.delay);
        }
        if request.is_get {
            let number = shared.number.fetch_add(1, Ordering::Relaxed);
            write_all(&stream, head.numbered(number), &shared.event)?;
        } else if !request.is_response || request.length < shared.response {
            return Err(format!("an invocation received the outcome {}", requests.shown()).into());
        } else {
            // Counted before the reply, so that the count precedes the next /next.
            shared.acknowledged.fetch_add(1, Ordering::Relaxed);
            write_all(&stream, ACCEPTED, b"")?;
        }
    }
    Ok(())
}

fn write_all(mut stream: &TcpStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    let mut slices = &mut [IoSlice::new(head), IoSlice::new(body)][..];
    while !slices.is_empty() {
        let written = stream.write_vectored(slices)?;
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

impl Shared {
    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until an invocation may begin; `false` at the end.
    fn pass_gate(&self) -> bool {
        let pass =
            || self.permits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if pass() {
            return true;
        }
        let mut gate = self.gate();
        gate.first_next.get_or_insert_with(Instant::now);
        gate.waiting += 1;
        self.changed.notify_all();
        let mut gate =
            self.changed.wait_while(gate, |gate| !gate.over && !pass()).unwrap_or_else(PoisonError::into_inner);
        gate.waiting -= 1;
        !gate.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_invocation_has_unique_ids() {
        let mut head = Head::new(2);
        assert_eq!(head.numbers.len(), 3);
        let [first, second] = [7, 0xff].map(|number| String::from_utf8(head.numbered(number).to_vec()).unwrap());
        assert!(first.contains("Aws-Request-Id: 8476a536-e9f4-11e8-9739-2d0000000007\r\n"), "{first}");
        assert!(second.contains("Root=1-5bef4de7-ad49b0e87f6ef600000000ff;Parent=9a919700000000ff;"), "{second}");
        assert!(!first.contains('#') && first.len() == second.len());
    }
}
