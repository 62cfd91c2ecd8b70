//! What the futures of a thread wait for.

use std::cell::RefCell;
use std::io::{self, PipeReader};
use std::net::TcpStream;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

thread_local! {
    static WAITS: RefCell<Waits> = const { RefCell::new(Waits { sockets: Vec::new(), sleeps: Vec::new() }) };
}

/// What the futures of a thread wait for, held weakly: when a future is dropped, nothing waits for it any more.
#[derive(Default)]
pub(crate) struct Waits {
    sockets: Vec<(Weak<TcpStream>, PollFlags, Waker)>,
    sleeps: Vec<(Weak<Instant>, Waker)>,
}

impl Waits {
    /// Has `waker` woken when the socket is ready in this direction, instead of the one before.
    pub(crate) fn add_socket(socket: &Arc<TcpStream>, direction: PollFlags, waker: &Waker) {
        let socket = Arc::downgrade(socket);
        WAITS.with_borrow_mut(|waits| {
            waits.sockets.retain(|(other, its, _)| !(other.ptr_eq(&socket) && *its == direction));
            waits.sockets.push((socket, direction, waker.clone()));
        });
    }

    /// Has `waker` woken at this time, instead of the one before.
    pub(crate) fn add_sleep(until: &Arc<Instant>, waker: &Waker) {
        let until = Arc::downgrade(until);
        WAITS.with_borrow_mut(|waits| {
            waits.sleeps.retain(|(other, _)| !other.ptr_eq(&until));
            waits.sleeps.push((until, waker.clone()));
        });
    }

    /// Blocks until something has happened that is waited for, or the pipe can be read; wakes who waited for it.
    pub(crate) fn block(pipe: &PipeReader) -> io::Result<()> {
        let waits = WAITS.take();
        let sockets = waits.sockets.into_iter();
        let sockets: Vec<_> =
            sockets.filter_map(|(socket, flags, waker)| Some((socket.upgrade()?, flags, waker))).collect();
        let sleeps = waits.sleeps.into_iter();
        let sleeps: Vec<_> = sleeps.filter_map(|(until, waker)| Some((until.upgrade()?, waker))).collect();

        let mut fds = vec![PollFd::new(pipe, PollFlags::IN)];
        fds.extend(sockets.iter().map(|(socket, direction, _)| PollFd::new(&**socket, *direction)));
        let first = sleeps.iter().map(|(until, _)| until.saturating_duration_since(Instant::now())).min();
        // What is further away than the system can tell is as good as never.
        let timeout = first.and_then(|duration| Timespec::try_from(duration).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }

        let ready: Vec<bool> = fds.iter().skip(1).map(|fd| !fd.revents().is_empty()).collect();
        for ((socket, direction, waker), ready) in sockets.iter().zip(ready) {
            if ready {
                waker.wake_by_ref();
            } else {
                Self::add_socket(socket, *direction, waker);
            }
        }
        for (until, waker) in &sleeps {
            if **until <= Instant::now() {
                waker.wake_by_ref();
            } else {
                Self::add_sleep(until, waker);
            }
        }
        Ok(())
    }
}
