//! Whoever calls the API: clients that start and stop executions, workers that answer. They
//! repeat a request as an SDK would, and give up now and then.

use std::sync::Arc;
use std::time::Duration;

use driver::{Delivered, Door, Start, Started, WorldError};
use engine::{EffectId, Execution, Input, TaskOutcome, TaskToken};
use integrations::activity::{ActivityTask, queue_name};
use model::arn::ExecutionArn;
use model::error::Failure;
use model::json::{Text, Value};

use super::dice::Dice;
use super::ledger::{Asked, Wanted, What};
use super::machines;
use super::process::Process;
use super::trace::guard;
use super::world::{ACTIVITY, Simulated};

/// How often a request is made at most while things go wrong.
const ATTEMPTS_MAX: i64 = 5;

/// Makes a request until it is answered; none when the caller gives up.
async fn request<T, F, R>(world: &Arc<Simulated>, dice: &mut Dice, request: F) -> Option<T>
where
    T: Send + 'static,
    F: Fn(Door) -> R,
    R: Future<Output = Result<T, WorldError>> + Send + 'static,
{
    let attempts = dice.between(1, ATTEMPTS_MAX);
    let mut attempt = 0;
    while attempt < attempts || world.is_quiet() {
        attempt += 1;
        let Some((door, process)) = door(world, dice).await else {
            sleep(dice.between(50, 1_000)).await;
            continue;
        };
        let faults = process.faults.clone();
        let mut made = tokio::spawn(request(door));
        let answer = tokio::select! {
            biased;
            () = faults.crashed() => None,
            answer = &mut made => Some(answer.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))),
        };
        match answer {
            Some(Ok(answer)) => return Some(answer),
            Some(Err(error)) => process.says(format_args!("answers {error}")),
            None => made.abort(),
        }
        tokio::time::sleep(Duration::from_millis(dice.between(50, 2_000).unsigned_abs())).await;
    }
    None
}

/// A process that answers a request: one of its own, or the one that does everything. None when it
/// crashes before, or is not there.
async fn door(world: &Arc<Simulated>, dice: &mut Dice) -> Option<(Door, Arc<Process>)> {
    if world.plan.alone {
        return world.open_door();
    }
    let crashes = if world.plan.api_crashes { 30 } else { 0 };
    let process = world.process("api", dice, crashes, 12);
    let booted = {
        let (world, process) = (world.clone(), process.clone());
        tokio::spawn(async move { Door::new(world.boot(&process).await) })
    };
    let door = tokio::select! {
        biased;
        () = process.faults.crashed() => None,
        door = booted => door.ok(),
    };
    Some((door?, process))
}

