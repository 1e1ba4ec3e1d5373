use asl::state::{Pattern, Resource, StateKind, Task};
use asl::template::Field;
use model::error;
use model::error::Failure;
use model::json::{Text, Value};
use model::limits;
use model::timestamp::Timestamp;

use crate::failure::Raised;
use crate::input::{Stage, TaskOutcome};
use crate::interpreter::{Interpreter, outcome_within_limit};
use crate::scope::StateScope;
use crate::snapshot::{FrameId, Phase, TaskRun};
use crate::state::field::whole;
use crate::state::task_event::{self, Scheduled};
use crate::token::TaskToken;
use crate::transition::{Call, Effect, Iteration};

/// The cause of a task's failure whose call may have been made or not.
const OUTCOME_UNKNOWN: &str = "The outcome of the call is unknown: the driver that made it stopped before it could record the outcome. The call may or may not have taken effect.";

pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, task: &Task) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let token = awaits_token(&task.resource).then(|| i.snapshot.token(i.random.secret()));
    let scope = StateScope::of(i, id, &raw).with_token(token.as_ref());
    let effective = scope.effective_input(&task.flow)?;
    let scope = scope.with_input(&effective);
    let parameters = scope.arguments(&task.flow)?;
    let role_arn = match &task.credentials {
        Some(credentials) => Some(role_arn(&scope, &credentials.role_arn)?),
        None => None,
    };
    let timeout_seconds = match &task.timeout_seconds {
        Some(field) => Some(whole(&scope, field, "TimeoutSeconds", limits::TASK_TIMEOUT_SECONDS_MIN)?),
        None => None,
    };
    let heartbeat_seconds = match &task.heartbeat_seconds {
        Some(field) => Some(whole(&scope, field, "HeartbeatSeconds", 1)?),
        None => None,
    };
    if let (Some(heartbeat), Some(timeout)) = (heartbeat_seconds, timeout_seconds)
        && heartbeat >= timeout
    {
        return Err(scope.runtime(format!(
            "HeartbeatSeconds ({heartbeat}) must be less than TimeoutSeconds ({timeout})."
        )));
    }
    if !i.within_payload_limit(&parameters) {
        return Err(Raised::data_limit_exceeded(&scope.state().name));
    }
    if let Resource::Activity { arn } = &task.resource
        && i.env.missing_activities.contains(arn)
    {
        return Err(scope.runtime(format!("The activity {arn} does not exist.")));
    }

    let scheduled = Scheduled {
        resource: &task.resource,
        region: &i.snapshot.execution.region,
        parameters: &parameters,
        timeout_seconds,
        heartbeat_seconds,
        role_arn: role_arn.as_ref(),
    };
    let event = task_event::scheduled(&scheduled);
    let previous = i.frame(id).last_event;
    let event = i.emit(previous, event);
    let effect = i.next_effect_id();
    let now = i.env.now;
    let run = TaskRun {
        effect,
        token: token.as_ref().map(TaskToken::secret),
        timeout_at: timeout_seconds.map(|seconds| now.plus_seconds(seconds)),
        heartbeat_seconds,
        heartbeat_at: heartbeat_seconds.map(|seconds| now.plus_seconds(seconds)),
        started: false,
        submitted: false,
        kept: None,
    };
    let iteration = iterations(i, id);
    let state = i.state(id).name.clone();
    let frame = i.frame_mut(id);
    frame.last_event = event;
    frame.phase = Phase::Task(run);
    let retry_count = frame.retry_count;
    i.effect(Effect::Call(Box::new(Call {
        effect,
        state,
        iteration,
        resource: task.resource.clone(),
        parameters,
        role_arn,
        token,
        timeout_seconds,
        heartbeat_seconds,
        retry_count,
    })));
    Ok(())
}

/// Whether somebody outside may settle the task with a token. Recorded: also for `.sync` calls.
fn awaits_token(resource: &Resource) -> bool {
    match resource {
        Resource::Activity { .. } => true,
        Resource::Lambda { .. } => false,
        Resource::Integration { pattern, .. } => *pattern != Pattern::RequestResponse,
    }
}

fn role_arn(scope: &StateScope<'_>, field: &Field<Text>) -> Result<Text, Raised> {
    let value = match field {
        Field::Constant(text) => return Ok(text.clone()),
        Field::Path(path) => scope.path(path)?,
        Field::Intrinsic(expression) => scope.intrinsic(expression, || "RoleArn.$".to_owned())?,
        Field::Query(expression) => {
            let field = "Credentials/RoleArn";
            let value = scope.query(expression, || field.to_owned())?;
            if !matches!(value, Value::String(_)) {
                return Err(scope.unexpected_type(expression, field, "string", &value));
            }
            value
        }
    };
    match value {
        Value::String(text) => Ok(text),
        other => {
            Err(scope
                .runtime(format!("The field 'RoleArn' of 'Credentials' must be a string, but was: {other}")))
        }
    }
}

/// The inline Map iterations around a frame, outermost first.
fn iterations(i: &Interpreter<'_>, id: FrameId) -> Vec<Iteration> {
    let mut iterations = Vec::new();
    let mut frame = i.frame(id);
    while let Some((parent, index)) = frame.parent {
        if frame.item.is_some() {
            iterations.push(Iteration { map: i.state(parent).name.clone(), index });
        }
        frame = i.frame(parent);
    }
    iterations.reverse();
    iterations
}

