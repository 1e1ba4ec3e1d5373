//! Frames, scheduling and events: everything about a step that is not one state's business.
//!
//! A frame is a running scope. Frames that can go on stand in `ready`; a step takes one after
//! the other and advances it until it needs the world, ends, or the step has grown long enough.

use asl::machine::{Machine, StateId};
use asl::state::{Catcher, Retrier, State, StateKind, Transition as Target};
use model::error;
use model::error::Failure;
use model::history::{
    EvaluationFailed, Event, ExecutionStarted, HistoryEvent, Output, StateEntered, StateExited,
};
use model::json::{DEPTH_MAX, Map, Text, Value};
use model::timestamp::Timestamp;

use crate::failure::{Raised, retry_delay_millis};
use crate::input::{EffectId, Env, Input, TaskOutcome};
use crate::random::Random;
use crate::scope::StateScope;
use crate::snapshot::{Frame, FrameId, Phase, Snapshot, Status};
use crate::state;
use crate::token::TaskToken;
use crate::transition::{Effect, Transition, Verdict};

/// A step that has made this many events stops and says `more`.
const STEP_EVENTS_MAX: usize = 1_000;
/// So does one whose new payloads have this many bytes.
const STEP_BYTES_MAX: usize = 262_144;

/// Gives `input` to the execution and runs it as far as it can go without the world.
///
/// The result depends on the arguments alone. At most about 1,000 events or 256 KB of new
/// payloads are made; what is left is done by [`Input::Continue`], which `more` asks for.
pub fn step(machine: &Machine, snapshot: Snapshot, input: Input, env: &Env) -> Transition {
    let mut interpreter = Interpreter {
        machine,
        env,
        random: Random::new(env.seed),
        snapshot,
        history: Vec::new(),
        effects: Vec::new(),
        bytes: 0,
        history_full: false,
    };
    let verdict = interpreter.take(input);
    if verdict != Verdict::Accepted {
        return Transition::refused(interpreter.snapshot, verdict);
    }
    interpreter.run();
    Transition {
        wake_at: interpreter.snapshot.wake_at(),
        more: interpreter.snapshot.more(),
        snapshot: interpreter.snapshot,
        history: interpreter.history,
        effects: interpreter.effects,
        verdict,
    }
}

/// One step under way.
pub(crate) struct Interpreter<'a> {
    pub machine: &'a Machine,
    pub env: &'a Env,
    pub random: Random,
    pub snapshot: Snapshot,
    history: Vec<HistoryEvent>,
    effects: Vec<Effect>,
    /// Bytes of the payloads that left states in this step.
    bytes: usize,
    /// The history has reached its limit; the execution fails with the next event.
    history_full: bool,
}

/// Variables that a state assigns when it is left.
pub(crate) type Assigned = Vec<(Text, Value)>;

impl<'a> Interpreter<'a> {
    /// What is not accepted changes nothing.
    fn take(&mut self, input: Input) -> Verdict {
        if !self.running() {
            return Verdict::Ended;
        }
        match input {
            Input::Start { .. } if self.snapshot.last_event > 0 => Verdict::AlreadyStarted,
            Input::Start { input } => {
                self.start(input);
                Verdict::Accepted
            }
            Input::Continue => Verdict::Accepted,
            Input::Wake => {
                self.wake();
                Verdict::Accepted
            }
            Input::TaskStarted { effect, worker } => {
                let Some(id) = self.task_of(effect) else { return Verdict::NoSuchTask };
                if state::task::started(self, id, worker) {
                    Verdict::Accepted
                } else {
                    Verdict::AlreadyStarted
                }
            }
            Input::TaskSubmitted { effect, output } => {
                self.with_task(self.task_of(effect), |i, id| state::task::submitted(i, id, output))
            }
            Input::TaskSettled { effect, outcome } => {
                self.with_task(self.task_of(effect), |i, id| state::task::settled(i, id, outcome))
            }
            Input::TaskLost { effect } => {
                let Some(id) = self.task_of(effect) else { return Verdict::NoSuchTask };
                if state::task::lost(self, id) { Verdict::Accepted } else { Verdict::NoSuchTask }
            }
            Input::Callback { token, outcome } => {
                self.with_task(self.task_with(&token), |i, id| state::task::callback(i, id, outcome))
            }
            Input::Heartbeat { token, at } => {
                self.with_task(self.task_with(&token), |i, id| state::task::heartbeat(i, id, at))
            }
            Input::Stop { failure } => {
                self.emit(0, Event::ExecutionAborted(failure.clone()));
                self.end(Status::Aborted(failure));
                Verdict::Accepted
            }
        }
    }

