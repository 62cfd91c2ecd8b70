//! The loads.

/// One kind of work.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub name: &'static str,
    pub event: Event,
    /// Invocations that are served at the same time.
    pub workers: u64,
    /// Invocations in one measurement.
    pub count: u64,
    /// Invocations under valgrind and strace, which count exactly and are slow.
    pub count_instrumented: u64,
}

/// An event and its expected response.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    Empty,
    /// JSON of about this many bytes: a single string, like a file in base64.
    Text(usize),
    /// JSON of about this many bytes: many small values.
    Records(usize),
    /// Requests a stream of this many chunks of this size.
    Chunks(usize, usize),
    /// An order, for the function whose types have 62 fields.
    Order,
}

pub const SMALL: Load =
    Load { name: "echo `{}`", event: Event::Empty, workers: 1, count: 20_000, count_instrumented: 500 };

pub const TEXT: Load =
    Load { name: "echo 6 MB, one string", event: Event::Text(6_000_000), workers: 1, count: 60, count_instrumented: 5 };

pub const RECORDS: Load = Load {
    name: "echo 6 MB, small records",
    event: Event::Records(6_000_000),
    workers: 1,
    count: 15,
    count_instrumented: 1,
};

pub const PIPELINED: Load = Load { name: "echo `{}`, pipelined", ..SMALL };

pub const TYPED: Load = Load { name: "typed order", event: Event::Order, ..SMALL };

pub const RAW: Load = Load { name: "raw echo `{}`", ..SMALL };
pub const RAW_TEXT: Load = Load { name: "raw echo 6 MB", ..TEXT };

pub const STREAM: Load = Load {
    name: "stream 64 MiB in chunks of 64 KiB",
    event: Event::Chunks(1024, 64 * 1024),
    workers: 1,
    count: 20,
    count_instrumented: 5,
};

pub const WORKERS_8: Load = Load { name: "echo `{}`, 8 workers", workers: 8, count: 40_000, ..SMALL };
pub const WORKERS_32: Load = Load { name: "echo `{}`, 32 workers", workers: 32, count: 40_000, ..SMALL };

impl Load {
    /// With a fraction of the invocations.
    pub fn shortened(self, divisor: u64) -> Self {
        let shorter = |count: u64| count.div_ceil(divisor);
        Self { count: shorter(self.count), count_instrumented: shorter(self.count_instrumented), ..self }
    }
}

impl Event {
    pub fn json(self) -> Vec<u8> {
        match self {
            Event::Empty => b"{}".to_vec(),
            Event::Text(size) => {
                let text: String = ('A'..='Z').chain('a'..='z').chain('0'..='9').cycle().take(size).collect();
                format!(r#"{{"body":"{text}"}}"#).into_bytes()
            }
            Event::Records(size) => {
                let mut json = String::from("[");
                let mut number = 0;
                while json.len() < size {
                    let comma = if number == 0 { "" } else { "," };
                    json += &format!(
                        r#"{comma}{{"id":{number},"name":"record {number}","price":{number}.5,"tags":["a","b"],"used":true}}"#
                    );
                    number += 1;
                }
                json.push(']');
                json.into_bytes()
            }
            Event::Chunks(count, size) => format!("[{count},{size}]").into_bytes(),
            Event::Order => include_bytes!("order.json").to_vec(),
        }
    }

    /// The minimum length of a response in bytes.
    pub fn least_response(self) -> u64 {
        let bytes = match self {
            Event::Chunks(count, size) => count * size,
            // The function writes it without white space, and with another total.
            Event::Order => 1000,
            _ => self.json().len(),
        };
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}
