//! What is sent through the queue: it carries the input that it announces.

use std::sync::Arc;

use bytes::Bytes;
use engine::{EffectId, Input};
use integrations::Job;
use journal::StoreError;
use journal::execution::{Meta, Writer};
use journal::payload::Payloads;
use model::arn::ExecutionArn;
use model::json::Value;
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::{DeliveryId, visit_job};

/// Version of the stored form.
const FORMAT: u8 = 4;
/// Added to it where the message had gone to the dead letters.
const SENT_AGAIN: u8 = 0x80;
/// The same of a message that was sent again.
const FORMAT_SENT_AGAIN: u8 = FORMAT | SENT_AGAIN;

/// A message to whoever drives an execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub execution: ExecutionArn,
    pub news: News,
}

/// What a message announces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum News {
    /// The execution is to exist.
    Start(Begin),
    /// Something happened.
    Input(DeliveryId, Input),
    /// A timer is due.
    Wake {
        /// At this time.
        at: Timestamp,
        /// The record that set it, if that is known: most often it is the newest still.
        seq: Option<u64>,
    },
    /// A job is to be asked for.
    Poll {
        /// The task that waits for it.
        effect: EffectId,
        /// At this time of its schedule; at once where something may have changed.
        at: Option<Timestamp>,
    },
    /// A job that nobody waits for once the record stands that its task ends with. The message is sent
    /// before.
    Cancel {
        /// The job.
        job: Box<Job>,
        /// That record: another in its place cancels nothing.
        seq: u64,
        /// Who writes it.
        writer: Writer,
        /// How often somebody has found that it does not stand yet.
        looks: u32,
    },
    /// Nothing: the execution is to be looked at.
    Look,
}

/// How many milliseconds after it is sent a [`News::Cancel`] arrives; after each it is sent again
/// where the record does not stand yet. After the last, it will not come: whoever ends the task then
/// says so again.
pub(crate) const CANCEL_DELAYS_MILLIS: [i64; 3] = [1_000, 30_000, 240_000];
/// A writer that has tried for so long announces again what the record cancels.
pub(crate) const CANCEL_AGAIN_MILLIS: i64 = 60_000;

/// META of an execution that is to exist. Most often it does when the message arrives, and nobody
/// reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Bytes", into = "Bytes")]
pub(crate) enum Begin {
    /// As it is sent.
    Sent(Arc<Meta>),
    /// As it was received, its large payloads elsewhere.
    Received(Bytes),
}

impl Begin {
    /// META, the large payloads of one that was received elsewhere still.
    pub fn meta(&self) -> Result<Arc<Meta>, StoreError> {
        match self {
            Begin::Sent(meta) => Ok(meta.clone()),
            Begin::Received(bytes) => rmp_serde::from_slice(bytes)
                .map(Arc::new)
                .map_err(|error| StoreError::Damaged(format!("the message of a start: {error}"))),
        }
    }
}

impl From<Begin> for Bytes {
    fn from(begin: Begin) -> Bytes {
        match begin {
            Begin::Sent(meta) => rmp_serde::to_vec(&meta).expect("META is what MessagePack can write").into(),
            Begin::Received(bytes) => bytes,
        }
    }
}

impl From<Bytes> for Begin {
    fn from(bytes: Bytes) -> Begin {
        Begin::Received(bytes)
    }
}

/// A message that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a message cannot be read: {0}")]
pub(crate) struct MessageError(String);

impl Message {
    pub fn look(execution: ExecutionArn) -> Message {
        Message { execution, news: News::Look }
    }

    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(1_024);
        out.push(FORMAT);
        rmp_serde::encode::write(&mut out, self).expect("a message is what MessagePack can write");
        out.into()
    }

    pub fn decode(bytes: &[u8]) -> Result<Message, MessageError> {
        match bytes {
            [FORMAT | FORMAT_SENT_AGAIN, rest @ ..] => {
                rmp_serde::from_slice(rest).map_err(|error| MessageError(error.to_string()))
            }
            [found, ..] => {
                let found = found & !SENT_AGAIN;
                Err(MessageError(format!("it has format {found}, this version reads format {FORMAT}")))
            }
            [] => Err(MessageError("it is empty".to_owned())),
        }
    }

    /// The bytes of a message that is sent again after it came too often.
    pub fn again(body: &Bytes) -> Bytes {
        let mut out = body.to_vec();
        if let Some(format) = out.first_mut() {
            *format |= SENT_AGAIN;
        }
        out.into()
    }

    /// Whether it came before, to somebody who did not come to an end: only the queue that it is in
    /// now counts how often.
    pub fn was_sent_again(body: &[u8]) -> bool {
        body.first().is_some_and(|format| format & SENT_AGAIN != 0)
    }
}

impl Payloads for Message {
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value)) {
        self.news.visit(visitor);
    }
}

impl Payloads for News {
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value)) {
        match self {
            News::Start(Begin::Sent(meta)) => Arc::make_mut(meta).visit(visitor),
            News::Input(_, input) => input.visit_payloads(visitor),
            News::Cancel { job, .. } => visit_job(job, visitor),
            News::Start(Begin::Received(_)) | News::Wake { .. } | News::Poll { .. } | News::Look => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::Execution;
    use model::json::Text;

    use super::*;

    fn meta() -> Meta {
        let text = |text: &str| Text::from(text);
        let execution = Execution {
            arn: text("arn:aws:states:us-east-1:123456789012:execution:m:e"),
            name: text("e"),
            role_arn: text("arn:aws:iam::123456789012:role/r"),
            state_machine_arn: text("arn:aws:states:us-east-1:123456789012:stateMachine:m"),
            state_machine_name: text("m"),
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            region: text("us-east-1"),
            started_at: Timestamp::from_millis(1_000),
            synchronous: false,
        };
        Meta::new(execution, text("1"), Value::from(vec![Value::from("x"), Value::Null]))
    }

    #[test]
    fn a_start_is_read_by_whoever_needs_it() {
        let meta = Arc::new(meta());
        let execution = ExecutionArn::parse(&meta.execution.arn).unwrap();
        let sent = Message { execution: execution.clone(), news: News::Start(Begin::Sent(meta.clone())) };
        let received = Message::decode(&sent.encode()).unwrap();
        assert_eq!(received.execution, execution);
        let News::Start(begin @ Begin::Received(_)) = &received.news else { panic!("{received:?}") };
        assert_eq!(begin.meta().unwrap(), meta);
        // Sent again as it was received, it is the same.
        assert_eq!(received.encode(), sent.encode());
        let again = Message::again(&sent.encode());
        assert_eq!(Message::decode(&again).unwrap(), received);
        assert_eq!([&sent.encode(), &again].map(|body| Message::was_sent_again(body)), [false, true]);
        let damaged = Begin::Received(Bytes::from_static(b"\x93\x01"));
        assert!(matches!(damaged.meta(), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn other_formats_are_refused_by_number() {
        let said = |bytes: &[u8]| Message::decode(bytes).unwrap_err().to_string();
        assert_eq!(said(&[9, 1]), "a message cannot be read: it has format 9, this version reads format 4");
        assert_eq!(said(&[]), "a message cannot be read: it is empty");
    }
}
