//! What is run: the workloads by their names, each through the API and the step-driver.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use asl::state::Resource;
use driver::{Seeds, StatusEvents};
use engine::{Call, Execution, TaskOutcome, TaskToken};
use integrations::{Answer, Answering, NotCallable, Tasks};
use model::json::{Text, Value};
use model::limits::RETENTION_DAYS;
use ports::{Queue, QueueError, Receipt, Received};

use super::accesses::Access;
use super::installation::{Installation, Setup, Spent};
use super::latency::INVOKE;
use super::payload::Payloads;

/// A function as tasks name it.
const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:work";
const ROLE: &str = "arn:aws:iam::123456789012:role/orders";

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// W1: a chain of ten Pass and Choice states.
    Chain,
    /// W2, W6: so many calls of Lambda functions one after the other, each of so many milliseconds.
    Calls {
        /// How many.
        count: usize,
        /// How long each runs.
        millis: u64,
    },
    /// A call that ends at once, a wait of so many seconds, and another call.
    Wait {
        /// How long.
        seconds: u64,
    },
    /// W4: a wait of a day, then a task that a callback with its token ends.
    Callback,
}

impl Workload {
    /// States that are entered, which is what Step Functions counts as transitions.
    pub fn transitions(self) -> u64 {
        match self {
            Workload::Chain => 10,
            Workload::Calls { count, .. } => count as u64,
            Workload::Wait { .. } => 3,
            Workload::Callback => 2,
        }
    }

    /// How long an execution takes, without what moves it: what Step Functions Express charges.
    /// `None` where Express does not have it.
    pub fn express_millis(self) -> Option<u64> {
        match self {
            Workload::Chain => Some(1),
            Workload::Calls { count, millis } => Some(count as u64 * millis),
            Workload::Wait { seconds } => Some(seconds * 1_000).filter(|millis| *millis <= 300_000),
            // No callbacks, and five minutes at most.
            Workload::Callback => None,
        }
    }

    /// Its definition.
    pub fn definition(self) -> String {
        match self {
            Workload::Chain => chain(),
            Workload::Calls { count, .. } => calls(count),
            Workload::Wait { seconds } => format!(
                r#"{{"StartAt": "Before", "States": {{
                    "Before": {{"Type": "Task", "Resource": "{FUNCTION}", "Next": "Wait"}},
                    "Wait": {{"Type": "Wait", "Seconds": {seconds}, "Next": "After"}},
                    "After": {{"Type": "Task", "Resource": "{FUNCTION}", "End": true}}}}}}"#
            ),
            Workload::Callback => format!(
                r#"{{"StartAt": "Day", "States": {{
                    "Day": {{"Type": "Wait", "Seconds": {DAY_SECONDS}, "Next": "Approval"}},
                    "Approval": {{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                        "Parameters": {{"FunctionName": "{FUNCTION}",
                            "Payload": {{"order.$": "$", "token.$": "$$.Task.Token"}}}}, "End": true}}}}}}"#
            ),
        }
    }
}

const DAY_SECONDS: u64 = 24 * 60 * 60;

fn chain() -> String {
    let states: Vec<String> = (0..10)
        .map(|at| match (at, at % 2) {
            (9, _) => r#""S9": {"Type": "Pass", "End": true}"#.to_owned(),
            (_, 0) => format!(r#""S{at}": {{"Type": "Pass", "Next": "S{}"}}"#, at + 1),
            (_, _) => format!(
                r#""S{at}": {{"Type": "Choice", "Default": "S0",
                    "Choices": [{{"Variable": "$.total", "NumericGreaterThanEquals": 0, "Next": "S{}"}}]}}"#,
                at + 1
            ),
        })
        .collect();
    format!(r#"{{"StartAt": "S0", "States": {{{}}}}}"#, states.join(", "))
}

fn calls(count: usize) -> String {
    let state = |at: usize| {
        let next = match at + 1 == count {
            true => r#""End": true"#.to_owned(),
            false => format!(r#""Next": "T{}""#, at + 1),
        };
        format!(r#""T{at}": {{"Type": "Task", "Resource": "{FUNCTION}", {next}}}"#)
    };
    let states: Vec<String> = (0..count).map(state).collect();
    format!(r#"{{"StartAt": "T0", "States": {{{}}}}}"#, states.join(", "))
}

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// So many that every batch is full.
    Steady,
    /// So rarely that every message has an invocation of its own.
    Trickle,
}

/// How a workload is run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What.
    pub workload: Workload,
    /// Bytes of the input, and of what each function gives back.
    pub payload_bytes: usize,
    /// How messages come.
    pub arrival: Arrival,
    /// Which status changes are published.
    pub status_events: StatusEvents,
    /// A tenth of the messages comes twice, and a tenth late.
    pub disturbed: bool,
    /// Executions that are counted.
    pub executions: u64,
}

impl Run {
    /// As it is deployed by default, counted over a hundred executions.
    pub fn new(workload: Workload, payload_bytes: usize, arrival: Arrival) -> Run {
        let status_events = StatusEvents::Failures;
        Run { workload, payload_bytes, arrival, status_events, disturbed: false, executions: 100 }
    }
}

/// What all executions of a run used, without what containers load once.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// How it was run.
    pub run: Run,
    /// What all executions used together.
    pub spent: Spent,
}

