//! What table, queues and blobs share.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use ports::Clock;
use tokio::sync::oneshot;

use crate::error::Failure;
use crate::inbox::{Inbox, Request};
use crate::key::Space;
use crate::memtable::Write;
use crate::storage::Storage;

/// Storage, the line to the committer, and the clock.
pub struct Shared {
    /// What is stored.
    pub storage: Arc<Storage>,
    /// The line to the committer.
    pub inbox: Arc<Inbox>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The last of the numbers of this opening.
    pub numbers: AtomicU64,
    /// No row expires before this, in ms.
    pub expiry_from: AtomicI64,
}

impl Shared {
    /// The time in ms.
    pub fn now(&self) -> i64 {
        self.clock.now().millis()
    }

    /// A number that was never used and is greater than those before it.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Writes; durable when it returns.
    pub async fn write(&self, writes: Vec<Write>) -> Result<(), Failure> {
        let (answer, answered) = oneshot::channel();
        self.inbox.submit(Request::Write { writes, answer }).await?;
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Calls `visit` with the names behind a mark, from `from` on, until it says `false`.
    pub fn names(
        &self,
        mark: u8,
        from: &[u8],
        mut visit: impl FnMut(&[u8], Bytes) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let (from, to) = ([&[mark], from].concat(), [mark + 1]);
        let bounds = (Bound::Included(&from[..]), Bound::Excluded(&to[..]));
        self.storage.range(Space::Names, bounds, false, |key, value| visit(&key[1..], value))
    }
}

/// The committer ended while somebody waited.
pub fn lost() -> Failure {
    Failure::Unknown("the store stopped before it answered; it must be opened again".to_owned())
}
