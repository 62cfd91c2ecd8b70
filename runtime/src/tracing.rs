//! Logging for functions: `tracing`, `tracing-subscriber`, and a subscriber that follows Lambda's settings.

use std::env;
use std::io::{self, stdout};

pub use ::tracing::*;
/// To build subscribers of your own.
pub use tracing_subscriber as subscriber;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;

/// Sets a global subscriber that writes to stdout, from where Lambda takes its log.
///
/// It follows [Lambda's log settings](https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html):
/// `AWS_LAMBDA_LOG_FORMAT` (`JSON`, or text), `AWS_LAMBDA_LOG_LEVEL`, and where that is not set `RUST_LOG`; `INFO` where
/// neither is.
///
/// # Panics
///
/// If a global subscriber is set already.
pub fn init_default_subscriber() {
    init_default_subscriber_with_writer(stdout);
}

/// The same as [`init_default_subscriber`], with a writer of your choice.
///
/// # Panics
///
/// If a global subscriber is set already.
pub fn init_default_subscriber_with_writer<Writer>(writer: Writer)
where
    Writer: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").or_else(|_| env::var("RUST_LOG"));
    // Not by way of an empty text, which would be a level: ERROR.
    let level = level.ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
    let subscriber = tracing_subscriber::fmt()
        .with_target(false)
        .without_time()
        .with_env_filter(filter)
        .with_writer(Patient(writer));
    if env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json")) {
        subscriber.json().init();
    } else {
        subscriber.init();
    }
}

/// A writer, or what makes one, that loses what cannot be written. `tracing-subscriber` would say so on stderr, and panic
/// where that cannot be written either: stdout and stderr are one pipe in Lambda, and often elsewhere.
struct Patient<W>(W);

impl<'writer, W: MakeWriter<'writer>> MakeWriter<'writer> for Patient<W> {
    type Writer = Patient<W::Writer>;

    fn make_writer(&'writer self) -> Self::Writer {
        Patient(self.0.make_writer())
    }

    fn make_writer_for(&'writer self, metadata: &Metadata<'_>) -> Self::Writer {
        Patient(self.0.make_writer_for(metadata))
    }
}

impl<W: io::Write> io::Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Ok(bytes.len()),
            result => result,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_cannot_be_written_is_lost_without_an_error() {
        struct Broken;

        impl io::Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }

        let mut writer = Patient(Broken);
        assert!(writer.write_all(b"words").is_ok() && writer.flush().is_ok());
    }
}
