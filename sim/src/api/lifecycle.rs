//! The life of the process: SnapStart, reports of failed starts, the extension for graceful shutdown, and SIGTERM.

use http::{HeaderName, HeaderValue};
use lambda_runtime_proto::Endpoint;
use lambda_runtime_proto::server::{Reply, Request};
use workload::check_report;

use super::{Api, refusal};
use crate::connection::Wakers;
use crate::kernel::{Happening, Kernel, MILLISECOND, SECOND};
use crate::plan::{BadStart, Ending};
use crate::process::{HOOK_ERROR, INIT_ERROR};
use crate::trace::Nanos;

/// Time that the runtime spends on the report of a failed start.
const REPORT_TIMEOUT: Nanos = 2 * SECOND;

/// Delay before an extension repeats a request that returned an event.
const REPEAT_DELAY: Nanos = 100 * MILLISECOND;

/// A report of a failed start that is being received.
#[derive(Debug)]
pub(super) struct Report {
    endpoint: Endpoint,
    pub(super) body: Vec<u8>,
}

/// A reply whose arrival at the function is checked later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replied {
    connection: usize,
    /// The end of the reply in the bytes of the connection.
    end: u64,
}

impl Replied {
    fn is_read(self, k: &Kernel) -> bool {
        k.connections[self.connection].to_function.read >= self.end
    }
}

impl BadStart {
    /// The endpoint of the report, the error type, and the end of the message.
    fn report(self) -> (Endpoint, &'static str, &'static str) {
        match self {
            Self::InitError => (Endpoint::InitError, "Function.OutOfStock", INIT_ERROR.1),
            Self::InitPanic => (Endpoint::InitError, "Function.Panic", INIT_ERROR.1),
            Self::BeforeSnapshot => (Endpoint::InitError, "Runtime.BeforeSnapshotError", HOOK_ERROR),
            Self::AfterRestore => (Endpoint::RestoreError, "Runtime.AfterRestoreError", HOOK_ERROR),
            // Its message contains that of the API, as far as that has arrived.
            Self::RestoreRefused => (Endpoint::InitError, "Runtime.BeforeSnapshotError", ""),
        }
    }

    /// A part of the error that the process ends with.
    fn error(self) -> &'static str {
        match self {
            Self::InitError | Self::InitPanic => "the initialization failed",
            Self::BeforeSnapshot | Self::AfterRestore => HOOK_ERROR,
            Self::RestoreRefused => "refused /2018-06-01/runtime/restore/next: 403",
        }
    }
}

impl Api {
    /// Lambda starts the process.
    pub fn starts(&mut self, bad_start: Option<BadStart>) {
        self.bad_start = bad_start;
    }

    /// The head of a report of a failed start has arrived.
    pub(super) fn begin_report(&mut self, k: &mut Kernel, id: usize, endpoint: Endpoint, request: &Request) {
        if k.connections[id].function_closed {
            // The process that sent it may have ended.
            return;
        }
        let Some(bad_start) = self.bad_start.filter(|_| k.process.failed.is_some()) else {
            k.fail(format!("{endpoint} was requested, although nothing has failed"));
            return;
        };
        let (expected, error_type, _) = bad_start.report();
        let got = request.headers().get_str("lambda-runtime-function-error-type");
        if (endpoint, got) != (expected, Some(error_type)) {
            k.fail(format!(
                "a failed start is reported to {endpoint} as {got:?}, expected {expected} and {error_type}"
            ));
        }
        if !self.start_logged {
            k.fail("the failure of a start is reported before it is logged");
        }
        if self.reported.iter().any(|replied| replied.is_read(k)) {
            k.fail("the failure of a start is reported again after the reply to the first report was read");
        }
        if let Some(peer) = self.peer(id) {
            peer.report = Some(Report { endpoint, body: Vec::new() });
        }
    }

    /// A report is complete.
    pub(super) fn report_complete(&mut self, k: &mut Kernel, id: usize) {
        let Some(report) = self.peer(id).and_then(|peer| peer.report.take()) else { return };
        let Some(bad_start) = self.bad_start else { return };
        k.note("the failure of a start is reported", &[]);
        if let Err(violation) = check_report(&report.body, bad_start.report().2) {
            k.fail(format!("{} of a failed start: {violation}", report.endpoint));
        }
        let refuses = k.chance(1000);
        let reply = if refuses { refusal(403) } else { Reply::accepted() };
        let replied = self.reply_and_remember(k, id, reply);
        self.reported.push(replied);
    }

