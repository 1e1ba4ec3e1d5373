//! DescribeExecution.

use journal::execution::Description;
use model::json::{Text, Value};
use model::limits::{REDRIVE_HISTORY_EVENTS_BELOW, STANDARD_DURATION_SECONDS_MAX};
use model::status::{ExecutionRedriveStatus, ExecutionStatus, IncludedData};
use model::timestamp::Timestamp;

use super::describe_state_machine::included_data;
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, read};

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, included) =
        read(body, |members| (members.required_text("executionArn", &ARN), included_data(members)))?;
    let arn = name::execution(&text)?;
    let found = service.executions.describe(&arn).await?;
    let found = found.ok_or_else(|| ApiError::execution_does_not_exist(&arn))?;
    let days = service.limits.redrive_window_days;
    let not_redrivable = not_redrivable(&found, service.clock.now(), days);
    let data = included == IncludedData::AllData;
    let details = || Answer::new().with("included", data);
    let shown = |value: &Value| value.to_json();
    let Description { execution, failure, output, .. } = found;
    let status = match not_redrivable {
        None => ExecutionRedriveStatus::Redrivable,
        Some(_) => ExecutionRedriveStatus::NotRedrivable,
    };
    let answer = Answer::new()
        .with("executionArn", execution.arn)
        .with("stateMachineArn", execution.state_machine_arn)
        .with("name", execution.name)
        .with("status", Text::new_static(found.status.as_str()))
        .with_time("startDate", execution.started_at)
        .with_some_time("stopDate", found.stopped_at)
        .with_some("input", data.then(|| shown(&found.input)))
        .with("inputDetails", details())
        .with_some("output", output.as_ref().filter(|_| data).map(shown))
        .with_some("outputDetails", output.is_some().then(details))
        .with_some("traceHeader", found.trace_header)
        .with_some("error", failure.error.filter(|_| data))
        .with_some("cause", failure.cause.filter(|_| data))
        .with_some("stateMachineVersionArn", execution.state_machine_version_arn)
        .with_some("stateMachineAliasArn", execution.state_machine_alias_arn)
        .with("redriveCount", found.redrive_count)
        .with_some_time("redriveDate", found.redriven_at)
        .with("redriveStatus", Text::new_static(status.as_str()))
        .with_some("redriveStatusReason", not_redrivable);
    Ok(answer.into())
}

/// Why an execution cannot be redriven. Source: API (DescribeExecution, `redriveStatusReason`;
/// RedriveExecution, conditions).
fn not_redrivable(found: &Description, now: Timestamp, window_days: Option<i64>) -> Option<String> {
    match found.status {
        ExecutionStatus::Running | ExecutionStatus::Succeeded | ExecutionStatus::PendingRedrive => {
            return Some(format!("Execution is {} and cannot be redriven", found.status));
        }
        ExecutionStatus::Failed | ExecutionStatus::TimedOut | ExecutionStatus::Aborted => {}
    }
    if found.last_event_id >= REDRIVE_HISTORY_EVENTS_BELOW {
        return Some("Execution history event limit exceeded".to_owned());
    }
    if now > found.execution.started_at.plus_seconds(STANDARD_DURATION_SECONDS_MAX) {
        return Some("Execution has exceeded the max execution time".to_owned());
    }
    let closed = found.stopped_at.unwrap_or(now);
    let over = window_days.is_some_and(|days| now > closed.plus_seconds(days.saturating_mul(24 * 60 * 60)));
    over.then(|| "Execution redrivable period exceeded".to_owned())
}
