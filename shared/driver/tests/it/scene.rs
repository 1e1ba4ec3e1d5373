//! A world in memory, in which time passes at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::state::Resource;
use async_trait::async_trait;
use driver::{Config, Delivered, Door, Driver, Machines, Seeds, Start, Started, Sweeper, World, WorldParts};
use engine::{Call, Execution, TaskOutcome, TaskToken};
use integrations::{Answer, Answering, Cancelling, Job, NotCallable, Polled, Polling, Tasks};
use journal::Store;
use journal::execution::{Description, Executions, HistoryQuery, Parent};
use journal::registry::Registry;
use model::arn::{ExecutionArn, Home, StateMachineArn};
use model::error::Failure;
use model::history::HistoryEvent;
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::{
    Clock, Condition, IndexPage, IndexQuery, Key, Order, Page, Query, QueueSettings, Queues, Received, Row,
    Table, TableError, Virtual, memory,
};
use tokio::sync::Notify;
use tokio::time::Instant;

/// When worlds begin.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Everything that outlives a driver.
pub struct Scene {
    pub clock: Arc<dyn Clock>,
    pub table: Arc<memory::Table>,
    /// The same as everybody uses it.
    pub slow: Arc<Slow>,
    pub bus: Arc<memory::Bus>,
    pub queues: Arc<memory::Queues>,
    pub world: World,
    pub door: Door,
    pub tasks: Arc<Effects>,
    pub machine: StateMachineArn,
    machines: Machines,
    store: Store,
    config: Config,
}

impl Scene {
    /// A world with one state machine.
    pub async fn new(definition: &str, config: Config) -> Scene {
        let clock: Arc<dyn Clock> = Arc::new(Virtual::new(BEGIN));
        let table = Arc::new(memory::Table::new(clock.clone()));
        let queues = Arc::new(memory::Queues::new(clock.clone()));
        let dead = QueueSettings { visibility: Duration::from_secs(30), dead_letters: None };
        queues.create("dead", dead).await.unwrap();
        let settings = QueueSettings {
            visibility: Duration::from_millis(config.visibility_millis.unsigned_abs()),
            dead_letters: Some((5, "dead".into())),
        };
        queues.create("driver", settings).await.unwrap();
        let home =
            Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() };
        let blobs = Arc::new(memory::Blobs::new());
        let slow = Arc::new(Slow {
            table: table.clone(),
            heartbeat: Mutex::default(),
            writes: AtomicUsize::new(0),
            stuck_behind: Mutex::default(),
        });
        let store = Store::open(slow.clone(), blobs, journal::Config::new(home.clone())).await.unwrap();
        let machines = Machines::new(Registry::new(store.clone()));
        let machine = StateMachineArn::new(&home, "m").unwrap();
        let parsed = asl::parse(definition, &asl::Options::default());
        assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
        machines.insert(&machine, "1", Arc::new(parsed.machine.unwrap()));
        let bus = Arc::new(memory::Bus::new());
        let mut scene = Scene {
            door: Door::new(world(&clock, &queues, &bus, &machines, &store, &config).await),
            world: world(&clock, &queues, &bus, &machines, &store, &config).await,
            clock,
            table,
            slow,
            bus,
            queues,
            tasks: Arc::default(),
            machine,
            machines,
            store,
            config,
        };
        scene.world = scene.door.world().clone();
        scene
    }

    /// A new driver process that takes what others receive.
    pub async fn taker(&self) -> Driver {
        let world =
            world(&self.clock, &self.queues, &self.bus, &self.machines, &self.store, &self.config).await;
        Driver::new(world, self.tasks.clone()).unwrap()
    }

    /// Receives as a function's trigger does, once `seconds` at most have passed.
    pub async fn received(&self, seconds: u64) -> Vec<Received> {
        let queue = self.queues.open("driver").await.unwrap();
        queue.receive(10, Duration::from_secs(seconds)).await.unwrap()
    }

    /// A new driver process; it drives until it is dropped.
    pub async fn driver(&self) -> Running {
        let world =
            world(&self.clock, &self.queues, &self.bus, &self.machines, &self.store, &self.config).await;
        let driver = Arc::new(Driver::new(world, self.tasks.clone()).unwrap());
        let stop = Arc::new(Notify::new());
        let (running, stopped) = (driver.clone(), stop.clone());
        let task = tokio::spawn(async move { running.run(stopped.notified()).await });
        Running { task: Some(task), stop, driver }
    }

    pub fn sweeper(&self) -> Sweeper {
        Sweeper::new(self.world.clone(), None)
    }

    pub fn execution(&self, name: &str) -> ExecutionArn {
        self.machine.execution(name).unwrap()
    }

    pub async fn start(&self, name: &str, input: Value) -> Started {
        self.start_for(name, input, None).await
    }

    /// Starts an execution that a task of another waits for.
    pub async fn start_for(&self, name: &str, input: Value, parent: Option<Parent>) -> Started {
        let arn = self.execution(name);
        let execution = Execution {
            arn: arn.as_str().into(),
            name: name.into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            state_machine_arn: self.machine.as_str().into(),
            state_machine_name: "m".into(),
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            region: "us-east-1".into(),
            started_at: self.clock.now(),
            synchronous: false,
        };
        let start = Start { execution, revision_id: "1".into(), input, trace_header: None, parent };
        self.door.start(start).await.unwrap()
    }

    pub async fn describe(&self, name: &str) -> Description {
        Executions::new(self.store.clone()).describe(&self.execution(name)).await.unwrap().unwrap()
    }

    /// Waits until the execution has ended, at most `seconds`.
    pub async fn ended(&self, name: &str, seconds: i64) -> Description {
        let until = self.clock.now().plus_seconds(seconds);
        loop {
            let found = self.describe(name).await;
            if found.status.is_terminal() {
                return found;
            }
            assert!(
                self.clock.now() < until,
                "{name} has not ended after {seconds} s: {:?}",
                self.types(name).await
            );
            // How long it took is read from the records: looking seldom does not change it.
            tokio::time::sleep(Duration::from_millis(50.max(seconds.unsigned_abs()))).await;
        }
    }

    pub async fn history(&self, name: &str) -> Vec<HistoryEvent> {
        let query =
            HistoryQuery { order: Order::Ascending, after: None, limit: 1_000_000, include_payloads: true };
        let executions = Executions::new(self.store.clone());
        executions.history(&self.execution(name), &query).await.unwrap().unwrap().events
    }

    pub async fn types(&self, name: &str) -> Vec<&'static str> {
        self.history(name).await.iter().map(|event| event.event.type_name()).collect()
    }

    /// Rows of an execution whose sort key begins with `prefix`.
    pub fn rows(&self, name: &str, prefix: &str) -> Vec<ports::Row> {
        let partition = format!("x/m:{name}");
        let rows = self.table.rows();
        rows.into_iter()
            .filter(|row| row.key.partition == partition && row.key.sort.starts_with(prefix))
            .collect()
    }

    pub async fn callback(&self, token: &TaskToken, outcome: TaskOutcome) -> Delivered {
        let arn = ExecutionArn::parse(token.execution_arn()).unwrap();
        self.door.deliver(&arn, engine::Input::Callback { token: token.clone(), outcome }).await.unwrap()
    }
}

