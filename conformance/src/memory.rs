//! How much memory a long stream takes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use lambda_runtime_base::Address;
use lambda_runtime_proto::server::{Event, Reply, Server};
use lambda_runtime_proto::{Limits, Output};

use crate::messages::{accepted, event, refusal};

const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 16 * 1024;

/// Streams a GiB to a reader that is slow at first, and checks that the process grows by less than 10 MiB.
///
/// # Panics
///
/// If it does, or if something is missing.
pub fn a_gibibyte_is_streamed_in_bounded_memory(start: fn(Address) -> Result<(), String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let function = std::thread::spawn(move || start(address));
    let (mut socket, _) = listener.accept().unwrap();
    let mut server = Server::new(Limits::default().body(u64::MAX));
    let mut requests = 0;
    let mut received = 0;
    let before = resident_kib();
    let mut most = before;
    loop {
        match server.poll_output() {
            Output::Event(Event::Request(_)) => requests += 1,
            Output::Event(Event::Data(data)) => {
                if received == 0 {
                    // The function finds nobody who reads.
                    std::thread::sleep(Duration::from_millis(300));
                }
                if received / (64 << 20) != (received + data.len()) / (64 << 20) {
                    most = most.max(resident_kib());
                }
                received += data.len();
            }
            Output::Event(Event::End(_)) => {
                // The machine is told that it has replied; what is sent is written here.
                server.reply(Reply::new(204)).unwrap();
                let payload = format!(r#"{{"do":"stream","chunks":{CHUNKS},"bytes":{CHUNK}}}"#);
                socket
                    .write_all(&match requests {
                        1 => event("a", &payload),
                        2 => accepted(),
                        _ => refusal(403, "InvalidStateTransition"),
                    })
                    .unwrap();
            }
            Output::Transmit(slices) => {
                let n = slices.iter().map(|slice| slice.len()).sum();
                server.sent(n);
            }
            Output::Receive | Output::Idle => match socket.read(server.space()).unwrap() {
                0 => break,
                n => server.filled(n),
            },
            Output::Closed(_) => break,
        }
    }
    assert!(function.join().unwrap().unwrap_err().contains("403"));
    assert!(received > CHUNK * CHUNKS, "{received} bytes came");
    let grown = most - before;
    println!("{} MiB streamed, {grown} KiB more in memory", received >> 20);
    assert!(grown < 10 * 1024, "it grew by {grown} KiB");
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
