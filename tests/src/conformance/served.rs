//! Recorded executions once more, through the whole server: they are begun, followed and read by
//! API calls, with the driver, the journal and a backend in between.

use std::sync::Arc;
use std::time::Duration;

use model::arn::Home;
use model::json::{Map, Text, Value};
use ports::{Queues, SystemClock, Virtual};
use ports_embedded::{Options, Store};
use tokio::runtime::Builder;

use super::case::{ACCOUNT, Case, REGION};
use super::compare::Comparison;
use super::definition;
use super::execution::{Seen, compare, without_time};
use super::outside::Outside;
use super::replay::activities;
use crate::scene::{Later, Ports, Scene, ask};

/// A server whose tasks are performed as recorded.
pub struct Served {
    /// The server.
    pub scene: Scene,
    /// The world around it.
    pub outside: Outside,
}

impl Served {
    /// Starts a server on `ports`.
    pub async fn start(case: Option<Arc<Case>>, ports: Ports) -> Result<Served, String> {
        let later = Arc::new(Later::default());
        let queues: Arc<dyn Queues> = ports.queues.clone();
        let scene = Scene::start(Home::new("aws", REGION, ACCOUNT), ports, later.clone()).await?;
        let outside = Outside::new(case, scene.service.clone(), scene.door.clone(), queues);
        later.set(Arc::new(outside.clone()));
        Ok(Served { scene, outside })
    }
}

/// A clock that goes on with tokio's, and is past every date that a recording waits for.
pub fn clock() -> Arc<Virtual> {
    Arc::new(Virtual::default())
}

/// Whether a case agrees with the engine alone.
pub fn agrees_in_memory(json: &Value) -> bool {
    super::execution::run(json).is_ok()
}

/// Whether a case can be run so: a Standard workflow with a recorded history.
pub fn is_served(json: &Value) -> bool {
    json.get("workflowType").and_then(Value::as_str) == Some("STANDARD")
        && json.get("expected").is_some_and(|expected| expected.get("history").is_some())
}

/// What a server stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Ports in memory, and time that passes at once.
    Memory,
    /// A store in a folder of its own, and real time.
    Embedded,
}

/// Whether a case ends at once, also in real time: nothing waits, is retried or runs out of time.
pub fn is_prompt(json: &Value) -> bool {
    let slow =
        ["\"Wait\"", "\"TimeoutSeconds", "\"HeartbeatSeconds", "\"Retry\"", "\"timeout\"", "\"pending\""];
    let text = json.to_json();
    !slow.iter().any(|word| text.contains(word)) && json.get("stopExecution").is_none()
}

/// Runs a case and compares; the error is the first difference, or what stood in the way. Pages of
/// the history have `page` events.
pub fn run(json: &Value, backend: Backend, page: usize) -> Result<(), String> {
    let paused = backend == Backend::Memory;
    let runtime = Builder::new_current_thread().enable_time().start_paused(paused).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(async {
        match backend {
            Backend::Memory => run_on(json, Ports::memory(clock()), page).await,
            Backend::Embedded => {
                let folder = tempfile::tempdir().map_err(|error| format!("no folder: {error}"))?;
                let clock = Arc::new(SystemClock);
                let store = Store::open(folder.path(), Options::default(), clock.clone());
                let store = store.map_err(|error| error.to_string())?;
                run_on(json, Ports::embedded(&store, clock), page).await?;
                store.close().map_err(|error| error.to_string())
            }
        }
    })
}

