//! What both sides of the driver share: the door that inputs come through, and the sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use journal::execution::{Executions, Owner};
use journal::{Store, StoreError};
use model::arn::ExecutionArn;
use model::limits::Limits;
use model::timestamp::Timestamp;
use ports::{Bus, Clock, Queue, QueueError};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::held::Held;
use crate::machines::{MachineError, Machines};
use crate::message::Message;
use crate::seeds::Seeds;

/// Executions on their way from doors to the driver of this process.
const HANDED_MAX: usize = 4_096;

type Handed = HashMap<ExecutionArn, oneshot::Receiver<Box<Held>>, foldhash::fast::FixedState>;

/// What executions are driven with. Cheap to clone.
#[derive(Clone)]
pub struct World(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub executions: Executions,
    pub queue: Arc<dyn Queue>,
    pub bus: Arc<dyn Bus>,
    pub clock: Arc<dyn Clock>,
    pub machines: Machines,
    pub limits: Limits,
    pub config: Config,
    random: Mutex<Random>,
    /// Executions that doors of this process create, and that its driver goes on with instead of
    /// loading them. One that is out of date loses its first race, and is loaded then.
    handed: Mutex<Handed>,
    /// A driver of this process takes what is handed to it.
    drives: AtomicBool,
}

/// Random numbers, some of them fetched ahead.
struct Random {
    seeds: Seeds,
    ahead: Vec<u64>,
}

/// The parts of a [`World`].
pub struct WorldParts {
    /// Where executions are stored.
    pub store: Store,
    /// Where messages about them go.
    pub queue: Arc<dyn Queue>,
    /// Where their status changes are published.
    pub bus: Arc<dyn Bus>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random numbers come from.
    pub seeds: Seeds,
    /// The definitions they run.
    pub machines: Machines,
    /// The limits in force.
    pub limits: Limits,
    /// The thresholds of the protocol.
    pub config: Config,
}

/// Why an execution cannot be moved at this time. It is not a failure of the execution.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WorldError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The bus.
    #[error(transparent)]
    Bus(#[from] ports::BusError),
    /// The definition.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The interpreter failed: a defect of this program, not of the workflow.
    #[error(
        "the interpreter failed behind record {seq} on {input}: {message}; this is a defect, please report it"
    )]
    Panicked {
        /// The newest record.
        seq: u64,
        /// On which kind of input.
        input: &'static str,
        /// What the panic said.
        message: String,
    },
    /// The operating system has no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Random(String),
}

impl WorldError {
    /// The record that the interpreter or the stored state fails at, 0 where it is not known; none for
    /// what may pass, such as a record that another version of this program has written and reads.
    pub(crate) fn poisons(&self) -> Option<u64> {
        match self {
            WorldError::Panicked { seq, .. } => Some(*seq),
            WorldError::Machine(MachineError::Store(error)) | WorldError::Store(error) => {
                matches!(error, StoreError::Damaged(_)).then_some(0)
            }
            WorldError::Machine(_) => Some(0),
            _ => None,
        }
    }

    /// Whether it may pass by itself: trying again later can help.
    pub(crate) fn is_transient(&self) -> bool {
        let store = |error: &StoreError| match error {
            StoreError::Conflict
            | StoreError::Throttled
            | StoreError::Unknown(_)
            | StoreError::Unavailable(_) => true,
            StoreError::Refused(_) | StoreError::Damaged(_) | StoreError::Version(_) => false,
        };
        match self {
            WorldError::Store(error) | WorldError::Machine(MachineError::Store(error)) => store(error),
            WorldError::Queue(error) => matches!(error, QueueError::Throttled | QueueError::Unavailable(_)),
            WorldError::Bus(error) => {
                matches!(error, ports::BusError::Throttled | ports::BusError::Unavailable(_))
            }
            WorldError::Random(_) => true,
            WorldError::Machine(_) | WorldError::Panicked { .. } => false,
        }
    }
}

impl World {
    /// A world of these parts.
    pub fn new(parts: WorldParts) -> World {
        World(Arc::new(Inner {
            executions: Executions::new(parts.store),
            queue: parts.queue,
            bus: parts.bus,
            clock: parts.clock,
            machines: parts.machines,
            limits: parts.limits,
            config: parts.config,
            handed: Mutex::default(),
            drives: AtomicBool::new(false),
            random: Mutex::new(Random { seeds: parts.seeds, ahead: Vec::new() }),
        }))
    }

