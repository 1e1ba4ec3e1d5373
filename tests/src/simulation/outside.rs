//! The world outside: whatever tasks are performed by. It notes what is done to it.

use std::sync::{Arc, Mutex};

use asl::state::Resource;
use engine::{Call, Execution, Stage, TaskOutcome, TaskToken};
use integrations::{Answer, Answering, Cancelling, Job, NotCallable, Polled, Polling, Tasks};
use model::arn::ExecutionArn;
use model::error::Failure;
use model::json::{Text, Value};

use super::callers;
use super::dice::Dice;
use super::ledger::{Made, Started};
use super::planted::Planted;
use super::process::Process;
use super::trace::guard;
use super::world::Simulated;

/// The outside as one driver reaches it.
pub struct Outside {
    world: Arc<Simulated>,
    process: Arc<Process>,
    /// The token that a planted bug gives to every call.
    reused: Mutex<Option<TaskToken>>,
}

impl Outside {
    /// The outside of `process`.
    pub fn new(world: &Arc<Simulated>, process: &Arc<Process>) -> Outside {
        Outside { world: world.clone(), process: process.clone(), reused: Mutex::default() }
    }

    async fn perform(&self, call: &Call, execution: ExecutionArn) -> Answer {
        if self.process.faults.has_crashed() {
            return std::future::pending().await;
        }
        let world = &self.world;
        let actor = format!("{}/{}", execution.as_str(), call.effect.0);
        let mut dice = world.dice(&actor);
        let token = self.token(call);
        let place = {
            let mut ledger = guard(&world.ledger);
            ledger.made.push(Made {
                execution: execution.clone(),
                effect: call.effect,
                state: call.state.clone(),
                token: token.clone(),
                process: self.process.clone(),
                repeatable: self.is_repeatable(call),
                puts: world.table.puts(),
                answered: None,
            });
            ledger.made.len() - 1
        };
        self.process.says(format_args!(
            "calls {} as effect {} of {}",
            call.state,
            call.effect.0,
            execution.name()
        ));
        // Few are told of the tokens of jobs.
        if let Some(token) = token
            && (!is_job(&call.state) || dice.percent(25))
        {
            callers::answer(world, &execution, call.effect, token, &mut dice, call.heartbeat_seconds);
        }
        let millis = duration_millis(&call.state, &mut dice);
        world.time.sleep_until(world.time.now().plus_millis(millis)).await;
        self.process.pass().await;
        let answer = answer(call, &mut dice);
        if let Answer::Submitted(_) = &answer
            && is_job(&call.state)
        {
            self.begin(call, &execution, &mut dice);
        }
        if let Answer::Settled(outcome) = &answer {
            guard(&world.ledger).made[place].answered = Some(outcome.clone());
        }
        answer
    }

    /// A job begins, unless the same call has begun it before.
    fn begin(&self, call: &Call, execution: &ExecutionArn, dice: &mut Dice) {
        let (now, millis) = (self.world.time.now(), dice.between(0, 120_000));
        let outcome = match dice.percent(80) {
            true => TaskOutcome::Succeeded(result(call)),
            false => TaskOutcome::failed(Failure::new("JobFailed", "as drawn")),
        };
        let ends_at = now.plus_millis(millis);
        let key = (Text::from(execution.as_str()), call.effect);
        guard(&self.world.ledger).jobs.entry(key).or_insert_with(|| Started {
            process: self.process.clone(),
            ends_at,
            outcome,
            cancelled: Vec::new(),
        });
    }

