//! State machines.

use model::arn::StateMachineArn;
use model::json::Text;
use model::status::{StateMachineStatus, StateMachineType};
use model::timestamp::Timestamp;
use ports::{Condition, Row};
use serde::{Deserialize, Serialize};

use super::alias::Alias;
use super::revision::{Encryption, Logging, Revision, RevisionSummary, definition_hash};
use super::row::{self, ATTEMPTS_MAX, MACHINES, Written};
use super::tags::Tags;
use super::version::{Publish, Published, Versions};
use super::{Listed, Registry};
use crate::store::StoreError;

/// A state machine as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMachine {
    /// Its ARN.
    pub arn: StateMachineArn,
    /// Its name.
    pub name: Text,
    /// Standard or Express; never changes.
    #[serde(rename = "type")]
    pub machine_type: StateMachineType,
    /// Whether it accepts executions.
    pub status: StateMachineStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it is: everything but the definition.
    pub current: RevisionSummary,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// Tells it from others that have its name at other times.
    #[serde(default)]
    pub incarnation: Text,
    /// Whether it was created with a version: creating it again says the same.
    #[serde(default)]
    pub created_with: Option<Publish>,
    /// Its versions.
    #[serde(default)]
    pub versions: Versions,
    /// Its aliases, oldest first.
    #[serde(default)]
    pub aliases: Vec<Alias>,
}

/// What the list of state machines shows of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateMachineListing {
    /// Its name.
    pub name: Text,
    /// Standard or Express.
    #[serde(rename = "type")]
    pub machine_type: StateMachineType,
    /// When it was created.
    pub created_at: Timestamp,
}

/// A state machine to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStateMachine {
    /// Its ARN, which must be of the store's home.
    pub arn: StateMachineArn,
    /// Standard or Express.
    pub machine_type: StateMachineType,
    /// The definition, checked before.
    pub definition: Text,
    /// The role of its executions.
    pub role_arn: Text,
    /// `loggingConfiguration`.
    pub logging: Logging,
    /// `tracingConfiguration.enabled`.
    pub tracing_enabled: bool,
    /// `encryptionConfiguration`, when one was given.
    pub encryption: Option<Encryption>,
    /// Its tags.
    pub tags: Tags,
    /// Whether a version of it is wanted.
    pub publish: Option<Publish>,
    /// Id of the first revision: never used before.
    pub revision_id: Text,
    /// The time.
    pub now: Timestamp,
}

/// What became of a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was created.
    Created(T),
    /// Something has the name already: this.
    Exists(T),
}

/// A change of a state machine: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The definition, checked before.
    pub definition: Option<Text>,
    /// The role of its executions.
    pub role_arn: Option<Text>,
    /// `loggingConfiguration`.
    pub logging: Option<Logging>,
    /// `tracingConfiguration.enabled`.
    pub tracing_enabled: Option<bool>,
    /// `encryptionConfiguration`.
    pub encryption: Option<Encryption>,
    /// Whether a version is wanted of what it leads to, in the same step.
    pub publish: Option<Publish>,
}

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The state machine as it is now.
    pub state_machine: StateMachine,
    /// Whether it has a new revision: a change that changes nothing makes none.
    pub changed: bool,
    /// What became of the version that was wanted. With [`Published::TooMany`] nothing was changed.
    pub published: Option<Published>,
}

impl NewStateMachine {
    /// Whether this is `existing` again, so that creating it is no error. Role and tags do not
    /// count. Source: API (CreateStateMachine), on idempotency.
    pub fn is_again(&self, existing: &StateMachine) -> bool {
        let current = &existing.current;
        self.machine_type == existing.machine_type
            && definition_hash(&self.definition) == current.definition_hash
            && self.logging == current.logging
            && self.tracing_enabled == current.tracing_enabled
            && self.encryption.clone().unwrap_or_default() == current.encryption.clone().unwrap_or_default()
            && self.publish == existing.created_with
    }
}

impl Change {
    /// The summary of the revision that follows `current`.
    fn apply(&self, current: &RevisionSummary, id: &Text, now: Timestamp) -> RevisionSummary {
        let hash = self.definition.as_deref().map(definition_hash);
        RevisionSummary {
            id: id.clone(),
            initial: false,
            definition_hash: hash.unwrap_or_else(|| current.definition_hash.clone()),
            role_arn: self.role_arn.clone().unwrap_or_else(|| current.role_arn.clone()),
            logging: self.logging.clone().unwrap_or_else(|| current.logging.clone()),
            tracing_enabled: self.tracing_enabled.unwrap_or(current.tracing_enabled),
            encryption: self.encryption.clone().or_else(|| current.encryption.clone()),
            created_at: now,
        }
    }
}

/// Whether two revisions say the same, whoever made them and when.
fn same(a: &RevisionSummary, b: &RevisionSummary) -> bool {
    let told_apart_by = |summary: &RevisionSummary| RevisionSummary {
        id: Text::default(),
        initial: false,
        created_at: Timestamp::EPOCH,
        encryption: Some(summary.encryption.clone().unwrap_or_default()),
        ..summary.clone()
    };
    told_apart_by(a) == told_apart_by(b)
}

