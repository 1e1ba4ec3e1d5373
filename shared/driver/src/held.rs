//! An execution in hand: loaded, stepped, and appended to.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use asl::machine::Machine;
use asl::state::{Resource, StateKind};
use engine::{Call, DecodeError, EffectId, Env, Execution, Input, Snapshot, Verdict};
use integrations::Job;
use journal::StoreError;
use journal::execution::{AppendError, Ending, First, Loaded, Meta, Owner, Place, Record, Then, Writer};
use journal::payload::{self, Known, Pool};
use model::arn::{ActivityArn, ExecutionArn};
use model::history::HistoryEvent;
use model::json::Text;

use model::timestamp::Timestamp;
use ports::Row;

use crate::end::Ended;
use crate::message::{CANCEL_AGAIN_MILLIS, CANCEL_DELAYS_MILLIS, Message, News};
use crate::run::input_name;
use crate::state::{DeliveryId, Holder, Made, State, Step, Steps};
use crate::world::{Inner, WorldError};

/// An execution in hand. What was applied since the last append stands in the draft.
pub(crate) struct Held {
    pub arn: ExecutionArn,
    place: Place,
    pub meta: Arc<Meta>,
    /// Record 0; none for an execution that is about to be created.
    first: Option<First>,
    pub execution: Arc<Execution>,
    pub machine: Arc<Machine>,
    pub state: State,
    /// The newest record; none for an execution that is about to be created.
    pub seq: Option<u64>,
    /// How it ended, if it has.
    pub ending: Option<Ending>,
    draft: Draft,
    parked: Option<Row>,
    /// Earlier records with entries among the wake-ups, see [`Held::unpark`].
    superseded: Vec<Row>,
    known: Known,
    full: Full,
    missing_activities: Arc<[Text]>,
}

/// What was found of an execution.
pub(crate) enum Found {
    /// It goes on.
    Open(Box<Held>),
    /// It has ended.
    Ended(Box<Ended>),
}

/// What the next record will hold.
#[derive(Default)]
struct Draft {
    history: Vec<HistoryEvent>,
    steps: Steps,
    /// Calls claimed in it, to be started once it stands.
    claimed: Vec<Call>,
    /// Calls that nobody waits for any more.
    cancelled: Vec<EffectId>,
    /// Jobs that nobody waits for any more.
    jobs: Vec<Job>,
    /// When that was announced.
    announced_at: Option<Timestamp>,
    /// Something beside history has changed.
    dirty: bool,
    /// The nonce and the time of the record, kept over attempts to append it: the first may have
    /// been applied, and others count the time of its owner from then.
    writer: Option<(Writer, Timestamp)>,
}

impl Draft {
    /// What came of a step.
    fn add(&mut self, made: Made) {
        match self.history.is_empty() {
            true => self.history = made.history,
            false => self.history.extend(made.history),
        }
        self.cancelled.extend(made.cancelled);
        self.jobs.extend(made.jobs);
        self.dirty = true;
    }
}

/// What is known of the newest record with a state; bytes are with payloads.
#[derive(Clone, Copy, Default)]
struct Full {
    state_bytes: usize,
    records_since: u32,
    bytes_since: usize,
}

/// What is to be done now that a record stands.
#[derive(Default)]
pub(crate) struct Appended {
    /// Calls to start.
    pub start: Vec<Call>,
    /// Calls to abort.
    pub cancel: Vec<EffectId>,
    /// When the record was made.
    pub at: Timestamp,
}

impl Held {
    /// An execution that is about to be created.
    pub async fn new(world: &Inner, arn: ExecutionArn, meta: Arc<Meta>) -> Result<Held, WorldError> {
        let machine = machine_of(world, &arn, &meta).await?;
        let execution = Arc::new(meta.execution.clone());
        let snapshot = Snapshot::new(execution.clone());
        let mut held = Held {
            place: world.executions.place(&arn)?,
            arn,
            meta,
            first: None,
            execution,
            machine,
            state: State::new(snapshot),
            seq: None,
            ending: None,
            draft: Draft::default(),
            parked: None,
            superseded: Vec::new(),
            known: Known::default(),
            full: Full::default(),
            missing_activities: Arc::default(),
        };
        held.look_for_activities(world).await?;
        Ok(held)
    }

