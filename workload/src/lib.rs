//! Events, the function that they control, and the outcomes that they must have: shared by the simulation and the soak.
//!
//! A [`Job`] is an event, which selects the behaviour of the [handler](handle). An [`Invocation`] checks that the outcome is
//! the one that its job requests, byte by byte, as it arrives. Each program draws its own jobs, because virtual time is free
//! and real time is not.

mod function;
mod ids;
mod invocation;
mod job;
mod replies;
mod seed;

pub use function::{Observer, OutOfApples, Source, handle};
pub use ids::{number_of, posted_number, request_id};
pub use invocation::{Defect, Excuses, Invocation, LARGEST_EVENT, Received, check_report};
pub use job::{Chunks, End, Job, PANIC, Task, panic_message};
pub use replies::{INTERIM, INVALID_REPLIES, InvalidReply, refusal_body};
pub use seed::seed_of;
