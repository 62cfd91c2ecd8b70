//! Every form of address is reached.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use lambda_runtime_base::Address;
use lambda_runtime_emulator::Emulator;

/// Serves one event at an IPv4 address, an IPv6 address, a name and a URL each.
///
/// # Panics
///
/// If one of them is not reached.
pub fn every_form_of_address_is_reached(start: fn(Address) -> Result<(), String>) {
    for (bind, host, scheme) in [
        (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "127.0.0.1", ""),
        (SocketAddr::from((Ipv6Addr::LOCALHOST, 0)), "[::1]", ""),
        (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "localhost", ""),
        (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "localhost", "http://"),
    ] {
        let emulator = Emulator::builder().address(bind).start().unwrap();
        let (_, port) = emulator.endpoint().rsplit_once(':').unwrap();
        let address = format!("{scheme}{host}:{port}");
        let parsed = address.parse().unwrap();
        std::thread::spawn(move || start(parsed));
        assert_eq!(emulator.invoke("[1]").unwrap().text(), "[1]", "{address}");
        println!("{address} is reached");
    }
}
