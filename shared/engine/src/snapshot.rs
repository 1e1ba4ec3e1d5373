//! The interpreter's state between two steps.

use std::collections::VecDeque;

use asl::machine::{ScopeId, StateId};
use model::error::Failure;
use model::json::{Array, Map, Text, Value};
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::input::{EffectId, TaskOutcome};
use crate::token::{Secret, TaskToken};

/// Version of the stored form. A snapshot of another version is refused.
pub const SNAPSHOT_VERSION: u8 = 1;

/// Who an execution is. Nothing of it changes while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// ARN of the execution.
    pub arn: Text,
    /// Its name.
    pub name: Text,
    /// The role of the state machine at the start.
    pub role_arn: Text,
    /// ARN of the state machine, without version or alias.
    pub state_machine_arn: Text,
    /// Its name.
    pub state_machine_name: Text,
    /// ARN of the version that was started, if one was.
    pub state_machine_version_arn: Option<Text>,
    /// ARN of the alias that was started, if one was.
    pub state_machine_alias_arn: Option<Text>,
    /// Region, as TaskScheduled events name it.
    pub region: Text,
    /// When it started.
    pub started_at: Timestamp,
    /// Whether StartSyncExecution started it. Such an execution can never be redriven, and its
    /// context object has no `RedriveCount` (conformance case `express_sync.query_runtime_memory`).
    pub synchronous: bool,
}

/// Where an execution stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Status {
    /// Not ended.
    Running,
    /// Ended with this output.
    Succeeded(Value),
    /// Ended with this failure.
    Failed(Failure),
    /// Ran out of the machine's `TimeoutSeconds`.
    TimedOut,
    /// Stopped.
    Aborted(Failure),
}

/// The interpreter's state: opaque to everyone but the engine, apart from a few readings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub(crate) execution: Execution,
    pub(crate) input: Value,
    pub(crate) status: Status,
    /// Id of the newest history event.
    pub(crate) last_event: u64,
    /// Id of the newest effect.
    pub(crate) last_effect: u64,
    /// When the execution runs out of time.
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) redrive_count: u32,
    pub(crate) redriven_at: Option<Timestamp>,
    pub(crate) frames: Frames,
    /// Frames that can go on without the world, in order.
    pub(crate) ready: VecDeque<FrameId>,
}

/// A snapshot that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by another version of the engine.
    #[error("snapshot has format version {found}, this engine reads version {SNAPSHOT_VERSION}")]
    Version {
        /// The version in front of it.
        found: u8,
    },
    /// Damaged, or not a snapshot.
    #[error("snapshot cannot be decoded: {0}")]
    Damaged(String),
}

impl Snapshot {
    /// An execution that has not started.
    pub fn new(execution: Execution) -> Snapshot {
        Snapshot {
            execution,
            input: Value::Null,
            status: Status::Running,
            last_event: 0,
            last_effect: 0,
            deadline: None,
            redrive_count: 0,
            redriven_at: None,
            frames: Frames::default(),
            ready: VecDeque::new(),
        }
    }

    /// Who the execution is.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// Where it stands.
    pub fn status(&self) -> &Status {
        &self.status
    }

    pub(crate) fn token(&self, secret: Secret) -> TaskToken {
        TaskToken::of(secret, &self.execution.arn)
    }

    /// Id of the newest history event; 0 before the start.
    pub fn last_event_id(&self) -> u64 {
        self.last_event
    }

    /// The stored form: a version byte, then MessagePack.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![SNAPSHOT_VERSION];
        rmp_serde::encode::write_named(&mut out, self)
            .expect("a snapshot holds only what MessagePack can write");
        out
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Snapshot, DecodeError> {
        match bytes.split_first() {
            Some((&SNAPSHOT_VERSION, rest)) => {
                rmp_serde::from_slice(rest).map_err(|error| DecodeError::Damaged(error.to_string()))
            }
            Some((&found, _)) => Err(DecodeError::Version { found }),
            None => Err(DecodeError::Damaged("it is empty".to_owned())),
        }
    }
}

/// Index of a [`Frame`]; reused after the frame has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct FrameId(pub u32);

/// The running scopes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frames {
    slots: Vec<Option<Frame>>,
    free: Vec<u32>,
}

