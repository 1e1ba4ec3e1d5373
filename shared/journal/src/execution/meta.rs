//! META: who an execution is and, once it has ended, how.

use std::sync::Arc;

use bytes::Bytes;
use engine::Execution;
use model::error::Failure;
use model::json::{Text, Value};
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::{IndexKey, Row};
use serde::{Deserialize, Serialize};

use super::code::{self, Compression, take};
use super::list::Summary;
use super::record::{Ending, Events, Record};
use super::{Executions, Place, key};
use crate::payload::{self, Payloads};
use crate::store::{FORMAT, StoreError};

/// What record 0 says of an execution beside its first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// Who it is. Nothing of it changes.
    pub execution: Execution,
    /// The revision of the state machine that it runs.
    pub revision_id: Text,
    /// `traceHeader` of the start.
    pub trace_header: Option<Text>,
    /// Its input.
    pub input: Value,
    /// How it ended, as far as this row knows: it is written after the record that says so. What it
    /// gave stands in that record alone.
    pub ending: Option<Ending>,
    /// How often it was redriven.
    pub redrive_count: u32,
    /// When it was redriven last.
    pub redriven_at: Option<Timestamp>,
}

impl Meta {
    /// An execution that starts.
    pub fn new(execution: Execution, revision_id: Text, input: Value) -> Meta {
        Meta {
            execution,
            revision_id,
            trace_header: None,
            input,
            ending: None,
            redrive_count: 0,
            redriven_at: None,
        }
    }

    /// Its status, as far as this row knows.
    pub fn status(&self) -> ExecutionStatus {
        self.ending.as_ref().map_or(ExecutionStatus::Running, |ending| ending.status)
    }
}

/// Record 0 as it is stored: META, its large payloads outlined, and the first step.
#[derive(Clone, Debug)]
pub struct First {
    pub(super) place: Place,
    pub(super) meta: Arc<Meta>,
    pub(super) record: Bytes,
    pub(super) revision: u64,
}

impl First {
    /// Where the execution is stored.
    pub fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn of(place: Place, row: &Row) -> Result<First, StoreError> {
        let (meta, record) = split_row(&row.body)?;
        Ok(First { place, meta: Arc::new(meta), record, revision: row.revision })
    }
}

impl Meta {
    /// Whether payloads of it stand elsewhere.
    pub(super) fn is_outlined(&self) -> bool {
        let output = self.ending.as_ref().and_then(|ending| ending.output.as_ref());
        std::iter::once(&self.input).chain(output).any(payload::is_outlined)
    }
}

impl Payloads for Meta {
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value)) {
        visitor(&mut self.input);
        if let Some(ending) = &mut self.ending {
            ending.visit(visitor);
        }
    }
}

/// What DescribeExecution needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Who it is.
    pub execution: Execution,
    /// The revision of the state machine that it runs.
    pub revision_id: Text,
    /// Its input.
    pub input: Value,
    /// `traceHeader` of the start.
    pub trace_header: Option<Text>,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it ended.
    pub stopped_at: Option<Timestamp>,
    /// What it gave, when it succeeded.
    pub output: Option<Value>,
    /// Error and cause, when it did not.
    pub failure: Failure,
    /// How often it was redriven.
    pub redrive_count: u32,
    /// When it was redriven last.
    pub redriven_at: Option<Timestamp>,
    /// Id of its newest event.
    pub last_event_id: u64,
}

impl Executions {
    /// Record 0; an error when it is missing.
    pub(super) async fn first(&self, place: &Place) -> Result<First, StoreError> {
        let partition = &place.partition;
        match self.store.table.get(&key::record(partition, 0)).await? {
            Some(row) => First::of(place.clone(), &row),
            None => Err(StoreError::Damaged(format!("the first record of {partition} is missing"))),
        }
    }

    /// The newest record, `first` being record 0; none when the records have gone.
    pub(super) async fn newest_of(
        &self,
        partition: &Text,
        first: &Bytes,
    ) -> Result<Option<Record>, StoreError> {
        match self.newest(partition).await? {
            Some(newest) => Ok(Some(newest)),
            None if first.is_empty() => Ok(None),
            None => self.record_of(first, Events::Ending).await.map(Some),
        }
    }

    /// Everything about an execution but its history. What META does not know yet is taken from
    /// the newest record.
    pub async fn describe(&self, arn: &model::arn::ExecutionArn) -> Result<Option<Description>, StoreError> {
        let Some(partition) = key::partition(&self.store.config.home, arn) else { return Ok(None) };
        let Some(row) = self.store.table.get(&key::record(&partition, 0)).await? else { return Ok(None) };
        let (mut meta, first) = split_row(&row.body)?;
        let mut last_event_id = meta.ending.as_ref().map_or(0, |ending| ending.last_event_id);
        if meta.ending.as_ref().is_none_or(Ending::lacks_output)
            && let Some(newest) = self.newest_of(&partition, &first).await?
        {
            last_event_id = newest.last_event_id;
            meta.ending = newest.ending().or(meta.ending);
        }
        payload::inline(&self.store, &mut meta).await?;
        let (stopped_at, output, failure) = match &meta.ending {
            Some(Ending { at, output, failure, .. }) => (Some(*at), output.clone(), failure.clone()),
            None => (None, None, Failure::default()),
        };
        Ok(Some(Description {
            status: meta.status(),
            execution: meta.execution,
            revision_id: meta.revision_id,
            input: meta.input,
            trace_header: meta.trace_header,
            stopped_at,
            output,
            failure,
            redrive_count: meta.redrive_count,
            redriven_at: meta.redriven_at,
            last_event_id,
        }))
    }
}

/// The row of record 0: META in front of the record, which is compressed with it.
pub(super) fn row(
    config: &crate::store::Config,
    partition: &Text,
    meta: &Meta,
    record: &[u8],
    revision: u64,
    due: Option<IndexKey>,
) -> Row {
    let compression =
        Compression { bytes_min: config.first_compress_bytes_min, thorough: config.compress_thoroughly };
    let mut body = Vec::with_capacity(512 + record.len());
    body.extend_from_slice(&[FORMAT, 0]);
    code::segment(&mut body, |body| rmp_serde::encode::write(body, meta));
    body.extend_from_slice(record);
    let started_at = meta.execution.started_at;
    let listed = key::listed(config, partition, key::list_name_of(partition), meta.status(), started_at);
    let mut row = Row::new(key::record(partition, 0), revision, code::seal(body, compression));
    row.summary = code::pack(&Summary::of(meta)).into();
    row.indexes = std::iter::once(listed).chain(due).collect();
    row
}

/// META, and the record behind it.
pub(super) fn split_row(body: &Bytes) -> Result<(Meta, Bytes), StoreError> {
    let body = code::open(body, "the first record")?;
    let (packed, _) = take(&body)?;
    Ok((code::unpack(packed)?, body.slice(4 + packed.len()..)))
}