impl Counted {
    /// Some count, per execution.
    pub fn each(&self, count: impl Fn(&Spent) -> u64) -> f64 {
        count(&self.spent) as f64 / self.run.executions as f64
    }
}

/// Executions that run before any is counted: they load what containers keep.
const WARM: u64 = 20;
/// Containers, and pollers that feed them.
const CONTAINERS: u64 = 2;

/// A run with what it read and wrote of the table.
pub struct Noted {
    /// What it used.
    pub counted: Counted,
    /// What starts did.
    pub starts: Vec<Access>,
    /// What happened later.
    pub drives: Vec<Access>,
    /// What the sweeper used when their retention was over.
    pub retention: Spent,
}

/// Runs a workload on an installation of its own, in virtual time.
///
/// # Errors
/// When something goes wrong, or an execution does not succeed.
pub fn count(run: Run) -> Result<Counted, String> {
    Ok(noted(run)?.counted)
}

/// As [`count`], with what was read and written, and what comes later.
///
/// # Errors
/// As there.
pub fn noted(run: Run) -> Result<Noted, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.map_err(|error| error.to_string())?.block_on(running(run))
}

/// What it takes to give up the executions of a run when their retention is over.
///
/// # Errors
/// As [`count`].
pub fn retention(run: Run) -> Result<Counted, String> {
    Ok(Counted { run, spent: noted(run)?.retention })
}

async fn running(run: Run) -> Result<Noted, String> {
    let outside = Arc::new(Outside::new(run));
    let disturb = if run.disturbed { disturbed } else { as_it_is };
    let setup = Setup { tasks: outside.clone(), status_events: run.status_events, disturb };
    let installation = Arc::new(Installation::new(setup).await?);
    let machine = Machine::create(&installation, run, outside).await?;
    machine.run(WARM, Arrival::Steady).await?;
    let (before, _) = (installation.spent(), installation.accesses());
    let (executions, starts) = machine.run(run.executions, run.arrival).await?;
    let spent = installation.spent().since(before);
    let drives = installation.accesses();
    for execution in &executions {
        let body = object([("executionArn", execution.clone())]);
        let described = installation.call("DescribeExecution", &body).await?;
        if described.get("status").and_then(Value::as_str) != Some("SUCCEEDED") {
            return Err(format!("an execution did not succeed: {}", described.to_json()));
        }
    }
    tokio::time::sleep(Duration::from_secs((RETENTION_DAYS.unsigned_abs() + 1) * DAY_SECONDS)).await;
    let before = installation.spent();
    installation.sweep().await?;
    let after = installation.spent();
    // Less is stored now than before.
    let retention = after.since(Spent { stored_bytes: after.stored_bytes, ..before });
    Ok(Noted { counted: Counted { run, spent }, starts, drives, retention })
}

fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (Text::new_static(name), value)).collect()
}

/// The state machine, and what works on its executions.
struct Machine {
    installation: Arc<Installation>,
    containers: Vec<Arc<driver::Driver>>,
    arn: Value,
    run: Run,
    outside: Arc<Outside>,
}

impl Machine {
    async fn create(
        installation: &Arc<Installation>,
        run: Run,
        outside: Arc<Outside>,
    ) -> Result<Machine, String> {
        let body = object([
            ("name", Value::from("orders")),
            ("definition", Value::from(Text::from(run.workload.definition()))),
            ("roleArn", Value::from(ROLE)),
        ]);
        let created = installation.call("CreateStateMachine", &body).await?;
        let arn = created.get("stateMachineArn").cloned().ok_or("a state machine without an ARN")?;
        let containers = (0..CONTAINERS).map(|number| installation.container(number));
        let containers = containers.collect::<Result<_, _>>()?;
        Ok(Machine { installation: installation.clone(), containers, arn, run, outside })
    }

