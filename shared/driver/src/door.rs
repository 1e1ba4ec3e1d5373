//! The one door for inputs: what the API says to executions.

use std::sync::Arc;

use engine::{Execution, Input, TaskToken, Verdict};
use journal::execution::{Meta, Parent};
use model::arn::ExecutionArn;
use model::json::{Text, Value};
use model::status::ExecutionStatus;
use model::timestamp::Timestamp;

use crate::end::END_DELAY_MILLIS;
use crate::held::{AppendFailed, Found, Held};
use crate::message::{Begin, Message, News};
use crate::state::DeliveryId;
use crate::world::{Inner, World, WorldError};

/// Starts executions and gives them inputs. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    world: World,
}

/// An execution to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// Who it will be.
    pub execution: Execution,
    /// The revision of its state machine.
    pub revision_id: Text,
    /// Its input.
    pub input: Value,
    /// `traceHeader` of the request.
    pub trace_header: Option<Text>,
    /// The task that waits for its end, and is told of it.
    pub parent: Option<Parent>,
}

/// What became of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It began now, or the same start was repeated while it is open: same name, same input.
    Started {
        /// When it began.
        started_at: Timestamp,
    },
    /// The name is taken: by a closed execution, or by an open one with another input.
    AlreadyExists,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It was taken.
    Accepted {
        /// When.
        at: Timestamp,
    },
    /// The task that it names has ended, or never was.
    NoSuchTask,
    /// Another worker has the task.
    AlreadyStarted,
    /// The execution has ended.
    Ended {
        /// When.
        at: Timestamp,
    },
    /// There is no such execution.
    DoesNotExist,
}

/// How often an append that others keep winning is tried.
const RACES_MAX: usize = 64;

impl Door {
    /// The door of `world`.
    pub fn new(world: World) -> Door {
        Door { world }
    }

    /// What it leads to.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Starts an execution, and runs it up to the first call. What is left to do is announced
    /// before the execution is created, so that a crash between the two leaves a message that
    /// completes the start, never an orphan.
    pub async fn start(&self, start: Start) -> Result<Started, WorldError> {
        let world = &*self.world.0;
        let arn = ExecutionArn::parse(&start.execution.arn)
            .map_err(|error| journal::StoreError::Refused(error.to_string()))?;
        let mut meta = Meta::new(start.execution, start.revision_id, start.input);
        (meta.trace_header, meta.parent) = (start.trace_header, start.parent);
        let meta = Arc::new(meta);
        if create(world, &arn, meta.clone(), Announce::First).await? {
            return Ok(Started::Started { started_at: meta.execution.started_at });
        }
        let Some(existing) = world.executions.describe(&arn).await? else {
            return Ok(Started::AlreadyExists);
        };
        let same = !existing.status.is_terminal() && existing.input == meta.input;
        Ok(match same {
            true => Started::Started { started_at: existing.execution.started_at },
            false => Started::AlreadyExists,
        })
    }

    /// Gives an input to an execution and says what became of it, after it was appended.
    pub async fn deliver(&self, execution: &ExecutionArn, input: Input) -> Result<Delivered, WorldError> {
        let world = &*self.world.0;
        let id = DeliveryId(world.random()?);
        let mut announced = false;
        let mut held = match Held::load(world, execution, None).await {
            Ok(Some(Found::Open(held))) => held,
            Ok(Some(Found::Ended(ended))) => return Ok(Delivered::Ended { at: ended.ending.at }),
            Ok(None) => return Ok(Delivered::DoesNotExist),
            Err(error) => {
                if error.poisons().is_some() {
                    // A driver finds the same, and fails the execution once it has found it often enough.
                    world.send(&Message::look(execution.clone()), 0).await?;
                }
                return Err(error);
            }
        };
        for _ in 0..RACES_MAX {
            if let Some(ending) = &held.ending {
                // It may be this very delivery that ended it, appended by a driver.
                return Ok(match held.state.taken(id) {
                    Some(Verdict::Accepted) => Delivered::Accepted { at: ending.at },
                    _ => Delivered::Ended { at: ending.at },
                });
            }
            if held.state.taken(id) == Some(Verdict::Accepted) {
                return Ok(Delivered::Accepted { at: world.now() });
            }
            match held.apply(world, input.clone(), Some(id))? {
                Verdict::Accepted => {}
                Verdict::NoSuchTask => return Ok(Delivered::NoSuchTask),
                Verdict::AlreadyStarted => return Ok(Delivered::AlreadyStarted),
                Verdict::Ended => return Ok(Delivered::Ended { at: world.now() }),
            }
            if !announced {
                // Before the append: whoever appends it first wins, and it is never lost.
                let news = News::Input(id, input.clone());
                world.send(&Message { execution: execution.clone(), news }, 0).await?;
                announced = true;
            }
            match held.append(world, None).await {
                Ok(appended) => {
                    if let Some(ending) = &held.ending {
                        held.ended(world, ending, false).await?;
                    }
                    held.unpark(world).await;
                    return Ok(Delivered::Accepted { at: appended.at });
                }
                Err(AppendFailed::Conflict) => held.reload(world).await?,
                Err(AppendFailed::World(error)) => return Err(error),
            }
        }
        Err(journal::StoreError::Throttled.into())
    }

