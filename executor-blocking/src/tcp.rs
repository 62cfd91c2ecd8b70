//! The connection to the Runtime API.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use lambda_runtime_base::Transport;
use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, connect, sendmsg, socket_with, sockopt,
};

use crate::reactor::Source;

/// A TCP stream, as a [`Transport`]. It is polled within [`block_on`](crate::block_on).
#[derive(Debug)]
pub struct Tcp(Arc<Source>);

impl Tcp {
    /// Connects. The future is polled within `block_on`.
    #[doc(hidden)]
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let fd = socket(address)?;
        // Only while connecting; afterwards each call specifies whether it may block.
        ioctl_fionbio(&fd, true)?;
        let connecting = connect(&fd, &address);
        let source = Source::new(fd);
        match connecting {
            Ok(()) => {}
            Err(Errno::INPROGRESS | Errno::INTR) => {
                source.writable().await?;
                sockopt::socket_error(&source.fd)??;
            }
            Err(error) => return Err(error.into()),
        }
        ioctl_fionbio(&source.fd, false)?;
        sockopt::set_tcp_nodelay(&source.fd, true)?;
        Ok(Self(source))
    }

    /// Duplicates the descriptor, for a runtime that is moved to another executor.
    #[doc(hidden)]
    pub fn try_clone(&self) -> io::Result<OwnedFd> {
        self.0.fd.as_fd().try_clone_to_owned()
    }
}

#[cfg(not(target_vendor = "apple"))]
fn socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
}

#[cfg(target_vendor = "apple")]
fn socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket_with(family, SocketType::STREAM, SocketFlags::empty(), None)?;
    rustix::io::ioctl_fioclex(&fd)?;
    Ok(fd)
}

impl Transport for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_recv(cx, buf)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let sent =
            retry_on_intr(|| sendmsg(&self.0.fd, bufs, &mut SendAncillaryBuffer::default(), SendFlags::DONTWAIT));
        match sent {
            Err(Errno::AGAIN) => match self.0.register_write(cx.waker()) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
            sent => Poll::Ready(sent.map_err(Into::into)),
        }
    }
}
