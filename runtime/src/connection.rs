//! Drives the protocol machine over an executor's sockets: one after the other, as connections break and are made.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use lambda_runtime_proto::client::{Client, Config, Event};
use lambda_runtime_proto::{CloseReason, Output, PeerError};

use crate::log::warn;
use crate::{Address, Executor, RunError, Transport};

/// How long [`run`](crate::Runtime::run) waits, all its tries and the pauses between them together, for a Runtime API that
/// cannot be reached, before it gives up.
pub(crate) const UNREACHABLE_FOR: Duration = Duration::from_secs(10);

/// A connection that lived for so long was a good one: what went wrong before it counts no more.
const GOOD_AFTER: Duration = Duration::from_secs(1);

/// Before something is asked again that was answered at once with nothing.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// How long a report of a failed start-up may take.
const REPORT_FOR: Duration = Duration::from_secs(2);

/// Answers that are no HTTP, or break it, in a row before [`run`](crate::Runtime::run) gives up.
const MAX_BROKEN: u32 = 5;

pub(crate) struct Connection<X: Executor> {
    executor: X,
    address: Address,
    config: Config,
    pub(crate) client: Client,
    transport: Option<X::Transport>,
    /// When the last connection was made.
    opened: Option<Instant>,
    trouble: Trouble,
}

/// What went wrong since the last answer, or since a connection that lived.
#[derive(Default)]
struct Trouble {
    tries: u32,
    /// Time spent waiting before new tries.
    waited: Duration,
    /// How many connections broke the protocol.
    broken: u32,
    /// A connection was made, and lost before it brought an answer.
    connected: bool,
    last: Option<io::Error>,
}

impl<X: Executor> Connection<X> {
    pub(crate) fn new(executor: X, address: Address, config: Config) -> Self {
        let client = Client::new(config.clone());
        Self { executor, address, config, client, transport: None, opened: None, trouble: Trouble::default() }
    }

