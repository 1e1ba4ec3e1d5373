//! StartExecution, and the part of StartSyncExecution that tells which state machines it is for.

use driver::{Start, Started};
use engine::Execution;
use journal::execution::Parent;
use journal::registry::RevisionSummary;
use model::json::{Text, Value};
use model::limits::TRACE_HEADER_CHARS_MAX;
use model::status::StateMachineType;

use super::qualified::{self, Qualified};
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, Members, NAME, Rule, payload, read, text};

const INPUT: Rule = payload();
const TRACE_HEADER: Rule = text(0, TRACE_HEADER_CHARS_MAX).matching("\\p{ASCII}*", str::is_ascii);

struct Request {
    state_machine_arn: Text,
    name: Option<Text>,
    input: Option<Text>,
    trace_header: Option<Text>,
}

fn request(members: &Members<'_>) -> Request {
    Request {
        state_machine_arn: members.required_text("stateMachineArn", &ARN),
        name: members.text("name", &NAME),
        input: members.text("input", &INPUT),
        trace_header: members.text("traceHeader", &TRACE_HEADER),
    }
}

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    start(service, body, None).await
}

/// For a task that waits for the end of the execution.
pub(crate) async fn run_for(service: &Inner, body: &Value, parent: Parent) -> Result<Value, ApiError> {
    start(service, body, Some(parent)).await
}

async fn start(service: &Inner, body: &Value, parent: Option<Parent>) -> Result<Value, ApiError> {
    let request = read(body, request)?;
    let (found, input) = startable(service, &request).await?;
    let (version_arn, alias_arn) = (found.version_arn(), found.alias_arn());
    let RevisionSummary { id: revision_id, role_arn, .. } = found.revision().clone();
    let machine = found.machine;
    if machine.machine_type == StateMachineType::Express {
        return Err(ApiError::not_implemented("StartExecution of an Express state machine"));
    }
    let name = match request.name {
        Some(name) => name,
        None => service.random_uuid()?,
    };
    let arn = machine.arn.execution(&name).map_err(|error| ApiError::invalid_arn(&error))?;
    let execution = Execution {
        arn: arn.clone().into(),
        name,
        role_arn,
        state_machine_arn: machine.arn.into(),
        state_machine_name: machine.name,
        state_machine_version_arn: version_arn,
        state_machine_alias_arn: alias_arn,
        region: service.home().region.clone(),
        started_at: service.clock.now(),
        synchronous: false,
    };
    let start = Start { execution, revision_id, input, trace_header: request.trace_header, parent };
    match service.door.start(start).await? {
        Started::Started { started_at } => {
            Ok(Answer::new().with("executionArn", arn).with_time("startDate", started_at).into())
        }
        Started::AlreadyExists => Err(ApiError::execution_already_exists(&arn)),
    }
}

pub(super) async fn run_sync(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let request = read(body, request)?;
    let (found, _) = startable(service, &request).await?;
    match found.machine.machine_type {
        StateMachineType::Standard => Err(ApiError::type_not_supported()),
        StateMachineType::Express => Err(ApiError::not_implemented("StartSyncExecution")),
    }
}

/// What runs, and the input of a start. Which of its versions an alias leads to is drawn by lot.
async fn startable(service: &Inner, request: &Request) -> Result<(Qualified, Value), ApiError> {
    let text = &request.state_machine_arn;
    let asked = name::state_machine(text)?.qualified_unlabelled(text)?;
    if let Some(name) = &request.name {
        name::checked(name)?;
    }
    let found = qualified::find(service, asked, |alias| Ok(alias.route(service.random()?))).await?;
    found.check_active()?;
    Ok((found, input(service, request.input.as_deref())?))
}

/// No input is `{}`; an empty text is none at all.
fn input(service: &Inner, text: Option<&str>) -> Result<Value, ApiError> {
    let text = text.unwrap_or("{}");
    if service.limits.payload_bytes_max.is_some_and(|bytes_max| text.len() > bytes_max) {
        let reason = "The input exceeds the maximum number of bytes service limit.";
        return Err(ApiError::invalid_execution_input(reason));
    }
    if text.trim().is_empty() {
        return Err(ApiError::invalid_execution_input("Invalid execution input."));
    }
    Value::parse(text).map_err(|error| ApiError::invalid_execution_input(&error.message))
}
