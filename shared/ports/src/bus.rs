//! Where status events go.

use async_trait::async_trait;
use model::json::{Text, Value};
use model::timestamp::Timestamp;

/// A bus of events, delivered at least once.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes an event. It is out when this returns.
    async fn publish(&self, event: Event) -> Result<(), BusError>;
}

/// Largest event in bytes, see [`Event::bytes`]. Source: EventBridge, PutEvents entry size.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

/// An event as EventBridge has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened.
    pub time: Timestamp,
    /// Who says so: `aws.states`.
    pub source: Text,
    /// What kind it is: `Step Functions Execution Status Change`.
    pub detail_type: Text,
    /// ARNs of what it is about.
    pub resources: Vec<Text>,
    /// What happened: an object.
    pub detail: Value,
}

impl Event {
    /// What counts towards [`EVENT_BYTES_MAX`]: source, detail type, resources, the JSON text of
    /// the detail, and 14 bytes for the time. Source: EventBridge, size of a PutEvents entry.
    pub fn bytes(&self) -> usize {
        let resources: usize = self.resources.iter().map(|resource| resource.len()).sum();
        14 + self.source.len() + self.detail_type.len() + resources + self.detail.json_len()
    }

    /// Whether a bus can carry the event: the source and the detail type are not empty, the detail
    /// is an object, and it has at most [`EVENT_BYTES_MAX`] bytes. Source: EventBridge, PutEvents.
    pub fn check(&self) -> Result<(), BusError> {
        let bytes = self.bytes();
        let reason = if self.source.is_empty() {
            "its source is empty".to_owned()
        } else if self.detail_type.is_empty() {
            "its detail type is empty".to_owned()
        } else if self.detail.as_object().is_none() {
            "its detail is not an object".to_owned()
        } else if bytes > EVENT_BYTES_MAX {
            format!("it has {bytes} bytes, the most is {EVENT_BYTES_MAX}")
        } else {
            return Ok(());
        };
        Err(BusError::Refused(reason))
    }
}

/// Why an event was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The event breaks a limit; trying again will not help.
    #[error("the bus refuses the event: {0}")]
    Refused(String),
    /// Too many requests. Try again later.
    #[error("the bus is throttled")]
    Throttled,
    /// It may or may not be out.
    #[error("the bus is unavailable: {0}")]
    Unavailable(String),
}
