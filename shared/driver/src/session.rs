//! The session: one execution in the hands of one driver, from a message to a rest.

mod jobs;

use std::collections::VecDeque;
use std::sync::Arc;

use engine::{EffectId, Input, Verdict};
use integrations::Tasks;
use journal::execution::{AppendError, Meta, Owner, Writer};
use model::arn::ExecutionArn;
use model::error::{Failure, RUNTIME};
use model::timestamp::Timestamp;
use tokio::sync::watch;

use crate::calls::{Calls, Came};
use crate::door::{self, Announce, quarter_millis};
use crate::held::{AppendFailed, Appended, Found, Held};
use crate::mailbox::Mailbox;
use crate::message::{Message, News};
use crate::state::{DeliveryId, Holder};
use crate::world::{Inner, WorldError};
use jobs::{Cancel, Jobs};

/// What every session of a driver shares.
pub(crate) struct Shared {
    pub world: Arc<Inner>,
    pub tasks: Arc<dyn Tasks>,
    /// Who this driver is.
    pub me: Owner,
    /// True once no new calls are to be started.
    pub closing: watch::Receiver<bool>,
}

/// A message as it reaches a session.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub news: News,
    /// It was received before, and whoever had it did not come to an end.
    pub again: bool,
}

impl Arrival {
    /// The record that is the newest if nothing but this message has moved the execution.
    fn newest(&self) -> Option<u64> {
        match &self.news {
            _ if self.again => None,
            News::Start(_) => Some(0),
            News::Wake { seq, .. } => *seq,
            News::Input(..) | News::Poll { .. } | News::Cancel { .. } | News::Look => None,
        }
    }
}

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Everything that its messages announced is in the records, and whatever is to happen next
    /// has a message or a wake-up of its own: they can be deleted.
    Done,
    /// Its messages have to come again.
    Again,
}

/// One execution in hand.
struct Session<'a> {
    shared: &'a Shared,
    held: Box<Held>,
    calls: Calls,
    /// Messages that have not been looked at yet.
    arrivals: VecDeque<Arrival>,
    /// Others may have appended: what is in hand is to be loaded again.
    stale: bool,
    /// Inputs that are not in a record yet, in the order in which they came.
    inputs: Vec<(Input, Option<DeliveryId>)>,
    /// Calls that wait for somebody else now, which no record says yet.
    queued: Vec<EffectId>,
    jobs: Jobs,
    began: Timestamp,
    /// The message that began the session had been received before.
    again: bool,
    /// Something beside jobs has brought it here: it sees to it that whatever others have in hand
    /// comes to its end. A message about a job is no reason, since others have said so before.
    looks_after: bool,
    /// It was this session that ended the execution.
    ended: bool,
    /// A timer that is known to have a message of its own.
    announced: Option<Timestamp>,
}

/// Pauses between attempts grow up to so many times the first.
const PAUSE_FACTOR_MAX: i64 = 64;

/// What to do next.
enum Next {
    Go,
    Leave(Left),
}

/// Holds `arn` until it rests. `mailbox` brings further messages about it meanwhile.
pub(crate) async fn run(shared: &Shared, arn: &ExecutionArn, first: Arrival, mailbox: &Mailbox) -> Left {
    match hold(shared, arn, first, mailbox).await {
        Ok(left) => left,
        Err(error) => {
            failed(shared, arn, &error).await;
            Left::Again
        }
    }
}

