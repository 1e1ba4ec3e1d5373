//! The real driver in a world where everything goes wrong, by a seed.
//!
//! One seed is one schedule: which definitions run, how many drivers there are, what fails, is
//! late, comes twice, crashes and stands still, and when. Nothing is real but the driver, the
//! journal and the engine: time is virtual, the ports are in memory behind [`ports::faulty`], tasks
//! are performed by [`outside`], and everything runs on one thread, so that a seed gives the same
//! schedule every time. After a while nothing goes wrong any more; then everything has to come to
//! its end, and [`verdict`] compares what is stored with what really happened.
//!
//! Reading order: [`world`] (what processes share), [`process`] (ports, clock, pauses of one),
//! [`drivers`] and [`callers`] (who acts), [`outside`], [`jobs`] and [`ledger`] (what really happened),
//! [`replay`] and [`verdict`] (whether it may have), [`planted`] (bugs, to see that they are found).

pub mod callers;
pub mod dice;
pub mod drivers;
pub mod jobs;
pub mod ledger;
pub mod machines;
pub mod outside;
pub mod planted;
pub mod process;
pub mod recorded;
pub mod replay;
pub mod trace;
pub mod verdict;
pub mod world;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use machines::Definition;
pub use planted::Planted;
use trace::Trace;
use world::Simulated;

/// What came of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What is wrong, if anything.
    pub wrong: Vec<String>,
    /// The schedule, when it was asked for.
    pub trace: String,
    /// How many puts were applied, and how many calls made: what the seed was worth.
    pub work: (u64, usize),
}

impl Report {
    /// How to see it again.
    pub fn reproduce(&self) -> String {
        let seed = self.seed;
        format!("reproduce: cargo run -p tests --bin simulate -- --seed {seed} --trace")
    }
}

/// What every seed of a thread has in common.
pub struct Simulation {
    definitions: Arc<Vec<Definition>>,
    planted: Planted,
}

thread_local! {
    /// Panics of this thread: tasks that panic are not missed otherwise.
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A driver that survives a panic hides it; here each is an error, and told with its seed.
fn watch_panics() {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let watched = std::thread::current().name().is_some_and(|name| name.starts_with("simulation"));
            if watched {
                PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            } else {
                before(info);
            }
        }));
    });
}

impl Simulation {
    /// Simulations, with a bug or none.
    pub fn new(planted: Planted) -> Simulation {
        watch_panics();
        Simulation { definitions: Arc::new(machines::definitions()), planted }
    }

    /// Runs a seed.
    pub fn run(&self, seed: u64, traced: bool) -> Report {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing from the system");
        let trace = Trace::new(traced);
        let (mut wrong, work) =
            runtime.block_on(simulate(seed, self.planted, trace.clone(), self.definitions.clone()));
        drop(runtime);
        wrong.extend(PANICS.with_borrow_mut(std::mem::take));
        Report { seed, wrong, trace: trace.text(), work }
    }
}

/// How long everything may take to come to its end once nothing goes wrong.
const REST_MILLIS: i64 = 1_200_000;

async fn simulate(
    seed: u64,
    planted: Planted,
    trace: Trace,
    definitions: Arc<Vec<Definition>>,
) -> (Vec<String>, (u64, usize)) {
    let world = Simulated::new(seed, planted, trace, definitions).await;
    let mut chaos: Vec<_> =
        (0..world.plan.drivers).map(|place| tokio::spawn(drivers::lives(world.clone(), place))).collect();
    let sweeper = tokio::spawn(drivers::sweeps(world.clone()));
    let workers: Vec<_> = (0..2).map(|place| tokio::spawn(callers::work(world.clone(), place))).collect();
    for place in 0..world.chosen.len() {
        tokio::spawn(callers::start(world.clone(), place));
    }
    tokio::time::sleep(Duration::from_millis(world.plan.chaos_millis.unsigned_abs())).await;
    world.quiet();
    if !world.plan.survivors {
        for lives in chaos.drain(..) {
            lives.abort();
            let _ = lives.await;
        }
    }
    sweeper.abort();
    let healthy = drivers::begin(&world, &mut world.dice("healthy"));
    let sweeping = tokio::spawn(drivers::sweeps(world.clone()));
    let wrong = verdict::after(&world, REST_MILLIS).await;
    let calls = trace::guard(&world.ledger).made.len();
    healthy.lose();
    for task in chaos.into_iter().chain([sweeping]).chain(workers) {
        task.abort();
    }
    (wrong, (world.table.puts(), calls))
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Soaked {
    /// How many were run.
    pub seeds: u64,
    /// How many puts they applied, and calls they made.
    pub work: (u64, usize),
    /// The lowest of those that failed.
    pub failed: Option<Report>,
    /// How long it took.
    pub took: Duration,
}

impl std::fmt::Display for Soaked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per_second = self.seeds as f64 / self.took.as_secs_f64().max(0.001);
        let (puts, calls) = self.work;
        write!(f, "{} seeds, {puts} puts, {calls} calls, {per_second:.0} seeds per second", self.seeds)?;
        if let Some(failed) = &self.failed {
            write!(f, "\nseed {} fails:", failed.seed)?;
            for wrong in &failed.wrong {
                write!(f, "\n  {wrong}")?;
            }
            write!(f, "\n{}", failed.reproduce())?;
        }
        Ok(())
    }
}

/// Runs `seeds` seeds from `from` on, on every core, up to the first that fails.
pub fn soak(planted: Planted, from: u64, seeds: u64) -> Soaked {
    let began = std::time::Instant::now();
    let next = AtomicU64::new(from);
    let end = from.saturating_add(seeds);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let run = |_| {
        let simulation = Simulation::new(planted);
        let mut soaked = Soaked::default();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= end {
                return soaked;
            }
            let report = simulation.run(seed, false);
            soaked.seeds += 1;
            soaked.work.0 += report.work.0;
            soaked.work.1 += report.work.1;
            if !report.wrong.is_empty() {
                // Lower ones are under way already; higher ones are not begun.
                next.store(end, Ordering::SeqCst);
                soaked.failed = Some(report);
                return soaked;
            }
        }
    };
    let mut total = Soaked::default();
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|place| {
                let thread = std::thread::Builder::new().name(format!("simulation {place}"));
                thread.spawn_scoped(scope, move || run(place)).expect("a thread can be started")
            })
            .collect();
        for handle in handles {
            let soaked = handle.join().expect("panics are reported");
            total.seeds += soaked.seeds;
            total.work.0 += soaked.work.0;
            total.work.1 += soaked.work.1;
            let first =
                |report: &Report| total.failed.as_ref().is_none_or(|failed| report.seed < failed.seed);
            if soaked.failed.as_ref().is_some_and(first) {
                total.failed = soaked.failed;
            }
        }
    });
    total.took = began.elapsed();
    total
}
