//! Rows beside the records: heartbeats, leases of drivers, and what could not be stepped.

use model::arn::ExecutionArn;
use model::timestamp::Timestamp;
use ports::{Condition, Row, TableError};
use serde::{Deserialize, Serialize};

use super::record::Owner;
use super::{Executions, code, key};
use crate::store::StoreError;

/// A step that failed in the interpreter, not in the workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// The newest record before it.
    pub seq: u64,
    /// How often it has failed behind that record.
    pub count: u32,
    /// Why, the last time.
    pub reason: String,
}

/// How long a lease or a heartbeat outlives its use, in milliseconds.
const LINGER_MILLIS: i64 = 24 * 60 * 60 * 1_000;

impl Executions {
    /// Notes that the worker of a task was heard at `at`.
    pub async fn put_heartbeat(
        &self,
        execution: &ExecutionArn,
        effect: u64,
        at: Timestamp,
        keep_millis: i64,
    ) -> Result<(), StoreError> {
        let partition = self.partition(execution)?;
        let mut row = Row::new(key::heartbeat(&partition, effect), 0, code::pack(&at));
        row.expires_at = Some(at.plus_millis(keep_millis.saturating_add(LINGER_MILLIS)));
        self.put_any(row).await
    }

    /// When the worker of a task was heard last, if ever.
    pub async fn heartbeat(
        &self,
        execution: &ExecutionArn,
        effect: u64,
    ) -> Result<Option<Timestamp>, StoreError> {
        let partition = self.partition(execution)?;
        let row = self.store.table.get(&key::heartbeat(&partition, effect)).await?;
        row.map(|row| code::unpack(&row.body)).transpose()
    }

    /// Says that a driver is alive until `alive_until`.
    pub async fn put_lease(&self, owner: Owner, alive_until: Timestamp) -> Result<(), StoreError> {
        let mut row = Row::new(key::lease(owner), 0, code::pack(&alive_until));
        row.expires_at = Some(alive_until.plus_millis(LINGER_MILLIS));
        self.put_any(row).await
    }

    /// Until when a driver said that it is alive, if it did.
    pub async fn lease(&self, owner: Owner) -> Result<Option<Timestamp>, StoreError> {
        let row = self.store.table.get(&key::lease(owner)).await?;
        row.map(|row| code::unpack(&row.body)).transpose()
    }

    /// Counts a failed step behind record `seq`, and gives the count. It begins anew with every
    /// record.
    pub async fn poisoned(
        &self,
        execution: &ExecutionArn,
        seq: u64,
        reason: &str,
    ) -> Result<Poison, StoreError> {
        let partition = self.partition(execution)?;
        let key = key::poison(&partition);
        loop {
            let found = self.store.table.get(&key).await?;
            let (condition, revision, count) = match &found {
                None => (Condition::Absent, 0, 1),
                Some(row) => {
                    let before: Poison = code::unpack(&row.body)?;
                    let count = if before.seq == seq { before.count.saturating_add(1) } else { 1 };
                    (Condition::Revision(row.revision), row.revision.wrapping_add(1), count)
                }
            };
            let poison = Poison { seq, count, reason: reason.to_owned() };
            match self.store.table.put(Row::new(key.clone(), revision, code::pack(&poison)), condition).await
            {
                // One too many, when it is unknown, brings the end nearer by one attempt.
                Ok(()) | Err(TableError::Unknown(_)) => return Ok(poison),
                Err(TableError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn put_any(&self, row: Row) -> Result<(), StoreError> {
        match self.store.table.put(row, Condition::Always).await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
