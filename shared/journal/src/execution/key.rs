//! Where the rows of executions stand.
//!
//! | partition | sort | row |
//! | --- | --- | --- |
//! | `x/<machine>:<name>` | `r/<seq>` | a record; record 0 with META |
//! | `x/<machine>:<name>` | `h/<effect>` | the newest heartbeat of a task |
//! | `x/<machine>:<name>` | `p` | how often the record after which seq could not be stepped |
//! | `owner/<owner>` | `lease` | until when a driver is alive |
//!
//! Index `First` lists executions: `list/<machine>/<status>/<shard>`, sorted by start. Index
//! `Second` holds what is to happen by itself: `wake/<shard>` and `gone/<shard>`, sorted by time.

use model::arn::{ExecutionArn, Home, Resource, StateMachineArn};
use model::json::{Text, format_text};
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::{Index, IndexKey, Key};

use super::record::Owner;
use crate::store::Config;

/// Sort keys of records begin with it.
pub(super) const RECORDS: &str = "r/";
/// Behind every record.
pub(super) const RECORDS_END: &str = "r/~";
/// Before everything in an execution's partition, and behind it.
pub(super) const FIRST: &str = "!";
pub(super) const LAST: &str = "~";

/// Where an execution is stored: found once, used for every record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(super) partition: Text,
}

impl Place {
    /// What the keys of its blobs begin with, before a `/`.
    pub fn scope(&self) -> &str {
        &self.partition
    }
}

/// The partition of an execution; none when it is not of this home or cannot be stored.
pub(super) fn partition(home: &Home, arn: &ExecutionArn) -> Option<Text> {
    let name = home.strip(arn.as_str())?.strip_prefix("execution:")?;
    Some(format_text!("x/{name}"))
}

/// The execution that a partition belongs to.
pub(super) fn execution(home: &Home, partition: &str) -> Option<ExecutionArn> {
    let Home { partition: aws, region, account } = home;
    let name = partition.strip_prefix("x/")?;
    ExecutionArn::parse(&format!("arn:{aws}:states:{region}:{account}:execution:{name}")).ok()
}

/// What the keys of an execution's blobs begin with.
pub(super) fn blob_scope(partition: &str) -> Text {
    format_text!("{partition}/")
}

pub(super) fn record(partition: &Text, seq: u64) -> Key {
    Key::new(partition.clone(), format_text!("{RECORDS}{seq:010}"))
}

pub(super) fn seq(key: &Key) -> Option<u64> {
    key.sort.strip_prefix(RECORDS)?.parse().ok()
}

pub(super) fn heartbeat(partition: &Text, effect: u64) -> Key {
    Key::new(partition.clone(), format!("h/{effect}"))
}

pub(super) fn poison(partition: &Text) -> Key {
    Key::new(partition.clone(), "p")
}

pub(super) fn lease(owner: Owner) -> Key {
    Key::new(format!("owner/{:016x}", owner.0), "lease")
}

/// A time as a sort key: thirteen digits hold every time until the year 2286.
pub(super) fn time(at: Timestamp) -> Text {
    format_text!("{:013}", at.millis().max(0))
}

pub(super) fn time_of(sort: &str) -> Option<Timestamp> {
    sort.get(..13)?.parse().ok().map(Timestamp::from_millis)
}

/// The entry of an execution in the list of its state machine.
pub(super) fn listed(
    config: &Config,
    partition: &Text,
    state_machine: &str,
    status: ExecutionStatus,
    started_at: Timestamp,
) -> IndexKey {
    let shard = shard(partition, config.listing_shards);
    IndexKey {
        index: Index::First,
        partition: list(state_machine, status, shard),
        // Those with the same start are told apart by their rows.
        sort: time(started_at),
    }
}

/// A partition of the list of a state machine; `state_machine` with its label, if it has one.
pub(super) fn list(state_machine: &str, status: ExecutionStatus, shard: u32) -> Text {
    format_text!("list/{state_machine}/{}/{shard}", status.as_str())
}

/// The name that a state machine's executions are listed under: with its label, if it has one.
pub(super) fn list_name(state_machine: &StateMachineArn) -> Option<Text> {
    match state_machine.arn().resource {
        Resource::StateMachine { name } => Some(name),
        Resource::MapStateMachine { state_machine, label } => Some(format!("{state_machine}/{label}").into()),
        _ => None,
    }
}

/// The same, of a partition.
pub(super) fn list_name_of(partition: &str) -> &str {
    let name = partition.strip_prefix("x/").unwrap_or(partition);
    name.split(':').next().unwrap_or(name)
}

/// An entry among what is due: `kind` is `wake` or `gone`.
pub(super) fn due(config: &Config, kind: &str, partition: &Text, at: Timestamp) -> IndexKey {
    let shard = shard(partition, config.wake_shards);
    IndexKey { index: Index::Second, partition: due_partition(kind, shard), sort: time(at) }
}

pub(super) fn due_partition(kind: &str, shard: u32) -> Text {
    format_text!("{kind}/{shard}")
}

/// FNV-1a: must stay what it is, since stored entries were placed by it.
fn shard(partition: &str, shards: u32) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in partition.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    u32::try_from(hash % u64::from(shards.max(1))).expect("less than a u32")
}
