//! DescribeStateMachine.

use model::json::{Text, Value};
use model::status::IncludedData;

use crate::configuration::shown_revision;
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, Members, Rule, read, words};

const INCLUDED_DATA: Rule = words(IncludedData::WORDS);

/// `includedData`.
pub(super) fn included_data(members: &Members<'_>) -> IncludedData {
    members.word("includedData", &INCLUDED_DATA).unwrap_or(IncludedData::AllData)
}

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, included) =
        read(body, |members| (members.required_text("stateMachineArn", &ARN), included_data(members)))?;
    let arn = name::state_machine(&text)?.existing(&text)?;
    let machine = service.registry.state_machine(&arn).await?;
    let machine = machine.ok_or_else(|| ApiError::state_machine_does_not_exist(&arn))?;
    let current = &machine.current;
    let definition = match included {
        IncludedData::AllData => {
            let revision = service.registry.revision(&arn, &current.id).await?;
            let missing = || ApiError::internal(format!("the revision {} of {arn} is missing", current.id));
            revision.ok_or_else(missing)?.definition
        }
        IncludedData::MetadataOnly => Text::default(),
    };
    let answer = Answer::new()
        .with("stateMachineArn", machine.arn)
        .with("name", machine.name)
        .with("status", Text::new_static(machine.status.as_str()))
        .with("definition", definition)
        .with("roleArn", current.role_arn.clone())
        .with("type", Text::new_static(machine.machine_type.as_str()))
        .with_time("creationDate", machine.created_at);
    Ok(shown_revision(answer, current).into())
}
