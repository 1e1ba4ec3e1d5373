//! Whether what is stored is what may be stored, after everything that really happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use driver::StatusEvents;
use engine::{EffectId, Stage, TaskOutcome};
use journal::execution::{Description, DueKind, Executions, HistoryQuery, ListQuery};
use model::arn::ExecutionArn;
use model::history::HistoryEvent;
use model::json::Value;
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;
use ports::Order;

use super::jobs::Jobs;
use super::ledger::{Asked, Ledger, Made, Wanted, What};
use super::replay::{Replayed, Seen, replay};
use super::trace::guard;
use super::world::{DEAD_LETTERS, QUEUE, Simulated};

/// Clocks differ by less.
const SKEW_MILLIS: i64 = 3_000;
/// A timer is taken so soon after it is due, when nothing goes wrong.
const LATE_MILLIS_MAX: i64 = 5_000;
/// So long after things stop going wrong, everything is as if they never had: pauses, leases and
/// visibility timeouts of before are over.
const RECOVERED_MILLIS: i64 = 240_000;
/// Messages and wake-ups that nobody needs are gone so long after the last end.
const CLEAN_MILLIS: i64 = 500_000;

/// Waits until everything has come to its end, and says what is wrong then.
pub async fn after(world: &Arc<Simulated>, rest_millis: i64) -> Vec<String> {
    let quiet_at = world.time.now();
    let executions = Executions::new(world.store().await);
    let mut wrong = Vec::new();
    if !ended(world, &executions, rest_millis, &mut wrong).await {
        return wrong;
    }
    cleaned(world, &executions, &mut wrong).await;
    {
        let ledger = guard(&world.ledger);
        reused_tokens(&ledger.made, &ledger.asked, &mut wrong);
    }
    for place in 0..world.chosen.len() {
        if let Err(error) = examine(world, &executions, place, quiet_at, &mut wrong).await {
            wrong.push(error);
        }
    }
    wrong
}

/// Whether every execution has ended before time is up.
async fn ended(
    world: &Arc<Simulated>,
    executions: &Executions,
    rest_millis: i64,
    wrong: &mut Vec<String>,
) -> bool {
    let until = world.time.now().plus_millis(rest_millis);
    let wanted: Vec<(ExecutionArn, bool)> = {
        let ledger = guard(&world.ledger);
        ledger.wanted.iter().map(|wanted| (wanted.execution.clone(), wanted.acknowledged)).collect()
    };
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut open = Vec::new();
        for (execution, _) in &wanted {
            match executions.describe(execution).await {
                Ok(Some(found)) if !found.status.is_terminal() => open.push(execution.name()),
                Ok(Some(_)) => {}
                Ok(None) => {
                    // Its start may still be under way, or have been given up for good.
                    let lost = guard(&world.ledger)
                        .wanted
                        .iter()
                        .any(|wanted| wanted.execution == *execution && wanted.acknowledged);
                    if lost {
                        wrong.push(format!("{} was acknowledged and does not exist", execution.name()));
                    }
                }
                Err(error) => wrong.push(format!("{} cannot be described: {error}", execution.name())),
            }
        }
        if !wrong.is_empty() {
            return false;
        }
        if open.is_empty() {
            return true;
        }
        if world.time.now() >= until {
            wrong.push(format!("{open:?} have not ended {} s after all is well", rest_millis / 1_000));
            return false;
        }
    }
}

