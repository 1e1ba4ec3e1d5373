//! DescribeStateMachineForExecution: the revision that an execution runs.

use model::arn::StateMachineArn;
use model::json::{Text, Value};
use model::status::IncludedData;

use super::describe_state_machine::included_data;
use crate::configuration::shown_revision;
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
    let execution = &found.execution;
    let state_machine = StateMachineArn::parse(&execution.state_machine_arn)
        .map_err(|error| ApiError::internal(format!("the execution {arn} has no state machine: {error}")))?;
    let revision = service.registry.revision(&state_machine, &found.revision_id).await?.ok_or_else(|| {
        ApiError::internal(format!("the revision {} of {state_machine} is missing", found.revision_id))
    })?;
    let definition = match included {
        IncludedData::AllData => revision.definition,
        IncludedData::MetadataOnly => Text::default(),
    };
    let answer = Answer::new()
        .with("stateMachineArn", state_machine)
        .with("name", execution.state_machine_name.clone())
        .with("definition", definition)
        .with("roleArn", revision.summary.role_arn.clone())
        .with_time("updateDate", revision.summary.created_at);
    Ok(shown_revision(answer, &revision.summary).into())
}
