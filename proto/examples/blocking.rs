//! A complete Lambda runtime on a blocking socket, which shows that any executor fits. The response is the event.
//!
//!     cargo emulate --event '{"name":"World"}' -- cargo run -q -p lambda-runtime-proto --example blocking

use std::io::{Read, Write};
use std::net::TcpStream;

use lambda_runtime_proto::Output;
use lambda_runtime_proto::client::{Client, Config, Event, Response};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let mut client = Client::new(Config::new(api.parse()?));
    let mut socket = TcpStream::connect(&api)?;
    loop {
        match client.poll_output() {
            Output::Idle => client.next_invocation()?,
            Output::Transmit(slices) => {
                let n = socket.write_vectored(&slices)?;
                client.sent(n);
            }
            Output::Receive => match socket.read(client.space())? {
                0 => client.end_of_input(),
                n => client.filled(n),
            },
            Output::Event(Event::Invocation(invocation)) => {
                let body = invocation.body();
                client.respond(invocation.into_token(), Response::json(body))?;
            }
            Output::Event(event) => eprintln!("{event:?}"),
            Output::Closed(reason) => {
                eprintln!("{reason}; reconnecting");
                socket = TcpStream::connect(&api)?;
                client.reset();
            }
        }
    }
}
