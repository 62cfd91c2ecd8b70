//! An emulator in the test's process, and the front that callers use.

#![allow(dead_code, reason = "every test file uses some of this")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use lambda_emulator::front::{Front, Settings};
use lambda_emulator::history::History;
use lambda_runtime_emulator::{Builder, Emulator};

use crate::common::Http;

pub(crate) const INVOKE: &str = "/2015-03-31/functions/function/invocations";

pub(crate) struct Served {
    front: Front,
    emulator: Arc<Emulator>,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::with(Emulator::builder(), Settings::default())
    }

    pub(crate) fn with(builder: Builder, settings: Settings) -> Self {
        let history = Arc::<History>::default();
        let observer = Arc::clone(&history);
        let emulator = Arc::new(builder.observer(move |notice| observer.observe(notice)).start().unwrap());
        Self { front: Front::start(Arc::clone(&emulator), history, settings).unwrap(), emulator }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.front.address()
    }

    /// A connection of a caller.
    pub(crate) fn connect(&self) -> Http {
        Http::connect(self.address())
    }

    /// A call with these headers and this body, without waiting for its reply.
    pub(crate) fn call(&self, path: &str, headers: &str, body: &str) -> Http {
        let mut http = self.connect();
        let length = body.len();
        http.write(format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ));
        http
    }
}

impl Deref for Served {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}
