//! The world outside: whatever tasks are performed by. It notes what is done to it.

use std::sync::{Arc, Mutex};

use asl::state::Resource;
use engine::{Call, Execution, Stage, TaskOutcome, TaskToken};
use integrations::{Answer, Answering, Cancelling, Job, NotCallable, Polling, Tasks};
use model::arn::ExecutionArn;
use model::error::Failure;
use model::json::{Text, Value};

use super::callers;
use super::dice::Dice;
use super::ledger::Made;
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
        if let Some(token) = token
            && (!call.resource.starts_job() || call.state.starts_with("JobCalled"))
        {
            callers::answer(world, &execution, call.effect, token, &mut dice, call.heartbeat_seconds);
        }
        let millis = duration_millis(&call.state, &mut dice);
        world.time.sleep_until(world.time.now().plus_millis(millis)).await;
        self.process.pass().await;
        let answer = answer(call, &mut dice);
        if call.resource.starts_job() && matches!(answer, Answer::Submitted(_)) {
            world.start_job(call, &execution, &self.process, &mut dice);
        }
        if let Answer::Settled(outcome) = &answer {
            guard(&world.ledger).made[place].answered = Some(outcome.clone());
        }
        answer
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
        Box::pin(async move { self.perform(call, arn(execution)).await })
    }

    fn poll<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Polling<'a> {
        Box::pin(async move {
            if self.process.faults.has_crashed() {
                return std::future::pending().await;
            }
            self.world.poll_job(&job.call, &arn(execution), &self.process).await
        })
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        Box::pin(async move {
            if self.process.faults.has_crashed() {
                return std::future::pending().await;
            }
            self.world.cancel_job(&job.call, &arn(execution), &self.process).await
        })
    }
}

fn arn(execution: &Execution) -> ExecutionArn {
    ExecutionArn::parse(&execution.arn).expect("executions are stored under their ARN")
}

fn duration_millis(state: &str, dice: &mut Dice) -> i64 {
    match state {
        "ReadSlow" => dice.between(20_000, 80_000),
        _ if state.contains("Job") => dice.between(0, 3_000),
        _ if state.starts_with("Slow") => dice.between(20_000, 80_000),
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
    if state.starts_with("Token") || call.resource.starts_job() {
        if dice.percent(5) {
            let failure = Failure::new("Refused", "as drawn");
            return Answer::Settled(TaskOutcome::Failed { stage: Stage::Submit, failure });
        }
        let is_job = call.resource.starts_job();
        return Answer::Submitted(if is_job { result(call) } else { Value::object() });
    }
    Answer::Settled(TaskOutcome::Succeeded(result(call)))
}

/// What a task makes of what it is given.
pub(super) fn result(call: &Call) -> Value {
    let given = call.parameters.get("Arguments").unwrap_or(&call.parameters);
    let text = given.get("text").cloned().unwrap_or(Value::Null);
    [
        (Text::new_static("by"), Value::from(call.state.clone())),
        (Text::new_static("given"), Value::from(call.parameters.json_len())),
        (Text::new_static("text"), text),
    ]
    .into_iter()
    .collect()
}
