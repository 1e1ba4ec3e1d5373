//! What functions work with, put together from the environment.

use std::sync::Arc;

use aws_client::{Caller, Endpoints, Identity};
use driver::{Door, Machines, Seeds, StatusEvents, World, WorldParts};
use integrations::Tasks;
use integrations::activity::Activities;
use integrations_aws::{Finding, Rights, Services};
use journal::Store;
use journal::registry::Registry;
use lambda_runtime::Error;
use model::arn::Home;
use ports::{Bus, Clock, Queue, Queues, SystemClock};
use ports_aws::Fallback;
use ports_aws::bus::AFTER;
use service::{Service, ServiceParts};

use crate::settings::Settings;

/// Store, queues, bus and what stands on them.
pub struct Installation {
    /// Where executions move.
    pub world: World,
    /// What performs their tasks.
    pub tasks: Arc<dyn Tasks>,
    /// Where messages go that came too often.
    pub dead_letters: Arc<dyn Queue>,
    /// The queues of activities.
    pub queues: Arc<dyn Queues>,
    /// Whose resources these are.
    pub home: Home,
    /// The API.
    pub service: Service,
}

impl Installation {
    /// Connects to what the template has created; the table is looked at, all else when it is needed.
    pub async fn open(settings: &Settings) -> Result<Installation, Error> {
        let sdk = ports_aws::config::of_environment();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ports = ports_aws::Installation::new(&sdk, &settings.ports, clock.clone())?;
        let bus: Arc<dyn Bus> = match ports.topic {
            // Whoever waits for a failure hears of it although the bus does not work.
            Some(topic) if settings.config.status_events != StatusEvents::None => {
                Arc::new(Fallback::new(ports.bus, topic, clock.clone(), AFTER, driver::is_failure))
            }
            _ => ports.bus,
        };
        let store = Store::open(ports.table, ports.blobs, settings.journal()).await?;
        let machines = Machines::new(Registry::new(store.clone()));
        let queue = |name: &str, url: &str| Arc::new(ports.queues.at(name, url)) as Arc<dyn Queue>;
        let world = World::new(WorldParts {
            store: store.clone(),
            queue: queue("executions", &settings.queue_url),
            bus,
            clock: clock.clone(),
            seeds: Seeds::System,
            machines: machines.clone(),
            limits: settings.limits,
            config: settings.config.clone(),
        });
        let service = Service::new(ServiceParts {
            store,
            door: Door::new(world.clone()),
            queues: ports.queues.clone(),
            clock,
            seeds: Seeds::System,
            machines,
            limits: settings.limits,
            sdk_action: Some(Services::offers),
        });
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            // What is no text is no address.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let endpoints = Endpoints::from_variables(variables).or_aws();
        let rights = Rights::StateMachines(settings.roles.clone());
        let provider = sdk.credentials_provider().ok_or("there are no credentials")?;
        let identity = Arc::new(Identity::new(provider));
        let region = settings.home.region.to_string();
        let find = move || -> Finding {
            Box::pin(std::future::ready(Caller { identity: identity.clone(), region: region.clone() }))
        };
        let services = Services::new(endpoints, rights, find).with_own(Arc::new(service.clone()));
        let services: Arc<dyn Tasks> = Arc::new(services);
        Ok(Installation {
            world,
            tasks: Arc::new(Activities::new(ports.queues.clone(), services)),
            dead_letters: queue("dead-letters", &settings.dead_letters_url),
            queues: ports.queues,
            home: settings.home.clone(),
            service,
        })
    }
}
