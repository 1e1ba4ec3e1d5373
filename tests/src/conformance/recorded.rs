//! The recorded tasks of a case, as they are used up.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use asl::state::{Pattern, Resource};
use engine::{Call, Iteration};
use model::json::{Text, Value};

use super::case::{Attempt, Case, RecordedTask, Worker};

/// A state in an iteration.
type Place = (Text, Vec<Iteration>);

/// Which call stands for which recorded attempt.
pub struct Recorded {
    case: Arc<Case>,
    /// The task that a place is visiting, and its attempts so far.
    visits: HashMap<Place, (usize, usize)>,
    used: Vec<bool>,
    /// Who takes the next scheduled activity.
    workers: VecDeque<Option<Worker>>,
    /// The calls that were answered: index into the case's tasks, and what was sent.
    pub calls: Vec<(usize, Value)>,
}

impl Recorded {
    /// The tasks of `case`, none used.
    pub fn new(case: Arc<Case>) -> Recorded {
        let (used, workers) = (vec![false; case.tasks.len()], case.workers().into());
        Recorded { case, visits: HashMap::new(), used, workers, calls: Vec::new() }
    }

    /// The attempt that `call` stands for; the error says that none was recorded.
    pub fn attempt(&mut self, call: &Call) -> Result<Attempt, String> {
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
        attempt.cloned().ok_or_else(|| format!("{} has no recorded attempt", described(call)))
    }

    /// Who takes the activity that was scheduled next; `None` when nobody did.
    pub fn worker(&mut self) -> Option<Worker> {
        self.workers.pop_front().flatten()
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
}

/// Whether what ends the attempt comes through the task's token.
pub fn ends_by_token(attempt: &Attempt, resource: &Resource) -> bool {
    attempt.submitted.is_some()
        && matches!(resource, Resource::Integration { pattern: Pattern::WaitForTaskToken, .. })
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
