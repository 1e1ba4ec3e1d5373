//! Jobs of `.sync` tasks: asked for until they have ended, and ended with their task.

use asl::state::{Pattern, Resource};
use aws_client::Failed;
use aws_wire::convention::{Optimized, arguments, output};
use engine::{Call, Execution, TaskOutcome};
use integrations::{Job as Started, Polled};
use model::error::{Failure, TASK_FAILED};
use model::json::{Map, Value};
use model::timestamp::Timestamp;

use super::table::{Action, Ask, Family, From, Job, Part};
use super::{operation, pattern, table};
use crate::Services;

/// For so long after a start a refusal is taken for one that passes: what was started a moment ago is
/// not known everywhere.
const DOUBT_MILLIS: i64 = 60_000;

/// The job that a task has started.
pub(crate) fn of(call: &Call) -> Option<(&'static Family, &'static Action, &'static Job)> {
    let Resource::Integration { service, action, pattern: Pattern::Sync | Pattern::Sync2, .. } =
        &call.resource
    else {
        return None;
    };
    let (family, action) = table::find(service, action)?;
    Some((family, action, action.job.as_ref()?))
}

/// Whether a start that was answered has started nothing.
pub(crate) fn check_started(family: &Family, job: &Job, output: &Value) -> Result<(), Failure> {
    let failures =
        at(output, "Failures").and_then(Value::as_array).is_some_and(|failures| !failures.is_empty());
    if job.exit_codes && failures && at(output, "Tasks.0").is_none() {
        let mut told = output.as_object().map(|told| told.clone().into_map()).unwrap_or_default();
        told.retain(|name, _| !name.starts_with("Sdk"));
        let error = format!("{}.AmazonECSException", family.style.prefix());
        return Err(Failure::new(error, Value::from(told).to_json()));
    }
    Ok(())
}

/// Looks after a job.
pub(crate) async fn poll(
    services: &Services,
    started: &Started,
    execution: &Execution,
    now: Timestamp,
) -> Polled {
    let Some((family, _, job)) = of(&started.call) else { return Polled::Running };
    let answered = match ask(services, family, &job.poll, started, execution).await {
        Ok(answered) => answered,
        Err(Asked::Absent) if job.ends_absent => {
            return Polled::Ended(TaskOutcome::Succeeded(without_metadata(&started.output)));
        }
        Err(Asked::Absent | Asked::Unknown) => return Polled::Running,
        Err(Asked::Refused(failure)) => {
            let doubtful = now.millis_since(started.since) < DOUBT_MILLIS;
            return if doubtful { Polled::Running } else { Polled::Ended(TaskOutcome::failed(failure)) };
        }
    };
    let Some(state) = at(&answered, job.state).and_then(Value::as_str) else { return Polled::Running };
    let (succeeded, failed) = (job.succeeded.contains(&state), job.failed.contains(&state));
    if !succeeded && !failed {
        return Polled::Running;
    }
    let zeros = !job.exit_codes || all_ended_with_zero(&answered);
    let result = result(job, answered, started);
    Polled::Ended(if succeeded && zeros {
        TaskOutcome::Succeeded(result)
    } else {
        TaskOutcome::failed(Failure::new(TASK_FAILED, result.to_json()))
    })
}

/// Ends a job, if that can be done.
pub(crate) async fn cancel(services: &Services, started: &Started, execution: &Execution) {
    let Some((family, _, job)) = of(&started.call) else { return };
    let Some(cancel) = &job.cancel else { return };
    let why = match ask(services, family, cancel, started, execution).await {
        Ok(_) | Err(Asked::Absent) => return,
        Err(Asked::Unknown) => "there is no answer".into(),
        Err(Asked::Refused(failure)) => failure.error.unwrap_or_default(),
    };
    tracing::warn!(execution = %execution.arn, resource = %started.call.resource.arn(), %why, "a job was not ended");
}

/// Jobs that take long: every minute for ten minutes, then every five.
/// Source: developer guide, "Create and manage Amazon EMR clusters with Step Functions".
pub(crate) fn slow_poll_after(since: Timestamp, after: Timestamp) -> Timestamp {
    const OFTEN: i64 = 60;
    const SELDOM: i64 = 300;
    const SELDOM_AFTER: i64 = 600;
    let passed = after.millis_since(since).max(0) / 1_000;
    let step = if passed < SELDOM_AFTER { OFTEN } else { SELDOM };
    since.plus_seconds((passed / step + 1) * step)
}