async fn hold(
    shared: &Shared,
    arn: &ExecutionArn,
    mut first: Arrival,
    mailbox: &Mailbox,
) -> Result<Left, WorldError> {
    let world = &*shared.world;
    world.executions.inline(&mut first.news).await?;
    if let Some(cancel) = Cancel::of(&first.news) {
        cancel.perform(shared, arn).await?;
        return Ok(Left::Done);
    }
    let handed = match &first.news {
        // What was handed over is older than any job.
        News::Poll { .. } => None,
        _ => world.take_handed(arn).await,
    };
    let found = match handed {
        Some(held) => Some(Found::Open(held)),
        None => Held::load(world, arn, first.newest()).await?,
    };
    let found = match found {
        Some(found) => found,
        None => {
            let News::Start(begin) = &first.news else {
                // Its retention is over, or it never was.
                return Ok(Left::Done);
            };
            let mut meta = begin.meta()?;
            let received: &mut Meta = Arc::make_mut(&mut meta);
            world.executions.inline(received).await?;
            let age = world.now().millis_since(meta.execution.started_at);
            if age > world.executions.store().config().name_retention_millis {
                return Ok(Left::Done);
            }
            door::create(world, arn, meta, Announce::Done).await?;
            match Held::load(world, arn, None).await? {
                Some(found) => found,
                None => return Ok(Left::Again),
            }
        }
    };
    let held = match found {
        Found::Open(held) => held,
        Found::Ended(ended) => {
            match first.news {
                // Whoever ended it may have had a delivery of a message that another has deleted since.
                News::Start(_) | News::Input(..) | News::Poll { .. } if !first.again => {
                    world.ended_elsewhere(arn, &ended.meta, &ended.ending).await?;
                }
                _ => world.ended(&ended, first.again).await?,
            }
            return Ok(Left::Done);
        }
    };
    let mut session = Session {
        shared,
        held,
        calls: Calls::default(),
        arrivals: VecDeque::new(),
        stale: false,
        inputs: Vec::new(),
        queued: Vec::new(),
        jobs: Jobs::default(),
        began: world.now(),
        again: first.again,
        looks_after: false,
        ended: false,
        announced: None,
    };
    // The timer that is set now has a message of its own, unless it is this one.
    match &first.news {
        _ if first.again => {}
        News::Wake { at, .. } => {
            session.announced = session.held.wake_at().filter(|wake_at| wake_at != at);
        }
        News::Poll { .. } => session.announced = session.held.wake_at(),
        News::Start(_) | News::Input(..) | News::Cancel { .. } | News::Look => {}
    }
    session.arrivals.push_back(first);
    let pause_min = world.config.retry_millis;
    let mut pause = pause_min;
    loop {
        match session.turn(mailbox).await {
            Ok(Next::Go) => pause = pause_min,
            Ok(Next::Leave(left)) => return Ok(left),
            // Whoever leaves now aborts calls, or forgets what came of them.
            Err(error) if error.is_transient() && session.is_needed() => {
                tracing::debug!(execution = %arn, %error, "it is tried again");
                session.stale = true;
                world.sleep(pause).await;
                pause = pause.saturating_mul(2).min(pause_min.saturating_mul(PAUSE_FACTOR_MAX));
            }
            Err(error) => return Err(error),
        }
    }
}

