//! The context of an invocation.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use lambda_runtime_proto::client::Invocation;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::env::config::Config;
use crate::error::Error;
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
            client_context: header("lambda-runtime-client-context", values.client_context, ClientContext::decode)?,
            identity: header("lambda-runtime-cognito-identity", values.cognito_identity, CognitoIdentity::decode)?,
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

/// Decodes a header with `decode`. `null` counts as absent.
fn header<T>(
    header: &'static str,
    value: Option<&[u8]>,
    decode: impl FnOnce(&Members<'_>) -> serde_json::Result<T>,
) -> Result<Option<T>, BadHeader> {
    let Some(value) = value else { return Ok(None) };
    let decoded = members(value).and_then(|members| members.as_ref().map(decode).transpose());
    decoded.map_err(|error| BadHeader { header, error })
}

/// The members of a JSON object, each as its JSON; none for `null`.
///
/// All objects in the headers are decoded as this type: the code that serde derives for each struct is ten times as large.
#[derive(Default)]
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn get(&self, names: &[&str]) -> Option<&'a RawValue> {
        self.0.iter().find_map(|(name, value)| names.contains(&&**name).then_some(*value))
    }

    /// The members of an object in this one.
    fn nested(&self, names: &[&str]) -> serde_json::Result<Members<'a>> {
        members(self.get(names).map_or(b"null", |json| json.get().as_bytes())).map(Option::unwrap_or_default)
    }
}

/// `None` for `null`.
fn members(json: &[u8]) -> serde_json::Result<Option<Members<'_>>> {
    serde_json::from_slice(json)
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Members::default();
                while let Some(member) = map.next_entry()? {
                    members.0.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// A string, or another value as JSON.
fn string_or_json(json: &RawValue) -> serde_json::Result<String> {
    let json = json.get();
    if json.starts_with('"') { serde_json::from_slice(json.as_bytes()) } else { Ok(json.to_owned()) }
}

impl ClientContext {
    fn decode(members: &Members<'_>) -> serde_json::Result<Self> {
        let texts = |names: &[&str]| {
            let members = members.nested(names)?.0.into_iter();
            members.map(|(name, value)| Ok((name, string_or_json(value)?))).collect::<serde_json::Result<_>>()
        };
        Ok(Self {
            client: ClientApplication::decode(&members.nested(&["client"])?)?,
            custom: texts(&["custom"])?,
            environment: texts(&["environment", "env"])?,
        })
    }
}

impl ClientApplication {
    fn decode(members: &Members<'_>) -> serde_json::Result<Self> {
        let text = |names: &[&str]| match members.get(names) {
            Some(json) if json.get() != "null" => string_or_json(json),
            _ => Ok(String::new()),
        };
        Ok(Self {
            installation_id: text(&["installationId", "installation_id"])?,
            app_title: text(&["appTitle", "app_title"])?,
            app_version_name: text(&["appVersionName", "app_version_name"])?,
            app_version_code: text(&["appVersionCode", "app_version_code"])?,
            app_package_name: text(&["appPackageName", "app_package_name"])?,
        })
    }
}

impl CognitoIdentity {
    fn decode(members: &Members<'_>) -> serde_json::Result<Self> {
        let text = |name, aliases: [&str; 2]| {
            let json = members.get(&[name, aliases[0], aliases[1]]);
            let json = json.ok_or_else(|| serde_json::Error::missing_field(name))?;
            serde_json::from_slice(json.get().as_bytes())
        };
        Ok(Self {
            identity_id: text("cognitoIdentityId", ["identityId", "identity_id"])?,
            identity_pool_id: text("cognitoIdentityPoolId", ["identityPoolId", "identity_pool_id"])?,
        })
    }
}

/// A header of /next that cannot be decoded.
#[derive(Debug)]
pub(crate) struct BadHeader {
    header: &'static str,
    error: serde_json::Error,
}

impl fmt::Display for BadHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the header {} of the invocation cannot be decoded: {}", self.header, self.error)
    }
}

impl std::error::Error for BadHeader {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Information about the caller, sent by AWS's SDKs for mobile applications.
#[derive(Serialize, Deserialize, Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientContext {
    /// The caller's application.
    #[serde(default, deserialize_with = "or_default")]
    pub client: ClientApplication,
    /// Values added by the application. A value that is not a string is kept as JSON.
    #[serde(default, deserialize_with = "texts")]
    pub custom: HashMap<String, String>,
    /// The device and its settings: `locale`, `platform` and so on. A value that is not a string is kept as JSON.
    #[serde(default, alias = "env", deserialize_with = "texts")]
    pub environment: HashMap<String, String>,
}