    /// The execution as it stands, or as it stood at record `newest` if that is there; none when it
    /// does not exist.
    pub async fn load(
        world: &Inner,
        arn: &ExecutionArn,
        newest: Option<u64>,
    ) -> Result<Option<Found>, WorldError> {
        let Some(loaded) = world.executions.load_from(arn, newest).await? else { return Ok(None) };
        if let Some(ending) = loaded.ending {
            let (meta, first) = (loaded.meta, loaded.first);
            return Ok(Some(Found::Ended(Box::new(Ended { meta, first, ending }))));
        }
        let machine = machine_of(world, arn, &loaded.meta).await?;
        let execution = Arc::new(loaded.meta.execution.clone());
        let snapshot = Snapshot::new(execution.clone());
        let mut held = Held {
            place: loaded.first.place().clone(),
            arn: arn.clone(),
            meta: loaded.meta.clone(),
            first: None,
            execution,
            machine,
            state: State::new(snapshot),
            seq: None,
            ending: None,
            draft: Draft::default(),
            parked: None,
            superseded: Vec::new(),
            known: Known::default(),
            full: Full::default(),
            missing_activities: Arc::default(),
        };
        held.replay(world, loaded).await?;
        held.look_for_activities(world).await?;
        Ok(Some(Found::Open(Box::new(held))))
    }

    /// Forgets what was not appended, and takes what others appended.
    pub async fn reload(&mut self, world: &Inner) -> Result<(), WorldError> {
        let loaded = world.executions.load(&self.arn).await?;
        let loaded =
            loaded.ok_or_else(|| StoreError::Damaged(format!("the records of {} are missing", self.arn)))?;
        self.draft = Draft::default();
        self.known.forget();
        self.replay(world, loaded).await
    }

    async fn replay(&mut self, world: &Inner, loaded: Loaded) -> Result<(), WorldError> {
        let Loaded { meta, first, seq, ending, records, parked } = loaded;
        self.seq = Some(seq);
        self.ending = ending;
        self.parked = parked;
        self.full = Full::default();
        if self.ending.is_some() {
            // Nothing is stepped any more, and what led to the end need not have been loaded: what
            // counts is which deliveries the last record took. None that was only tried counts.
            self.state.recent = match records.last() {
                Some(last) => self.deliveries(last)?,
                None => Vec::new(),
            };
            (self.meta, self.first) = (meta, Some(first));
            return Ok(());
        }
        for record in &records {
            match &record.state {
                Some(bytes) => {
                    let mut state = State::decode(bytes, self.execution.clone(), meta.input.clone())
                        .map_err(|error| self.unreadable(record, error))?;
                    record.pool.fill(&mut state)?;
                    world.executions.inline_beside(&mut state, &first, &meta.input).await?;
                    self.state = state;
                    let state_bytes = bytes.len() + record.pool.json_len();
                    self.full = Full { state_bytes, ..Full::default() };
                }
                None => {
                    let mut steps =
                        Steps::decode(&record.steps).map_err(|error| self.unreadable(record, error))?;
                    record.pool.fill(&mut steps)?;
                    world.executions.inline_beside(&mut steps, &first, &meta.input).await?;
                    self.repeat(record, steps)?;
                    self.full.records_since += 1;
                    self.full.bytes_since += record.steps.len() + record.pool.json_len();
                }
            }
        }
        (self.meta, self.first) = (meta, Some(first));
        Ok(())
    }

    /// A record whose state or steps cannot be read.
    fn unreadable(&self, record: &Record, error: DecodeError) -> StoreError {
        let said = format!("record {} of {}: {error}", record.seq, self.arn);
        match error {
            DecodeError::Version { .. } => StoreError::Version(said),
            DecodeError::Damaged(_) => StoreError::Damaged(said),
        }
    }

    /// The deliveries that a record is known to have taken.
    fn deliveries(&self, record: &Record) -> Result<Vec<(DeliveryId, Verdict)>, WorldError> {
        let damaged = |error| self.unreadable(record, error);
        if let Some(bytes) = &record.state {
            let input = self.meta.input.clone();
            return Ok(State::decode(bytes, self.execution.clone(), input).map_err(damaged)?.recent);
        }
        if record.steps.is_empty() {
            // It was written by whoever could not read the state.
            return Ok(Vec::new());
        }
        let steps = Steps::decode(&record.steps).map_err(damaged)?.steps;
        Ok(steps.into_iter().filter_map(|step| Some((step.delivery?, Verdict::Accepted))).collect())
    }

