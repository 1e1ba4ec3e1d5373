//! The end of an execution that cannot be interpreted.

use model::error::Failure;
use model::history::{Event, HistoryEvent};

use crate::input::Env;
use crate::snapshot::{Snapshot, Status};
use crate::transition::{Effect, Transition, Verdict};

/// Ends a running execution with ExecutionFailed, without interpreting anything: for one on which
/// [`crate::step`] itself fails. Its running tasks are cancelled; no state sees the failure.
///
/// An execution that has ended stays as it is ([`Verdict::Ended`]).
pub fn give_up(mut snapshot: Snapshot, failure: Failure, env: &Env) -> Transition {
    if !snapshot.is_running() {
        return Transition::refused(snapshot, Verdict::Ended);
    }
    let top = snapshot.frames.iter().find(|(_, frame)| frame.parent.is_none());
    let previous_event_id = top.map_or(0, |(_, frame)| frame.last_event).min(snapshot.last_event);
    snapshot.last_event = snapshot.last_event.saturating_add(1);
    let event = HistoryEvent {
        id: snapshot.last_event,
        previous_event_id,
        timestamp: env.now,
        event: Event::ExecutionFailed(failure.clone()),
    };
    let effects = snapshot.end(Status::Failed(failure)).into_iter();
    Transition {
        effects: effects.map(|effect| Effect::Cancel { effect }).collect(),
        history: vec![event],
        wake_at: None,
        more: false,
        verdict: Verdict::Accepted,
        snapshot,
    }
}
