//! Messages that arrive at least once, in any order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;

/// Longest delay of a message. Source: SQS, `DelaySeconds`.
pub const DELAY_MAX: Duration = Duration::from_secs(900);
/// Longest time that a received message stays hidden. Source: SQS, `VisibilityTimeout`.
pub const VISIBILITY_MAX: Duration = Duration::from_secs(43_200);
/// Largest message in bytes. Source: SQS, message quotas.
pub const MESSAGE_BYTES_MAX: usize = 1_048_576;
/// Most messages of one receive, extend or delete. Source: SQS, batch quotas.
pub const BATCH_MAX: usize = 10;

/// A queue. A message that was received and not deleted comes again after its visibility timeout.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a message that can be received after `delay`, at most [`DELAY_MAX`].
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError>;

    /// Up to `max` messages, at most [`BATCH_MAX`]; waits for the first up to `wait`. Each is
    /// hidden from others for the queue's visibility timeout.
    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError>;

    /// Hides received messages for `visibility` from now on. One that has come back already, or
    /// was deleted, is left alone.
    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError>;

    /// Removes received messages. Removing one twice is no error.
    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError>;
}

/// The queues of an installation, by name.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Makes sure that a queue of this name exists; the settings of one that does are replaced.
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn Queue>, QueueError>;

    /// The queue of this name; [`QueueError::Missing`] when there is none.
    async fn open(&self, name: &str) -> Result<Arc<dyn Queue>, QueueError>;

    /// Removes the queue and its messages. Removing what is absent is no error.
    async fn remove(&self, name: &str) -> Result<(), QueueError>;
}

/// How a queue behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message is hidden, from zero to [`VISIBILITY_MAX`].
    pub visibility: Duration,
    /// After how many receives without a delete a message goes where, if anywhere: the number
    /// (from 1) and the name of the queue of dead letters.
    pub dead_letters: Option<(u32, Text)>,
}

/// A message as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Names this receive of the message.
    pub receipt: Receipt,
    /// What was sent.
    pub body: Bytes,
    /// How often it has been received, this time included.
    pub receive_count: u32,
}

/// Names one receive of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub Text);

/// Why a queue did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The message, a delay or a batch breaks a limit; trying again will not help.
    #[error("the queue refuses the request: {0}")]
    Refused(String),
    /// There is no queue of this name.
    #[error("there is no queue {0}")]
    Missing(String),
    /// Too many requests. Try again later.
    #[error("the queue is throttled")]
    Throttled,
    /// It may or may not have been done. Doing it again is safe: messages may come twice anyway.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
}
