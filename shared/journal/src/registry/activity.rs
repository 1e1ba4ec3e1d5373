//! Activities.

use model::arn::ActivityArn;
use model::json::Text;
use model::timestamp::Timestamp;
use ports::{Condition, Row};
use serde::{Deserialize, Serialize};

use super::machine::Outcome;
use super::revision::Encryption;
use super::row::{self, ACTIVITIES, ATTEMPTS_MAX, Written};
use super::tags::Tags;
use super::{Listed, Registry};
use crate::store::StoreError;

/// An activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// Its ARN.
    pub arn: ActivityArn,
    /// Its name.
    pub name: Text,
    /// When it was created.
    pub created_at: Timestamp,
    /// `encryptionConfiguration`.
    pub encryption: Encryption,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// What the list of activities shows of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityListing {
    /// Its name.
    pub name: Text,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An activity to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewActivity {
    /// Its ARN, which must be of the store's home.
    pub arn: ActivityArn,
    /// `encryptionConfiguration`.
    pub encryption: Encryption,
    /// Its tags.
    pub tags: Tags,
    /// A text that was never used before: tells this activity from others that have its name at
    /// other times.
    pub nonce: Text,
    /// The time.
    pub now: Timestamp,
}

impl Registry {
    /// Creates an activity, or gives the one that has its name.
    pub async fn create_activity(&self, new: NewActivity) -> Result<Outcome<Activity>, StoreError> {
        let NewActivity { arn, encryption, tags, nonce, now } = new;
        let Some(name) = self.activity_name(&arn) else {
            return Err(StoreError::Refused(format!("{arn} is not of this account and Region")));
        };
        if let Some(existing) = self.activity(&arn).await? {
            return Ok(Outcome::Exists(existing));
        }
        let activity = Activity { arn, name, created_at: now, encryption, tags };
        let row = self.activity_into_row(&activity, row::first_revision(&nonce));
        match self.put(row, Condition::Absent).await? {
            Written::Yes => Ok(Outcome::Created(activity)),
            Written::Conflict => match self.activity(&activity.arn).await? {
                Some(existing) => Ok(Outcome::Exists(existing)),
                None => Err(StoreError::Conflict),
            },
        }
    }

    /// An activity; none when it does not exist.
    pub async fn activity(&self, arn: &ActivityArn) -> Result<Option<Activity>, StoreError> {
        Ok(self.activity_row(arn).await?.map(|(_, activity)| activity))
    }

    /// Whether an activity exists.
    pub async fn activity_exists(&self, arn: &ActivityArn) -> Result<bool, StoreError> {
        let Some(name) = self.activity_name(arn) else { return Ok(false) };
        Ok(self.store.table.get(&row::activity_key(&name)).await?.is_some())
    }

    /// Deletes an activity. False when there was none.
    pub async fn delete_activity(&self, arn: &ActivityArn) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, _)) = self.activity_row(arn).await? else { return Ok(false) };
            if self.remove(&row).await? == Written::Yes {
                return Ok(true);
            }
        }
        Err(StoreError::Conflict)
    }

    /// Activities in the order of their names, those behind `after` only.
    pub async fn list_activities(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed<ActivityListing>, StoreError> {
        self.list(ACTIVITIES, after, limit).await
    }

    pub(super) async fn activity_row(
        &self,
        arn: &ActivityArn,
    ) -> Result<Option<(Row, Activity)>, StoreError> {
        let Some(name) = self.activity_name(arn) else { return Ok(None) };
        let Some(row) = self.store.table.get(&row::activity_key(&name)).await? else { return Ok(None) };
        let activity = row::decode(&row.body, arn)?;
        Ok(Some((row, activity)))
    }

    pub(super) async fn replace_activity(
        &self,
        row: &Row,
        activity: &Activity,
    ) -> Result<Written, StoreError> {
        let next = self.activity_into_row(activity, row.revision + 1);
        self.put(next, Condition::Revision(row.revision)).await
    }

    fn activity_into_row(&self, activity: &Activity, revision: u64) -> Row {
        let listing = ActivityListing { name: activity.name.clone(), created_at: activity.created_at };
        let mut row = Row::new(row::activity_key(&activity.name), revision, row::encode(activity));
        row.summary = row::encode(&listing);
        row.indexes = vec![self.listed(ACTIVITIES, &activity.name)];
        row
    }
}
