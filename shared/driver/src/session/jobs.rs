//! Jobs: what `.sync` calls have started, and nobody holds the execution for.
//!
//! One session after the other asks how a job goes, each brought by a message of the one before. The
//! first message is sent before the record that says that a job has started, since whoever appends that
//! may stop right behind it, and another delivery of what brought it may be deleted already; one that a message came to again,
//! whose receiver may have been responsible, sends one for every job. All others leave jobs alone, so
//! that there is one such message at a time; where there are two, they come at the same times, since
//! those follow from the start of the job alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{Call, EffectId, Input};
use integrations::Job;
use journal::execution::Meta;
use model::arn::ExecutionArn;
use model::json::Value;
use model::timestamp::Timestamp;

use super::{Session, Shared};
use crate::calls::{Calls, Came};
use crate::message::{CANCEL_DELAYS_MILLIS, Message, News};
use crate::state::Holder;
use crate::world::{Inner, WorldError};

/// What a session has to do about jobs.
#[derive(Default)]
pub(super) struct Jobs {
    /// Those that it is responsible for, and when each is to be asked for.
    next: BTreeMap<EffectId, Timestamp>,
    /// When each was asked for last.
    polled: BTreeMap<EffectId, Timestamp>,
    /// Calls whose jobs no record knows of yet.
    started: BTreeMap<EffectId, Box<Call>>,
    /// Those of them whose first message is sent.
    announced: BTreeSet<EffectId>,
}

impl Jobs {
    /// Whether the session has asked for this job.
    pub(super) fn is_polled(&self, effect: EffectId) -> bool {
        self.polled.contains_key(&effect)
    }

    fn expect(&mut self, effect: EffectId, at: Timestamp) {
        self.next.entry(effect).and_modify(|next| *next = at.min(*next)).or_insert(at);
    }
}

/// The shortest time between two questions.
const PAUSE_MILLIS_MIN: i64 = 1_000;