impl Session<'_> {
    fn world(&self) -> &Inner {
        &self.shared.world
    }

    fn arrived(&mut self, arrival: Arrival) {
        let Arrival { news, again } = arrival;
        self.looks_after |= match &news {
            News::Poll { .. } => again,
            News::Cancel { .. } => false,
            News::Start(_) | News::Input(..) | News::Wake { .. } | News::Look => true,
        };
        match news {
            News::Input(id, input) => self.inputs.push((input, Some(id))),
            News::Poll { effect, at } => self.ask(effect, at),
            News::Start(_) | News::Wake { .. } | News::Cancel { .. } | News::Look => {}
        }
    }

    /// Whether something would be lost with the session: calls run, or what came of them is not
    /// in a record yet.
    fn is_needed(&self) -> bool {
        !self.calls.is_empty() || !self.inputs.is_empty() || !self.queued.is_empty()
    }

    /// Loads again what is in hand when it may be behind, and takes in what messages bring.
    async fn catch_up(&mut self) -> Result<(), WorldError> {
        let world = self.shared.world.clone();
        if self.stale {
            self.held.reload(&world).await?;
            self.drop_stale();
            self.stale = false;
        }
        while let Some(mut arrival) = self.arrivals.pop_front() {
            let taken = self.take_in(&world, &mut arrival).await;
            if taken.is_err() {
                self.arrivals.push_front(arrival);
                return taken;
            }
            self.arrived(arrival);
        }
        Ok(())
    }

    async fn take_in(&mut self, world: &Inner, arrival: &mut Arrival) -> Result<(), WorldError> {
        world.executions.inline(&mut arrival.news).await?;
        match Cancel::of(&arrival.news) {
            Some(cancel) => self.cancel_if_due(world, &cancel).await,
            None => Ok(()),
        }
    }

    /// Applies what there is, appends it, starts what it claims; then waits or leaves.
    async fn turn(&mut self, mailbox: &Mailbox) -> Result<Next, WorldError> {
        self.catch_up().await?;
        if let Some(ending) = self.held.ending.clone() {
            self.abort_all();
            if self.ended {
                self.held.ended(self.world(), &ending, self.again).await?;
            } else {
                self.world().ended_elsewhere(&self.held.arn, &self.held.meta, &ending).await?;
            }
            self.end_jobs().await;
            let world = self.shared.world.clone();
            self.held.unpark(&world).await;
            return Ok(Next::Leave(Left::Done));
        }
        self.apply_all().await?;
        let foreign_until = self.settle_owners().await?;
        let starts = !self.over() && !*self.shared.closing.borrow();
        if starts {
            let (me, now) = (self.shared.me, self.world().now());
            let tasks = &self.shared.tasks;
            self.held.claim(me, now, |call| tasks.is_repeatable(call));
        }
        if self.held.changed() {
            return self.append().await;
        }
        if self.polls(starts) {
            self.poll_due();
        }
        self.rest(mailbox, foreign_until, starts).await
    }

    /// Gives every input at hand to the engine, and what has fallen due.
    async fn apply_all(&mut self) -> Result<(), WorldError> {
        let world = self.shared.world.clone();
        if !self.inputs.is_empty() || self.held.more() {
            self.held.look_for_activities(&world).await?;
        }
        let mut kept = Vec::with_capacity(self.inputs.len());
        for (input, id) in std::mem::take(&mut self.inputs) {
            let verdict = self.held.apply(&world, input.clone(), id)?;
            if verdict == Verdict::Accepted {
                kept.push((input, id));
            } else {
                self.refused(&input);
            }
        }
        // Until they are appended: another writer may come first.
        self.inputs = kept;
        for effect in &self.queued {
            if self.held.state.open.iter().any(|open| open.effect == *effect) {
                self.held.close(*effect);
            }
        }
        if self.held.more() {
            self.held.apply(&world, Input::Continue, None)?;
        } else if self.held.wake_at().is_some_and(|at| at <= world.now()) {
            self.wake(&world).await?;
        }
        Ok(())
    }

    /// Whatever is due happens; but a worker that was heard in time is not timed out. It happens as
    /// of the time before the heartbeats were read: of those that came since, nothing is known.
    async fn wake(&mut self, world: &Inner) -> Result<(), WorldError> {
        let now = world.now();
        let silent: Vec<_> = self
            .held
            .state
            .snapshot
            .open_tasks()
            .filter(|task| task.heartbeat_at.is_some_and(|at| at <= now))
            .filter_map(|task| Some((task.effect, task.token?, task.heartbeat_seconds?)))
            .collect();
        for (effect, token, seconds) in silent {
            if let Some(noted) = world.executions.heartbeat(&self.held.arn, effect.0).await? {
                // More were accepted within a quarter of the time, which are not noted.
                let at = noted.plus_millis(quarter_millis(seconds));
                self.held.apply_at(world, now, Input::Heartbeat { token, at }, None)?;
            }
        }
        if self.held.wake_at().is_some_and(|at| at <= now) {
            self.held.apply_at(world, now, Input::Wake, None)?;
        }
        Ok(())
    }

    /// Takes calls from owners that are gone; says until when the others are alive.
    async fn settle_owners(&mut self) -> Result<Option<Timestamp>, WorldError> {
        let world = self.shared.world.clone();
        let mut until: Option<Timestamp> = None;
        let owned: Vec<_> = self
            .held
            .state
            .open
            .iter()
            .filter_map(|open| match &open.holder {
                Holder::Owner { owner, since, call } => {
                    let repeatable = call.as_ref().is_some_and(|call| self.shared.tasks.is_repeatable(call));
                    Some((open.effect, *owner, *since, repeatable))
                }
                Holder::Nobody(_) | Holder::Job(_) => None,
            })
            .collect();
        for (effect, owner, since, repeatable) in owned {
            if owner == self.shared.me {
                if self.calls.contains(effect) || self.is_settling(effect) {
                    continue;
                }
                // An earlier session of this driver claimed it and did not come to an end.
            } else {
                let alive_until = world.owner_until(owner, since, Some(self.shared.me)).await?;
                if alive_until > world.now() {
                    until = Some(until.map_or(alive_until, |until| until.min(alive_until)));
                    continue;
                }
            }
            if repeatable {
                self.held.release(effect);
            } else if self.held.apply(&world, Input::TaskLost { effect }, None)? != Verdict::Accepted {
                // Nobody waits for it.
                self.held.close(effect);
            }
        }
        Ok(until)
    }

    /// Whether what came of a call is at hand.
    fn is_settling(&self, effect: EffectId) -> bool {
        self.queued.contains(&effect)
            || self.inputs.iter().any(|(input, _)| {
                matches!(input, Input::TaskSettled { effect: settled, .. }
                    | Input::TaskSubmitted { effect: settled, .. } if *settled == effect)
            })
    }

    /// Whether the shift has ended: calls that run are held to their end, no new ones are begun.
    fn over(&self) -> bool {
        let world = self.world();
        world.config.shift_millis.is_some_and(|shift| world.now().millis_since(self.began) >= shift)
    }

    async fn append(&mut self) -> Result<Next, WorldError> {
        let world = self.shared.world.clone();
        let mut pause = world.config.retry_millis;
        loop {
            let appended = match self.announce_started(&world).await {
                Ok(()) => self.held.append(&world, Some(self.shared.me)).await,
                Err(error) => Err(error.into()),
            };
            match appended {
                Ok(appended) => {
                    self.ended = self.held.ending.is_some();
                    self.looks_after = true;
                    self.jobs.note_started();
                    self.inputs.clear();
                    self.queued.clear();
                    self.announced = None;
                    self.appended(&world, appended);
                    return Ok(Next::Go);
                }
                Err(AppendFailed::Conflict) => {
                    self.stale = true;
                    return Ok(Next::Go);
                }
                // It may stand already: only with the same draft is it known as one's own.
                Err(AppendFailed::World(error)) if error.is_transient() => {
                    if *self.shared.closing.borrow() && !self.is_needed() {
                        return Err(error);
                    }
                    tracing::debug!(execution = %self.held.arn, %error, "an append is tried again");
                    world.sleep(pause).await;
                    pause = pause
                        .saturating_mul(2)
                        .min(world.config.retry_millis.saturating_mul(PAUSE_FACTOR_MAX));
                }
                Err(AppendFailed::World(error)) => return Err(error),
            }
        }
    }

    fn appended(&mut self, world: &Inner, appended: Appended) {
        for effect in appended.cancel {
            self.calls.abandon(effect);
        }
        // Others may take this driver for dead before a call that is begun too late has ended;
        // such a claim is given back, which its next record does.
        let margin = world.config.lease_margin_millis;
        let late = !world.config.sole_owner
            && world.now().millis_since(appended.at) > world.config.lease_millis - margin;
        for call in appended.start {
            if late {
                self.held.unclaim(call);
            } else {
                self.calls.start(call, &self.shared.tasks, &self.held.execution);
            }
        }
        for came in self.calls.at_once() {
            self.came(Some(came));
        }
    }

    /// After others have appended: calls that nobody waits for any more are aborted.
    fn drop_stale(&mut self) {
        for effect in self.calls.effects() {
            match self.held.state.open.iter().find(|open| open.effect == effect).map(|open| &open.holder) {
                Some(Holder::Owner { owner, .. }) if *owner == self.shared.me => {}
                Some(Holder::Job(_)) if self.jobs.is_polled(effect) => {}
                Some(_) => self.calls.abort(effect),
                None => self.calls.abandon(effect),
            }
        }
    }

    fn abort_all(&mut self) {
        for effect in self.calls.effects() {
            self.calls.abandon(effect);
        }
    }

    /// Nothing is to be appended: waits for what comes next, or leaves.
    async fn rest(
        &mut self,
        mailbox: &Mailbox,
        foreign_until: Option<Timestamp>,
        starts: bool,
    ) -> Result<Next, WorldError> {
        let world = self.shared.world.clone();
        let poll_at = self.next_poll_at().filter(|_| self.polls(starts));
        let next_at = self.held.wake_at().into_iter().chain(poll_at).min();
        if self.calls.is_empty() {
            let soon =
                next_at.is_some_and(|at| at.millis_since(world.now()) <= world.config.sleep_millis_max);
            if !soon || !starts || foreign_until.is_some() {
                return self.leave(&world, foreign_until).await;
            }
        }
        let mut closing = self.shared.closing.clone();
        tokio::select! {
            biased;
            arrival = mailbox.next() => {
                self.arrivals.push_back(arrival);
                while let Some(arrival) = mailbox.take() {
                    self.arrivals.push_back(arrival);
                }
                // They may speak of records that others have appended.
                self.stale = true;
            }
            came = self.calls.next() => {
                self.came(came);
                while let Some(came) = self.calls.try_next() {
                    self.came(came);
                }
            }
            () = sleep_until(&world, next_at) => {}
            () = async { drop(closing.wait_for(|closing| *closing).await) }, if starts => {}
        }
        Ok(Next::Go)
    }

    fn came(&mut self, came: Option<Came>) {
        match came {
            Some(Came::Input(input)) => self.inputs.push((input, None)),
            Some(Came::Started(call, output)) => self.started(call, output),
            Some(Came::Running(effect)) => self.runs(effect),
            Some(Came::Orphan(call, output)) => self.cancel_started(*call, output),
            Some(Came::Queued(effect)) => self.queued.push(effect),
            None => {}
        }
    }

    /// Makes sure that whatever is to happen next has a message or a wake-up of its own.
    async fn leave(&mut self, world: &Inner, foreign_until: Option<Timestamp>) -> Result<Next, WorldError> {
        let now = world.now();
        let at = |at: Timestamp| at.millis_since(now).max(0);
        let look = Message::look(self.held.arn.clone());
        if let Some(until) = foreign_until {
            // Its owner brings it to rest; this looks after it in case the owner does not.
            let wait = self.held.wake_at().map_or(at(until), |wake_at| at(until).min(at(wake_at)));
            if self.looks_after {
                world.send(&look, wait.max(1)).await?;
            }
        } else if self.held.state.unclaimed().next().is_some() || self.held.more() {
            // Handed over: the shift has ended, or the driver is closing.
            world.send(&look, 0).await?;
        } else if let Some(wake_at) = self.held.wake_at() {
            if at(wake_at) <= world.config.delay_millis_max {
                if self.announced != Some(wake_at) {
                    let news = News::Wake { at: wake_at, seq: self.held.seq };
                    world.send(&Message { execution: self.held.arn.clone(), news }, at(wake_at)).await?;
                }
            } else if !self.held.is_parked() {
                self.held.touch();
                return self.append().await;
            }
        }
        self.send_polls(world).await?;
        self.held.unpark(world).await;
        Ok(Next::Leave(Left::Done))
    }
}

