//! A bus in memory, which keeps what was published.

use std::sync::Mutex;

use async_trait::async_trait;

use super::lock;
use crate::bus::{BusError, Event};

/// A bus that keeps what was published, for whoever asserts it.
#[derive(Debug, Default)]
pub struct Bus {
    events: Mutex<Vec<Event>>,
}

impl Bus {
    /// A bus without events.
    pub fn new() -> Bus {
        Bus::default()
    }

    /// What was published so far, in order.
    pub fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    /// What was published since the last call, in order.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *lock(&self.events))
    }
}

#[async_trait]
impl crate::Bus for Bus {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        event.check()?;
        lock(&self.events).push(event);
        Ok(())
    }
}