    /// Does again what a record did: the engine gives the same for the same.
    fn repeat(&mut self, record: &Record, steps: Steps) -> Result<(), WorldError> {
        for step in steps.steps {
            let mut env = Env::new(step.now, step.seed);
            env.limits = step.limits;
            env.missing_activities = step.missing_activities.into();
            let transition = self.step(&step.input, &env)?;
            self.state.take(&step.input, step.now, step.delivery, transition);
        }
        for effect in steps.closed {
            self.state.close(effect);
        }
        if let Some(owner) = record.owner {
            for (effect, repeatable) in steps.claimed {
                self.state.claim(effect, owner, record.at, repeatable);
            }
        }
        Ok(())
    }

    /// Gives an input to the engine. What comes of it is in the draft until the next append. A
    /// delivery that was taken before is answered as then.
    pub fn apply(
        &mut self,
        world: &Inner,
        input: Input,
        delivery: Option<DeliveryId>,
    ) -> Result<Verdict, WorldError> {
        self.apply_at(world, world.now(), input, delivery)
    }

    /// The same for something that is known as it was at `now`, a little ago.
    pub fn apply_at(
        &mut self,
        world: &Inner,
        now: Timestamp,
        input: Input,
        delivery: Option<DeliveryId>,
    ) -> Result<Verdict, WorldError> {
        if let Some(verdict) = delivery.and_then(|delivery| self.state.taken(delivery)) {
            return Ok(verdict);
        }
        let seed = world.random()?;
        let mut env = Env::new(now, seed);
        env.limits = world.limits;
        env.missing_activities = self.missing_activities.clone();
        let transition = self.step(&input, &env)?;
        let made = self.state.take(&input, now, delivery, transition);
        let verdict = made.verdict;
        if verdict != Verdict::Accepted {
            // Nothing has changed; nobody need remember it.
            self.state.recent.retain(|(taken, _)| Some(*taken) != delivery);
            return Ok(verdict);
        }
        self.draft.add(made);
        self.draft.steps.steps.push(Step {
            input,
            delivery,
            now,
            seed,
            limits: world.limits,
            missing_activities: self.missing_activities.to_vec(),
        });
        Ok(verdict)
    }

    fn step(&mut self, input: &Input, env: &Env) -> Result<engine::Transition, WorldError> {
        let empty = Snapshot::new(self.execution.clone());
        let snapshot = std::mem::replace(&mut self.state.snapshot, empty);
        let machine = &self.machine;
        // Nothing of the snapshot is used after a panic, so that half a step is never seen.
        catch_unwind(AssertUnwindSafe(|| engine::step(machine, snapshot, input.clone(), env))).map_err(
            |panic| WorldError::Panicked {
                seq: self.seq.unwrap_or(0),
                input: input_name(input),
                message: panic_message(panic.as_ref()),
            },
        )
    }

    /// Ends the execution without interpreting it, because that has failed too often.
    pub fn give_up(&mut self, world: &Inner, failure: model::error::Failure) -> Result<(), WorldError> {
        let mut env = Env::new(world.now(), world.random()?);
        env.limits = world.limits;
        let empty = Snapshot::new(self.execution.clone());
        let snapshot = std::mem::replace(&mut self.state.snapshot, empty);
        let transition = engine::give_up(snapshot, failure, &env);
        let made = self.state.take(&Input::Continue, env.now, None, transition);
        self.draft.add(made);
        // Such a record cannot be repeated by stepping: it carries its state.
        self.full.records_since = u32::MAX;
        Ok(())
    }

    /// A call waits for somebody else now.
    pub fn close(&mut self, effect: EffectId) {
        self.state.close(effect);
        self.draft.steps.closed.push(effect);
        self.draft.dirty = true;
    }

    /// Claims every call that nobody has for `owner`, with the next record.
    pub fn claim(&mut self, owner: Owner, at: Timestamp, repeatable: impl Fn(&Call) -> bool) {
        let calls: Vec<(EffectId, bool)> =
            self.state.unclaimed().map(|call| (call.effect, repeatable(call))).collect();
        for (effect, repeatable) in calls {
            if let Some(call) = self.state.claim(effect, owner, at, repeatable) {
                self.draft.claimed.push(call);
                self.draft.steps.claimed.push((effect, repeatable));
                self.draft.dirty = true;
            }
        }
    }

