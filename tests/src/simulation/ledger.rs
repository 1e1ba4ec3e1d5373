//! What really happened outside, noted by the outside: never by the driver.

use engine::{EffectId, TaskOutcome, TaskToken};
use journal::execution::Owner;
use model::arn::ExecutionArn;
use model::json::{Text, Value};
use model::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::jobs::Started;
use super::process::Process;

/// A call that was made.
pub struct Made {
    /// Whose.
    pub execution: ExecutionArn,
    /// Which.
    pub effect: EffectId,
    /// The Task state.
    pub state: Text,
    /// The token that whoever is called was given.
    pub token: Option<TaskToken>,
    /// Who made it.
    pub process: Arc<Process>,
    /// Whether it is safe to repeat.
    pub repeatable: bool,
    /// How many puts had been applied when it was made.
    pub puts: u64,
    /// What it answered, once it has.
    pub answered: Option<TaskOutcome>,
}

/// A request that somebody made of an execution.
pub struct Asked {
    /// Which execution.
    pub execution: ExecutionArn,
    /// What was asked.
    pub what: What,
    /// When, by the clock of the world.
    pub began: Timestamp,
    /// How many puts had been applied then.
    pub puts: u64,
    /// How many had been applied when it was accepted; none when it was not, or nobody knows.
    pub accepted: Option<u64>,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
}

/// What can be asked.
#[derive(Clone)]
pub enum What {
    /// SendTaskSuccess or SendTaskFailure.
    Callback(EffectId, TaskToken, TaskOutcome),
    /// SendTaskHeartbeat.
    Heartbeat(EffectId, TaskToken),
    /// StopExecution with this cause.
    Stop(Text),
    /// A worker takes the task of an activity.
    Take(EffectId, Text),
}

/// An execution that somebody wanted.
pub struct Wanted {
    /// Which.
    pub execution: ExecutionArn,
    /// The machine, by its place among the definitions.
    pub machine: usize,
    /// Its input.
    pub input: Value,
    /// Its caller was told that it exists.
    pub acknowledged: bool,
}

/// Everything.
#[derive(Default)]
pub struct Ledger {
    /// Executions.
    pub wanted: Vec<Wanted>,
    /// Calls, in order.
    pub made: Vec<Made>,
    /// Jobs, in order.
    pub jobs: Vec<Started>,
    /// Requests, in order.
    pub asked: Vec<Asked>,
    /// Who each driver was.
    pub drivers: BTreeMap<Owner, Arc<Process>>,
}

impl Ledger {
    /// What nobody else will say: the number of the request.
    pub fn unique(&self) -> i64 {
        i64::try_from(self.asked.len()).unwrap_or(0) + 1_000
    }
}
