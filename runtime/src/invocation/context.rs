//! The context of an invocation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use lambda_runtime_proto::client::Invocation;
use serde::{Deserialize, Serialize};

use crate::env::config::Config;
use crate::error::Error;
use crate::invocation::caller::{self, BadHeader, ClientContext, CognitoIdentity};
use crate::invocation::running::Running;
#[cfg(feature = "wait-until")]
use crate::invocation::work::WaitUntilError;

/// The context of an invocation, from [the headers of /next](https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next)
/// and from the environment.
#[non_exhaustive]
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Context {
    /// Lambda's id of the invocation, a UUID, which also appears in Lambda's log and in the reply to the caller.
    pub request_id: String,
    /// The deadline in milliseconds since the Unix epoch; 0 if the API sent none.
    pub deadline: u64,
    /// The ARN by which the function was invoked, including a version or alias. Empty if the API sent none.
    pub invoked_function_arn: String,
    /// The X-Ray trace: `Root=1-…;Parent=…;Sampled=1`.
    pub xray_trace_id: Option<String>,
    /// Information about the caller, sent by AWS's SDKs for mobile applications.
    pub client_context: Option<ClientContext>,
    /// The identity of the caller, if it used credentials of a Cognito identity pool.
    pub identity: Option<CognitoIdentity>,
    /// The tenant for which the function was invoked, if it isolates tenants.
    pub tenant_id: Option<String>,
    /// The function's configuration, from the environment.
    pub env_config: Arc<Config>,
    /// The content type of the event, unless it is `application/json`, as from Lambda.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Headers that start with `lambda-runtime-` and have no field here, which Lambda may add in the future; keyed by their
    /// names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_headers: BTreeMap<String, String>,
    /// Ignored by `Eq`, `Serialize` and `Deserialize`.
    #[serde(skip)]
    pub(crate) running: Running,
}

impl Context {
    /// Reads the headers of /next. An empty header counts as absent; text that is not UTF-8 is decoded with replacement
    /// characters.
    ///
    /// # Errors
    ///
    /// The client context or the Cognito identity is not JSON of the expected form; the error names the header.
    pub fn new(request_id: &str, env_config: Arc<Config>, headers: &HeaderMap) -> Result<Self, Error> {
        let value = |name| headers.get(name).map(HeaderValue::as_bytes).filter(|value| !value.is_empty());
        // Digits only: `parse` also accepts a sign.
        let deadline = value("lambda-runtime-deadline-ms").filter(|value| value.iter().all(u8::is_ascii_digit));
        let deadline = deadline.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        let values = Values {
            deadline: deadline.map(Duration::from_millis),
            function_arn: value("lambda-runtime-invoked-function-arn"),
            trace_id: value("lambda-runtime-trace-id"),
            client_context: value("lambda-runtime-client-context"),
            cognito_identity: value("lambda-runtime-cognito-identity"),
            tenant_id: value("lambda-runtime-aws-tenant-id"),
            content_type: value("content-type"),
            others: others(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))),
        };
        Ok(Self::read(request_id, env_config, values)?)
    }

    pub(crate) fn of(invocation: &Invocation, request_id: &str, env_config: Arc<Config>) -> Result<Self, BadHeader> {
        let values = Values {
            deadline: invocation.deadline(),
            function_arn: invocation.function_arn(),
            trace_id: invocation.trace_id(),
            client_context: invocation.client_context(),
            cognito_identity: invocation.cognito_identity(),
            tenant_id: invocation.tenant_id(),
            content_type: invocation.content_type(),
            others: others(invocation.other_headers()),
        };
        Self::read(request_id, env_config, values)
    }

    fn read(request_id: &str, env_config: Arc<Config>, values: Values<'_>) -> Result<Self, BadHeader> {
        let deadline = values.deadline.unwrap_or_default().as_millis();
        Ok(Context {
            request_id: request_id.to_owned(),
            deadline: u64::try_from(deadline).unwrap_or(u64::MAX),
            invoked_function_arn: values.function_arn.map(text).unwrap_or_default(),
            xray_trace_id: values.trace_id.map(text),
            client_context: caller::header(
                "lambda-runtime-client-context",
                values.client_context,
                ClientContext::decode,
            )?,
            identity: caller::header(
                "lambda-runtime-cognito-identity",
                values.cognito_identity,
                CognitoIdentity::decode,
            )?,
            tenant_id: values.tenant_id.map(text),
            env_config,
            content_type: values.content_type.filter(|value| *value != b"application/json").map(text),
            other_headers: values.others,
            running: Running::default(),
        })
    }

    /// The deadline of the invocation.
    pub fn deadline(&self) -> SystemTime {
        deadline(self.deadline)
    }

    /// The time left until the deadline: zero if it has passed, `None` if the API sent none.
    ///
    /// A deadline more than a day ago is treated as none, because `cargo lambda watch` sends the maximum duration of the
    /// invocation instead of its deadline.
    pub fn remaining_time(&self) -> Option<Duration> {
        self.remaining_time_at(SystemTime::now())
    }

    pub(crate) fn remaining_time_at(&self, now: SystemTime) -> Option<Duration> {
        remaining_time(self.deadline, now)
    }

    /// Runs `future` after the acknowledgement of the response and before the next invocation is requested: for work that the
    /// caller should not wait for, such as flushing metrics.
    ///
    /// All futures of an invocation run concurrently, in the spans in which they were passed, and may add more. Those that are
    /// unfinished at the deadline are dropped. Lambda bills this time, does not freeze the process, and delivers no other event
    /// to this environment (on Lambda Managed Instances, to this worker). An invocation with such work is not
    /// [pipelined](crate::Runtime::pipelining). A graceful shutdown waits for it until Lambda kills the process.
    ///
    /// To run a future that is not `Send`, spawn it on a local executor and pass a future that awaits the task.
    ///
    /// ```
    /// use lambda_runtime_base::{Error, LambdaEvent};
    ///
    /// async fn handler(event: LambdaEvent<String>) -> Result<usize, Error> {
    ///     let length = event.payload.len();
    ///     event.context.wait_until(async move { println!("length: {length}") })?;
    ///     Ok(length)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The context does not come from the runtime, or its invocation is over. The future is dropped.
    #[cfg(feature = "wait-until")]
    #[cfg_attr(docsrs, doc(cfg(feature = "wait-until")))]
    pub fn wait_until(&self, future: impl Future<Output = ()> + Send + 'static) -> Result<(), WaitUntilError> {
        self.running.wait_until(future)
    }
}

