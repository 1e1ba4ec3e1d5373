//! What is to happen by itself: executions that wait for long, and ended ones to be given up.

use model::arn::ExecutionArn;
use model::timestamp::Timestamp;
use ports::{Condition, Index, IndexPosition, IndexQuery, Order, Row, TableError};

use super::{Executions, key};
use crate::store::StoreError;

/// A kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DueKind {
    /// An execution to be woken.
    Wake,
    /// An ended execution whose retention is over.
    Gone,
}

impl DueKind {
    fn word(self) -> &'static str {
        match self {
            DueKind::Wake => "wake",
            DueKind::Gone => "gone",
        }
    }
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which execution.
    pub execution: ExecutionArn,
    /// When.
    pub at: Timestamp,
    /// Its place, to go on from.
    pub position: IndexPosition,
}

impl Due {
    /// The record that the entry belongs to.
    pub fn seq(&self) -> Option<u64> {
        key::seq(&self.position.key)
    }
}

/// Some entries of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// Earliest first.
    pub entries: Vec<Due>,
    /// There are more behind the last.
    pub more: bool,
}

impl Executions {
    /// Entries of one shard that are due at `until` or before.
    pub async fn due(
        &self,
        kind: DueKind,
        shard: u32,
        until: Timestamp,
        after: Option<IndexPosition>,
        limit: usize,
    ) -> Result<DuePage, StoreError> {
        let query = IndexQuery {
            index: Index::Second,
            partition: key::due_partition(kind.word(), shard),
            from: key::FIRST.into(),
            to: key::time(until),
            order: Order::Ascending,
            after,
            limit,
        };
        let page = self.store.table.query_index(&query).await?;
        let entry = |position: IndexPosition| {
            let execution = key::execution(&self.store.config.home, &position.key.partition)?;
            Some(Due { execution, at: key::time_of(&position.sort)?, position })
        };
        Ok(DuePage {
            more: page.more,
            entries: page.rows.into_iter().filter_map(|row| entry(row.position)).collect(),
        })
    }

    /// Takes the entry of a record that is no longer the newest away. Whether another did so
    /// first does not matter.
    pub async fn unpark(&self, mut row: Row) -> Result<(), StoreError> {
        let before = row.revision;
        row.indexes.retain(|index| index.index != Index::Second);
        row.revision = before.wrapping_add(1);
        match self.store.table.put(row, Condition::Revision(before)).await {
            Ok(()) | Err(TableError::Conflict | TableError::Unknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an entry whose record is no longer the newest of its execution, or whose execution
    /// has ended; says whether it was such a one.
    pub async fn remove_stale(&self, due: &Due) -> Result<bool, StoreError> {
        let at = &due.position.key;
        let Some(row) = self.store.table.get(at).await? else { return Ok(true) };
        let newest = self.rows(&at.partition, None, 1).await?.pop();
        if newest.is_none_or(|newest| newest.key == row.key) {
            return Ok(false);
        }
        if row.indexes.iter().any(|index| index.index == Index::Second) {
            self.unpark(row).await?;
        }
        Ok(true)
    }
}
