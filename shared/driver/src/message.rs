//! What is sent through the queue: it carries the input that it announces.

use std::sync::Arc;

use bytes::Bytes;
use engine::Input;
use journal::execution::Meta;
use journal::payload::Payloads;
use model::arn::ExecutionArn;
use model::json::Value;
use model::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::DeliveryId;

/// Version of the stored form.
const FORMAT: u8 = 2;

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
    Start(Arc<Meta>),
    /// Something happened.
    Input(DeliveryId, Input),
    /// A timer is due.
    Wake {
        /// At this time.
        at: Timestamp,
        /// The record that set it, if that is known: most often it is the newest still.
        seq: Option<u64>,
    },
    /// Nothing: the execution is to be looked at.
    Look,
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
            [FORMAT, rest @ ..] => {
                rmp_serde::from_slice(rest).map_err(|error| MessageError(error.to_string()))
            }
            [found, ..] => {
                Err(MessageError(format!("it has format {found}, this version reads format {FORMAT}")))
            }
            [] => Err(MessageError("it is empty".to_owned())),
        }
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
            News::Start(meta) => Arc::make_mut(meta).visit(visitor),
            News::Input(_, input) => input.visit_payloads(visitor),
            News::Wake { .. } | News::Look => {}
        }
    }
}
