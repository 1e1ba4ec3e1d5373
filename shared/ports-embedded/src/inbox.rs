//! What waits for the committer: a line of bounded length.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use ports::{Condition, TableError};
use tokio::sync::{Notify, oneshot};

use crate::codec::Head;
use crate::error::Failure;
use crate::key::MessageId;
use crate::memtable::Write;
use crate::window::Window;

/// Most requests in the line.
const REQUESTS_MAX: usize = 8_192;
/// Most bytes in the line.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Tells who asked how a write of a row went.
pub type Answer = oneshot::Sender<Result<(), TableError>>;

/// Something to write, in the order of the line.
pub enum Request {
    /// A row.
    Put(Box<Put>),
    /// The removal of a row.
    Delete {
        /// Its key.
        key: Bytes,
        /// What must hold.
        condition: Condition,
        /// Who asked.
        answer: Answer,
    },
    /// The removal of a row if it expires at this time still.
    Expire {
        /// Its key.
        key: Bytes,
        /// When, in ms.
        at: i64,
        /// Who asked: whether it was removed.
        answer: oneshot::Sender<Result<bool, Failure>>,
    },
    /// Messages: nobody waits for the disk.
    Messages {
        /// What is sent and what is removed.
        writes: Vec<Write>,
        /// Where what is sent belongs.
        sent: Option<(Arc<Window>, MessageId)>,
    },
    /// Anything else.
    Write {
        /// What.
        writes: Vec<Write>,
        /// Who asked.
        answer: oneshot::Sender<Result<(), Failure>>,
    },
}

/// A row to write.
pub struct Put {
    /// Its key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// What it begins with.
    pub head: Head,
    /// The value of its index entries.
    pub entry: Bytes,
    /// What must hold.
    pub condition: Condition,
    /// Who asked.
    pub answer: Answer,
}

impl Request {
    fn bytes(&self) -> usize {
        let sum = |writes: &[Write]| -> usize {
            writes.iter().map(|write| write.key.len() + write.value.as_ref().map_or(0, Bytes::len)).sum()
        };
        match self {
            Request::Put(put) => put.key.len() + put.value.len() + put.entry.len(),
            Request::Delete { key, .. } | Request::Expire { key, .. } => key.len(),
            Request::Messages { writes, .. } | Request::Write { writes, .. } => sum(writes),
        }
    }
}

/// The line, and whether it is open.
#[derive(Default)]
pub struct Inbox {
    state: Mutex<State>,
    /// Wakes the committer.
    wake: Condvar,
    /// Wakes who found the line full.
    room: Notify,
    /// How often somebody found it full.
    pub waits: AtomicU64,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    bytes: usize,
    /// Whether the committer waits for [`Inbox::wake`].
    is_idle: bool,
    /// Why nothing is taken in for now.
    refusing: Option<String>,
    /// Why nothing is taken in any more.
    closed: Option<String>,
}

/// Why a request was not taken in.
pub enum Rejected {
    /// The line is full: it goes back to the sender.
    Full(Request),
    /// It is lost.
    Failed(Failure),
}

impl Inbox {
    /// Puts a request in the line, waiting for room.
    pub async fn submit(&self, mut request: Request) -> Result<(), Failure> {
        loop {
            match self.offer(request) {
                Ok(()) => return Ok(()),
                Err(Rejected::Failed(failure)) => return Err(failure),
                Err(Rejected::Full(back)) => request = back,
            }
            self.room().await;
        }
    }

    /// Puts a request in the line if there is room.
    pub fn offer(&self, request: Request) -> Result<(), Rejected> {
        let mut state = self.lock();
        if let Some(reason) = state.closed.as_ref().or(state.refusing.as_ref()) {
            return Err(Rejected::Failed(Failure::Unavailable(reason.clone())));
        }
        if state.requests.len() >= REQUESTS_MAX || state.bytes >= BYTES_MAX {
            self.waits.fetch_add(1, Ordering::Relaxed);
            return Err(Rejected::Full(request));
        }
        state.bytes += request.bytes();
        state.requests.push(request);
        let is_idle = std::mem::take(&mut state.is_idle);
        drop(state);
        if is_idle {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Ends when there may be room, or the line does not take requests.
    pub async fn room(&self) {
        let room = self.room.notified();
        tokio::pin!(room);
        room.as_mut().enable();
        let is_full = {
            let state = self.lock();
            let is_open = state.closed.is_none() && state.refusing.is_none();
            is_open && (state.requests.len() >= REQUESTS_MAX || state.bytes >= BYTES_MAX)
        };
        if is_full {
            room.await;
        }
    }

    /// Takes everything in the line into `requests`, waiting for the first up to `timeout`.
    /// Whether the line goes on: `false` when it is closed and empty.
    pub fn take(&self, requests: &mut Vec<Request>, timeout: Option<Duration>) -> bool {
        let mut state = self.lock();
        while state.requests.is_empty() {
            if state.closed.is_some() {
                return false;
            }
            state.is_idle = true;
            match timeout {
                None => {
                    state = self.wake.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
                }
                Some(timeout) => {
                    let waited = self.wake.wait_timeout(state, timeout);
                    let (held, waited) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
                    state = held;
                    if waited.timed_out() {
                        break;
                    }
                }
            }
        }
        state.is_idle = false;
        std::mem::swap(&mut state.requests, requests);
        state.bytes = 0;
        drop(state);
        self.room.notify_waiters();
        true
    }

    /// Takes nothing in any more; what is in the line stays in it.
    pub fn close(&self, reason: &str) {
        let mut state = self.lock();
        state.closed.get_or_insert_with(|| reason.to_owned());
        drop(state);
        self.wake.notify_one();
        self.room.notify_waiters();
    }

    /// Forgets what is in the line: who waits for it learns that it is gone.
    pub fn clear(&self) {
        let forgotten = std::mem::take(&mut self.lock().requests);
        drop(forgotten);
    }

    /// Takes nothing in for now, or does again.
    pub fn refuse(&self, reason: Option<String>) {
        self.lock().refusing = reason;
        self.room.notify_waiters();
    }

    /// How many requests are in the line.
    pub fn len(&self) -> usize {
        self.lock().requests.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
