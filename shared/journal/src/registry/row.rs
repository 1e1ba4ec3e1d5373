//! Rows of the registry: their bytes, and how they are written.

use bytes::Bytes;
use model::arn::{ActivityArn, Arn, Home, Resource, StateMachineArn};
use model::json::Text;
use ports::{Condition, Index, IndexKey, Key, Row, TableError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{Registry, version};
use crate::store::{FORMAT, StoreError};

/// How often a change is tried again after another writer came first.
pub(super) const ATTEMPTS_MAX: usize = 16;

/// Listings: what the partitions of the index begin with.
pub(super) const MACHINES: &str = "machines";
pub(super) const ACTIVITIES: &str = "activities";

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It stands.
    Yes,
    /// Something else stands there: another writer came first.
    Conflict,
}

impl Registry {
    /// Puts a row. A put whose outcome is unknown is settled by reading: what stands there is the
    /// row, or it is not.
    pub(super) async fn put(&self, row: Row, condition: Condition) -> Result<Written, StoreError> {
        match self.store.table.put(row.clone(), condition).await {
            Ok(()) => Ok(Written::Yes),
            Err(TableError::Conflict) => Ok(Written::Conflict),
            Err(TableError::Unknown(reason)) => match self.store.table.get(&row.key).await? {
                Some(found) if found.revision == row.revision && found.body == row.body => Ok(Written::Yes),
                // Nothing stands in the way of trying again, but neither is it known to be safe.
                None if condition == Condition::Absent => Err(StoreError::Unknown(reason)),
                _ => Ok(Written::Conflict),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a row that has this revision. False when another writer came first.
    pub(super) async fn remove(&self, row: &Row) -> Result<Written, StoreError> {
        match self.store.table.delete(&row.key, Condition::Revision(row.revision)).await {
            Ok(()) => Ok(Written::Yes),
            Err(TableError::Conflict) => Ok(Written::Conflict),
            Err(TableError::Unknown(_)) => match self.store.table.get(&row.key).await? {
                None => Ok(Written::Yes),
                Some(_) => Ok(Written::Conflict),
            },
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn home(&self) -> &Home {
        &self.store.config.home
    }

    /// The name of a state machine of this home.
    pub(super) fn machine_name(&self, arn: &StateMachineArn) -> Option<Text> {
        match arn.arn() {
            Arn { home, resource: Resource::StateMachine { name } } if home == *self.home() => Some(name),
            _ => None,
        }
    }

    /// The name of an activity of this home.
    pub(super) fn activity_name(&self, arn: &ActivityArn) -> Option<Text> {
        match arn.arn() {
            Arn { home, resource: Resource::Activity { name } } if home == *self.home() => Some(name),
            _ => None,
        }
    }

    /// The entry of a row in a listing.
    pub(super) fn listed(&self, listing: &str, name: &Text) -> IndexKey {
        let shard = shard(name, self.store.config.listing_shards);
        IndexKey { index: Index::First, partition: format!("{listing}/{shard}").into(), sort: name.clone() }
    }
}

pub(super) fn machine_key(name: &str) -> Key {
    Key::new(format!("m/{name}"), "machine")
}

pub(super) fn revision_key(name: &str, revision_id: &str) -> Key {
    Key::new(format!("m/{name}"), format!("r/{revision_id}"))
}

pub(super) fn version_key(name: &str, incarnation: &str, number: u64) -> Key {
    Key::new(format!("m/{name}"), version::sort_key(incarnation, number))
}

pub(super) fn activity_key(name: &str) -> Key {
    Key::new(format!("a/{name}"), "activity")
}

/// The first revision number of a row: different for every time that something is created under a
/// name, so that no writer takes the new thing for the old one.
pub(super) fn first_revision(unique: &str) -> u64 {
    let hash = Sha256::digest(unique.as_bytes());
    // Numbers of 48 bits leave room to count from, in every backend's numbers.
    hash[..6].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// Another id that follows from one that is unique, and looks like it: a UUID.
pub(super) fn derived_id(unique: &str, number: usize) -> Text {
    let hash = Sha256::digest(format!("{unique}/{number}").as_bytes());
    let part = |from: usize, to: usize| -> String {
        hash[from..to].iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (version, variant) = (hash[6] & 0x0f | 0x80, hash[8] & 0x3f | 0x80);
    let (a, b, c, d, e) = (part(0, 4), part(4, 6), part(7, 8), part(9, 10), part(10, 16));
    format!("{a}-{b}-{version:02x}{c}-{variant:02x}{d}-{e}").into()
}

/// A format byte, then MessagePack with members by name: members may be added later.
pub(super) fn encode<T: Serialize>(value: &T) -> Bytes {
    let mut out = vec![FORMAT];
    rmp_serde::encode::write_named(&mut out, value)
        .expect("a row of the registry holds only what MessagePack can write");
    out.into()
}

/// The opposite of [`encode`]; `what` names the row in the error.
pub(super) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    what: impl std::fmt::Display,
) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&FORMAT, rest)) => {
            rmp_serde::from_slice(rest).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
        }
        Some((found, _)) => Err(StoreError::Version(format!(
            "{what}: it has format {found}, this version reads format {FORMAT}"
        ))),
        None => Err(StoreError::Damaged(format!("{what}: it is empty"))),
    }
}

/// FNV-1a: must stay what it is, since stored entries were placed by it.
fn shard(name: &str, shards: u32) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    u32::try_from(hash % u64::from(shards.max(1))).expect("less than a u32")
}