/// A mobile application. A missing field is empty; a value that is not a string is kept as JSON.
#[derive(Serialize, Deserialize, Default, Clone, Debug, Eq, PartialEq)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientApplication {
    /// The id of the installation.
    #[serde(alias = "installation_id", deserialize_with = "text_of")]
    pub installation_id: String,
    /// The title.
    #[serde(alias = "app_title", deserialize_with = "text_of")]
    pub app_title: String,
    /// The version for people.
    #[serde(alias = "app_version_name", deserialize_with = "text_of")]
    pub app_version_name: String,
    /// The version for programs.
    #[serde(alias = "app_version_code", deserialize_with = "text_of")]
    pub app_version_code: String,
    /// The name of the package.
    #[serde(alias = "app_package_name", deserialize_with = "text_of")]
    pub app_package_name: String,
}

/// An identity of an Amazon Cognito identity pool.
#[derive(Serialize, Deserialize, Clone, Debug, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CognitoIdentity {
    /// The id of the identity.
    #[serde(alias = "cognitoIdentityId", alias = "identity_id")]
    pub identity_id: String,
    /// The id of its pool.
    #[serde(alias = "cognitoIdentityPoolId", alias = "identity_pool_id")]
    pub identity_pool_id: String,
}

/// Decodes a map of JSON values, each as text; `null` as an empty map.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashMap<String, String>, D::Error> {
    let values: HashMap<String, serde_json::Value> = or_default(deserializer)?;
    Ok(values.into_iter().map(|(name, value)| (name, json_text(value))).collect())
}

/// Decodes a JSON value as text; `null` as an empty text.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(json_text).unwrap_or_default())
}

fn json_text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// `null` for what is usual.
fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(headers: &[(&'static str, &[u8])]) -> Result<Context, Error> {
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

    #[test]
    fn json_values_in_a_client_context_are_kept_as_text() {
        let client = |json: &[u8]| context(&[("lambda-runtime-client-context", json)]).unwrap().client_context;
        let found =
            client(br#"{"client":{"app_version_code":7,"app_title":null,"new":[]},"custom":{"a":[1]},"env":null}"#);
        let found = found.unwrap();
        assert_eq!((&*found.client.app_version_code, &*found.client.app_title), ("7", ""));
        assert_eq!((&*found.custom["a"], found.environment.len()), ("[1]", 0));
        assert_eq!(client(br#"{"client":null,"custom":null}"#), Some(ClientContext::default()));
        assert_eq!(client(b"null"), None);
        assert_eq!(context(&[("lambda-runtime-cognito-identity", b"null")]).unwrap().identity, None);
    }

    #[test]
    fn a_header_is_decoded_as_its_type_is() {
        for json in [
            r#"{"client":{"installation_id":"i","appTitle":"t","app_version_name":1.5,"app_version_code":null}}"#,
            r#"{"client":{"app_package_name":[]},"custom":{"a":"\u00fc","b":null,"c":true},"environment":{"e":"f"}}"#,
            r#"{"client":null,"custom":null,"env":{},"services":{"x":1}}"#,
            "{}",
        ] {
            let derived = serde_json::from_str(json).unwrap();
            let decoded = context(&[("lambda-runtime-client-context", json.as_bytes())]).unwrap().client_context;
            assert_eq!(decoded, Some(derived), "{json}");
        }
        for json in [
            r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#,
            r#"{"identityId":"i","identityPoolId":"p"}"#,
            r#"{"identity_id":"i","identity_pool_id":"p","more":1}"#,
        ] {
            let derived = serde_json::from_str(json).unwrap();
            let decoded = context(&[("lambda-runtime-cognito-identity", json.as_bytes())]).unwrap().identity;
            assert_eq!(decoded, Some(derived), "{json}");
        }
    }

    #[test]
    fn invalid_json_is_an_error_that_names_the_header() {
        let (client, identity) = ("lambda-runtime-client-context", "lambda-runtime-cognito-identity");
        for (name, json) in [
            (client, "no json"),
            (client, "[1]"),
            (client, r#"{"client":"c"}"#),
            (client, r#"{"custom":1}"#),
            (identity, "no json"),
            (identity, "{}"),
            (identity, r#"{"identityId":"i","identityPoolId":1}"#),
        ] {
            let error = context(&[(name, json.as_bytes())]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
