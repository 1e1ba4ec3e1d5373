//! A bus with faults. It loses nothing that it took.

use std::sync::Arc;

use async_trait::async_trait;

use super::faults::{Fault, Faults};
use crate::bus::{BusError, Event};

/// A bus with faults.
pub struct Bus {
    bus: Arc<dyn crate::Bus>,
    faults: Faults,
}

impl Bus {
    /// Lets the requests of one process to `bus` go wrong.
    pub fn new(bus: Arc<dyn crate::Bus>, faults: Faults) -> Bus {
        Bus { bus, faults }
    }
}

#[async_trait]
impl crate::Bus for Bus {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        let apply = async {
            self.bus.publish(event.clone()).await?;
            if self.faults.strikes(Fault::Duplicated) {
                self.bus.publish(event).await?;
            }
            Ok(())
        };
        self.faults.write(apply).await
    }
}
