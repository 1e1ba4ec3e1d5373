//! Running the engine on a case: the recorded results go in, and time passes at once.

use std::collections::{HashMap, VecDeque};

use asl::machine::Machine;
use asl::state::{Pattern, Resource, StateKind};
use engine::{
    Call, Effect, EffectId, Env, Input, Iteration, Snapshot, Status, TaskOutcome, Transition, Verdict,
};
use model::history::HistoryEvent;
use model::json::{Text, Value};

use super::case::{Attempt, AttemptEnd, Case, RecordedTask, STARTED_AT, Worker};

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
pub fn replay(case: &Case, machine: &Machine) -> Result<Replay, String> {
    let activities = machine.states.iter().filter_map(|state| match &state.kind {
        StateKind::Task(task) => match &task.resource {
            Resource::Activity { arn } => Some((state.name.clone(), arn.clone())),
            _ => None,
        },
        _ => None,
    });
    let activities: Vec<(Text, Text)> = activities.collect();
    let mut env = Env::new(STARTED_AT, 0);
    env.missing_activities = case.missing_activities(&activities);
    let mut world = World::new(case);
    let mut queue = VecDeque::from([Input::Start { input: case.input.clone() }]);
    let (mut snapshot, mut history) = (Snapshot::new(case.execution.clone()), Vec::new());
    let (mut wake_at, mut more) = (None, false);
    for _ in 0..INPUTS_MAX {
        let input = if more {
            Input::Continue
        } else if !matches!(snapshot.status(), Status::Running) {
            return Ok(Replay { status: snapshot.status().clone(), history, calls: world.calls });
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
                Effect::Call(call) => queue.extend(world.answer(&call)?),
                Effect::Cancel { effect } => queue.retain(|input| effect_of(input) != Some(effect)),
            }
        }
    }
    Err(format!("it did not end within {INPUTS_MAX} inputs"))
}

/// StopExecution comes when all that was recorded before it has happened, or when nothing else
/// is going to.
fn stop_now(case: &Case, events: usize, waits: bool) -> Option<model::error::Failure> {
    let before_stop = case.expected.history.as_ref().map_or(0, |history| history.len().saturating_sub(1));
    case.stop.clone().filter(|_| events >= before_stop || !waits)
}

fn effect_of(input: &Input) -> Option<EffectId> {
    match input {
        Input::TaskStarted { effect, .. }
        | Input::TaskSubmitted { effect, .. }
        | Input::TaskSettled { effect, .. } => Some(*effect),
        _ => None,
    }
}

/// A state in an iteration.
type Place = (Text, Vec<Iteration>);

/// The recorded tasks, as they are used up.
struct World<'c> {
    case: &'c Case,
    /// The task that a place is visiting, and its attempts so far.
    visits: HashMap<Place, (usize, usize)>,
    used: Vec<bool>,
    /// Who takes the next scheduled activity.
    workers: VecDeque<Option<Worker>>,
    calls: Vec<(usize, Value)>,
}

impl<'c> World<'c> {
    fn new(case: &'c Case) -> World<'c> {
        let (used, workers) = (vec![false; case.tasks.len()], case.workers().into());
        World { case, visits: HashMap::new(), used, workers, calls: Vec::new() }
    }

    /// What happens to a call, in order.
    fn answer(&mut self, call: &Call) -> Result<Vec<Input>, String> {
        let place = (call.state.clone(), call.iteration.clone());
        let current = self.visits.get(&place).copied().filter(|_| call.retry_count > 0);
        let recorded = |(task, made): &(usize, usize)| *made < self.case.tasks[*task].attempts.len();
        let (task, made) = match current.filter(recorded) {
            Some(visit) => visit,
            None => (self.next_visit(call, current.is_some())?, 0),
        };
        self.visits.insert(place, (task, made + 1));
        self.calls.push((task, call.parameters.clone()));
        let attempt = self.case.tasks[task].attempts.get(made);
        let attempt = attempt.ok_or_else(|| format!("{} has no recorded attempt", described(call)))?;
        Ok(self.inputs(call, attempt))
    }

    fn next_visit(&mut self, call: &Call, retried: bool) -> Result<usize, String> {
        if retried && !self.case.tasks_unlinked {
            return Err(format!("{} was attempted more often than recorded", described(call)));
        }
        let is_it = |task: &RecordedTask| match &task.state {
            Some(state) => *state == call.state && task.iteration == call.iteration,
            None => task.resource == *call.resource.arn() || task.resource == event_resource(&call.resource),
        };
        let tasks = self.case.tasks.iter().enumerate();
        let mut unused = tasks.filter(|(at, task)| !self.used[*at] && is_it(task)).map(|(at, _)| at);
        let task = unused.next().ok_or_else(|| format!("{} was called but not recorded", described(call)))?;
        self.used[task] = true;
        Ok(task)
    }

    fn inputs(&mut self, call: &Call, attempt: &Attempt) -> Vec<Input> {
        let effect = call.effect;
        let mut inputs = Vec::new();
        let never_started = matches!(
            attempt.end,
            AttemptEnd::Failed(engine::Stage::Schedule | engine::Stage::Start | engine::Stage::Submit, _)
        );
        if matches!(call.resource, Resource::Activity { .. }) {
            if let Some(worker) = self.workers.pop_front().flatten() {
                inputs.push(Input::TaskStarted { effect, worker: worker.name });
            }
        } else if !never_started {
            inputs.push(Input::TaskStarted { effect, worker: None });
        }
        if let Some(output) = &attempt.submitted {
            inputs.push(Input::TaskSubmitted { effect, output: output.clone() });
        }
        let outcome = match &attempt.end {
            AttemptEnd::Succeeded(output) => TaskOutcome::Succeeded(output.clone()),
            AttemptEnd::Failed(stage, failure) => {
                TaskOutcome::Failed { stage: *stage, failure: failure.clone() }
            }
            AttemptEnd::Never => return inputs,
        };
        let by_token = attempt.submitted.is_some()
            && matches!(call.resource, Resource::Integration { pattern: Pattern::WaitForTaskToken, .. });
        inputs.push(match &call.token {
            Some(token) if by_token => Input::Callback { token: token.clone(), outcome },
            _ => Input::TaskSettled { effect, outcome },
        });
        inputs
    }
}

fn described(call: &Call) -> String {
    let iterations =
        call.iteration.iter().map(|iteration| format!(" of {}[{}]", iteration.map, iteration.index));
    format!("state `{}`{}", call.state, iterations.collect::<String>())
}

/// What a TaskScheduled event calls the resource: `sendMessage.waitForTaskToken`.
fn event_resource(resource: &Resource) -> String {
    match resource {
        Resource::Lambda { arn } | Resource::Activity { arn } => arn.to_string(),
        Resource::Integration { action, pattern, .. } => format!("{action}{}", pattern.suffix()),
    }
}