    /// SendTaskHeartbeat: noted beside the records, at most once per quarter of
    /// `HeartbeatSeconds`, and read before a timeout is declared.
    pub async fn heartbeat(&self, token: &TaskToken) -> Result<Delivered, WorldError> {
        let world = &*self.world.0;
        let Ok(arn) = ExecutionArn::parse(token.execution_arn()) else { return Ok(Delivered::DoesNotExist) };
        let held = match Held::load(world, &arn, None).await? {
            Some(Found::Open(held)) => held,
            Some(Found::Ended(ended)) => return Ok(Delivered::Ended { at: ended.ending.at }),
            None => return Ok(Delivered::DoesNotExist),
        };
        let Some(task) = held.state.snapshot.task_with_token(token) else { return Ok(Delivered::NoSuchTask) };
        if let Some(seconds) = task.heartbeat_seconds {
            let now = world.now();
            let millis = seconds.saturating_mul(1_000);
            let noted = world.executions.heartbeat(&arn, task.effect.0).await?;
            let fresh = noted.is_some_and(|noted| now.millis_since(noted) < quarter_millis(seconds));
            if !fresh {
                world.executions.put_heartbeat(&arn, task.effect.0, now, millis).await?;
            }
        }
        // Whoever looks from now on finds the note.
        Ok(Delivered::Accepted { at: world.now() })
    }
}

/// A quarter of `HeartbeatSeconds`: heartbeats are noted once in it.
pub(crate) fn quarter_millis(heartbeat_seconds: i64) -> i64 {
    heartbeat_seconds.saturating_mul(250)
}

/// Whether a start has yet to be announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announce {
    /// By whoever creates the execution.
    First,
    /// It was: the message is in hand.
    Done,
}

/// Creates an execution and runs it up to the first call; false when it exists.
pub(crate) async fn create(
    world: &Inner,
    arn: &ExecutionArn,
    meta: Arc<Meta>,
    announce: Announce,
) -> Result<bool, WorldError> {
    let mut held = Held::new(world, arn.clone(), meta.clone()).await?;
    held.apply(world, Input::Start { input: meta.input.clone() }, None)?;
    let delay_millis = held.leaves_to_do(world);
    let handing = match (announce, delay_millis) {
        (Announce::First, Some(0)) => world.hand(arn),
        _ => None,
    };
    if announce == Announce::First
        && let Some(delay_millis) = delay_millis.or_else(|| held.leaves_to_publish(world))
    {
        let news = News::Start(Begin::Sent(meta.clone()));
        world.send(&Message { execution: arn.clone(), news }, delay_millis).await?;
    }
    match held.append(world, None).await {
        Ok(_) => {}
        Err(AppendFailed::Conflict) => return Ok(false),
        Err(AppendFailed::World(error)) => return Err(error),
    }
    world.publish(&meta, None).await?;
    if let Some(ending) = &held.ending {
        // Else META was created with it.
        if world.tells(&meta, ending.status) {
            held.ended(world, ending, false).await?;
        }
    } else if let Some(handing) = handing {
        // Nobody may be there to take it: then it is loaded.
        let _ = handing.send(Box::new(held));
    }
    Ok(true)
}

impl Held {
    /// When a driver has to see whether somebody was told of an end in the first step: never when
    /// nobody is to be.
    fn leaves_to_publish(&self, world: &Inner) -> Option<i64> {
        let status = match self.state.snapshot.status() {
            engine::Status::Running => return None,
            engine::Status::Succeeded { .. } => ExecutionStatus::Succeeded,
            _ => ExecutionStatus::Failed,
        };
        world.tells(&self.meta, status).then_some(END_DELAY_MILLIS)
    }

    /// When a driver has to look at the execution: in so many milliseconds; never when it has
    /// ended, or when the sweeper wakes it.
    pub fn leaves_to_do(&self, world: &Inner) -> Option<i64> {
        if !matches!(self.state.snapshot.status(), engine::Status::Running) {
            return None;
        }
        if self.more() || !self.state.waits_for_jobs() {
            return Some(0);
        }
        let wait = self.wake_at()?.millis_since(world.now());
        (wait <= world.config.delay_millis_max).then_some(wait.max(0))
    }
}
