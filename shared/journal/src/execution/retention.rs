//! The end of an execution's stay: first its records go, then its name.

use bytes::{BufMut as _, Bytes, BytesMut};
use model::arn::ExecutionArn;
use model::json::Text;
use model::timestamp::Timestamp;
use ports::{Condition, Key, Order, Query, Row, TableError};

use super::code::{self, Compression, take};
use super::meta::Meta;
use super::record::{Events, Record};
use super::{Executions, key, meta};
use crate::store::StoreError;

/// An archive is written once and seldom read.
const ARCHIVED: Compression = Compression { bytes_min: 0, thorough: true };
/// How long the name of an execution is taken whose removal stopped before its very last step.
const LEFT_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// Rows or blobs removed at once.
const AT_ONCE: usize = 64;

impl Executions {
    /// Gives up the records of an execution that ended long enough ago, kept as one blob where
    /// the configuration says so; and, once that time has come too, the execution itself. Says
    /// whether anything was given up. Safe to repeat after a crash at any place.
    pub async fn give_up(&self, execution: &ExecutionArn, now: Timestamp) -> Result<bool, StoreError> {
        let partition = self.partition(execution)?;
        let config = &self.store.config;
        let first = key::record(&partition, 0);
        let Some(row) = self.store.table.get(&first).await? else { return Ok(false) };
        let (meta, record) = meta::split_row(&config.home, &row)?;
        let last = self.rows(&partition, None, 1).await?.pop().filter(|last| last.key != first);
        let newest = last.as_ref().map_or(&record, |last| &last.body);
        // What it gave stands in the last record, which goes.
        let newest = match self.record_of(newest, Events::Ending).await {
            Ok(newest) => newest.ending(),
            // It has gone before.
            Err(_) if record.is_empty() && last.is_none() => None,
            Err(StoreError::Damaged(_)) if meta.ending.is_some() => None,
            Err(error) => return Err(error),
        };
        let Some(ending) = newest.or_else(|| meta.ending.clone()) else { return Ok(false) };
        if now < ending.at.plus_millis(config.records_retention_millis) {
            return Ok(false);
        }
        let name_until = ending.at.plus_millis(config.name_retention_millis);
        let goes = now >= name_until;
        if config.archive && !goes && !record.is_empty() {
            let archive = self.archive_bytes(&partition).await?;
            self.store.blobs.put(&archive_key(&partition), archive).await?;
        }
        let mut kept = Meta { ending: Some(ending), ..meta };
        if !config.archive {
            // Its large payloads go with the records.
            crate::payload::drop_outlined(&mut kept);
        }
        // Still listed, its name still taken; it comes up again when that ends.
        let again = key::due(config, "gone", &partition, name_until);
        let mut bare = meta::row(config, &partition, &kept, &[], row.revision.wrapping_add(1), Some(again));
        bare.expires_at = Some(name_until.plus_millis(config.records_retention_millis));
        if goes {
            bare.indexes.clear();
            bare.expires_at = Some(now.plus_millis(LEFT_MILLIS));
        }
        // Before the records go, the last of which says that it has ended: whatever is left of it if
        // this stops half-way does not look as if it ran.
        if goes || !record.is_empty() {
            match self.store.table.put(bare, Condition::Revision(row.revision)).await {
                Ok(()) => {}
                // Whoever comes next goes on.
                Err(TableError::Conflict | TableError::Unknown(_)) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        let last = last.map(|last| last.key);
        // Whoever stopped half-way may have removed the rows that tell.
        let mut had_blobs = refers_to_blobs(&row) || (record.is_empty() && last.is_some());
        had_blobs |= self.remove_rows(&partition, &first, last.as_ref()).await?;
        // The archive is one itself, and stays as long as the name.
        let goes_with_blobs = if config.archive { goes } else { had_blobs };
        if goes_with_blobs {
            self.remove_blobs(&partition, None).await?;
        }
        // The last record brings this back until nothing else is left.
        if let Some(last) = &last {
            self.store.table.delete(last, Condition::Always).await?;
        }
        if goes {
            self.store.table.delete(&first, Condition::Always).await?;
        }
        Ok(true)
    }

    /// The records of an archived history; none when there is no archive.
    pub(super) async fn archive(&self, partition: &Text) -> Result<Vec<Record>, StoreError> {
        let Some(archive) = self.store.blobs.get(&archive_key(partition)).await? else {
            return Ok(Vec::new());
        };
        let mut records = Vec::new();
        let mut rest: &[u8] = &archive;
        while !rest.is_empty() {
            let (record, behind) = take(rest)?;
            records.push(Record::decode(&archive.slice_ref(record), Events::All)?);
            rest = behind;
        }
        Ok(records)
    }

    /// All records one after the other, without what only drivers need.
    async fn archive_bytes(&self, partition: &Text) -> Result<Bytes, StoreError> {
        let mut out = BytesMut::new();
        let mut after = None;
        loop {
            let page = self.ascending(partition, after).await?;
            for row in &page.rows {
                let record = self.record_of(&meta::record_in(row)?, Events::All).await?;
                let head = super::record::Head { has_state: false, ..record.head() };
                let bytes = code::encode(&head, &[], &record.history, &[], &[], ARCHIVED);
                out.put_u32_le(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                out.put_slice(&bytes);
            }
            if !page.more {
                return Ok(out.freeze());
            }
            after = page.rows.last().map(|row| row.key.sort.clone());
        }
    }

    async fn ascending(&self, partition: &Text, after: Option<Text>) -> Result<ports::Page, StoreError> {
        let query = Query {
            partition: partition.clone(),
            from: key::RECORDS.into(),
            to: key::RECORDS_END.into(),
            order: Order::Ascending,
            after,
            limit: AT_ONCE,
        };
        Ok(self.store.table.query(&query).await?)
    }

    /// Removes every row of an execution but the first and the last record; says whether one of all
    /// but the first refers to blobs.
    async fn remove_rows(
        &self,
        partition: &Text,
        first: &Key,
        last: Option<&Key>,
    ) -> Result<bool, StoreError> {
        let mut after = None;
        let mut had_blobs = false;
        loop {
            let query = Query {
                partition: partition.clone(),
                from: key::FIRST.into(),
                to: key::LAST.into(),
                order: Order::Ascending,
                after,
                limit: AT_ONCE,
            };
            let page = self.store.table.query(&query).await?;
            for row in page.rows.iter().filter(|row| row.key != *first) {
                had_blobs |= refers_to_blobs(row);
                if Some(&row.key) != last {
                    self.store.table.delete(&row.key, Condition::Always).await?;
                }
            }
            if !page.more {
                return Ok(had_blobs);
            }
            after = page.rows.last().map(|row| row.key.sort.clone());
        }
    }

    async fn remove_blobs(&self, partition: &Text, mut after: Option<Text>) -> Result<(), StoreError> {
        let scope = key::blob_scope(partition);
        loop {
            let keys = self.store.blobs.list(&scope, after.as_deref(), AT_ONCE).await?;
            for key in &keys {
                self.store.blobs.delete(key).await?;
            }
            match keys.last() {
                Some(last) if keys.len() == AT_ONCE => after = Some(last.clone()),
                _ => return Ok(()),
            }
        }
    }
}

/// Whether a row refers to a blob of its execution, or may: keys of blobs begin with its place.
fn refers_to_blobs(row: &Row) -> bool {
    let scope = key::blob_scope(&row.key.partition);
    let refers = |body: &[u8]| body.windows(scope.len()).any(|part| part == scope.as_bytes());
    match code::referred(&row.body) {
        Ok(None) => code::open(&row.body, "a row").map_or(true, |body| refers(&body)),
        _ => true,
    }
}

fn archive_key(partition: &Text) -> String {
    format!("{}history", key::blob_scope(partition))
}
