//! The ports with a meter: what AWS would charge for the requests, by its rounding rules.
//!
//! Wrap a backend, share one [`Meter`] between the wrappers, and read [`Meter::usage`]. The counts
//! are exact, so that a test can assert what a workflow costs: `after - before`. Put the meter below
//! injected faults ([`crate::faulty`]): a request that was throttled is not charged.

mod blobs;
mod bus;
mod queue;
mod size;
mod table;
mod usage;

use std::sync::{Arc, Mutex, PoisonError};

pub use blobs::Blobs;
pub use bus::Bus;
pub use queue::{Queue, Queues};
pub use size::{entry_bytes, row_bytes};
pub use table::Table;
pub use usage::{Prices, Usage};

/// Counts for several ports together. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// One lock rather than many atomics: a reading never falls into the middle of a request.
    usage: Arc<Mutex<Usage>>,
}

impl Meter {
    /// A meter at zero.
    pub fn new() -> Meter {
        Meter::default()
    }

    /// What was used since the meter was made.
    pub fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, more: Usage) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        *usage = *usage + more;
    }
}

/// How many units of `unit_bytes` are begun, at least one.
fn units(bytes: usize, unit_bytes: usize) -> u64 {
    bytes.div_ceil(unit_bytes).max(1) as u64
}

/// SQS and EventBridge charge each 64 KB begun of a payload. Source: their price lists.
const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
