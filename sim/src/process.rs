//! The function's process: its initialisation, `run`, and its graceful shutdown.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use lambda_runtime_base::layers::{DeadlineLayer, TracingLayer};
use lambda_runtime_base::{
    Address, BoxFuture, Diagnostic, Error, Executor as _, LambdaInvocation, Runtime, Service, Signal,
    SnapStartResource, Spawn as _, init, service_fn, shutdown,
};

use crate::companions::Companions;
use crate::executor::Sim;
use crate::function::handle;
use crate::layers::{Around, Boxed, DEADLINE_MARGIN, Moves, Running};
use crate::ledger::Process;
use crate::plan::{BadStart, Hook, Mode, Plan};

/// The end of the process.
#[derive(Debug)]
pub enum End {
    /// `run` or the initialisation returned.
    Returned(Result<(), Error>),
    /// The shutdown ended with this code, and with this many unfinished futures for work after a response.
    Exited(i32, u32),
}

/// Runs the function until it ends.
pub async fn main(sim: Sim, plan: Plan, bad_start: Option<BadStart>) -> End {
    let initialized = init::initialize(sim.clone(), Some(address()), initialize(sim.clone(), plan, bad_start)).await;
    if let Err(error) = initialized {
        return End::Returned(Err(error));
    }
    let running = run(&sim, plan, bad_start);
    if !plan.extension {
        return End::Returned(running.await);
    }
    let listener = sim.clone();
    let listen = move || Ok::<_, io::Error>(listen(listener));
    let signal = match shutdown::prepare(sim.clone(), Some(address()), listen).await {
        Ok(signal) => signal,
        Err(error) => {
            shutdown::unavailable(error);
            return End::Returned(running.await);
        }
    };
    let hook_sim = sim.clone();
    let shut_down = shutdown::shut_down(signal, move || hook(hook_sim, plan.hook));
    // As `spawn_graceful_shutdown_handler` does, or as a function that selects between `graceful_shutdown` and `run`.
    let shut_down: Pin<Box<dyn Future<Output = i32>>> = if plan.hook.has_task {
        let task = sim.spawn(shut_down);
        Box::pin(async move { task.await.unwrap_or(-1) })
    } else {
        Box::pin(shut_down)
    };
    match select(shut_down, running).await {
        Either::Left((code, _running)) => {
            let mut kernel = sim.lock();
            kernel.ending = true;
            End::Exited(code, kernel.process.working)
        }
        Either::Right((result, _)) => End::Returned(result),
    }
}

/// The type and the end of the message of a failed initialisation, which the function chooses.
pub const INIT_ERROR: (&str, &str) = ("OutOfStock", "no apples at all");

/// The message of a SnapStart hook that fails.
pub const HOOK_ERROR: &str = "no apples in the snapshot";

async fn initialize(sim: Sim, plan: Plan, bad_start: Option<BadStart>) -> Result<(), Diagnostic> {
    if plan.initialization > 0 {
        sim.sleep(Duration::from_micros(plan.initialization)).await;
    }
    let (error_type, message) = INIT_ERROR;
    match bad_start {
        Some(BadStart::InitError) => {
            sim.lock().start_fails("an initialization fails");
            Err(Diagnostic { error_type: error_type.into(), error_message: message.into() })
        }
        Some(BadStart::InitPanic) => {
            sim.lock().start_fails("an initialization fails");
            std::panic::resume_unwind(Box::new(message))
        }
        _ => Ok(()),
    }
}

fn run(sim: &Sim, plan: Plan, bad_start: Option<BadStart>) -> Running {
    let mut environment = Vec::new();
    if plan.workers > 1 {
        environment.push(("AWS_LAMBDA_MAX_CONCURRENCY", plan.workers.to_string()));
    }
    if plan.snapstart {
        environment.push(("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start".to_owned()));
    }
    let handler = sim.clone();
    let runtime = Runtime::with_executor(service_fn(move |event| handle(handler.clone(), event)), sim.clone())
        .address(address())
        .environment(environment)
        .pipelining(plan.pipelining)
        .trace_id_variable(false)
        .register_snapstart_resource(Arc::new(Pool { sim: sim.clone(), bad_start }));
    match plan.around {
        Around::Nothing => launch(runtime, plan.mode),
        Around::Tracing => launch(runtime.layer(TracingLayer::new()).layer(Boxed), plan.mode),
        Around::Deadline => {
            launch(runtime.layer(DeadlineLayer::with_executor(DEADLINE_MARGIN, sim.clone())), plan.mode)
        }
        around => {
            let companions = Companions::default();
            let moves = Moves { sim: sim.clone(), around, companions: companions.clone() };
            let running = launch(runtime.layer(moves).layer(Boxed), plan.mode);
            match around {
                Around::Companion(place) => Box::pin(companions.join(place, running)),
                _ => running,
            }
        }
    }
}

fn launch<S>(runtime: Runtime<S, Sim>, mode: Mode) -> Running
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    match mode {
        Mode::Run => Box::pin(runtime.run()),
        Mode::Concurrent => Box::pin(runtime.run_concurrent()),
        Mode::ConcurrentLocal => Box::pin(runtime.run_concurrent_local()),
    }
}

fn address() -> Address {
    "sandbox:9001".parse().expect("an address")
}

impl Sim {
    /// Completes when this is true of the process.
    async fn until(&self, is_true: fn(&Process) -> bool) {
        std::future::poll_fn(|cx: &mut Context<'_>| {
            let waker = cx.waker().clone();
            let mut kernel = self.lock();
            if is_true(&kernel.process) {
                return Poll::Ready(());
            }
            // The task may poll often while it waits.
            if !kernel.process.waiting.iter().any(|waiting| waiting.will_wake(&waker)) {
                kernel.process.waiting.push(waker);
            }
            Poll::Pending
        })
        .await
    }
}

/// Handles SIGTERM from now on.
fn listen(sim: Sim) -> impl Future<Output = Signal> + Send {
    sim.lock().process.listens = true;
    async move {
        sim.until(|process| process.terminated.is_some()).await;
        Signal::Terminate
    }
}

/// The shutdown hook: waits until all invocations are over, and then for a while.
async fn hook(sim: Sim, hook: Hook) {
    {
        let mut kernel = sim.lock();
        kernel.note("the shutdown hook begins", &[]);
        kernel.process.hooks += 1;
    }
    sim.until(|process| process.drained).await;
    if hook.micros > 0 {
        sim.sleep(Duration::from_micros(hook.micros)).await;
    }
    {
        let mut kernel = sim.lock();
        kernel.note("the shutdown hook ends", &[]);
        kernel.process.hook_ended = kernel.now;
    }
    if hook.panics {
        std::panic::resume_unwind(Box::new("the hook was asked to panic"));
    }
}

/// A SnapStart resource.
struct Pool {
    sim: Sim,
    bad_start: Option<BadStart>,
}

impl Pool {
    fn hook(&self, fails: BadStart) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            self.sim.sleep(Duration::from_micros(10)).await;
            if self.bad_start != Some(fails) {
                return Ok(());
            }
            self.sim.lock().start_fails("a SnapStart hook fails");
            Err(HOOK_ERROR.into())
        })
    }
}

impl SnapStartResource for Pool {
    fn before_snapshot(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.hook(BadStart::BeforeSnapshot)
    }

    fn after_restore(&self) -> BoxFuture<'_, Result<(), Error>> {
        self.hook(BadStart::AfterRestore)
    }
}
