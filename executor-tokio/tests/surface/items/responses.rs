//! Responses of handlers.

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderValue, StatusCode};
use lambda_runtime::streaming::{self, Body};
use lambda_runtime::{
    Error, FunctionResponse, IntoFunctionResponse, LambdaEvent, MetadataPrelude, StreamResponse, run, service_fn,
};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) async fn streamed(
    _event: LambdaEvent<Value>,
) -> Result<StreamResponse<impl Stream<Item = Result<Bytes, Error>>>, Error> {
    Ok(StreamResponse {
        metadata_prelude: MetadataPrelude {
            status_code: StatusCode::CREATED,
            headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))]),
            cookies: vec!["a=b".to_owned()],
        },
        stream: stream::iter([Ok(Bytes::from("one")), Ok(Bytes::from("two"))]),
    })
}

/// A response that is buffered or streamed.
enum Page {
    Short(String),
    Long(Body),
}

impl IntoFunctionResponse<String, Body> for Page {
    fn into_response(self) -> FunctionResponse<String, Body> {
        match self {
            Page::Short(text) => FunctionResponse::BufferedResponse(text),
            Page::Long(body) => FunctionResponse::StreamingResponse(StreamResponse::from(body)),
        }
    }
}

#[test]
fn a_response_is_any_value_that_serializes() {
    async fn nothing(_event: LambdaEvent<Value>) -> Result<(), Error> {
        Ok(())
    }

    async fn text(_event: LambdaEvent<Value>) -> Result<&'static str, Error> {
        Ok("text")
    }

    async fn something(_event: LambdaEvent<Value>) -> Result<impl Serialize, Error> {
        Ok(json!({}))
    }

    let _ = || run(service_fn(nothing));
    let _ = || run(service_fn(text));
    let _ = || run(service_fn(something));
    let buffered = IntoFunctionResponse::<_, Body>::into_response("text");
    assert!(matches!(buffered, FunctionResponse::BufferedResponse("text")));
}

#[test]
fn a_stream_consists_of_any_chunks_that_convert_to_bytes() {
    async fn of_text(_event: LambdaEvent<Value>) -> Result<streaming::Response<Body>, Error> {
        Ok(streaming::Response::from(Body::from("text")))
    }

    async fn of_vectors(
        _event: LambdaEvent<Value>,
    ) -> Result<StreamResponse<impl Stream<Item = Result<Vec<u8>, std::io::Error>>>, Error> {
        Ok(StreamResponse::from(stream::iter([Ok(vec![1, 2]), Err(std::io::Error::other("no more"))])))
    }

    let _ = || run(service_fn(streamed));
    let _ = || run(service_fn(of_text));
    let _ = || run(service_fn(of_vectors));
    let response = StreamResponse::from(Body::empty()).into_response();
    assert!(matches!(response, FunctionResponse::StreamingResponse(_)));
    assert!(format!("{:?}", StreamResponse::from(Body::empty())).starts_with("StreamResponse"));
}

#[test]
fn a_handler_may_stream_some_responses_and_buffer_others() {
    async fn either(event: LambdaEvent<bool>) -> Result<FunctionResponse<Value, Body>, Error> {
        Ok(match event.payload {
            true => FunctionResponse::StreamingResponse(StreamResponse::from(Body::from(vec![0; 8]))),
            false => FunctionResponse::BufferedResponse(json!({})),
        })
    }

    async fn page(event: LambdaEvent<bool>) -> Result<Page, Error> {
        Ok(if event.payload { Page::Long(Body::empty()) } else { Page::Short(String::new()) })
    }

    let _ = || run(service_fn(either));
    let _ = || run(service_fn(page));
}

#[test]
fn a_metadata_prelude_is_json_in_camel_case() {
    let prelude = MetadataPrelude {
        status_code: StatusCode::IM_A_TEAPOT,
        headers: HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("e"))]),
        cookies: vec!["a=b".to_owned()],
    };
    let json = serde_json::to_value(&prelude).unwrap();
    assert_eq!(json, json!({ "statusCode": 418, "headers": { "etag": "e" }, "cookies": ["a=b"] }));
    assert_eq!(serde_json::from_value::<MetadataPrelude>(json).unwrap(), prelude.clone());
    assert_eq!(MetadataPrelude::default().status_code, StatusCode::OK);
    assert!(format!("{prelude:?}").starts_with("MetadataPrelude"));
}
