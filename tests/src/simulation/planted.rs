//! Bugs that are planted at the ports of a process, to see that they are found.
//!
//! Nothing of this is in the driver: a driver that gets these answers from its ports behaves as
//! one would that has the bug.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ports::{Condition, Key, Queue, QueueError, Received, Row, Table, TableError};

use super::process::Port;
use super::trace::guard;

/// A bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planted {
    /// No bug.
    #[default]
    None,
    /// Calls are started before the record with their intent is written.
    SkipIntent,
    /// Records are appended whether or not another stands in their place.
    DropFence,
    /// Messages are acknowledged when they are received, before what they announce is appended.
    AcknowledgeFirst,
    /// A put that applied and reported failure is taken for another writer's.
    LoseNonce,
    /// Calls of an owner that is alive are taken away from it.
    IgnoreLiveOwner,
    /// Who finds calls of another owner deletes the message and leaves nothing in its place.
    LoserDeletes,
    /// What a record leaves to be done is announced after the record is written.
    AnnounceLate,
    /// Two calls get the same token.
    ReuseToken,
    /// What a record cancels is announced to nobody.
    SkipCancels,
    /// Who has asked for a job leaves the next time to nobody.
    SkipPolls,
}

impl Planted {
    /// Every bug.
    pub const ALL: [Planted; 10] = [
        Planted::SkipIntent,
        Planted::DropFence,
        Planted::AcknowledgeFirst,
        Planted::LoseNonce,
        Planted::IgnoreLiveOwner,
        Planted::LoserDeletes,
        Planted::AnnounceLate,
        Planted::ReuseToken,
        Planted::SkipCancels,
        Planted::SkipPolls,
    ];
}

/// What a planted bug keeps back.
#[derive(Default)]
pub(super) struct Behind {
    /// Records that were reported as written and are not.
    puts: Mutex<Vec<(Row, Condition)>>,
    /// Records whose put had an unknown outcome.
    unknown: Mutex<BTreeSet<Key>>,
}

/// How long it is kept back.
const LATE: Duration = Duration::from_millis(400);

/// Whether a message says this.
fn says(body: &[u8], what: &[u8]) -> bool {
    body.windows(what.len()).any(|found| found == what)
}

fn is_record(key: &Key) -> bool {
    key.sort.starts_with("r/")
}

impl Port<dyn Table> {
    /// Writes what was kept back.
    pub(super) async fn flush(&self) {
        if self.process.planted != Planted::SkipIntent {
            return;
        }
        let puts = std::mem::take(&mut *guard(&self.process.behind.puts));
        for (row, condition) in puts {
            // Nobody learns what becomes of it.
            let _ = self.port.put(row, condition).await;
        }
    }

    /// The put that is to be made instead; none when it is kept back.
    pub(super) fn plant(&self, row: Row, condition: Condition) -> Option<(Row, Condition)> {
        match self.process.planted {
            Planted::DropFence if is_record(&row.key) => Some((row, Condition::Always)),
            Planted::SkipIntent if is_record(&row.key) && condition == Condition::Absent => {
                guard(&self.process.behind.puts).push((row, condition));
                let later = Port::<dyn Table>::new(&self.process, self.port.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(LATE).await;
                    later.flush().await;
                });
                None
            }
            _ => Some((row, condition)),
        }
    }

    pub(super) fn planted_put(&self, key: &Key, result: &Result<(), TableError>) {
        if self.process.planted == Planted::LoseNonce
            && matches!(result, Err(TableError::Unknown(_)))
            && is_record(key)
        {
            guard(&self.process.behind.unknown).insert(key.clone());
        }
    }

    /// Shows the writer of the record before in the place of this process.
    pub(super) async fn as_planted(&self, key: &Key, found: Option<Row>) -> Result<Option<Row>, TableError> {
        let Some(row) = found else { return Ok(None) };
        if self.process.planted != Planted::LoseNonce || !guard(&self.process.behind.unknown).remove(key) {
            return Ok(Some(row));
        }
        let before = key.sort.strip_prefix("r/").and_then(|seq| seq.parse::<u64>().ok()).unwrap_or(0);
        if before < 2 {
            return Ok(Some(row));
        }
        let before = Key::new(key.partition.clone(), format!("r/{:010}", before - 1));
        let body = self.port.get(&before).await?.map_or(row.body.clone(), |before| before.body);
        Ok(Some(Row { body, ..row }))
    }
}

impl Port<dyn Queue> {
    /// Whether a message is not sent now.
    pub(super) fn keeps_back(&self, body: &Bytes, delay: Duration) -> bool {
        match self.process.planted {
            // A message that only asks to look, later: what is left for an owner that is alive.
            Planted::LoserDeletes => body.ends_with(b"\xa4Look") && !delay.is_zero(),
            Planted::SkipCancels => says(body, b"\xa6Cancel"),
            Planted::SkipPolls => says(body, b"\xa4Poll"),
            Planted::AnnounceLate => {
                let (queue, process, body) = (self.port.clone(), Arc::clone(&self.process), body.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(LATE).await;
                    if !process.faults.has_crashed() {
                        while let Err(QueueError::Throttled | QueueError::Unavailable(_)) =
                            queue.send(body.clone(), delay).await
                        {}
                    }
                });
                true
            }
            _ => false,
        }
    }

    pub(super) async fn received(&self, received: &[Received]) {
        if self.process.planted == Planted::AcknowledgeFirst {
            for message in received {
                // What is left comes again, as it would otherwise.
                let _ = self.port.delete(std::slice::from_ref(&message.receipt)).await;
            }
        }
    }
}