async fn sleep_until(world: &Inner, at: Option<Timestamp>) {
    match at {
        Some(at) => world.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A session that failed. Where the interpreter or the stored state is at fault, and has been
/// often enough, the execution is failed with the reason.
async fn failed(shared: &Shared, arn: &ExecutionArn, error: &WorldError) {
    let world = &*shared.world;
    let Some(seq) = error.poisons() else {
        tracing::warn!(execution = %arn, %error, "an execution is tried again later");
        return;
    };
    tracing::error!(execution = %arn, %error, "an execution could not be moved");
    let reason = error.to_string();
    match world.executions.poisoned(arn, seq, &reason).await {
        Ok(poison) if poison.count >= world.config.poison_attempts => {
            if let Err(error) = bury(world, arn, &reason).await {
                tracing::error!(execution = %arn, %error, "an execution could not be failed");
            }
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(execution = %arn, %error, "a failed step was not counted"),
    }
}

/// Fails an execution without interpreting it.
async fn bury(world: &Inner, arn: &ExecutionArn, reason: &str) -> Result<(), WorldError> {
    let failure = Failure::new(RUNTIME, reason);
    loop {
        let mut held = match Held::load(world, arn, None).await {
            Ok(Some(Found::Open(held))) => held,
            Ok(Some(Found::Ended(ended))) => return world.ended(&ended, false).await,
            Ok(None) => return Ok(()),
            Err(error) if error.poisons().is_some() => {
                let writer = Writer(world.random()?);
                match world.executions.fail_unread(arn, &failure, writer, world.now()).await {
                    Ok(()) | Err(AppendError::Conflict { .. }) => continue,
                    Err(AppendError::Store(error)) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error),
        };
        held.give_up(world, failure.clone())?;
        match held.append(world, None).await {
            Ok(_) | Err(AppendFailed::Conflict) => {}
            Err(AppendFailed::World(error)) => return Err(error),
        }
    }
}
