//! Mocked executions: which test case an execution takes.
//!
//! Step Functions Local selects it when an execution starts, by what follows `#` in the ARN of the
//! state machine. The selection is kept beside the executions, for they outlive the server.
//!
//! Source: Step Functions developer guide, "Using mocked service integrations for testing".

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use asl::state::Resource;
use async_trait::async_trait;
use driver::Seeds;
use engine::{Call, Execution, TaskOutcome};
use front::Answer;
use integrations::mock::{Config, Mocks};
use integrations::{Answer as TaskAnswer, Answering, Cancelling, Job, NotCallable, Polling, Tasks};
use model::arn::{Arn, Resource as Named};
use model::error::{Failure, RUNTIME};
use model::json::{Map, Text, Value};
use model::timestamp::Timestamp;
use ports::{Condition, Key, Row, Table};

use super::api::Api;
use crate::uuid::uuid;

/// Executions whose attempts are counted at a time. The oldest of more begin again at attempt 0.
const COUNTED_MAX: usize = 10_000;

/// Longest text after `#`, in bytes.
const TEST_CASE_BYTES_MAX: usize = 256;

/// Test cases by execution, kept in the table.
pub struct Selections {
    config: Config,
    table: Arc<dyn Table>,
    seeds: Mutex<Seeds>,
}

impl Selections {
    /// For a mock configuration, kept in `table`.
    pub fn new(config: Config, table: Arc<dyn Table>, seeds: Seeds) -> Selections {
        Selections { config, table, seeds: Mutex::new(seeds) }
    }

    fn key(state_machine: &str, execution: &str) -> Key {
        Key::new(format!("mock/{state_machine}"), execution)
    }

    async fn of(&self, execution: &Execution) -> Result<Option<String>, String> {
        let key = Selections::key(&execution.state_machine_name, &execution.name);
        let row = self.table.get(&key).await.map_err(|error| error.to_string())?;
        Ok(row.map(|row| String::from_utf8_lossy(&row.body).into_owned()))
    }

    /// The body of a start without the test case, which is kept; as it is when there is none.
    async fn select(&self, body: &[u8]) -> Result<Option<Vec<u8>>, Answer> {
        let Some(Value::Object(members)) =
            std::str::from_utf8(body).ok().and_then(|text| Value::parse(text).ok())
        else {
            return Ok(None);
        };
        let arn = members.get("stateMachineArn").and_then(Value::as_str).unwrap_or_default();
        let Some((arn, test_case)) = arn.split_once('#') else { return Ok(None) };
        let refuse = |message: String| Answer::failure(400, "ValidationException", &message);
        let state_machine = match Arn::parse(arn).map(|arn| arn.resource) {
            Ok(
                Named::StateMachine { name: state_machine }
                | Named::Version { state_machine, .. }
                | Named::Alias { state_machine, .. },
            ) => state_machine,
            // The API says what is wrong with it.
            _ => return Ok(None),
        };
        if test_case.len() > TEST_CASE_BYTES_MAX {
            return Err(refuse(format!("the name of a test case has at most {TEST_CASE_BYTES_MAX} bytes")));
        }
        self.config.select(Some(&state_machine), test_case).map_err(|error| refuse(error.to_string()))?;
        let name = match members.get("name").and_then(Value::as_str) {
            Some(name) => name.to_owned(),
            None => {
                let mut seeds = self.seeds.lock().unwrap_or_else(PoisonError::into_inner);
                uuid(&mut seeds).map_err(|message| Answer::failure(500, "InternalFailure", &message))?
            }
        };
        let key = Selections::key(&state_machine, &name);
        let row = Row::new(key, 1, test_case.as_bytes().to_vec());
        self.table
            .put(row, Condition::Always)
            .await
            .map_err(|error| Answer::failure(500, "InternalFailure", &error.to_string()))?;
        let mut selected: Map = members.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        selected.insert("stateMachineArn".into(), arn.into());
        selected.insert("name".into(), name.as_str().into());
        Ok(Some(Value::from(selected).to_json().into_bytes()))
    }
}

