//! Sources that several scenarios share.

use crate::Source;

pub(super) const NEXT: Source = Source::Aws("lambda/latest/dg/runtimes-api.html#runtimes-api-next");
pub(super) const RESPONSE: Source = Source::Aws("lambda/latest/dg/runtimes-api.html#runtimes-api-response");
pub(super) const ERROR: Source = Source::Aws("lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror");
pub(super) const CUSTOM_RUNTIME: Source = Source::Aws("lambda/latest/dg/runtimes-custom.html#runtimes-custom-build");
pub(super) const STREAMING: Source =
    Source::Aws("lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming");
pub(super) const QUOTAS: Source = Source::Aws("lambda/latest/dg/gettingstarted-limits.html");

pub(super) const INIT_ERROR: Source = Source::Aws("lambda/latest/dg/runtimes-api.html#runtimes-api-initerror");
pub(super) const SNAPSTART: Source = Source::Aws("lambda/latest/dg/snapstart-runtime-hooks-custom.html");
pub(super) const RESTORE: Source =
    Source::Aws("lambda/latest/dg/snapstart-runtime-hooks-custom.html#runtime-hooks-custom");
pub(super) const SHUTDOWN: Source =
    Source::Aws("lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown");
pub(super) const MANAGED: Source = Source::Aws("lambda/latest/dg/lambda-managed-instances-execution-environment.html");

/// The format and the limit of a metadata prelude.
pub(super) const PRELUDE: Source = Source::Aws("apigateway/latest/developerguide/response-transfer-mode-lambda.html");

/// The headers of an event.
pub(super) const RIE_EVENT: Source = Source::Rie("internal/lambda/rapi/rendering/rendering.go");
/// The statuses of the API, and the bodies of its refusals.
pub(super) const RIE_REFUSALS: Source = Source::Rie("internal/lambda/rapi/rendering/render_error.go");
/// How the API passes a streamed response on, and what it makes of an incomplete one.
pub(super) const RIE_STREAMING: Source = Source::Rie("internal/lambda/core/directinvoke/directinvoke.go");
/// The error types that the API keeps.
pub(super) const RIE_ERROR_TYPES: Source = Source::Rie("internal/lambda/fatalerror/fatalerror.go");
/// The refusals of Managed Instances.
pub(super) const RIE_MANAGED_REFUSALS: Source =
    Source::Rie("internal/lambda-managed-instances/rapi/rendering/render_error.go");

pub(super) const PROTOCOL: Source = Source::Project("docs/protocol.md");
pub(super) const PARITY: Source = Source::Project("docs/parity.md");
pub(super) const OPERATING: Source = Source::Project("docs/operating.md");
pub(super) const ARCHITECTURE: Source = Source::Project("docs/architecture.md");

/// HTTP semantics.
pub(super) const fn rfc9110(section: &'static str) -> Source {
    Source::Rfc { number: 9110, section }
}

/// HTTP/1.1.
pub(super) const fn rfc9112(section: &'static str) -> Source {
    Source::Rfc { number: 9112, section }
}
