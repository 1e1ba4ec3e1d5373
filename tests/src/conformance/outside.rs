//! The world outside of a server, made of recorded results: services that answer, workers of
//! activities, whoever sends task tokens back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use asl::state::Resource;
use driver::Door;
use engine::{Call, Execution, Input, Stage, TaskOutcome};
use integrations::activity::Activities;
use integrations::{Answer, Answering, NotCallable, Nothing, Tasks};
use model::arn::ExecutionArn;
use model::error::{Failure, RUNTIME};
use model::json::{Map, Text, Value};
use ports::Queues;
use service::Service;

use super::case::{AttemptEnd, Case, Worker};
use super::recorded::{Recorded, ends_by_token};
use crate::scene::ask;

/// Performs tasks as they were recorded. Cheap to clone.
#[derive(Clone)]
pub struct Outside(Arc<Inner>);

struct Inner {
    recorded: Option<Mutex<Recorded>>,
    /// What the worker that gets a token does with it.
    handed_out: Mutex<BTreeMap<Text, AttemptEnd>>,
    activities: Activities,
    service: Service,
    door: Door,
    problems: Mutex<Vec<String>>,
}

/// Before somebody answers: in this time, everything that can happen without an answer does.
const PAUSE: Duration = Duration::from_millis(5);

impl Outside {
    /// The tasks of `case`; with none, calls are accepted and never end.
    pub fn new(case: Option<Arc<Case>>, service: Service, door: Door, queues: Arc<dyn Queues>) -> Outside {
        Outside(Arc::new(Inner {
            recorded: case.map(|case| Mutex::new(Recorded::new(case))),
            handed_out: Mutex::default(),
            activities: Activities::new(queues, Arc::new(Nothing)),
            service,
            door,
            problems: Mutex::default(),
        }))
    }

    /// The calls that were answered: index into the case's tasks, and what was sent.
    pub fn calls(&self) -> Vec<(usize, Value)> {
        self.0.recorded.as_ref().map(|recorded| lock(recorded).calls.clone()).unwrap_or_default()
    }

    /// The first thing that went wrong outside.
    pub fn problem(&self) -> Option<String> {
        lock(&self.0.problems).first().cloned()
    }

    /// Does something that nobody waits for, after a pause.
    fn later(&self, work: impl Future<Output = Result<(), String>> + Send + 'static) {
        let inner = self.0.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            if let Err(problem) = work.await {
                lock(&inner.problems).push(problem);
            }
        });
    }

    async fn perform(&self, recorded: &Mutex<Recorded>, call: &Call, execution: &Execution) -> Answer {
        let attempt = match lock(recorded).attempt(call) {
            Ok(attempt) => attempt,
            Err(reason) => {
                lock(&self.0.problems).push(reason.clone());
                return Answer::Settled(TaskOutcome::failed(Failure::new(RUNTIME, reason)));
            }
        };
        if let AttemptEnd::Failed(Stage::Schedule | Stage::Start | Stage::Submit, _) = &attempt.end
            && let Some(outcome) = attempt.end.clone().outcome()
        {
            return Answer::Settled(outcome);
        }
        if let (Resource::Activity { arn }, Some(token)) = (&call.resource, &call.token) {
            if let Some(worker) = lock(recorded).worker() {
                lock(&self.0.handed_out).insert(token.text().clone(), attempt.end);
                self.later(work(self.0.clone(), arn.clone(), worker));
            }
            return self.0.activities.call(call, execution).await;
        }
        let by_token = ends_by_token(&attempt, &call.resource);
        let Some(submitted) = attempt.submitted else {
            return match attempt.end.outcome() {
                Some(outcome) => Answer::Settled(outcome),
                None => std::future::pending().await,
            };
        };
        match (&call.token, by_token) {
            (Some(token), true) => self.later(answer(self.0.clone(), token.text().clone(), attempt.end)),
            _ => self.later(settle(self.0.clone(), execution.arn.clone(), call.effect, attempt.end)),
        }
        Answer::Submitted(submitted)
    }
}

/// Takes a task of an activity and answers it.
async fn work(inner: Arc<Inner>, activity: Text, worker: Worker) -> Result<(), String> {
    let name = worker.name.map(|name| ("workerName", Value::from(name)));
    let members = [("activityArn", Value::from(activity))].into_iter().chain(name);
    let request: Value = members.collect();
    let task = ask(&inner.service, "GetActivityTask", &request).await?;
    // Nobody else may have taken it meanwhile, but its execution may have ended.
    let Some(token) = task.get("taskToken").and_then(Value::as_str) else { return Ok(()) };
    let end = lock(&inner.handed_out).remove(token);
    let end = end.ok_or("a worker got a token that belongs to no recorded attempt")?;
    answer(inner, token.into(), end).await
}

/// Sends a task token back.
async fn answer(inner: Arc<Inner>, token: Text, end: AttemptEnd) -> Result<(), String> {
    let mut request = Map::default();
    request.insert("taskToken".into(), token.into());
    let operation = match end {
        AttemptEnd::Succeeded(output) => {
            request.insert("output".into(), output.to_json().into());
            "SendTaskSuccess"
        }
        AttemptEnd::Failed(_, failure) => {
            for (name, text) in [("error", failure.error), ("cause", failure.cause)] {
                if let Some(text) = text {
                    request.insert(name.into(), text.into());
                }
            }
            "SendTaskFailure"
        }
        AttemptEnd::Never => return Ok(()),
    };
    ask(&inner.service, operation, &request.into()).await.map(|_| ())
}

/// Ends a call that was accepted.
async fn settle(
    inner: Arc<Inner>,
    arn: Text,
    effect: engine::EffectId,
    end: AttemptEnd,
) -> Result<(), String> {
    let Some(outcome) = end.outcome() else { return Ok(()) };
    let execution = ExecutionArn::parse(&arn).map_err(|error| error.to_string())?;
    let delivered = inner.door.deliver(&execution, Input::TaskSettled { effect, outcome }).await;
    delivered.map(|_| ()).map_err(|error| error.to_string())
}

impl Tasks for Outside {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn is_repeatable(&self, call: &Call) -> bool {
        self.0.activities.is_repeatable(call)
    }

    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a> {
        match &self.0.recorded {
            Some(recorded) => Box::pin(self.perform(recorded, call, execution)),
            None if matches!(call.resource, Resource::Activity { .. }) => {
                self.0.activities.call(call, execution)
            }
            None => Box::pin(async { Answer::Submitted(Value::object()) }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
