//! What the API sends.

/// An answer to /next: an event with the usual headers.
pub fn event(id: &str, payload: &str) -> Vec<u8> {
    event_with(id, "", payload)
}

/// An event with more header lines, each with its CRLF.
pub fn event_with(id: &str, fields: &str, payload: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n\
         Lambda-Runtime-Deadline-Ms: 1542409706888\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:f\r\n\
         {fields}Content-Length: {}\r\n\r\n{payload}",
        payload.len()
    )
    .into_bytes()
}

/// An answer with this status and body.
pub fn answer(status: u16, body: &str) -> Vec<u8> {
    answer_with(status, "", body)
}

/// The same with more header lines.
pub fn answer_with(status: u16, fields: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The usual acknowledgement.
pub fn accepted() -> Vec<u8> {
    answer(202, "{\"status\":\"OK\"}\n")
}

/// A refusal in the API's own words.
pub fn refusal(status: u16, error_type: &str) -> Vec<u8> {
    answer(status, &format!(r#"{{"errorMessage":"words about {error_type}","errorType":"{error_type}"}}"#))
}
