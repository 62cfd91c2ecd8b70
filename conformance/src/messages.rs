//! Messages of the API.

/// The headers that every event has, in Lambda and in its emulators. The deadline is in the year 2100.
pub(crate) const USUAL_HEADERS: &str = "Content-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: a\r\n\
    Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:f\r\n";

/// A client context as AWS's mobile SDKs send it.
pub(crate) const CLIENT_CONTEXT: &str = "{\"client\":{\"installation_id\":\"i\",\"app_title\":\"t\",\"app_version_name\":\"1\",\
    \"app_version_code\":\"2\",\"app_package_name\":\"p\"},\"custom\":{\"k\":\"v\"},\"env\":{\"e\":\"f\"}}";

/// A reply to /next: an event with Lambda's usual headers.
pub(crate) fn event(id: &str, payload: &str) -> Vec<u8> {
    event_with(id, "", payload)
}

/// An event with additional header lines, each with its CRLF.
pub(crate) fn event_with(id: &str, headers: &str, payload: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n\
         Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:f\r\n\
         {headers}Content-Length: {}\r\n\r\n{payload}",
        payload.len()
    )
    .into_bytes()
}

/// A reply with this status and body.
pub(crate) fn reply(status: u16, body: &str) -> Vec<u8> {
    reply_with(status, "", body)
}

/// A reply with additional header lines, each with its CRLF.
pub(crate) fn reply_with(status: u16, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Lambda's acknowledgement.
pub(crate) fn accepted() -> Vec<u8> {
    reply(202, "{\"status\":\"OK\"}\n")
}

/// A refusal in Lambda's form.
pub(crate) fn refusal(status: u16, error_type: &str) -> Vec<u8> {
    reply(status, &format!(r#"{{"errorMessage":"message of {error_type}","errorType":"{error_type}"}}"#))
}
