//! The ports in memory, for tests and simulations: exact, deterministic, and gone with the process.
//!
//! Time comes from the clock that each is made with, so a paused or virtual one makes every delay
//! and timeout exact.

mod blobs;
mod bus;
mod queue;
mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use blobs::Blobs;
pub use bus::Bus;
pub use queue::{Queue, Queues};
pub use table::Table;

/// A panic in another test's thread does not spoil what is stored: no change is left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whole milliseconds, rounded up: never early.
fn millis(duration: Duration) -> i64 {
    let millis = duration.as_nanos().div_ceil(1_000_000);
    i64::try_from(millis).unwrap_or(i64::MAX)
}