    fn with_task(&mut self, task: Option<FrameId>, act: impl FnOnce(&mut Self, FrameId)) -> Verdict {
        match task {
            Some(id) => {
                act(self, id);
                Verdict::Accepted
            }
            None => Verdict::NoSuchTask,
        }
    }

    fn task_of(&self, effect: EffectId) -> Option<FrameId> {
        let mut frames = self.snapshot.frames.iter();
        frames
            .find(|(_, frame)| matches!(&frame.phase, Phase::Task(run) if run.effect == effect))
            .map(|(id, _)| id)
    }

    fn task_with(&self, token: &TaskToken) -> Option<FrameId> {
        self.task_of(self.snapshot.task_with_token(token)?.effect)
    }

    fn start(&mut self, input: Value) {
        let execution = &self.snapshot.execution;
        let event = Event::ExecutionStarted(ExecutionStarted {
            input: input.clone(),
            role_arn: execution.role_arn.clone(),
            state_machine_alias_arn: execution.state_machine_alias_arn.clone(),
            state_machine_version_arn: execution.state_machine_version_arn.clone(),
        });
        self.emit(0, event);
        self.snapshot.input = input.clone();
        self.snapshot.deadline =
            self.machine.timeout_seconds.map(|seconds| self.env.now.plus_seconds(seconds));
        let start_at = self.machine.scope(Machine::ROOT).start_at;
        // The first state's Entered event has no predecessor, like ExecutionStarted itself.
        let root = Frame::new(Machine::ROOT, None, start_at, input, 0);
        let root = self.snapshot.frames.insert(root);
        self.snapshot.ready.push_back(root);
    }

    /// Everything that is due, in the order in which it fell due.
    fn wake(&mut self) {
        let now = self.env.now;
        let mut due: Vec<(Timestamp, FrameId)> = self
            .snapshot
            .frames
            .iter()
            .filter_map(|(id, frame)| frame.due_at().filter(|at| *at <= now).map(|at| (at, id)))
            .collect();
        due.sort();
        for (at, id) in due {
            if self.snapshot.deadline.is_some_and(|deadline| deadline <= at) {
                break;
            }
            // An earlier timeout may have ended this frame, or the whole execution.
            if !self.snapshot.frames.contains(id) {
                continue;
            }
            match &self.frame(id).phase {
                Phase::Backoff { .. } => {
                    self.frame_mut(id).phase = Phase::Attempt;
                    self.snapshot.ready.push_back(id);
                }
                Phase::Waiting { .. } => state::wait::woken(self, id),
                Phase::Task(run) if run.due_at() == Some(at) => state::task::timed_out(self, id),
                _ => {}
            }
        }
        let deadline = self.snapshot.deadline.filter(|deadline| *deadline <= now);
        if deadline.is_some() && self.running() {
            self.emit(0, Event::ExecutionTimedOut(Failure::named(Text::new_static(error::TIMEOUT))));
            self.end(Status::TimedOut);
        }
    }

    /// Advances frames until none can go on, or the step has grown long enough.
    fn run(&mut self) {
        while self.running() {
            if self.history_full {
                return self.fail_on_full_history();
            }
            if self.history.len() >= STEP_EVENTS_MAX || self.bytes >= STEP_BYTES_MAX {
                return;
            }
            let Some(id) = self.snapshot.ready.pop_front() else { return };
            match self.frame(id).phase {
                Phase::Enter => self.enter(id),
                Phase::Attempt => self.attempt(id),
                _ => {}
            }
        }
    }

    fn enter(&mut self, id: FrameId) {
        let now = self.env.now;
        let frame = self.snapshot.frames.get(id);
        let state = self.machine.state(frame.state);
        let entered = StateEntered { name: state.name.clone(), input: frame.input.clone() };
        let previous = frame.last_event;
        let event = self.emit(previous, entered_event(&state.kind, entered));
        let frame = self.frame_mut(id);
        frame.entered_at = now;
        frame.entered_event = event;
        frame.before_entered = previous;
        frame.last_event = event;
        frame.retries.clear();
        frame.retry_count = 0;
        self.attempt(id);
    }

    fn attempt(&mut self, id: FrameId) {
        let state = self.state(id);
        let begun = match &state.kind {
            StateKind::Task(task) => state::task::begin(self, id, task),
            StateKind::Parallel(parallel) => state::parallel::begin(self, id, parallel),
            StateKind::Map(map) => state::map::begin(self, id, map),
            StateKind::Pass(pass) => state::pass::begin(self, id, pass),
            StateKind::Wait(wait) => state::wait::begin(self, id, wait),
            StateKind::Choice(choice) => state::choice::begin(self, id, choice),
            StateKind::Succeed(succeed) => state::succeed::begin(self, id, succeed),
            StateKind::Fail(fail) => state::fail::begin(self, id, fail),
        };
        if let Err(raised) = begun {
            self.fail(id, raised);
        }
    }

