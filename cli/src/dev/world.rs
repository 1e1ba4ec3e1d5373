//! What executions run on: ports, journal, driver and service, put together.

mod backend;
mod clock;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use driver::{Config, Door, Driver, Machines, Seeds, StatusEvents, Sweeper, WorldParts};
use front::Answer;
use front::listen::stopped;
use integrations::Tasks;
use integrations::activity::Activities;
use integrations::mock;
use integrations_aws::{Rights, Services};
use journal::Store;
use journal::execution::Executions;
use journal::registry::Registry;
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::{Bus, BusError, Event, QueueSettings};
use service::{Service, ServiceParts};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::api::Api;
use super::mocks::{SelectedMocks, SelectingApi, Selections};
use super::settings::{Settings, StoreSettings};
use crate::identity::own;
use crate::source;
use crate::tasks::{endpoints, web};
use backend::Backend;
use clock::StoreClock;

/// The queue of messages about executions.
const QUEUE: &str = "executions";

/// Where messages go that came too often.
const DEAD_LETTERS: &str = "executions-dead-letters";

/// How often a message comes before that.
const RECEIVES_MAX: u32 = 5;

/// Everything that runs behind the API.
pub struct World {
    /// The operations.
    pub api: Arc<dyn Api>,
    /// The executions, to be watched.
    pub executions: Executions,
    /// What they run.
    pub machines: Machines,
    /// What `/health` calls the store.
    pub store: &'static str,
    backend: Backend,
    clock: StoreClock,
    stop: watch::Sender<bool>,
    driver: JoinHandle<()>,
    background: Vec<JoinHandle<()>>,
}

impl World {
    /// Opens the store and begins to drive what it holds. An error says what to do.
    pub async fn open(settings: &Settings) -> Result<World, String> {
        let store_clock = StoreClock::new(&settings.store, settings.time_scale)?;
        let clock = store_clock.clock();
        let backend = Backend::open(&settings.store, clock.clone()).await?;
        let config = journal::Config::new(settings.home.clone());
        let store = Store::open(backend.table.clone(), backend.blobs.clone(), config);
        let store = store.await.map_err(|error| error.to_string())?;
        let machines = Machines::new(Registry::new(store.clone()));
        let config = Config { status_events: StatusEvents::All, ..Config::alone() };
        let visibility = Duration::from_millis(config.visibility_millis.max(0).unsigned_abs());
        let cannot = |error: ports::QueueError| format!("the store cannot be used: {error}");
        let dead_letters = QueueSettings { visibility, dead_letters: None };
        let dead_letters = backend.queues.create(DEAD_LETTERS, dead_letters).await.map_err(cannot)?;
        let messages = QueueSettings { visibility, dead_letters: Some((RECEIVES_MAX, DEAD_LETTERS.into())) };
        let queue = backend.queues.create(QUEUE, messages).await.map_err(cannot)?;
        let world = driver::World::new(WorldParts {
            store: store.clone(),
            queue,
            bus: Arc::new(LoggedBus),
            clock: clock.clone(),
            seeds: Seeds::System,
            machines: machines.clone(),
            limits: Limits::SERVICE,
            config,
        });
        let (executions, kept) = (Executions::new(store.clone()), machines.clone());
        let service = Service::new(ServiceParts {
            store,
            door: Door::new(world.clone()),
            queues: backend.queues.clone(),
            clock: clock.clone(),
            seeds: Seeds::System,
            machines,
            limits: Limits::SERVICE,
            sdk_action: Some(Services::offers),
        });
        let given = settings.endpoints.iter().map(String::as_str);
        let (places, region) =
            (endpoints(given, settings.lambda_endpoint.as_deref())?, settings.region.clone());
        let known = places.clone();
        let services =
            Services::new(known, Rights::Own, move || Box::pin(own(places.clone(), region.clone())));
        let time = clock.clone();
        let web = web(settings.connections.as_deref(), settings.allow_local_http)?;
        let services = services.with_web(web);
        let services = services.with_own(Arc::new(service.clone()));
        let services: Arc<dyn Tasks> = Arc::new(services.at(Arc::new(move || time.now())));
        let api: Arc<dyn Api> = Arc::new(ServiceApi(service));
        let tasks: Arc<dyn Tasks> = Arc::new(Activities::new(backend.queues.clone(), services));
        let (api, tasks) = mocked(settings, &backend, api, tasks)?;

        let driver = Driver::new(world.clone(), tasks).map_err(|error| error.to_string())?;
        let sweeper = Sweeper::new(world, Some(dead_letters));
        let (stop, stopping) = watch::channel(false);
        let driver = tokio::spawn(async move { driver.run(stopped(stopping)).await });
        let mut background = vec![tokio::spawn(async move { sweeper.run().await })];
        let noted = store_clock.clone();
        background.push(tokio::spawn(async move { noted.keep().await }));
        background.push(tokio::spawn(backend.sweep()));
        let store = match settings.store {
            StoreSettings::Memory => "memory",
            StoreSettings::Folder(_) => "embedded",
        };
        Ok(World {
            api,
            executions,
            machines: kept,
            store,
            backend,
            clock: store_clock,
            stop,
            driver,
            background,
        })
    }

    /// What the store is called at the start.
    pub fn store_name(&self, settings: &Settings) -> String {
        match &settings.store {
            StoreSettings::Memory => "in memory: nothing outlives the server".to_owned(),
            StoreSettings::Folder(folder) => folder.display().to_string(),
        }
    }

    /// The time of its executions.
    pub fn now(&self) -> Timestamp {
        self.clock.clock().now()
    }

    /// Hands executions over and closes the store.
    pub async fn close(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.driver.await {
            tracing::error!(%error, "the driver did not come to its end");
        }
        for task in self.background {
            task.abort();
            // It was told to end.
            let _ = task.await;
        }
        self.clock.note();
        self.backend.close().await;
    }
}

/// The API that selects test cases, and the tasks that answer for them.
type Mocked = (Arc<dyn Api>, Arc<dyn Tasks>);

/// Mocks in front of services, where a mock configuration is given.
fn mocked(
    settings: &Settings,
    backend: &Backend,
    api: Arc<dyn Api>,
    services: Arc<dyn Tasks>,
) -> Result<Mocked, String> {
    let Some(path) = &settings.mock else { return Ok((api, services)) };
    let text = source::read_text(path).map_err(|error| error.to_string())?;
    let config = mock::Config::parse(&text).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(|error| format!("{}:{error}", path.display())).collect();
        format!("the mock configuration cannot be used\n{}", errors.join("\n"))
    })?;
    let selections = Arc::new(Selections::new(config, backend.table.clone(), Seeds::System));
    let tasks = Arc::new(SelectedMocks::new(selections.clone(), services));
    Ok((Arc::new(SelectingApi { selections, api }), tasks))
}

/// The service as the front knows it.
struct ServiceApi(Service);

#[async_trait]
impl Api for ServiceApi {
    async fn call(&self, operation: &str, body: &[u8]) -> Answer {
        let response = self.0.call(operation, body).await;
        Answer {
            status: response.status,
            body: response.body,
            error: response.error_type.map(|error| error.as_str().to_owned()),
            request_id: response.request_id.to_string(),
        }
    }
}

/// Status changes go to the log: there is nobody else to tell.
struct LoggedBus;

#[async_trait]
impl Bus for LoggedBus {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        let text = |name: &str| event.detail.get(name).and_then(Value::as_str).unwrap_or_default();
        // Neither input nor output nor what an error says of them.
        tracing::info!(execution = text("executionArn"), status = text("status"), "execution");
        Ok(())
    }
}
