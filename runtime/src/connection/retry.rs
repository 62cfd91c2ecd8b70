//! The retry policy: delays, and when to give up.

use std::io;
use std::time::Duration;

/// Time that failed attempts to connect and the delays between them may take before `run` gives up.
pub(crate) const UNREACHABLE_FOR: Duration = Duration::from_secs(10);

/// The minimum number of attempts to connect before `run` gives up, because time also passes in a frozen process.
const MIN_ATTEMPTS: u32 = 3;

/// Timeout of one attempt. The system's own is minutes for a host that drops packets.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that survives this long resets the retry state.
const STABLE_AFTER: Duration = Duration::from_secs(1);

/// Consecutive protocol errors before `run` gives up.
const MAX_PROTOCOL_ERRORS: u32 = 5;

/// The longest delay after a failed attempt to connect.
const MAX_CONNECT_DELAY: Duration = Duration::from_secs(1);

/// The longest delay after the loss of a connection without a reply. It is short because such an API accepts
/// connections, and an invocation may be waiting.
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(5);

/// A response is sent at most this many times on connections that are lost while it is being sent.
pub(crate) const MAX_SENDS: u32 = 5;

/// Delay before a response is sent again; ten times as long each time, up to [`MAX_RESEND_DELAY`].
const MIN_RESEND_DELAY: Duration = Duration::from_millis(10);

const MAX_RESEND_DELAY: Duration = Duration::from_secs(1);

/// Failures since the last reply, or since a connection that was stable.
#[derive(Debug, Default)]
pub(crate) struct RetryState {
    attempts: u32,
    /// Time spent on failed attempts and on delays.
    elapsed: Duration,
    protocol_errors: u32,
    /// Connections lost while a response was being sent.
    interrupted_sends: u32,
    last: Option<Loss>,
}

#[derive(Debug)]
struct Loss {
    error: io::Error,
    /// Whether a connection was lost, rather than an attempt to connect failed.
    connected: bool,
}

/// The reason to give up.
#[derive(Debug)]
pub(crate) enum GiveUp {
    /// The API cannot be reached.
    Unreachable { attempts: u32, last: io::Error },
    /// The API violates the protocol.
    ProtocolErrors { count: u32, last: io::Error },
}

impl RetryState {
    /// Records a reply.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// Records that an attempt to connect failed after `took`. A frozen process may measure more than the attempt's timeout.
    pub(crate) fn attempt_failed(&mut self, error: io::Error, took: Duration) {
        self.elapsed += took.min(ATTEMPT_TIMEOUT);
        self.last = Some(Loss { error, connected: false });
    }

    /// Records that a connection was lost after `lifetime`, without a reply since it was made or since the last one.
    pub(crate) fn connection_lost(&mut self, error: io::Error, lifetime: Duration) {
        if lifetime >= STABLE_AFTER {
            self.attempts = 0;
            self.elapsed = Duration::ZERO;
        }
        self.last = Some(Loss { error, connected: true });
    }

    /// Records that a connection was lost while a response that can be resent was being sent. Returns whether to resend it.
    pub(crate) fn send_interrupted(&mut self) -> bool {
        self.interrupted_sends = self.interrupted_sends.saturating_add(1);
        self.interrupted_sends < MAX_SENDS
    }

    pub(crate) fn has_interrupted_sends(&self) -> bool {
        self.interrupted_sends > 0
    }

    /// The number of connections, and attempts to connect, since the last reply.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Records that the API violated the protocol, which counts even after a long connection.
    pub(crate) fn protocol_violated(&mut self, error: io::Error, lifetime: Duration) {
        self.protocol_errors += 1;
        self.connection_lost(error, lifetime);
    }

    /// The delay before the next attempt, which is counted. `random` spreads the attempts of many workers.
    pub(crate) fn next_attempt(&mut self, random: u64) -> Result<Duration, GiveUp> {
        let delay = match self.last.take() {
            None => Duration::ZERO,
            Some(Loss { error, .. }) if self.protocol_errors >= MAX_PROTOCOL_ERRORS => {
                return Err(GiveUp::ProtocolErrors { count: self.protocol_errors, last: error });
            }
            Some(Loss { error, .. }) if self.elapsed >= UNREACHABLE_FOR && self.attempts >= MIN_ATTEMPTS => {
                return Err(GiveUp::Unreachable { attempts: self.attempts, last: error });
            }
            Some(Loss { connected: true, .. }) => {
                let delay = backoff(self.attempts, MAX_RECONNECT_DELAY, random);
                delay.max(resend_delay(self.interrupted_sends, random))
            }
            Some(Loss { connected: false, .. }) => backoff(self.attempts, MAX_CONNECT_DELAY, random),
        };
        self.attempts = self.attempts.saturating_add(1);
        self.elapsed += delay;
        Ok(delay)
    }
}

/// Zero before the first retry; then a millisecond, doubled each time up to `longest`, minus a random part of up to one
/// half.
pub(crate) fn backoff(attempts: u32, longest: Duration, random: u64) -> Duration {
    let Some(doublings) = attempts.checked_sub(2) else { return Duration::ZERO };
    jitter(Duration::from_millis(1 << doublings.min(10)).min(longest), random)
}

