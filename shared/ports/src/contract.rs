//! What every backend must pass: one suite per port.
//!
//! A suite takes a function that makes an empty backend (or empties one; a backend that cannot may
//! give the same one each time, as every check uses keys and names of its own), and panics with the
//! rule that is broken. It runs on a tokio runtime with timers; races are races of tasks, so a
//! backend for several threads is checked on several. Time is the caller's: a backend in memory runs on tokio's paused time, a
//! real one on the system's clock with a short [`Timing`].
//!
//! ```no_run
//! # async fn suite() {
//! use std::sync::Arc;
//! use ports::{Table, Virtual, contract, memory};
//!
//! let clock = Arc::new(Virtual::default());
//! contract::table(async || Arc::new(memory::Table::new(clock.clone())) as Arc<dyn Table>).await;
//! # }
//! ```

mod blobs;
mod bus;
mod queue;
mod table;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use model::timestamp::Timestamp;

use crate::bus::{Bus, Event};
use crate::clock::Clock;
use crate::{Blobs, Queues, Table};

/// Checks a table whose index reads see every write that returned before them.
pub async fn table(make: impl AsyncFn() -> Arc<dyn Table>) {
    table::check(&make, None).await;
}

/// Checks a table whose index reads lag behind by at most `lag`, on `clock`.
pub async fn table_with_index_lag(make: impl AsyncFn() -> Arc<dyn Table>, clock: &dyn Clock, lag: Duration) {
    table::check(&make, Some((clock, lag))).await;
}

/// Checks queues. `clock` is the one that their delays and timeouts pass on.
pub async fn queue(make: impl AsyncFn() -> Arc<dyn Queues>, clock: Arc<dyn Clock>, timing: Timing) {
    queue::check(&make, clock, timing).await;
}

/// Checks a store of blobs.
pub async fn blobs(make: impl AsyncFn() -> Arc<dyn Blobs>) {
    blobs::check(&make).await;
}

/// Checks a bus. `published` gives everything that came out of it so far, in any order, and waits
/// for what is on its way.
pub async fn bus(bus: Arc<dyn Bus>, published: impl AsyncFn() -> Vec<Event>) {
    bus::check(&*bus, &published).await;
}

/// How long the checks of a queue wait.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Visibility timeout of their queues. More than twice the slack.
    pub visibility: Duration,
    /// Delay of their delayed messages. More than twice the slack.
    pub delay: Duration,
    /// How late a message, or the end of a wait, may come.
    pub slack: Duration,
}

impl Timing {
    /// For a clock that costs nothing.
    pub const VIRTUAL: Timing = Timing {
        visibility: Duration::from_secs(30),
        delay: Duration::from_secs(10),
        slack: Duration::from_millis(10),
    };
}

/// The answer, or the rule that was broken.
fn ok<T, E: Debug>(result: Result<T, E>, rule: &str) -> T {
    result.unwrap_or_else(|error| panic!("{rule}: {error:?}"))
}

/// Waits until the clock shows `until`.
async fn sleep_until(clock: &dyn Clock, until: Timestamp) {
    while clock.now() < until {
        clock.sleep_until(until).await;
    }
}

/// Whole milliseconds.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The message of a refusal says which value broke which limit.
fn names(message: &str, values: &[String], rule: &str) {
    for value in values {
        assert!(message.contains(value.as_str()), "{rule}: the error does not name {value}: {message}");
    }
}

#[cfg(test)]
mod tests;