    /// Leaves the state with `output` and goes where `target` points.
    pub fn exit(&mut self, id: FrameId, output: Value, assigned: Assigned, target: Target) {
        let state = self.state(id);
        if !self.within_payload_limit(&output) {
            // Between two states: no catcher sees it.
            let raised = Raised::data_limit_exceeded(&state.name);
            return self.fail_execution(id, raised.failure);
        }
        if output.depth() > DEPTH_MAX {
            let detail = format!("the output is nested deeper than {DEPTH_MAX} levels");
            let raised = StateScope::of(self, id, &output).runtime(detail);
            return self.fail_execution(id, raised.failure);
        }
        if let Err(raised) = self.check_assigned(id, &assigned) {
            return self.fail_scope(id, raised.failure);
        }
        self.bytes += output.json_len();
        let assigned_variables = (!assigned.is_empty()).then(|| assigned.iter().cloned().collect::<Value>());
        let exited = StateExited { name: state.name.clone(), output: output.clone(), assigned_variables };
        let previous = self.frame(id).last_event;
        let event = self.emit(previous, exited_event(&state.kind, exited));
        let frame = self.frame_mut(id);
        frame.last_event = event;
        frame.variables.extend(assigned);
        match target {
            Target::Next(next) => {
                frame.state = next;
                frame.input = output;
                frame.phase = Phase::Enter;
                self.snapshot.ready.push_front(id);
            }
            Target::End => self.finish_scope(id, output),
        }
    }

    /// The scope of this frame ended with `output`.
    fn finish_scope(&mut self, id: FrameId, output: Value) {
        let frame = self.frame(id);
        let (last, parent) = (frame.last_event, frame.parent);
        match parent {
            None => {
                self.emit(last, Event::ExecutionSucceeded(Output { output: output.clone() }));
                if !self.history_full {
                    self.end(Status::Succeeded(output));
                }
            }
            Some((parent, index)) => {
                self.snapshot.frames.remove(id);
                match self.frame(parent).phase {
                    Phase::Parallel { .. } => {
                        state::parallel::branch_ended(self, parent, index, output, last)
                    }
                    Phase::Map(_) => state::map::iteration_ended(self, parent, index, output, last),
                    _ => {}
                }
            }
        }
    }

    /// The state failed: Retry, then Catch, then its scope fails.
    pub fn fail(&mut self, id: FrameId, raised: Raised) {
        self.evaluation_failed(id, &raised);
        let state = self.state(id);
        let (retry, catch) = retry_and_catch(&state.kind);
        if let Some(until) = self.next_attempt(id, retry, &raised) {
            self.frame_mut(id).phase = Phase::Backoff { until };
            return;
        }
        if raised.inner || raised.evaluation.is_some() {
            let previous = self.frame(id).last_event;
            let failed = match state.kind {
                StateKind::Parallel(_) => Some(Event::ParallelStateFailed),
                StateKind::Map(_) => Some(Event::MapStateFailed),
                _ => None,
            };
            if let Some(failed) = failed {
                let event = self.emit(previous, failed);
                self.frame_mut(id).last_event = event;
            }
        }
        match catch.iter().find(|catcher| raised.matches(&catcher.error_equals)) {
            Some(catcher) => self.caught(id, catcher, raised.failure),
            None => self.fail_scope(id, raised.failure),
        }
    }

    fn caught(&mut self, id: FrameId, catcher: &Catcher, failure: Failure) {
        let error_output = failure.error_output();
        let input = self.frame(id).input.clone();
        let scope = StateScope::of(self, id, &input).with_error_output(&error_output);
        match scope.catch(catcher) {
            Ok((output, assigned)) => self.exit(id, output, assigned, Target::Next(catcher.next)),
            Err(raised) => {
                self.evaluation_failed(id, &raised);
                self.fail_scope(id, raised.failure);
            }
        }
    }

    /// The scope of this frame failed.
    pub fn fail_scope(&mut self, id: FrameId, failure: Failure) {
        let frame = self.frame(id);
        let Some((parent, index)) = frame.parent else {
            return self.fail_execution(id, failure);
        };
        let last = frame.last_event;
        match self.frame(parent).phase {
            Phase::Parallel { .. } => state::parallel::abort(self, parent),
            Phase::Map(_) => state::map::iteration_failed(self, parent, index, last),
            _ => {}
        }
        self.frame_mut(parent).last_event = last;
        self.fail(parent, Raised { inner: true, ..failure.into() });
    }

