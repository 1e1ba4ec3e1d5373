//! The calls of an execution that run in this process, and what its jobs are asked.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use engine::{Call, EffectId, Execution, Input, TaskOutcome};
use integrations::{Answer, Job, Polled, Tasks};
use model::error::{Failure, TASK_FAILED};
use model::json::{Text, Value};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::held::panic_message;

/// Calls that run, and what jobs are asked. Dropping it aborts them.
#[derive(Default)]
pub(crate) struct Calls {
    running: JoinSet<Ran>,
    tasks: BTreeMap<Id, Work>,
    /// What is awaited. Of an effect that is its call, later the question how its job goes.
    by_effect: BTreeMap<EffectId, AbortHandle>,
    /// What came of calls that ended at once, in order.
    at_once: Vec<Came>,
}

/// What a task that runs is about.
enum Work {
    /// The call of an effect, kept where it starts a job.
    Call { effect: EffectId, state: Text, starts: Option<Box<Call>> },
    /// A call that nobody waits for any more: the job that it may start is to be ended.
    Abandoned(Box<Call>),
    /// How the job of an effect goes.
    Poll { effect: EffectId, state: Text },
    /// The end of a job that nobody waits for.
    Cancel { state: Text },
}

/// What came out of it.
enum Ran {
    Answered(Answer),
    Polled(Polled),
    Cancelled,
}

/// What came of a call.
pub(crate) enum Came {
    /// This is to be told to the engine.
    Input(Input),
    /// The same: the call was accepted, and its job runs.
    Started(Box<Call>, Value),
    /// The job runs still.
    Running(EffectId),
    /// A job was started that nobody waits for.
    Orphan(Box<Call>, Value),
    /// The task waits for a worker; the call itself is over.
    Queued(EffectId),
}

