//! A world in memory, in which time passes at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
        Scene::storing(definition, config, |_| {}).await
    }

    /// The same where things are stored otherwise than they are by default.
    pub async fn storing(
        definition: &str,
        config: Config,
        storing: impl FnOnce(&mut journal::Config),
    ) -> Scene {
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
            records: Mutex::default(),
            deaf: AtomicBool::default(),
            puts: AtomicUsize::default(),
        });
        let mut stored = journal::Config::new(home.clone());
        storing(&mut stored);
        let store = Store::open(slow.clone(), blobs, stored).await.unwrap();
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
        self.start_of(name, input, None).await
    }

    /// The same for an execution that a task has started.
    pub async fn start_of(&self, name: &str, input: Value, parent: Option<Parent>) -> Started {
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
    /// How late the next record is written, once.
    pub records: Mutex<Duration>,
    /// Whoever writes a record never learns that it stands.
    pub deaf: AtomicBool,
    puts: AtomicUsize,
}

impl Slow {
    /// How often something was written or removed.
    pub fn writes(&self) -> usize {
        self.puts.load(Ordering::SeqCst)
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
        let is_record = row.key.sort.starts_with("r/");
        let late =
            if is_record { std::mem::take(&mut *self.records.lock().unwrap()) } else { Duration::ZERO };
        if !late.is_zero() {
            tokio::time::sleep(late).await;
        }
        self.puts.fetch_add(1, Ordering::SeqCst);
        let put = self.table.put(row, condition).await;
        if is_record && self.deaf.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        put
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        self.puts.fetch_add(1, Ordering::SeqCst);
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
    /// The jobs that calls of `…Job…` states have started, by state.
    pub jobs: Mutex<BTreeMap<String, Outside>>,
    /// How long a question about a job takes.
    pub poll: Mutex<Duration>,
    /// What calls that start jobs answer.
    pub output: Mutex<Value>,
}

/// A job, and what was done about it.
#[derive(Default)]
pub struct Outside {
    /// When it began.
    pub began: Option<Instant>,
    /// When it was asked for.
    pub polled: Vec<Instant>,
    /// When it was told to end.
    pub cancelled: Vec<Instant>,
    /// How it ended.
    pub outcome: Option<TaskOutcome>,
    /// As whom the driver knew it in all this.
    pub known: Vec<Job>,
}

impl Outside {
    fn seconds(&self, at: &[Instant]) -> Vec<u64> {
        let Some(began) = self.began else { return Vec::new() };
        at.iter().map(|at| (*at - began).as_secs()).collect()
    }
}

impl Effects {
    pub fn done(&self, state: &str) -> usize {
        self.done.lock().unwrap().get(state).copied().unwrap_or(0)
    }

    /// The seconds after its begin at which the job of a state was asked for.
    pub fn polled(&self, state: &str) -> Vec<u64> {
        self.jobs.lock().unwrap().get(state).map(|job| job.seconds(&job.polled)).unwrap_or_default()
    }

    /// The same for its cancellations.
    pub fn cancelled(&self, state: &str) -> Vec<u64> {
        self.jobs.lock().unwrap().get(state).map(|job| job.seconds(&job.cancelled)).unwrap_or_default()
    }

    /// The job of a state has ended.
    pub fn end(&self, state: &str, outcome: TaskOutcome) {
        self.jobs.lock().unwrap().entry(state.to_owned()).or_default().outcome = Some(outcome);
    }

    /// As whom the driver knew the job of a state.
    pub fn known(&self, state: &str) -> Vec<Job> {
        self.jobs.lock().unwrap().get(state).map(|job| job.known.clone()).unwrap_or_default()
    }
}

impl Tasks for Effects {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn is_repeatable(&self, call: &Call) -> bool {
        call.state.starts_with("Read")
    }

    fn poll<'a>(&'a self, job: &'a Job, _: &'a Execution) -> Polling<'a> {
        self.note(job, |outside| outside.polled.push(Instant::now()));
        Box::pin(async move {
            let takes = *self.poll.lock().unwrap();
            tokio::time::sleep(takes).await;
            let jobs = self.jobs.lock().unwrap();
            let outcome = jobs.get(job.call.state.as_str()).and_then(|outside| outside.outcome.clone());
            outcome.map_or(Polled::Running, Polled::Ended)
        })
    }

    fn cancel<'a>(&'a self, job: &'a Job, _: &'a Execution) -> Cancelling<'a> {
        self.note(job, |outside| outside.cancelled.push(Instant::now()));
        Box::pin(std::future::ready(()))
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            *self.done.lock().unwrap().entry(call.state.to_string()).or_default() += 1;
            match call.state.as_str() {
                state if state.contains("Job") => {
                    self.tokens.lock().unwrap().push(call.token.clone().unwrap());
                    if state.contains("Gate") {
                        self.gate.notified().await;
                    }
                    let mut jobs = self.jobs.lock().unwrap();
                    jobs.entry(state.to_owned()).or_default().began = Some(Instant::now());
                    Answer::Submitted(self.output.lock().unwrap().clone())
                }
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
                _ => Answer::Settled(TaskOutcome::Succeeded(call.parameters.clone())),
            }
        })
    }
}

impl Effects {
    fn note(&self, job: &Job, what: impl FnOnce(&mut Outside)) {
        let mut jobs = self.jobs.lock().unwrap();
        let outside = jobs.entry(job.call.state.to_string()).or_default();
        outside.known.push(job.clone());
        what(outside);
    }
}

/// A state that waits for a job.
pub fn job(name: &str, more: &str) -> String {
    format!(
        r#""{name}": {{"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "Parameters": {{"JobName": "j"}}, {more}}}"#
    )
}

/// A chain of Task states.
pub fn chain(states: &[&str]) -> String {
    let state = |(at, name): (usize, &&str)| {
        let next = match states.get(at + 1) {
            Some(next) => format!(r#""Next": "{next}""#),
            None => r#""End": true"#.to_owned(),
        };
        let resource = match name.contains("Token") {
            true => "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            false => "arn:aws:lambda:us-east-1:123456789012:function:f",
        };
        let parameters = match name.contains("Token") {
            true => r#""Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}}, "#,
            false => "",
        };
        format!(r#""{name}": {{"Type": "Task", "Resource": "{resource}", {parameters}{next}}}"#)
    };
    let body: Vec<String> = states.iter().enumerate().map(state).collect();
    format!(r#"{{"StartAt": "{}", "States": {{{}}}}}"#, states[0], body.join(", "))
}
