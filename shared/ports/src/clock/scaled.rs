//! Time that passes faster, or slower, than it does.

use model::timestamp::Timestamp;
use tokio::time::Instant;

use super::{Clock, Sleep, SystemClock, sleep_millis};

/// Largest factor of a [`Scaled`] clock.
pub const SCALE_MAX: f64 = 1e6;

/// A clock that runs `factor` times as fast as the system's.
#[derive(Clone, Copy, Debug)]
pub struct Scaled {
    base: Timestamp,
    start: Instant,
    factor: f64,
}

/// A factor that no clock can have.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a clock cannot run {0} times as fast; the factor is more than 0 and at most {SCALE_MAX}")]
pub struct ScaleError(pub f64);

impl Scaled {
    /// A clock that shows the system's time now, and runs `factor` times as fast from here on:
    /// more than 0, at most [`SCALE_MAX`].
    pub fn new(factor: f64) -> Result<Scaled, ScaleError> {
        Scaled::starting_at(SystemClock.now(), factor)
    }

    /// A clock that shows `base` now: for a store whose newest entry is ahead of the system's
    /// time, since an earlier run was fast.
    pub fn starting_at(base: Timestamp, factor: f64) -> Result<Scaled, ScaleError> {
        // Not a number fails both comparisons.
        let in_range = factor > 0.0 && factor <= SCALE_MAX;
        if in_range { Ok(Scaled { base, start: Instant::now(), factor }) } else { Err(ScaleError(factor)) }
    }

    /// How many times as fast as the system's.
    pub fn factor(&self) -> f64 {
        self.factor
    }
}

impl Clock for Scaled {
    fn now(&self) -> Timestamp {
        // Saturates, and a double counts the milliseconds of 285,000 years exactly.
        let millis = self.start.elapsed().as_secs_f64() * 1_000.0 * self.factor;
        self.base.plus_millis(millis as i64)
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        let millis = at.millis_since(self.now()) as f64 / self.factor;
        sleep_millis(millis.ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BASE: Timestamp = Timestamp::from_millis(1_000_000);

    async fn check(factor: f64, sleep_seconds: i64, takes: Duration) {
        let clock = Scaled::starting_at(BASE, factor).unwrap();
        let at = BASE.plus_seconds(sleep_seconds);
        while clock.now() < at {
            clock.sleep_until(at).await;
        }
        let took = clock.start.elapsed();
        let late = took.checked_sub(takes).unwrap_or_else(|| panic!("{factor}: {took:?} is too early"));
        assert!(late <= Duration::from_millis(2), "{factor}: {took:?} instead of {takes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn sleeps_are_divided() {
        check(1.0, 60, Duration::from_secs(60)).await;
        check(60.0, 3_600, Duration::from_secs(60)).await;
        check(0.5, 60, Duration::from_secs(120)).await;
        check(1_000.0, 365 * 86_400, Duration::from_secs(31_536)).await;
        check(SCALE_MAX, 1_000_000, Duration::from_secs(1)).await;
    }

    #[test]
    fn factors_are_checked() {
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e6 + 1.0] {
            assert!(Scaled::new(factor).is_err(), "{factor}");
        }
        let error = Scaled::new(0.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a clock cannot run 0 times as fast; the factor is more than 0 and at most 1000000"
        );
        assert!(Scaled::new(f64::MIN_POSITIVE).is_ok());
    }
}