fn resend_delay(interrupted_sends: u32, random: u64) -> Duration {
    let Some(tenfolds) = interrupted_sends.checked_sub(1) else { return Duration::ZERO };
    jitter(MIN_RESEND_DELAY.saturating_mul(10u32.saturating_pow(tenfolds)).min(MAX_RESEND_DELAY), random)
}

fn jitter(delay: Duration, random: u64) -> Duration {
    let fraction = f64::from(u8::try_from(random % 256).unwrap_or_default()) / 256.0;
    delay - delay.mul_f64(0.5 * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> io::Error {
        io::ErrorKind::ConnectionRefused.into()
    }

    #[test]
    fn delays_grow_to_the_longest_and_do_not_overflow() {
        let longest = Duration::from_secs(1);
        assert_eq!(backoff(1, longest, 7), Duration::ZERO);
        for (attempts, limit) in [(2, 1), (3, 2), (7, 32), (12, 1000), (u32::MAX, 1000)] {
            let limit = Duration::from_millis(limit);
            assert_eq!(backoff(attempts, longest, 0), limit);
            assert!(backoff(attempts, longest, 255) > limit / 2, "{attempts}");
        }
    }

    #[test]
    fn jitter_takes_off_up_to_one_half() {
        let delay = |random| jitter(Duration::from_secs(8), random).as_secs();
        assert_eq!([0, 64, 128, 192, 256 + 128, u64::MAX - 127].map(delay), [8, 7, 6, 5, 6, 6]);
    }

    #[test]
    fn an_api_that_refuses_connections_is_given_up_after_ten_seconds() {
        let mut retry = RetryState::default();
        let mut waited = Duration::ZERO;
        let given_up = loop {
            match retry.next_attempt(0) {
                Ok(delay) => waited += delay,
                Err(given_up) => break given_up,
            }
            assert!(waited <= UNREACHABLE_FOR + MAX_CONNECT_DELAY);
            retry.attempt_failed(error(), Duration::ZERO);
        };
        assert!(waited >= UNREACHABLE_FOR);
        assert!(matches!(given_up, GiveUp::Unreachable { attempts: 19.., .. }), "{given_up:?}");
    }

    #[test]
    fn an_attempt_counts_for_its_timeout_at_most_and_there_are_at_least_three() {
        let frozen = Duration::from_secs(3600);
        let mut retry = RetryState::default();
        for _ in 0..3 {
            assert!(retry.next_attempt(0).is_ok());
            retry.attempt_failed(error(), frozen);
        }
        assert!(retry.next_attempt(0).is_ok(), "after nine seconds");
        retry.attempt_failed(error(), frozen);
        assert!(matches!(retry.next_attempt(0), Err(GiveUp::Unreachable { attempts: 4, .. })));
    }

    #[test]
    fn a_stable_connection_resets_what_failed_before() {
        let after = |lifetime| {
            let mut retry = RetryState { attempts: 7, elapsed: UNREACHABLE_FOR, ..RetryState::default() };
            retry.connection_lost(error(), lifetime);
            retry.next_attempt(0)
        };
        assert!(after(Duration::ZERO).is_err());
        assert_eq!(after(STABLE_AFTER).unwrap(), Duration::ZERO);
    }

    #[test]
    fn a_stable_connection_does_not_excuse_protocol_errors() {
        let mut retry = RetryState::default();
        for _ in 1..MAX_PROTOCOL_ERRORS {
            retry.protocol_violated(error(), STABLE_AFTER);
            assert!(retry.next_attempt(0).is_ok());
        }
        retry.protocol_violated(error(), STABLE_AFTER);
        assert!(matches!(retry.next_attempt(0), Err(GiveUp::ProtocolErrors { count: MAX_PROTOCOL_ERRORS, .. })));
    }

    #[test]
    fn a_reply_resets_everything() {
        let mut retry = RetryState {
            attempts: 9,
            elapsed: UNREACHABLE_FOR,
            protocol_errors: 4,
            interrupted_sends: 4,
            last: Some(Loss { error: error(), connected: false }),
        };
        assert_eq!((retry.attempts(), retry.has_interrupted_sends()), (9, true));
        retry.succeeded();
        assert_eq!((retry.attempts(), retry.has_interrupted_sends()), (0, false));
        assert_eq!(retry.next_attempt(0).unwrap(), Duration::ZERO);
    }

    #[test]
    fn lost_connections_are_replaced_within_milliseconds() {
        let mut retry = RetryState::default();
        for _ in 0..1000 {
            assert!(retry.next_attempt(0).unwrap() <= MAX_RECONNECT_DELAY);
            retry.connection_lost(error(), Duration::ZERO);
        }
    }

    #[test]
    fn a_response_is_sent_a_few_times_with_delays_that_grow_to_a_second() {
        let mut retry = RetryState::default();
        let mut delays = Vec::new();
        while retry.send_interrupted() {
            retry.connection_lost(error(), Duration::ZERO);
            delays.push(retry.next_attempt(0).unwrap().as_millis());
        }
        assert_eq!(delays, [10, 100, 1000, 1000]);
    }
}
