//! The end of an execution's stay: first its records go, then its name.

use bytes::{BufMut as _, Bytes, BytesMut};
use model::arn::ExecutionArn;
use model::json::Text;
use model::timestamp::Timestamp;
use ports::{Condition, Order, Query, TableError};

use super::code::{self, Compression, take};
use super::record::{Events, Record};
use super::{Executions, key, meta};
use crate::store::StoreError;

/// An archive is written once and seldom read.
const ARCHIVED: Compression = Compression { bytes_min: 0, thorough: true };
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
        let (meta, record) = meta::split_row(&row.body)?;
        let Some(ending) = &meta.ending else { return Ok(false) };
        if now < ending.at.plus_millis(config.records_retention_millis) {
            return Ok(false);
        }
        let name_until = ending.at.plus_millis(config.name_retention_millis);
        if now >= name_until {
            self.remove_rows(&partition, &first.sort).await?;
            self.remove_blobs(&partition, None).await?;
            self.store.table.delete(&first, Condition::Always).await?;
            return Ok(true);
        }
        if config.archive && !record.is_empty() {
            let archive = self.archive_bytes(&partition).await?;
            self.store.blobs.put(&archive_key(&partition), archive).await?;
        }
        let mut kept = meta.clone();
        // What it gave stands in the last record, which goes.
        if let Some(ending) = self.newest_of(&partition, &record).await?.and_then(|newest| newest.ending()) {
            kept.ending = Some(ending);
        }
        self.remove_rows(&partition, &first.sort).await?;
        if !config.archive {
            self.remove_blobs(&partition, None).await?;
        }
        if !config.archive {
            // Its large payloads have gone with the records.
            crate::payload::drop_outlined(&mut kept);
        }
        // Still listed, its name still taken; it comes up again when that ends.
        let again = key::due(config, "gone", &partition, name_until);
        let mut bare = meta::row(config, &partition, &kept, &[], row.revision.wrapping_add(1), Some(again));
        bare.expires_at = Some(name_until.plus_millis(config.records_retention_millis));
        match self.store.table.put(bare, Condition::Revision(row.revision)).await {
            Ok(()) | Err(TableError::Conflict | TableError::Unknown(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
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
                let body = match key::seq(&row.key) {
                    Some(0) => meta::split_row(&row.body)?.1,
                    _ => row.body.clone(),
                };
                let record = self.record_of(&body, Events::All).await?;
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

    /// Removes every row of an execution but one.
    async fn remove_rows(&self, partition: &Text, but: &str) -> Result<(), StoreError> {
        let mut after = None;
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
            for row in page.rows.iter().filter(|row| row.key.sort != but) {
                self.store.table.delete(&row.key, Condition::Always).await?;
            }
            if !page.more {
                return Ok(());
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

fn archive_key(partition: &Text) -> String {
    format!("{}history", key::blob_scope(partition))
}