    /// Another one to the same API.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.executor.clone(), self.address.clone(), self.config.clone())
    }

    pub(crate) fn executor(&self) -> &X {
        &self.executor
    }

    /// Drops the socket; the next request makes a new one.
    pub(crate) fn hang_up(&mut self) {
        self.transport = None;
        self.client.reset();
    }

    /// Sends what the machine was commanded to, and waits for the API's answer. A report to the API is not worth
    /// waiting for ever.
    pub(crate) async fn report(&mut self) {
        let enough = self.executor.sleep(REPORT_FOR);
        let _ = before(enough, self.event(|_, _| {})).await;
    }

    /// Waits for the next event, and between events does what the machine wants: write, read, connect.
    ///
    /// While the machine is idle it waits for ever: `commands` is polled whenever that may change, and gives them.
    pub(crate) async fn event(
        &mut self,
        mut commands: impl FnMut(&mut Client, &mut Context<'_>),
    ) -> Result<Event, RunError> {
        loop {
            if self.transport.is_none() && self.client.outstanding().next().is_some() {
                self.connect().await?;
            }
            let Self { client, transport, .. } = self;
            let step = poll_fn(|cx| poll(client, transport.as_mut(), &mut commands, cx)).await;
            match step {
                Step::Event(event) => {
                    self.trouble = Trouble::default();
                    return Ok(event);
                }
                Step::Connect => {}
                Step::Closed(reason, error) => self.closed(reason, error),
            }
        }
    }

    pub(crate) fn sleep(&self, duration: Duration) -> X::Sleep {
        self.executor.sleep(duration)
    }

    fn closed(&mut self, reason: CloseReason, error: Option<io::Error>) {
        self.transport = None;
        self.client.reset();
        if self.opened.is_some_and(|opened| opened.elapsed() >= GOOD_AFTER) {
            // Except for what is no matter of time: a peer that takes long to say what is no HTTP.
            self.trouble = Trouble { broken: self.trouble.broken, ..Trouble::default() };
        }
        let what = match (&reason, error) {
            // As the peer announced, or to be expected.
            (CloseReason::CloseRequested | CloseReason::RepliedEarly, _) => return,
            (CloseReason::TransportFailed, Some(error)) => error,
            (CloseReason::Peer(error), _) => {
                if !matches!(error, PeerError::UnexpectedEnd(_)) {
                    self.trouble.broken += 1;
                }
                io::Error::new(io::ErrorKind::InvalidData, error.clone())
            }
            (reason, _) => io::Error::new(io::ErrorKind::ConnectionAborted, reason.to_string()),
        };
        if reason != CloseReason::ClosedByPeer {
            warn!("the connection to the Lambda Runtime API at {} is lost: {what}", self.address);
        }
        self.trouble.last = Some(what);
        self.trouble.connected = true;
    }

    /// Connects, trying again until it works or [`UNREACHABLE_FOR`] has been spent on waiting.
    async fn connect(&mut self) -> Result<(), RunError> {
        loop {
            if let Some(last) = self.trouble.last.take() {
                self.pause(last).await?;
            }
            self.trouble.tries += 1;
            // A host that is not there, or takes no more connections, lets the system try for minutes.
            let enough = UNREACHABLE_FOR.saturating_sub(self.trouble.waited).max(Duration::from_secs(1));
            let begun = Instant::now();
            let connect = self.executor.connect(&self.address.host, self.address.port);
            let (error, took) = match before(self.executor.sleep(enough), connect).await {
                Some(Ok(transport)) => {
                    self.transport = Some(transport);
                    self.opened = Some(Instant::now());
                    return Ok(());
                }
                Some(Err(error)) => (error, begun.elapsed()),
                None => (io::Error::new(io::ErrorKind::TimedOut, "nobody answers there"), enough),
            };
            self.trouble.waited += took;
            self.trouble.last = Some(error);
            self.trouble.connected = false;
        }
    }

    async fn pause(&mut self, last: io::Error) -> Result<(), RunError> {
        let Trouble { tries, waited, broken, connected, .. } = self.trouble;
        if waited >= UNREACHABLE_FOR || broken >= MAX_BROKEN {
            return Err(RunError::Unreachable { address: self.address.to_string(), tries, last });
        }
        let pause = backoff(tries, if connected { Duration::from_millis(5) } else { Duration::from_secs(1) });
        // An executor may take a millisecond to sleep for no time at all.
        if !pause.is_zero() {
            self.trouble.waited += pause;
            self.executor.sleep(pause).await;
        }
        Ok(())
    }
}

/// What `future` comes to, or `None` if `enough` ends before it.
async fn before<T>(enough: impl Future<Output = ()>, future: impl Future<Output = T>) -> Option<T> {
    let mut enough = pin!(enough);
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => enough.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// None before the first new try, then from a millisecond doubling up to `longest`, less up to half of it by chance, so
/// that many workers do not come back at the same moment.
fn backoff(tries: u32, longest: Duration) -> Duration {
    let Some(doublings) = tries.checked_sub(2) else { return Duration::ZERO };
    let pause = Duration::from_millis(1 << doublings.min(10)).min(longest);
    // The standard library seeds this from the system's randomness; good enough to spread load.
    let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), tries);
    pause - pause.mul_f64(0.5 * f64::from(u8::try_from(random % 256).unwrap_or_default()) / 256.0)
}

enum Step {
    Event(Event),
    /// A connection is needed.
    Connect,
    Closed(CloseReason, Option<io::Error>),
}

