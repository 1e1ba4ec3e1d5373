//! Jobs that `.sync` calls start: how they go, what is done about them, and whether it may be.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Call, EffectId, TaskOutcome};
use integrations::{Polled, poll_after};
use journal::execution::Description;
use model::arn::ExecutionArn;
use model::error::Failure;
use model::json::Text;
use model::timestamp::Timestamp;

use super::dice::Dice;
use super::ledger::Ledger;
use super::process::Process;
use super::replay::Seen;
use super::trace::guard;
use super::verdict::{is_unknown, same};
use super::world::Simulated;

/// A job that was started.
pub struct Started {
    /// By which execution.
    pub execution: ExecutionArn,
    /// By which task.
    pub effect: EffectId,
    /// Its state.
    pub state: Text,
    /// Who started it.
    pub process: Arc<Process>,
    /// Whether the call is safe to repeat.
    pub repeatable: bool,
    /// When.
    pub began: Timestamp,
    /// When it ends, unless it never does.
    pub ends_at: Option<Timestamp>,
    /// How.
    pub outcome: TaskOutcome,
    /// When it was asked for, how many puts had been applied then, and by whom.
    pub polled: Vec<(Timestamp, u64, Text)>,
    /// How many puts had been applied when it was told to end.
    pub cancelled: Vec<u64>,
}

/// What jobs end with that were told to.
const CANCELLED: &str = "Cancelled";

impl Simulated {
    /// Starts the job of a call. One that is safe to repeat finds the job that it has started before.
    pub fn start_job(&self, call: &Call, execution: &ExecutionArn, process: &Arc<Process>, dice: &mut Dice) {
        let mut ledger = guard(&self.ledger);
        if ledger.jobs.iter().any(|job| job.effect == call.effect && job.execution == *execution) {
            return;
        }
        let began = self.time.now();
        let millis = match dice.between(0, 9) {
            0..=2 => dice.between(0, 4_000),
            3..=6 => dice.between(0, 40_000),
            _ => dice.between(0, 120_000),
        };
        let never =
            call.state.starts_with("JobNever") || (call.timeout_seconds.is_some() && dice.percent(25));
        let outcome = match dice.percent(80) {
            true => TaskOutcome::Succeeded(super::outside::result(call)),
            false => TaskOutcome::failed(Failure::new("JobFailed", "as drawn")),
        };
        ledger.jobs.push(Started {
            execution: execution.clone(),
            effect: call.effect,
            state: call.state.clone(),
            process: process.clone(),
            repeatable: call.state.starts_with("Read"),
            began,
            ends_at: (!never).then(|| began.plus_millis(millis)),
            outcome,
            polled: Vec::new(),
            cancelled: Vec::new(),
        });
    }

    fn note_job<T>(
        &self,
        execution: &ExecutionArn,
        effect: EffectId,
        note: impl FnOnce(&mut Started) -> T,
    ) -> Option<T> {
        let mut ledger = guard(&self.ledger);
        let job = ledger.jobs.iter_mut().find(|job| job.effect == effect && job.execution == *execution);
        job.map(note)
    }

    /// Asks for a job.
    pub async fn poll_job(&self, call: &Call, execution: &ExecutionArn, process: &Process) -> Polled {
        let (now, puts, name) = (self.time.now(), self.table.puts(), process.name.clone());
        process.says(format_args!("asks for job {} of {}", call.effect.0, execution.name()));
        let asked = self.note_job(execution, call.effect, |job| {
            job.polled.push((now, puts, name));
            job.polled.len()
        });
        let mut dice = self.dice(&format!("poll/{}/{}/{asked:?}", execution.as_str(), call.effect.0));
        let millis = if dice.percent(10) { dice.between(0, 5_000) } else { dice.between(0, 100) };
        self.time.sleep_until(self.time.now().plus_millis(millis)).await;
        process.pass().await;
        if self.plan.rate > 0 && !self.is_quiet() && dice.percent(5) {
            // Nobody knows.
            return Polled::Running;
        }
        let now = self.time.now();
        let polled = self.note_job(execution, call.effect, |job| match job.ends_at {
            _ if !job.cancelled.is_empty() => {
                Polled::Ended(TaskOutcome::failed(Failure::new(CANCELLED, "as told")))
            }
            Some(at) if at <= now => Polled::Ended(job.outcome.clone()),
            _ => Polled::Running,
        });
        polled.unwrap_or(Polled::Running)
    }

    /// Tells a job to end.
    pub async fn cancel_job(&self, call: &Call, execution: &ExecutionArn, process: &Process) {
        process.says(format_args!("ends job {} of {}", call.effect.0, execution.name()));
        let puts = self.table.puts();
        self.note_job(execution, call.effect, |job| job.cancelled.push(puts));
        process.pass().await;
    }
}

/// A session that asks for nothing but jobs rests within this time, and a process stands still for no
/// longer than [`PAUSE_MILLIS_MAX`].
const HELD_MILLIS_MAX: i64 = 100_000;
/// See [`HELD_MILLIS_MAX`].
const PAUSE_MILLIS_MAX: i64 = 120_000;
/// By how much clocks differ, and how long a message takes, when nothing goes wrong.
const LATE_MILLIS: i64 = 3_000;
/// How often messages may come twice while things go wrong: a job is asked for so many times as often.
const TWICE_MAX: usize = 6;

