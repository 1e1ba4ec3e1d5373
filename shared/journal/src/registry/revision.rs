//! A revision: what a state machine is from one change to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use model::arn::StateMachineArn;
use model::json::Text;
use model::status::{EncryptionType, LogLevel, StateMachineType};
use model::timestamp::Timestamp;
use ports::{Condition, Row};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Registry;
use super::row::{self, Written};
use crate::store::StoreError;

/// Longer definitions go to the blobs, in bytes.
const DEFINITION_BYTES_INLINE_MAX: usize = 64 * 1024;

/// `loggingConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// Which events are logged.
    pub level: LogLevel,
    /// Whether inputs and outputs are.
    pub include_execution_data: bool,
    /// ARNs of log groups: at most one.
    pub log_group_arns: Vec<Text>,
}

impl Default for Logging {
    fn default() -> Logging {
        Logging { level: LogLevel::Off, include_execution_data: false, log_group_arns: Vec::new() }
    }
}

/// `encryptionConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// Whose key.
    pub encryption_type: EncryptionType,
    /// Which key, when it is the customer's.
    pub kms_key_id: Option<Text>,
    /// How long a data key is used.
    pub kms_data_key_reuse_period_seconds: Option<i64>,
}

impl Default for Encryption {
    fn default() -> Encryption {
        Encryption {
            encryption_type: EncryptionType::AwsOwnedKey,
            kms_key_id: None,
            kms_data_key_reuse_period_seconds: None,
        }
    }
}

/// A revision without its definition: what starting an execution and comparing requests need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionSummary {
    /// Unique for all time.
    pub id: Text,
    /// It is what the state machine was created with: the API shows no `revisionId` for it.
    pub initial: bool,
    /// Names the text of the definition: equal texts, equal hashes.
    pub definition_hash: Text,
    /// The role that executions have.
    pub role_arn: Text,
    /// `loggingConfiguration`.
    pub logging: Logging,
    /// `tracingConfiguration.enabled`.
    pub tracing_enabled: bool,
    /// `encryptionConfiguration`, when one was given.
    pub encryption: Option<Encryption>,
    /// When it became the current one: `updateDate`.
    pub created_at: Timestamp,
}

impl RevisionSummary {
    /// The `revisionId` that the API shows.
    pub fn shown_id(&self) -> Option<&Text> {
        (!self.initial).then_some(&self.id)
    }

    /// What requests and messages call it: the first has no id to show, and is `INITIAL`.
    ///
    /// Source: API (PublishStateMachineVersion, `revisionId`).
    pub fn named_id(&self) -> &str {
        self.shown_id().map_or("INITIAL", Text::as_str)
    }
}

/// A revision. Nothing of it ever changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The definition, byte for byte as it was given.
    pub definition: Text,
    /// Standard or Express.
    pub machine_type: StateMachineType,
    /// The rest.
    pub summary: RevisionSummary,
}

/// What the row of a revision holds.
#[derive(Serialize, Deserialize)]
struct Stored {
    machine_type: StateMachineType,
    summary: RevisionSummary,
    /// `None`: in the blobs.
    definition: Option<Text>,
}

/// What [`RevisionSummary::definition_hash`] is: SHA-256 in URL-safe base64.
pub(super) fn definition_hash(definition: &str) -> Text {
    URL_SAFE_NO_PAD.encode(Sha256::digest(definition.as_bytes())).into()
}

fn blob_key(definition_hash: &str) -> String {
    format!("definition/{definition_hash}")
}

impl Registry {
    /// A revision, also when its state machine was deleted or another one has its name now.
    pub async fn revision(
        &self,
        state_machine: &StateMachineArn,
        revision_id: &str,
    ) -> Result<Option<Revision>, StoreError> {
        let Some(name) = self.machine_name(state_machine) else { return Ok(None) };
        let Some(found) = self.store.table.get(&row::revision_key(&name, revision_id)).await? else {
            return Ok(None);
        };
        let what = format!("the revision {revision_id} of {state_machine}");
        let Stored { machine_type, summary, definition } = row::decode(&found.body, &what)?;
        let definition = match definition {
            Some(definition) => definition,
            None => self.definition(&summary.definition_hash, &what).await?,
        };
        Ok(Some(Revision { definition, machine_type, summary }))
    }

    async fn definition(&self, hash: &str, what: &str) -> Result<Text, StoreError> {
        let bytes = self.store.blobs.get(&blob_key(hash)).await?;
        let bytes = bytes.ok_or_else(|| StoreError::Damaged(format!("{what}: its definition is missing")))?;
        match std::str::from_utf8(&bytes) {
            Ok(text) if definition_hash(text) == hash => Ok(Text::new(text)),
            _ => Err(StoreError::Damaged(format!("{what}: its definition is not what was written"))),
        }
    }

    /// Writes a revision, its blob first.
    pub(super) async fn write_revision(&self, name: &str, revision: &Revision) -> Result<(), StoreError> {
        let Revision { definition, machine_type, summary } = revision;
        let large = definition.len() > DEFINITION_BYTES_INLINE_MAX;
        if large {
            let bytes = Bytes::copy_from_slice(definition.as_bytes());
            self.store.blobs.put(&blob_key(&summary.definition_hash), bytes).await?;
        }
        let definition = (!large).then(|| definition.clone());
        let stored = Stored { machine_type: *machine_type, summary: summary.clone(), definition };
        let row = Row::new(row::revision_key(name, &summary.id), 0, row::encode(&stored));
        match self.put(row, Condition::Absent).await? {
            Written::Yes => Ok(()),
            Written::Conflict => Err(StoreError::Refused(format!("the revision id {} is taken", summary.id))),
        }
    }
}
