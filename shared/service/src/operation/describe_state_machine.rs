//! DescribeStateMachine, also of a version. Of an alias the version is described that most of its
//! executions run: the answer's ARN says which.

use model::json::{Text, Value};
use model::status::IncludedData;

use super::qualified;
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
    let asked = name::state_machine(&text)?.qualified(&text)?;
    let found = qualified::find(service, asked, |alias| Ok(alias.heaviest())).await?;
    let (arn, revision) = (&found.machine.arn, found.revision());
    let definition = match included {
        IncludedData::AllData => {
            let stored = service.registry.revision(arn, &revision.id).await?;
            let missing = || ApiError::internal(format!("the revision {} of {arn} is missing", revision.id));
            stored.ok_or_else(missing)?.definition
        }
        IncludedData::MetadataOnly => Text::default(),
    };
    let version = found.version.as_ref();
    let answer = Answer::new()
        .with("stateMachineArn", found.version_arn().unwrap_or_else(|| arn.as_str().into()))
        .with("name", found.machine.name.clone())
        .with("status", Text::new_static(found.machine.status.as_str()))
        .with("definition", definition)
        .with("roleArn", revision.role_arn.clone())
        .with("type", Text::new_static(found.machine.machine_type.as_str()))
        .with_time("creationDate", version.map_or(found.machine.created_at, |version| version.created_at))
        .with_some("description", version.and_then(|version| version.description.clone()));
    Ok(shown_revision(answer, revision).into())
}
