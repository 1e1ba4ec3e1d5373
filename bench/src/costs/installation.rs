//! An installation on AWS in one process: the API, containers of the step-driver, the poller that
//! feeds them, and the sweeper. Each has a world of its own, as functions have; the ports below are
//! one, in memory, with a meter and with the time that requests take.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use driver::{Config, Door, Driver, Machines, Seeds, StatusEvents, Sweeper, World, WorldParts};
use integrations::Tasks;
use journal::Store;
use journal::registry::Registry;
use model::arn::Home;
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::metered::{self, Meter, Usage};
use ports::queue::BATCH_MAX;
use ports::{Blobs, Bus, Clock, Queue, QueueSettings, Queues, Table, Virtual, memory};
use service::{Service, ServiceParts};
use tokio::time::Instant;

use super::accesses::{Access, Accesses, Recorder};
use super::latency::{Late, WORK};

/// Partitions of listings and of wake-ups, as the template's functions have them by default.
pub const SHARDS: u32 = 8;
/// Timeout of the step-driver.
const TIMEOUT_MILLIS: i64 = 15 * 60 * 1_000;
/// The queue of messages about executions.
const QUEUE: &str = "executions";

/// Whose executions these are.
pub fn home() -> Home {
    Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() }
}

/// What functions were charged for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compute {
    /// Invocations.
    pub requests: u64,
    /// Their durations, each rounded up to a millisecond.
    pub millis: u64,
}

impl Compute {
    fn add(&mut self, elapsed: Duration) {
        self.requests += 1;
        self.millis += u64::try_from(elapsed.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    }

    fn since(self, before: Compute) -> Compute {
        Compute { requests: self.requests - before.requests, millis: self.millis - before.millis }
    }
}

/// What was used, at some moment or between two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Table, queue, blobs and bus, the requests of the poller included. Receives that found
    /// nothing are not: they are what an idle installation costs.
    pub usage: Usage,
    /// The function of the API.
    pub api: Compute,
    /// The step-driver.
    pub driver: Compute,
    /// The sweeper.
    pub sweeper: Compute,
    /// Bytes that stay in the table: rows and their index entries.
    pub stored_bytes: u64,
}

impl Spent {
    /// What was used since an earlier moment.
    pub fn since(self, before: Spent) -> Spent {
        Spent {
            usage: self.usage - before.usage,
            api: self.api.since(before.api),
            driver: self.driver.since(before.driver),
            sweeper: self.sweeper.since(before.sweeper),
            stored_bytes: self.stored_bytes - before.stored_bytes,
        }
    }
}

/// How an installation is set up.
#[derive(Clone)]
pub struct Setup {
    /// What performs tasks.
    pub tasks: Arc<dyn Tasks>,
    /// Which status changes are published.
    pub status_events: StatusEvents,
    /// What stands below the meter in place of the queue: for messages that come twice or late.
    pub disturb: fn(Arc<dyn Queue>) -> Arc<dyn Queue>,
}

impl Setup {
    /// As it is deployed by default, and nothing goes wrong.
    pub fn plain(tasks: Arc<dyn Tasks>) -> Setup {
        Setup { tasks, status_events: StatusEvents::Failures, disturb: |queue| queue }
    }
}

/// Everything, running.
pub struct Installation {
    meter: Meter,
    clock: Arc<dyn Clock>,
    table: Arc<memory::Table>,
    accesses: Arc<Accesses>,
    queues: Arc<memory::Queues>,
    queue: Arc<dyn Queue>,
    dead_letters: Arc<dyn Queue>,
    parts: Parts,
    service: Service,
    tasks: Arc<dyn Tasks>,
    spent: Mutex<Spent>,
}

/// What each function puts together for itself.
#[derive(Clone)]
struct Parts {
    store: Store,
    queue: Arc<dyn Queue>,
    queues: Arc<dyn Queues>,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    config: Config,
}