/// Waits until no message and no wake-up is left.
async fn cleaned(world: &Arc<Simulated>, executions: &Executions, wrong: &mut Vec<String>) {
    let until = world.time.now().plus_millis(CLEAN_MILLIS);
    loop {
        let messages = world.queues.messages(QUEUE).len();
        let dead = world.queues.messages(DEAD_LETTERS).len();
        let mut wakes = 0;
        for shard in 0..world.storing.wake_shards {
            match executions.due(DueKind::Wake, shard, Timestamp::MAX, None, 100).await {
                Ok(page) => wakes += page.entries.len(),
                Err(error) => wrong.push(format!("wake-ups cannot be read: {error}")),
            }
        }
        if (messages, dead, wakes) == (0, 0, 0) {
            return;
        }
        if world.time.now() >= until || !wrong.is_empty() {
            wrong.push(format!(
                "{messages} messages, {dead} dead letters and {wakes} wake-ups are left when everything has ended"
            ));
            return;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// No two calls have the same token.
fn reused_tokens(made: &[Made], asked: &[Asked], wrong: &mut Vec<String>) {
    let mut tokens: BTreeMap<&str, (&ExecutionArn, EffectId)> = BTreeMap::new();
    let given = made.iter().filter_map(|made| Some((made.token.as_ref()?, &made.execution, made.effect)));
    let used = asked.iter().filter_map(|asked| match &asked.what {
        What::Callback(effect, token, _) | What::Heartbeat(effect, token) => {
            Some((token, &asked.execution, *effect))
        }
        What::Stop(_) | What::Take(..) => None,
    });
    for (token, execution, effect) in given.chain(used) {
        let first = *tokens.entry(token.as_str()).or_insert((execution, effect));
        if first != (execution, effect) {
            let (name, before) = (execution.name(), first.1.0);
            wrong.push(format!("{name}: effect {} has the token of effect {before}", effect.0));
        }
    }
}

async fn examine(
    world: &Arc<Simulated>,
    executions: &Executions,
    place: usize,
    quiet_at: Timestamp,
    wrong: &mut Vec<String>,
) -> Result<(), String> {
    let (execution, machine, input) = {
        let ledger = guard(&world.ledger);
        let Wanted { execution, machine, input, .. } = &ledger.wanted[place];
        (execution.clone(), *machine, input.clone())
    };
    let name = execution.name();
    let fail = |what: &str, error: &dyn std::fmt::Display| format!("{name}: {what}: {error}");
    let found =
        executions.describe(&execution).await.map_err(|error| fail("it cannot be described", &error))?;
    let Some(found) = found else { return Ok(()) };
    let query =
        HistoryQuery { order: Order::Ascending, after: None, limit: 1_000_000, include_payloads: true };
    let page = executions.history(&execution, &query).await;
    let page = page.map_err(|error| fail("its history cannot be read", &error))?.unwrap_or_default();
    let history = page.events;
    let mut complaints = Vec::new();
    numbered(&history, &mut complaints);
    rows(world, &execution, &mut complaints);
    listed(world, executions, &execution, machine, &found, &mut complaints).await;
    published(world, &execution, &found, &mut complaints);
    if found.input != input {
        complaints.push("its input is not what its caller gave".to_owned());
    }
    if complaints.is_empty() {
        match replay(&world.definitions[machine].machine, &found.execution, &history) {
            Err(error) => complaints.push(error),
            Ok(replayed) => {
                let ledger = guard(&world.ledger);
                let case = Case { world, ledger: &ledger, execution: &execution, found: &found, replayed };
                case.examine(quiet_at, &mut complaints);
            }
        }
    }
    if !complaints.is_empty() && world.trace.is_wanted() {
        for event in &history {
            world.says("history", format_args!("{name} {event:?}"));
        }
    }
    let definition = world.definitions[machine].name;
    wrong.extend(complaints.into_iter().map(|complaint| format!("{name} ({definition}): {complaint}")));
    Ok(())
}

fn numbered(history: &[HistoryEvent], wrong: &mut Vec<String>) {
    for (event, id) in history.iter().zip(1..) {
        if event.id != id {
            wrong.push(format!("event {id} has the id {}", event.id));
            return;
        }
        if event.previous_event_id >= id {
            wrong.push(format!("event {id} follows event {}", event.previous_event_id));
        }
    }
}

/// Every record has its predecessor, and nothing could not be stepped.
fn rows(world: &Simulated, execution: &ExecutionArn, wrong: &mut Vec<String>) {
    let suffix = execution.as_str().split(":execution:").nth(1).unwrap_or_default();
    let partition = format!("x/{suffix}");
    let mut seq = 0;
    for row in world.table.table.rows().iter().filter(|row| row.key.partition == *partition) {
        if let Some(found) = row.key.sort.strip_prefix("r/") {
            if found.parse() != Ok(seq) {
                wrong.push(format!("record {found} stands in the place of record {seq}"));
            }
            seq += 1;
        } else if row.key.sort == "p" {
            wrong.push("it could not be stepped".to_owned());
        }
    }
}

/// It is listed once, as it ended.
async fn listed(
    world: &Simulated,
    executions: &Executions,
    execution: &ExecutionArn,
    machine: usize,
    found: &Description,
    wrong: &mut Vec<String>,
) {
    let state_machine = world.state_machine(machine);
    let mut statuses = Vec::new();
    for status in ExecutionStatus::ALL {
        let query = ListQuery {
            state_machine: state_machine.clone(),
            qualifier: None,
            status: Some(*status),
            after: None,
            limit: 100,
        };
        match executions.list(&query).await {
            Ok(page) => statuses.extend(
                page.rows.iter().filter(|row| row.arn == *execution).map(|row| (row.status, row.stopped_at)),
            ),
            Err(error) => wrong.push(format!("the list cannot be read: {error}")),
        }
    }
    if statuses != [(found.status, found.stopped_at)] {
        wrong.push(format!(
            "it is listed as {statuses:?}, and is {:?} since {:?}",
            found.status, found.stopped_at
        ));
    }
}

/// Its end was published, and nothing else.
fn published(world: &Simulated, execution: &ExecutionArn, found: &Description, wrong: &mut Vec<String>) {
    let mut ends = 0;
    for event in world.bus.events() {
        if !event.resources.iter().any(|arn| arn == execution.as_str()) {
            continue;
        }
        match event.detail.get("status").and_then(Value::as_str) {
            Some("RUNNING") => {}
            Some(status) if status == found.status.as_str() => ends += 1,
            status => wrong.push(format!("{status:?} was published, and it is {:?}", found.status)),
        }
    }
    let expected = match world.config.status_events {
        StatusEvents::All => true,
        StatusEvents::Failures => found.status != ExecutionStatus::Succeeded,
        StatusEvents::None => false,
    };
    if expected && ends == 0 {
        wrong.push(format!("its end as {:?} was not published", found.status));
    }
    if !expected && ends > 0 {
        wrong.push("its end was published, which is not asked for".to_owned());
    }
}

/// An execution whose history is one that a run can make, compared with what really happened.
struct Case<'a> {
    world: &'a Simulated,
    ledger: &'a Ledger,
    execution: &'a ExecutionArn,
    found: &'a Description,
    replayed: Replayed,
}

impl Case<'_> {
    fn examine(&self, quiet_at: Timestamp, wrong: &mut Vec<String>) {
        self.calls(wrong);
        self.jobs(wrong);
        for (seen, effect) in self.replayed.tasks.iter().zip(1..) {
            self.task(seen, EffectId(effect), wrong);
        }
        for asked in self.ledger.asked.iter().filter(|asked| asked.execution == *self.execution) {
            if asked.accepted.is_some() {
                self.accepted(asked, wrong);
            }
        }
        if !self.world.plan.wild_clocks {
            self.timers(quiet_at, wrong);
        }
    }

    fn jobs(&self, wrong: &mut Vec<String>) {
        let jobs = Jobs {
            world: self.world,
            ledger: self.ledger,
            execution: self.execution,
            found: self.found,
            tasks: &self.replayed.tasks,
            put_of: &|event| self.put_of(event),
        };
        jobs.examine(wrong);
    }

    fn made(&self, effect: EffectId) -> impl Iterator<Item = &Made> {
        self.ledger.made.iter().filter(move |made| made.execution == *self.execution && made.effect == effect)
    }

    fn put_of(&self, event: u64) -> u64 {
        self.world.table.made(self.execution, event).unwrap_or(0)
    }

    /// Every call was recorded before it was made, and made once unless it may be repeated.
    fn calls(&self, wrong: &mut Vec<String>) {
        let mut counts: BTreeMap<EffectId, usize> = BTreeMap::new();
        for made in self.ledger.made.iter().filter(|made| made.execution == *self.execution) {
            let (effect, state) = (made.effect.0, &made.state);
            let seen =
                usize::try_from(effect).ok().and_then(|at| self.replayed.tasks.get(at.wrapping_sub(1)));
            let Some(seen) = seen else {
                wrong.push(format!("effect {effect} of {state} was called, and history does not know it"));
                continue;
            };
            if seen.state != *state {
                wrong.push(format!(
                    "effect {effect} of {state} was called; in history it is of {}",
                    seen.state
                ));
            }
            if self.put_of(seen.scheduled) > made.puts {
                wrong.push(format!("effect {effect} of {state} was called before its record was written"));
            }
            if is_unknown(seen) && !self.world.plan.wild_clocks && !made.repeatable {
                let lost = seen.ended.map_or(0, |event| self.put_of(event));
                if made.puts >= lost {
                    wrong.push(format!("effect {effect} of {state} was called after it was given up"));
                }
            }
            let count = counts.entry(made.effect).or_default();
            *count += 1;
            if *count > 1 && !made.repeatable {
                wrong.push(format!("effect {effect} of {state} was called {count} times"));
            }
        }
    }

    /// A task ended as the outside says that it ended.
    fn task(&self, seen: &Seen, effect: EffectId, wrong: &mut Vec<String>) {
        let Some(outcome) = &seen.outcome else { return };
        if is_unknown(seen) {
            let made = self.made(effect).next();
            let troubled = match made {
                Some(made) => made.process.is_troubled(),
                // It was claimed by a driver that did not come to make it.
                None => self.ledger.drivers.values().any(|process| process.is_troubled()),
            };
            // Whose clock jumps takes owners for dead that are alive.
            if !troubled && !self.world.plan.wild_clocks {
                let who = made.map_or_else(|| "nobody".into(), |made| made.process.name.clone());
                wrong.push(format!(
                    "effect {} of {} has an unknown outcome; {who} made the call, and nothing was wrong with it",
                    effect.0, seen.state
                ));
            }
            return;
        }
        let answered =
            self.made(effect).any(|made| made.answered.as_ref().is_some_and(|made| same(made, outcome)));
        let told = self.ledger.asked.iter().any(|asked| match &asked.what {
            What::Callback(of, _, told) => {
                asked.execution == *self.execution && *of == effect && same(told, outcome)
            }
            _ => false,
        });
        let ran = self.ledger.jobs.iter().any(|job| {
            job.execution == *self.execution && job.effect == effect && same(&job.outcome, outcome)
        });
        // The queue of the activity was out of reach for too long.
        let refused = seen.state.starts_with("Work")
            && matches!(outcome, TaskOutcome::Failed { stage: Stage::Schedule, .. })
            && self.world.plan.rate > 0;
        if !answered && !told && !ran && !refused {
            wrong.push(format!(
                "effect {} of {} ended with {outcome:?}, which nobody said",
                effect.0, seen.state
            ));
        }
    }

    /// What was accepted has had its effect.
    fn accepted(&self, asked: &Asked, wrong: &mut Vec<String>) {
        let seen = |effect: &EffectId| {
            let at = usize::try_from(effect.0).unwrap_or(0).wrapping_sub(1);
            self.replayed.tasks.get(at)
        };
        match &asked.what {
            What::Stop(cause) => {
                if self.found.status != ExecutionStatus::Aborted
                    || self.found.failure.cause.as_ref() != Some(cause)
                {
                    wrong.push(format!(
                        "{cause} was accepted; it is {:?}: {:?}",
                        self.found.status, self.found.failure
                    ));
                }
            }
            What::Take(effect, worker) => {
                if seen(effect).and_then(|seen| seen.worker.as_ref()) != Some(worker) {
                    wrong
                        .push(format!("{worker} was given effect {}, and history does not say so", effect.0));
                }
            }
            What::Callback(effect, _, outcome) => match seen(effect) {
                None => wrong
                    .push(format!("a callback to effect {} was accepted, which does not exist", effect.0)),
                Some(seen) => self.settled(seen, *effect, asked, outcome, wrong),
            },
            What::Heartbeat(effect, _) => {
                if let Some(seen) = seen(effect) {
                    self.heard(seen, *effect, asked, wrong);
                }
            }
        }
    }

    /// A callback that was accepted settles its task. Only one that came before the call was
    /// accepted may find another there first, or its task ended by the call itself or its time.
    fn settled(
        &self,
        seen: &Seen,
        effect: EffectId,
        asked: &Asked,
        outcome: &TaskOutcome,
        wrong: &mut Vec<String>,
    ) {
        if seen.outcome.as_ref().is_some_and(|found| same(found, outcome)) {
            return;
        }
        let is_activity = seen.state.starts_with("Work");
        let submitted = seen.submitted.map(|event| self.put_of(event));
        let early = !is_activity && submitted.is_none_or(|submitted| submitted > asked.puts);
        if !early || is_unknown(seen) {
            wrong.push(format!(
                "the callback {outcome:?} to effect {} was accepted; the task ended with {:?}, timed out: {}",
                effect.0, seen.outcome, seen.silent
            ));
        }
    }

    /// A heartbeat that was accepted in time keeps the task from timing out.
    fn heard(&self, seen: &Seen, effect: EffectId, asked: &Asked, wrong: &mut Vec<String>) {
        let (true, Some(seconds), Some(at), Some(accepted_at)) =
            (seen.silent, seen.heartbeat_seconds, seen.ended_at, asked.accepted_at)
        else {
            return;
        };
        let by_timeout = seen.timeout_at.is_some_and(|timeout_at| at >= timeout_at);
        let in_time = asked.began.plus_seconds(seconds) > at.plus_millis(SKEW_MILLIS)
            && accepted_at.plus_millis(SKEW_MILLIS) < at;
        if !by_timeout && in_time && !self.world.plan.wild_clocks {
            wrong.push(format!(
                "effect {} missed a heartbeat at {at:?}; one was sent at {:?} and accepted at {accepted_at:?}",
                effect.0, asked.began
            ));
        }
    }

    /// Timers are late only while things go wrong. That none is early, the replay has shown.
    fn timers(&self, quiet_at: Timestamp, wrong: &mut Vec<String>) {
        let recovered = quiet_at.plus_millis(RECOVERED_MILLIS);
        for (due, at) in &self.replayed.timers {
            let late = at.millis_since((*due).max(recovered));
            if late > LATE_MILLIS_MAX {
                wrong.push(format!("a timer that was due at {due:?} was taken {late} ms late"));
            }
        }
    }
}

pub(super) fn is_unknown(seen: &Seen) -> bool {
    match &seen.outcome {
        Some(TaskOutcome::Failed { failure, .. }) => failure
            .cause
            .as_ref()
            .is_some_and(|cause| cause.starts_with("The outcome of the call is unknown")),
        _ => false,
    }
}

/// Whether two outcomes are the same to whoever reads the history.
pub(super) fn same(a: &TaskOutcome, b: &TaskOutcome) -> bool {
    match (a, b) {
        (TaskOutcome::Succeeded(a), TaskOutcome::Succeeded(b)) => a == b,
        (TaskOutcome::Failed { failure: a, stage: at }, TaskOutcome::Failed { failure: b, stage: bt }) => {
            a == b && (at == bt || matches!((at, bt), (Stage::Run, _) | (_, Stage::Run)))
        }
        _ => false,
    }
}
