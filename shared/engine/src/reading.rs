//! What others may read in a snapshot.

use std::sync::Arc;

use asl::machine::StateId;
use model::json::Value;
use model::timestamp::Timestamp;

use crate::input::EffectId;
use crate::snapshot::{Execution, Frame, Phase, Snapshot, Status, TaskRun};
use crate::token::TaskToken;

/// A task that has been called and has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTask {
    /// Names its call.
    pub effect: EffectId,
    /// The Task state, as the machine numbers it.
    pub state: StateId,
    /// What settles it from outside. Present for activities, `.waitForTaskToken` and `.sync`.
    pub token: Option<TaskToken>,
    /// Whether its Started event was made: for an activity, whether a worker has it.
    pub started: bool,
    /// Whether its call was accepted and it now waits for its job or its token.
    pub submitted: bool,
    /// Whether a callback came before the call was accepted, and settles the task once it is.
    pub answered: bool,
    /// `HeartbeatSeconds`.
    pub heartbeat_seconds: Option<i64>,
    /// When the next heartbeat is overdue.
    pub heartbeat_at: Option<Timestamp>,
    /// When `TimeoutSeconds` are over.
    pub timeout_at: Option<Timestamp>,
}

impl Snapshot {
    /// Who the execution is.
    pub fn execution(&self) -> &Arc<Execution> {
        &self.execution
    }

    /// Its input; `null` before the start.
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// Where it stands.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// Id of the newest history event; 0 before the start.
    pub fn last_event_id(&self) -> u64 {
        self.last_event
    }

    /// How often it has been redriven.
    pub fn redrive_count(&self) -> u32 {
        self.redrive_count
    }

    /// When the engine must be given [`crate::Input::Wake`], if nothing else happens before.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if !self.is_running() {
            return None;
        }
        let frames = self.frames.iter().filter_map(|(_, frame)| frame.due_at());
        frames.chain(self.deadline).min()
    }

    /// Whether the last step was cut short: [`crate::Input::Continue`] is to be given next.
    pub fn more(&self) -> bool {
        self.is_running() && !self.ready.is_empty()
    }

    /// The tasks that have been called and have not ended, always in the same order.
    pub fn open_tasks(&self) -> impl Iterator<Item = OpenTask> + '_ {
        self.task_runs().map(|(frame, run)| self.open_task(frame, run))
    }

    /// The open task that `token` belongs to. None when it has ended, or is another execution's.
    pub fn task_with_token(&self, token: &TaskToken) -> Option<OpenTask> {
        if *token.execution_arn() != self.execution.arn {
            return None;
        }
        let secret = Some(token.secret());
        let (frame, run) = self.task_runs().find(|(_, run)| run.token == secret)?;
        Some(self.open_task(frame, run))
    }

    /// The open task whose call `effect` is.
    pub fn task(&self, effect: EffectId) -> Option<OpenTask> {
        let (frame, run) = self.task_runs().find(|(_, run)| run.effect == effect)?;
        Some(self.open_task(frame, run))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.status == Status::Running
    }

    fn task_runs(&self) -> impl Iterator<Item = (&Frame, &TaskRun)> {
        self.frames.iter().filter_map(|(_, frame)| match &frame.phase {
            Phase::Task(run) => Some((frame, run)),
            _ => None,
        })
    }

    fn open_task(&self, frame: &Frame, run: &TaskRun) -> OpenTask {
        OpenTask {
            effect: run.effect,
            state: frame.state,
            token: run.token.map(|secret| self.token(secret)),
            started: run.started,
            submitted: run.submitted,
            answered: run.kept.is_some(),
            heartbeat_seconds: run.heartbeat_seconds,
            heartbeat_at: run.heartbeat_at,
            timeout_at: run.timeout_at,
        }
    }
}

impl Frame {
    /// When something of this frame's own falls due.
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.phase {
            Phase::Backoff { until } | Phase::Waiting { until } => Some(*until),
            Phase::Task(run) => run.due_at(),
            Phase::Enter | Phase::Attempt | Phase::Parallel { .. } | Phase::Map(_) => None,
        }
    }
}

impl TaskRun {
    /// When its timeout or its heartbeat falls due.
    pub fn due_at(&self) -> Option<Timestamp> {
        // A call that has not been accepted yet has nobody who could send a heartbeat, yet its
        // clock runs: recorded tasks without a token in their parameters time out on it.
        self.timeout_at.into_iter().chain(self.heartbeat_at).min()
    }
}