impl Calls {
    pub fn start(&mut self, call: Call, tasks: &Arc<dyn Tasks>, execution: &Arc<Execution>) {
        let (effect, state) = (call.effect, call.state.clone());
        let starts = call.resource.starts_job().then(|| Box::new(call.clone()));
        let (tasks, execution) = (tasks.clone(), execution.clone());
        let mut answering = Box::pin(async move { Ran::Answered(tasks.call(&call, &execution).await) });
        // One that is answered at once, by a mock or a queue, needs no task of its own.
        let mut unwatched = Context::from_waker(Waker::noop());
        match catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(&mut unwatched))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(ran)) => {
                self.at_once.extend(came(Work::Call { effect, state, starts }, ran));
                return;
            }
            Err(panic) => return self.at_once.push(panicked(effect, &state, panic.as_ref())),
        }
        let handle = self.running.spawn(answering);
        self.tasks.insert(handle.id(), Work::Call { effect, state, starts });
        self.by_effect.insert(effect, handle);
    }

    /// Asks how a job goes.
    pub fn poll(&mut self, job: Job, tasks: &Arc<dyn Tasks>, execution: &Arc<Execution>) {
        let (effect, state) = (job.call.effect, job.call.state.clone());
        let (tasks, execution) = (tasks.clone(), execution.clone());
        let handle = self.running.spawn(async move { Ran::Polled(tasks.poll(&job, &execution).await) });
        self.tasks.insert(handle.id(), Work::Poll { effect, state });
        self.by_effect.insert(effect, handle);
    }

    /// Ends a job that nobody waits for.
    pub fn cancel(&mut self, job: Job, tasks: &Arc<dyn Tasks>, execution: &Arc<Execution>) {
        let state = job.call.state.clone();
        tracing::debug!(execution = %execution.arn, state = %state, "a job is cancelled");
        let (tasks, execution) = (tasks.clone(), execution.clone());
        let handle = self.running.spawn(async move {
            tasks.cancel(&job, &execution).await;
            Ran::Cancelled
        });
        self.tasks.insert(handle.id(), Work::Cancel { state });
    }

    /// Somebody else has this call, or knows how its job went.
    pub fn abort(&mut self, effect: EffectId) {
        if let Some(handle) = self.by_effect.remove(&effect) {
            handle.abort();
        }
    }

    /// Nobody waits for this call any more. One that starts a job goes on, to end what it starts.
    pub fn abandon(&mut self, effect: EffectId) {
        let Some(handle) = self.by_effect.remove(&effect) else { return };
        match self.tasks.get_mut(&handle.id()) {
            Some(work) => match work {
                Work::Call { starts: Some(call), .. } => *work = Work::Abandoned(call.clone()),
                _ => handle.abort(),
            },
            None => handle.abort(),
        }
    }

    /// Whether calls run, and not only what jobs are asked and told.
    pub fn any_is_made(&self) -> bool {
        self.tasks.values().any(|work| matches!(work, Work::Call { .. } | Work::Abandoned(_)))
    }

    /// Whether something about the effect runs.
    pub fn contains(&self, effect: EffectId) -> bool {
        self.by_effect.contains_key(&effect)
    }

    pub fn effects(&self) -> Vec<EffectId> {
        self.by_effect.keys().copied().collect()
    }

    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        let goes_on = |work: &Work| matches!(work, Work::Abandoned(_) | Work::Cancel { .. });
        self.by_effect.is_empty() && self.at_once.is_empty() && !self.tasks.values().any(goes_on)
    }

    /// What comes next; waits for ever when nothing runs.
    pub async fn next(&mut self) -> Option<Came> {
        if !self.at_once.is_empty() {
            return Some(self.at_once.remove(0));
        }
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

    fn joined(&mut self, joined: Result<(Id, Ran), JoinError>) -> Option<Came> {
        let (id, ran) = match joined {
            Ok((id, ran)) => (id, Ok(ran)),
            Err(error) => (error.id(), Err(error)),
        };
        let work = self.tasks.remove(&id)?;
        if let Work::Call { effect, .. } | Work::Poll { effect, .. } = &work {
            // An aborted call is not waited for; what it came to in the last moment is dropped, also
            // where something else about its effect runs by now.
            self.by_effect.get(effect).filter(|handle| handle.id() == id)?;
            self.by_effect.remove(effect);
        }
        match ran {
            Ok(ran) => came(work, ran),
            Err(error) if error.is_cancelled() => None,
            Err(error) => {
                let panic = error.into_panic();
                let message = panic_message(panic.as_ref());
                match work {
                    Work::Call { effect, state, .. } => Some(panicked(effect, &state, panic.as_ref())),
                    Work::Poll { effect, state } => {
                        tracing::error!(%state, %message, "asking how a job goes failed inside this program");
                        Some(Came::Running(effect))
                    }
                    Work::Cancel { state } => {
                        tracing::error!(%state, %message, "ending a job failed inside this program");
                        None
                    }
                    Work::Abandoned(_) => None,
                }
            }
        }
    }

    /// What came of calls that ended as they were started.
    pub fn at_once(&mut self) -> Vec<Came> {
        std::mem::take(&mut self.at_once)
    }
}

fn came(work: Work, ran: Ran) -> Option<Came> {
    Some(match (work, ran) {
        (Work::Call { effect, starts, .. }, Ran::Answered(answer)) => match (answer, starts) {
            (Answer::Settled(outcome), _) => Came::Input(Input::TaskSettled { effect, outcome }),
            (Answer::Submitted(output), Some(call)) => Came::Started(call, output),
            (Answer::Submitted(output), None) => Came::Input(Input::TaskSubmitted { effect, output }),
            (Answer::Queued, _) => Came::Queued(effect),
        },
        (Work::Abandoned(call), Ran::Answered(Answer::Submitted(output))) => Came::Orphan(call, output),
        (Work::Poll { effect, .. }, Ran::Polled(Polled::Running)) => Came::Running(effect),
        (Work::Poll { effect, .. }, Ran::Polled(Polled::Ended(outcome))) => {
            Came::Input(Input::TaskSettled { effect, outcome })
        }
        _ => return None,
    })
}

fn panicked(effect: EffectId, state: &str, panic: &(dyn Any + Send)) -> Came {
    let message = panic_message(panic);
    let cause = format!("the call of state `{state}` failed inside this program: {message}");
    let outcome = TaskOutcome::failed(Failure::new(TASK_FAILED, cause));
    Came::Input(Input::TaskSettled { effect, outcome })
}