    /// Nobody has this call: its owner is gone, and it is safe to repeat.
    pub fn release(&mut self, effect: EffectId) {
        for open in &mut self.state.open {
            if let (true, Holder::Owner { call: Some(call), .. }) = (open.effect == effect, &open.holder) {
                open.holder = Holder::Nobody(call.clone());
            }
        }
        // Not a step that a replay knows.
        self.full.records_since = u32::MAX;
        self.draft.dirty = true;
    }

    /// A claimed call that was not started after all is nobody's again.
    pub fn unclaim(&mut self, call: Call) {
        for open in &mut self.state.open {
            if open.effect == call.effect {
                open.holder = Holder::Nobody(Box::new(call.clone()));
            }
        }
        self.full.records_since = u32::MAX;
        self.draft.dirty = true;
    }

    /// Whether there is anything to append.
    pub fn changed(&self) -> bool {
        self.draft.dirty
    }

    /// Whether the engine was cut short.
    pub fn more(&self) -> bool {
        self.ending.is_none() && self.state.snapshot.more()
    }

    /// When the engine wants to be woken.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.state.snapshot.wake_at()
    }

    /// Whether the newest record has an entry among the wake-ups.
    pub fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    /// Appends the draft, or creates the execution with it. `owner`: who may start the calls
    /// claimed in it. After a conflict the draft is void: reload.
    pub async fn append(&mut self, world: &Inner, owner: Option<Owner>) -> Result<Appended, AppendFailed> {
        let (writer, at) = match self.draft.writer {
            Some(writer) => writer,
            None => (Writer(world.random()?), world.now()),
        };
        self.draft.writer = Some((writer, at));
        self.announce_cancels(world, writer).await?;
        let scope = self.place.scope();
        let config = world.executions.store().config();
        let (mut blobs, mut pool) = (Vec::new(), Pool::default());
        let inline_max = config.payload_bytes_inline_max;
        let (steps, state) = if self.wants_state(config) {
            let outlined =
                payload::outline(&mut self.state, scope, inline_max, &mut self.known, Some(&mut pool));
            let bytes = self.state.encode();
            blobs.extend(outlined.blobs.iter().cloned());
            payload::restore(&mut self.state, outlined);
            (bytes::Bytes::new(), Some(bytes))
        } else {
            let mut steps = self.draft.steps.clone();
            let outlined = payload::outline(&mut steps, scope, inline_max, &mut self.known, Some(&mut pool));
            blobs.extend(outlined.blobs);
            (steps.encode(), None)
        };
        let payload_bytes = pool.json_len();
        let step_bytes = steps.len() + payload_bytes;
        let state_bytes = state.as_ref().map(|state| state.len() + payload_bytes);
        let seq = self.next_seq();
        let record = Record {
            seq,
            writer,
            owner,
            at,
            last_event_id: self.state.snapshot.last_event_id(),
            history: self.draft.history.clone(),
            pool,
            steps,
            state,
        };
        let ending = record.ending();
        let wake_at = self.parks_until(world);
        let appended = match self.seq {
            None => {
                // META names an end once those who are to be told of it were.
                let closed = ending.clone().filter(|ending| !world.tells(&self.meta, ending.status));
                let meta = Meta { ending: closed, ..(*self.meta).clone() };
                world.executions.create(&self.place, &meta, record, wake_at, blobs, &mut self.known).await
            }
            Some(_) => {
                let then = match (&ending, wake_at) {
                    (Some(ending), _) if !world.closes(&self.meta, ending.status) => Then::IsOver(&self.meta),
                    (None, Some(at)) => Then::Wakes(at),
                    _ => Then::GoesOn,
                };
                world.executions.append(&self.place, record, then, blobs, &mut self.known).await
            }
        };
        let appended = match appended {
            Ok(appended) => appended,
            Err(AppendError::Conflict { .. }) => return Err(AppendFailed::Conflict),
            Err(AppendError::Store(error)) => {
                // Which blobs were written is not known.
                self.known.forget();
                return Err(AppendFailed::World(error.into()));
            }
        };
        self.seq = Some(seq);
        self.first = appended.first.or_else(|| self.first.take());
        self.ending = ending;
        match state_bytes {
            Some(state_bytes) => self.full = Full { state_bytes, ..Full::default() },
            None => {
                self.full.records_since += 1;
                self.full.bytes_since += step_bytes;
            }
        }
        let superseded = std::mem::replace(&mut self.parked, appended.parked);
        let draft = std::mem::take(&mut self.draft);
        self.known.let_go();
        self.superseded.extend(superseded);
        Ok(Appended { start: draft.claimed, cancel: draft.cancelled, at })
    }

    /// The number of the next record.
    fn next_seq(&self) -> u64 {
        self.seq.map_or(0, |seq| seq + 1)
    }

    /// Whoever appends the record may have no way to end jobs, or stop right behind it. So what it
    /// cancels is announced before, to a driver that looks a little later whether it stands.
    async fn announce_cancels(&mut self, world: &Inner, writer: Writer) -> Result<(), WorldError> {
        let now = world.now();
        let announced = self.draft.announced_at.is_some_and(|at| now.millis_since(at) < CANCEL_AGAIN_MILLIS);
        if self.draft.jobs.is_empty() || announced {
            return Ok(());
        }
        let seq = self.next_seq();
        for job in &self.draft.jobs {
            let news = News::Cancel { job: Box::new(job.clone()), seq, writer, looks: 0 };
            let message = Message { execution: self.arn.clone(), news };
            world.send(&message, CANCEL_DELAYS_MILLIS[0]).await?;
        }
        self.draft.announced_at = Some(now);
        Ok(())
    }

    /// Whether the next record carries the state: always while that is small, else once the steps
    /// since the last one weigh as much.
    fn wants_state(&self, config: &journal::Config) -> bool {
        let Full { state_bytes, records_since, bytes_since } = self.full;
        self.seq.is_none()
            || state_bytes <= config.state_bytes_always
            || records_since >= config.stateless_records_max
            || bytes_since >= state_bytes
    }

    /// Publishes the end, and writes it into META.
    pub async fn ended(&self, world: &Inner, ending: &Ending, again: bool) -> Result<(), WorldError> {
        let Some(first) = self.first.clone() else { return Ok(()) };
        world.ended(&Ended { meta: self.meta.clone(), first, ending: ending.clone() }, again).await
    }

    /// Removes the wake-ups of records that are not the newest any more. Only once whatever happens
    /// next has a message or a wake-up of its own: until then they bring the execution back should
    /// this process stop, whose messages others may have taken for theirs.
    pub async fn unpark(&mut self, world: &Inner) {
        for superseded in std::mem::take(&mut self.superseded) {
            // Left behind, it is found stale when it is due; no reason to stop.
            if let Err(error) = world.executions.unpark(superseded).await {
                tracing::debug!(execution = %self.arn, %error, "a wake-up was left behind");
            }
        }
    }

    /// When the wake-up is too far for a message, and nothing happens before: then its record is
    /// entered among the wake-ups.
    fn parks_until(&self, world: &Inner) -> Option<Timestamp> {
        let at = self.wake_at()?;
        let waits = self.state.waits_for_jobs() && !self.state.snapshot.more();
        (waits && at.millis_since(world.now()) > world.config.delay_millis_max).then_some(at)
    }

    /// Makes a parking record of a draft that may be empty.
    pub fn touch(&mut self) {
        self.draft.dirty = true;
    }

    /// Which activities of the machine do not exist at this time.
    pub async fn look_for_activities(&mut self, world: &Inner) -> Result<(), WorldError> {
        let mut missing: BTreeMap<Text, bool> = BTreeMap::new();
        for state in &self.machine.states {
            let StateKind::Task(task) = &state.kind else { continue };
            let Resource::Activity { arn } = &task.resource else { continue };
            if missing.contains_key(arn) {
                continue;
            }
            let exists = match ActivityArn::parse(arn) {
                Ok(activity) => world.machines.registry().activity_exists(&activity).await?,
                Err(_) => false,
            };
            missing.insert(arn.clone(), !exists);
        }
        missing.retain(|_, is_missing| *is_missing);
        self.missing_activities = match missing.is_empty() {
            true => Arc::default(),
            false => missing.into_keys().collect(),
        };
        Ok(())
    }
}

/// Why a draft was not appended.
#[derive(Debug)]
pub(crate) enum AppendFailed {
    /// Somebody else appended first: reload and apply again.
    Conflict,
    /// It may be appended again as it is.
    World(WorldError),
}

impl<E: Into<WorldError>> From<E> for AppendFailed {
    fn from(error: E) -> AppendFailed {
        AppendFailed::World(error.into())
    }
}

async fn machine_of(world: &Inner, arn: &ExecutionArn, meta: &Meta) -> Result<Arc<Machine>, WorldError> {
    Ok(world.machines.get(&arn.state_machine(), &meta.revision_id).await?)
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
