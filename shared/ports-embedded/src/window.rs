//! The part of a queue that is in memory: messages that are due soon, and those that were received
//! and not deleted. The rest stands in the store, in the order of its time.
//!
//! Everything before the *horizon* is in memory, everything behind it is read when it is due. The
//! horizon is also the cursor: what was deleted before it is never met again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use model::json::format_text;
use ports::{QueueSettings, Receipt, Received};
use tokio::sync::Notify;

use crate::error::Failure;
use crate::inbox::{Inbox, Rejected, Request};
use crate::key::{self, MessageId, Space};
use crate::memtable::Write;
use crate::storage::Storage;

/// Most messages that wait in memory.
const READY_MAX: usize = 4_096;
/// Most bytes of them.
const READY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many messages are read from the store at a time.
const LOAD: usize = 1_024;
/// About how many bytes of them.
const LOAD_BYTES: usize = 4 * 1024 * 1024;

/// The beginning of time, as far as messages go.
const FIRST: MessageId = (i64::MIN, 0);

/// A queue.
pub struct Window {
    /// Its number in keys.
    pub queue: u32,
    inner: Mutex<Inner>,
    /// Wakes receivers when a message may be due earlier than they think.
    pub changed: Notify,
}

struct Inner {
    settings: QueueSettings,
    is_removed: bool,
    /// Not received yet, and before the horizon.
    ready: BTreeMap<MessageId, Bytes>,
    ready_bytes: usize,
    /// From here on messages are in the store only; `None`: nothing is.
    horizon: Option<MessageId>,
    /// Sent, and perhaps not in the storage yet.
    unstored: BTreeMap<MessageId, Bytes>,
    /// Received and not deleted.
    flights: HashMap<MessageId, Flight, foldhash::fast::RandomState>,
    /// When each of them comes back, in ms.
    returning: BTreeSet<(i64, MessageId)>,
    /// The last that was received; everything up to it stays before the horizon.
    last_taken: MessageId,
}

#[derive(Clone, Copy)]
struct Flight {
    visible_at: i64,
    receive_count: u32,
}

/// Messages of a receive.
#[derive(Default)]
pub struct Taken {
    /// Those that arrive.
    pub received: Vec<Received>,
    /// Those that were received too often.
    pub dead: Vec<(MessageId, Bytes)>,
    /// When the next is due, in ms; may be past.
    pub next_due: Option<i64>,
}

/// Why something was not done with a queue.
pub enum Stopped {
    /// The queue was removed.
    Removed,
    /// The line is full.
    Full,
    /// The store failed.
    Failed(Failure),
}

impl Window {
    /// A queue; `is_new` says that the store has no message of it.
    pub fn new(queue: u32, settings: QueueSettings, is_new: bool) -> Window {
        let inner = Inner {
            settings,
            is_removed: false,
            ready: BTreeMap::new(),
            ready_bytes: 0,
            horizon: if is_new { None } else { Some(FIRST) },
            unstored: BTreeMap::new(),
            flights: HashMap::default(),
            returning: BTreeSet::new(),
            last_taken: FIRST,
        };
        Window { queue, inner: Mutex::new(inner), changed: Notify::new() }
    }

    /// Its settings.
    pub fn settings(&self) -> QueueSettings {
        self.lock().settings.clone()
    }

    /// Replaces its settings.
    pub fn set(&self, settings: QueueSettings) {
        self.lock().settings = settings;
    }

