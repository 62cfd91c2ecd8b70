//! One sandbox: a function and Lambda, from the cold start to the end.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;

use crate::api::Api;
use crate::connection::Wakers;
use crate::executor::Sim;
use crate::faults::Faults;
use crate::kernel::{Kernel, MICROSECOND, MILLISECOND, SECOND};
use crate::ledger::Process;
use crate::log;
use crate::plan::{BadStart, Ending, Plan};
use crate::process::{self, End};
use crate::tasks::Tasks;
use crate::trace::{Nanos, Trace};

/// Virtual duration of a poll.
const POLL: Nanos = MICROSECOND;

/// The maximum lifetime of a sandbox per invocation, which detects a loop that only waits for timers.
const LIFETIME: Nanos = 20_000 * SECOND;

/// Everything that a sandbox depends on.
#[derive(Debug, Clone, Copy)]
pub struct Inputs {
    pub seed: u64,
    /// The number of the first invocation.
    pub first: u64,
    /// The number of invocations.
    pub count: u64,
    /// The event of this invocation differs in one byte from the one that is drawn.
    pub altered: Option<u64>,
}

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

/// The end of the process, once it has ended.
type Ended = Arc<Mutex<Option<End>>>;

/// Limit of the bytes allocated for each worker of a sandbox, by the function and the simulated world together. The largest
/// event is not counted.
const MEMORY: u64 = 2 * 1024 * 1024;

/// Bytes that the simulated world retains of each connection.
const HISTORY: u64 = 1024;

/// Limit of the bytes still allocated after the end of a sandbox, such as those of thread-local values.
const REMAINS: i64 = 64 * 1024;

/// Runs a sandbox, and writes its trace.
pub fn run(inputs: Inputs, trace: Option<File>) -> Lifetime {
    // The runtime counts unfinished work in the whole process, and tests have several threads.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut lived = None;
    let is_traced = trace.is_some();
    let memory = allocation_counter::measure(|| lived = Some(live(inputs, trace)));
    let mut lifetime = lived.expect("it has lived");
    let most = u64::from(lifetime.plan.workers) * MEMORY + 8 * lifetime.largest as u64 + HISTORY * lifetime.connections;
    let mut fail = |message| _ = lifetime.failure.get_or_insert((inputs.first + inputs.count - 1, message));
    // The buffer of a trace file would be counted.
    if memory.bytes_max > most && !is_traced {
        fail(format!("the sandbox took {} bytes of memory, more than {most}", memory.bytes_max));
    }
    if memory.bytes_current > REMAINS {
        fail(format!("{} bytes of memory were not released", memory.bytes_current));
    }
    lifetime
}