    fn fail_execution(&mut self, id: FrameId, failure: Failure) {
        let last = self.frame(id).last_event;
        self.emit(last, Event::ExecutionFailed(failure.clone()));
        if !self.history_full {
            self.end(Status::Failed(failure));
        }
    }

    /// When a retrier wants another attempt, the time of it.
    fn next_attempt(&mut self, id: FrameId, retry: &[Retrier], raised: &Raised) -> Option<Timestamp> {
        let at = retry.iter().position(|retrier| raised.matches(&retrier.error_equals))?;
        let frame = self.snapshot.frames.get_mut(id);
        frame.retries.resize(retry.len(), 0);
        if frame.retries[at] >= retry[at].max_attempts {
            return None;
        }
        frame.retries[at] += 1;
        frame.retry_count += 1;
        let delay = retry_delay_millis(&retry[at], frame.retries[at], &self.random);
        Some(self.env.now.plus_millis(delay))
    }

    fn evaluation_failed(&mut self, id: FrameId, raised: &Raised) {
        let Some(evaluation) = &raised.evaluation else { return };
        let frame = self.frame(id);
        let previous = if frame.last_event == frame.entered_event && !evaluation.begun {
            frame.before_entered
        } else {
            frame.last_event
        };
        let event = Event::EvaluationFailed(EvaluationFailed {
            error: raised.failure.error.clone().unwrap_or_default(),
            cause: raised.failure.cause.clone().unwrap_or_default(),
            location: evaluation.location.clone(),
            state: self.state(id).name.clone(),
        });
        let event = self.emit(previous, event);
        self.frame_mut(id).last_event = event;
    }

    /// Ends the execution: nothing runs any more, running tasks are cancelled, calls of this
    /// very step are not made.
    fn end(&mut self, status: Status) {
        for effect in self.snapshot.end(status) {
            self.cancel(effect);
        }
    }

    /// Nobody waits for the task of this frame any more.
    pub fn cancel_task(&mut self, id: FrameId) {
        let Phase::Task(run) = &self.frame(id).phase else { return };
        self.cancel(run.effect);
    }

    fn cancel(&mut self, effect: EffectId) {
        let calls = self.effects.len();
        self.effects.retain(|planned| !matches!(planned, Effect::Call(call) if call.effect == effect));
        if self.effects.len() == calls {
            self.effects.push(Effect::Cancel { effect });
        }
    }

    /// Removes a frame that is given up; its own children are already gone.
    pub fn remove(&mut self, id: FrameId) {
        self.cancel_task(id);
        self.snapshot.ready.retain(|ready| *ready != id);
        self.snapshot.frames.remove(id);
    }

    /// Removes a frame and all below it, without events.
    pub fn remove_tree(&mut self, id: FrameId) {
        for (_, child) in self.frame(id).children() {
            self.remove_tree(child);
        }
        self.remove(id);
    }

    fn fail_on_full_history(&mut self) {
        self.history_full = false;
        let max = self.env.limits.history_events_max.unwrap_or(u64::MAX);
        let cause = format!("The execution reached the maximum number of history events ({max}).");
        let failure = Failure::new(Text::new_static(error::RUNTIME), cause);
        let last = self.snapshot.last_event;
        self.record(last, Event::ExecutionFailed(failure.clone()));
        self.end(Status::Failed(failure));
    }

    /// Appends an event and gives its id. The last id below the history limit is kept free for
    /// the failure that says so; what would come after is dropped.
    ///
    /// Source: recorded histories end with ExecutionFailed as event number 25,000.
    pub fn emit(&mut self, previous: u64, event: Event) -> u64 {
        let full = self.env.limits.history_events_max.is_some_and(|max| self.snapshot.last_event + 1 >= max);
        let from_outside = matches!(event, Event::ExecutionAborted(_) | Event::ExecutionTimedOut(_));
        if full && !from_outside {
            self.history_full = true;
            return self.snapshot.last_event;
        }
        self.record(previous, event)
    }

    fn record(&mut self, previous: u64, event: Event) -> u64 {
        self.snapshot.last_event += 1;
        let id = self.snapshot.last_event;
        self.history.push(HistoryEvent { id, previous_event_id: previous, timestamp: self.env.now, event });
        id
    }

    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub fn next_effect_id(&mut self) -> EffectId {
        self.snapshot.last_effect += 1;
        EffectId(self.snapshot.last_effect)
    }

    pub fn frame(&self, id: FrameId) -> &Frame {
        self.snapshot.frames.get(id)
    }

