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
/// Largest message in bytes: SQS's 1 MiB, less what a backend needs to say of a body that is not
/// text. Source: SQS, message quotas.
pub const MESSAGE_BYTES_MAX: usize = 1_048_576 - 64;
/// Most messages of one receive, extend or delete. Source: SQS, batch quotas.
pub const BATCH_MAX: usize = 10;

/// Longest name of a queue in bytes. Source: SQS, `QueueName`.
pub const NAME_BYTES_MAX: usize = 80;
/// Most receives before a message goes to the dead letters. Source: SQS, `maxReceiveCount`.
pub const RECEIVES_MAX: u32 = 1_000;

/// A queue. A message that was received and not deleted comes again after its visibility timeout.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a message that can be received after `delay`, at most [`DELAY_MAX`].
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError>;

    /// Up to `max` messages, from 1 to [`BATCH_MAX`]; waits for the first up to `wait`. Each is
    /// hidden from others for the queue's visibility timeout.
    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError>;

    /// Hides received messages for `visibility` from now on, zero to show them at once. At most
    /// [`BATCH_MAX`], none is nothing to do. One that has come back already, or was deleted, is
    /// left alone.
    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError>;

    /// Removes received messages, at most [`BATCH_MAX`], none is nothing to do. Removing one twice
    /// is no error; neither is a receipt of a message that was received again since, which may
    /// or may not remove it.
    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError>;
}

/// The queues of an installation, by name.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Makes sure that a queue of this name exists; the settings of one that does are replaced.
    /// A queue of dead letters must exist already, else [`QueueError::Missing`] names it.
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
    /// (from 1 to [`RECEIVES_MAX`]) and the name of the queue of dead letters.
    pub dead_letters: Option<(u32, Text)>,
}

/// Whether a queue can have this name: from 1 to [`NAME_BYTES_MAX`] letters, digits, `-` and `_`.
pub fn check_name(name: &str) -> Result<(), QueueError> {
    if name.is_empty() {
        return refused("the name of a queue is empty".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        let bytes = name.len();
        return refused(format!("the name of a queue has {bytes} bytes, the most is {NAME_BYTES_MAX}"));
    }
    match name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-' && *c != '_') {
        Some(c) => {
            refused(format!("the name of the queue `{name}` has a {c:?}; allowed are A-Z a-z 0-9 - _"))
        }
        None => Ok(()),
    }
}

/// Whether the queue `name` can have these settings.
pub fn check_settings(name: &str, settings: &QueueSettings) -> Result<(), QueueError> {
    check_name(name)?;
    check_visibility(settings.visibility)?;
    let Some((receives, dead_letters)) = &settings.dead_letters else { return Ok(()) };
    check_name(dead_letters)?;
    if !(1..=RECEIVES_MAX).contains(receives) {
        return refused(format!("dead letters after {receives} receives, allowed are 1 to {RECEIVES_MAX}"));
    }
    if dead_letters == name {
        return refused(format!("the queue {name} is its own queue of dead letters"));
    }
    Ok(())
}

/// Whether a message with a body of so many bytes can be sent with this delay.
pub fn check_send(body_bytes: usize, delay: Duration) -> Result<(), QueueError> {
    if body_bytes > MESSAGE_BYTES_MAX {
        return refused(format!("the message has {body_bytes} bytes, the most is {MESSAGE_BYTES_MAX}"));
    }
    at_most("a delay", delay, DELAY_MAX)
}

/// Whether so many messages can be received at a time.
pub fn check_receive(max: usize) -> Result<(), QueueError> {
    if max == 0 { refused("a receive of 0 messages, the least is 1".to_owned()) } else { check_batch(max) }
}

/// Whether so many receipts make one request.
pub fn check_batch(count: usize) -> Result<(), QueueError> {
    if count > BATCH_MAX {
        return refused(format!("a batch of {count} messages, the most is {BATCH_MAX}"));
    }
    Ok(())
}

/// Whether messages can be hidden for so long.
pub fn check_visibility(visibility: Duration) -> Result<(), QueueError> {
    at_most("a visibility timeout", visibility, VISIBILITY_MAX)
}

fn at_most(what: &str, value: Duration, max: Duration) -> Result<(), QueueError> {
    if value > max {
        return refused(format!("{what} of {} s, the most is {} s", value.as_secs_f64(), max.as_secs()));
    }
    Ok(())
}

fn refused(reason: String) -> Result<(), QueueError> {
    Err(QueueError::Refused(reason))
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
