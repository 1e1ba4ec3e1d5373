//! One step of an execution as it is stored.

use bytes::Bytes;
use model::error::Failure;
use model::history::{Event, HistoryEvent};
use model::json::Value;
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use super::code::{self, Compression, Segments};
use crate::payload::{Payloads, Pool};
use crate::store::StoreError;

/// A driver process: random, so that no two are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner(pub u64);

/// One attempt to append: random, so that a writer knows its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer(pub u64);

/// A record: what was appended to an execution at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its place: 0, 1, 2, … without gaps.
    pub seq: u64,
    /// Who appended it.
    pub writer: Writer,
    /// The driver that may start the effects claimed in it; none for a record of the API.
    pub owner: Option<Owner>,
    /// When it was made.
    pub at: Timestamp,
    /// Id of the newest event of the execution after it.
    pub last_event_id: u64,
    /// The events that it added, where they were read.
    pub history: Vec<HistoryEvent>,
    /// The payloads of the steps and the state.
    pub pool: Pool,
    /// The inputs it took, for records without a state: opaque here.
    pub steps: Bytes,
    /// The state of the execution after it, opaque here; none when the steps since the last one
    /// lead to it.
    pub state: Option<Bytes>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// Its final status.
    pub status: ExecutionStatus,
    /// When.
    pub at: Timestamp,
    /// Id of its last event.
    pub last_event_id: u64,
    /// What it gave, when it succeeded. May be null.
    #[serde(with = "maybe_null")]
    pub output: Option<Value>,
    /// Error and cause, when it did not.
    pub failure: Failure,
}

/// The part of a record that is read most often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    pub seq: u64,
    pub writer: Writer,
    pub owner: Option<Owner>,
    pub at: Timestamp,
    pub last_event_id: u64,
    pub events: u64,
    pub has_state: bool,
    /// The execution ends with it.
    pub ends: bool,
}

/// Which events of a record are read: they are many, and most readers want its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Events {
    /// All.
    All,
    /// Those of a record with which the execution ends.
    Ending,
}

impl Record {
    /// How the execution ended with this record, if it did.
    pub fn ending(&self) -> Option<Ending> {
        ending(&self.history)
    }

    pub(super) fn head(&self) -> Head {
        Head {
            seq: self.seq,
            writer: self.writer,
            owner: self.owner,
            at: self.at,
            last_event_id: self.last_event_id,
            events: self.history.len() as u64,
            has_state: self.state.is_some(),
            ends: self.ending().is_some(),
        }
    }

    /// The stored form.
    pub(super) fn encode(&self, compression: Compression) -> Bytes {
        code::encode(
            &self.head(),
            self.pool.values(),
            &self.history,
            &self.steps,
            self.state.as_deref().unwrap_or_default(),
            compression,
        )
    }

    /// Reads the stored form.
    pub(super) fn decode(bytes: &Bytes, events: Events) -> Result<Record, StoreError> {
        let segments = Segments::split(bytes)?;
        let head: Head = segments.head()?;
        let pool = Pool::of(segments.pool()?);
        let mut history = Vec::new();
        if events == Events::All || head.ends {
            history = segments.history()?;
            pool.fill(&mut HistoryPayloads(&mut history))?;
        }
        Ok(Record {
            seq: head.seq,
            writer: head.writer,
            owner: head.owner,
            at: head.at,
            last_event_id: head.last_event_id,
            history,
            pool,
            steps: segments.steps(),
            state: head.has_state.then(|| segments.state()),
        })
    }
}

/// How an execution ended whose newest events these are, if it did.
pub(super) fn ending(history: &[HistoryEvent]) -> Option<Ending> {
    let last = history.last()?;
    let (status, output, failure) = match &last.event {
        Event::ExecutionSucceeded(details) => {
            (ExecutionStatus::Succeeded, Some(details.output.clone()), Failure::default())
        }
        Event::ExecutionFailed(failure) => (ExecutionStatus::Failed, None, failure.clone()),
        // The execution itself has neither error nor cause (recorded).
        Event::ExecutionTimedOut(_) => (ExecutionStatus::TimedOut, None, Failure::default()),
        Event::ExecutionAborted(failure) => (ExecutionStatus::Aborted, None, failure.clone()),
        _ => return None,
    };
    Some(Ending { status, at: last.timestamp, last_event_id: last.id, output, failure })
}

/// A value that may be absent, where null is a value: written as none or as a list of one.
mod maybe_null {
    use model::json::Value;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Value>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|value| [value]).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
        Ok(Option::<[Value; 1]>::deserialize(from)?.map(|[value]| value))
    }
}

impl Ending {
    /// Whether something was given that does not stand here.
    pub(super) fn lacks_output(&self) -> bool {
        self.status == ExecutionStatus::Succeeded && self.output.is_none()
    }
}

impl Payloads for Ending {
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value)) {
        self.output.iter_mut().for_each(visitor);
    }
}

/// The events of a record hold payloads.
pub(super) struct HistoryPayloads<'a>(pub &'a mut [HistoryEvent]);

impl Payloads for HistoryPayloads<'_> {
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value)) {
        for event in self.0.iter_mut() {
            event.visit_payloads(visitor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_null_is_an_output() {
        for output in [None, Some(Value::Null), Some(Value::from("x")), Some(Value::object())] {
            let (status, at) = (ExecutionStatus::Succeeded, Timestamp::EPOCH);
            let ending = Ending { status, at, last_event_id: 4, output, failure: Failure::default() };
            let bytes = rmp_serde::to_vec(&ending).unwrap();
            assert_eq!(rmp_serde::from_slice::<Ending>(&bytes).unwrap(), ending);
        }
    }
}