impl Parts {
    fn world(&self, seed: u64) -> World {
        World::new(WorldParts {
            store: self.store.clone(),
            queue: self.queue.clone(),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            seeds: Seeds::From(seed),
            machines: Machines::new(Registry::new(self.store.clone())),
            limits: Limits::SERVICE,
            config: self.config.clone(),
        })
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Installation {
    /// An empty installation.
    pub async fn new(setup: Setup) -> Result<Installation, String> {
        let clock: Arc<dyn Clock> = Arc::new(Virtual::default());
        let meter = Meter::new();
        let table = Arc::new(memory::Table::new(clock.clone()));
        let queues = Arc::new(memory::Queues::new(clock.clone()));
        let visibility = Duration::from_millis(TIMEOUT_MILLIS.unsigned_abs());
        let settings = QueueSettings { visibility, dead_letters: None };
        let of_dead_letters = queues.create("dead-letters", settings.clone()).await.map_err(said)?;
        let of_executions = (setup.disturb)(queues.create(QUEUE, settings).await.map_err(said)?);
        let [queue, dead_letters] = [of_executions, of_dead_letters].map(|queue| {
            let queue: Arc<dyn Queue> = Arc::new(metered::Queue::new(queue, meter.clone()));
            Arc::new(Late(queue)) as Arc<dyn Queue>
        });
        let of_activities: Arc<dyn Queues> = Arc::new(metered::Queues::new(queues.clone(), meter.clone()));
        let blobs: Arc<dyn Blobs> = Arc::new(memory::Blobs::new());
        let blobs: Arc<dyn Blobs> = Arc::new(metered::Blobs::new(blobs, meter.clone()));
        let accesses: Arc<Accesses> = Arc::default();
        let rows: Arc<dyn Table> = Arc::new(Recorder::new(table.clone(), accesses.clone()));
        let rows: Arc<dyn Table> = Arc::new(metered::Table::new(rows, meter.clone()));
        let rows: Arc<dyn Table> = Arc::new(Late(rows));
        let bus: Arc<dyn Bus> = Arc::new(metered::Bus::new(Arc::new(memory::Bus::new()), meter.clone()));
        let config = journal::Config {
            listing_shards: SHARDS,
            wake_shards: SHARDS,
            ..journal::Config::paid_by_size(home())
        };
        let store = Store::open(rows, Arc::new(Late(blobs)), config).await.map_err(said)?;
        let parts = Parts {
            store: store.clone(),
            queue: queue.clone(),
            queues: Arc::new(Late(of_activities)),
            bus: Arc::new(Late(bus)),
            clock: clock.clone(),
            config: Config { status_events: setup.status_events, ..Config::default() },
        };
        let world = parts.world(1);
        let service = Service::new(ServiceParts {
            store,
            machines: world.machines().clone(),
            door: Door::new(world),
            queues: parts.queues.clone(),
            clock: clock.clone(),
            seeds: Seeds::From(2),
            limits: Limits::SERVICE,
            sdk_action: None,
        });
        let (tasks, spent) = (setup.tasks, Mutex::default());
        Ok(Installation {
            meter,
            clock,
            table,
            accesses,
            queues,
            queue,
            dead_letters,
            parts,
            service,
            tasks,
            spent,
        })
    }

    fn spent_so_far(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was used up to now.
    pub fn spent(&self) -> Spent {
        let so_far = *self.spent_so_far();
        let rows = self.table.rows();
        let entries = |row: &ports::Row| -> usize {
            row.indexes.iter().map(|entry| metered::entry_bytes(row, entry)).sum()
        };
        let stored: usize = rows.iter().map(|row| metered::row_bytes(row) + entries(row)).sum();
        Spent { usage: self.meter.usage() - so_far.usage, stored_bytes: stored as u64, ..so_far }
    }

    /// What was read and written of the table since the last call.
    pub fn accesses(&self) -> Vec<Access> {
        self.accesses.take()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// One request to the API: an invocation of its function.
    pub async fn call(&self, operation: &str, body: &Value) -> Result<Value, String> {
        let began = Instant::now();
        tokio::time::sleep(WORK).await;
        let answer = self.service.call(operation, body.to_json().as_bytes()).await;
        self.spent_so_far().api.add(began.elapsed());
        match answer.status {
            200 => Value::parse(&answer.body).map_err(|error| error.message.to_string()),
            status => Err(format!("{operation} was answered {status}: {}", answer.body)),
        }
    }

    /// Another container of the step-driver.
    pub fn container(&self, number: u64) -> Result<Arc<Driver>, String> {
        Driver::new(self.parts.world(1_000 + number), self.tasks.clone()).map(Arc::new).map_err(said)
    }

    /// What the poller does once: receives up to ten messages, invokes the function with them, and
    /// deletes those that the function does not name. Whether there were any.
    pub async fn poll(&self, container: &Driver) -> Result<bool, String> {
        let received = self.queue.receive(BATCH_MAX, Duration::ZERO).await.map_err(said)?;
        if received.is_empty() {
            self.spent_so_far().usage.queue_requests += 1;
            return Ok(false);
        }
        let mut receipts: Vec<_> = received.iter().map(|message| message.receipt.clone()).collect();
        let began = Instant::now();
        tokio::time::sleep(WORK).await;
        let again = container.take(received, self.now().plus_millis(TIMEOUT_MILLIS)).await;
        self.spent_so_far().driver.add(began.elapsed());
        receipts.retain(|receipt| !again.contains(receipt));
        self.queue.delete(&receipts).await.map_err(said)?;
        Ok(true)
    }

    /// Polls with all containers at once until the queue holds nothing any more.
    pub async fn drain(self: &Arc<Self>, containers: &[Arc<Driver>]) -> Result<(), String> {
        let mut polls = tokio::task::JoinSet::new();
        for container in containers {
            let (this, container) = (self.clone(), container.clone());
            polls.spawn(async move {
                while !this.queues.messages(QUEUE).is_empty() {
                    if !this.poll(&container).await? {
                        // What is left is hidden, or not due yet.
                        tokio::time::sleep(Duration::from_millis(250)).await;
                    }
                }
                Ok::<(), String>(())
            });
        }
        while let Some(polled) = polls.join_next().await {
            polled.map_err(said)??;
        }
        Ok(())
    }

    /// One sweep: an invocation of the sweeper.
    pub async fn sweep(&self) -> Result<(), String> {
        let sweeper = Sweeper::new(self.parts.world(3), Some(self.dead_letters.clone()));
        let began = Instant::now();
        tokio::time::sleep(WORK).await;
        sweeper.sweep().await.map_err(said)?;
        self.spent_so_far().sweeper.add(began.elapsed());
        Ok(())
    }
}
