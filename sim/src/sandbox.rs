//! One sandbox: a function and Lambda, from the cold start to the end.

use std::fs::File;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use lambda_runtime_base::layers::{DeadlineLayer, TracingLayer};
use lambda_runtime_base::{
    Address, Error, LambdaInvocation, Runtime, Service, Signal, SnapStartResource, service_fn, shutdown,
};

use crate::api::Api;
use crate::companions::Companions;
use crate::connection::Wakers;
use crate::executor::Sim;
use crate::faults::Faults;
use crate::function::handle;
use crate::kernel::{Kernel, MICROSECOND, MILLISECOND, SECOND};
use crate::layers::{Around, Boxed, DEADLINE_MARGIN, Moves, Running};
use crate::log;
use crate::plan::{Ending, Mode, Plan};
use crate::tasks::Tasks;
use crate::trace::{Nanos, Trace};

/// Virtual duration of a poll.
const POLL: Nanos = MICROSECOND;

/// The maximum lifetime of a sandbox per invocation, which detects a loop that only waits for timers.
const LIFETIME: Nanos = 20_000 * SECOND;

/// The results of a sandbox.
#[derive(Debug)]
pub struct Lifetime {
    pub hash: u64,
    pub time: Nanos,
    pub invocations: u64,
    pub connections: u64,
    pub polls: u64,
    pub faults: Faults,
    pub plan: Plan,
    /// Bytes of the largest event or outcome.
    pub largest: usize,
    /// The invocation in progress at the first violation of an invariant, and the violation.
    pub failure: Option<(u64, String)>,
}

/// The result of `run`, once it has returned.
type Ended = Arc<Mutex<Option<Result<(), Error>>>>;

/// Limit of the bytes allocated for each worker of a sandbox, by the function and the simulated world together. The largest
/// event is not counted.
const MEMORY: u64 = 2 * 1024 * 1024;

/// Limit of the bytes still allocated after the end of a sandbox, such as those of thread-local values.
const REMAINS: i64 = 64 * 1024;

/// Runs the sandbox of this seed, with `count` invocations from number `first`.
pub fn run(seed: u64, first: u64, count: u64, trace: Option<File>) -> Lifetime {
    let mut lived = None;
    let is_traced = trace.is_some();
    let memory = allocation_counter::measure(|| lived = Some(live(seed, first, count, trace)));
    let mut lifetime = lived.expect("it has lived");
    let most = u64::from(lifetime.plan.workers) * MEMORY + 8 * lifetime.largest as u64;
    let mut fail = |message| _ = lifetime.failure.get_or_insert((first + count - 1, message));
    // The buffer of a trace file would be counted.
    if memory.bytes_max > most && !is_traced {
        fail(format!("the sandbox took {} bytes of memory, more than {most}", memory.bytes_max));
    }
    if memory.bytes_current > REMAINS {
        fail(format!("{} bytes of memory were not released", memory.bytes_current));
    }
    lifetime
}

fn live(seed: u64, first: u64, count: u64, trace: Option<File>) -> Lifetime {
    let mut rng = Rng::with_seed(seed);
    let plan = Plan::draw(&mut rng, first, count);
    let mut recorder = Trace::new();
    if let Some(file) = trace {
        recorder.write_to(file);
    }
    recorder.note(0, &format!("{plan:?}"), &[]);
    let mut kernel = Kernel::new(rng, plan.weather, first, recorder);
    kernel.is_single = plan.workers == 1;
    kernel.checks_backoff = plan.workers == 1 && !plan.extension;
    let sim = Sim::new(kernel);
    let mut world = World { api: Api::new(plan), tasks: Tasks::new(), ended: Ended::default(), sim, plan, polls: 0 };
    world.start();
    let killed = world.live();
    // A killed sandbox is dropped in any state.
    world.sim.lock().ending = true;
    world.tasks = Tasks::new();
    let mut kernel = world.sim.lock();
    world.api.check_at_the_end(&mut kernel, killed);
    world.ended_as_expected(&mut kernel, killed);
    let failure = kernel.failure.take().map(|message| (first + world.api.begun().saturating_sub(1), message));
    Lifetime {
        hash: kernel.trace.hash(),
        time: kernel.now,
        invocations: world.api.over,
        connections: kernel.connections.len() as u64,
        polls: world.polls,
        faults: std::mem::take(&mut kernel.faults),
        plan,
        largest: world.api.largest,
        failure,
    }
}

struct World {
    sim: Sim,
    api: Api,
    tasks: Tasks,
    ended: Ended,
    plan: Plan,
    polls: u64,
}

