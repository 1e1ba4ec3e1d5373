//! META: who an execution is and, once it has ended, how.

use std::sync::Arc;

use bytes::Bytes;
use engine::{EffectId, Execution};
use model::arn::{ExecutionArn, Home};
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
    /// How it ended, where this row knows it: after the record that says so, or not at all. What it
    /// gave stands in that record alone.
    pub ending: Option<Ending>,
    /// How often it was redriven.
    pub redrive_count: u32,
    /// When it was redriven last.
    pub redriven_at: Option<Timestamp>,
    /// The task that waits for its end. Last, and not stored where there is none: most have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
}

/// A task of another execution that has started this one, and waits for its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Whose task.
    pub execution: ExecutionArn,
    /// Which.
    pub effect: EffectId,
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
            parent: None,
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

    /// The input as it is stored: itself, or a marker.
    pub(crate) fn stored_input(&self) -> &Value {
        &self.meta.input
    }

    pub(super) fn of(home: &Home, place: Place, row: &Row) -> Result<First, StoreError> {
        let (meta, record) = split_row(home, row)?;
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
            Some(row) => First::of(&self.store.config.home, place.clone(), &row),
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
    pub async fn describe(&self, arn: &ExecutionArn) -> Result<Option<Description>, StoreError> {
        let Some(partition) = key::partition(&self.store.config.home, arn) else { return Ok(None) };
        let Some(row) = self.store.table.get(&key::record(&partition, 0)).await? else { return Ok(None) };
        let (mut meta, first) = split_row(&self.store.config.home, &row)?;
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
    let stored = Meta { execution: unnamed(&meta.execution), ..meta.clone() };
    code::segment(&mut body, |body| rmp_serde::encode::write(body, &stored));
    body.extend_from_slice(record);
    let mut row = Row::new(key::record(partition, 0), revision, code::seal(body, compression));
    row.summary = summary(meta);
    row.indexes = std::iter::once(listed(config, partition, meta)).chain(due).collect();
    row
}

/// What a list says of an execution.
pub(super) fn summary(meta: &Meta) -> Bytes {
    code::pack(&Summary::of(meta)).into()
}

/// Where an execution is listed.
pub(super) fn listed(config: &crate::store::Config, partition: &Text, meta: &Meta) -> IndexKey {
    let (name, started_at) = (key::list_name_of(partition), meta.execution.started_at);
    key::listed(config, partition, name, meta.status(), started_at)
}

/// META, and the record behind it.
pub(super) fn split_row(home: &Home, row: &Row) -> Result<(Meta, Bytes), StoreError> {
    let body = code::open(&row.body, "the first record")?;
    let (packed, _) = take(&body)?;
    let mut meta: Meta = code::unpack(packed)?;
    name(home, &row.key.partition, &mut meta.execution)?;
    Ok((meta, body.slice(4 + packed.len()..)))
}

/// The record of a row: of the first, what stands behind META.
pub(super) fn record_in(row: &Row) -> Result<Bytes, StoreError> {
    match key::seq(&row.key) {
        Some(0) => {
            let body = code::open(&row.body, "the first record")?;
            let (packed, _) = take(&body)?;
            Ok(body.slice(4 + packed.len()..))
        }
        _ => Ok(row.body.clone()),
    }
}

/// An execution without what the key of its row says: of its version and its alias, what follows
/// the ARN of the state machine.
fn unnamed(execution: &Execution) -> Execution {
    let qualifier = |arn: &Option<Text>| arn.as_ref().map(qualifier_of);
    Execution {
        arn: Text::default(),
        name: Text::default(),
        role_arn: execution.role_arn.clone(),
        state_machine_arn: Text::default(),
        state_machine_name: Text::default(),
        state_machine_version_arn: qualifier(&execution.state_machine_version_arn),
        state_machine_alias_arn: qualifier(&execution.state_machine_alias_arn),
        region: Text::default(),
        started_at: execution.started_at,
        synchronous: execution.synchronous,
    }
}

/// The opposite of [`unnamed`].
fn name(home: &Home, partition: &str, execution: &mut Execution) -> Result<(), StoreError> {
    let arn = key::execution(home, partition)
        .ok_or_else(|| StoreError::Damaged(format!("{partition} is the place of no execution")))?;
    let state_machine = arn.state_machine();
    let qualified = |qualifier: Option<Text>| {
        qualifier.map(|qualifier| Text::from(format!("{}:{qualifier}", state_machine.as_str())))
    };
    execution.state_machine_version_arn = qualified(execution.state_machine_version_arn.take());
    execution.state_machine_alias_arn = qualified(execution.state_machine_alias_arn.take());
    execution.state_machine_name = state_machine.arn().resource.state_machine().cloned().unwrap_or_default();
    execution.state_machine_arn = state_machine.as_str().into();
    execution.region = home.region.clone();
    execution.name = arn.name();
    execution.arn = arn.as_str().into();
    Ok(())
}

/// What follows `…:stateMachine:<name>:` in the ARN of a version or an alias.
pub(super) fn qualifier_of(arn: &Text) -> Text {
    arn.rsplit(':').next().unwrap_or_default().into()
}
