//! Where payloads are, for those who store them elsewhere.
//!
//! Each `visit_payloads` shows every payload of its subject once, in an order that depends on the
//! subject alone, and looks into none. `visit` may replace a payload by any other value, such as a
//! text that says where it went; whoever did so puts it back before the engine sees it again.

use model::json::Value;

use crate::input::{Input, TaskOutcome};
use crate::snapshot::{Frame, Phase, Snapshot, Status};
use crate::transition::{Call, Effect};

impl Snapshot {
    /// Shows `visit` every payload that is stored with it: the execution's output, and in each running scope
    /// the state's input, the item, the variables, the items and results of a Map or Parallel and
    /// a callback that was kept. They cost nothing to visit, and nothing is copied.
    pub fn visit_payloads(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match &mut self.status {
            Status::Succeeded(output) => visit(output),
            Status::Running | Status::Failed(_) | Status::TimedOut | Status::Aborted(_) => {}
        }
        for frame in self.frames.iter_mut() {
            frame.visit_payloads(visit);
        }
    }
}

impl Frame {
    fn visit_payloads(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        visit(&mut self.input);
        self.item.iter_mut().for_each(&mut *visit);
        self.variables.values_mut().for_each(&mut *visit);
        match &mut self.phase {
            Phase::Task(run) => {
                if let Some(outcome) = &mut run.kept {
                    outcome.visit_payloads(visit);
                }
            }
            Phase::Parallel { outputs, .. } => outputs.iter_mut().for_each(visit),
            Phase::Map(run) => {
                visit(&mut run.items);
                run.outputs.iter_mut().for_each(visit);
            }
            Phase::Enter | Phase::Attempt | Phase::Backoff { .. } | Phase::Waiting { .. } => {}
        }
    }
}

impl Input {
    /// Shows `visit` the payload, when there is one.
    pub fn visit_payloads(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            Input::Start { input } => visit(input),
            Input::TaskSubmitted { output, .. } => visit(output),
            Input::TaskSettled { outcome, .. } | Input::Callback { outcome, .. } => {
                outcome.visit_payloads(visit);
            }
            Input::Continue
            | Input::Wake
            | Input::TaskStarted { .. }
            | Input::TaskLost { .. }
            | Input::Heartbeat { .. }
            | Input::Stop { .. } => {}
        }
    }
}

impl TaskOutcome {
    /// Shows `visit` the result of a success.
    pub fn visit_payloads(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            TaskOutcome::Succeeded(result) => visit(result),
            TaskOutcome::Failed { .. } => {}
        }
    }
}

impl Effect {
    /// Shows `visit` the parameters of a call.
    pub fn visit_payloads(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        match self {
            Effect::Call(call) => call.visit_payloads(visit),
            Effect::Cancel { .. } => {}
        }
    }
}

impl Call {
    /// Shows `visit` the parameters.
    pub fn visit_payloads(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        visit(&mut self.parameters);
    }
}