async fn world(
    clock: &Arc<dyn Clock>,
    queues: &Arc<memory::Queues>,
    bus: &Arc<memory::Bus>,
    machines: &Machines,
    store: &Store,
    config: &Config,
) -> World {
    World::new(WorldParts {
        store: store.clone(),
        queue: queues.open("driver").await.unwrap(),
        bus: bus.clone(),
        clock: clock.clone(),
        seeds: Seeds::System,
        machines: machines.clone(),
        limits: Limits::default(),
        config: config.clone(),
    })
}

/// A table whose answers may be late.
pub struct Slow {
    table: Arc<memory::Table>,
    /// How late the notes of heartbeats come.
    pub heartbeat: Mutex<Duration>,
    /// How many rows were put or deleted.
    pub writes: AtomicUsize,
    /// Nobody learns any more that a row was put whose key ends so.
    pub stuck_behind: Mutex<Option<String>>,
}

impl Slow {
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Table for Slow {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        let found = self.table.get(key).await;
        let late = *self.heartbeat.lock().unwrap();
        if key.sort.starts_with("h/") && !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        found
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let key = format!("{}/{}", row.key.partition, row.key.sort);
        self.table.put(row, condition).await?;
        let stuck = self.stuck_behind.lock().unwrap().take_if(|stuck| key.ends_with(stuck.as_str()));
        if stuck.is_some() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.table.delete(key, condition).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.table.query(query).await
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.table.query_index(query).await
    }
}

/// A driver that runs.
pub struct Running {
    task: Option<tokio::task::JoinHandle<()>>,
    stop: Arc<Notify>,
    pub driver: Arc<Driver>,
}

impl Running {
    /// Ends it as an order from outside would.
    pub async fn stop(mut self) {
        self.stop.notify_one();
        self.task.take().unwrap().await.unwrap();
    }

