//! A server without its HTTP: ports, driver, sweeper and service in one process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asl::state::Resource;
use driver::{Config, Door, Driver, Machines, Seeds, Sweeper, World, WorldParts};
use integrations::{Answer, Answering, Cancelling, Job, NotCallable, Polled, Polling, Tasks};
use journal::Store;
use journal::registry::Registry;
use model::arn::Home;
use model::json::Value;
use model::limits::Limits;
use ports::{Blobs, Bus, Clock, QueueSettings, Queues, Table, memory};
use service::{Service, ServiceParts};
use tokio::task::JoinSet;

/// What a scene stands on.
#[derive(Clone)]
pub struct Ports {
    /// The rows.
    pub table: Arc<dyn Table>,
    /// What is too large for a row.
    pub blobs: Arc<dyn Blobs>,
    /// The messages.
    pub queues: Arc<dyn Queues>,
    /// The status changes.
    pub bus: Arc<dyn Bus>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// Everything in memory, with this clock.
    pub fn memory(clock: Arc<dyn Clock>) -> Ports {
        Ports {
            table: Arc::new(memory::Table::new(clock.clone())),
            blobs: Arc::new(memory::Blobs::new()),
            queues: Arc::new(memory::Queues::new(clock.clone())),
            bus: Arc::new(memory::Bus::new()),
            clock,
        }
    }

    /// A store on a disk, with this clock. Status changes go to memory.
    pub fn embedded(store: &ports_embedded::Store, clock: Arc<dyn Clock>) -> Ports {
        Ports {
            table: store.table(),
            blobs: store.blobs(),
            queues: store.queues(),
            bus: Arc::new(memory::Bus::new()),
            clock,
        }
    }
}

/// A running server. Dropping it ends it as a crash would.
pub struct Scene {
    /// The API.
    pub service: Service,
    /// What executions are told through.
    pub door: Door,
    /// The time.
    pub clock: Arc<dyn Clock>,
    _running: JoinSet<()>,
}

/// An answer of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Answered {
    /// The name of the exception without its namespace.
    pub fn code(&self) -> Option<&str> {
        let named = self.body.get("__type").and_then(Value::as_str)?;
        Some(named.rsplit_once('#').map_or(named, |(_, name)| name))
    }
}

/// How long a received message stays hidden.
const VISIBILITY: Duration = Duration::from_secs(30);

impl Scene {
    /// Starts a server of `home` on `ports`. Tasks are performed by `tasks`; the error says which
    /// part did not come up.
    pub async fn start(home: Home, ports: Ports, tasks: Arc<dyn Tasks>) -> Result<Scene, String> {
        let Ports { table, blobs, queues, bus, clock } = ports;
        let store = Store::open(table, blobs, journal::Config::new(home)).await.map_err(said)?;
        let dead = QueueSettings { visibility: VISIBILITY, dead_letters: None };
        let dead_letters = queues.create("dead", dead).await.map_err(said)?;
        let settings = QueueSettings { visibility: VISIBILITY, dead_letters: Some((5, "dead".into())) };
        let queue = queues.create("driver", settings).await.map_err(said)?;
        let machines = Machines::new(Registry::new(store.clone()));
        let world = World::new(WorldParts {
            store: store.clone(),
            queue,
            bus,
            clock: clock.clone(),
            seeds: Seeds::From(1),
            machines: machines.clone(),
            limits: Limits::default(),
            config: Config::alone(),
        });
        let mut running = JoinSet::new();
        let driver = Driver::new(world.clone(), tasks).map_err(said)?;
        running.spawn(async move { driver.run(std::future::pending()).await });
        let sweeper = Sweeper::new(world.clone(), Some(dead_letters));
        running.spawn(async move { sweeper.run().await });
        let door = Door::new(world);
        let service = Service::new(ServiceParts {
            store,
            door: door.clone(),
            queues,
            clock: clock.clone(),
            seeds: Seeds::From(2),
            machines,
            limits: Limits::default(),
            sdk_action: None,
        });
        Ok(Scene { service, door, clock, _running: running })
    }

    /// Calls the API.
    pub async fn call(&self, operation: &str, request: &Value) -> Result<Answered, String> {
        call(&self.service, operation, request).await
    }
}

/// Calls the API; the error says that the answer was no JSON.
pub async fn call(service: &Service, operation: &str, request: &Value) -> Result<Answered, String> {
    let response = service.call(operation, request.to_json().as_bytes()).await;
    let body =
        Value::parse(&response.body).map_err(|error| format!("{operation} answered no JSON: {error}"))?;
    Ok(Answered { status: response.status, body })
}

/// As [`call`]; an exception is an error.
pub async fn ask(service: &Service, operation: &str, request: &Value) -> Result<Value, String> {
    let answered = call(service, operation, request).await?;
    if answered.status == 200 {
        Ok(answered.body)
    } else {
        Err(format!("{operation} answered {}", answered.body))
    }
}

/// The tasks of a scene that is built before who performs them.
#[derive(Default)]
pub struct Later(Mutex<Option<Arc<dyn Tasks>>>);

impl Later {
    /// From now on tasks are performed by `tasks`.
    pub fn set(&self, tasks: Arc<dyn Tasks>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tasks);
    }

    fn tasks(&self) -> Option<Arc<dyn Tasks>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Tasks for Later {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn is_repeatable(&self, call: &engine::Call) -> bool {
        self.tasks().is_some_and(|tasks| tasks.is_repeatable(call))
    }

    fn call<'a>(&'a self, call: &'a engine::Call, execution: &'a engine::Execution) -> Answering<'a> {
        Box::pin(async move {
            match self.tasks() {
                Some(tasks) => tasks.call(call, execution).await,
                None => Answer::Submitted(Value::object()),
            }
        })
    }

    fn poll<'a>(&'a self, job: &'a Job, execution: &'a engine::Execution) -> Polling<'a> {
        Box::pin(async move {
            match self.tasks() {
                Some(tasks) => tasks.poll(job, execution).await,
                None => Polled::Running,
            }
        })
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a engine::Execution) -> Cancelling<'a> {
        Box::pin(async move {
            if let Some(tasks) = self.tasks() {
                tasks.cancel(job, execution).await;
            }
        })
    }
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
