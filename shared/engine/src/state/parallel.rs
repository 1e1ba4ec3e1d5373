use asl::state::{Parallel, StateKind};
use model::history::Event;
use model::json::Value;

use crate::failure::Raised;
use crate::interpreter::Interpreter;
use crate::scope::StateScope;
use crate::snapshot::{Frame, FrameId, Phase};

pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, parallel: &Parallel) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    let effective = scope.effective_input(&parallel.flow)?;
    let input = scope.with_input(&effective).arguments(&parallel.flow)?;
    if !i.within_payload_limit(&input) {
        return Err(Raised::data_limit_exceeded(&i.state(id).name));
    }
    let previous = i.frame(id).last_event;
    let started = i.emit(previous, Event::ParallelStateStarted);
    i.frame_mut(id).last_event = started;
    let mut children = Vec::with_capacity(parallel.branches.len());
    for (index, branch) in parallel.branches.iter().enumerate() {
        let start_at = i.machine.scope(*branch).start_at;
        let frame = Frame::new(*branch, Some((id, index)), start_at, input.clone(), started);
        let child = i.snapshot.frames.insert(frame);
        i.snapshot.ready.push_back(child);
        children.push(Some(child));
    }
    let running = children.len();
    i.frame_mut(id).phase = Phase::Parallel { children, outputs: vec![Value::Null; running], running };
    Ok(())
}

/// Branch `index` ended with `output`; `last` is its newest event.
pub(crate) fn branch_ended(i: &mut Interpreter<'_>, id: FrameId, index: usize, output: Value, last: u64) {
    let Phase::Parallel { children, outputs, running } = &mut i.frame_mut(id).phase else { return };
    children[index] = None;
    outputs[index] = output;
    *running -= 1;
    if *running > 0 {
        return;
    }
    let result = Value::from(std::mem::take(outputs));
    // Succeeded and Exited name the same predecessor.
    i.frame_mut(id).last_event = last;
    i.emit(last, Event::ParallelStateSucceeded);
    let StateKind::Parallel(parallel) = &i.state(id).kind else { return };
    let raw = i.frame(id).input.clone();
    match StateScope::of(i, id, &raw).leave(&parallel.flow, &result) {
        Ok((output, assigned)) => i.exit(id, output, assigned, parallel.transition),
        Err(raised) => i.fail(id, raised),
    }
}

/// Gives up every branch, the failed one included: recorded, a Task that failed its branch is
/// aborted like those still running.
pub(crate) fn abort(i: &mut Interpreter<'_>, id: FrameId) {
    let Phase::Parallel { children, .. } = &i.frame(id).phase else { return };
    for child in children.clone().into_iter().flatten() {
        abort_frame(i, child);
    }
    if let Phase::Parallel { children, .. } = &mut i.frame_mut(id).phase {
        children.clear();
    }
}

/// Gives up a frame and all below it, the innermost first.
pub(crate) fn abort_frame(i: &mut Interpreter<'_>, id: FrameId) {
    let last = i.frame(id).last_event;
    let state = i.state(id);
    let entered = !matches!(i.frame(id).phase, Phase::Enter);
    let aborted = match (&state.kind, &i.frame(id).phase) {
        (StateKind::Task(_), _) if entered => Some(Event::TaskStateAborted),
        (StateKind::Wait(_), _) if entered => Some(Event::WaitStateAborted),
        (StateKind::Parallel(_), Phase::Parallel { children, .. }) if !children.is_empty() => {
            abort(i, id);
            Some(Event::ParallelStateAborted)
        }
        (StateKind::Map(_), Phase::Map(run)) if !run.children.is_empty() => {
            super::map::abort(i, id, None);
            Some(Event::MapStateAborted)
        }
        _ => None,
    };
    if let Some(aborted) = aborted {
        i.emit(last, aborted);
    }
    i.remove(id);
}