    /// The executions, to be read.
    pub fn executions(&self) -> &Executions {
        &self.0.executions
    }

    /// The definitions.
    pub fn machines(&self) -> &Machines {
        &self.0.machines
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}

impl Inner {
    pub fn random(&self) -> Result<u64, WorldError> {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(number) = random.ahead.pop() {
                return Ok(number);
            }
            random.ahead =
                random.seeds.next_seeds().map_err(|error| WorldError::Random(error.to_string()))?;
        }
    }

    /// From now on what doors create is handed to a driver of this process.
    pub fn drives(&self) {
        self.drives.store(true, Ordering::Relaxed);
    }

    /// Announces that `arn` is about to be created, before the message that says so is sent: the
    /// driver waits for it then. Dropped without an execution, it makes the driver load.
    pub fn hand(&self, arn: &ExecutionArn) -> Option<oneshot::Sender<Box<Held>>> {
        if !self.drives.load(Ordering::Relaxed) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        let mut handed = self.handed();
        if handed.len() >= HANDED_MAX {
            // The driver is not fast enough: they are loaded, as they would be elsewhere.
            handed.clear();
        }
        handed.insert(arn.clone(), receiver);
        Some(sender)
    }

    /// What a door of this process has handed over, or is about to.
    pub async fn take_handed(&self, arn: &ExecutionArn) -> Option<Box<Held>> {
        let receiver = self.handed().remove(arn)?;
        receiver.await.ok()
    }

    fn handed(&self) -> MutexGuard<'_, Handed> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn sleep(&self, millis: i64) {
        self.sleep_until(self.now().plus_millis(millis)).await;
    }

    /// Returns when it is `at`, not before.
    pub async fn sleep_until(&self, at: Timestamp) {
        while self.now() < at {
            self.clock.sleep_until(at).await;
        }
    }

    /// Sends a message that arrives after `delay_millis`, or as late as messages can.
    pub async fn send(&self, message: &Message, delay_millis: i64) -> Result<(), WorldError> {
        let millis = delay_millis.clamp(0, self.config.delay_millis_max);
        let delay = Duration::from_millis(millis.unsigned_abs());
        Ok(self.send_bytes(self.outlined(message).await?, delay).await?)
    }

    /// Sends a message again that came too often. It says so, since its receivers may have left
    /// something to whoever receives it again.
    pub async fn send_again(
        &self,
        body: Bytes,
        message: &Message,
        delay_millis: i64,
    ) -> Result<(), WorldError> {
        tracing::warn!(execution = %message.execution, "a message had come too often and is sent again");
        let delay = Duration::from_millis(delay_millis.max(0).unsigned_abs());
        Ok(self.send_bytes(Message::again(&body), delay).await?)
    }

    async fn send_bytes(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        self.queue.send(body, delay.min(ports::queue::DELAY_MAX)).await
    }

    /// The bytes of a message, its large payloads written to the blobs first.
    async fn outlined(&self, message: &Message) -> Result<Bytes, StoreError> {
        let mut message = message.clone();
        self.executions.outline(&message.execution.clone(), &mut message).await?;
        Ok(message.encode())
    }

    /// The owner may have started effects until then: from its records alone.
    pub fn alive_until(&self, since: Timestamp) -> Timestamp {
        since.plus_millis(self.config.lease_millis)
    }

    /// Until when an owner is alive that claimed a call at `since`; in the past when it is dead.
    pub async fn owner_until(
        &self,
        owner: Owner,
        since: Timestamp,
        me: Option<Owner>,
    ) -> Result<Timestamp, StoreError> {
        if self.config.sole_owner {
            // Whoever is not this process belongs to an earlier one, which is gone.
            let alive = me == Some(owner);
            return Ok(if alive { Timestamp::MAX } else { Timestamp::MIN });
        }
        let by_record = self.alive_until(since);
        if by_record > self.now() {
            return Ok(by_record);
        }
        Ok(self.executions.lease(owner).await?.map_or(by_record, |lease| lease.max(by_record)))
    }
}
