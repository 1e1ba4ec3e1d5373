use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::machine::Machine;
use asl::state::Resource;
use engine::{Call, Execution, Input, Snapshot, Status, TaskOutcome, TaskToken, Transition, Verdict};
use integrations::{Answer, Answering, Cancelling, Job, NotCallable, Polled, Polling, Tasks};
use model::error::Failure;
use model::json::Value;
use model::limits::Limits;
use model::timestamp::Timestamp;
use tokio::sync::mpsc;

use ports::{Clock, FastForward, SystemClock, Virtual};

use crate::{Drive, DriveError, Inbox, Seeds, inbox};

/// Answers by the name of the state.
#[derive(Default)]
struct World {
    calls: AtomicUsize,
    cancelled: Arc<AtomicUsize>,
    tokens: Option<mpsc::UnboundedSender<TaskToken>>,
}

/// Counts itself when it is dropped before its call has ended.
struct Cancelled(Arc<AtomicUsize>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Tasks for World {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            let made = self.calls.fetch_add(1, Ordering::SeqCst);
            match call.state.as_str() {
                "Echo" => Answer::Settled(TaskOutcome::Succeeded(call.parameters.clone())),
                "Flaky" if made < 2 => Answer::Settled(TaskOutcome::failed(Failure::named("Flaky"))),
                "Flaky" => Answer::Settled(TaskOutcome::Succeeded("at last".into())),
                "Panics" => panic!("out of cheese"),
                "Hangs" => {
                    let _cancelled = Cancelled(self.cancelled.clone());
                    std::future::pending().await
                }
                _ => {
                    if let (Some(tokens), Some(token)) = (&self.tokens, &call.token) {
                        tokens.send(token.clone()).unwrap();
                    }
                    Answer::Submitted(Value::object())
                }
            }
        })
    }
}

const FUNCTION: &str = r#""Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f""#;
const CALLBACK: &str = r#""Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"QueueUrl":"q","MessageBody":{"t.$":"$$.Task.Token"}}"#;

fn machine(states: &str) -> Machine {
    let start_at = states.split('"').nth(1).unwrap();
    let text = format!(r#"{{"StartAt":"{start_at}","States":{{{states}}}}}"#);
    let parsed = asl::parse(&text, &asl::Options::default());
    parsed.machine.unwrap_or_else(|| panic!("{text}: {:?}", parsed.diagnostics))
}

fn execution(clock: &dyn Clock) -> Execution {
    Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:m:e".into(),
        name: "e".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:m".into(),
        state_machine_name: "m".into(),
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: "us-east-1".into(),
        started_at: clock.now(),
        synchronous: false,
    }
}

struct Run {
    result: Result<Snapshot, DriveError>,
    events: Vec<&'static str>,
}

async fn run(states: &str, tasks: World, inbox: Option<Inbox>) -> Run {
    run_by(Arc::new(FastForward::default()), states, Arc::new(tasks), inbox).await
}

