//! Clocks that a test or a simulation sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::timestamp::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Clock, Sleep, sleep_millis};

/// A clock that begins at a chosen time and goes on with tokio's: with tokio's time paused, time
/// passes only when everything waits, and then at once. It can be put forward and back.
#[derive(Debug)]
pub struct Virtual {
    base: Timestamp,
    start: Instant,
    offset: Offset,
}

impl Virtual {
    /// A clock that shows `base` now.
    pub fn new(base: Timestamp) -> Virtual {
        Virtual { base, start: Instant::now(), offset: Offset::default() }
    }

    /// Puts the clock forward by so many milliseconds, or back. Whoever sleeps looks again.
    pub fn jump(&self, millis: i64) {
        self.offset.add(millis);
    }
}

impl Default for Virtual {
    /// A clock that shows 2030-01-01T00:00:00Z now.
    fn default() -> Virtual {
        Virtual::new(Timestamp::from_millis(1_893_456_000_000))
    }
}

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.base.plus_millis(elapsed).plus_millis(self.offset.millis())
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        self.offset.unless_changed(move || sleep_millis(at.millis_since(self.now())))
    }
}

/// What one process takes the time to be: another clock, ahead or behind.
pub struct Skewed {
    clock: Arc<dyn Clock>,
    offset: Offset,
}

impl Skewed {
    /// A clock that is ahead of `clock` by so many milliseconds, or behind when negative.
    pub fn new(clock: Arc<dyn Clock>, ahead_millis: i64) -> Skewed {
        let offset = Offset::default();
        offset.add(ahead_millis);
        Skewed { clock, offset }
    }

    /// Puts this clock, not the one below, forward by so many milliseconds, or back.
    pub fn jump(&self, millis: i64) {
        self.offset.add(millis);
    }
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        self.clock.now().plus_millis(self.offset.millis())
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep<'_> {
        let below = move || at.plus_millis(self.offset.millis().saturating_neg());
        self.offset.unless_changed(move || self.clock.sleep_until(below()))
    }

    fn skip_to(&self, at: Timestamp) {
        self.clock.skip_to(at.plus_millis(self.offset.millis().saturating_neg()));
    }
}

/// How far a clock was put forward, and who wants to know when that changes.
#[derive(Debug, Default)]
struct Offset {
    millis: AtomicI64,
    changed: Notify,
}

impl Offset {
    fn millis(&self) -> i64 {
        self.millis.load(Ordering::SeqCst)
    }

    fn add(&self, millis: i64) {
        let add = |offset: i64| Some(offset.saturating_add(millis));
        // Always succeeds: `add` never refuses.
        let _ = self.millis.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        self.changed.notify_waiters();
    }

    /// Sleeps as `sleep` says, or until the offset changes. `sleep` is asked when nothing can be
    /// missed any more.
    fn unless_changed<'a>(&'a self, sleep: impl FnOnce() -> Sleep<'a> + Send + 'a) -> Sleep<'a> {
        Box::pin(async move {
            // Counts changes from its creation on, so none falls between the look and the wait.
            let changed = self.changed.notified();
            let sleep = sleep();
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep => {}
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BASE: Timestamp = Timestamp::from_millis(1_000_000);

    async fn sleep(clock: &dyn Clock, until: Timestamp) {
        while clock.now() < until {
            clock.sleep_until(until).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_passes_when_everything_waits() {
        let clock = Virtual::new(BASE);
        assert_eq!(clock.now(), BASE);
        let year = BASE.plus_seconds(365 * 86_400);
        sleep(&clock, year).await;
        assert_eq!(clock.now(), year);
        clock.sleep_until(BASE).await;
        assert_eq!(clock.now(), year, "the past is not waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_wakes_sleepers() {
        let clock = Arc::new(Virtual::new(BASE));
        let sleeper = tokio::spawn({
            let clock = Arc::clone(&clock);
            async move {
                sleep(&*clock, BASE.plus_millis(10_000)).await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        clock.jump(9_999);
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.jump(50);
        assert_eq!(sleeper.await.unwrap(), BASE.plus_millis(10_049));
        clock.jump(-10_049);
        assert_eq!(clock.now(), BASE);
    }

    #[tokio::test(start_paused = true)]
    async fn skew_shifts_what_a_process_sees_and_not_how_long_it_waits() {
        let clock: Arc<dyn Clock> = Arc::new(Virtual::new(BASE));
        let ahead = Skewed::new(Arc::clone(&clock), 3_000);
        let behind = Skewed::new(Arc::clone(&clock), -3_000);
        assert_eq!(ahead.now(), BASE.plus_millis(3_000));
        assert_eq!(behind.now(), BASE.plus_millis(-3_000));
        sleep(&ahead, BASE.plus_millis(5_000)).await;
        assert_eq!(clock.now(), BASE.plus_millis(2_000));
        sleep(&behind, BASE).await;
        assert_eq!(clock.now(), BASE.plus_millis(3_000));
        behind.jump(4_000);
        assert_eq!(behind.now(), BASE.plus_millis(4_000));
    }

    #[tokio::test(start_paused = true)]
    async fn many_timers_are_cheap() {
        let clock = Arc::new(Virtual::new(BASE));
        let mut sleepers = tokio::task::JoinSet::new();
        for n in 0..10_000 {
            let clock = Arc::clone(&clock);
            sleepers.spawn(async move { sleep(&*clock, BASE.plus_millis(n % 1_000)).await });
        }
        while sleepers.join_next().await.is_some() {}
        assert_eq!(clock.now(), BASE.plus_millis(999));
        assert_eq!(tokio::time::Instant::now().duration_since(clock.start), Duration::from_millis(999));
    }
}