/// Takes the test case out of starts, in front of an API that knows nothing of it.
pub struct SelectingApi {
    /// Where selections are kept.
    pub selections: Arc<Selections>,
    /// The API.
    pub api: Arc<dyn Api>,
}

#[async_trait]
impl Api for SelectingApi {
    async fn call(&self, operation: &str, body: &[u8]) -> Answer {
        if !matches!(operation, "StartExecution" | "StartSyncExecution") {
            return self.api.call(operation, body).await;
        }
        match self.selections.select(body).await {
            Ok(None) => self.api.call(operation, body).await,
            Ok(Some(selected)) => self.api.call(operation, &selected).await,
            Err(refused) => refused,
        }
    }
}

/// Answers the tasks of executions that take a test case, and hands on all others.
pub struct SelectedMocks {
    selections: Arc<Selections>,
    otherwise: Arc<dyn Tasks>,
    mocks: Mutex<Counted>,
}

/// The mocks of executions, oldest first.
#[derive(Default)]
struct Counted {
    by_execution: HashMap<Text, Option<Arc<Mocks>>>,
    order: VecDeque<Text>,
}

impl SelectedMocks {
    /// In front of `otherwise`.
    pub fn new(selections: Arc<Selections>, otherwise: Arc<dyn Tasks>) -> SelectedMocks {
        SelectedMocks { selections, otherwise, mocks: Mutex::default() }
    }

    async fn mocks_of(&self, execution: &Execution) -> Result<Option<Arc<Mocks>>, String> {
        let known = self.lock().by_execution.get(&execution.arn).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let mocks = match self.selections.of(execution).await? {
            None => None,
            Some(name) => {
                let config = &self.selections.config;
                let test_case = config.select(Some(&execution.state_machine_name), &name);
                let test_case = test_case.map_err(|error| error.to_string())?;
                Some(Arc::new(Mocks::new(test_case, self.otherwise.clone())))
            }
        };
        let mut counted = self.lock();
        if let Some(earlier) = counted.by_execution.get(&execution.arn) {
            // Another task of the execution was faster: attempts are counted once.
            return Ok(earlier.clone());
        }
        counted.by_execution.insert(execution.arn.clone(), mocks.clone());
        counted.order.push_back(execution.arn.clone());
        if counted.order.len() > COUNTED_MAX
            && let Some(oldest) = counted.order.pop_front()
        {
            counted.by_execution.remove(&oldest);
        }
        Ok(mocks)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        // A panic elsewhere leaves at worst an execution that is looked up again.
        self.mocks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks for SelectedMocks {
    fn callable(&self, state: &str, resource: &Resource) -> Result<(), NotCallable> {
        let is_mocked =
            |case: &integrations::mock::TestCase| case.states.iter().any(|mocked| mocked.state == state);
        match self.selections.config.test_cases().any(is_mocked) {
            true => Ok(()),
            false => self.otherwise.callable(state, resource),
        }
    }

    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            match self.mocks_of(execution).await {
                Ok(Some(mocks)) => mocks.call(call, execution).await,
                Ok(None) => self.otherwise.call(call, execution).await,
                Err(reason) => {
                    let cause = format!("the mocked test case of the execution cannot be used: {reason}");
                    TaskAnswer::Settled(TaskOutcome::failed(Failure::new(RUNTIME, cause)))
                }
            }
        })
    }

    // A mocked state has no jobs: its calls are answered with their results.

    fn poll<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Polling<'a> {
        self.otherwise.poll(job, execution)
    }

    fn next_poll(&self, job: &Job, after: Timestamp) -> Timestamp {
        self.otherwise.next_poll(job, after)
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        self.otherwise.cancel(job, execution)
    }
}

#[cfg(test)]
mod tests;
