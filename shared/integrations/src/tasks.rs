//! The port that the driver calls tasks through.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use asl::machine::Machine;
use asl::state::{Resource, StateKind};
use engine::{Call, Execution, TaskOutcome};
use model::error::{Failure, RUNTIME};
use model::json::{Text, Value};
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// Performs tasks. An implementation serves any number of executions at once.
pub trait Tasks: Send + Sync {
    /// Whether the Task state `state` can be performed. Asked before a run starts, so that nobody
    /// learns half-way that a state was never going to work.
    fn callable(&self, state: &str, resource: &Resource) -> Result<(), NotCallable>;

    /// Whether the call may be made twice: it only reads, or whoever is called recognises it. Asked
    /// when a driver has stopped between a call and the record of what came of it; any other call
    /// has an unknown outcome then.
    fn is_repeatable(&self, call: &Call) -> bool {
        let _ = call;
        false
    }

    /// Performs one attempt of a task. Whatever goes wrong is an [`Answer`]: Retry and Catch
    /// decide what becomes of it. Dropping the future cancels the call where that is possible.
    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a>;

    /// Asks how a job goes. What cannot be found out now is found out the next time: the answer is
    /// [`Polled::Running`] then. Two may ask at once, and dropping the future loses nothing.
    fn poll<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Polling<'a> {
        let _ = (job, execution);
        Box::pin(std::future::ready(Polled::Running))
    }

    /// When a job is to be asked for next: the first time behind `after` at which jobs of its kind
    /// are. It depends on the job and `after` alone, so that nothing need be written when a job was
    /// asked for, and whoever asks for the same job asks at the same times.
    fn next_poll(&self, job: &Job, after: Timestamp) -> Timestamp {
        poll_after(job.since, after)
    }

    /// Ends a job that nobody waits for any more, where that is possible; it may have ended, and
    /// this may be asked twice. Nobody learns what becomes of it: what goes wrong is logged.
    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        let _ = (job, execution);
        Box::pin(std::future::ready(()))
    }
}

/// The future of [`Tasks::call`].
pub type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
/// The future of [`Tasks::poll`].
pub type Polling<'a> = Pin<Box<dyn Future<Output = Polled> + Send + 'a>>;
/// The future of [`Tasks::cancel`].
pub type Cancelling<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What a `.sync` call has started, and its task waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The call that started it.
    pub call: Call,
    /// The response of that call.
    pub output: Value,
    /// When it was noted that it had started.
    pub since: Timestamp,
}

/// How a job goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Polled {
    /// It has not ended, or nobody knows.
    Running,
    /// It has ended, and its task with it.
    Ended(TaskOutcome),
}

/// Seconds from the start of a job to the times it is asked for first.
const FIRST_POLLS: [i64; 4] = [2, 7, 17, 37];
/// Seconds between those after that, and between those after [`SELDOM_AFTER`].
const OFTEN: i64 = 30;
/// See [`OFTEN`].
const SELDOM: i64 = 60;
/// The first time from which on ten minutes have passed.
const SELDOM_AFTER: i64 = 607;

/// When a job is asked for that started at `since`: 2, 7, 17 and 37 seconds after that, then every 30
/// seconds, and every minute once ten have passed. The first of these times behind `after`.
pub fn poll_after(since: Timestamp, after: Timestamp) -> Timestamp {
    let passed = after.millis_since(since).max(0) / 1_000;
    let every = |from: i64, step: i64| from + ((passed - from) / step + 1) * step;
    let [.., often_after] = FIRST_POLLS;
    let seconds = match FIRST_POLLS.into_iter().find(|seconds| *seconds > passed) {
        Some(first) => first,
        None if passed < SELDOM_AFTER => every(often_after, OFTEN),
        None => every(SELDOM_AFTER, SELDOM),
    };
    since.plus_seconds(seconds)
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The task has ended.
    Settled(TaskOutcome),
    /// The call was accepted with this response. The result comes later: of a `.sync` call when its
    /// job has ended ([`Tasks::poll`]), and through the task's token.
    Submitted(Value),
    /// The task waits for a worker that takes it up: an activity.
    Queued,
}

/// A Task state that nothing can perform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCallable {
    /// The state.
    pub state: Text,
    /// Its `Resource`.
    pub resource: Text,
    /// Why not, and what can be done.
    pub advice: String,
}

impl NotCallable {
    /// The state `state` with `resource` cannot be performed; `advice` says why and what to do.
    pub fn new(state: &str, resource: &Resource, advice: impl Into<String>) -> NotCallable {
        NotCallable { state: state.into(), resource: resource.arn().clone(), advice: advice.into() }
    }
}

impl fmt::Display for NotCallable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state `{}` cannot call `{}`: {}", self.state, self.resource, self.advice)
    }
}

impl std::error::Error for NotCallable {}

/// Checks every Task state of `machine`, in the order of the definition. The error is never empty.
pub fn callable(machine: &Machine, tasks: &dyn Tasks) -> Result<(), Vec<NotCallable>> {
    let refused: Vec<NotCallable> = machine
        .states
        .iter()
        .filter_map(|state| match &state.kind {
            StateKind::Task(task) => tasks.callable(&state.name, &task.resource).err(),
            _ => None,
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// Performs nothing: for runs that must not reach the world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Tasks for Nothing {
    fn callable(&self, state: &str, resource: &Resource) -> Result<(), NotCallable> {
        Err(Nothing::refusal(state, resource))
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        let refusal = Nothing::refusal(&call.state, &call.resource);
        Box::pin(async move { Answer::Settled(refused(&refusal)) })
    }
}

impl Nothing {
    fn refusal(state: &str, resource: &Resource) -> NotCallable {
        NotCallable::new(state, resource, "no calls are made here; give the state a mocked response")
    }
}

/// What a call becomes that should never have been made: a failure that no Retry repeats.
pub fn refused(refusal: &NotCallable) -> TaskOutcome {
    TaskOutcome::failed(Failure::new(RUNTIME, refusal.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_asked_for_often_then_seldom() {
        let since = Timestamp::from_millis(1_700_000_000_123);
        let mut at = since;
        let mut seconds = Vec::new();
        for _ in 0..27 {
            let next = poll_after(since, at);
            // The same from anywhere between the two.
            assert_eq!(poll_after(since, next.plus_millis(-1)), next);
            seconds.push(next.millis_since(since) / 1_000);
            assert_eq!(next.millis_since(since) % 1_000, 0);
            at = next;
        }
        assert_eq!(seconds[..7], [2, 7, 17, 37, 67, 97, 127]);
        assert_eq!(seconds[20..], [547, 577, 607, 667, 727, 787, 847]);
        assert_eq!(poll_after(since, Timestamp::from_millis(0)), since.plus_seconds(2));
    }
}