impl World {
    /// Starts the process.
    fn start(&mut self) {
        let (sim, plan) = (self.sim.clone(), self.plan);
        let handler = sim.clone();
        let mut environment = vec![("AWS_LAMBDA_MAX_CONCURRENCY", plan.workers.to_string())];
        if plan.workers == 1 {
            environment.clear();
        }
        if plan.snapstart {
            environment.push(("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start".to_owned()));
        }
        let runtime = Runtime::with_executor(service_fn(move |event| handle(handler.clone(), event)), sim.clone())
            .address(address())
            .environment(environment)
            .pipelining(plan.pipelining)
            .trace_id_variable(false)
            .register_snapstart_resource(Arc::new(Pool));
        let future = match plan.around {
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
        };
        let ended = Arc::clone(&self.ended);
        let main = async move {
            let result = future.await;
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        };
        let id = self.new_id();
        if plan.extension {
            let executor = sim.clone();
            // As the executors' `graceful_shutdown` does: the extension is registered before the first event.
            self.tasks.add(
                id,
                Box::pin(async move {
                    match shutdown::prepare(executor, Some(address()), || Ok(pending::<Signal>())).await {
                        Ok(signal) => {
                            let mut signal = Box::pin(signal);
                            let mut main = Box::pin(main);
                            std::future::poll_fn(|cx| {
                                let _ = signal.as_mut().poll(cx);
                                main.as_mut().poll(cx)
                            })
                            .await;
                        }
                        Err(_) => main.await,
                    }
                }),
            );
        } else {
            self.tasks.add(id, Box::pin(main));
        }
    }

    fn new_id(&self) -> usize {
        let mut kernel = self.sim.lock();
        kernel.tasks += 1;
        kernel.tasks - 1
    }

    /// Runs until `run` returns or the sandbox is killed. Returns whether it was killed.
    fn live(&mut self) -> bool {
        let mut wakers = Wakers::new();
        loop {
            let mut kernel = self.sim.lock();
            if kernel.failure.is_some() {
                return true;
            }
            let ready = !self.api.frozen && self.tasks.has_ready();
            let due = kernel.agenda.first_key_value().is_some_and(|(key, _)| key.0 <= kernel.now);
            if ready && (!due || kernel.rng.bool()) {
                drop(kernel);
                self.poll();
                if self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
                    return false;
                }
                continue;
            }
            let until = if ready { kernel.now } else { self.plan.count * LIFETIME };
            let Some(happening) = kernel.next_happening(until) else {
                if self.api.over < self.api.begun() {
                    let over = self.api.over;
                    self.api.settle_lost(&mut kernel);
                    if self.api.over > over {
                        self.api.wake_waiting(&mut kernel);
                        continue;
                    }
                }
                let lives_too_long = !kernel.agenda.is_empty();
                kernel.fail(if lives_too_long {
                    "the sandbox lives too long: only timers elapse"
                } else {
                    "a wake-up was lost: there is work, but no task is ready and no event is due"
                });
                return true;
            };
            self.api.happens(&mut kernel, happening, &mut wakers);
            let killed = self.api.is_killed();
            if self.plan.spurious && kernel.rng.u32(0..16) == 0 {
                self.tasks.wake_any(&mut kernel.rng);
            }
            drop(kernel);
            wakers.drain(..).for_each(std::task::Waker::wake);
            if killed {
                return true;
            }
        }
    }

    /// Polls one of the tasks that are ready.
    fn poll(&mut self) {
        let id = {
            let mut kernel = self.sim.lock();
            let Some(id) = self.tasks.next(&mut kernel.rng) else { return };
            kernel.note("task # is polled", &[id as u64]);
            kernel.now += POLL;
            kernel.credit -= 1;
            if kernel.credit < 0 {
                kernel.fail("a task is polled again and again although nothing happens: a busy loop");
            }
            id
        };
        self.polls += 1;
        self.tasks.poll(id);
        let mut kernel = self.sim.lock();
        for line in log::take() {
            kernel.note(&line.all, &[]);
            self.api.logged(&mut kernel, &line);
        }
        let spawned = std::mem::take(&mut kernel.spawned);
        let cancelled = std::mem::take(&mut kernel.cancelled);
        let closed = std::mem::take(&mut kernel.closed_by_function);
        for id in closed {
            self.api.closed_by_function(&mut kernel, id);
        }
        drop(kernel);
        for task in spawned {
            self.tasks.add(task.id, task.future);
        }
        for id in cancelled {
            self.tasks.cancel(id);
        }
    }

    /// Checks that `run` returned in time, with the expected error.
    fn ended_as_expected(&self, kernel: &mut Kernel, killed: bool) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(result) = &*ended else { return };
        let error = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
        kernel.note(&error, &[]);
        let expected = match self.plan.ending {
            Ending::Refuse => "refused /2018-06-01/runtime/invocation/next: 403",
            Ending::Outage => "cannot be reached",
            Ending::Garbage => "violates the protocol",
            Ending::Retire | Ending::TimeOut => "run should not have returned",
        };
        let outage = self.api.gone_since.map_or(0, |since| kernel.now - since);
        if !killed && self.plan.workers == 1 && outage > 12 * SECOND {
            kernel.fail(format!("run returned {} ms after the API had disappeared", outage / MILLISECOND));
        }
        if !killed && (!self.api.ending || !error.contains(expected)) {
            kernel.fail(format!("run returned {error:?}: expected an error that contains {expected:?}"));
        }
    }
}

fn launch<S>(runtime: Runtime<S, Sim>, mode: Mode) -> Running
where
    S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    let future: Pin<Box<dyn Future<Output = Result<(), Error>>>> = match mode {
        Mode::Run => Box::pin(runtime.run()),
        Mode::Concurrent => Box::pin(runtime.run_concurrent()),
        Mode::ConcurrentLocal => Box::pin(runtime.run_concurrent_local()),
    };
    future
}

fn address() -> Address {
    "sandbox:9001".parse().expect("an address")
}

/// A SnapStart resource whose hooks do nothing.
struct Pool;

impl SnapStartResource for Pool {}
