//! A driver in this process, over a backend of choice: what durable executions are loaded on.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use asl::state::Resource;
use async_trait::async_trait;
use driver::{
    Config, Door, Driver, Machines, Seeds, Start, Started, StatusEvents, Sweeper, World, WorldParts,
};
use engine::{Call, Execution, TaskOutcome};
use integrations::{Answer, Answering, NotCallable, Tasks};
use journal::Store;
use journal::registry::Registry;
use model::arn::{ExecutionArn, Home, StateMachineArn};
use model::json::{Text, Value};
use model::limits::Limits;
use ports::{Blobs, Bus, BusError, Clock, Event, QueueSettings, Queues, SystemClock, Table};
use tokio::sync::{Notify, Semaphore};

/// Where executions are kept.
pub struct Backend {
    /// Rows.
    pub table: Arc<dyn Table>,
    /// Large payloads.
    pub blobs: Arc<dyn Blobs>,
    /// Messages.
    pub queues: Arc<dyn Queues>,
}

impl Backend {
    /// In a directory, durable.
    pub fn embedded(directory: &Path) -> Result<(Backend, ports_embedded::Store), String> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = ports_embedded::Store::open(directory, ports_embedded::Options::default(), clock)
            .map_err(|error| error.to_string())?;
        let backend = Backend { table: store.table(), blobs: store.blobs(), queues: store.queues() };
        Ok((backend, store))
    }

    /// In memory: everything but the disk.
    pub fn memory() -> Backend {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Backend {
            table: Arc::new(ports::memory::Table::new(clock.clone())),
            blobs: Arc::new(ports::memory::Blobs::new()),
            queues: Arc::new(ports::memory::Queues::new(clock)),
        }
    }
}

/// What is run, and how.
pub struct Setup<'a> {
    /// The definition of the machine that every execution runs.
    pub definition: &'a str,
    /// Executions that are in flight at most, where the load heeds it.
    pub in_flight: usize,
    /// The number of the first execution: greater than all that the store holds already.
    pub first: u64,
    /// What performs its tasks.
    pub tasks: Arc<dyn Tasks>,
    /// The limits in force.
    pub limits: Limits,
}

impl<'a> Setup<'a> {
    /// An empty store, tasks that succeed at once, and the service's limits.
    pub fn new(definition: &'a str, in_flight: usize) -> Setup<'a> {
        Setup { definition, in_flight, first: 0, tasks: Arc::new(NoOp), limits: Limits::default() }
    }
}

/// A driver at work, and the door to it.
pub struct Running {
    /// Starts executions.
    pub door: Door,
    /// Counts the ends.
    pub ends: Arc<Ends>,
    driver: Arc<Driver>,
    stop: Arc<Notify>,
    task: Option<tokio::task::JoinHandle<()>>,
    sweeper: tokio::task::JoinHandle<()>,
    machine: StateMachineArn,
    numbers: AtomicU64,
    started: AtomicU64,
}

/// Hears of every execution that ends.
pub struct Ends {
    /// Executions that may be started.
    pub room: Semaphore,
    /// Executions that have ended.
    pub count: AtomicU64,
    /// Those that did not succeed.
    pub failed: AtomicU64,
    /// The last end.
    pub last: Notify,
    /// Which execution ended when, if that is asked for.
    took: Mutex<Option<Vec<(u64, Instant)>>>,
}

impl Ends {
    /// Notes from now on which execution ends when.
    pub fn note(&self) {
        *self.took() = Some(Vec::new());
    }

    /// What was noted, in the order of the ends. Nothing is noted any more.
    pub fn noted(&self) -> Vec<(u64, Instant)> {
        self.took().take().unwrap_or_default()
    }

