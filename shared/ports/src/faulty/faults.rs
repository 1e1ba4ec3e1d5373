//! What goes wrong, when, and how often.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::failure::Failure;
use super::lag::Lag;
use crate::Table;
use crate::clock::Clock;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Refused for now; nothing was done.
    Throttled,
    /// Not served; nothing was done.
    Unavailable,
    /// A write was not done, and its caller does not learn so.
    UnknownNotApplied,
    /// A write was done, and its caller does not learn so. For a receive: the messages are hidden,
    /// and nobody has them.
    UnknownApplied,
    /// The operation takes long, before or after it is applied.
    Delayed,
    /// An index shows the row as it was before this write, for some time.
    IndexLag,
    /// A message or an event comes twice.
    Duplicated,
    /// A message comes later than it was sent for.
    Late,
    /// A message that is being worked on comes again.
    Redelivered,
    /// The messages of a receive are in another order.
    Reordered,
    /// A delete of messages had no effect.
    DeleteIgnored,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 11] = [
        Fault::Throttled,
        Fault::Unavailable,
        Fault::UnknownNotApplied,
        Fault::UnknownApplied,
        Fault::Delayed,
        Fault::IndexLag,
        Fault::Duplicated,
        Fault::Late,
        Fault::Redelivered,
        Fault::Reordered,
        Fault::DeleteIgnored,
    ];
}

/// How often each fault strikes: from 0, never, to 1, whenever it can. Of the first four at most
/// one strikes an operation; where they add up to more than 1, the later ones give way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of [`Fault::Throttled`].
    pub throttled: f64,
    /// Of [`Fault::Unavailable`].
    pub unavailable: f64,
    /// Of [`Fault::UnknownNotApplied`].
    pub unknown_not_applied: f64,
    /// Of [`Fault::UnknownApplied`].
    pub unknown_applied: f64,
    /// Of [`Fault::Delayed`].
    pub delayed: f64,
    /// Longest such delay.
    pub delay_max: Duration,
    /// Of [`Fault::IndexLag`].
    pub index_lag: f64,
    /// Longest such lag.
    pub index_lag_max: Duration,
    /// Of [`Fault::Duplicated`].
    pub duplicated: f64,
    /// Of [`Fault::Late`].
    pub late: f64,
    /// How much later at most a message or its duplicate comes.
    pub late_max: Duration,
    /// Of [`Fault::Redelivered`], for each message of a receive.
    pub redelivered: f64,
    /// Of [`Fault::Reordered`].
    pub reordered: f64,
    /// Of [`Fault::DeleteIgnored`].
    pub delete_ignored: f64,
}

impl Rates {
    /// Nothing goes wrong.
    pub const NONE: Rates = Rates::even(0.0);

    /// Everything goes wrong at this rate, with delays and lags of some seconds.
    pub const fn even(rate: f64) -> Rates {
        Rates {
            throttled: rate,
            unavailable: rate,
            unknown_not_applied: rate,
            unknown_applied: rate,
            delayed: rate,
            delay_max: Duration::from_secs(5),
            index_lag: rate,
            index_lag_max: Duration::from_secs(5),
            duplicated: rate,
            late: rate,
            late_max: Duration::from_secs(30),
            redelivered: rate,
            reordered: rate,
            delete_ignored: rate,
        }
    }

    fn of(&self, fault: Fault) -> f64 {
        match fault {
            Fault::Throttled => self.throttled,
            Fault::Unavailable => self.unavailable,
            Fault::UnknownNotApplied => self.unknown_not_applied,
            Fault::UnknownApplied => self.unknown_applied,
            Fault::Delayed => self.delayed,
            Fault::IndexLag => self.index_lag,
            Fault::Duplicated => self.duplicated,
            Fault::Late => self.late,
            Fault::Redelivered => self.redelivered,
            Fault::Reordered => self.reordered,
            Fault::DeleteIgnored => self.delete_ignored,
        }
    }
}