    pub fn frame_mut(&mut self, id: FrameId) -> &mut Frame {
        self.snapshot.frames.get_mut(id)
    }

    /// The definition of the state that this frame is in.
    pub fn state(&self, id: FrameId) -> &'a State {
        let machine = self.machine;
        machine.state(self.frame(id).state)
    }

    fn running(&self) -> bool {
        self.snapshot.is_running()
    }

    pub fn within_payload_limit(&self, payload: &Value) -> bool {
        self.env.limits.payload_bytes_max.is_none_or(|max| payload.json_len() <= max)
    }

    /// The limits on variables: one, all of one Assign, all of an execution.
    fn check_assigned(&self, id: FrameId, assigned: &Assigned) -> Result<(), Raised> {
        if assigned.is_empty() {
            return Ok(());
        }
        let limits = &self.env.limits;
        let sizes: usize = assigned.iter().map(|(_, value)| value.json_len()).sum();
        let one = assigned
            .iter()
            .find(|(_, value)| limits.variable_bytes_max.is_some_and(|max| value.json_len() > max));
        let what = if let Some((name, _)) = one {
            format!("The variable '{name}' assigned by")
        } else if limits.assign_bytes_max.is_some_and(|max| sizes > max) {
            "The field 'Assign' of".to_owned()
        } else if limits.variables_bytes_max.is_some_and(|max| self.variables_len() + sizes > max) {
            "The variables of the execution after".to_owned()
        } else {
            return Ok(());
        };
        let name = &self.state(id).name;
        let cause = format!("{what} the state '{name}' exceeds the maximum number of bytes service limit.");
        Err(Raised::new(error::DATA_LIMIT_EXCEEDED, cause))
    }

    fn variables_len(&self) -> usize {
        let frames = self.snapshot.frames.iter();
        frames.flat_map(|(_, frame)| frame.variables.values()).map(Value::json_len).sum()
    }
}

impl Frame {
    pub fn new(
        scope: asl::machine::ScopeId,
        parent: Option<(FrameId, usize)>,
        state: StateId,
        input: Value,
        last_event: u64,
    ) -> Frame {
        Frame {
            scope,
            parent,
            item: None,
            variables: Map::default(),
            last_event,
            state,
            input,
            entered_at: Timestamp::EPOCH,
            entered_event: 0,
            before_entered: 0,
            retries: Vec::new(),
            retry_count: 0,
            phase: Phase::Enter,
        }
    }
}

fn retry_and_catch(kind: &StateKind) -> (&[Retrier], &[Catcher]) {
    match kind {
        StateKind::Task(task) => (&task.retry, &task.catch),
        StateKind::Parallel(parallel) => (&parallel.retry, &parallel.catch),
        StateKind::Map(map) => (&map.retry, &map.catch),
        _ => (&[], &[]),
    }
}

fn entered_event(kind: &StateKind, entered: StateEntered) -> Event {
    match kind {
        StateKind::Task(_) => Event::TaskStateEntered(entered),
        StateKind::Parallel(_) => Event::ParallelStateEntered(entered),
        StateKind::Map(_) => Event::MapStateEntered(entered),
        StateKind::Pass(_) => Event::PassStateEntered(entered),
        StateKind::Wait(_) => Event::WaitStateEntered(entered),
        StateKind::Choice(_) => Event::ChoiceStateEntered(entered),
        StateKind::Succeed(_) => Event::SucceedStateEntered(entered),
        StateKind::Fail(_) => Event::FailStateEntered(entered),
    }
}

fn exited_event(kind: &StateKind, exited: StateExited) -> Event {
    match kind {
        StateKind::Task(_) => Event::TaskStateExited(exited),
        StateKind::Parallel(_) => Event::ParallelStateExited(exited),
        StateKind::Map(_) => Event::MapStateExited(exited),
        StateKind::Pass(_) => Event::PassStateExited(exited),
        StateKind::Wait(_) => Event::WaitStateExited(exited),
        StateKind::Choice(_) => Event::ChoiceStateExited(exited),
        // A Fail state has no Exited event and never comes here.
        StateKind::Succeed(_) | StateKind::Fail(_) => Event::SucceedStateExited(exited),
    }
}

/// Whether a settled outcome fits into the payload limit; a larger result is a failure of the task.
pub(crate) fn outcome_within_limit(i: &Interpreter<'_>, outcome: TaskOutcome, task: &str) -> TaskOutcome {
    match outcome {
        TaskOutcome::Succeeded(output) if !i.within_payload_limit(&output) => {
            TaskOutcome::failed(Raised::data_limit_exceeded(task).failure)
        }
        outcome => outcome,
    }
}
