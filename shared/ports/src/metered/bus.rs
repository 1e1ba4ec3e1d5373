//! A bus with a meter. The rule is that of EventBridge: each 64 KB begun of a custom event is one.

use std::sync::Arc;

use async_trait::async_trait;

use super::{CHUNK_BYTES, Meter, Usage, units};
use crate::bus::{BusError, Event};

/// A bus that counts what EventBridge would charge.
pub struct Bus {
    bus: Arc<dyn crate::Bus>,
    meter: Meter,
}

impl Bus {
    /// Counts the events to `bus`.
    pub fn new(bus: Arc<dyn crate::Bus>, meter: Meter) -> Bus {
        Bus { bus, meter }
    }
}

#[async_trait]
impl crate::Bus for Bus {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        let bytes = event.bytes();
        let result = self.bus.publish(event).await;
        match result {
            Ok(()) | Err(BusError::Unavailable(_)) => self.meter.add(Usage {
                bus_events: units(bytes, CHUNK_BYTES),
                bus_bytes: bytes as u64,
                ..Usage::default()
            }),
            Err(BusError::Refused(_) | BusError::Throttled) => {}
        }
        result
    }
}