impl Frames {
    pub fn insert(&mut self, frame: Frame) -> FrameId {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(frame);
            return FrameId(slot);
        }
        self.slots.push(Some(frame));
        FrameId(
            u32::try_from(self.slots.len() - 1)
                .expect("frames are bounded by the iterations that run at once"),
        )
    }

    pub fn get(&self, id: FrameId) -> &Frame {
        self.slots[id.0 as usize].as_ref().expect("a frame is named only while it lives")
    }

    pub fn get_mut(&mut self, id: FrameId) -> &mut Frame {
        self.slots[id.0 as usize].as_mut().expect("a frame is named only while it lives")
    }

    pub fn contains(&self, id: FrameId) -> bool {
        self.slots.get(id.0 as usize).is_some_and(Option::is_some)
    }

    pub fn remove(&mut self, id: FrameId) -> Frame {
        self.free.push(id.0);
        self.slots[id.0 as usize].take().expect("a frame is named only while it lives")
    }

    pub fn iter(&self) -> impl Iterator<Item = (FrameId, &Frame)> {
        (0u32..).zip(&self.slots).filter_map(|(id, slot)| slot.as_ref().map(|frame| (FrameId(id), frame)))
    }

    pub fn clear(&mut self) {
        self.slots.clear();
        self.free.clear();
    }
}

/// A scope that runs: the top level, a branch, or an iteration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    #[serde(with = "ids::scope")]
    pub scope: ScopeId,
    /// The frame whose Parallel or Map state runs this one, and the index of the branch or item.
    pub parent: Option<(FrameId, usize)>,
    /// The item of an inline Map's iteration: its value before ItemSelector.
    pub item: Option<Value>,
    /// Variables assigned in this scope.
    pub variables: Map,
    /// The newest event of this scope: what the next event names as its predecessor.
    pub last_event: u64,
    #[serde(with = "ids::state")]
    pub state: StateId,
    /// The state's input.
    pub input: Value,
    pub entered_at: Timestamp,
    /// Id of the state's Entered event.
    pub entered_event: u64,
    /// The predecessor of the Entered event.
    pub before_entered: u64,
    /// Attempts made for each retrier in this visit, and in all.
    pub retries: Vec<u32>,
    pub retry_count: u32,
    pub phase: Phase,
}

/// What a frame is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// About to enter `state`.
    Enter,
    /// About to attempt the state again.
    Attempt,
    /// A retrier's delay.
    Backoff { until: Timestamp },
    /// A Wait state.
    Waiting { until: Timestamp },
    /// A Task that has been called.
    Task(TaskRun),
    /// The branches of a Parallel.
    Parallel { children: Vec<Option<FrameId>>, outputs: Vec<Value>, running: usize },
    /// The iterations of an inline Map.
    Map(MapRun),
}

/// A task that has been called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskRun {
    pub effect: EffectId,
    pub token: Option<Secret>,
    pub timeout_at: Option<Timestamp>,
    pub heartbeat_seconds: Option<i64>,
    pub heartbeat_at: Option<Timestamp>,
    pub started: bool,
    pub submitted: bool,
    /// A callback that came before the call it answers was accepted.
    pub kept: Option<TaskOutcome>,
}

/// An inline Map that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MapRun {
    #[serde(with = "array")]
    pub items: Array,
    /// Index of the next item to start.
    pub next: usize,
    /// The iterations that run, with their frames.
    pub children: Vec<(usize, FrameId)>,
    pub concurrency: usize,
    /// Results by item; `null` where none yet.
    pub outputs: Vec<Value>,
    pub started_event: u64,
}

/// An array on its own is stored as the value it is part of.
mod array {
    use model::json::{Array, Value};
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub fn serialize<S: Serializer>(array: &Array, serializer: S) -> Result<S::Ok, S::Error> {
        Value::Array(array.clone()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Array, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Array(array) => Ok(array),
            other => Err(serde::de::Error::custom(format!("expected an array, found {}", other.type_name()))),
        }
    }
}

/// Ids of the definition are stored as their numbers.
mod ids {
    macro_rules! as_number {
        ($module:ident, $id:ident) => {
            pub mod $module {
                use asl::machine::$id;
                use serde::{Deserialize as _, Deserializer, Serializer};

                pub fn serialize<S: Serializer>(id: &$id, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_u32(id.0)
                }

                pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$id, D::Error> {
                    u32::deserialize(deserializer).map($id)
                }
            }
        };
    }

    as_number!(scope, ScopeId);
    as_number!(state, StateId);
}
