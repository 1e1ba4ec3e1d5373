//! The sweeper: what no message announces. Any number of them may run; each sweep is safe to repeat.

use std::sync::Arc;
use std::time::Duration;

use journal::execution::DueKind;
use model::timestamp::Timestamp;
use ports::Queue;
use ports::queue::BATCH_MAX;

use crate::message::{Message, News};
use crate::world::{World, WorldError};

/// Turns due wake-ups into messages, sends dead letters again, and ends retentions.
pub struct Sweeper {
    world: World,
    dead_letters: Option<Arc<dyn Queue>>,
}

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Executions that get a message for a timer.
    pub woken: usize,
    /// Entries that were superseded, which get a message too.
    pub stale: usize,
    /// Messages that had come too often and were sent again.
    pub sent_again: usize,
    /// Ended executions whose records, or all of them, were removed.
    pub gone: usize,
}

/// Entries read at once.
const PAGE: usize = 256;
/// How long the executions of dead letters rest before they are looked at again.
const DEAD_LETTER_DELAY_MILLIS: i64 = 30_000;

impl Sweeper {
    /// A sweeper of `world`; `dead_letters` is where its queue leaves messages that came too often.
    pub fn new(world: World, dead_letters: Option<Arc<dyn Queue>>) -> Sweeper {
        Sweeper { world, dead_letters }
    }

    /// Sweeps again and again. Dropping the future stops it.
    pub async fn run(&self) {
        loop {
            match self.sweep().await {
                Ok(swept) if swept == Swept::default() => {}
                Ok(swept) => tracing::debug!(?swept, "swept"),
                Err(error) => tracing::warn!(%error, "a sweep did not come to its end"),
            }
            self.world.0.sleep(self.world.0.config.sweep_millis).await;
        }
    }

    /// Sweeps once.
    pub async fn sweep(&self) -> Result<Swept, WorldError> {
        let mut swept = Swept::default();
        let shards = self.world.0.executions.store().config().wake_shards.max(1);
        for shard in 0..shards {
            self.wake(shard, &mut swept).await?;
            self.remove(shard, &mut swept).await?;
        }
        self.send_again(&mut swept).await?;
        Ok(swept)
    }

    async fn wake(&self, shard: u32, swept: &mut Swept) -> Result<(), WorldError> {
        let world = &self.world.0;
        let now = world.now();
        let until = now.plus_millis(world.config.sweep_ahead_millis);
        let mut after = None;
        loop {
            let page = world.executions.due(DueKind::Wake, shard, until, after.take(), PAGE).await?;
            for due in &page.entries {
                // Also when it turns out to be stale: whoever superseded it may have stopped before
                // anything else was to bring the execution back.
                let news = News::Wake { at: due.at, seq: due.seq() };
                let message = Message { execution: due.execution.clone(), news };
                world.send(&message, due.at.millis_since(now)).await?;
                if is_old(now, due.at, world.config.sweep_millis)
                    && world.executions.remove_stale(due).await?
                {
                    swept.stale += 1;
                } else {
                    swept.woken += 1;
                }
            }
            after = page.entries.last().map(|due| due.position.clone());
            if !page.more || after.is_none() {
                return Ok(());
            }
        }
    }

    async fn remove(&self, shard: u32, swept: &mut Swept) -> Result<(), WorldError> {
        let world = &self.world.0;
        let now = world.now();
        let mut after = None;
        loop {
            let page = world.executions.due(DueKind::Gone, shard, now, after.take(), PAGE).await?;
            for due in &page.entries {
                match world.executions.give_up(&due.execution, now).await.map_err(WorldError::from) {
                    Ok(gone) => swept.gone += usize::from(gone),
                    Err(error) if error.is_transient() => return Err(error),
                    // It is in nobody's way.
                    Err(error) => tracing::error!(execution = %due.execution, %error, "it was not removed"),
                }
            }
            after = page.entries.last().map(|due| due.position.clone());
            if !page.more || after.is_none() {
                return Ok(());
            }
        }
    }

    /// Messages that came too often begin anew: an execution that cannot be stepped is failed by
    /// the driver that counts it, everything else deserves another try.
    async fn send_again(&self, swept: &mut Swept) -> Result<(), WorldError> {
        let Some(dead_letters) = &self.dead_letters else { return Ok(()) };
        loop {
            let received = dead_letters.receive(BATCH_MAX, Duration::ZERO).await?;
            if received.is_empty() {
                return Ok(());
            }
            for letter in received {
                match Message::decode(&letter.body) {
                    Ok(message) => {
                        self.world.0.send_again(letter.body, &message, DEAD_LETTER_DELAY_MILLIS).await?;
                        dead_letters.delete(std::slice::from_ref(&letter.receipt)).await?;
                        swept.sent_again += 1;
                    }
                    // Written by another version, or damaged: left for whoever can read it.
                    Err(error) => tracing::error!(%error, "a dead letter is left alone"),
                }
            }
        }
    }
}

/// An entry that should have been superseded by now.
fn is_old(now: Timestamp, due: Timestamp, sweep_millis: i64) -> bool {
    now.millis_since(due) > sweep_millis
}
