//! Driver processes and sweepers: begun, crashed, paused, told to end, and begun again.

use std::sync::Arc;
use std::time::Duration;

use driver::{Door, Driver, Sweeper};
use integrations::activity::Activities;
use ports::Queue;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::dice::Dice;
use super::outside::Outside;
use super::process::Process;
use super::trace::guard;
use super::world::{DEAD_LETTERS, Simulated};

/// A driver that runs.
pub struct Running {
    process: Arc<Process>,
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

/// Begins a driver process.
pub fn begin(world: &Arc<Simulated>, dice: &mut Dice) -> Running {
    let crash_percent = if world.plan.trouble { 60 } else { 0 };
    let process = world.process("driver", dice, crash_percent, 250);
    let stop = Arc::new(Notify::new());
    let task = {
        let (world, process, stop) = (world.clone(), process.clone(), stop.clone());
        tokio::spawn(async move {
            let booted = world.boot(&process).await;
            let outside = Arc::new(Outside::new(&world, &process));
            let tasks = Arc::new(Activities::new(world.queues_of(&process), outside));
            world.opens(Door::new(booted.clone()), &process);
            let alone = world.plan.alone.then(|| Sweeper::new(booted.clone(), None));
            let driver = Driver::new(booted, tasks).expect("the seeds of a simulation do not run out");
            guard(&world.ledger).drivers.insert(driver.owner(), process.clone());
            process.says(format_args!("is owner {:016x}", driver.owner().0));
            match alone {
                // Swept as long as it drives.
                Some(sweeper) => tokio::select! {
                    biased;
                    () = driver.run(stop.notified()) => {}
                    () = sweeper.run() => {}
                },
                None => driver.run(stop.notified()).await,
            }
            // Whoever asks now asks a process that is not there.
            process.faults.crash();
            process.says(format_args!("has ended in good order"));
        })
    };
    Running { process, stop, task }
}

impl Running {
    /// Ends it as the loss of its machine would.
    pub fn lose(&self) {
        self.process.trouble();
        self.process.faults.crash();
        self.task.abort();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.lose();
    }
}

/// Keeps a driver running while things go wrong, one process after the other.
pub async fn lives(world: Arc<Simulated>, place: i64) {
    let mut dice = world.dice(&format!("driver/{place}"));
    loop {
        tokio::time::sleep(Duration::from_millis(dice.between(0, 5_000).unsigned_abs())).await;
        let mut running = begin(&world, &mut dice);
        let faults = running.process.faults.clone();
        let happens = happens(&world, &running.process, &running.stop, Dice::new(dice.number(), "happens"));
        let crashed = tokio::select! {
            biased;
            () = faults.crashed() => true,
            _ = &mut running.task => false,
            () = happens => false,
        };
        if crashed {
            running.lose();
        }
        tokio::time::sleep(Duration::from_millis(dice.between(0, 20_000).unsigned_abs())).await;
        if world.is_quiet() {
            // One healthy driver is enough.
            return;
        }
    }
}

/// What happens to a driver from outside; it ends with an order to end.
async fn happens(world: &Arc<Simulated>, process: &Process, stop: &Notify, mut dice: Dice) {
    loop {
        tokio::time::sleep(Duration::from_millis(dice.between(5_000, 60_000).unsigned_abs())).await;
        if world.is_quiet() {
            break;
        }
        let jump = dice.between(-world.plan.skew_millis, world.plan.skew_millis) / 2;
        match dice.between(0, 9) {
            0..=2 if world.plan.trouble => process.pause(dice.between(40_000, 120_000)),
            3..=4 if world.plan.trouble => {
                process.says(format_args!("is told to end"));
                process.trouble();
                stop.notify_one();
            }
            5 if world.plan.wild_clocks => {
                process.trouble();
                process.clock.jump(dice.between(-60_000, 60_000));
            }
            6..=7 => process.clock.jump(jump),
            _ => {}
        }
    }
    std::future::pending().await
}

/// Keeps a sweeper running.
pub async fn sweeps(world: Arc<Simulated>) {
    let mut dice = world.dice("sweeper");
    loop {
        let crash_percent = if world.plan.trouble { 50 } else { 0 };
        let process = world.process("sweeper", &mut dice, crash_percent, 200);
        let mut life = {
            let (world, process) = (world.clone(), process.clone());
            tokio::spawn(async move {
                let booted = world.boot(&process).await;
                let dead_letters: Arc<dyn Queue> = world.queue_of(&process, DEAD_LETTERS).await;
                Sweeper::new(booted, Some(dead_letters)).run().await;
            })
        };
        let faults = process.faults.clone();
        tokio::select! {
            biased;
            () = faults.crashed() => life.abort(),
            _ = &mut life => {}
        }
        tokio::time::sleep(Duration::from_millis(dice.between(0, 10_000).unsigned_abs())).await;
    }
}