    async fn ask(&self, job: &Job, execution: &Execution) -> Polled {
        if self.process.faults.has_crashed() {
            return std::future::pending().await;
        }
        let (world, effect) = (&self.world, job.call.effect);
        let mut dice = world.dice(&format!("poll/{}/{}/{:?}", execution.arn, effect.0, world.time.now()));
        self.process.says(format_args!("asks for the job of effect {} of {}", effect.0, execution.name));
        world.time.sleep_until(world.time.now().plus_millis(dice.between(0, 1_500))).await;
        self.process.pass().await;
        if dice.percent(10) && !world.is_quiet() {
            // It could not be found out.
            return Polled::Running;
        }
        let now = world.time.now();
        match guard(&world.ledger).jobs.get(&(execution.arn.clone(), effect)) {
            Some(started) if started.ends_at <= now => Polled::Ended(started.outcome.clone()),
            Some(_) => Polled::Running,
            None => Polled::Ended(TaskOutcome::failed(Failure::named(Text::new_static("NoSuchJob")))),
        }
    }

    async fn end(&self, job: &Job, execution: &Execution) {
        if self.process.faults.has_crashed() {
            return std::future::pending().await;
        }
        let (world, effect) = (&self.world, job.call.effect);
        let puts = world.table.puts();
        self.process.says(format_args!("cancels the job of effect {} of {}", effect.0, execution.name));
        world.time.sleep_until(world.time.now().plus_millis(200)).await;
        self.process.pass().await;
        if let Some(started) = guard(&world.ledger).jobs.get_mut(&(execution.arn.clone(), effect)) {
            started.cancelled.push(puts);
        }
    }

    fn token(&self, call: &Call) -> Option<TaskToken> {
        let token = call.token.clone()?;
        if self.world.planted == Planted::ReuseToken {
            return Some(guard(&self.reused).get_or_insert(token).clone());
        }
        Some(token)
    }
}

impl Tasks for Outside {
    fn callable(&self, _: &str, _: &Resource) -> Result<(), NotCallable> {
        Ok(())
    }

    fn is_repeatable(&self, call: &Call) -> bool {
        call.state.starts_with("Read")
    }

    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a> {
        Box::pin(async move {
            let execution =
                ExecutionArn::parse(&execution.arn).expect("executions are stored under their ARN");
            self.perform(call, execution).await
        })
    }

    fn poll<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Polling<'a> {
        Box::pin(self.ask(job, execution))
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        Box::pin(self.end(job, execution))
    }
}

fn is_job(state: &str) -> bool {
    state.contains("Job")
}

fn duration_millis(state: &str, dice: &mut Dice) -> i64 {
    match state {
        "ReadSlow" => dice.between(20_000, 80_000),
        _ if state.starts_with("Slow") => dice.between(20_000, 80_000),
        _ if is_job(state) => dice.between(0, 3_000),
        _ if state.starts_with("Mid") || state.starts_with("Read") => dice.between(10, 12_000),
        _ if state.starts_with("Token") => dice.between(0, 3_000),
        _ => dice.between(0, 50),
    }
}

/// Depends on the call alone, so that the same call has the same answer in every schedule; only
/// whether a submission is refused is drawn.
fn answer(call: &Call, dice: &mut Dice) -> Answer {
    let state = call.state.as_str();
    let failed = |name: &'static str| Answer::Settled(TaskOutcome::failed(Failure::new(name, "as asked")));
    if state.starts_with("Fails") {
        return failed("Broken");
    }
    if state.starts_with("Flaky") && call.retry_count < 2 {
        return failed("Flaky");
    }
    if state.starts_with("Token") || is_job(state) {
        if dice.percent(5) {
            let failure = Failure::new("Refused", "as drawn");
            return Answer::Settled(TaskOutcome::Failed { stage: Stage::Submit, failure });
        }
        return Answer::Submitted(Value::object());
    }
    Answer::Settled(TaskOutcome::Succeeded(result(call)))
}

/// What a task makes of what it is given.
fn result(call: &Call) -> Value {
    let text = call.parameters.get("text").cloned().unwrap_or(Value::Null);
    [
        (Text::new_static("by"), Value::from(call.state.clone())),
        (Text::new_static("given"), Value::from(call.parameters.json_len())),
        (Text::new_static("text"), text),
    ]
    .into_iter()
    .collect()
}
