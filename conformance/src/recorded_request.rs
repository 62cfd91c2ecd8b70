//! A request as an API recorded it.

use std::fmt;

use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::{Request, Route, Trailers};

/// The part of a request that arrived.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// The endpoint it was sent to.
    pub endpoint: Endpoint,
    /// The request id in the path; empty for endpoints without one.
    pub id: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, except for bytes that the script discarded.
    pub body: Vec<u8>,
    /// Length of the body in bytes, including what the script discarded.
    pub received: usize,
    /// The trailers, names in lower case.
    pub trailers: Vec<(String, String)>,
    /// Whether the request arrived completely.
    pub complete: bool,
}

impl RecordedRequest {
    /// A request whose head has arrived.
    ///
    /// # Errors
    ///
    /// The request is not for an endpoint of the Runtime API.
    pub fn new(request: &Request) -> Result<Self, String> {
        let Route::Api(endpoint, id) = request.route() else {
            return Err(format!("{} {} is not a request of the Runtime API", request.method(), request.path()));
        };
        Ok(Self {
            endpoint,
            id: id.to_owned(),
            headers: request.headers().iter().map(lower).collect(),
            body: Vec::new(),
            received: 0,
            trailers: Vec::new(),
            complete: false,
        })
    }

    /// Appends to the body.
    pub fn data(&mut self, data: &[u8]) {
        self.received += data.len();
        self.body.extend_from_slice(data);
    }

    /// Marks the request as complete.
    pub fn end(&mut self, trailers: &Trailers) {
        self.trailers = trailers.fields().iter().map(lower).collect();
        self.complete = true;
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first trailer of this name, in lower case.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        write!(f, "{} {:?}, {} bytes", self.endpoint, self.id, self.received)?;
        if !self.complete {
            f.write_str(", incomplete")?;
        }
        let shown = self.body.get(..SHOWN).unwrap_or(&self.body);
        write!(f, "\n      headers {:?}\n      body \"{}\"", self.headers, shown.escape_ascii())?;
        if shown.len() < self.body.len() {
            f.write_str("…")?;
        }
        if !self.trailers.is_empty() {
            write!(f, "\n      trailers {:?}", self.trailers)?;
        }
        Ok(())
    }
}

fn lower((name, value): (&str, &[u8])) -> (String, String) {
    (name.to_ascii_lowercase(), String::from_utf8_lossy(value).into_owned())
}
