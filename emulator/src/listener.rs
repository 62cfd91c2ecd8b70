//! A listening socket, with a thread for each connection.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::lock::lock;

/// Accepts connections and serves each on its own thread. Dropping it ends them all.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    connections: Arc<Mutex<Connections>>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Connections {
    stopping: bool,
    accepted: u64,
    open: HashMap<u64, (Arc<TcpStream>, Option<JoinHandle<()>>)>,
}

/// How a listener serves its connections.
pub struct Service {
    /// Name of the threads.
    pub name: &'static str,
    /// Connections that may be open at the same time.
    pub limit: usize,
    /// The reply on connections beyond the limit.
    pub refusal: &'static str,
    /// Serves a connection until it is over.
    pub serve: Box<dyn Fn(&TcpStream) + Send + Sync>,
}

impl Listener {
    /// Starts to accept connections.
    ///
    /// # Errors
    ///
    /// A thread cannot be started.
    pub fn start(listener: TcpListener, service: Service) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let connections = Arc::<Mutex<Connections>>::default();
        let shared = Arc::clone(&connections);
        let name = service.name.to_owned();
        let service = Arc::new(service);
        let accepting = thread::Builder::new().name(name).spawn(move || accept(&listener, &service, &shared))?;
        Ok(Self { address, connections, accepting: Some(accepting) })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all open connections, and accepts further ones.
    pub(crate) fn close_connections(&self) {
        for (socket, _) in lock(&self.connections).open.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, service: &Arc<Service>, connections: &Arc<Mutex<Connections>>) {
    // Delay after a failure: sockets or memory are exhausted.
    const PAUSE: Duration = Duration::from_millis(10);
    loop {
        let accepted = listener.accept();
        let mut open = lock(connections);
        if open.stopping {
            return;
        }
        let Ok((socket, _)) = accepted else {
            drop(open);
            thread::sleep(PAUSE);
            continue;
        };
        if open.open.len() >= service.limit {
            drop(open);
            refuse(&socket, service.refusal);
            continue;
        }
        // With Nagle's algorithm, a short streamed reply would wait for the peer's delayed ACK.
        let _ = socket.set_nodelay(true);
        let socket = Arc::new(socket);
        open.accepted += 1;
        let number = open.accepted;
        let (served, serving, shared) = (Arc::clone(&socket), Arc::clone(service), Arc::clone(connections));
        let spawned = thread::Builder::new().name(service.name.to_owned()).spawn(move || {
            (serving.serve)(&served);
            lock(&shared).open.remove(&number);
        });
        if let Ok(thread) = spawned {
            open.open.insert(number, (socket, Some(thread)));
        }
    }
}

/// Replies without waiting for a request. Received bytes are read, because unread bytes would reset the connection.
fn refuse(mut socket: &TcpStream, reply: &str) {
    if socket.set_nonblocking(true).is_ok() {
        let _ = socket.write(reply.as_bytes());
        let _ = socket.shutdown(Shutdown::Write);
        let _ = socket.read(&mut [0; 64 * 1024]);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let threads: Vec<_> = {
            let mut connections = lock(&self.connections);
            connections.stopping = true;
            for (socket, _) in connections.open.values() {
                let _ = socket.shutdown(Shutdown::Both);
            }
            connections.open.values_mut().filter_map(|(_, thread)| thread.take()).collect()
        };
        for thread in threads {
            let _ = thread.join();
        }
        // A connection wakes the accepting thread, which then stops.
        let woken = TcpStream::connect(reachable(self.address)).is_ok();
        if let Some(accepting) = self.accepting.take()
            && woken
        {
            let _ = accepting.join();
        }
    }
}

/// An address at which a listener on all addresses can be reached.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}