/// On which side of its effect an operation never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Nothing was done.
    Before,
    /// It was done.
    After,
}

/// The faults of one process. Clones are of the same process; [`Faults::process`] makes another one
/// in the same world, whose faults come from the same seed.
#[derive(Clone)]
pub struct Faults {
    world: Arc<World>,
    process: Arc<Process>,
}

struct World {
    clock: Arc<dyn Clock>,
    rates: Rates,
    /// State of the generator, see [`Faults::draw`].
    stream: AtomicU64,
    quiet: AtomicBool,
    struck: [AtomicU64; Fault::ALL.len()],
    /// For all processes alike.
    tables: Mutex<Vec<Lagging>>,
}

/// A table, and what lags behind in its indexes.
struct Lagging {
    table: Arc<dyn Table>,
    lag: Arc<Mutex<Lag>>,
}

#[derive(Default)]
struct Process {
    operations: AtomicU64,
    crash_at: Mutex<Option<(u64, CrashPoint)>>,
    crashed: AtomicBool,
    changed: Notify,
}

impl Faults {
    /// A world with one process, from a seed. Delays and lags pass on `clock`.
    pub fn new(seed: u64, rates: Rates, clock: Arc<dyn Clock>) -> Faults {
        let world = World {
            clock,
            rates,
            stream: AtomicU64::new(seed),
            quiet: AtomicBool::new(false),
            struck: Default::default(),
            tables: Mutex::default(),
        };
        Faults { world: Arc::new(world), process: Arc::default() }
    }

    /// Another process in the same world, with operations and a crash of its own.
    pub fn process(&self) -> Faults {
        Faults { world: Arc::clone(&self.world), process: Arc::default() }
    }

    /// From now on nothing goes wrong, nothing lags and no process crashes any more; a process that
    /// did stays so.
    pub fn quiet(&self) {
        self.world.quiet.store(true, Ordering::SeqCst);
    }

    /// How often a fault struck so far, in all processes.
    pub fn struck(&self, fault: Fault) -> u64 {
        self.world.struck[fault as usize].load(Ordering::SeqCst)
    }

    /// A number below `below` from the stream that all faults are drawn from; 0 when that is 0. A
    /// simulation that draws its own decisions from here needs one seed only.
    pub fn draw(&self, below: u64) -> u64 {
        // SplitMix64: the state is a counter, so drawing is one atomic addition.
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.world.stream.fetch_add(GAMMA, Ordering::SeqCst).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The upper half of the product: below `below`, and as even as 64 bits allow.
        ((u128::from(z) * u128::from(below)) >> 64) as u64
    }

    /// How many operations this process has begun.
    pub fn operations(&self) -> u64 {
        self.process.operations.load(Ordering::SeqCst)
    }

    /// Lets the process crash at its operation of this number, counted from 1. That operation has
    /// no other fault.
    pub fn crash_at(&self, operation: u64, point: CrashPoint) {
        *self.process.crash_at.lock().unwrap_or_else(PoisonError::into_inner) = Some((operation, point));
    }

    /// Lets the process crash now: none of its operations comes back or has an effect any more.
    pub fn crash(&self) {
        self.process.crashed.store(true, Ordering::SeqCst);
        self.process.changed.notify_waiters();
    }

    /// Whether the process has crashed: whoever runs it is to drop it.
    pub fn has_crashed(&self) -> bool {
        self.process.crashed.load(Ordering::SeqCst)
    }

    /// Ends when the process has crashed.
    pub async fn crashed(&self) {
        loop {
            let changed = self.process.changed.notified();
            if self.has_crashed() {
                return;
            }
            changed.await;
        }
    }

    /// Runs an operation that only reads: its outcome is never unknown.
    pub(super) async fn read<T, E: Failure>(
        &self,
        apply: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        self.operation(&[Fault::Throttled, Fault::Unavailable], apply).await
    }

