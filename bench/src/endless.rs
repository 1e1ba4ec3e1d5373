//! Executions that go on and on: what their records cost, however many there are already.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asl::state::Resource;
use engine::{Call, Execution, TaskOutcome};
use integrations::{Answer, Answering, NotCallable, Tasks};
use model::error::Failure;
use model::json::Value;
use model::limits::Limits;

use crate::durable::{Backend, Running, Setup};

/// One task again and again, until it says that it is enough.
const DEFINITION: &str = r#"{"StartAt": "Again", "States": {
    "Again": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
              "Catch": [{"ErrorEquals": ["Enough"], "Next": "Done"}], "Next": "Again"},
    "Done": {"Type": "Succeed"}}}"#;

/// How long an execution may take to end after its last call.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was read during some executions, one after the other.
pub struct Rounds<T> {
    /// Of each execution a reading for each call of its task. Between two of them stands one append:
    /// that of the record with the result of the one call and the intent of the other.
    pub readings: Vec<Vec<T>>,
    /// Events of the history of each.
    pub events: u64,
}

impl<T> Rounds<T> {
    /// Which reading was taken when the history had about so many events: every round makes as many.
    pub fn at_event(&self, event: u64) -> usize {
        let calls = self.readings.first().map_or(0, Vec::len) as u64;
        usize::try_from(event.saturating_mul(calls) / self.events.max(1)).unwrap_or(usize::MAX)
    }
}

/// Runs so many executions of so many calls, one after the other, without a limit to their
/// histories, and takes a reading at each call.
pub async fn run<T: Clone + Send + 'static>(
    backend: &Backend,
    (executions, calls): (usize, usize),
    read: impl Fn() -> T + Send + Sync + 'static,
) -> Result<Rounds<T>, String> {
    let taken = Mutex::new(Vec::with_capacity(executions * calls));
    let tasks = Arc::new(Reading { calls, read, taken });
    let limits = Limits { history_events_max: None, ..Limits::default() };
    let setup = Setup { tasks: tasks.clone(), limits, ..Setup::new(DEFINITION, 1) };
    let running = Running::new(backend, setup).await?;
    let mut last = None;
    for _ in 0..executions {
        last = Some(running.start_and_wait(&Value::object(), PATIENCE).await?);
    }
    running.drain(PATIENCE).await?;
    let arn = running.arn(last.ok_or("no execution was asked for")?)?;
    let described = running.door.world().executions().describe(&arn).await;
    let described = described.map_err(|error| error.to_string())?.ok_or("the execution is not there")?;
    running.stop().await;
    let taken = std::mem::take(&mut *tasks.taken.lock().unwrap_or_else(PoisonError::into_inner));
    if taken.len() != executions * calls {
        return Err(format!("{} calls were made by {executions} executions of {calls}", taken.len()));
    }
    Ok(Rounds { readings: taken.chunks(calls).map(<[T]>::to_vec).collect(), events: described.last_event_id })
}

struct Reading<T, F> {
    /// Of each execution.
    calls: usize,
    read: F,
    taken: Mutex<Vec<T>>,
}

impl<T: Send + 'static, F: Fn() -> T + Send + Sync> Tasks for Reading<T, F> {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        let reading = (self.read)();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.push(reading);
        let outcome = match taken.len().is_multiple_of(self.calls) {
            true => TaskOutcome::failed(Failure::named("Enough")),
            false => TaskOutcome::Succeeded(call.parameters.clone()),
        };
        Box::pin(std::future::ready(Answer::Settled(outcome)))
    }
}
