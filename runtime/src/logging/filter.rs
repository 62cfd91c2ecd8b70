//! The filter of spans and events: Lambda's level, narrowed by `RUST_LOG`.

use std::env;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{Directive, EnvFilter, LevelFilter};
use tracing_subscriber::layer::{Context, Filter};

/// A filter that follows `AWS_LAMBDA_LOG_LEVEL` and `RUST_LOG`.
///
/// - With `AWS_LAMBDA_LOG_LEVEL`, which the console sets, nothing above that level is enabled. `RUST_LOG` can only
///   narrow individual targets; a level without a target is ignored.
/// - Without it, `RUST_LOG` decides, as in [`EnvFilter`].
/// - Without either, the level is `INFO`.
///
/// The spans of the runtime are enabled at every level, because events take their request id from them. An invalid
/// directive is ignored. `FATAL`, which Lambda knows and `tracing` does not, is `ERROR`.
#[derive(Debug)]
pub struct LogFilter {
    directives: EnvFilter,
    max: LevelFilter,
}

impl LogFilter {
    /// Reads the environment.
    pub fn from_env() -> Self {
        let text = |name| env::var(name).unwrap_or_default();
        Self::new(&text("AWS_LAMBDA_LOG_LEVEL"), &text("RUST_LOG"))
    }

    fn new(lambda_level: &str, rust_log: &str) -> Self {
        let max = level(lambda_level);
        let mut directives = Vec::new();
        // `EnvFilter`'s own lossy parser prints to stderr, and panics if that fails.
        for directive in rust_log.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
            let is_level = directive.parse::<LevelFilter>().is_ok();
            if let Ok(parsed) = directive.parse::<Directive>()
                && !(is_level && max.is_some())
            {
                directives.push(parsed);
            }
        }
        if max.is_some() || directives.is_empty() {
            directives.push(max.unwrap_or(LevelFilter::INFO).into());
        }
        // Without a directive the filter has a default one, which the first replaces.
        let none = EnvFilter::builder().with_default_directive(LevelFilter::OFF.into()).parse("").unwrap_or_default();
        let directives = directives.into_iter().fold(none, EnvFilter::add_directive);
        Self { directives, max: max.unwrap_or(LevelFilter::TRACE) }
    }
}

fn level(text: &str) -> Option<LevelFilter> {
    if text.eq_ignore_ascii_case("FATAL") {
        return Some(LevelFilter::ERROR);
    }
    // An empty text would be a level: ERROR.
    Some(text).filter(|text| !text.is_empty())?.parse().ok()
}

fn is_span_of_the_runtime(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == "lambda_runtime" && *metadata.level() <= Level::INFO
}

impl<S: Subscriber> Filter<S> for LogFilter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        is_span_of_the_runtime(metadata)
            || (*metadata.level() <= self.max && Filter::enabled(&self.directives, metadata, context))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // The directives see every callsite: they keep what they find for spans.
        let interest = Filter::<S>::callsite_enabled(&self.directives, metadata);
        if is_span_of_the_runtime(metadata) {
            Interest::always()
        } else if *metadata.level() > self.max {
            Interest::never()
        } else {
            interest
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let hint = Filter::<S>::max_level_hint(&self.directives).unwrap_or(LevelFilter::TRACE);
        Some(hint.min(self.max).max(LevelFilter::INFO))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        Filter::on_new_span(&self.directives, attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        Filter::on_record(&self.directives, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Filter::on_enter(&self.directives, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Filter::on_exit(&self.directives, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Filter::on_close(&self.directives, id, context);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::{Layer, SubscriberExt as _};

    use super::*;

    /// Which of five events a filter lets pass, and whether it lets the runtime's span pass.
    fn passed(lambda_level: &str, rust_log: &str) -> (String, bool) {
        #[derive(Clone, Default)]
        struct Seen(Arc<Mutex<String>>);

        impl<S: Subscriber> Layer<S> for Seen {
            fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
                let (target, level) = (event.metadata().target(), event.metadata().level().as_str());
                self.0.lock().unwrap().push_str(&format!("{target}={level} ").to_lowercase());
            }
        }

        let seen = Seen::default();
        let filtered = seen.clone().with_filter(LogFilter::new(lambda_level, rust_log));
        let span = tracing::subscriber::with_default(tracing_subscriber::registry().with(filtered), || {
            tracing::error!(target: "mine", "");
            tracing::info!(target: "mine", "");
            tracing::debug!(target: "mine", "");
            tracing::info!(target: "other", "");
            tracing::debug!(target: "other", "");
            !tracing::info_span!(target: "lambda_runtime", "span").is_disabled()
        });
        let seen = seen.0.lock().unwrap().trim().to_owned();
        (seen, span)
    }

    #[test]
    fn lambdas_level_is_the_maximum_and_rust_log_narrows_targets() {
        let all = "mine=error mine=info mine=debug other=info other=debug";
        for (lambda_level, rust_log, expected) in [
            ("", "", "mine=error mine=info other=info"),
            ("INFO", "", "mine=error mine=info other=info"),
            ("debug", "", all),
            ("DEBUG", "other=info", "mine=error mine=info mine=debug other=info"),
            ("INFO", "mine=trace", "mine=error mine=info other=info"),
            ("INFO", "mine=error", "mine=error other=info"),
            ("INFO", "trace", "mine=error mine=info other=info"),
            ("INFO", "error", "mine=error mine=info other=info"),
            ("ERROR", "", "mine=error"),
            ("FATAL", "", "mine=error"),
            ("LOUD", "", "mine=error mine=info other=info"),
            ("", "debug", all),
            ("", "mine=debug", "mine=error mine=info mine=debug"),
            ("", "error,other=debug", "mine=error other=info other=debug"),
            ("", "mine=loud,[{=", "mine=error mine=info other=info"),
            ("", "off", ""),
        ] {
            let context = format!("AWS_LAMBDA_LOG_LEVEL={lambda_level} RUST_LOG={rust_log}");
            assert_eq!(passed(lambda_level, rust_log), (expected.to_owned(), true), "{context}");
        }
    }
}