/// What happened about the jobs of an execution, once nothing more can.
pub struct Jobs<'a> {
    /// Where.
    pub world: &'a Simulated,
    /// What happened outside.
    pub ledger: &'a Ledger,
    /// Whose they were.
    pub execution: &'a ExecutionArn,
    /// As it ended.
    pub found: &'a Description,
    /// What its history says of its tasks.
    pub tasks: &'a [Seen],
    /// The put of the record with an event.
    pub put_of: &'a dyn Fn(u64) -> u64,
}

impl Jobs<'_> {
    /// Says what is wrong.
    pub fn examine(&self, wrong: &mut Vec<String>) {
        for job in self.ledger.jobs.iter().filter(|job| job.execution == *self.execution) {
            let at = usize::try_from(job.effect.0).unwrap_or(0).wrapping_sub(1);
            let name = format!("the job of effect {} of {}", job.effect.0, job.state);
            match self.tasks.get(at) {
                Some(seen) => {
                    self.cancelled(job, seen, &name, wrong);
                    self.polled(job, seen, &name, wrong);
                }
                None => wrong.push(format!("{name} was started, and history does not know it")),
            }
        }
    }

    /// A job is told to end when its task has ended without it, after the record that says so; and
    /// never when it has ended its task, or somebody with the token has.
    fn cancelled(&self, job: &Started, seen: &Seen, name: &str, wrong: &mut Vec<String>) {
        let times = job.cancelled.len();
        let lost = job.process.is_troubled() || self.world.plan.wild_clocks || is_unknown(seen);
        match (&seen.outcome, seen.submitted) {
            (_, None) if times == 0 && !lost => {
                wrong.push(format!("{name} was started for nobody, and not told to end"));
            }
            (_, None) => {}
            (Some(outcome), Some(_)) if times > 0 && !job.repeatable => {
                wrong.push(format!(
                    "{name} was told to end {times} times; its task had ended with {outcome:?}"
                ));
            }
            (None, Some(_)) if times == 0 => {
                wrong.push(format!("{name} was not told to end; its task ended without it"));
            }
            _ => {}
        }
        let ended = seen.ended.filter(|_| seen.silent).map(|event| (self.put_of)(event));
        if let (Some(ended), Some(first), Some(_)) = (ended, job.cancelled.first(), seen.submitted)
            && *first < ended
        {
            wrong.push(format!("{name} was told to end before its task had timed out"));
        }
    }

    /// A job is asked for as often as is due, and not after the end of its task but by those who did
    /// not know of it.
    fn polled(&self, job: &Started, seen: &Seen, name: &str, wrong: &mut Vec<String>) {
        let plan = &self.world.plan;
        if plan.wild_clocks {
            return;
        }
        if let (Some(outcome), Some(ends_at)) = (&seen.outcome, job.ends_at)
            && same(outcome, &job.outcome)
            && seen.ended_at.is_some_and(|at| at.plus_millis(LATE_MILLIS) < ends_at)
        {
            wrong.push(format!("{name} ended its task before it had ended"));
        }
        let end = seen.ended_at.or(self.found.stopped_at).unwrap_or(Timestamp::MAX).plus_millis(LATE_MILLIS);
        let mut after: BTreeMap<&Text, usize> = BTreeMap::new();
        let millis = if plan.trouble { HELD_MILLIS_MAX + PAUSE_MILLIS_MAX } else { HELD_MILLIS_MAX };
        let stopped = self.found.stopped_at.unwrap_or(Timestamp::MAX);
        let last = (self.put_of)(self.found.last_event_id);
        for (at, _, process) in job.polled.iter().filter(|(_, puts, _)| *puts >= last) {
            *after.entry(process).or_default() += 1;
            if *at > stopped.plus_millis(millis) {
                wrong.push(format!("{name} was asked for at {at:?}; it was all over at {stopped:?}"));
            }
        }
        // Whoever holds a call does not look meanwhile whether others have ended the execution.
        let calls = |process: &Text| {
            let mut made = self.ledger.made.iter().filter(|made| made.execution == *self.execution);
            made.any(|made| made.process.name == *process && !made.state.contains("Job"))
        };
        let well = plan.rate == 0 && !plan.trouble && !plan.api_crashes;
        // Who asks too late waits for the next time where that is soon.
        let in_flight = if well { 1 } else { 2 };
        for (process, times) in after {
            if times > in_flight && !calls(process) {
                wrong.push(format!("{name} was asked for {times} times by {process} after it was all over"));
            }
        }
        let mut due = 0;
        let mut at = job.began;
        while at < end.min(stopped.plus_millis(LATE_MILLIS)) && due < 1_000 {
            at = poll_after(job.began, at);
            due += 1;
        }
        let most = if well { due + 1 } else { (due + 2) * TWICE_MAX };
        if job.polled.len() > most {
            let times = job.polled.len();
            wrong.push(format!("{name} was asked for {times} times; {due} times it was due"));
        }
    }
}
