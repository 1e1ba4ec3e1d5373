//! `stepwright dev` is killed with SIGKILL under load, again and again, and starts on the same
//! folder. Nothing that was acknowledged is lost, nothing is done twice, everything ends.
//!
//! `KILL_ROUNDS` says how often (25), `KILL_SEED` repeats the moments of another run.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::json::Value;
use tests::dev_server::DevServer;
use tests::http::Connection;
use tests::lambda_endpoint::LambdaEndpoint;

const ROUNDS: u64 = 25;
const TASKS: [&str; 5] = ["First", "Second", "Third", "Fourth", "Fifth"];
/// Threads that start executions.
const CLIENTS: usize = 6;
/// After the server says that it listens, an execution from before goes on within this time.
const PROGRESS_MAX: Duration = Duration::from_secs(2);
/// After the last start, every execution ends within this time.
const END_MAX: Duration = Duration::from_secs(90);

/// Five tasks in a row. With `catch`, a task that fails is passed over; without, it fails the
/// execution. No task is retried.
fn definition(catch: bool) -> String {
    let state = |(at, name): (usize, &&str)| {
        let next = TASKS.get(at + 1).copied().unwrap_or("Done");
        let catch = match catch {
            true => format!(
                r#""Catch": [{{"ErrorEquals": ["States.TaskFailed"], "ResultPath": null, "Next": "{next}"}}], "#
            ),
            false => String::new(),
        };
        format!(
            r#""{name}": {{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:effect",
                "Parameters": {{"execution.$": "$$.Execution.Name", "task": "{name}"}},
                "ResultPath": null, {catch}"Next": "{next}"}}"#
        )
    };
    let states: Vec<String> = TASKS.iter().enumerate().map(state).collect();
    format!(
        r#"{{"StartAt": "{}", "States": {{{}, "Done": {{"Type": "Succeed"}}}}}}"#,
        TASKS[0],
        states.join(", ")
    )
}