impl Registry {
    /// Creates a state machine, or gives the one that has its name.
    pub async fn create_state_machine(
        &self,
        new: NewStateMachine,
    ) -> Result<Outcome<StateMachine>, StoreError> {
        let Some(name) = self.machine_name(&new.arn) else {
            return Err(StoreError::Refused(format!("{} is not of this account and Region", new.arn)));
        };
        if let Some(existing) = self.state_machine(&new.arn).await? {
            return Ok(Outcome::Exists(existing));
        }
        let current = RevisionSummary {
            id: new.revision_id,
            initial: true,
            definition_hash: definition_hash(&new.definition),
            role_arn: new.role_arn,
            logging: new.logging,
            tracing_enabled: new.tracing_enabled,
            encryption: new.encryption,
            created_at: new.now,
        };
        let revision =
            Revision { definition: new.definition, machine_type: new.machine_type, summary: current.clone() };
        self.write_revision(&name, &revision).await?;
        let mut machine = StateMachine {
            arn: new.arn,
            name,
            machine_type: new.machine_type,
            status: StateMachineStatus::Active,
            created_at: new.now,
            incarnation: current.id.clone(),
            current,
            tags: new.tags,
            created_with: new.publish,
            versions: Versions::default(),
            aliases: Vec::new(),
        };
        if let Some(publish) = machine.created_with.clone() {
            self.publish_current(&mut machine, &publish, None, new.now).await?;
        }
        let row = self.machine_into_row(&machine, row::first_revision(&machine.current.id));
        match self.put(row, Condition::Absent).await? {
            Written::Yes => Ok(Outcome::Created(machine)),
            Written::Conflict => match self.state_machine(&machine.arn).await? {
                Some(existing) => Ok(Outcome::Exists(existing)),
                // Created and deleted by others in the meantime.
                None => Err(StoreError::Conflict),
            },
        }
    }

    /// A state machine; none when it does not exist.
    pub async fn state_machine(&self, arn: &StateMachineArn) -> Result<Option<StateMachine>, StoreError> {
        Ok(self.machine_row(arn).await?.map(|(_, machine)| machine))
    }

    /// Changes a state machine; none when it does not exist. `revision_id` was never used before.
    /// At most `versions_max` versions.
    pub async fn update_state_machine(
        &self,
        arn: &StateMachineArn,
        change: &Change,
        revision_id: &Text,
        versions_max: Option<u64>,
        now: Timestamp,
    ) -> Result<Option<Updated>, StoreError> {
        let mut written: Option<RevisionSummary> = None;
        for attempt in 0..ATTEMPTS_MAX {
            let Some((row, mut machine)) = self.machine_row(arn).await? else { return Ok(None) };
            // A later attempt may start from another revision, so it needs an id of its own.
            let id = match attempt {
                0 => revision_id.clone(),
                _ => row::derived_id(revision_id, attempt),
            };
            let next = change.apply(&machine.current, &id, now);
            let (changed, before) = (!same(&next, &machine.current), machine.versions.count());
            let next = match &written {
                _ if !changed => machine.current.clone(),
                // What was written for the last attempt still says what is wanted.
                Some(written) if same(written, &next) => written.clone(),
                _ => {
                    let definition = match &change.definition {
                        Some(definition) => definition.clone(),
                        None => match self.revision(arn, &machine.current.id).await? {
                            Some(revision) => revision.definition,
                            None => {
                                let id = &machine.current.id;
                                return Err(StoreError::Damaged(format!(
                                    "the revision {id} of {arn} is missing"
                                )));
                            }
                        },
                    };
                    let revision =
                        Revision { definition, machine_type: machine.machine_type, summary: next.clone() };
                    self.write_revision(&machine.name, &revision).await?;
                    written = Some(next.clone());
                    next
                }
            };
            let unchanged = machine.clone();
            machine.current = next;
            let published = match &change.publish {
                Some(publish) => Some(self.publish_current(&mut machine, publish, versions_max, now).await?),
                None => None,
            };
            if published == Some(Published::TooMany) {
                return Ok(Some(Updated { state_machine: unchanged, changed: false, published }));
            }
            let nothing = !changed && machine.versions.count() == before;
            if nothing || self.replace_machine(&row, &machine).await? == Written::Yes {
                return Ok(Some(Updated { state_machine: machine, changed, published }));
            }
        }
        Err(StoreError::Conflict)
    }

    /// Deletes a state machine with its versions and aliases; its revisions stay. False when there
    /// was none.
    pub async fn delete_state_machine(&self, arn: &StateMachineArn) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS_MAX {
            let Some((row, _)) = self.machine_row(arn).await? else { return Ok(false) };
            if self.remove(&row).await? == Written::Yes {
                return Ok(true);
            }
        }
        Err(StoreError::Conflict)
    }

    /// State machines in the order of their names, those behind `after` only.
    pub async fn list_state_machines(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed<StateMachineListing>, StoreError> {
        self.list(MACHINES, after, limit).await
    }

    pub(super) async fn machine_row(
        &self,
        arn: &StateMachineArn,
    ) -> Result<Option<(Row, StateMachine)>, StoreError> {
        let Some(name) = self.machine_name(arn) else { return Ok(None) };
        let Some(row) = self.store.table.get(&row::machine_key(&name)).await? else { return Ok(None) };
        let machine = row::decode(&row.body, arn)?;
        Ok(Some((row, machine)))
    }

    pub(super) async fn replace_machine(
        &self,
        row: &Row,
        machine: &StateMachine,
    ) -> Result<Written, StoreError> {
        let next = self.machine_into_row(machine, row.revision + 1);
        self.put(next, Condition::Revision(row.revision)).await
    }

    /// Whether its row can be kept.
    pub(super) fn fits(&self, machine: &StateMachine) -> bool {
        self.machine_into_row(machine, 0).check().is_ok()
    }

    fn machine_into_row(&self, machine: &StateMachine, revision: u64) -> Row {
        let StateMachine { name, machine_type, created_at, .. } = machine;
        let listing =
            StateMachineListing { name: name.clone(), machine_type: *machine_type, created_at: *created_at };
        let mut row = Row::new(row::machine_key(name), revision, row::encode(machine));
        row.summary = row::encode(&listing);
        row.indexes = vec![self.listed(MACHINES, name)];
        row
    }
}