/// Why a question has no answer.
enum Asked {
    /// There is no such thing.
    Absent,
    /// The service did not answer, or had too much to do.
    Unknown,
    /// It said no.
    Refused(Failure),
}

async fn ask(
    services: &Services,
    family: &'static Family,
    ask: &Ask,
    started: &Started,
    execution: &Execution,
) -> Result<Value, Asked> {
    let operation = operation(family, ask.operation).ok_or(Asked::Unknown)?;
    let service = operation.service();
    let given = ask.arguments.iter().filter_map(|(name, from)| Some((*name, of_start(*from, started)?)));
    let parameters: Value = given.collect();
    let input = arguments(&Optimized, service, operation.input(), &parameters, &mut String::new)
        .map_err(|_| Asked::Unknown)?;
    let sent = services.exchange(&operation, &input, &started.call, execution).await;
    match sent.map_err(Asked::Refused)? {
        Ok(answer) => Ok(output(&Optimized, service, answer.output)),
        Err(Failed::Refused { refusal, .. }) if refusal.code.contains("NotFound") => Err(Asked::Absent),
        // It was repeated as often as makes sense; the next time comes.
        Err(Failed::Refused { refusal, .. }) if refusal.status >= 500 || refusal.code.contains("Throttl") => {
            Err(Asked::Unknown)
        }
        Err(failed @ Failed::Refused { .. }) => Err(Asked::Refused(family.style.failure(failed))),
        Err(_) => Err(Asked::Unknown),
    }
}

/// An argument of a question, if it is there.
fn of_start(from: From, started: &Started) -> Option<Value> {
    match from {
        From::Argument(name) => {
            // The first letter may have been small.
            let object = started.call.parameters.as_object()?;
            let found = object.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        }
        From::Answer(path) => at(&started.output, path).cloned(),
        From::AnswerList(path) => at(&started.output, path).map(|value| Value::from(vec![value.clone()])),
        From::Text(text) => Some(Value::from(text)),
    }
}

/// What is at a path of members and places.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(value, |value, part| match value {
        Value::Array(elements) => elements.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    })
}

fn result(job: &Job, answered: Value, started: &Started) -> Value {
    let result = match job.result {
        Part::Whole => answered,
        Part::Without(names) => {
            let members = answered.as_object().into_iter().flat_map(|whole| whole.iter());
            let kept = members.filter(|(name, _)| !names.contains(&name.as_str()));
            Value::from(kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Map>())
        }
        Part::At(path) => at(&answered, path).cloned().unwrap_or_default(),
        Part::Under(path, name) => {
            [(name, at(&answered, path).cloned().unwrap_or_default())].into_iter().collect()
        }
        Part::WholeAnd(name) => {
            let mut whole = answered.as_object().map(|whole| whole.clone().into_map()).unwrap_or_default();
            if let Some(value) = started.output.get(name) {
                whole.insert(name.into(), value.clone());
            }
            Value::from(whole)
        }
    };
    match pattern(&started.call) {
        Pattern::Sync2 => parsed(result),
        _ => result,
    }
}

/// `.sync:2`: input and output are the JSON that their texts are.
fn parsed(result: Value) -> Value {
    let Some(members) = result.as_object() else { return result };
    let members = members.iter().map(|(name, value)| {
        let is_payload = matches!(name.as_str(), "Input" | "Output");
        let parsed = value.as_str().filter(|_| is_payload).and_then(|text| Value::parse(text).ok());
        (name.clone(), parsed.unwrap_or_else(|| value.clone()))
    });
    Value::from(members.collect::<Map>())
}

fn without_metadata(output: &Value) -> Value {
    let Some(members) = output.as_object() else { return Value::object() };
    let members = members.iter().filter(|(name, _)| !name.starts_with("Sdk"));
    Value::from(members.map(|(name, value)| (name.clone(), value.clone())).collect::<Map>())
}

/// Whether every container of a task has ended, and with 0.
fn all_ended_with_zero(answered: &Value) -> bool {
    let containers = at(answered, "Tasks.0.Containers").and_then(Value::as_array);
    containers.is_some_and(|containers| {
        !containers.is_empty()
            && containers.iter().all(|container| container.get("ExitCode").and_then(Value::as_i64) == Some(0))
    })
}