    /// Runs an operation that changes something.
    pub(super) async fn write<T, E: Failure>(
        &self,
        apply: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let faults = [Fault::Throttled, Fault::Unavailable, Fault::UnknownNotApplied, Fault::UnknownApplied];
        self.operation(&faults, apply).await
    }

    /// Whether a fault strikes here.
    pub(super) fn strikes(&self, fault: Fault) -> bool {
        let strikes = !self.is_quiet() && self.chance() < self.world.rates.of(fault);
        if strikes {
            self.count(fault);
        }
        strikes
    }

    /// Some time up to `max`.
    pub(super) fn some_of(&self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.draw(max.saturating_add(1)))
    }

    pub(super) fn rates(&self) -> &Rates {
        &self.world.rates
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.world.clock
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.world.quiet.load(Ordering::SeqCst)
    }

    /// What lags behind in the indexes of `table`.
    pub(super) fn lag_of(&self, table: &Arc<dyn Table>) -> Arc<Mutex<Lag>> {
        let mut tables = self.world.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |known: &&Lagging| std::ptr::addr_eq(Arc::as_ptr(&known.table), Arc::as_ptr(table));
        if let Some(known) = tables.iter().find(is_it) {
            return Arc::clone(&known.lag);
        }
        let lag = Arc::default();
        tables.push(Lagging { table: Arc::clone(table), lag: Arc::clone(&lag) });
        lag
    }

    async fn operation<T, E: Failure>(
        &self,
        faults: &[Fault],
        apply: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        self.alive().await;
        let number = self.process.operations.fetch_add(1, Ordering::SeqCst) + 1;
        if self.is_quiet() {
            return apply.await;
        }
        let (fault, early, late) = (self.one_of(faults), self.delay(), self.delay());
        let crash_at = *self.process.crash_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, point)) = crash_at.filter(|(at, _)| *at == number) {
            if point == CrashPoint::After {
                // What it answers, nobody learns.
                let _ = apply.await;
            }
            self.crash();
            return pending().await;
        }
        self.pause(early).await;
        self.alive().await;
        if let Some(fault) = fault {
            self.count(fault);
        }
        let result = match fault {
            Some(Fault::Throttled) => Err(E::throttled()),
            Some(Fault::Unavailable) => Err(E::unavailable()),
            Some(Fault::UnknownNotApplied) => Err(E::unknown()),
            Some(Fault::UnknownApplied) => match apply.await {
                Err(error) if error.is_refusal() => Err(error),
                _ => Err(E::unknown()),
            },
            _ => apply.await,
        };
        self.pause(late).await;
        self.alive().await;
        result
    }

    /// Never ends in a process that has crashed.
    async fn alive(&self) {
        if self.has_crashed() {
            pending::<()>().await;
        }
    }

    /// At most one of these faults.
    fn one_of(&self, faults: &[Fault]) -> Option<Fault> {
        let mut chance = self.chance();
        faults.iter().copied().find(|fault| {
            chance -= self.world.rates.of(*fault);
            chance < 0.0
        })
    }

    /// Half of the delays come before the operation is applied, half after.
    fn delay(&self) -> Option<Duration> {
        let strikes = self.chance() < self.world.rates.delayed / 2.0;
        let delay = self.some_of(self.world.rates.delay_max);
        strikes.then_some(delay)
    }

    async fn pause(&self, delay: Option<Duration>) {
        let Some(delay) = delay else { return };
        self.count(Fault::Delayed);
        let clock = self.clock();
        let until = clock.now().plus_millis(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        while clock.now() < until && !self.is_quiet() {
            clock.sleep_until(until).await;
        }
    }

    /// A number from 0 to below 1.
    fn chance(&self) -> f64 {
        const STEPS: u64 = 1 << 53;
        self.draw(STEPS) as f64 / STEPS as f64
    }

    fn count(&self, fault: Fault) {
        self.world.struck[fault as usize].fetch_add(1, Ordering::SeqCst);
    }
}