fn live(inputs: Inputs, trace: Option<File>) -> Lifetime {
    let Inputs { seed, first, count, altered } = inputs;
    let mut rng = Rng::with_seed(seed);
    let plan = Plan::draw(&mut rng, first, count);
    let is_traced = trace.is_some();
    let mut recorder = Trace::new();
    if let Some(file) = trace {
        recorder.write_to(file);
    }
    recorder.note(0, &format!("{plan:?}"), &[]);
    let mut kernel = Kernel::new(rng, plan.weather, first, recorder);
    kernel.is_single = plan.workers == 1;
    kernel.checks_backoff = plan.workers == 1 && !plan.extension;
    let sim = Sim::new(kernel);
    let mut world = World {
        api: Api::new(plan, altered),
        tasks: Tasks::new(is_traced),
        ended: Ended::default(),
        sim,
        plan,
        polls: 0,
    };
    if let Some(bad_start) = plan.bad_start {
        world.start_badly(bad_start);
    }
    world.start(None);
    let killed = world.live();
    world.stop();
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
    fn start(&mut self, bad_start: Option<BadStart>) {
        self.api.starts(bad_start);
        let (ended, sim, plan) = (Arc::clone(&self.ended), self.sim.clone(), self.plan);
        let id = self.new_id();
        let main = async move {
            let end = process::main(sim, plan, bad_start).await;
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        };
        self.tasks.add(id, Box::pin(main));
    }

    /// Ends the process, in any state.
    fn stop(&mut self) {
        let mut kernel = self.sim.lock();
        kernel.ending = true;
        let tasks = Tasks::new(kernel.trace.is_written());
        drop(kernel);
        self.tasks = tasks;
    }

    /// Runs a process whose start fails. Lambda starts another one.
    fn start_badly(&mut self, bad_start: BadStart) {
        self.start(Some(bad_start));
        self.live();
        self.stop();
        let mut kernel = self.sim.lock();
        let error = match self.take_end() {
            Some(End::Returned(Err(error))) => error.to_string(),
            end => format!("{end:?}"),
        };
        kernel.note(&error, &[]);
        self.api.check_bad_start(&mut kernel, &error);
        kernel.ending = false;
        kernel.attempts.clear();
        kernel.process = Process::default();
    }

    fn take_end(&self) -> Option<End> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).take()
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
            if kernel.trace.is_written() {
                let now = kernel.now;
                for id in self.tasks.take_wakeups() {
                    kernel.trace.text(now, &format!("task {id} is woken"));
                }
            }
            let ready = !self.api.frozen && self.tasks.has_ready();
            let due = kernel.agenda.first_key_value().is_some_and(|(key, _)| key.0 <= kernel.now);
            if ready && (!due || kernel.rng.bool()) {
                drop(kernel);
                if self.poll() && self.ended.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
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
                        self.api.check_drained(&mut kernel, &mut wakers);
                        drop(kernel);
                        wakers.drain(..).for_each(std::task::Waker::wake);
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

    /// Polls one of the tasks that are ready. Returns whether it is complete.
    fn poll(&mut self) -> bool {
        let id = {
            let mut kernel = self.sim.lock();
            let Some(id) = self.tasks.next(&mut kernel.rng) else { return false };
            kernel.note("task # is polled", &[id as u64]);
            kernel.now += POLL;
            kernel.credit -= 1;
            if kernel.credit < 0 {
                kernel.fail("a task is polled again and again although nothing happens: a busy loop");
            }
            id
        };
        self.polls += 1;
        let complete = self.tasks.poll(id);
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
        complete
    }

    /// Checks that the process ended in time, and how.
    fn ended_as_expected(&self, kernel: &mut Kernel, killed: bool) {
        match self.take_end() {
            Some(End::Returned(result)) => {
                let error = result.err().map(|error| error.to_string()).unwrap_or_default();
                kernel.note(&error, &[]);
                if !killed {
                    self.returned_as_expected(kernel, &error);
                }
            }
            Some(End::Exited(code, working)) => {
                kernel.note("the process exits with code #", &[u64::from(code.unsigned_abs())]);
                if !killed {
                    self.exited_as_expected(kernel, code, working);
                }
            }
            None => {}
        }
    }

    fn returned_as_expected(&self, kernel: &mut Kernel, error: &str) {
        let expected = match self.plan.ending {
            Ending::Refuse => "refused /2018-06-01/runtime/invocation/next: 403",
            Ending::Outage => "cannot be reached",
            Ending::Garbage => "violates the protocol",
            Ending::Retire | Ending::TimeOut | Ending::Shutdown => "it should not have returned",
        };
        let outage = self.api.gone_since.map_or(0, |since| kernel.now - since);
        if self.plan.workers == 1 && outage > 12 * SECOND {
            kernel.fail(format!("run returned {} ms after the API had disappeared", outage / MILLISECOND));
        }
        if !self.api.ending || !error.contains(expected) {
            kernel.fail(format!("run returned {error:?}, expected an error that contains {expected:?}"));
        }
    }

    /// A shutdown calls the hook once, waits for it and for work after responses, and ends the process at once.
    fn exited_as_expected(&self, kernel: &mut Kernel, code: i32, working: u32) {
        let Process { terminated, hooks, hook_ended, work_ended, .. } = kernel.process;
        let Some(terminated) = terminated else {
            return kernel.fail("the process exits without SIGTERM");
        };
        if (hooks, working) != (1, 0) {
            kernel
                .fail(format!("the process exits after {hooks} calls of its hook, with {working} unfinished futures"));
        }
        if code != i32::from(self.plan.hook.panics) {
            kernel.fail(format!("the process exits with code {code}"));
        }
        let late = kernel.now - terminated.max(hook_ended).max(work_ended);
        if late > MILLISECOND {
            kernel.fail(format!("the process exits {late} ns after its hook and its work ended"));
        }
    }
}