    /// Ends it as the loss of its machine would.
    pub async fn crash(mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        let _ = task.await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The world outside: counts what is done to it, by the state that does it.
#[derive(Default)]
pub struct Effects {
    pub done: Mutex<BTreeMap<String, usize>>,
    pub tokens: Mutex<Vec<TaskToken>>,
    /// What calls of `Gate…` states wait for.
    pub gate: Notify,
    /// How jobs of `Job…` states ended, by state.
    pub ended: Mutex<BTreeMap<String, TaskOutcome>>,
    /// Who was asked how its job goes, and how long after the start of the job.
    pub polls: Mutex<Vec<(String, Duration)>>,
    /// Whose jobs were cancelled.
    pub cancelled: Mutex<Vec<String>>,
    /// When the calls of jobs were accepted, by state.
    accepted: Mutex<BTreeMap<String, Instant>>,
}

impl Effects {
    pub fn done(&self, state: &str) -> usize {
        self.done.lock().unwrap().get(state).copied().unwrap_or(0)
    }

    /// How many seconds after their start the jobs of a state were asked for.
    pub fn polls(&self, state: &str) -> Vec<u64> {
        let polls = self.polls.lock().unwrap();
        polls.iter().filter(|(polled, _)| polled == state).map(|(_, after)| after.as_secs()).collect()
    }

    /// The job of a state ends; it is known when it is asked for.
    pub fn end(&self, state: &str, outcome: TaskOutcome) {
        self.ended.lock().unwrap().insert(state.to_owned(), outcome);
    }

    pub fn cancelled(&self) -> Vec<String> {
        self.cancelled.lock().unwrap().clone()
    }
}

impl Tasks for Effects {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn is_repeatable(&self, call: &Call) -> bool {
        call.state.starts_with("Read")
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            *self.done.lock().unwrap().entry(call.state.to_string()).or_default() += 1;
            match call.state.as_str() {
                state if state.contains("Gate") => {
                    self.gate.notified().await;
                    Answer::Settled(TaskOutcome::Succeeded(call.parameters.clone()))
                }
                state if state.contains("Slow") => {
                    tokio::time::sleep(Duration::from_secs(600)).await;
                    Answer::Settled(TaskOutcome::Succeeded(call.parameters.clone()))
                }
                state if state.contains("Fails") => {
                    Answer::Settled(TaskOutcome::failed(Failure::new("Broken", "as asked")))
                }
                state if state.contains("Token") => {
                    self.tokens.lock().unwrap().push(call.token.clone().unwrap());
                    if state.contains("Early") {
                        self.gate.notified().await;
                    }
                    Answer::Submitted(Value::object())
                }
                state if state.contains("Job") => {
                    self.tokens.lock().unwrap().push(call.token.clone().unwrap());
                    if state.contains("Late") {
                        self.gate.notified().await;
                    }
                    self.accepted.lock().unwrap().insert(state.to_owned(), Instant::now());
                    Answer::Submitted(Value::from(format!("the response for the job of {state}").as_str()))
                }
                _ => Answer::Settled(TaskOutcome::Succeeded(call.parameters.clone())),
            }
        })
    }

    fn poll<'a>(&'a self, job: &'a Job, _: &'a Execution) -> Polling<'a> {
        Box::pin(async move {
            let state = job.call.state.as_str();
            assert_eq!(job.output.as_str(), Some(format!("the response for the job of {state}").as_str()));
            assert!(job.call.parameters.get("StateMachineArn").is_some());
            let accepted = self.accepted.lock().unwrap()[state];
            self.polls.lock().unwrap().push((state.to_owned(), accepted.elapsed()));
            let ended = self.ended.lock().unwrap().get(state).cloned();
            match ended {
                Some(outcome) => Polled::Ended(outcome),
                None if state.contains("Panics") => panic!("out of cheese"),
                None => Polled::Running,
            }
        })
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        Box::pin(async move {
            self.cancelled.lock().unwrap().push(format!("{} of {}", job.call.state, execution.name));
        })
    }
}

/// A chain of Task states.
pub fn chain(states: &[&str]) -> String {
    let state = |(at, name): (usize, &&str)| {
        let next = match states.get(at + 1) {
            Some(next) => format!(r#""Next": "{next}""#),
            None => r#""End": true"#.to_owned(),
        };
        format!(r#""{name}": {{{}, {next}}}"#, task(name))
    };
    let body: Vec<String> = states.iter().enumerate().map(state).collect();
    format!(r#"{{"StartAt": "{}", "States": {{{}}}}}"#, states[0], body.join(", "))
}

/// What a Task state does, by its name.
pub fn task(name: &str) -> String {
    let (resource, parameters) = match name {
        _ if name.contains("Token") => (
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            r#", "Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}}"#,
        ),
        _ if name.contains("Job") => (
            "arn:aws:states:::states:startExecution.sync:2",
            r#", "Parameters": {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:c"}"#,
        ),
        _ => ("arn:aws:lambda:us-east-1:123456789012:function:f", ""),
    };
    format!(r#""Type": "Task", "Resource": "{resource}"{parameters}"#)
}
