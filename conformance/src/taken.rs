//! A request as a scripted API read it.

use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::{Request, Route, Trailers};

/// A request, as far as it was read.
#[derive(Debug, Clone)]
pub struct Taken {
    /// For this endpoint.
    pub endpoint: Endpoint,
    /// The id in its path.
    pub id: String,
    /// Its fields, names in lower case.
    pub fields: Vec<(String, String)>,
    /// What came of its body.
    pub body: Vec<u8>,
    /// The fields behind its body, names in lower case.
    pub trailers: Vec<(String, String)>,
    /// It came whole.
    pub whole: bool,
}

impl Taken {
    /// A request of which the head is there.
    ///
    /// # Errors
    ///
    /// It is for no endpoint of the API.
    pub fn begun(request: &Request) -> Result<Self, String> {
        let Route::Api(endpoint, id) = request.route() else {
            return Err(format!("{} {} is no request of the API", request.method(), request.path()));
        };
        Ok(Self {
            endpoint,
            id: id.to_owned(),
            fields: request.headers().iter().map(lower).collect(),
            body: Vec::new(),
            trailers: Vec::new(),
            whole: false,
        })
    }

    /// It has come to its end.
    pub fn end(&mut self, trailers: &Trailers) {
        self.trailers = trailers.fields().iter().map(lower).collect();
        self.whole = true;
    }

    /// A field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A trailer's value.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is no text")
    }
}

fn lower((name, value): (&str, &[u8])) -> (String, String) {
    (name.to_ascii_lowercase(), String::from_utf8_lossy(value).into_owned())
}