    /// Starts so many executions and brings them to their ends: their ARNs, and what the starts read
    /// and wrote before anything else happened.
    async fn run(&self, count: u64, arrival: Arrival) -> Result<(Vec<Value>, Vec<Access>), String> {
        let mut executions = Vec::new();
        for _ in 0..count {
            executions.push(self.start().await?);
            if arrival == Arrival::Trickle {
                self.installation.drain(&self.containers[..1]).await?;
            }
        }
        let starts = self.installation.accesses();
        self.installation.drain(&self.containers).await?;
        if self.run.workload == Workload::Callback {
            // Up to the sweep that finds them all; each gets a message for its time.
            tokio::time::sleep(Duration::from_secs(DAY_SECONDS - 60)).await;
            self.installation.sweep().await?;
            self.installation.drain(&self.containers).await?;
            for token in self.outside.tokens() {
                let output = self.outside.payload()?.to_json();
                let answer = object([("taskToken", token), ("output", Value::from(Text::from(output)))]);
                self.installation.call("SendTaskSuccess", &answer).await?;
                if arrival == Arrival::Trickle {
                    self.installation.drain(&self.containers[..1]).await?;
                }
            }
            self.installation.drain(&self.containers).await?;
        }
        Ok((executions, starts))
    }

    async fn start(&self) -> Result<Value, String> {
        let input = Value::from(Text::from(self.outside.payload()?.to_json()));
        let body = object([("stateMachineArn", self.arn.clone()), ("input", input)]);
        let started = self.installation.call("StartExecution", &body).await?;
        started.get("executionArn").cloned().ok_or_else(|| "an execution without an ARN".to_owned())
    }
}

/// The functions that tasks call: each takes its time and gives back a payload of its own.
struct Outside {
    run: Run,
    payloads: Mutex<Payloads>,
    tokens: Mutex<Vec<Value>>,
}

impl Outside {
    fn new(run: Run) -> Outside {
        Outside { run, payloads: Mutex::new(Payloads::new(1)), tokens: Mutex::default() }
    }

    fn payload(&self) -> Result<Value, String> {
        self.payloads.lock().unwrap_or_else(PoisonError::into_inner).of_bytes(self.run.payload_bytes)
    }

    fn waits_for(&self, token: &TaskToken) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.push(Value::from(token.text().clone()));
    }

    fn tokens(&self) -> Vec<Value> {
        std::mem::take(&mut *self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Tasks for Outside {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            if let Some(token) = &call.token {
                self.waits_for(token);
                tokio::time::sleep(INVOKE).await;
                return Answer::Submitted(object([("StatusCode", Value::from(200_i64))]));
            }
            let millis = match self.run.workload {
                Workload::Calls { millis, .. } => millis,
                Workload::Chain | Workload::Wait { .. } | Workload::Callback => 0,
            };
            tokio::time::sleep(INVOKE + Duration::from_millis(millis)).await;
            Answer::Settled(match self.payload() {
                Ok(payload) => TaskOutcome::Succeeded(payload),
                Err(error) => TaskOutcome::failed(model::error::Failure::new("Payload", error)),
            })
        })
    }
}

fn as_it_is(queue: Arc<dyn Queue>) -> Arc<dyn Queue> {
    queue
}

fn disturbed(queue: Arc<dyn Queue>) -> Arc<dyn Queue> {
    Arc::new(Disturbed { queue, seeds: Mutex::new(Seeds::From(7)) })
}

/// A queue that delivers a tenth of the messages twice, and a tenth late, so that others overtake
/// them: below the meter, since nobody is charged for a send that SQS repeats.
struct Disturbed {
    queue: Arc<dyn Queue>,
    seeds: Mutex<Seeds>,
}

impl Disturbed {
    /// A number less than `bound`.
    fn below(&self, bound: u64) -> u64 {
        let mut seeds = self.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        seeds.next_seed().unwrap_or_default() % bound
    }
}

#[async_trait::async_trait]
impl Queue for Disturbed {
    async fn send(&self, body: bytes::Bytes, delay: Duration) -> Result<(), QueueError> {
        let later = |queue: &Disturbed| {
            delay.saturating_add(Duration::from_millis(queue.below(3_000))).min(ports::queue::DELAY_MAX)
        };
        if self.below(10) == 0 {
            self.queue.send(body.clone(), later(self)).await?;
        }
        let delay = if self.below(10) == 0 { later(self) } else { delay };
        self.queue.send(body, delay).await
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        self.queue.receive(max, wait).await
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        self.queue.extend(receipts, visibility).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        self.queue.delete(receipts).await
    }
}
