//! Sample events from the published sources of `aws_lambda_events` and `lambda_http`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use lambda_runtime_emulator::Event;
use serde_json::{Value, json};

pub(crate) struct Sample {
    package: &'static str,
    pub(crate) file: &'static str,
    /// The kind of the event as the application reports it.
    pub(crate) origin: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// Sorted, because in some events it is an unordered map.
    pub(crate) query: &'static [&'static str],
    pub(crate) body: &'static str,
    /// The JSON pointer to the cookies in the response.
    pub(crate) cookies: &'static str,
}

const EVENTS: &str = "aws_lambda_events";

pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        package: "lambda_http",
        file: "tests/data/lambda_function_url_request.json",
        origin: "API Gateway v2",
        method: "GET",
        path: "/my/path",
        query: &["parameter1=value1", "parameter1=value2", "parameter2=value"],
        body: "",
        cookies: "/cookies",
    },
    Sample {
        package: EVENTS,
        file: "src/fixtures/example-apigw-request.json",
        origin: "API Gateway v1",
        method: "POST",
        path: "/testStage/hello/world",
        query: &["name=me"],
        body: "{\r\n\t\"a\": 1\r\n}",
        cookies: "/multiValueHeaders/set-cookie",
    },
    Sample {
        package: EVENTS,
        file: "src/fixtures/example-apigw-v2-request-no-authorizer.json",
        origin: "API Gateway v2",
        method: "GET",
        path: "/",
        query: &[],
        body: "",
        cookies: "/cookies",
    },
    Sample {
        package: EVENTS,
        file: "src/fixtures/example-alb-lambda-target-request-headers-only.json",
        origin: "ALB",
        method: "GET",
        path: "/",
        query: &["key=hello"],
        body: "",
        cookies: "/multiValueHeaders/set-cookie",
    },
    Sample {
        package: EVENTS,
        file: "src/fixtures/example-alb-lambda-target-request-multivalue-headers.json",
        origin: "ALB",
        method: "GET",
        path: "/",
        query: &["key=hello"],
        body: "Some text",
        cookies: "/multiValueHeaders/set-cookie",
    },
    Sample {
        package: EVENTS,
        file: "src/fixtures/example-apigw-websocket-request-without-method.json",
        origin: "WebSocket",
        method: "GET",
        path: "/dev",
        query: &[],
        body: "",
        cookies: "/multiValueHeaders/set-cookie",
    },
    Sample {
        package: EVENTS,
        file: "src/fixtures/example-vpc-lattice-v2-request.json",
        origin: "VPC Lattice",
        method: "GET",
        path: "/health",
        query: &["multi=DEF", "multi=a", "multi=g", "state=prod"],
        body: "",
        cookies: "/headers/set-cookie",
    },
];

impl Sample {
    pub(crate) fn event(&self) -> Event {
        self.read().into()
    }

    /// Returns the event of a function URL with another path.
    pub(crate) fn event_for(&self, path: &str) -> Event {
        let mut event = self.read();
        event["rawPath"] = path.into();
        event["requestContext"]["http"]["path"] = path.into();
        event.into()
    }

    pub(crate) fn expected_cookies(&self) -> Value {
        // A response to VPC Lattice can contain only one.
        if self.origin == "VPC Lattice" { json!("a=1") } else { json!(["a=1", "b=2"]) }
    }

    fn read(&self) -> Value {
        let file = source_of(self.package).join(self.file);
        let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_slice(&text).unwrap()
    }
}

/// Returns the folder of a dependency's source.
fn source_of(package: &str) -> PathBuf {
    static METADATA: OnceLock<Value> = OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
            "metadata",
            "--format-version=1",
            "--filter-platform=host-tuple",
            "--locked",
            "--offline",
        ]);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    });
    let packages = metadata["packages"].as_array().unwrap();
    let manifest = packages.iter().find(|other| other["name"] == package).unwrap()["manifest_path"].as_str().unwrap();
    PathBuf::from(manifest).parent().unwrap().to_owned()
}
