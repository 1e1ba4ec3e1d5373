//! ListExecutions, newest first; of a version or an alias, those that were started with its ARN or,
//! for a version, led to it by an alias.

use journal::execution::{ListPosition, ListQuery, Listing as Listed};
use journal::registry::{Qualifier, StateMachine};
use model::arn::MapRunArn;
use model::json::{Text, Value};
use model::limits::PAGE_TOKEN_CHARS_MAX;
use model::status::{ExecutionRedriveFilter, ExecutionStatus, StateMachineType, ValidationExceptionReason};
use model::timestamp::Timestamp;

use super::page::page;
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::token::{self, Listing};
use crate::wire::{ARN, Answer, Rule, long_arn, read, words};

/// In the order of the recorded refusal.
const STATUS: Rule = words(&["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"]);
const REDRIVE_FILTER: Rule = words(ExecutionRedriveFilter::WORDS);
const MAP_RUN_ARN: Rule = long_arn();

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (state_machine, status, page, map_run, redrive_filter) = read(body, |members| {
        (
            members.text("stateMachineArn", &ARN),
            members.word::<ExecutionStatus>("statusFilter", &STATUS),
            page(members, PAGE_TOKEN_CHARS_MAX),
            members.text("mapRunArn", &MAP_RUN_ARN),
            members.word::<ExecutionRedriveFilter>("redriveFilter", &REDRIVE_FILTER),
        )
    })?;
    let text = match (state_machine, map_run) {
        (Some(text), None) => text,
        (None, Some(text)) => {
            let arn = MapRunArn::parse(&text).map_err(|error| ApiError::invalid_arn(&error))?;
            return Err(ApiError::resource_not_found(&arn));
        }
        (Some(_), Some(_)) => {
            return Err(ApiError::validation("Specify either stateMachineArn or mapRunArn, but not both"));
        }
        (None, None) => {
            return Err(ApiError::validation_for(
                ValidationExceptionReason::MissingRequiredParameter,
                "Either stateMachineArn or mapRunArn must be specified",
            ));
        }
    };
    let (arn, qualifier) = name::state_machine(&text)?.qualified(&text)?;
    if status == Some(ExecutionStatus::PendingRedrive) {
        return Err(ApiError::validation("statusFilter PENDING_REDRIVE needs a mapRunArn"));
    }
    if redrive_filter.is_some() {
        return Err(ApiError::validation("redriveFilter needs a mapRunArn"));
    }
    let machine = service.registry.state_machine(&arn).await?;
    let is_there = |machine: &StateMachine| match &qualifier {
        None => true,
        Some(Qualifier::Version(number)) => machine.versions.has(*number),
        Some(Qualifier::Alias(name)) => machine.alias(name).is_some(),
    };
    let machine = machine.filter(is_there).ok_or_else(|| ApiError::state_machine_does_not_exist(&text))?;
    if machine.machine_type == StateMachineType::Express {
        return Err(ApiError::type_not_supported());
    }
    let arguments = [Some(text.as_str()), status.map(ExecutionStatus::as_str)];
    let listing = Listing { operation: "ListExecutions", arguments: &arguments };
    let now = service.clock.now();
    let after: Option<(Timestamp, Text)> = token::position(listing, page.token.as_deref(), now)?;
    let after = after.map(|(started_at, name)| ListPosition { started_at, name });
    let query = ListQuery { state_machine: arn.clone(), qualifier, status, after, limit: page.limit };
    let found = service.executions.list(&query).await?;
    let next = found.next.map(|next| (next.started_at, next.name));
    let shown = |row: Listed| {
        let item = Answer::new()
            .with("executionArn", row.arn)
            .with("stateMachineArn", arn.clone())
            .with("name", row.name)
            .with("status", Text::new_static(row.status.as_str()))
            .with_time("startDate", row.started_at)
            .with_some_time("stopDate", row.stopped_at)
            .with_some("stateMachineVersionArn", row.version_arn)
            .with_some("stateMachineAliasArn", row.alias_arn)
            .with("redriveCount", row.redrive_count)
            .with_some_time("redriveDate", row.redriven_at);
        Value::from(item)
    };
    let answer = Answer::new()
        .with("executions", found.rows.into_iter().map(shown).collect::<Value>())
        .with_some("nextToken", next.map(|next| token::issue(listing, next, now)));
    Ok(answer.into())
}
