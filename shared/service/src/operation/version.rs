//! PublishStateMachineVersion, ListStateMachineVersions, DeleteStateMachineVersion.

use journal::registry::{Publish, Published, Version, VersionDeleted};
use model::arn::StateMachineArn;
use model::json::Value;

use super::create_state_machine::DESCRIPTION;
use super::page::{TOKEN_CHARS_MAX, page};
use super::qualified::version_arn;
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::token::{self, Listing};
use crate::wire::{ARN, Answer, Rule, read, text};

/// Source: API (PublishStateMachineVersion, `revisionId`).
const REVISION_ID: Rule = text(0, model::limits::REQUEST_ARN_CHARS_MAX);

pub(super) async fn publish(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, revision_id, description) = read(body, |members| {
        (
            members.required_text("stateMachineArn", &ARN),
            members.text("revisionId", &REVISION_ID),
            members.text("description", &DESCRIPTION),
        )
    })?;
    let arn = name::state_machine(&text)?.unlabelled(&text)?;
    let publish = Publish { description };
    let (versions_max, now) = (service.limits.versions_max, service.clock.now());
    let asked = revision_id.as_deref();
    match service.registry.publish_version(&arn, asked, &publish, versions_max, now).await? {
        Published::Version(version) => Ok(Answer::new()
            .with_time("creationDate", version.created_at)
            .with("stateMachineVersionArn", version_arn(&arn, version.number))
            .into()),
        Published::OtherRevision(current) => {
            Err(ApiError::revision_conflict(asked.unwrap_or_default(), current.named_id()))
        }
        Published::TooMany => Err(ApiError::quota_exceeded("versions", &arn, versions_max)),
        Published::DoesNotExist => Err(ApiError::state_machine_does_not_exist(&arn)),
    }
}

/// Newest first.
pub(super) async fn list(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, page) = read(body, |members| {
        (members.required_text("stateMachineArn", &ARN), page(members, TOKEN_CHARS_MAX))
    })?;
    let arn = name::state_machine(&text)?.unlabelled(&text)?;
    let arguments = [Some(arn.as_str())];
    let listing = Listing { operation: "ListStateMachineVersions", arguments: &arguments };
    let now = service.clock.now();
    let before: Option<u64> = token::position(listing, page.token.as_deref(), now)?;
    let listed = service.registry.list_versions(&arn, before, page.limit).await?;
    let listed = listed.ok_or_else(|| ApiError::state_machine_does_not_exist(&arn))?;
    let last = listed.rows.last().map(|version| version.number).filter(|_| listed.more);
    let answer = Answer::new()
        .with(
            "stateMachineVersions",
            listed.rows.iter().map(|version| shown(&arn, version)).collect::<Value>(),
        )
        .with_some("nextToken", last.map(|last| token::issue(listing, last, now)));
    Ok(answer.into())
}

fn shown(arn: &StateMachineArn, version: &Version) -> Value {
    Answer::new()
        .with("stateMachineVersionArn", version_arn(arn, version.number))
        .with_time("creationDate", version.created_at)
        .into()
}

/// Deleting what is not there is no error (conformance case `list_delete_version`).
pub(super) async fn delete(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let text = read(body, |members| members.required_text("stateMachineVersionArn", &ARN))?;
    let (arn, number) = name::version(&text)?;
    match service.registry.delete_version(&arn, number).await? {
        VersionDeleted::Gone => Ok(Value::object()),
        VersionDeleted::Referenced(aliases) => Err(ApiError::version_referenced(&aliases)),
    }
}
