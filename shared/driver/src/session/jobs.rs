//! Jobs: what `.sync` calls have started, and nobody holds the execution for.
//!
//! One message after the other brings a session that asks how a job goes. The first is sent before the
//! record that says that the job has started; whoever receives one sends the next before it is deleted,
//! as long as the task is open. So there is one such message at all times, whoever crashes when; where
//! there are two, because one was delivered twice, they come at the same times, since those follow from
//! the start of the job alone, and are one again once the same session has both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{Call, EffectId, Input};
use integrations::Job;
use journal::execution::Writer;
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
    /// Those whose messages are in hand, and when each is to be asked for.
    next: BTreeMap<EffectId, Timestamp>,
    /// Those of them that are asked for now.
    asking: BTreeSet<EffectId>,
    /// Those that something may have changed about.
    nudged: BTreeSet<EffectId>,
    /// When each was asked for last.
    polled: BTreeMap<EffectId, Timestamp>,
    /// Calls whose jobs no record knows of yet.
    started: BTreeMap<EffectId, Started>,
}

struct Started {
    call: Box<Call>,
    /// The first message about its job is sent.
    announced: bool,
}

impl Jobs {
    /// Whether the session has asked for this job.
    pub(super) fn is_polled(&self, effect: EffectId) -> bool {
        self.polled.contains_key(&effect)
    }

    fn expect(&mut self, effect: EffectId, at: Timestamp) {
        self.next.entry(effect).and_modify(|next| *next = at.min(*next)).or_insert(at);
    }

    /// The record stands that says which jobs have started.
    pub(super) fn note_started(&mut self) {
        self.started.clear();
    }
}

/// The shortest time between two questions.
const PAUSE_MILLIS_MIN: i64 = 1_000;