async fn run_on(json: &Value, ports: Ports, page: usize) -> Result<(), String> {
    let case = Arc::new(Case::parse(json)?);
    let machine = definition::machine(&case.definition, case.express)?;
    let Served { scene, outside } = Served::start(Some(case.clone()), ports).await?;
    let named = activities(&machine);
    let missing = case.missing_activities(&named);
    for (_, arn) in named.iter().filter(|(_, arn)| !missing.contains(arn)) {
        let name = arn.rsplit(':').next().unwrap_or_default();
        ask(&scene.service, "CreateActivity", &request([("name", name.into())])).await?;
    }
    let execution = &case.execution;
    let create = request([
        ("name", execution.state_machine_name.clone().into()),
        ("definition", case.definition.as_str().into()),
        ("roleArn", execution.role_arn.clone().into()),
    ]);
    let created = ask(&scene.service, "CreateStateMachine", &create).await?;
    let machine_arn = created.get("stateMachineArn").cloned().ok_or("CreateStateMachine answered no ARN")?;
    let start = request([
        ("stateMachineArn", machine_arn),
        ("name", execution.name.clone().into()),
        ("input", case.input.to_json().into()),
    ]);
    let started = ask(&scene.service, "StartExecution", &start).await?;
    if started.get("executionArn").and_then(Value::as_str) != Some(execution.arn.as_str()) {
        return Err(format!("StartExecution answered {started}"));
    }
    let described = follow(&scene, &case).await?;
    let events = history(&scene, &execution.arn, page, false).await?;
    let mut backwards = history(&scene, &execution.arn, page, true).await?;
    backwards.reverse();
    if backwards != events {
        return Err("the history read backwards is another one".to_owned());
    }
    if let Some(problem) = outside.problem() {
        return Err(problem);
    }
    let seen = Seen {
        outcome: outcome(&described),
        events: events.iter().map(without_time).collect(),
        calls: outside.calls(),
    };
    let mut comparison = Comparison { wildcards: case.wildcards.clone(), ..Comparison::default() };
    compare(&case, &seen, &mut comparison).map_err(|difference| difference.to_string())
}

/// Looks after which an execution counts as endless. The pauses between them grow to an hour.
const LOOKS_MAX: u32 = 2_000;
/// As many looks follow each other closely: most executions end at once.
const CLOSE_LOOKS: u32 = 100;

/// Waits until the execution has ended, and stops it where that was recorded.
async fn follow(scene: &Scene, case: &Case) -> Result<Value, String> {
    let arn = request([("executionArn", case.execution.arn.clone().into())]);
    let mut stopped = false;
    for look in 0..LOOKS_MAX {
        let described = ask(&scene.service, "DescribeExecution", &arn).await?;
        if described.get("status").and_then(Value::as_str) != Some("RUNNING") {
            return Ok(described);
        }
        if let Some(failure) = case.stop.as_ref().filter(|_| !stopped) {
            let events = history(scene, &case.execution.arn, 1_000, false).await?;
            // Or when nothing else is going to happen.
            if events.len() >= case.events_before_stop() || look > 200 {
                let texts = [("error", &failure.error), ("cause", &failure.cause)];
                let texts =
                    texts.into_iter().filter_map(|(name, text)| Some((name, Value::from(text.clone()?))));
                let members = [("executionArn", Value::from(case.execution.arn.clone()))];
                ask(&scene.service, "StopExecution", &members.into_iter().chain(texts).collect()).await?;
                stopped = true;
                continue;
            }
        }
        let millis =
            if case.stop.is_some() { 100 } else { 10_u64 << look.saturating_sub(CLOSE_LOOKS).min(18) };
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    Err(format!("{} does not end", case.execution.arn))
}

/// The whole history, page by page.
async fn history(scene: &Scene, arn: &Text, page: usize, reverse: bool) -> Result<Vec<Value>, String> {
    let mut events = Vec::new();
    let mut token: Option<Value> = None;
    loop {
        let members = [
            ("executionArn", Value::from(arn.clone())),
            ("maxResults", i64::try_from(page).unwrap_or(1_000).into()),
            ("reverseOrder", Value::Bool(reverse)),
        ];
        let members = members.into_iter().chain(token.take().map(|token| ("nextToken", token)));
        let answer = ask(&scene.service, "GetExecutionHistory", &members.collect()).await?;
        let found = answer.get("events").and_then(Value::as_array).ok_or("an answer without events")?;
        if found.is_empty() || found.len() > page {
            return Err(format!("a page of {} events, {page} were asked for", found.len()));
        }
        events.extend(found.iter().cloned());
        match answer.get("nextToken") {
            Some(Value::Null) | None => return Ok(events),
            Some(next) => token = Some(next.clone()),
        }
    }
}

/// The members of DescribeExecution that tell how it ended, as cases hold them.
fn outcome(described: &Value) -> Value {
    let member = |name: &str| {
        let value = described.get(name)?;
        let value = match (name, value) {
            ("output", Value::String(text)) => Value::parse(text).unwrap_or_else(|_| value.clone()),
            _ => value.clone(),
        };
        Some((Text::from(name), value))
    };
    ["status", "output", "error", "cause"].into_iter().filter_map(member).collect::<Map>().into()
}

fn request<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (Text::from(name), value)).collect::<Map>().into()
}