/// A deadline, from milliseconds since the Unix epoch.
pub(crate) fn deadline(deadline: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(deadline)).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// As defined by [`Context::remaining_time`].
pub(crate) fn remaining_time(milliseconds: u64, now: SystemTime) -> Option<Duration> {
    match deadline(milliseconds).duration_since(now) {
        Ok(remaining) => Some(remaining),
        Err(passed) => (passed.duration() < DAY).then_some(Duration::ZERO),
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The values of the headers of /next from which a context is built.
struct Values<'a> {
    deadline: Option<Duration>,
    function_arn: Option<&'a [u8]>,
    trace_id: Option<&'a [u8]>,
    client_context: Option<&'a [u8]>,
    cognito_identity: Option<&'a [u8]>,
    tenant_id: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    others: BTreeMap<String, String>,
}

/// The unknown headers with the prefix of the Runtime API. An empty header counts as absent; of several, the first counts.
fn others<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])>) -> BTreeMap<String, String> {
    const KNOWN: [&str; 8] = [
        "lambda-runtime-aws-request-id",
        "lambda-runtime-deadline-ms",
        "lambda-runtime-invoked-function-arn",
        "lambda-runtime-trace-id",
        "lambda-runtime-client-context",
        "lambda-runtime-cognito-identity",
        "lambda-runtime-aws-tenant-id",
        "lambda-runtime-invocation-id",
    ];
    let mut others = BTreeMap::new();
    for (name, value) in headers.filter(|(_, value)| !value.is_empty()) {
        let name = name.to_ascii_lowercase();
        if name.starts_with("lambda-runtime-") && !KNOWN.contains(&&*name) {
            others.entry(name).or_insert_with(|| text(value));
        }
    }
    others
}