async fn run_by(clock: Arc<dyn Clock>, states: &str, tasks: Arc<dyn Tasks>, inbox: Option<Inbox>) -> Run {
    let machine = machine(states);
    let execution = execution(clock.as_ref());
    let drive = Drive {
        machine: &machine,
        tasks,
        clock,
        seeds: Seeds::From(7),
        limits: Limits::default(),
        missing_activities: Arc::from([]),
        inbox,
    };
    let mut events = Vec::new();
    let mut observe = |transition: &Transition| {
        events.extend(transition.history.iter().map(|event| event.event.type_name()));
    };
    let input = Value::parse(r#"{"a":1}"#).unwrap();
    let limit = Duration::from_secs(200);
    let result = tokio::time::timeout(limit, drive.run(execution, input, &mut observe)).await;
    Run { result: result.expect("the run ends in time"), events }
}

fn succeeded(run: &Run) -> &Value {
    match run.result.as_ref().map(Snapshot::status) {
        Ok(Status::Succeeded(output)) => output,
        other => panic!("{other:?}"),
    }
}

fn failure(run: &Run) -> &Failure {
    match run.result.as_ref().map(Snapshot::status) {
        Ok(Status::Failed(failure) | Status::Aborted(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_task_is_called_and_its_result_goes_on() {
    let run = run(&format!(r#""Echo":{{{FUNCTION},"End":true}}"#), World::default(), None).await;
    assert_eq!(succeeded(&run).to_json(), r#"{"a":1}"#);
    assert_eq!(
        run.events,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
}

#[tokio::test]
async fn waits_and_delays_pass_at_once() {
    let states = format!(
        r#""Wait":{{"Type":"Wait","Seconds":86400,"Next":"Flaky"}},
           "Flaky":{{{FUNCTION},"Retry":[{{"ErrorEquals":["Flaky"],"IntervalSeconds":3600}}],"End":true}}"#
    );
    let run = run(&states, World::default(), None).await;
    assert_eq!(succeeded(&run), &Value::from("at last"));
}

#[tokio::test]
async fn branches_run_at_the_same_time() {
    let branch = |name: &str, function: &str| {
        format!(r#"{{"StartAt":"{name}","States":{{"{name}":{{{function},"End":true}}}}}}"#)
    };
    let states = format!(
        r#""Both":{{"Type":"Parallel","End":true,"Branches":[{},{}]}}"#,
        branch("Hangs", FUNCTION),
        branch("Panics", FUNCTION)
    );
    let cancelled = Arc::new(AtomicUsize::new(0));
    let world = World { cancelled: cancelled.clone(), ..World::default() };
    let run = run(&states, world, None).await;
    let failure = failure(&run);
    assert_eq!(failure.error.as_deref(), Some("States.TaskFailed"));
    assert_eq!(
        failure.cause.as_deref(),
        Some("the call of state `Panics` failed inside this program: out of cheese")
    );
    tokio::task::yield_now().await;
    assert_eq!(cancelled.load(Ordering::SeqCst), 1, "the other branch's call is cancelled");
}

#[tokio::test]
async fn callbacks_settle_a_task_once() {
    let (deliveries, inbox) = inbox();
    let (tokens, mut waiting) = mpsc::unbounded_channel();
    let world = World { tokens: Some(tokens), ..World::default() };
    let states = format!(r#""Ask":{{{CALLBACK},"Next":"Hangs"}},"Hangs":{{{FUNCTION},"End":true}}"#);
    let other_side = async {
        let token = waiting.recv().await.unwrap();
        assert_eq!(deliveries.heartbeat(token.clone(), Timestamp::EPOCH).await, Ok(Verdict::Accepted));
        let unknown = TaskToken::new([0; 16], token.execution_arn());
        let unknown = deliveries.heartbeat(unknown, Timestamp::EPOCH).await;
        assert_eq!(unknown, Ok(Verdict::NoSuchTask));
        let outcome = TaskOutcome::Succeeded("answer".into());
        assert_eq!(deliveries.callback(token.clone(), outcome.clone()).await, Ok(Verdict::Accepted));
        assert_eq!(deliveries.callback(token, outcome).await, Ok(Verdict::NoSuchTask));
        assert_eq!(deliveries.stop(Failure::new("Stop", "enough")).await, Ok(Verdict::Accepted));
    };
    let (run, ()) = tokio::join!(run(&states, world, Some(inbox)), other_side);
    assert_eq!(failure(&run), &Failure::new("Stop", "enough"));
    assert!(deliveries.deliver(Input::Wake).await.is_err(), "nobody listens after the end");
}

#[tokio::test]
async fn an_execution_that_never_waits_can_be_stopped() {
    let (deliveries, inbox) = inbox();
    let states = r#""A":{"Type":"Pass","Next":"B"},"B":{"Type":"Choice","Choices":[{"Variable":"$.a","NumericEquals":1,"Next":"A"}],"Default":"C"},"C":{"Type":"Succeed"}"#;
    let stop = async {
        tokio::task::yield_now().await;
        deliveries.stop(Failure::default()).await
    };
    let (run, stopped) = tokio::join!(run(states, World::default(), Some(inbox)), stop);
    assert_eq!(stopped, Ok(Verdict::Accepted));
    assert!(matches!(run.result.as_ref().map(Snapshot::status), Ok(Status::Aborted(_))));
}

#[tokio::test]
async fn nobody_left_to_answer_is_an_error() {
    let states = format!(r#""Ask":{{{CALLBACK},"End":true}}"#);
    let (deliveries, closed) = inbox();
    drop(deliveries);
    for inbox in [None, Some(closed)] {
        let run = run(&states, World::default(), inbox).await;
        match run.result {
            Err(DriveError::Abandoned { states }) => assert_eq!(states, ["state `Ask`"]),
            other => panic!("{other:?}"),
        }
    }
    // A timeout that is all that can happen passes at once.
    let states = format!(r#""Ask":{{{CALLBACK},"TimeoutSeconds":86400,"End":true}}"#);
    let run = run(&states, World::default(), None).await;
    assert_eq!(failure(&run).error.as_deref(), Some("States.Timeout"));
}

#[tokio::test]
async fn a_timeout_ends_a_call() {
    let cancelled = Arc::new(AtomicUsize::new(0));
    let world = World { cancelled: cancelled.clone(), ..World::default() };
    let run = run(&format!(r#""Hangs":{{{FUNCTION},"TimeoutSeconds":1,"End":true}}"#), world, None).await;
    assert_eq!(failure(&run).error.as_deref(), Some("States.Timeout"));
    tokio::task::yield_now().await;
    assert_eq!(cancelled.load(Ordering::SeqCst), 1);
}

/// Starts jobs, which end when they are asked for the third time, or never.
struct Jobs {
    clock: Arc<Virtual>,
    ends: bool,
    /// The seconds after its begin at which a job was asked for, and told to end.
    polled: Mutex<Vec<i64>>,
    cancelled: Mutex<Vec<i64>>,
    /// Who is told the token before the call is accepted.
    tokens: Option<mpsc::UnboundedSender<TaskToken>>,
}

impl Jobs {
    fn new(ends: bool) -> Jobs {
        let clock = Arc::new(Virtual::new(Timestamp::from_millis(1_700_000_000_000)));
        Jobs { clock, ends, polled: Mutex::default(), cancelled: Mutex::default(), tokens: None }
    }

    fn seconds(&self, job: &Job) -> i64 {
        self.clock.now().millis_since(job.since) / 1_000
    }
}

impl Tasks for Jobs {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn call<'a>(&'a self, call: &'a Call, _: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            if let (Some(tokens), Some(token)) = (&self.tokens, &call.token) {
                tokens.send(token.clone()).unwrap();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Answer::Submitted(Value::object())
        })
    }

    fn poll<'a>(&'a self, job: &'a Job, _: &'a Execution) -> Polling<'a> {
        let mut polled = self.polled.lock().unwrap();
        polled.push(self.seconds(job));
        let ended = self.ends && polled.len() == 3;
        let outcome = Polled::Ended(TaskOutcome::Succeeded("at last".into()));
        Box::pin(std::future::ready(if ended { outcome } else { Polled::Running }))
    }

    fn cancel<'a>(&'a self, job: &'a Job, _: &'a Execution) -> Cancelling<'a> {
        self.cancelled.lock().unwrap().push(self.seconds(job));
        Box::pin(std::future::ready(()))
    }
}

const JOB: &str = r#""Type":"Task","Resource":"arn:aws:states:::glue:startJobRun.sync","Parameters":{"JobName":"j"},"End":true"#;

#[tokio::test(start_paused = true)]
async fn jobs_are_asked_for_by_the_clock_of_the_run() {
    let jobs = Arc::new(Jobs::new(true));
    let run = run_by(jobs.clock.clone(), &format!(r#""Job":{{{JOB}}}"#), jobs.clone(), None).await;
    assert_eq!(succeeded(&run), &Value::from("at last"));
    assert_eq!(*jobs.polled.lock().unwrap(), [2, 7, 17]);
    assert!(jobs.cancelled.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_cancels_a_job() {
    let jobs = Arc::new(Jobs::new(false));
    let states = format!(r#""Job":{{"TimeoutSeconds":50,{JOB}}}"#);
    let run = run_by(jobs.clock.clone(), &states, jobs.clone(), None).await;
    assert_eq!(failure(&run).error.as_deref(), Some("States.Timeout"));
    assert_eq!(*jobs.polled.lock().unwrap(), [2, 7, 17, 37]);
    assert_eq!(*jobs.cancelled.lock().unwrap(), [50]);
}

#[tokio::test(start_paused = true)]
async fn a_callback_before_or_after_the_call_is_accepted_ends_all_questions() {
    for wait in [0, 5] {
        let (deliveries, inbox) = inbox();
        let (tokens, mut waiting) = mpsc::unbounded_channel();
        let jobs = Arc::new(Jobs { tokens: Some(tokens), ..Jobs::new(false) });
        let job = JOB.replace(r#""End":true"#, r#""Next":"Wait""#);
        let states = format!(r#""Job":{{{job}}},"Wait":{{"Type":"Wait","Seconds":60,"End":true}}"#);
        let other_side = async {
            let token = waiting.recv().await.unwrap();
            tokio::time::sleep(Duration::from_secs(wait)).await;
            deliveries.callback(token, TaskOutcome::Succeeded("answer".into())).await.unwrap();
        };
        let run = run_by(jobs.clock.clone(), &states, jobs.clone(), Some(inbox));
        let (run, ()) = tokio::join!(run, other_side);
        assert_eq!(succeeded(&run), &Value::from("answer"));
        let polled: &[i64] = if wait == 0 { &[] } else { &[2] };
        assert_eq!(*jobs.polled.lock().unwrap(), polled);
        assert!(jobs.cancelled.lock().unwrap().is_empty());
    }
}

#[test]
fn seeds_follow_from_the_first() {
    let sequence = |first| {
        let mut seeds = Seeds::From(first);
        std::array::from_fn::<u64, 4, _>(|_| seeds.next_seed().unwrap())
    };
    assert_eq!(sequence(1), sequence(1));
    assert_ne!(sequence(1), sequence(2));
    let mut system = Seeds::System;
    assert_ne!(system.next_seed().unwrap(), system.next_seed().unwrap());
}

#[test]
fn clocks() {
    let clock = FastForward::default();
    let (before, later) = (clock.now(), clock.now().plus_seconds(1_000_000));
    clock.skip_to(later);
    assert!(clock.now() >= later);
    clock.skip_to(before);
    assert!(clock.now() >= later, "time never goes back");
    let real = SystemClock;
    real.skip_to(later);
    assert!(real.now() < later);
}