/// A client that starts an execution.
pub async fn start(world: Arc<Simulated>, place: usize) {
    let mut dice = world.dice(&format!("start/{place}"));
    let machine = world.chosen[place];
    let definition = world.definitions[machine].name;
    let (input, name) = (machines::input(&mut dice), Text::from(format!("e{place}")));
    let state_machine = world.state_machine(machine);
    let arn = state_machine.execution(&name).expect("names are short");
    {
        let mut ledger = guard(&world.ledger);
        let wanted = Wanted { execution: arn.clone(), machine, input: input.clone(), acknowledged: false };
        ledger.wanted.push(wanted);
    }
    tokio::time::sleep(Duration::from_millis(dice.between(0, 20_000).unsigned_abs())).await;
    if dice.percent(20) {
        let (world, arn) = (world.clone(), arn.clone());
        tokio::spawn(stop(world, arn));
    }
    let started = request(&world, &mut dice, |door| {
        let execution = Execution {
            arn: arn.as_str().into(),
            name: name.clone(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            state_machine_arn: state_machine.as_str().into(),
            state_machine_name: definition.into(),
            state_machine_version_arn: None,
            state_machine_alias_arn: None,
            region: "us-east-1".into(),
            started_at: door.world().now(),
            synchronous: false,
        };
        let start = Start {
            execution,
            revision_id: "1".into(),
            input: input.clone(),
            trace_header: None,
            parent: None,
        };
        async move { door.start(start).await }
    })
    .await;
    world.says("client", format_args!("start of {name} ({definition}): {started:?}"));
    if let Some(Started::Started { .. } | Started::AlreadyExists) = started
        && let Some(wanted) = guard(&world.ledger).wanted.iter_mut().find(|wanted| wanted.execution == arn)
    {
        // Nobody else uses the name: it is this very start that was made before.
        wanted.acknowledged = true;
    }
}

/// A client that stops an execution some time after it began.
async fn stop(world: Arc<Simulated>, execution: ExecutionArn) {
    let mut dice = world.dice(&format!("stop/{}", execution.as_str()));
    tokio::time::sleep(Duration::from_millis(dice.between(0, 60_000).unsigned_abs())).await;
    let cause = Text::from(format!("stop {}", guard(&world.ledger).unique()));
    deliver(&world, &mut dice, &execution, What::Stop(cause)).await;
}

/// Gives an execution an input, and notes what became of it.
async fn deliver(
    world: &Arc<Simulated>,
    dice: &mut Dice,
    execution: &ExecutionArn,
    what: What,
) -> Option<Delivered> {
    let place = {
        let mut ledger = guard(&world.ledger);
        ledger.asked.push(Asked {
            execution: execution.clone(),
            what: what.clone(),
            began: world.time.now(),
            puts: world.table.puts(),
            accepted: None,
            accepted_at: None,
        });
        ledger.asked.len() - 1
    };
    let delivered = request(world, dice, |door| {
        let (execution, what) = (execution.clone(), what.clone());
        async move {
            let input = match what {
                What::Callback(_, token, outcome) => Input::Callback { token, outcome },
                What::Stop(cause) => Input::Stop { failure: Failure::new("Stopped", cause) },
                What::Take(effect, worker) => Input::TaskStarted { effect, worker: Some(worker) },
                What::Heartbeat(_, token) => return door.heartbeat(&token).await,
            };
            door.deliver(&execution, input).await
        }
    })
    .await;
    let shown = match &what {
        What::Callback(effect, _, outcome) => format!("callback {outcome:?} to effect {}", effect.0),
        What::Heartbeat(effect, _) => format!("heartbeat of effect {}", effect.0),
        What::Stop(cause) => cause.to_string(),
        What::Take(effect, worker) => format!("{worker} takes effect {}", effect.0),
    };
    world.says("client", format_args!("{shown} for {}: {delivered:?}", execution.name()));
    if let Some(Delivered::Accepted { .. }) = delivered {
        let asked = &mut guard(&world.ledger).asked[place];
        asked.accepted = Some(world.table.puts());
        asked.accepted_at = Some(world.time.now());
    }
    delivered
}

async fn sleep(millis: i64) {
    tokio::time::sleep(Duration::from_millis(millis.unsigned_abs())).await;
}

fn outcome(world: &Simulated, dice: &mut Dice) -> TaskOutcome {
    let unique = guard(&world.ledger).unique();
    match dice.percent(80) {
        true => TaskOutcome::Succeeded(Value::from(unique)),
        false => TaskOutcome::failed(Failure::new("Told", unique.to_string())),
    }
}

/// Lets somebody call back who was given a token: at once, late, twice, after heartbeats, or not
/// while things go wrong.
pub fn answer(
    world: &Arc<Simulated>,
    execution: &ExecutionArn,
    effect: EffectId,
    token: TaskToken,
    dice: &mut Dice,
    heartbeat_seconds: Option<i64>,
) {
    let (world, execution) = (world.clone(), execution.clone());
    let mut dice = Dice::new(dice.number(), "answer");
    tokio::spawn(async move {
        match dice.between(0, 9) {
            // At once: before its call is accepted.
            0..=2 => {}
            // Never, while things go wrong.
            3 => sleep(world.plan.chaos_millis).await,
            _ => {
                let millis = dice.between(0, 45_000);
                match heartbeat_seconds {
                    Some(seconds) => {
                        beats(&world, &execution, effect, &token, &mut dice, seconds, millis).await
                    }
                    None => sleep(millis).await,
                }
            }
        }
        let callback = |outcome| What::Callback(effect, token.clone(), outcome);
        for _ in 0..=dice.between(0, 1) {
            let outcome = outcome(&world, &mut dice);
            let delivered = deliver(&world, &mut dice, &execution, callback(outcome)).await;
            // Who has given up tries again when all is well.
            if delivered.is_none() {
                while !world.is_quiet() {
                    sleep(5_000).await;
                }
                let outcome = self::outcome(&world, &mut dice);
                deliver(&world, &mut dice, &execution, callback(outcome)).await;
            }
            sleep(dice.between(0, 5_000)).await;
        }
    });
}

/// Heartbeats for so long: always in time, as far as requests are quick.
async fn beats(
    world: &Arc<Simulated>,
    execution: &ExecutionArn,
    effect: EffectId,
    token: &TaskToken,
    dice: &mut Dice,
    seconds: i64,
    millis: i64,
) {
    let until = world.time.now().plus_millis(millis);
    while world.time.now() < until {
        let delivered = deliver(world, dice, execution, What::Heartbeat(effect, token.clone())).await;
        if !matches!(delivered, None | Some(Delivered::Accepted { .. })) {
            return;
        }
        let pause = dice.between(100, 900) * seconds;
        sleep(pause).await;
    }
}

/// A worker of the activity: polls, takes a task, heartbeats, answers; now and then it dies.
pub async fn work(world: Arc<Simulated>, place: i64) {
    let mut dice = world.dice(&format!("worker/{place}"));
    loop {
        let process = world.process("worker", &mut dice, 10, 60);
        let faults = process.faults.clone();
        let queues = world.queues_of(&process);
        let mut life = {
            let (world, mut dice) = (world.clone(), Dice::new(dice.number(), "life"));
            let worker = process.name.clone();
            tokio::spawn(async move {
                loop {
                    let Ok(queue) = queues.open(&queue_name(ACTIVITY)).await else {
                        sleep(100).await;
                        continue;
                    };
                    let wait = Duration::from_secs(15);
                    let Ok(received) = queue.receive(1, wait).await else {
                        sleep(200).await;
                        continue;
                    };
                    for message in received {
                        let Some(task) = ActivityTask::decode(&message.body) else { continue };
                        let take = What::Take(task.effect, worker.clone());
                        let taken = deliver(&world, &mut dice, &task.execution, take).await;
                        if taken.is_some() {
                            // One that stays comes again, and is refused then.
                            let _ = queue.delete(&[message.receipt]).await;
                        }
                        if !matches!(taken, Some(Delivered::Accepted { .. })) {
                            continue;
                        }
                        let millis = dice.between(0, 40_000);
                        beats(&world, &task.execution, task.effect, &task.token, &mut dice, 15, millis).await;
                        if dice.percent(20) && !world.is_quiet() {
                            continue;
                        }
                        let outcome = outcome(&world, &mut dice);
                        let callback = What::Callback(task.effect, task.token.clone(), outcome);
                        deliver(&world, &mut dice, &task.execution, callback).await;
                    }
                }
            })
        };
        tokio::select! {
            biased;
            () = faults.crashed() => life.abort(),
            joined = &mut life => if let Err(error) = joined && error.is_panic() {
                std::panic::resume_unwind(error.into_panic());
            },
        }
        sleep(dice.between(100, 10_000)).await;
    }
}
