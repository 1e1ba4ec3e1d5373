//! What the engine is told: the input of one step and the environment it happens in.

use std::sync::Arc;

use model::error::Failure;
use model::json::{Text, Value};
use model::limits::Limits;
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::stored;
use crate::token::TaskToken;

/// One thing that happened to an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// The execution starts with this input.
    Start {
        /// The execution's input.
        #[serde(with = "stored::payload")]
        input: Value,
    },
    /// The last transition said `more`.
    Continue,
    /// Time has passed: everything due at `Env::now` happens.
    Wake,
    /// A worker or a service has taken a task up. May be left out: the event is then made when
    /// the task settles. Taken once: a second worker does not get the task.
    TaskStarted {
        /// The task's effect.
        effect: EffectId,
        /// `workerName` of GetActivityTask.
        worker: Option<Text>,
    },
    /// A `.sync` or `.waitForTaskToken` call was accepted with this response.
    TaskSubmitted {
        /// The task's effect.
        effect: EffectId,
        /// The response of the call.
        #[serde(with = "stored::payload")]
        output: Value,
    },
    /// A task has ended.
    TaskSettled {
        /// The task's effect.
        effect: EffectId,
        /// How.
        outcome: TaskOutcome,
    },
    /// The process that made a task's call is gone, and with it the outcome of the call. A
    /// callback that came before settles the task; else it fails, as Retry and Catch see.
    ///
    /// No task is lost that waits for somebody else: one whose call was accepted, or an activity.
    TaskLost {
        /// The task's effect.
        effect: EffectId,
    },
    /// SendTaskSuccess or SendTaskFailure.
    Callback {
        /// The token that the task was given.
        token: TaskToken,
        /// What the caller says.
        outcome: TaskOutcome,
    },
    /// SendTaskHeartbeat. The next one is due HeartbeatSeconds after it, or later if a newer one
    /// was given before.
    Heartbeat {
        /// The token that the task was given.
        token: TaskToken,
        /// When it was sent.
        at: Timestamp,
    },
    /// StopExecution.
    Stop {
        /// `error` and `cause` of the request.
        failure: Failure,
    },
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum TaskOutcome {
    /// With a result.
    Succeeded(#[serde(with = "stored::payload")] Value),
    /// With a failure that Retry and Catch see.
    Failed {
        /// How far the task had come.
        stage: Stage,
        /// Error name and cause.
        failure: Failure,
    },
}

impl TaskOutcome {
    /// A failure of a running task.
    pub fn failed(failure: Failure) -> TaskOutcome {
        TaskOutcome::Failed { stage: Stage::Run, failure }
    }
}

/// How far a failed task had come; it decides the type of the failure's event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// `LambdaFunctionScheduleFailed`, `ActivityScheduleFailed`.
    Schedule,
    /// `TaskStartFailed`, `LambdaFunctionStartFailed`.
    Start,
    /// `TaskSubmitFailed`.
    Submit,
    /// `TaskFailed`, `LambdaFunctionFailed`, `ActivityFailed`.
    Run,
}

/// Names an effect of one execution; counted from 1 and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectId(pub u64);

/// Everything a step depends on beside its snapshot and input. The same environment gives the
/// same transition, so a record that keeps it can be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Env {
    /// The time of the step.
    pub now: Timestamp,
    /// Where the step's random numbers come from; fresh for every step.
    pub seed: u64,
    /// The limits in force.
    pub limits: Limits,
    /// The bounds on JSONata.
    pub query_limits: query::jsonata::Limits,
    /// Activities named by the machine that do not exist at this time. A task on one fails
    /// before it is scheduled, as on the service.
    pub missing_activities: Arc<[Text]>,
}

impl Env {
    /// An environment with the service's limits, in which every activity exists.
    pub fn new(now: Timestamp, seed: u64) -> Env {
        Env {
            now,
            seed,
            limits: Limits::default(),
            query_limits: query::jsonata::Limits::default(),
            missing_activities: Arc::default(),
        }
    }
}
