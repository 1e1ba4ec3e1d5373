//! The one conditional put that everything rests on.

use std::sync::Arc;

use bytes::Bytes;
use model::arn::ExecutionArn;
use model::error::Failure;
use model::history::{Event, HistoryEvent};
use model::json::Text;
use model::timestamp::Timestamp;
use ports::{Condition, Row, TableError};

use super::code::Compression;
use super::meta::{self, First, Meta};
use super::record::{Ending, HistoryPayloads, Record, Writer};
use super::{Executions, Place, code, key};
use crate::payload::{self, Known, Pool};
use crate::store::StoreError;

/// How often a put whose outcome is unknown, and that is not there, is tried again at once.
const ATTEMPTS: usize = 3;

/// Why a record was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Another record stands in its place: load again and step again.
    #[error("another writer appended record {seq} first")]
    Conflict {
        /// The place.
        seq: u64,
    },
    /// It was not appended, or it is unknown whether it was. Appending the same record again,
    /// with the same writer, is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What follows a record.
#[derive(Clone, Copy, Debug)]
pub enum Then<'a> {
    /// Others, or [`Executions::close`].
    GoesOn,
    /// Nothing until then: the execution is entered among the wake-ups.
    Wakes(Timestamp),
    /// Nothing: the execution ends with it, and is listed as ended by it. Who it is.
    IsOver(&'a Meta),
}

/// A record that stands.
#[derive(Clone, Debug, Default)]
pub struct Appended {
    /// Its row when it has an entry among the wake-ups, for [`Executions::unpark`].
    pub parked: Option<Row>,
    /// Record 0, when it is that, for [`Executions::close`].
    pub first: Option<First>,
}

impl Executions {
    /// Appends record 0 with META, unless the execution exists. An execution that has ended in
    /// its first step is complete with that when `meta` says so, and else has to be closed.
    pub async fn create(
        &self,
        place: &Place,
        meta: &Meta,
        mut record: Record,
        wake_at: Option<Timestamp>,
        mut blobs: Vec<(Text, Bytes)>,
        known: &mut Known,
    ) -> Result<Appended, AppendError> {
        let partition = &place.partition;
        let mut meta = meta.clone();
        if let Some(ending) = &mut meta.ending {
            ending.output = None;
        }
        let config = &self.store.config;
        let outlined =
            payload::outline(&mut meta, place.scope(), config.payload_bytes_inline_max, known, None);
        blobs.extend(outlined.blobs);
        let body = self.body(place, &mut record, &mut blobs, known);
        let is_all = blobs.is_empty() && known.is_empty() && self.goes_as_a_whole();
        let ending = record.ending();
        let due = match &ending {
            // One row, which goes by itself.
            Some(_) if is_all => None,
            Some(ending) => Some(self.gone_at(partition, ending)),
            None => wake_at.map(|at| key::due(config, "wake", partition, at)),
        };
        let mut row = meta::row(config, partition, &meta, &body, 0, due);
        if let (Some(ending), true) = (&ending, is_all) {
            row.expires_at = Some(ending.at.plus_millis(config.records_retention_millis));
        }
        let parks = wake_at.is_some() && ending.is_none();
        let parked = self.put_record(row, &record, &blobs, parks).await?;
        let first = First { place: place.clone(), meta: Arc::new(meta), record: body, revision: 0 };
        Ok(Appended { parked, first: Some(first) })
    }