    /// Ends it: every request from now on fails.
    pub fn remove(&self) {
        let mut inner = self.lock();
        inner.is_removed = true;
        inner.ready = BTreeMap::new();
        inner.unstored = BTreeMap::new();
        inner.flights = HashMap::default();
        inner.returning = BTreeSet::new();
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Sends a message, and in the same step removes what it replaces.
    pub fn send(
        self: &Arc<Window>,
        inbox: &Inbox,
        id: MessageId,
        body: Bytes,
        replaces: Option<Write>,
    ) -> Result<(), Stopped> {
        let mut inner = self.lock();
        if inner.is_removed {
            return Err(Stopped::Removed);
        }
        let key = Bytes::copy_from_slice(&key::message(self.queue, id));
        let mut writes = vec![Write { space: Space::Messages, key, value: Some(body.clone()) }];
        writes.extend(replaces);
        // In the line before anybody can receive and delete it, and not stored before it is known
        // here: both need this lock.
        inbox.offer(Request::Messages { writes, sent: Some((Arc::clone(self), id)) })?;
        inner.unstored.insert(id, body.clone());
        if inner.horizon.is_none_or(|horizon| id < horizon) {
            inner.ready_bytes += body.len();
            inner.ready.insert(id, body);
            inner.evict();
        }
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// A message is in the storage.
    pub fn stored(&self, id: MessageId) {
        self.lock().unstored.remove(&id);
    }

    /// Up to `max` messages that are due `now`, in ms; hides them until `visible_at`. Those that
    /// were received `receives_max` times are dead.
    pub fn take(
        &self,
        storage: &Storage,
        (max, now, visible_at): (usize, i64, i64),
        receives_max: Option<u32>,
    ) -> Result<Taken, Stopped> {
        let mut inner = self.lock();
        if inner.is_removed {
            return Err(Stopped::Removed);
        }
        let mut taken = Taken::default();
        let mut hidden = Vec::new();
        while taken.received.len() < max {
            let back = inner.returning.first().copied().filter(|(at, _)| *at <= now);
            let fresh = match inner.ready.first_key_value() {
                Some((id, _)) => Some(*id).filter(|(due, _)| *due <= now),
                None => {
                    let horizon = inner.horizon.filter(|(due, _)| *due <= back.map_or(now, |(at, _)| at));
                    if let Some(horizon) = horizon {
                        inner.load(self.queue, storage, horizon).map_err(Stopped::Failed)?;
                        continue;
                    }
                    None
                }
            };
            let (id, receive_count, body) = match (fresh, back) {
                (None, None) => break,
                (Some(id), back) if back.is_none_or(|(at, _)| id.0 <= at) => {
                    let Some(body) = inner.ready.remove(&id) else { break };
                    inner.ready_bytes = inner.ready_bytes.saturating_sub(body.len());
                    (id, 1, body)
                }
                (_, Some((at, id))) => {
                    let body = match inner.unstored.get(&id) {
                        Some(body) => Some(body.clone()),
                        None => storage
                            .get(Space::Messages, &key::message(self.queue, id))
                            .map_err(Stopped::Failed)?,
                    };
                    inner.returning.remove(&(at, id));
                    let count = inner.flights.get(&id).map_or(0, |flight| flight.receive_count);
                    let Some(body) = body else {
                        inner.flights.remove(&id);
                        continue;
                    };
                    if receives_max.is_some_and(|most| count >= most) {
                        // Stays hidden until it stands in the other queue.
                        hidden.push((id, count));
                        taken.dead.push((id, body));
                        continue;
                    }
                    (id, count.saturating_add(1), body)
                }
                (Some(_), None) => break,
            };
            inner.last_taken = inner.last_taken.max(id);
            hidden.push((id, receive_count));
            taken.received.push(Received { receipt: receipt(id, receive_count), body, receive_count });
        }
        // Only now they go back: one that is hidden for no time at all is received once a call.
        for (id, receive_count) in hidden {
            inner.flights.insert(id, Flight { visible_at, receive_count });
            inner.returning.insert((visible_at, id));
        }
        taken.next_due = inner.next_due();
        Ok(taken)
    }

    /// Hides messages that are hidden `now` until another time, in ms.
    pub fn extend(&self, receipts: &[Receipt], now: i64, until: i64) -> Result<(), Stopped> {
        let mut inner = self.lock();
        if inner.is_removed {
            return Err(Stopped::Removed);
        }
        for receipt in receipts {
            let Some((id, flight)) = inner.named(receipt) else { continue };
            if flight.visible_at > now {
                inner.returning.remove(&(flight.visible_at, id));
                inner.returning.insert((until, id));
                inner.flights.insert(id, Flight { visible_at: until, ..flight });
            }
        }
        drop(inner);
        self.changed.notify_one();
        Ok(())
    }

    /// Removes messages.
    pub fn delete(&self, inbox: &Inbox, receipts: &[Receipt]) -> Result<(), Stopped> {
        let mut inner = self.lock();
        if inner.is_removed {
            return Err(Stopped::Removed);
        }
        let named: Vec<(MessageId, Flight)> =
            receipts.iter().filter_map(|receipt| inner.named(receipt)).collect();
        if named.is_empty() {
            return Ok(());
        }
        let writes = named.iter().map(|(id, _)| self.removal(*id)).collect();
        inbox.offer(Request::Messages { writes, sent: None })?;
        for (id, flight) in named {
            inner.returning.remove(&(flight.visible_at, id));
            inner.flights.remove(&id);
        }
        Ok(())
    }

    /// The write that removes a message.
    pub fn removal(&self, id: MessageId) -> Write {
        let key = Bytes::copy_from_slice(&key::message(self.queue, id));
        Write { space: Space::Messages, key, value: None }
    }

    /// Forgets a message that went elsewhere.
    pub fn forget(&self, id: MessageId) {
        let mut inner = self.lock();
        if let Some(flight) = inner.flights.remove(&id) {
            inner.returning.remove(&(flight.visible_at, id));
        }
    }

    /// How many messages are in memory: waiting, and received.
    pub fn lengths(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.ready.len(), inner.flights.len())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    /// Keeps the memory bounded.
    fn evict(&mut self) {
        while self.ready.len() > READY_MAX || (self.ready_bytes > READY_BYTES_MAX && self.ready.len() > 1) {
            let Some(last) = self.ready.last_entry() else { return };
            // Only after the clock went back.
            if *last.key() <= self.last_taken {
                return;
            }
            let (id, body) = last.remove_entry();
            self.ready_bytes = self.ready_bytes.saturating_sub(body.len());
            self.horizon = Some(id);
        }
    }

    /// Reads what comes first behind the horizon.
    fn load(&mut self, queue: u32, storage: &Storage, horizon: MessageId) -> Result<(), Failure> {
        let (from, to) = (key::message(queue, horizon), key::message(queue, (i64::MAX, u64::MAX)));
        let (mut count, mut bytes, mut last) = (0, 0, horizon);
        let mut found = Vec::new();
        let bounds = (Bound::Included(&from[..]), Bound::Included(&to[..]));
        let mut is_whole = true;
        storage.range(Space::Messages, bounds, false, |key, body| {
            let (_, id) = key::message_parts(key)
                .ok_or_else(|| Failure::Damaged(format!("a message has the key {key:?}")))?;
            last = id;
            count += 1;
            bytes += body.len();
            found.push((id, body));
            is_whole = count < LOAD && bytes < LOAD_BYTES;
            Ok(is_whole)
        })?;
        self.horizon = if is_whole { None } else { Some((last.0, last.1.saturating_add(1))) };
        let unstored = self.unstored.range(horizon..).map(|(id, body)| (*id, body.clone()));
        let beyond = self.horizon;
        found.extend(unstored.filter(|(id, _)| beyond.is_none_or(|beyond| *id < beyond)));
        for (id, body) in found {
            if !self.flights.contains_key(&id) {
                self.ready_bytes += body.len();
                if let Some(same) = self.ready.insert(id, body) {
                    self.ready_bytes -= same.len();
                }
            }
        }
        Ok(())
    }

    fn next_due(&self) -> Option<i64> {
        let fresh = self.ready.first_key_value().map(|(id, _)| id.0);
        let back = self.returning.first().map(|(at, _)| *at);
        let stored = self.horizon.map(|(due, _)| due);
        [fresh, back, stored].into_iter().flatten().min()
    }

    /// The message whose newest receive this is.
    fn named(&self, receipt: &Receipt) -> Option<(MessageId, Flight)> {
        let mut words = receipt.0.split('.');
        let id = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let receive_count: u32 = words.next()?.parse().ok()?;
        let flight = *self.flights.get(&id)?;
        (words.next().is_none() && flight.receive_count == receive_count).then_some((id, flight))
    }
}

impl From<Rejected> for Stopped {
    fn from(rejected: Rejected) -> Stopped {
        match rejected {
            Rejected::Full(_) => Stopped::Full,
            Rejected::Failed(failure) => Stopped::Failed(failure),
        }
    }
}

fn receipt((due, number): MessageId, receive_count: u32) -> Receipt {
    Receipt(format_text!("{due}.{number}.{receive_count}"))
}
