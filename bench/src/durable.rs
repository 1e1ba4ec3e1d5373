//! Durable executions under load: the driver in this process, over a backend of choice.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use asl::state::Resource;
use async_trait::async_trait;
use driver::{Config, Door, Driver, Machines, Seeds, Start, StatusEvents, World, WorldParts};
use engine::{Call, Execution, TaskOutcome};
use integrations::{Answer, Answering, NotCallable, Tasks};
use journal::Store;
use journal::registry::Registry;
use model::arn::{Home, StateMachineArn};
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

/// A driver at work, and the door to it.
pub struct Running {
    /// Starts executions.
    pub door: Door,
    /// Counts the ends.
    pub ends: Arc<Ends>,
    driver: Arc<Driver>,
    stop: Arc<Notify>,
    task: Option<tokio::task::JoinHandle<()>>,
    machine: StateMachineArn,
    names: AtomicU64,
}

/// Hears of every execution that ends.
pub struct Ends {
    /// Executions that may be started.
    pub room: Semaphore,
    /// Executions that have ended.
    pub count: AtomicU64,
    /// The last end.
    pub last: Notify,
    /// Durations in microseconds, when they are asked for.
    pub took: std::sync::Mutex<Option<Vec<(i64, Instant)>>>,
}

#[async_trait]
impl Bus for Ends {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        if event.detail.get("status").and_then(Value::as_str) != Some("RUNNING") {
            self.count.fetch_add(1, Ordering::Relaxed);
            self.room.add_permits(1);
            self.last.notify_one();
            if let Some(took) = self.took.lock().expect("nobody panics with it").as_mut() {
                let name = event.detail.get("name").and_then(Value::as_str).unwrap_or_default();
                let number = name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(-1);
                took.push((number, Instant::now()));
            }
        }
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
    /// Starts a driver over `backend` for one machine.
    pub async fn new(backend: &Backend, definition: &str, in_flight: usize) -> Result<Running, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let home =
            Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() };
        let config = Config { status_events: StatusEvents::All, sessions_max: 2_048, ..Config::alone() };
        let settings = QueueSettings {
            visibility: Duration::from_millis(config.visibility_millis.unsigned_abs()),
            dead_letters: None,
        };
        let queue = backend.queues.create("driver", settings).await.map_err(|error| said(&error))?;
        let store =
            Store::open(backend.table.clone(), backend.blobs.clone(), journal::Config::new(home.clone()))
                .await
                .map_err(|error| said(&error))?;
        let machines = Machines::new(Registry::new(store.clone()));
        let machine = StateMachineArn::new(&home, "bench").map_err(|error| said(&error))?;
        let parsed = asl::parse(definition, &asl::Options::default());
        let parsed = parsed.machine.ok_or("the definition of the load has errors")?;
        machines.insert(&machine, "1", Arc::new(parsed));
        let ends = Arc::new(Ends {
            room: Semaphore::new(in_flight),
            count: AtomicU64::new(0),
            last: Notify::new(),
            took: std::sync::Mutex::new(None),
        });
        let world = World::new(WorldParts {
            store,
            queue,
            bus: ends.clone(),
            clock,
            seeds: Seeds::System,
            machines,
            limits: Limits::default(),
            config,
        });
        let driver = Arc::new(Driver::new(world.clone(), Arc::new(NoOp)).map_err(|error| said(&error))?);
        let stop = Arc::new(Notify::new());
        let (running, stopped) = (driver.clone(), stop.clone());
        let task = Some(tokio::spawn(async move { running.run(stopped.notified()).await }));
        Ok(Running { door: Door::new(world), ends, driver, stop, task, machine, names: AtomicU64::new(0) })
    }

    /// Starts one execution; gives its number.
    pub async fn start(&self, input: &Value) -> Result<u64, String> {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let name = Text::from(format!("execution-of-the-load-{number}"));
        let arn = self.machine.execution(&name).map_err(|error| error.to_string())?;
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
        let start = Start { execution, revision_id: "1".into(), input: input.clone(), trace_header: None };
        self.door.start(start).await.map_err(|error| error.to_string())?;
        Ok(number)
    }

    /// Executions in the hands of the driver.
    pub fn sessions(&self) -> usize {
        self.driver.sessions()
    }

    /// Ends the driver in good order.
    pub async fn stop(mut self) {
        self.stop.notify_one();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

/// The input of the loads.
pub fn input() -> Value {
    Value::parse(r#"{"order": "o-4711", "customer": {"id": 42, "tier": "gold"}, "items": [{"sku": "a-1", "count": 2}, {"sku": "b-7", "count": 1}]}"#)
        .expect("it is JSON")
}

/// Executions per second with so many in flight, over `time`.
pub async fn closed_loop(running: Arc<Running>, in_flight: usize, time: Duration) -> Result<f64, String> {
    let input = input();
    let begin = Instant::now();
    let starters = 256.min(in_flight);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..starters {
        let (running, input) = (running.clone(), input.clone());
        tasks.spawn(async move {
            while begin.elapsed() < time {
                let permit = running.ends.room.acquire().await.map_err(|error| error.to_string())?;
                permit.forget();
                running.start(&input).await?;
            }
            Ok::<(), String>(())
        });
    }
    // The first fifth warms caches and fills the flight.
    tokio::time::sleep(time / 5).await;
    let (from, began) = (running.ends.count.load(Ordering::Relaxed), Instant::now());
    tokio::time::sleep(time - time / 5).await;
    let (to, ended) = (running.ends.count.load(Ordering::Relaxed), Instant::now());
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    Ok((to - from) as f64 / (ended - began).as_secs_f64())
}

/// Milliseconds of single executions, one after the other.
pub async fn one_at_a_time(running: &Running, count: usize) -> Result<Vec<f64>, String> {
    let input = input();
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let begin = Instant::now();
        let ended = running.ends.last.notified();
        running.start(&input).await?;
        ended.await;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

/// Milliseconds of single syncs of 4 KB appended to a file in `directory`.
///
/// # Errors
/// When the file cannot be written.
pub fn syncs(directory: &Path, count: usize) -> std::io::Result<Vec<f64>> {
    use std::io::Write as _;
    let path = directory.join("sync");
    let mut file = std::fs::File::create(&path)?;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        file.write_all(&[7; 4_096])?;
        let begin = Instant::now();
        file.sync_data()?;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    std::fs::remove_file(&path)?;
    Ok(took)
}
