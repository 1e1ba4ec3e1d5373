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

/// Largest event in bytes. Source: EventBridge, PutEvents entry size.
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