/// A worker or service took the task up. Returns false when one did before.
pub(crate) fn started(i: &mut Interpreter<'_>, id: FrameId, worker: Option<Text>) -> bool {
    let StateKind::Task(task) = &i.state(id).kind else { return false };
    let now = i.env.now;
    let Phase::Task(run) = &mut i.frame_mut(id).phase else { return false };
    if run.started {
        return false;
    }
    run.started = true;
    if matches!(task.resource, Resource::Activity { .. }) {
        // An activity's heartbeat counts from when a worker has it.
        run.heartbeat_at = run.heartbeat_seconds.map(|seconds| now.plus_seconds(seconds));
    }
    let previous = i.frame(id).last_event;
    let event = i.emit(previous, task_event::started(&task.resource, worker));
    i.frame_mut(id).last_event = event;
    true
}

/// The call was accepted; the task now waits for its job or its token.
pub(crate) fn submitted(i: &mut Interpreter<'_>, id: FrameId, output: Value) {
    started(i, id, None);
    let StateKind::Task(task) = &i.state(id).kind else { return };
    let now = i.env.now;
    let Phase::Task(run) = &mut i.frame_mut(id).phase else { return };
    if run.submitted {
        return;
    }
    run.submitted = true;
    run.heartbeat_at = run.heartbeat_seconds.map(|seconds| now.plus_seconds(seconds));
    let kept = run.kept.take();
    let previous = i.frame(id).last_event;
    let event = i.emit(previous, task_event::submitted(&task.resource, output));
    i.frame_mut(id).last_event = event;
    if let Some(outcome) = kept {
        settled(i, id, outcome);
    }
}

/// The task has ended.
pub(crate) fn settled(i: &mut Interpreter<'_>, id: FrameId, outcome: TaskOutcome) {
    let StateKind::Task(task) = &i.state(id).kind else { return };
    let outcome = outcome_within_limit(i, outcome, task_event::limit_name(&task.resource));
    if !matches!(outcome, TaskOutcome::Failed { stage: Stage::Schedule | Stage::Start | Stage::Submit, .. }) {
        started(i, id, None);
    }
    let frame = i.frame_mut(id);
    let previous = frame.last_event;
    // The task is over: nothing about it is due, can settle or be cancelled any more.
    frame.phase = Phase::Attempt;
    match outcome {
        TaskOutcome::Succeeded(output) => {
            let event = i.emit(previous, task_event::succeeded(&task.resource, output.clone()));
            i.frame_mut(id).last_event = event;
            let raw = i.frame(id).input.clone();
            match StateScope::of(i, id, &raw).leave(&task.flow, &output) {
                Ok((output, assigned)) => i.exit(id, output, assigned, task.transition),
                Err(raised) => i.fail(id, raised),
            }
        }
        TaskOutcome::Failed { stage, failure } => {
            let failure = shortened(failure);
            let event = i.emit(previous, task_event::failed(&task.resource, stage, failure.clone()));
            i.frame_mut(id).last_event = event;
            i.fail(id, failure.into());
        }
    }
}

/// SendTaskSuccess or SendTaskFailure. One that comes before the call it answers has been
/// accepted is kept until then.
pub(crate) fn callback(i: &mut Interpreter<'_>, id: FrameId, outcome: TaskOutcome) {
    let StateKind::Task(task) = &i.state(id).kind else { return };
    let submits = !matches!(task.resource, Resource::Activity { .. });
    let Phase::Task(run) = &mut i.frame_mut(id).phase else { return };
    if submits && !run.submitted {
        run.kept.get_or_insert(outcome);
        return;
    }
    settled(i, id, outcome);
}

/// SendTaskHeartbeat: the heartbeat clock begins anew, the timeout goes on.
pub(crate) fn heartbeat(i: &mut Interpreter<'_>, id: FrameId, at: Timestamp) {
    let Phase::Task(run) = &mut i.frame_mut(id).phase else { return };
    let due_at = run.heartbeat_seconds.map(|seconds| at.plus_seconds(seconds));
    run.heartbeat_at = run.heartbeat_at.max(due_at);
}

/// The process that made the call is gone. Returns false when the task waits for somebody else.
pub(crate) fn lost(i: &mut Interpreter<'_>, id: FrameId) -> bool {
    let StateKind::Task(task) = &i.state(id).kind else { return false };
    let Phase::Task(run) = &mut i.frame_mut(id).phase else { return false };
    if run.submitted || matches!(task.resource, Resource::Activity { .. }) {
        return false;
    }
    let outcome = run.kept.take().unwrap_or_else(|| {
        TaskOutcome::failed(Failure::new(Text::new_static(error::TASK_FAILED), OUTCOME_UNKNOWN))
    });
    settled(i, id, outcome);
    true
}

/// The timeout or the heartbeat is due.
pub(crate) fn timed_out(i: &mut Interpreter<'_>, id: FrameId) {
    let StateKind::Task(task) = &i.state(id).kind else { return };
    let Phase::Task(run) = &i.frame(id).phase else { return };
    let timeout_comes_first = run.timeout_at.is_some_and(|at| Some(at) == run.due_at());
    let raised = if timeout_comes_first { Raised::timeout() } else { Raised::heartbeat_timeout() };
    if !matches!(task.resource, Resource::Activity { .. }) {
        started(i, id, None);
    }
    i.cancel_task(id);
    let previous = i.frame(id).last_event;
    let event = i.emit(previous, task_event::timed_out(&task.resource, raised.failure.clone()));
    let frame = i.frame_mut(id);
    frame.last_event = event;
    frame.phase = Phase::Attempt;
    i.fail(id, raised);
}

/// A failure within the lengths that the API allows.
fn shortened(failure: Failure) -> Failure {
    let cut = |text: Option<Text>, chars: usize| {
        text.map(|text| match text.char_indices().nth(chars) {
            Some((end, _)) => Text::new(&text[..end]),
            None => text,
        })
    };
    Failure {
        error: cut(failure.error, limits::ERROR_CHARS_MAX),
        cause: cut(failure.cause, limits::CAUSE_CHARS_MAX),
    }
}
