//! Running the engine on a case: the recorded results go in, and time passes at once.

use std::collections::VecDeque;
use std::sync::Arc;

use asl::machine::Machine;
use asl::state::{Resource, StateKind};
use engine::{Call, Effect, EffectId, Env, Input, Snapshot, Stage, Status, Transition, Verdict};
use model::history::HistoryEvent;
use model::json::{Text, Value};

use super::case::{Attempt, AttemptEnd, Case, STARTED_AT};
use super::recorded::{Recorded, ends_by_token};

/// What the engine made of a case.
#[derive(Debug)]
pub struct Replay {
    /// Where the execution ended.
    pub status: Status,
    /// Its history.
    pub history: Vec<HistoryEvent>,
    /// The calls that were answered: index into the case's tasks, and what was sent.
    pub calls: Vec<(usize, Value)>,
}

/// Inputs after which a replay counts as endless.
const INPUTS_MAX: usize = 200_000;

/// Replays `case`; the error says why the execution did not reach an end.
pub fn replay(case: &Arc<Case>, machine: &Machine) -> Result<Replay, String> {
    let mut env = Env::new(STARTED_AT, 0);
    env.missing_activities = case.missing_activities(&activities(machine));
    let mut recorded = Recorded::new(case.clone());
    let mut queue = VecDeque::from([Input::Start { input: case.input.clone() }]);
    let (mut snapshot, mut history) = (Snapshot::new(case.execution.clone()), Vec::new());
    let (mut wake_at, mut more) = (None, false);
    for _ in 0..INPUTS_MAX {
        let input = if more {
            Input::Continue
        } else if !matches!(snapshot.status(), Status::Running) {
            return Ok(Replay { status: snapshot.status().clone(), history, calls: recorded.calls });
        } else if let Some(input) = queue.pop_front() {
            input
        } else if let Some(failure) = stop_now(case, history.len(), wake_at.is_some()) {
            Input::Stop { failure }
        } else if let Some(at) = wake_at {
            env.now = env.now.max(at);
            Input::Wake
        } else {
            return Err(format!("it waits for nothing after event {}", history.len()));
        };
        env.seed = env.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let named = format!("{input:?}");
        let transition = engine::step(machine, snapshot, input, &env);
        if transition.verdict != Verdict::Accepted {
            let named: String = named.chars().take(300).collect();
            return Err(format!("the engine answered {:?} to {named}", transition.verdict));
        }
        let Transition { snapshot: after, history: events, effects, wake_at: wake, more: cut, .. } =
            transition;
        (snapshot, wake_at, more) = (after, wake, cut);
        history.extend(events);
        for effect in effects {
            match effect {
                Effect::Call(call) => queue.extend(answer(&mut recorded, &call)?),
                Effect::Cancel { effect } => queue.retain(|input| effect_of(input) != Some(effect)),
            }
        }
    }
    Err(format!("it did not end within {INPUTS_MAX} inputs"))
}

/// The activities that a machine names: each with the state that does.
pub fn activities(machine: &Machine) -> Vec<(Text, Text)> {
    let activities = machine.states.iter().filter_map(|state| match &state.kind {
        StateKind::Task(task) => match &task.resource {
            Resource::Activity { arn } => Some((state.name.clone(), arn.clone())),
            _ => None,
        },
        _ => None,
    });
    activities.collect()
}

/// StopExecution comes when all that was recorded before it has happened, or when nothing else
/// is going to.
fn stop_now(case: &Case, events: usize, waits: bool) -> Option<model::error::Failure> {
    case.stop.clone().filter(|_| events >= case.events_before_stop() || !waits)
}

fn effect_of(input: &Input) -> Option<EffectId> {
    match input {
        Input::TaskStarted { effect, .. }
        | Input::TaskSubmitted { effect, .. }
        | Input::TaskSettled { effect, .. } => Some(*effect),
        _ => None,
    }
}

/// What happens to a call, in order.
fn answer(recorded: &mut Recorded, call: &Call) -> Result<Vec<Input>, String> {
    let (effect, attempt) = (call.effect, recorded.attempt(call)?);
    let mut inputs = Vec::new();
    if matches!(call.resource, Resource::Activity { .. }) {
        if let Some(worker) = recorded.worker() {
            inputs.push(Input::TaskStarted { effect, worker: worker.name });
        }
    } else if !never_started(&attempt) {
        inputs.push(Input::TaskStarted { effect, worker: None });
    }
    if let Some(output) = &attempt.submitted {
        inputs.push(Input::TaskSubmitted { effect, output: output.clone() });
    }
    let by_token = ends_by_token(&attempt, &call.resource);
    let Some(outcome) = attempt.end.outcome() else { return Ok(inputs) };
    inputs.push(match &call.token {
        Some(token) if by_token => Input::Callback { token: token.clone(), outcome },
        _ => Input::TaskSettled { effect, outcome },
    });
    Ok(inputs)
}

fn never_started(attempt: &Attempt) -> bool {
    matches!(attempt.end, AttemptEnd::Failed(Stage::Schedule | Stage::Start | Stage::Submit, _))
}
