//! A whole runtime on one blocking socket: it answers every event with the event itself.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p lambda-runtime-emulator --example echo

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use http::HeaderValue;
use lambda_runtime_proto::Output;
use lambda_runtime_proto::client::{Client, Config, Event, Response};

fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::var("AWS_LAMBDA_RUNTIME_API")
        .map_err(|_| "AWS_LAMBDA_RUNTIME_API is not set: start this with lambda-emulator")?;
    let mut socket = TcpStream::connect(&endpoint)?;
    socket.set_nodelay(true)?;
    let mut client = Client::new(Config::new(HeaderValue::from_str(&endpoint)?));
    client.next_invocation()?;
    loop {
        match client.poll_output() {
            Output::Transmit(slices) => {
                let n = socket.write_vectored(&slices)?;
                client.sent(n);
            }
            Output::Receive => match socket.read(client.space())? {
                0 => client.end_of_input(),
                n => client.filled(n),
            },
            Output::Event(Event::Invocation(invocation)) => {
                let echo = Response::json(invocation.body());
                client.respond(invocation.into_token(), echo)?;
            }
            Output::Event(Event::Answered(answer)) => {
                if answer.status() != 202 {
                    eprintln!("{}: {}", answer.status(), String::from_utf8_lossy(&answer.body()));
                }
                client.next_invocation()?;
            }
            Output::Closed(reason) => return Err(reason.to_string().into()),
            Output::Idle | Output::Event(_) => client.next_invocation()?,
        }
    }
}
