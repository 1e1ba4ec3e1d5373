//! Where time comes from.
//!
//! [`SystemClock`] is real, [`FastForward`] skips what nobody works through, [`Scaled`] runs faster
//! or slower; [`Virtual`] and [`Skewed`] are for tests and simulations.

mod scaled;
mod simulated;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use model::timestamp::Timestamp;

pub use scaled::{SCALE_MAX, ScaleError, Scaled};
pub use simulated::{Skewed, Virtual};

/// The future of [`Clock::sleep_until`].
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A source of time.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Ends when it is `at`, or earlier: whoever waits looks at the clock again.
    fn sleep_until(&self, at: Timestamp) -> Sleep<'_>;

    /// Nothing can happen before `at`: a clock that need not wait makes it `at` now.
    fn skip_to(&self, at: Timestamp) {
        let _ = at;
    }
}

/// The clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        sleep_millis(at.millis_since(self.now()))
    }
}

/// The clock of the system, put forward whenever nothing is running: waits and the delays of
/// retries pass at once, tasks take the time that they take.
#[derive(Debug, Default)]
pub struct FastForward {
    skipped_millis: AtomicI64,
}

impl Clock for FastForward {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus_millis(self.skipped_millis.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        sleep_millis(at.millis_since(self.now()))
    }

    fn skip_to(&self, at: Timestamp) {
        let ahead = at.millis_since(self.now());
        if ahead > 0 {
            let add = |skipped: i64| Some(skipped.saturating_add(ahead));
            // Always succeeds: `add` never refuses.
            let _ = self.skipped_millis.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        }
    }
}

/// Timers hold a limited time; whoever waits longer looks again after a day.
const SLEEP_MILLIS_MAX: u64 = 24 * 60 * 60 * 1000;

fn sleep_millis(millis: i64) -> Sleep<'static> {
    let millis = u64::try_from(millis).unwrap_or(0).min(SLEEP_MILLIS_MAX);
    Box::pin(tokio::time::sleep(Duration::from_millis(millis)))
}