impl Session<'_> {
    /// A message says that a job is to be asked for.
    pub(super) fn ask(&mut self, effect: EffectId, at: Option<Timestamp>) {
        let Some(at) = at else { return self.jobs.expect(effect, self.world().now()) };
        // Another message about the same time.
        if self.jobs.polled.get(&effect).is_none_or(|polled| *polled < at) {
            self.jobs.expect(effect, at);
        }
    }

    /// Whoever was to ask for jobs next may be gone.
    pub(super) fn ask_for_all(&mut self) {
        let now = self.world().now();
        let all: Vec<_> =
            self.held.state.jobs().map(|(effect, job)| (effect, self.after(job, now))).collect();
        for (effect, at) in all {
            self.jobs.expect(effect, at);
        }
    }

    /// When a job is to be asked for next.
    fn after(&self, job: &Job, now: Timestamp) -> Timestamp {
        self.shared.tasks.next_poll(job, now).max(now.plus_millis(PAUSE_MILLIS_MIN))
    }

    /// Asks for every job that it is time for, also when the shift has ended and a call keeps the
    /// session: whoever asks holds nothing for long.
    pub(super) fn poll_due(&mut self) {
        let now = self.world().now();
        let open = &self.held.state.open;
        self.jobs.next.retain(|effect, _| open.iter().any(|open| open.effect == *effect));
        let due: Vec<EffectId> =
            self.jobs.next.iter().filter(|(_, at)| **at <= now).map(|(effect, _)| *effect).collect();
        for effect in due {
            if self.calls.contains(effect) {
                continue;
            }
            if let Some(job) = self.held.state.job(effect) {
                self.jobs.next.remove(&effect);
                self.jobs.polled.insert(effect, now);
                self.calls.poll(job.clone(), &self.shared.tasks, &self.held.execution);
            }
        }
    }

    /// When a job is to be asked for that is not asked now; never by a driver that is closing, which
    /// leaves it to others.
    pub(super) fn next_poll_at(&self) -> Option<Timestamp> {
        if *self.shared.closing.borrow() {
            return None;
        }
        let waits =
            |effect: &EffectId| self.held.state.job(*effect).is_some() && !self.calls.contains(*effect);
        self.jobs.next.iter().filter(|(effect, _)| waits(effect)).map(|(_, at)| *at).min()
    }

    /// Leaves what it is responsible for to those who come.
    pub(super) async fn send_polls(&mut self, world: &Inner) -> Result<(), WorldError> {
        let now = world.now();
        while let Some((effect, at)) = self.jobs.next.first_key_value().map(|(effect, at)| (*effect, *at)) {
            let open = self.held.state.open.iter().find(|open| open.effect == effect);
            let at = open.map(|open| match open.holder {
                Holder::Job(_) => at,
                // The record that says that the job has started may be on its way.
                Holder::Nobody(_) | Holder::Owner { .. } => now.plus_millis(world.config.lease_millis),
            });
            if let Some(at) = at {
                self.send_poll(world, effect, at).await?;
            }
            self.jobs.next.remove(&effect);
        }
        Ok(())
    }

    async fn send_poll(&self, world: &Inner, effect: EffectId, at: Timestamp) -> Result<(), WorldError> {
        let message = Message::new(self.held.arn.clone(), News::Poll { effect, at: Some(at) });
        world.send(&message, at.millis_since(world.now())).await
    }

    /// The record is about to be appended that says which jobs have started.
    pub(super) async fn announce_started(&mut self, world: &Inner) -> Result<(), WorldError> {
        let started = self.jobs.started.keys().filter(|effect| !self.jobs.announced.contains(effect));
        for effect in started.copied().collect::<Vec<_>>() {
            if let Some(job) = self.held.state.job(effect) {
                let first = self.after(job, job.since);
                self.send_poll(world, effect, first).await?;
                self.jobs.announced.insert(effect);
            }
        }
        Ok(())
    }

    /// A call was accepted, and its job runs.
    pub(super) fn started(&mut self, call: Box<Call>, output: Value) {
        let effect = call.effect;
        self.inputs.push((Input::TaskSubmitted { effect, output }, None));
        self.jobs.started.insert(effect, call);
    }

    /// The record stands that says which jobs have started.
    pub(super) fn note_started(&mut self) {
        self.jobs.started.clear();
        self.jobs.announced.clear();
    }

    /// The engine did not take this. A job that it speaks of has nobody who waits for it.
    pub(super) fn refused(&mut self, input: &Input) {
        if let Input::TaskSubmitted { effect, output } = input
            && let Some(call) = self.jobs.started.remove(effect)
        {
            self.cancel_started(*call, output.clone());
        }
    }

    /// Ends a job that no record knows of.
    pub(super) fn cancel_started(&mut self, call: Call, output: Value) {
        let job = Job { call, output, since: self.world().now() };
        self.calls.cancel(job, &self.shared.tasks, &self.held.execution);
    }

    /// Ends a job, unless its task waits for it still.
    pub(super) fn cancel_unless_open(&mut self, job: Job) {
        if self.held.state.job(job.call.effect).is_none() {
            self.calls.cancel(job, &self.shared.tasks, &self.held.execution);
        }
    }

    /// The job runs.
    pub(super) fn runs(&mut self, effect: EffectId) {
        let now = self.world().now();
        if let Some(job) = self.held.state.job(effect) {
            let next = self.after(job, now);
            self.jobs.expect(effect, next);
        }
    }

    /// The execution has ended: waits until the jobs have that are to end with it.
    pub(super) async fn end_jobs(&mut self) {
        for (input, _) in std::mem::take(&mut self.inputs) {
            self.refused(&input);
        }
        while !self.calls.is_empty() {
            if let Some(Came::Orphan(call, output)) = self.calls.next().await {
                self.cancel_started(*call, output);
            }
        }
    }
}

/// Ends a job of an execution that has ended.
pub(super) async fn cancel(shared: &Shared, meta: &Meta, job: Job) {
    let mut calls = Calls::default();
    calls.cancel(job, &shared.tasks, &Arc::new(meta.execution.clone()));
    while !calls.is_empty() {
        calls.next().await;
    }
}

/// The task of a job that was to be cancelled waits for it still: the record that says otherwise is
/// looked for once more, unless that was often enough.
pub(super) async fn look_again(
    world: &Inner,
    arn: &ExecutionArn,
    job: &Job,
    looks: u32,
) -> Result<(), WorldError> {
    let looks = looks + 1;
    let delay = usize::try_from(looks).ok().and_then(|looks| CANCEL_DELAYS_MILLIS.get(looks));
    let Some(delay) = delay else { return Ok(()) };
    let news = News::Cancel { job: Box::new(job.clone()), looks };
    world.send(&Message::new(arn.clone(), news), *delay).await
}
