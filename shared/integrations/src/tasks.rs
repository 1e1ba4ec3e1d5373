//! The port that the driver calls tasks through.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use asl::machine::Machine;
use asl::state::{Resource, StateKind};
use engine::{Call, Execution, TaskOutcome};
use model::error::{Failure, RUNTIME};
use model::json::{Text, Value};

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
}

/// The future of [`Tasks::call`].
pub type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The task has ended.
    Settled(TaskOutcome),
    /// The call was accepted with this response; the result comes later through the task's token.
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
