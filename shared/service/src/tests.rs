//! Operations over ports in memory, with a real driver behind the door. Time is virtual.

mod activities;
mod executions;
mod requests;
mod state_machines;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use asl::state::Resource;
use driver::{Config, Door, Driver, Machines, Seeds, World, WorldParts};
use engine::{Call, Execution, TaskOutcome};
use integrations::activity::Activities;
use integrations::{Answer, Answering, NotCallable, Tasks};
use journal::Store;
use journal::registry::Registry;
use model::arn::Home;
use model::json::{Text, Value};
use model::limits::Limits;
use ports::{Clock, QueueSettings, Virtual, memory};
use tokio::task::JoinHandle;

use crate::{ErrorType, Service, ServiceParts};

pub(crate) const HOME: &str = "arn:aws:states:us-east-1:111111111111";
pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/r";
pub(crate) const PASS: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#;
pub(crate) const WAIT: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
pub(crate) const CALLBACK: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"QueueUrl":"q","MessageBody":{"t.$":"$$.Task.Token"}},"End":true}}}"#;

/// Every call is accepted; its result comes later, or never.
struct Accepting;

impl Tasks for Accepting {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            match call.token {
                Some(_) => Answer::Submitted(Value::object()),
                None => Answer::Settled(TaskOutcome::Succeeded(call.parameters.clone())),
            }
        })
    }
}

/// An installation.
pub(crate) struct Site {
    pub service: Service,
    pub clock: Arc<Virtual>,
    driving: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl Site {
    pub async fn new() -> Site {
        Site::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Site {
        let clock = Arc::new(Virtual::default());
        let shared: Arc<dyn Clock> = clock.clone();
        let home = Home::new("aws", "us-east-1", "111111111111");
        let table = Arc::new(memory::Table::new(shared.clone()));
        let blobs = Arc::new(memory::Blobs::new());
        let store = Store::open(table, blobs, journal::Config::new(home)).await.unwrap();
        let queues: Arc<dyn ports::Queues> = Arc::new(memory::Queues::new(shared.clone()));
        let settings = QueueSettings { visibility: Duration::from_secs(30), dead_letters: None };
        let machines = Machines::new(Registry::new(store.clone()));
        let world = World::new(WorldParts {
            store: store.clone(),
            queue: queues.create("executions", settings).await.unwrap(),
            bus: Arc::new(memory::Bus::new()),
            clock: shared.clone(),
            seeds: Seeds::From(1),
            machines: machines.clone(),
            limits,
            config: Config::alone(),
        });
        let tasks = Activities::new(queues.clone(), Arc::new(Accepting));
        let driver = Driver::new(world.clone(), Arc::new(tasks)).unwrap();
        let driving = tokio::spawn(async move { driver.run(std::future::pending()).await });
        let service = Service::new(ServiceParts {
            store,
            door: Door::new(world),
            queues,
            clock: shared,
            seeds: Seeds::From(2),
            machines,
            limits,
            sdk_action: None,
        });
        Site { service, clock, driving }
    }

    /// A call that must succeed.
    pub async fn ok(&self, operation: &str, request: &Value) -> Value {
        let response = self.service.call(operation, request.to_json().as_bytes()).await;
        assert_eq!((response.status, response.error_type), (200, None), "{operation}: {}", response.body);
        Value::parse(&response.body).unwrap()
    }

    /// A call that must fail: the exception and its message.
    pub async fn refused(&self, operation: &str, request: &Value) -> (ErrorType, String) {
        let response = self.service.call(operation, request.to_json().as_bytes()).await;
        let Some(error_type) = response.error_type else { panic!("{operation}: {}", response.body) };
        assert_eq!(response.status, error_type.status());
        let body = Value::parse(&response.body).unwrap();
        assert_eq!(text(&body, "__type"), error_type.wire_type());
        (error_type, text(&body, "message").to_owned())
    }

    /// Creates a state machine and gives its ARN.
    pub async fn machine(&self, name: &str, definition: &str) -> Text {
        let request = object([("name", name), ("definition", definition), ("roleArn", ROLE)]);
        text(&self.ok("CreateStateMachine", &request).await, "stateMachineArn").into()
    }

    /// Starts an execution and gives its ARN.
    pub async fn start(&self, machine: &str, name: &str) -> Text {
        let request = object([("stateMachineArn", machine), ("name", name)]);
        text(&self.ok("StartExecution", &request).await, "executionArn").into()
    }

    pub async fn describe(&self, execution: &str) -> Value {
        self.ok("DescribeExecution", &object([("executionArn", execution)])).await
    }
}

/// An object of texts.
pub(crate) fn object<const N: usize>(members: [(&str, &str); N]) -> Value {
    members.into_iter().map(|(name, value)| (name, Value::from(value))).collect()
}

pub(crate) fn json(text: &str) -> Value {
    Value::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name} in {}", value.to_json()))
}

/// The names of the members, sorted.
pub(crate) fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(Text::as_str).collect();
    names.sort_unstable();
    names
}
