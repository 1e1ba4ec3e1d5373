//! The interpreter's state between two steps.

use std::collections::VecDeque;
use std::sync::Arc;

use asl::machine::{ScopeId, StateId};
use model::error::Failure;
use model::json::{Map, Text, Value};
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::input::{EffectId, TaskOutcome};
use crate::stored;
use crate::token::{Secret, TaskToken};

/// Version of the stored form. A snapshot of another version is refused.
pub const SNAPSHOT_VERSION: u8 = 2;

/// How deep the stored form may be nested: payloads are texts in it.
const STORED_DEPTH_MAX: usize = 16;

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
    Succeeded(#[serde(with = "stored::payload")] Value),
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
    /// Who the execution is and what it was given: neither changes, so neither is stored with it.
    #[serde(skip, default = "nobody")]
    pub(crate) execution: Arc<Execution>,
    #[serde(skip)]
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

/// Stands in a snapshot that has not been given its execution yet.
fn nobody() -> Arc<Execution> {
    Arc::new(Execution {
        arn: Text::default(),
        name: Text::default(),
        role_arn: Text::default(),
        state_machine_arn: Text::default(),
        state_machine_name: Text::default(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: Text::default(),
        started_at: Timestamp::EPOCH,
        synchronous: false,
    })
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
    pub fn new(execution: impl Into<Arc<Execution>>) -> Snapshot {
        Snapshot {
            execution: execution.into(),
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

    pub(crate) fn token(&self, secret: Secret) -> TaskToken {
        TaskToken::of(secret, &self.execution.arn)
    }

    /// Ends the execution: nothing of it runs any more. Gives the tasks that did.
    pub(crate) fn end(&mut self, status: Status) -> Vec<EffectId> {
        let running = self.frames.iter().filter_map(|(_, frame)| match &frame.phase {
            Phase::Task(run) => Some(run.effect),
            _ => None,
        });
        let running = running.collect();
        self.frames.clear();
        self.ready = VecDeque::new();
        self.status = status;
        running
    }

    /// The stored form: a version byte, then MessagePack without the names of members. Who the
    /// execution is and its input are not part of it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.encode_to(&mut out);
        out
    }

    /// Appends the stored form to `out`.
    pub fn encode_to(&self, out: &mut Vec<u8>) {
        out.push(SNAPSHOT_VERSION);
        rmp_serde::encode::write(out, self).expect("a snapshot holds only what MessagePack can write");
    }

    /// Reads the stored form of the snapshot of `execution`, which was started with `input`. What
    /// it gives for bytes that nobody encoded is consistent in itself, but may fit no machine.
    pub fn decode(
        bytes: &[u8],
        execution: impl Into<Arc<Execution>>,
        input: Value,
    ) -> Result<Snapshot, DecodeError> {
        let damaged = |reason: &str| DecodeError::Damaged(reason.to_owned());
        let mut rest = match bytes.split_first() {
            Some((&SNAPSHOT_VERSION, rest)) => rest,
            Some((&found, _)) => return Err(DecodeError::Version { found }),
            None => return Err(damaged("it is empty")),
        };
        let mut decoder = rmp_serde::Deserializer::new(&mut rest);
        decoder.set_max_depth(STORED_DEPTH_MAX);
        let mut snapshot =
            Snapshot::deserialize(&mut decoder).map_err(|error| DecodeError::Damaged(error.to_string()))?;
        snapshot.execution = execution.into();
        snapshot.input = input;
        if !rest.is_empty() {
            return Err(damaged("something follows it"));
        }
        if !snapshot.frames.are_a_tree() || !snapshot.ready.iter().all(|id| snapshot.frames.contains(*id)) {
            return Err(damaged("its scopes do not fit together"));
        }
        Ok(snapshot)
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

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Frame> {
        self.slots.iter_mut().flatten()
    }

    /// Whether every frame belongs below one that has no parent, each under the state that runs
    /// it, and every free slot is empty. Always so, unless the frames come from damaged bytes.
    fn are_a_tree(&self) -> bool {
        let mut seen = 0;
        let mut open: Vec<FrameId> =
            self.iter().filter(|(_, frame)| frame.parent.is_none()).map(|(id, _)| id).collect();
        while let Some(id) = open.pop() {
            seen += 1;
            for (index, child) in self.get(id).children() {
                if !self.contains(child) || self.get(child).parent != Some((id, index)) {
                    return false;
                }
                open.push(child);
            }
            if seen > self.slots.len() {
                return false;
            }
        }
        let mut free = self.free.clone();
        free.sort_unstable();
        free.dedup();
        seen == self.iter().count()
            && free.len() == self.free.len()
            && free.iter().all(|slot| matches!(self.slots.get(*slot as usize), Some(None)))
    }

    pub fn clear(&mut self) {
        self.slots.clear();
        self.free.clear();
    }
}

/// A scope that runs: the top level, a branch, or an iteration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Frame {
    #[serde(with = "stored::scope")]
    pub scope: ScopeId,
    /// The frame whose Parallel or Map state runs this one, and the index of the branch or item.
    pub parent: Option<(FrameId, usize)>,
    /// The item of an inline Map's iteration: its value before ItemSelector.
    #[serde(with = "stored::optional_payload")]
    pub item: Option<Value>,
    /// Variables assigned in this scope.
    #[serde(with = "stored::variables")]
    pub variables: Map,
    /// The newest event of this scope: what the next event names as its predecessor.
    pub last_event: u64,
    #[serde(with = "stored::state")]
    pub state: StateId,
    /// The state's input.
    #[serde(with = "stored::payload")]
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

impl Frame {
    /// The frames that this one's Parallel or Map state runs, by branch or item.
    pub fn children(&self) -> Vec<(usize, FrameId)> {
        match &self.phase {
            Phase::Parallel { children, .. } => {
                children.iter().enumerate().filter_map(|(index, child)| Some((index, (*child)?))).collect()
            }
            Phase::Map(run) => run.children.clone(),
            _ => Vec::new(),
        }
    }
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
    Parallel {
        children: Vec<Option<FrameId>>,
        #[serde(with = "stored::payloads")]
        outputs: Vec<Value>,
        running: usize,
    },
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
    /// An array; a value, so that it can be stored elsewhere.
    #[serde(with = "stored::payload")]
    pub items: Value,
    /// Index of the next item to start.
    pub next: usize,
    /// The iterations that run, with their frames.
    pub children: Vec<(usize, FrameId)>,
    pub concurrency: usize,
    /// Results by item, as many as there are items; `null` where none yet.
    #[serde(with = "stored::payloads")]
    pub outputs: Vec<Value>,
    pub started_event: u64,
}
