//! TagResource, UntagResource, ListTagsForResource.

use journal::registry::{TagChange, Tags};
use model::arn::{ActivityArn, Resource, StateMachineArn};
use model::json::Value;
use model::limits::TAGS_MAX;

use crate::configuration::{self, checked_tags, shown_tags};
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::wire::{ARN, Answer, read};

/// What has tags.
enum Tagged {
    StateMachine(StateMachineArn),
    Activity(ActivityArn),
}

pub(super) async fn tag(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, tags) = read(body, |members| {
        let text = members.required_text("resourceArn", &ARN);
        if !members.has("tags") {
            members.missing("tags", false);
        }
        (text, configuration::tags(members).unwrap_or_default())
    })?;
    let tagged = tagged(&text)?;
    change(service, &tagged, &text, &TagChange::Set(checked_tags(tags)?)).await
}

pub(super) async fn untag(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (text, keys) =
        read(body, |members| (members.required_text("resourceArn", &ARN), configuration::tag_keys(members)))?;
    let tagged = tagged(&text)?;
    change(service, &tagged, &text, &TagChange::Remove(keys)).await
}

pub(super) async fn list(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let text = read(body, |members| members.required_text("resourceArn", &ARN))?;
    let tags: Option<Tags> = match tagged(&text)? {
        Tagged::StateMachine(arn) => service.registry.state_machine(&arn).await?.map(|machine| machine.tags),
        Tagged::Activity(arn) => service.registry.activity(&arn).await?.map(|activity| activity.tags),
    };
    let tags = tags.ok_or_else(|| ApiError::resource_not_found(&text))?;
    Ok(Answer::new().with("tags", shown_tags(&tags)).into())
}

async fn change(service: &Inner, tagged: &Tagged, text: &str, change: &TagChange) -> Result<Value, ApiError> {
    let tags = match tagged {
        Tagged::StateMachine(arn) => service.registry.tag_state_machine(arn, change, TAGS_MAX).await?,
        Tagged::Activity(arn) => service.registry.tag_activity(arn, change, TAGS_MAX).await?,
    };
    match tags {
        None => Err(ApiError::resource_not_found(&text)),
        Some(tags) if tags.len() > TAGS_MAX => Err(ApiError::too_many_tags(&text, TAGS_MAX)),
        Some(_) => Ok(Value::object()),
    }
}

/// Versions, aliases and Map states have no tags: there is no such resource (conformance case
/// `tag_state_machine_version`).
fn tagged(text: &str) -> Result<Tagged, ApiError> {
    let arn = name::parsed(text)?;
    let invalid = |error| ApiError::invalid_arn(&error);
    match &arn.resource {
        Resource::StateMachine { .. } => {
            StateMachineArn::parse(text).map(Tagged::StateMachine).map_err(invalid)
        }
        Resource::Activity { .. } => ActivityArn::parse(text).map(Tagged::Activity).map_err(invalid),
        Resource::Version { .. } | Resource::Alias { .. } | Resource::MapStateMachine { .. } => {
            Err(ApiError::resource_not_found(&text))
        }
        _ => Err(name::wrong_kind(&arn)),
    }
}