    /// The process waits for the restore.
    pub(super) fn restore_requested(&mut self, k: &mut Kernel, id: usize) {
        if self.bad_start == Some(BadStart::RestoreRefused) {
            k.start_fails("a restore is refused");
            return self.simple_reply(k, id, refusal(403));
        }
        k.note("the sandbox is restored", &[]);
        k.connections[id].excused = true;
        k.connections[id].must_end = true;
        self.simple_reply(k, id, Reply::new(200));
    }

    /// The extension is registered before the first event is requested.
    pub(super) fn extension_registers(&mut self, k: &mut Kernel, id: usize) {
        if k.rng.u32(0..8) == 0 {
            k.fault("a request of the extension is refused");
            k.connections[id].excused = true;
            let replied = self.reply_and_remember(k, id, refusal(403));
            self.must_log.push((replied, "graceful shutdown unavailable"));
            return;
        }
        let identifier = HeaderName::from_static("lambda-extension-identifier");
        let reply = Reply::new(200).header(identifier, HeaderValue::from_static("1")).json("{}");
        self.simple_reply(k, id, reply);
    }

    /// The extension requests an event, although it has subscribed to none.
    pub(super) fn extension_waits(&mut self, k: &mut Kernel, id: usize) {
        let now = k.now;
        let Some(peer) = self.peer(id) else { return };
        if now < peer.not_before {
            k.fail("an extension repeats its request without a delay");
        }
        match k.rng.u32(0..8) {
            0 => {
                k.fault("a request of the extension is refused");
                k.connections[id].excused = true;
                let replied = self.reply_and_remember(k, id, refusal(403));
                self.must_log.push((replied, "extension ended"));
            }
            1 | 2 => {
                k.fault("an extension receives an event");
                let Some(peer) = self.peer(id) else { return };
                peer.not_before = now + REPEAT_DELAY;
                self.simple_reply(k, id, Reply::new(200).json(r#"{"eventType":"SHUTDOWN"}"#));
            }
            _ => {}
        }
    }

    fn reply_and_remember(&mut self, k: &mut Kernel, id: usize, reply: Reply) -> Replied {
        let start = k.connections[id].sent_by_api();
        self.simple_reply(k, id, reply);
        let end = k.connections[id].sent_by_api();
        // Nothing is written to a connection that has ended.
        Replied { connection: id, end: if end > start { end } else { u64::MAX } }
    }

    /// Checks the end of a process whose start failed.
    pub fn check_bad_start(&mut self, k: &mut Kernel, error: &str) {
        let Some(bad_start) = self.bad_start.take() else { return };
        let Some(failed) = k.process.failed.take() else {
            k.fail(format!("the process ended with {error:?} before its start failed"));
            return;
        };
        if !error.contains(bad_start.error()) {
            k.fail(format!("a failed start ended with {error:?}, expected {:?}", bad_start.error()));
        }
        if self.reported.is_empty() && k.now < failed + REPORT_TIMEOUT {
            k.fail("a failed start was not reported");
        }
        self.reported.clear();
        self.start_logged = false;
    }

    /// Checks that the process has logged what it must.
    pub(super) fn check_log(&mut self, k: &mut Kernel) {
        for (replied, message) in std::mem::take(&mut self.must_log) {
            if replied.is_read(k) && !self.logged.contains(&message) {
                k.fail(format!("{message:?} was not logged"));
            }
        }
    }

    /// Schedules SIGTERM once few enough invocations are left.
    pub fn check_drained(&mut self, k: &mut Kernel, wakers: &mut Wakers) {
        let left = self.plan.count - self.over;
        let is_drained = left == 0;
        if is_drained && !std::mem::replace(&mut k.process.drained, true) {
            wakers.append(&mut k.process.waiting);
        }
        let is_time = is_drained || k.process.listens && self.bad_start.is_none() && left <= self.plan.hook.early;
        if is_time && self.plan.ending == Ending::Shutdown && !std::mem::replace(&mut self.terminates, true) {
            let delay = k.rng.u64(0..4 * MILLISECOND);
            k.schedule(delay, Happening::Terminate);
        }
    }

    /// Sends SIGTERM, which ends a process that does not handle it.
    pub(super) fn terminate(&mut self, k: &mut Kernel, wakers: &mut Wakers) {
        k.note("the process receives SIGTERM", &[]);
        if !k.process.listens {
            k.schedule(0, Happening::Kill);
            return;
        }
        k.process.terminated = Some(k.now);
        wakers.append(&mut k.process.waiting);
        if std::mem::take(&mut self.frozen) {
            self.wake_waiting(k);
        }
        if k.process.drained && k.rng.u32(0..4) == 0 {
            // Lambda ends a process that does not exit in time.
            k.schedule(300 * MILLISECOND, Happening::Kill);
        }
    }
}
