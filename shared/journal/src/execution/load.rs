//! Reading what a driver goes on from.

use std::sync::Arc;

use bytes::Bytes;
use model::arn::ExecutionArn;
use model::json::Text;
use ports::{Order, Query, Row};

use super::code::{self, Segments};
use super::meta::{First, Meta};
use super::record::{Ending, Events, Head, Record};
use super::{Executions, Place, key};
use crate::payload;
use crate::store::StoreError;

/// Where an execution stands.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Who it is.
    pub meta: Arc<Meta>,
    /// Record 0, for [`Executions::close`].
    pub first: First,
    /// The newest record.
    pub seq: u64,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
    /// The newest record with a state, and those behind it. Of an execution that has ended, the
    /// last record may be all, with a state or without. History is read of a record that ends
    /// only.
    pub records: Vec<Record>,
    /// The row of the newest record when it has an entry among the wake-ups.
    pub parked: Option<Row>,
}

/// Records read at once when the newest has no state.
const BACKWARDS: usize = 16;

impl Executions {
    /// The tail of an execution; none when it does not exist.
    pub async fn load(&self, execution: &ExecutionArn) -> Result<Option<Loaded>, StoreError> {
        self.load_from(execution, None).await
    }

    /// As [`Executions::load`], with record `newest` taken for the newest if it is there: one read
    /// by key. Whoever is wrong about it loses the race for the next record, and loads again.
    pub async fn load_from(
        &self,
        execution: &ExecutionArn,
        newest: Option<u64>,
    ) -> Result<Option<Loaded>, StoreError> {
        let Some(partition) = key::partition(&self.store.config.home, execution) else { return Ok(None) };
        let named = match newest {
            Some(seq) => self.store.table.get(&key::record(&partition, seq)).await?,
            None => None,
        };
        let newest = match named {
            Some(row) => Some(row),
            None => self.rows(&partition, None, 1).await?.pop(),
        };
        let Some(newest) = newest else { return Ok(None) };
        let parked = newest.indexes.iter().any(|index| index.partition.starts_with("wake/"));
        let parked = parked.then(|| newest.clone());
        let mut rows = vec![newest];
        let mut records = Vec::new();
        let place = Place { partition };
        let partition = &place.partition;
        let mut first = None;
        loop {
            for row in rows {
                let record = match key::seq(&row.key) {
                    Some(0) => {
                        let found = first.insert(First::of(&self.store.config.home, place.clone(), &row)?);
                        self.record_of(&found.record, Events::Ending).await?
                    }
                    _ => self.record_of(&row.body, Events::Ending).await?,
                };
                let complete = record.state.is_some() || record.ending().is_some();
                records.push(record);
                if complete {
                    records.reverse();
                    let (seq, mut ending) =
                        records.last().map_or((0, None), |last| (last.seq, last.ending()));
                    let first = match first {
                        Some(first) => first,
                        None => self.first(&place).await?,
                    };
                    let mut meta = first.meta.clone();
                    if meta.is_outlined() {
                        let meta: &mut Meta = Arc::make_mut(&mut meta);
                        payload::inline(&self.store, meta).await?;
                    }
                    if let Some(ending) = &mut ending {
                        payload::inline(&self.store, ending).await?;
                    }
                    return Ok(Some(Loaded { meta, first, seq, ending, records, parked }));
                }
            }
            let last = records.last().map(|record: &Record| record.seq);
            rows = self.rows(partition, last, BACKWARDS).await?;
            if rows.is_empty() {
                return Err(StoreError::Damaged(format!("{execution} has no record with a state")));
            }
        }
    }

    /// The newest record of a partition without what only drivers need.
    pub(super) async fn newest(&self, partition: &Text) -> Result<Option<Record>, StoreError> {
        match self.rows(partition, None, 1).await?.pop() {
            Some(row) if key::seq(&row.key) != Some(0) => {
                self.record_of(&row.body, Events::Ending).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Rows of records, newest first, those before `before` only.
    pub(super) async fn rows(
        &self,
        partition: &Text,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let query = Query {
            partition: partition.clone(),
            from: key::RECORDS.into(),
            to: key::RECORDS_END.into(),
            order: Order::Descending,
            after: before.map(|seq| key::record(partition, seq).sort),
            limit,
        };
        Ok(self.store.table.query(&query).await?.rows)
    }

    /// A record from its row, or from the blob that the row refers to.
    pub(super) async fn record_of(&self, bytes: &Bytes, events: Events) -> Result<Record, StoreError> {
        match code::referred(bytes)? {
            None => Record::decode(bytes, events),
            Some(key) => match self.store.blobs.get(key).await? {
                Some(blob) => Record::decode(&blob, events),
                None => Err(StoreError::Damaged(format!("the record {key} is missing"))),
            },
        }
    }

    /// The head of a record, without its blob.
    pub(super) fn head_of(&self, bytes: &Bytes) -> Result<Head, StoreError> {
        match code::referred(bytes)? {
            None => Segments::split(bytes)?.head(),
            Some(_) => code::unpack(code::take(&bytes[2..])?.0),
        }
    }
}