    /// Appends a record behind the newest one. Its history is stored with it; `blobs` are what
    /// its state refers to.
    pub async fn append(
        &self,
        place: &Place,
        mut record: Record,
        then: Then<'_>,
        mut blobs: Vec<(Text, Bytes)>,
        known: &mut Known,
    ) -> Result<Appended, AppendError> {
        let (partition, config) = (&place.partition, &self.store.config);
        let ending = record.ending();
        let body = self.body(place, &mut record, &mut blobs, known);
        let mut row = Row::new(key::record(partition, record.seq), 0, body);
        let mut parks = false;
        match (&ending, then) {
            (Some(ending), Then::IsOver(meta)) => {
                let meta = Meta { ending: Some(ending.clone()), ..meta.clone() };
                row.summary = meta::summary(&meta);
                row.indexes = vec![meta::listed(config, partition, &meta), self.gone_at(partition, ending)];
            }
            (Some(ending), _) => row.indexes = vec![self.gone_at(partition, ending)],
            (None, Then::Wakes(at)) => {
                row.indexes = vec![key::due(config, "wake", partition, at)];
                parks = true;
            }
            (None, Then::GoesOn | Then::IsOver(_)) => {}
        }
        let parked = self.put_record(row, &record, &blobs, parks).await?;
        Ok(Appended { parked, first: None })
    }

