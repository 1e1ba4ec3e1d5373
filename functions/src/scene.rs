//! An installation over ports in memory, for the tests of the functions; and the samples of `events/`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use driver::{Config, Door, Driver, Machines, Seeds, World, WorldParts};
use integrations::Nothing;
use journal::Store;
use journal::registry::Registry;
use model::arn::Home;
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::{Clock, Queue, QueueSettings, Queues, Virtual, memory};
use service::{Service, ServiceParts};

use crate::call::{ask, object, text};

/// An installation in memory, in virtual time.
pub struct Scene {
    pub service: Service,
    pub home: Home,
    pub world: World,
    pub queue: Arc<dyn Queue>,
    pub queues: Arc<dyn Queues>,
}

impl Scene {
    pub async fn new() -> Scene {
        let clock: Arc<dyn Clock> = Arc::new(Virtual::new(Timestamp::from_millis(1_700_000_000_000)));
        let queues: Arc<dyn Queues> = Arc::new(memory::Queues::new(clock.clone()));
        let settings = QueueSettings { visibility: Duration::from_secs(30), dead_letters: None };
        let queue = queues.create("driver", settings).await.unwrap();
        let home = Home::new("aws", "us-east-1", "123456789012");
        let table = Arc::new(memory::Table::new(clock.clone()));
        let blobs = Arc::new(memory::Blobs::new());
        let store = Store::open(table, blobs, journal::Config::new(home.clone())).await.unwrap();
        let machines = Machines::new(Registry::new(store.clone()));
        let world = World::new(WorldParts {
            store: store.clone(),
            queue: queue.clone(),
            bus: Arc::new(memory::Bus::new()),
            clock: clock.clone(),
            seeds: Seeds::System,
            machines: machines.clone(),
            limits: Limits::SERVICE,
            config: Config::default(),
        });
        let service = Service::new(ServiceParts {
            store,
            door: Door::new(world.clone()),
            queues: queues.clone(),
            clock,
            seeds: Seeds::System,
            machines,
            limits: Limits::SERVICE,
            sdk_action: None,
        });
        Scene { service, home, world, queue, queues }
    }

    /// Creates a state machine.
    pub async fn create(&self, name: &str, definition: &str) {
        let role = "arn:aws:iam::123456789012:role/r";
        let request = [("name", name), ("definition", definition), ("roleArn", role)];
        self.call("CreateStateMachine", &request).await.unwrap();
    }

    /// Calls an operation with members that are texts; a refusal is its text.
    pub async fn call(
        &self,
        operation: &'static str,
        members: &[(&'static str, &str)],
    ) -> Result<Value, String> {
        let request = members.iter().map(|(name, value)| (*name, text(value))).collect();
        ask(&self.service, operation, request).await.map_err(|refused| refused.to_string())
    }

    /// The members `name` of what a list operation lists under `list`.
    pub async fn list(&self, operation: &'static str, arn: &str, list: &str, name: &str) -> Vec<String> {
        let request = if arn.is_empty() { Value::object() } else { object([("stateMachineArn", text(arn))]) };
        let listed = ask(&self.service, operation, request).await.unwrap();
        let items = listed.get(list).and_then(Value::as_array).unwrap();
        items.iter().map(|item| item.get(name).and_then(Value::as_str).unwrap().to_owned()).collect()
    }

    /// Moves executions until the future is dropped, as the step-driver does.
    pub async fn drive(&self) {
        let driver = Driver::new(self.world.clone(), Arc::new(Nothing)).unwrap();
        loop {
            let received = self.queue.receive(10, Duration::from_secs(20)).await.unwrap();
            let receipts: Vec<_> = received.iter().map(|received| received.receipt.clone()).collect();
            let again = driver.take(received, self.world.now().plus_seconds(60)).await;
            let done: Vec<_> = receipts.into_iter().filter(|receipt| !again.contains(receipt)).collect();
            self.queue.delete(&done).await.unwrap();
        }
    }

    /// Moves executions for a while.
    pub async fn drive_for(&self, seconds: u64) {
        let _ = tokio::time::timeout(Duration::from_secs(seconds), self.drive()).await;
    }
}

/// A sample of `events/`, by its path without the extension.
pub fn sample(name: &str) -> Value {
    let path = samples().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Value::parse(&text).unwrap()
}

fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../events")
}

/// Every sample is read by the tests of the function whose folder it is in.
#[test]
fn every_sample_is_tested() {
    let tests = [
        ("api", include_str!("api/tests.rs")),
        (
            "provisioner",
            concat!(include_str!("provisioner/tests.rs"), include_str!("provisioner/tests/aliases.rs")),
        ),
        ("step-driver", include_str!("step_driver.rs")),
        ("sweeper", include_str!("sweeper.rs")),
        ("trigger", include_str!("trigger/tests.rs")),
    ];
    let folders = std::fs::read_dir(samples()).unwrap().map(|entry| entry.unwrap().path());
    let found: BTreeSet<String> = folders
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), tests.map(|(folder, _)| folder));
    for (folder, text) in tests {
        for entry in std::fs::read_dir(samples().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(
                text.contains(&format!("\"{name}\"")) || text.contains(&format!("{folder}/{name}\"")),
                "{folder}/{name}"
            );
        }
    }
}
