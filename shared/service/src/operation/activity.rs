//! CreateActivity, DescribeActivity, ListActivities, DeleteActivity.

use std::time::Duration;

use integrations::activity::queue_name;
use journal::registry::{ActivityListing, NewActivity, Outcome};
use model::arn::ActivityArn;
use model::json::{Text, Value};
use model::limits::TAGS_MAX;
use ports::QueueSettings;

use super::page::{TOKEN_CHARS_MAX, page};
use crate::configuration::{self, checked_tags, shown_encryption};
use crate::error::ApiError;
use crate::name;
use crate::service::Inner;
use crate::token::{self, Listing};
use crate::wire::{ARN, Answer, NAME, read};

const LISTING: Listing<'_> = Listing { operation: "ListActivities", arguments: &[] };
/// How long a task that was handed to one poll is hidden from the others: longer than it takes to
/// say that its worker has it.
const VISIBILITY: Duration = Duration::from_secs(30);

/// How the queue of an activity behaves.
pub(super) fn queue_settings() -> QueueSettings {
    QueueSettings { visibility: VISIBILITY, dead_letters: None }
}

/// Creating an activity again is no error, whatever its tags.
pub(super) async fn create(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (name, tags, encryption) = read(body, |members| {
        (
            members.required_text("name", &NAME),
            configuration::tags(members),
            configuration::encryption(members),
        )
    })?;
    name::checked(&name)?;
    let arn = ActivityArn::new(service.home(), &name).map_err(|error| ApiError::invalid_arn(&error))?;
    let encryption = encryption.map(|encryption| encryption.check()).transpose()?.unwrap_or_default();
    let tags = checked_tags(tags.unwrap_or_default())?;
    if tags.len() > TAGS_MAX {
        return Err(ApiError::too_many_tags(&arn, TAGS_MAX));
    }
    // First the queue: an activity that exists has one.
    service.queues.create(&queue_name(arn.as_str()), queue_settings()).await?;
    let (nonce, now) = (service.random_uuid()?, service.clock.now());
    let new = NewActivity { arn, encryption: encryption.clone(), tags, nonce, now };
    let activity = match service.registry.create_activity(new).await? {
        Outcome::Created(created) => created,
        Outcome::Exists(existing) if existing.encryption == encryption => existing,
        Outcome::Exists(existing) => return Err(ApiError::activity_already_exists(&existing.arn)),
    };
    let answer =
        Answer::new().with("activityArn", activity.arn).with_time("creationDate", activity.created_at);
    Ok(answer.into())
}

pub(super) async fn describe(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let arn = name::activity(&read(body, |members| members.required_text("activityArn", &ARN))?)?;
    let activity = service.registry.activity(&arn).await?;
    let activity = activity.ok_or_else(|| ApiError::activity_does_not_exist(&arn))?;
    let answer = Answer::new()
        .with("activityArn", activity.arn)
        .with("name", activity.name)
        .with_time("creationDate", activity.created_at)
        .with("encryptionConfiguration", shown_encryption(&activity.encryption));
    Ok(answer.into())
}

/// Deleting what is not there is no error (conformance cases `create_describe_delete_activity`).
pub(super) async fn delete(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let arn = name::activity(&read(body, |members| members.required_text("activityArn", &ARN))?)?;
    service.registry.delete_activity(&arn).await?;
    service.queues.remove(&queue_name(arn.as_str())).await?;
    Ok(Value::object())
}

/// In the order of the names.
pub(super) async fn list(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let page = read(body, |members| page(members, TOKEN_CHARS_MAX))?;
    let now = service.clock.now();
    let after: Option<Text> = token::position(LISTING, page.token.as_deref(), now)?;
    let listed = service.registry.list_activities(after.as_deref(), page.limit).await?;
    let last = listed.rows.last().map(|row| row.name.clone()).filter(|_| listed.more);
    let shown = |row: ActivityListing| {
        let arn = ActivityArn::new(service.home(), &row.name);
        let arn =
            arn.map_err(|error| ApiError::internal(format!("an activity is listed wrongly: {error}")))?;
        let item = Answer::new()
            .with("activityArn", arn)
            .with("name", row.name)
            .with_time("creationDate", row.created_at);
        Ok(Value::from(item))
    };
    let items = listed.rows.into_iter().map(shown).collect::<Result<Vec<Value>, ApiError>>()?;
    let answer = Answer::new()
        .with("activities", items)
        .with_some("nextToken", last.map(|name| token::issue(LISTING, name, now)));
    Ok(answer.into())
}
