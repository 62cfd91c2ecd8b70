//! HTTP on blocking threads, for the command of this project. Hidden: it is not a contract.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

pub use crate::budget::{Budget, Reservation};
pub use crate::decided::Decided;
pub use crate::listener::{Listener, Service};
pub use crate::socket::{Activity, Connection};

use crate::Emulator;

impl<'s> Connection<'s> {
    /// A connection without faults, with this limit for the head of a request.
    pub fn without_faults(emulator: &'s Emulator, socket: &'s TcpStream, head: usize) -> Self {
        Self::new(&emulator.api, socket, head)
    }
}

/// Listens on an address.
///
/// # Errors
///
/// The address is taken, for example; the error names it.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    crate::builder::bind(address)
}

/// A new request id.
pub fn request_id() -> String {
    crate::id::uuid()
}

/// Text as it is retained: at most 1 KiB.
pub fn shortened(text: &str) -> String {
    crate::text::shortened(text)
}