/// Calls the API; nothing when the server is gone.
fn call(address: SocketAddr, operation: &str, members: &[(&str, Value)]) -> Option<(u16, Value)> {
    let request: Value = members.iter().map(|(name, value)| (*name, value.clone())).collect();
    let answer = Connection::open(address).ok()?.call(operation, &request).ok()?;
    Some((answer.status(), answer.json()?))
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What all threads see.
struct Load {
    /// Where the server listens, while it does.
    address: Mutex<Option<SocketAddr>>,
    /// Names whose start was acknowledged.
    acknowledged: Mutex<BTreeSet<String>>,
    machines: [String; 2],
    over: AtomicBool,
    next: AtomicU64,
}

impl Load {
    /// Starts executions one after the other. One that was not acknowledged is started again
    /// under the same name, as a client would.
    fn run(&self) {
        while !self.over.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let machine = usize::try_from(number % 2).unwrap();
            let name = format!("{}-{number}", ["plain", "catch"][machine]);
            while !self.over.load(Ordering::SeqCst) && !self.start(machine, &name) {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn start(&self, machine: usize, name: &str) -> bool {
        let Some(address) = *self.address.lock().unwrap() else { return false };
        let members = [("stateMachineArn", self.machines[machine].as_str().into()), ("name", name.into())];
        let acknowledged = match call(address, "StartExecution", &members) {
            Some((200, _)) => true,
            // The first attempt had an effect, and the execution has ended since.
            Some((400, body)) => {
                assert!(text(&body, "__type").ends_with("ExecutionAlreadyExists"), "{name}: {body}");
                true
            }
            Some((status, body)) => panic!("StartExecution of {name} answered {status} {body}"),
            None => false,
        };
        if acknowledged {
            self.acknowledged.lock().unwrap().insert(name.to_owned());
        }
        acknowledged
    }

    fn machine_of(&self, name: &str) -> &str {
        &self.machines[usize::from(name.starts_with("catch"))]
    }
}

fn start(at: &Path, endpoint: &LambdaEndpoint) -> DevServer {
    let url = endpoint.url();
    DevServer::start(at, &["--data", "store", "--lambda-endpoint", &url]).unwrap()
}

/// The first time that one of `open` is seen to go on: its next task is called, or it has ended.
fn progress(
    load: &Load,
    endpoint: &LambdaEndpoint,
    server: &DevServer,
    open: &BTreeSet<String>,
    seen: usize,
) -> Duration {
    let since = Instant::now();
    while since.elapsed() < 10 * PROGRESS_MAX {
        if let Some(effect) = endpoint.ledger(seen).iter().find(|effect| open.contains(&effect.execution)) {
            return effect.at.saturating_duration_since(since);
        }
        // A task whose call was lost fails its execution without another call.
        for name in open.iter().take(4) {
            let arn = load.machine_of(name).replace(":stateMachine:", ":execution:") + ":" + name;
            if let Some((200, body)) =
                call(server.address, "DescribeExecution", &[("executionArn", arn.as_str().into())])
                && text(&body, "status") != "RUNNING"
            {
                return since.elapsed();
            }
        }
        thread::sleep(Duration::from_millis(2));
    }
    since.elapsed()
}

/// Acknowledged executions whose last task was not called: the most of them run.
fn open(load: &Load, endpoint: &LambdaEndpoint, settled: &BTreeSet<String>) -> BTreeSet<String> {
    let done: BTreeSet<String> = endpoint
        .ledger(0)
        .into_iter()
        .filter(|effect| effect.task == TASKS[TASKS.len() - 1])
        .map(|effect| effect.execution)
        .collect();
    let acknowledged = load.acknowledged.lock().unwrap();
    acknowledged.iter().filter(|name| !done.contains(*name) && !settled.contains(*name)).cloned().collect()
}

/// The names and statuses of all executions of a state machine.
fn listed(address: SocketAddr, machine: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut token = None;
    loop {
        let mut members = vec![("stateMachineArn", Value::from(machine)), ("maxResults", 777_i64.into())];
        members.extend(token.take().map(|token| ("nextToken", token)));
        let (status, page) = call(address, "ListExecutions", &members).expect("the server runs");
        assert_eq!(status, 200, "{page}");
        for one in page.get("executions").and_then(Value::as_array).unwrap().iter() {
            let twice = found.insert(text(one, "name"), text(one, "status"));
            assert_eq!(twice, None, "{one} is listed twice");
        }
        match page.get("nextToken") {
            Some(Value::String(next)) => token = Some(next.as_str().into()),
            _ => return found,
        }
    }
}

fn number(variable: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is {text}, not a number")),
        Err(_) => otherwise(),
    }
}

/// SplitMix64.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) % below
}

#[test]
fn kills_lose_nothing_and_repeat_nothing() {
    let rounds = number("KILL_ROUNDS", || ROUNDS);
    let clock =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.subsec_nanos().into());
    let mut seed = number("KILL_SEED", clock);
    println!("KILL_ROUNDS={rounds} KILL_SEED={seed}");
    let at = tempfile::tempdir().unwrap();
    let endpoint = LambdaEndpoint::start().unwrap();
    let mut server = start(at.path(), &endpoint);
    let machines = ["plain", "catch"].map(|name| {
        let members = [
            ("name", Value::from(name)),
            ("definition", definition(name == "catch").into()),
            ("roleArn", "arn:aws:iam::123456789012:role/r".into()),
        ];
        let (status, body) = call(server.address, "CreateStateMachine", &members).expect("the server runs");
        assert_eq!(status, 200, "{body}");
        text(&body, "stateMachineArn")
    });
    let load = Arc::new(Load {
        address: Mutex::new(Some(server.address)),
        acknowledged: Mutex::default(),
        machines,
        over: AtomicBool::new(false),
        next: AtomicU64::new(0),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let load = load.clone();
            thread::spawn(move || load.run())
        })
        .collect();

    let (mut slowest_start, mut slowest_progress) = (Duration::ZERO, Duration::ZERO);
    // Executions that were open at an earlier kill are settled or known to go on.
    let mut settled = BTreeSet::new();
    for round in 0..rounds {
        // Now and then while it has just begun.
        let millis = if round % 5 == 4 { random(&mut seed, 200) } else { 300 + random(&mut seed, 1_700) };
        thread::sleep(Duration::from_millis(millis));
        *load.address.lock().unwrap() = None;
        server.kill().unwrap();
        let open = open(&load, &endpoint, &settled);
        let seen = endpoint.effects();
        server = start(at.path(), &endpoint);
        slowest_start = slowest_start.max(server.came_up_in);
        if !open.is_empty() {
            let took = progress(&load, &endpoint, &server, &open, seen);
            assert!(took <= PROGRESS_MAX, "round {round}: {took:?} until one of {} went on", open.len());
            slowest_progress = slowest_progress.max(took);
        }
        settled.extend(open);
        *load.address.lock().unwrap() = Some(server.address);
    }
    load.over.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().expect("the clients met no refusal");
    }

    let until = Instant::now() + END_MAX;
    let executions = loop {
        let found: Vec<_> = load.machines.iter().map(|machine| listed(server.address, machine)).collect();
        let all: BTreeMap<String, String> = found.into_iter().flatten().collect();
        let running = all.values().filter(|status| *status == "RUNNING").count();
        if running == 0 {
            break all;
        }
        assert!(Instant::now() < until, "{running} of {} executions have not ended", all.len());
        thread::sleep(Duration::from_millis(100));
    };
    let acknowledged = load.acknowledged.lock().unwrap().clone();
    let lost: Vec<&String> = acknowledged.iter().filter(|name| !executions.contains_key(*name)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");

    let mut done: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for effect in endpoint.ledger(0) {
        done.entry(effect.execution).or_default().push(effect.task);
    }
    for (name, tasks) in &done {
        assert!(executions.contains_key(name), "{name} had effects and does not exist");
        let mut once: Vec<&str> =
            TASKS.iter().copied().filter(|task| tasks.iter().any(|done| done == task)).collect();
        assert_eq!(tasks, &once, "{name} did something twice, or in another order");
        once.dedup();
    }
    let (mut failed, mut untouched) = (0, 0);
    for (name, status) in &executions {
        let tasks = done.get(name).map_or(0, Vec::len);
        if status == "SUCCEEDED" {
            // Where failures are caught, a call that a kill prevented is passed over.
            assert!(
                tasks == TASKS.len() || name.starts_with("catch"),
                "{name} succeeded with {tasks} effects"
            );
            untouched += u64::from(tasks == TASKS.len());
            continue;
        }
        failed += 1;
        let arn = load.machine_of(name).replace(":stateMachine:", ":execution:") + ":" + name;
        let described = call(server.address, "DescribeExecution", &[("executionArn", arn.as_str().into())]);
        let (_, described) = described.expect("the server runs");
        let told = (status.as_str(), text(&described, "error"));
        assert_eq!(told, ("FAILED", "States.TaskFailed".to_owned()), "{described}");
        assert!(name.starts_with("plain"), "{name} did not catch: {described}");
    }
    assert!(server.is_healthy() && server.ended().is_none());
    // There was a load, and the kills met it.
    assert!(untouched >= rounds && failed > 0, "{untouched} executions met no kill, {failed} failed by one");
    println!(
        "{rounds} kills, {} executions, {} effects, {untouched} lost no call, {failed} failed by a lost call; slowest start {slowest_start:?}, slowest progress {slowest_progress:?}",
        executions.len(),
        endpoint.effects(),
    );
}