impl Session<'_> {
    /// A message says that a job is to be asked for.
    pub(super) fn ask(&mut self, effect: EffectId, at: Option<Timestamp>) {
        let Some(at) = at else {
            // It has other messages, which go on if this one comes to nothing.
            self.jobs.nudged.insert(effect);
            return;
        };
        // Another message about the same time.
        if self.jobs.polled.get(&effect).is_none_or(|polled| *polled < at) {
            self.jobs.expect(effect, at);
        }
    }

    /// Whether the session asks for jobs: as long as it starts calls, and while calls are held to their
    /// end, since messages about the execution come here until then.
    pub(super) fn polls(&self, starts: bool) -> bool {
        starts || (!*self.shared.closing.borrow() && self.calls.any_is_made())
    }

    /// Asks for every job that it is time for.
    pub(super) fn poll_due(&mut self) {
        let now = self.world().now();
        let open = &self.held.state.open;
        let is_open = |effect: &EffectId| open.iter().any(|open| open.effect == *effect);
        self.jobs.next.retain(|effect, _| is_open(effect));
        self.jobs.nudged.retain(is_open);
        let due: BTreeSet<EffectId> =
            self.jobs.next.iter().filter(|(_, at)| **at <= now).map(|(effect, _)| *effect).collect();
        for effect in due.union(&self.jobs.nudged).copied().collect::<Vec<_>>() {
            if self.calls.contains(effect) {
                continue;
            }
            if let Some(job) = self.held.state.job(effect) {
                self.jobs.nudged.remove(&effect);
                if due.contains(&effect) {
                    self.jobs.next.remove(&effect);
                    self.jobs.asking.insert(effect);
                }
                self.jobs.polled.insert(effect, now);
                self.calls.poll(job.clone(), &self.shared.tasks, &self.held.execution);
            }
        }
    }

    /// When a job is to be asked for that is not asked now.
    pub(super) fn next_poll_at(&self) -> Option<Timestamp> {
        let waits =
            |effect: &EffectId| self.held.state.job(*effect).is_some() && !self.calls.contains(*effect);
        self.jobs.next.iter().filter(|(effect, _)| waits(effect)).map(|(_, at)| *at).min()
    }

    /// Sends the next message about every job whose message is in hand.
    pub(super) async fn send_polls(&mut self, world: &Inner) -> Result<(), WorldError> {
        let now = world.now();
        while let Some((effect, at)) = self.jobs.next.first_key_value().map(|(effect, at)| (*effect, *at)) {
            let holder = self.held.state.open.iter().find(|open| open.effect == effect);
            let at = holder.map(|open| match open.holder {
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
        let news = News::Poll { effect, at: Some(at) };
        let message = Message { execution: self.held.arn.clone(), news };
        world.send(&message, at.millis_since(world.now())).await
    }

    /// A call was accepted, and its job runs.
    pub(super) fn started(&mut self, call: Box<Call>, output: Value) {
        let effect = call.effect;
        self.inputs.push((Input::TaskSubmitted { effect, output }, None));
        self.jobs.started.insert(effect, Started { call, announced: false });
    }

    /// The record is about to be appended that says which jobs have started. Whoever appends it may
    /// stop right behind it, and others may have deleted its messages: they can come twice.
    pub(super) async fn announce_started(&mut self, world: &Inner) -> Result<(), WorldError> {
        let started = self.jobs.started.iter().filter(|(_, started)| !started.announced);
        for effect in started.map(|(effect, _)| *effect).collect::<Vec<_>>() {
            if let Some(job) = self.held.state.job(effect) {
                let at = self.shared.tasks.next_poll(job, job.since);
                self.send_poll(world, effect, at).await?;
            }
            if let Some(started) = self.jobs.started.get_mut(&effect) {
                started.announced = true;
            }
        }
        Ok(())
    }

    /// The engine did not take this. A job that it speaks of has nobody who waits for it.
    pub(super) fn refused(&mut self, input: &Input) {
        if let Input::TaskSubmitted { effect, output } = input
            && let Some(started) = self.jobs.started.remove(effect)
        {
            self.cancel_started(*started.call, output.clone());
        }
    }

    /// Ends a job that no record knows of.
    pub(super) fn cancel_started(&mut self, call: Call, output: Value) {
        let job = Job { call, output, since: self.world().now() };
        self.calls.cancel(job, &self.shared.tasks, &self.held.execution);
    }

    /// A message says that a record was to cancel a job.
    pub(super) async fn cancel_if_due(
        &mut self,
        world: &Inner,
        cancel: &Cancel<'_>,
    ) -> Result<(), WorldError> {
        if cancel.is_due(world, &self.held.arn).await? {
            self.calls.cancel(cancel.job.clone(), &self.shared.tasks, &self.held.execution);
        }
        Ok(())
    }

    /// The job runs.
    pub(super) fn runs(&mut self, effect: EffectId) {
        let now = self.world().now();
        if self.jobs.asking.remove(&effect)
            && let Some(job) = self.held.state.job(effect)
        {
            let next = self.shared.tasks.next_poll(job, now).max(now.plus_millis(PAUSE_MILLIS_MIN));
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

/// What a [`News::Cancel`] says.
pub(super) struct Cancel<'a> {
    job: &'a Job,
    seq: u64,
    writer: Writer,
    looks: u32,
}

impl<'a> Cancel<'a> {
    /// What this news says, if that is it.
    pub fn of(news: &'a News) -> Option<Cancel<'a>> {
        match news {
            News::Cancel { job, seq, writer, looks } => {
                Some(Cancel { job, seq: *seq, writer: *writer, looks: *looks })
            }
            _ => None,
        }
    }

    /// Whether the record stands. If it may come yet, a message looks for it once more, unless that
    /// was often enough; where another has its number, its writer has lost.
    async fn is_due(&self, world: &Inner, arn: &ExecutionArn) -> Result<bool, WorldError> {
        if let Some(writer) = world.executions.writer(arn, self.seq).await? {
            return Ok(writer == self.writer);
        }
        let looks = self.looks + 1;
        let delay = usize::try_from(looks).ok().and_then(|looks| CANCEL_DELAYS_MILLIS.get(looks));
        if let Some(delay) = delay {
            let (job, seq, writer) = (Box::new(self.job.clone()), self.seq, self.writer);
            let news = News::Cancel { job, seq, writer, looks };
            world.send(&Message { execution: arn.clone(), news }, *delay).await?;
        }
        Ok(false)
    }

    /// Does what it says where nobody holds the execution, which it leaves as it is.
    pub async fn perform(&self, shared: &Shared, arn: &ExecutionArn) -> Result<(), WorldError> {
        let world = &*shared.world;
        if !self.is_due(world, arn).await? {
            return Ok(());
        }
        let Some(loaded) = world.executions.load(arn).await? else { return Ok(()) };
        let mut calls = Calls::default();
        calls.cancel(self.job.clone(), &shared.tasks, &Arc::new(loaded.meta.execution.clone()));
        while !calls.is_empty() {
            calls.next().await;
        }
        Ok(())
    }
}