    async fn put_record(
        &self,
        row: Row,
        record: &Record,
        blobs: &[(Text, Bytes)],
        parked: bool,
    ) -> Result<Option<Row>, AppendError> {
        payload::write(&self.store, blobs).await?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let unknown = match self.store.table.put(row.clone(), Condition::Absent).await {
                Ok(()) => return Ok(parked.then_some(row)),
                Err(TableError::Conflict) => None,
                Err(error @ TableError::Unknown(_)) => Some(error),
                Err(error) => return Err(StoreError::from(error).into()),
            };
            // What stands there may be this very record: a put can apply and still report that it
            // did not.
            match self.store.table.get(&row.key).await.map_err(StoreError::from)? {
                Some(found) if self.writer_of(&found).await? == record.writer => {
                    return Ok(parked.then_some(found));
                }
                Some(_) => return Err(AppendError::Conflict { seq: record.seq }),
                None => match unknown {
                    Some(error) if attempts == ATTEMPTS => return Err(StoreError::from(error).into()),
                    // It vanished, which only the end of a retention does.
                    None if attempts == ATTEMPTS => {
                        return Err(AppendError::Conflict { seq: record.seq });
                    }
                    _ => {}
                },
            }
        }
    }

    /// Who wrote record `seq`, if it stands.
    pub async fn writer(
        &self,
        execution: &ExecutionArn,
        seq: u64,
    ) -> Result<Option<super::Writer>, StoreError> {
        let partition = self.partition(execution)?;
        match self.store.table.get(&key::record(&partition, seq)).await? {
            Some(row) => self.writer_of(&row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn writer_of(&self, row: &Row) -> Result<super::Writer, StoreError> {
        Ok(self.head_of(&meta::record_in(row)?)?.writer)
    }

    /// The bytes of a record's row, large payloads outlined. A record that is large all the same
    /// goes to the blobs whole; its key has the writer in it, since two writers of one place must
    /// not overwrite each other.
    fn body(
        &self,
        place: &Place,
        record: &mut Record,
        blobs: &mut Vec<(Text, Bytes)>,
        known: &mut Known,
    ) -> Bytes {
        let config = &self.store.config;
        let scope = place.scope();
        let mut payloads = HistoryPayloads(&mut record.history);
        let (inline_max, pool) = (config.payload_bytes_inline_max, Some(&mut record.pool));
        let outlined = payload::outline(&mut payloads, scope, inline_max, known, pool);
        blobs.extend(outlined.blobs);
        // The first is compressed with META, which says much of the same.
        let compression =
            Compression { bytes_min: config.compress_bytes_min, thorough: config.compress_thoroughly };
        let alone = Compression { bytes_min: usize::MAX, ..compression };
        let mut body = record.encode(if record.seq == 0 { alone } else { compression });
        if record.seq == 0 && body.len() > config.record_bytes_inline_max {
            body = record.encode(compression);
        }
        if body.len() <= config.record_bytes_inline_max {
            return body;
        }
        let blob = Text::from(format!("{scope}/r{}-{:016x}", record.seq, record.writer.0));
        let row = code::reference(&record.head(), &blob);
        blobs.push((blob, body));
        row
    }

    /// Fails an execution whose newest record cannot be used, without reading its state.
    pub async fn fail_unread(
        &self,
        execution: &ExecutionArn,
        failure: &Failure,
        writer: Writer,
        now: Timestamp,
    ) -> Result<(), AppendError> {
        let partition = self.partition(execution)?;
        let Some(newest) = self.rows(&partition, None, 1).await?.pop() else { return Ok(()) };
        let seq = key::seq(&newest.key).unwrap_or(0);
        let last = self.last_event_known(&partition, newest).await?;
        let last_event_id = last + 1;
        let event = HistoryEvent {
            id: last_event_id,
            previous_event_id: last,
            timestamp: now,
            event: Event::ExecutionFailed(failure.clone()),
        };
        let record = Record {
            seq: seq + 1,
            writer,
            owner: None,
            at: now,
            last_event_id,
            history: vec![event],
            pool: Pool::default(),
            steps: Bytes::new(),
            state: None,
        };
        let place = Place { partition };
        self.append(&place, record, Then::GoesOn, Vec::new(), &mut Known::default()).await.map(|_| ())
    }

    /// Id of the newest event that is known of: that of `row`'s record, or of an earlier one where
    /// nothing of it can be read.
    async fn last_event_known(&self, partition: &Text, mut row: Row) -> Result<u64, StoreError> {
        loop {
            match meta::record_in(&row).and_then(|record| self.head_of(&record)) {
                Ok(head) => return Ok(head.last_event_id),
                Err(error @ StoreError::Damaged(_)) => {
                    let seq = key::seq(&row.key);
                    row = self.rows(partition, seq, 1).await?.pop().ok_or(error)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes into META how the execution ended, unless it stands there already, and lists it with
    /// that; says whether it was written, or may have been. `first` as it was created or loaded.
    pub async fn close(&self, first: &First, ending: &Ending) -> Result<bool, StoreError> {
        let config = &self.store.config;
        let mut first = first.clone();
        let mut tried = false;
        loop {
            let First { place, meta, record, revision } = &first;
            let partition = &place.partition;
            if meta.ending.is_some() {
                return Ok(tried);
            }
            // The input is as it is stored, and the output stands in the last record.
            let closed = Ending { output: None, ..ending.clone() };
            let closed = Meta { ending: Some(closed), ..(**meta).clone() };
            // The last record brings it up when its retention is over, which may be this one.
            let gone = self.head_of(record)?.ends.then(|| self.gone_at(partition, ending));
            let row = meta::row(config, partition, &closed, record, revision.wrapping_add(1), gone);
            match self.store.table.put(row, Condition::Revision(*revision)).await {
                Ok(()) => return Ok(true),
                // Read again: either way the row says what happened.
                Err(TableError::Conflict) => {}
                Err(TableError::Unknown(_)) => tried = true,
                Err(error) => return Err(error.into()),
            }
            first = self.first(&first.place).await?;
        }
    }

    /// Whether an ended execution goes at one time, and nothing of it is kept.
    fn goes_as_a_whole(&self) -> bool {
        let config = &self.store.config;
        !config.archive && config.records_retention_millis >= config.name_retention_millis
    }

    fn gone_at(&self, partition: &Text, ending: &Ending) -> ports::IndexKey {
        let config = &self.store.config;
        key::due(config, "gone", partition, ending.at.plus_millis(config.records_retention_millis))
    }

    /// Where an execution is stored; an error when it is not of this home.
    pub fn place(&self, execution: &ExecutionArn) -> Result<Place, StoreError> {
        self.partition(execution).map(|partition| Place { partition })
    }

    pub(super) fn partition(&self, execution: &ExecutionArn) -> Result<Text, StoreError> {
        key::partition(&self.store.config.home, execution)
            .ok_or_else(|| StoreError::Refused(format!("{execution} cannot be stored here")))
    }
}
