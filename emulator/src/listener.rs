//! A listening socket, a thread for each connection, and their end.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::lock::lock;

/// Accepts connections and serves each on a thread of its own. Dropping it ends them all.
#[derive(Debug)]
pub(crate) struct Listener {
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

impl Listener {
    /// Starts to accept. `serve` has a connection until it returns.
    pub(crate) fn start(
        listener: TcpListener,
        name: &'static str,
        serve: impl Fn(&TcpStream) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let connections = Arc::<Mutex<Connections>>::default();
        let shared = Arc::clone(&connections);
        let serve: Arc<Serve> = Arc::new(serve);
        let accepting =
            thread::Builder::new().name(name.to_owned()).spawn(move || accept(&listener, name, &shared, &serve))?;
        Ok(Self { address, connections, accepting: Some(accepting) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections that are open; others may follow.
    pub(crate) fn close_connections(&self) {
        for (socket, _) in lock(&self.connections).open.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

type Serve = dyn Fn(&TcpStream) + Send + Sync;

fn accept(listener: &TcpListener, name: &str, connections: &Arc<Mutex<Connections>>, serve: &Arc<Serve>) {
    // There are no sockets or no memory for a while: it is no use to ask again at once.
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
        // Without this a short streamed answer waits for the peer's delayed acknowledgement.
        let _ = socket.set_nodelay(true);
        let socket = Arc::new(socket);
        open.accepted += 1;
        let number = open.accepted;
        let (held, serve, shared) = (Arc::clone(&socket), Arc::clone(serve), Arc::clone(connections));
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || {
            serve(&held);
            lock(&shared).open.remove(&number);
        });
        if let Ok(thread) = spawned {
            open.open.insert(number, (socket, Some(thread)));
        }
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
        // The accepting thread sees that it is to stop when it gets a connection.
        let woken = TcpStream::connect(reachable(self.address)).is_ok();
        if let Some(accepting) = self.accepting.take()
            && woken
        {
            let _ = accepting.join();
        }
    }
}

/// Where a listener can be connected to that listens everywhere.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        });
    }
    address
}