    fn took(&self) -> MutexGuard<'_, Option<Vec<(u64, Instant)>>> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Bus for Ends {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        let text = |member: &str| event.detail.get(member).and_then(Value::as_str).unwrap_or_default();
        if text("status") == "RUNNING" {
            return Ok(());
        }
        if text("status") != "SUCCEEDED" {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(took) = self.took().as_mut()
            && let Some(number) = number(text("name"))
        {
            took.push((number, Instant::now()));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.room.add_permits(1);
        self.last.notify_one();
        Ok(())
    }
}

/// Succeeds at once, and is not a call that only reads.
struct NoOp;

impl Tasks for NoOp {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        Box::pin(std::future::ready(Answer::Settled(TaskOutcome::Succeeded(call.parameters.clone()))))
    }
}

/// A chain of so many Task states.
pub fn tasks(count: usize) -> String {
    let state = |at: usize| {
        let next =
            if at + 1 == count { r#""End": true"#.to_owned() } else { format!(r#""Next": "T{}""#, at + 1) };
        format!(
            r#""T{at}": {{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", {next}}}"#
        )
    };
    let states: Vec<String> = (0..count).map(state).collect();
    format!(r#"{{"StartAt": "T0", "States": {{{}}}}}"#, states.join(", "))
}

impl Running {
    /// Starts a driver over `backend` for one machine, as `stepwright dev` does.
    pub async fn new(backend: &Backend, setup: Setup<'_>) -> Result<Running, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let home =
            Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() };
        let config = Config { status_events: StatusEvents::All, ..Config::alone() };
        let visibility = Duration::from_millis(config.visibility_millis.unsigned_abs());
        let settings = QueueSettings { visibility, dead_letters: None };
        let dead_letters =
            backend.queues.create("dead-letters", settings).await.map_err(|error| said(&error))?;
        let settings = QueueSettings { visibility, dead_letters: Some((5, "dead-letters".into())) };
        let queue = backend.queues.create("driver", settings).await.map_err(|error| said(&error))?;
        let store =
            Store::open(backend.table.clone(), backend.blobs.clone(), journal::Config::new(home.clone()))
                .await
                .map_err(|error| said(&error))?;
        let machines = Machines::new(Registry::new(store.clone()));
        let machine = StateMachineArn::new(&home, "bench").map_err(|error| said(&error))?;
        let parsed = asl::parse(setup.definition, &asl::Options::default());
        let parsed = parsed.machine.ok_or("the definition of the load has errors")?;
        machines.insert(&machine, "1", Arc::new(parsed));
        let ends = Arc::new(Ends {
            room: Semaphore::new(setup.in_flight),
            count: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            last: Notify::new(),
            took: Mutex::new(None),
        });
        let world = World::new(WorldParts {
            store,
            queue,
            bus: ends.clone(),
            clock,
            seeds: Seeds::System,
            machines,
            limits: setup.limits,
            config,
        });
        let driver = Arc::new(Driver::new(world.clone(), setup.tasks).map_err(|error| said(&error))?);
        let stop = Arc::new(Notify::new());
        let (running, stopped) = (driver.clone(), stop.clone());
        let task = Some(tokio::spawn(async move { running.run(stopped.notified()).await }));
        let sweeper = Sweeper::new(world.clone(), Some(dead_letters));
        let sweeper = tokio::spawn(async move { sweeper.run().await });
        Ok(Running {
            door: Door::new(world),
            ends,
            driver,
            stop,
            task,
            sweeper,
            machine,
            numbers: AtomicU64::new(setup.first),
            started: AtomicU64::new(0),
        })
    }

    /// Numbers for so many executions: the first of them.
    pub fn reserve(&self, count: u64) -> u64 {
        self.numbers.fetch_add(count, Ordering::Relaxed)
    }

    /// Starts one execution; gives its number.
    pub async fn start(&self, input: &Value) -> Result<u64, String> {
        let number = self.reserve(1);
        self.start_numbered(number, input).await?;
        Ok(number)
    }

    /// Starts one execution and waits until it has ended, while no other runs; gives its number.
    pub async fn start_and_wait(&self, input: &Value, patience: Duration) -> Result<u64, String> {
        let before = self.ends.count.load(Ordering::Relaxed);
        let number = self.start(input).await?;
        let ended = async {
            while self.ends.count.load(Ordering::Relaxed) == before {
                self.ends.last.notified().await;
            }
        };
        tokio::time::timeout(patience, ended).await.map_err(|_| "an execution did not end")?;
        Ok(number)
    }

    /// Starts the execution of a number.
    pub async fn start_numbered(&self, number: u64, input: &Value) -> Result<(), String> {
        let name = name(number);
        let arn = self.arn(number)?;
        let execution = Execution {
            arn: arn.as_str().into(),
            name,
            role_arn: "arn:aws:iam::123456789012:role/bench".into(),
            state_machine_arn: self.machine.as_str().into(),
            state_machine_name: "bench".into(),
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            region: "us-east-1".into(),
            started_at: self.door.world().now(),
            synchronous: false,
        };
        let start = Start {
            execution,
            revision_id: "1".into(),
            input: input.clone(),
            trace_header: None,
            parent: None,
        };
        match self.door.start(start).await.map_err(|error| error.to_string())? {
            Started::Started { .. } => self.started.fetch_add(1, Ordering::Relaxed),
            Started::AlreadyExists => return Err(format!("{arn} exists already")),
        };
        Ok(())
    }

    /// The ARN of the execution of a number.
    pub fn arn(&self, number: u64) -> Result<ExecutionArn, String> {
        self.machine.execution(&name(number)).map_err(|error| error.to_string())
    }

    /// Waits until as many executions have ended as were started, and checks that all of them
    /// succeeded.
    pub async fn drain(&self, patience: Duration) -> Result<(), String> {
        let until = Instant::now() + patience;
        let started = self.started.load(Ordering::Relaxed);
        self.sleep_until_ended(started, until).await?;
        let (ended, failed) =
            (self.ends.count.load(Ordering::Relaxed), self.ends.failed.load(Ordering::Relaxed));
        match (started == ended, failed) {
            (true, 0) => Ok(()),
            (true, failed) => Err(format!("{failed} of {ended} executions did not succeed")),
            (false, _) => Err(format!("{started} executions were started, and {ended} ends were heard of")),
        }
    }

    /// Waits until so many executions have ended.
    pub async fn sleep_until_ended(&self, count: u64, until: Instant) -> Result<(), String> {
        loop {
            let ended = self.ends.count.load(Ordering::Relaxed);
            if ended >= count {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(format!("{ended} of {count} executions have ended"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Executions in the hands of the driver.
    pub fn sessions(&self) -> usize {
        self.driver.sessions()
    }

    /// Ends the driver in good order.
    pub async fn stop(mut self) {
        self.sweeper.abort();
        self.stop.notify_one();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

/// Its multiples modulo 2^48 are all different, and look random.
const STRIDE: u64 = 0x9E37_79B9_7F4B;
/// The number by which a multiple of it becomes the factor again.
const STRIDE_INVERSE: u64 = inverse(STRIDE);
const NAME_BITS: u64 = (1 << 48) - 1;

/// The name of an execution: a UUID to look at, as StartExecution gives one to executions without a
/// name, so that keys are as long, as scattered and as hard to compress as they are in real life.
fn name(number: u64) -> Text {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    let node = number.wrapping_mul(STRIDE) & NAME_BITS;
    let (low, middle, high) = (mixed >> 32, (mixed >> 16) & 0xFFFF, mixed & 0xFFF);
    let variant = 0x8000 | (mixed.rotate_left(17) & 0x3FFF);
    Text::from(format!("{low:08x}-{middle:04x}-4{high:03x}-{variant:04x}-{node:012x}"))
}

/// The number of the execution of a name.
fn number(name: &str) -> Option<u64> {
    let node = u64::from_str_radix(name.rsplit('-').next()?, 16).ok()?;
    Some(node.wrapping_mul(STRIDE_INVERSE) & NAME_BITS)
}

/// Of an odd number modulo 2^64, by Newton's method: each round doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_uuids_and_lead_back_to_their_numbers() {
        for given in [0, 1, 2, 999_999, 1_000_000, (1 << 47) + 12_345] {
            let name = name(given);
            let lengths: Vec<usize> = name.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{name}");
            assert_eq!(number(&name), Some(given), "{name}");
        }
    }
}