fn poll<T: Transport>(
    client: &mut Client,
    mut transport: Option<&mut T>,
    commands: &mut impl FnMut(&mut Client, &mut Context<'_>),
    cx: &mut Context<'_>,
) -> Poll<Step> {
    let mut failure = None;
    loop {
        commands(client, cx);
        match client.poll_output() {
            Output::Event(event) => return Poll::Ready(Step::Event(event)),
            Output::Closed(reason) => return Poll::Ready(Step::Closed(reason, failure)),
            // While the handler runs, the connection may end, and then the answer needs another one.
            Output::Idle if transport.is_none() => return Poll::Pending,
            Output::Idle | Output::Receive => {}
            Output::Transmit(slices) => {
                let Some(transport) = &mut transport else { return Poll::Ready(Step::Connect) };
                match transport.poll_write_vectored(cx, &slices) {
                    Poll::Ready(Ok(n)) if n > 0 => {
                        client.sent(n);
                        continue;
                    }
                    // The peer does not read. It may have answered all the same.
                    Poll::Ready(result) => {
                        failure = Some(result.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into()));
                        client.end_of_output();
                        continue;
                    }
                    Poll::Pending => {}
                }
            }
        }
        let Some(transport) = &mut transport else { return Poll::Ready(Step::Connect) };
        match ready!(transport.poll_read(cx, client.space())) {
            Ok(0) => client.end_of_input(),
            Ok(n) => client.filled(n),
            Err(error) => {
                failure = Some(error);
                client.disconnected();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Pending, Ready, pending, ready};
    use std::io::IoSlice;
    use std::task::Waker;

    use super::*;

    #[derive(Clone)]
    struct Nothing;

    impl Transport for Nothing {
        fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }

        fn poll_write_vectored(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bufs.len()))
        }
    }

    impl Executor for Nothing {
        type Transport = Nothing;
        type Connect = Ready<io::Result<Nothing>>;
        type Sleep = Ready<()>;

        fn connect(&self, _: &str, _: u16) -> Self::Connect {
            ready(Ok(Nothing))
        }

        fn sleep(&self, _: Duration) -> Self::Sleep {
            ready(())
        }
    }

    /// An executor for an address where nobody answers, and whose time passes at once.
    #[derive(Clone)]
    struct Nobody;

    impl Executor for Nobody {
        type Transport = Nothing;
        type Connect = Pending<io::Result<Nothing>>;
        type Sleep = Ready<()>;

        fn connect(&self, _: &str, _: u16) -> Self::Connect {
            pending()
        }

        fn sleep(&self, _: Duration) -> Self::Sleep {
            ready(())
        }
    }

    fn connection<X: Executor>(executor: X) -> Connection<X> {
        let address: Address = "127.0.0.1:9001".parse().unwrap();
        let config = Config::new(address.authority.clone());
        Connection::new(executor, address, config)
    }

    #[test]
    fn the_time_that_a_try_takes_counts() {
        let mut connection = connection(Nobody);
        let end = pin!(connection.connect()).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Err(error)) = end else { panic!("it waits for ever") };
        let words = "the Lambda Runtime API at 127.0.0.1:9001 cannot be reached: nobody answers there (tries: 1)";
        assert_eq!(error.to_string(), words);
    }

    #[test]
    fn what_went_wrong_before_a_connection_that_lived_counts_no_more() {
        let mut connection = connection(Nothing);
        let closed_after = |connection: &mut Connection<Nothing>, lived| {
            connection.trouble = Trouble { tries: 7, waited: UNREACHABLE_FOR, ..Trouble::default() };
            connection.opened = Instant::now().checked_sub(lived);
            connection.closed(CloseReason::ClosedByPeer, None);
            connection.trouble.waited
        };
        assert_eq!(closed_after(&mut connection, Duration::ZERO), UNREACHABLE_FOR);
        assert_eq!(closed_after(&mut connection, GOOD_AFTER), Duration::ZERO);
    }

    #[test]
    fn a_peer_that_takes_its_time_to_break_the_protocol_is_given_up_all_the_same() {
        let mut connection = connection(Nothing);
        for broken in 1..=MAX_BROKEN {
            connection.opened = Instant::now().checked_sub(GOOD_AFTER);
            connection.closed(CloseReason::Peer(PeerError::NotHttp(b"S".to_vec())), None);
            assert_eq!(connection.trouble.broken, broken);
        }
        let last = io::ErrorKind::InvalidData.into();
        let given_up = pin!(connection.pause(last)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(given_up, Poll::Ready(Err(RunError::Unreachable { .. }))));
    }

    #[test]
    fn pauses_grow_up_to_the_longest_and_do_not_overflow() {
        let longest = Duration::from_secs(1);
        assert_eq!(backoff(1, longest), Duration::ZERO);
        for (tries, at_most) in [(2, 1), (3, 2), (7, 32), (12, 1000), (u32::MAX, 1000)] {
            let at_most = Duration::from_millis(at_most);
            assert!((at_most / 2..=at_most).contains(&backoff(tries, longest)), "{tries}");
        }
    }
}