fn text(value: &[u8]) -> String {
    std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value).into_owned(), str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn context(headers: &[(&'static str, &[u8])]) -> Result<Context, Error> {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_bytes(value).unwrap()));
        Context::new("id", Arc::default(), &headers.collect())
    }

    #[test]
    fn every_header_reaches_its_field() {
        let context = context(&[
            ("lambda-runtime-deadline-ms", b"1542409706888"),
            ("lambda-runtime-invoked-function-arn", b"arn:aws:lambda:eu-west-1:123456789012:function:f"),
            ("lambda-runtime-trace-id", b"Root=1-5bef4de7;Parent=9;Sampled=1"),
            ("lambda-runtime-aws-tenant-id", b"blue"),
            ("lambda-runtime-cognito-identity", br#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#),
            (
                "lambda-runtime-client-context",
                br#"{"client":{"app_title":"t"},"custom":{"a":"b","n":{"x":1}},"env":{"locale":"de","v":2}}"#,
            ),
        ])
        .unwrap();
        assert_eq!(context.request_id, "id");
        assert_eq!(context.deadline(), SystemTime::UNIX_EPOCH + Duration::from_millis(1_542_409_706_888));
        assert_eq!(context.invoked_function_arn, "arn:aws:lambda:eu-west-1:123456789012:function:f");
        assert_eq!(context.xray_trace_id.as_deref(), Some("Root=1-5bef4de7;Parent=9;Sampled=1"));
        assert_eq!(context.tenant_id.as_deref(), Some("blue"));
        assert_eq!(context.identity.unwrap().identity_pool_id, "p");
        let client = context.client_context.unwrap();
        assert_eq!(client.client.app_title, "t");
        assert_eq!(client.custom["a"], "b");
        assert_eq!(client.custom["n"], r#"{"x":1}"#);
        assert_eq!(client.environment["v"], "2");
    }

    #[test]
    fn unknown_headers_are_kept_and_the_usual_json_is_unchanged() {
        let usual =
            [("content-type", &b"application/json"[..]), ("lambda-runtime-invocation-id", b"7"), ("date", b"d")];
        let plain = context(&usual).unwrap();
        assert_eq!(plain, Context { request_id: "id".into(), ..Context::default() });
        let json = serde_json::to_value(&plain).unwrap();
        assert!(json.get("content_type").is_none() && json.get("other_headers").is_none(), "{json}");
        assert_eq!(serde_json::from_value::<Context>(json).unwrap(), plain);

        let more = context(&[
            ("content-type", b"text/csv"),
            ("lambda-runtime-traceparent", b"00-a-b-01"),
            ("lambda-runtime-x", b"\xff"),
            ("lambda-runtime-empty", b""),
            ("lambda-runtimes", b"no"),
        ])
        .unwrap();
        assert_eq!(more.content_type.as_deref(), Some("text/csv"));
        let expected = [("lambda-runtime-traceparent", "00-a-b-01"), ("lambda-runtime-x", "\u{fffd}")];
        assert_eq!(more.other_headers, expected.map(|(name, value)| (name.into(), value.into())).into());
        assert_eq!(serde_json::from_value::<Context>(serde_json::to_value(&more).unwrap()).unwrap(), more);
    }

    #[test]
    fn absent_empty_and_odd_headers_do_not_fail_an_invocation() {
        assert_eq!(context(&[]).unwrap(), Context { request_id: "id".into(), ..Context::default() });
        let empty = context(&[
            ("lambda-runtime-deadline-ms", b""),
            ("lambda-runtime-invoked-function-arn", b""),
            ("lambda-runtime-trace-id", b""),
            ("lambda-runtime-client-context", b""),
            ("lambda-runtime-cognito-identity", b""),
            ("lambda-runtime-aws-tenant-id", b""),
        ]);
        assert_eq!(empty.unwrap(), context(&[]).unwrap());
        let odd =
            context(&[("lambda-runtime-deadline-ms", b"soon"), ("lambda-runtime-invoked-function-arn", b"arn:\xff")])
                .unwrap();
        assert_eq!((odd.deadline, odd.invoked_function_arn.as_str()), (0, "arn:\u{fffd}"));
        assert_eq!(context(&[("lambda-runtime-deadline-ms", b"+1")]).unwrap().deadline, 0);
        let far = context(&[("lambda-runtime-deadline-ms", b"18446744073709551615")]).unwrap();
        assert!(far.remaining_time() > Some(Duration::from_secs(60)));
        assert_eq!(odd.remaining_time(), None);
    }

    #[test]
    fn a_deadline_that_passed_long_ago_is_none() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let remaining = |deadline: Duration| {
            let deadline = deadline.as_millis().try_into().unwrap();
            Context { deadline, ..Context::default() }.remaining_time()
        };
        assert_eq!(remaining(now - Duration::from_secs(1)), Some(Duration::ZERO));
        assert_eq!(remaining(now - DAY + Duration::from_secs(60)), Some(Duration::ZERO));
        assert_eq!(remaining(now - DAY), None);
        assert_eq!(remaining(Duration::from_secs(600)), None);
        assert!(remaining(now + DAY) > Some(Duration::ZERO));
    }
}
