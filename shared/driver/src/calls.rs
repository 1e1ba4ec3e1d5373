//! The calls of an execution that run in this process.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use engine::{Call, EffectId, Execution, Input, TaskOutcome};
use integrations::{Answer, Tasks};
use model::error::{Failure, TASK_FAILED};
use model::json::Text;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::held::panic_message;

/// Calls that run. Dropping it aborts them.
#[derive(Default)]
pub(crate) struct Calls {
    running: JoinSet<Answer>,
    tasks: BTreeMap<Id, EffectId>,
    by_effect: BTreeMap<EffectId, (AbortHandle, Text)>,
    /// What came of calls that ended at once, in order.
    at_once: Vec<Came>,
}

/// What came of a call.
pub(crate) enum Came {
    /// This is to be told to the engine.
    Input(Input),
    /// The task waits for a worker; the call itself is over.
    Queued(EffectId),
}

impl Calls {
    pub fn start(&mut self, call: Call, tasks: &Arc<dyn Tasks>, execution: &Arc<Execution>) {
        let (effect, state) = (call.effect, call.state.clone());
        let (tasks, execution) = (tasks.clone(), execution.clone());
        let mut answering = Box::pin(async move { tasks.call(&call, &execution).await });
        // One that is answered at once, by a mock or a queue, needs no task of its own.
        let mut unwatched = Context::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(&mut unwatched))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(answer)) => return self.at_once.push(came(effect, answer)),
            Err(panic) => return self.at_once.push(panicked(effect, &state, panic.as_ref())),
        }
        let handle = self.running.spawn(answering);
        self.tasks.insert(handle.id(), effect);
        self.by_effect.insert(effect, (handle, state));
    }

    /// Nobody waits for this call any more.
    pub fn abort(&mut self, effect: EffectId) {
        if let Some((handle, _)) = self.by_effect.remove(&effect) {
            handle.abort();
        }
    }

    pub fn contains(&self, effect: EffectId) -> bool {
        self.by_effect.contains_key(&effect)
    }

    pub fn effects(&self) -> Vec<EffectId> {
        self.by_effect.keys().copied().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.by_effect.is_empty()
    }

    /// What comes next; waits for ever when nothing runs.
    pub async fn next(&mut self) -> Option<Came> {
        match self.running.join_next_with_id().await {
            Some(joined) => self.joined(joined),
            None => std::future::pending().await,
        }
    }

    /// What has come already.
    pub fn try_next(&mut self) -> Option<Option<Came>> {
        let joined = self.running.try_join_next_with_id()?;
        Some(self.joined(joined))
    }

    fn joined(&mut self, joined: Result<(Id, Answer), JoinError>) -> Option<Came> {
        let (id, answer) = match joined {
            Ok((id, answer)) => (id, Ok(answer)),
            Err(error) => (error.id(), Err(error)),
        };
        let effect = self.tasks.remove(&id)?;
        // An aborted call is not waited for; what it came to in the last moment is dropped.
        let (_, state) = self.by_effect.remove(&effect)?;
        match answer {
            Ok(answer) => Some(came(effect, answer)),
            Err(error) if error.is_cancelled() => None,
            Err(error) => Some(panicked(effect, &state, error.into_panic().as_ref())),
        }
    }

    /// What came of calls that ended as they were started.
    pub fn at_once(&mut self) -> Vec<Came> {
        std::mem::take(&mut self.at_once)
    }
}

fn came(effect: EffectId, answer: Answer) -> Came {
    match answer {
        Answer::Settled(outcome) => Came::Input(Input::TaskSettled { effect, outcome }),
        Answer::Submitted(output) => Came::Input(Input::TaskSubmitted { effect, output }),
        Answer::Queued => Came::Queued(effect),
    }
}

fn panicked(effect: EffectId, state: &str, panic: &(dyn Any + Send)) -> Came {
    let message = panic_message(panic);
    let cause = format!("the call of state `{state}` failed inside this program: {message}");
    let outcome = TaskOutcome::failed(Failure::new(TASK_FAILED, cause));
    Came::Input(Input::TaskSettled { effect, outcome })
}
