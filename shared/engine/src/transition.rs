//! What the engine answers.

use asl::state::Resource;
use model::history::HistoryEvent;
use model::json::{Text, Value};
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::input::EffectId;
use crate::snapshot::Snapshot;
use crate::token::TaskToken;

/// The engine's answer to one input.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The state of the execution after the step.
    pub snapshot: Snapshot,
    /// The events that the step made, ids contiguous.
    pub history: Vec<HistoryEvent>,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
    /// When the engine must be given [`crate::Input::Wake`], if nothing else happens before.
    pub wake_at: Option<Timestamp>,
    /// The step was cut short: give [`crate::Input::Continue`] next.
    pub more: bool,
    /// What became of the input.
    pub verdict: Verdict,
}

impl Transition {
    /// Nothing happened.
    pub(crate) fn refused(snapshot: Snapshot, verdict: Verdict) -> Transition {
        Transition {
            wake_at: snapshot.wake_at(),
            more: snapshot.more(),
            snapshot,
            history: Vec::new(),
            effects: Vec::new(),
            verdict,
        }
    }
}

/// Whether an input was taken. One that was not has changed nothing and made no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It was.
    Accepted,
    /// The task it names has ended, or never was: TaskTimedOut or TaskDoesNotExist at the API.
    NoSuchTask,
    /// What was to start has started before: the execution, or the task, which another worker has.
    AlreadyStarted,
    /// The execution has ended.
    Ended,
}

/// One thing to do. It may be attempted more than once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Start a task.
    Call(Box<Call>),
    /// Nobody waits for this task any more: cancel it where that is possible.
    Cancel {
        /// The task's effect.
        effect: EffectId,
    },
}

/// A task to be started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Names the call in the inputs that report on it.
    pub effect: EffectId,
    /// The Task state.
    pub state: Text,
    /// The inline Map iterations around it, outermost first.
    pub iteration: Vec<Iteration>,
    /// What is called.
    #[serde(with = "crate::stored::resource")]
    pub resource: Resource,
    /// What it is called with.
    #[serde(with = "crate::stored::payload")]
    pub parameters: Value,
    /// The role to call with: `Credentials.RoleArn`.
    pub role_arn: Option<Text>,
    /// What a worker answers with. Present for activities, `.waitForTaskToken` and `.sync`.
    pub token: Option<TaskToken>,
    /// `TimeoutSeconds`.
    pub timeout_seconds: Option<i64>,
    /// `HeartbeatSeconds`.
    pub heartbeat_seconds: Option<i64>,
    /// Attempts of this visit before this one.
    pub retry_count: u32,
}

/// An iteration of an inline Map.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Iteration {
    /// The Map state.
    pub map: Text,
    /// Index of the item, from 0.
    pub index: usize,
}
