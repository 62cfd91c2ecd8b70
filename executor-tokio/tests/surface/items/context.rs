//! Events, contexts and configuration.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use lambda_runtime::{Config, Context, Error, LambdaEvent};
use serde_json::json;

use super::echo;
use crate::block_on;

fn context(headers: &[(&'static str, &'static str)]) -> Result<Context, Error> {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
    Context::new("id", Arc::new(config()), &headers.collect())
}

fn config() -> Config {
    Config {
        function_name: "f".into(),
        memory: 128,
        version: "$LATEST".into(),
        log_stream: "stream".into(),
        log_group: "group".into(),
    }
}

#[test]
fn a_context_contains_the_values_of_the_headers() {
    let context = context(&[
        ("lambda-runtime-deadline-ms", "1542409706888"),
        ("lambda-runtime-invoked-function-arn", "arn"),
        ("lambda-runtime-trace-id", "Root=1-2-3"),
        ("lambda-runtime-aws-tenant-id", "blue"),
        ("lambda-runtime-cognito-identity", r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#),
        (
            "lambda-runtime-client-context",
            concat!(
                r#"{"client":{"installation_id":"1","app_title":"2","app_version_name":"3","app_version_code":"4","#,
                r#""app_package_name":"5"},"custom":{"a":"b"},"environment":{"c":"d"}}"#
            ),
        ),
    ])
    .unwrap();
    assert_eq!((context.request_id.as_str(), context.deadline), ("id", 1_542_409_706_888));
    assert_eq!(context.deadline(), SystemTime::UNIX_EPOCH + Duration::from_millis(1_542_409_706_888));
    assert_eq!((context.invoked_function_arn.as_str(), context.tenant_id.as_deref()), ("arn", Some("blue")));
    assert_eq!(context.xray_trace_id.as_deref(), Some("Root=1-2-3"));
    assert_eq!(context.env_config.function_name, "f");

    let identity = context.identity.clone().unwrap();
    assert_eq!((identity.identity_id.as_str(), identity.identity_pool_id.as_str()), ("i", "p"));
    let client = context.client_context.clone().unwrap();
    assert_eq!((client.custom["a"].as_str(), client.environment["c"].as_str()), ("b", "d"));
    let app = client.client;
    assert_eq!([app.installation_id, app.app_title, app.app_version_name], ["1", "2", "3"]);
    assert_eq!([app.app_version_code, app.app_package_name], ["4", "5"]);

    let json = serde_json::to_string(&context).unwrap();
    assert_eq!(serde_json::from_str::<Context>(&json).unwrap(), context);
    assert!(format!("{context:?}").starts_with("Context"));
}

#[test]
fn invalid_json_in_a_header_is_an_error() {
    let deadline = ("lambda-runtime-deadline-ms", "1");
    assert!(context(&[deadline, ("lambda-runtime-client-context", "no json")]).is_err());
    assert!(context(&[deadline, ("lambda-runtime-cognito-identity", "{}")]).is_err());
    assert!(context(&[deadline, ("lambda-runtime-client-context", "{}")]).unwrap().client_context.is_some());
}

#[test]
fn an_event_can_be_constructed_for_a_test() {
    let mut context = Context::default();
    context.request_id = "id".into();
    let event = LambdaEvent::new(json!({ "a": 1 }), context);
    assert_eq!(event.clone().payload["a"], 1);
    assert_eq!(event.context.request_id, "id");
    assert!(format!("{event:?}").starts_with("LambdaEvent"));
    assert_eq!(block_on(echo(event)).unwrap(), json!({ "a": 1 }));
}

#[test]
fn a_configuration_is_plain_data() {
    let config = config();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config.clone());
    assert_ne!(config, Config::default());
    assert!(format!("{config:?}").starts_with("Config"));
    let _ = Config::from_env as fn() -> Config;
}
