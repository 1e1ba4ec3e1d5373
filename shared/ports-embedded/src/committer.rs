//! Group commit: one thread takes everything that waits, checks the conditions in order, appends
//! one batch to the log, syncs once, and answers all. While it syncs, the next batch gathers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use ports::{Condition, TableError};
use tokio::sync::oneshot;

use crate::codec::{self, Head};
use crate::directory::Closed;
use crate::error::Failure;
use crate::inbox::{Answer, Inbox, Put, Request};
use crate::key::{self, Space};
use crate::log::{AppendError, FRAME_HEADER, Log, push_write};
use crate::maintenance::Maintenance;
use crate::memtable::Write;
use crate::storage::Storage;

/// Messages that nobody waits for are synced when nothing else came for so long.
const IDLE: Duration = Duration::from_millis(10);
/// How often messages are offered to a full disk again.
const RETRY: Duration = Duration::from_millis(100);
/// A memtable of this size is flushed when nothing is written: not to stay in memory for nothing.
const REST_BYTES: usize = 2 * 1024 * 1024;
/// When nothing was written for so long.
const REST: Duration = Duration::from_secs(1);
/// Buffers that grew beyond this are given back.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the committer counts.
#[derive(Debug, Default)]
pub struct Counters {
    /// Batches.
    pub batches: AtomicU64,
    /// Requests in them.
    pub requests: AtomicU64,
    /// Most requests of one.
    pub largest: AtomicU64,
    /// Syncs of the log.
    pub syncs: AtomicU64,
    /// Bytes appended to the log.
    pub bytes: AtomicU64,
}

/// The one writer.
pub struct Committer {
    log: Log,
    storage: Arc<Storage>,
    inbox: Arc<Inbox>,
    maintenance: Arc<Maintenance>,
    counters: Arc<Counters>,
    memtable_bytes: usize,
    /// Messages that a full disk refused: they were promised, and come before anything else.
    carried: Vec<Request>,
    frame: Vec<u8>,
    writes: Vec<Write>,
    /// Rows that the batch writes: which of its writes it is.
    overlay: HashMap<Bytes, usize, foldhash::fast::RandomState>,
    answers: Vec<Pending>,
}

/// An answer that waits for the disk.
enum Pending {
    Row(Answer, Result<(), TableError>),
    Expired(oneshot::Sender<Result<bool, Failure>>, Result<bool, Failure>),
    Other(oneshot::Sender<Result<(), Failure>>),
}

impl Pending {
    fn send(self) {
        // Whoever does not wait any more does not need the answer.
        match self {
            Pending::Row(answer, result) => drop(answer.send(result)),
            Pending::Expired(answer, result) => drop(answer.send(result)),
            Pending::Other(answer) => drop(answer.send(Ok(()))),
        }
    }

    fn fail(self, failure: &Failure) {
        match self {
            Pending::Row(answer, _) => drop(answer.send(Err(failure.clone().into()))),
            Pending::Expired(answer, _) => drop(answer.send(Err(failure.clone()))),
            Pending::Other(answer) => drop(answer.send(Err(failure.clone()))),
        }
    }
}

impl Committer {
    /// A writer at the end of a log.
    pub fn new(
        log: Log,
        storage: Arc<Storage>,
        inbox: Arc<Inbox>,
        maintenance: Arc<Maintenance>,
        counters: Arc<Counters>,
        memtable_bytes: usize,
    ) -> Committer {
        Committer {
            log,
            storage,
            inbox,
            maintenance,
            counters,
            memtable_bytes,
            carried: Vec::new(),
            frame: Vec::new(),
            writes: Vec::new(),
            overlay: HashMap::default(),
            answers: Vec::new(),
        }
    }

    /// Works until the line is closed and empty. Where the log ends, if it ended well.
    pub fn run(mut self) -> Option<Closed> {
        let inbox = Arc::clone(&self.inbox);
        let stopped = Stopped(&inbox);
        let mut requests = Vec::new();
        let mut is_dirty = false;
        loop {
            let timeout = match (self.carried.is_empty(), is_dirty) {
                (false, _) => Some(RETRY),
                (true, true) => Some(IDLE),
                (true, false) => (self.storage.active_bytes() >= REST_BYTES).then_some(REST),
            };
            let goes_on = inbox.take(&mut requests, timeout);
            if requests.is_empty() && self.carried.is_empty() {
                let synced = match (goes_on, is_dirty) {
                    (false, _) => self.log.finish().map(Some),
                    (true, true) => self.log.sync().map(|_| None),
                    (true, false) => self.rest().map(|()| None),
                };
                match synced {
                    Ok(None) => {
                        self.counters.syncs.fetch_add(u64::from(is_dirty), Ordering::Relaxed);
                        is_dirty = false;
                        continue;
                    }
                    Ok(end) => {
                        // Nothing can be in the line any more: the guard has nothing to do.
                        std::mem::forget(stopped);
                        return end;
                    }
                    Err(error) => {
                        inbox.close(&broken(&error));
                        return None;
                    }
                }
            }
            let has_carried = !self.carried.is_empty();
            let batch = self.carried.drain(..).chain(requests.drain(..)).collect();
            match self.commit(batch) {
                Ok(synced) => is_dirty = !synced,
                Err(Some(reason)) => {
                    inbox.close(&reason);
                    return None;
                }
                Err(None) if !goes_on => return None,
                Err(None) => {}
            }
            if has_carried && self.carried.is_empty() {
                inbox.refuse(None);
            }
            if self.frame.capacity() > BUFFER_BYTES_MAX {
                self.frame = Vec::new();
            }
        }
    }

    /// Commits a batch and answers everybody in it. `Ok` says whether the log is synced; an error
    /// has been answered, and ends the log if there is a reason.
    fn commit(&mut self, mut batch: Vec<Request>) -> Result<bool, Option<String>> {
        if let Err(failure) = self.make_room() {
            return match failure {
                AppendError::Refused(error) => {
                    self.refuse(batch, &error.to_string());
                    Err(None)
                }
                AppendError::Broken(error) => self.break_off(&error),
            };
        }
        self.frame.clear();
        self.frame.resize(FRAME_HEADER, 0);
        let count = batch.len() as u64;
        let mut sent = Vec::new();
        let mut messages = Vec::new();
        for request in batch.drain(..) {
            match request {
                Request::Put(put) => self.put(*put),
                Request::Delete { key, condition, answer } => {
                    let result = self.delete(&key, condition);
                    self.answers.push(Pending::Row(answer, result));
                }
                Request::Expire { key, at, answer } => {
                    let result = self.expire(&key, at);
                    self.answers.push(Pending::Expired(answer, result));
                }
                Request::Messages { writes, sent: to } => {
                    for write in &writes {
                        self.write(write.clone());
                    }
                    sent.extend(to.clone());
                    messages.push(Request::Messages { writes, sent: to });
                }
                Request::Write { writes, answer } => {
                    writes.into_iter().for_each(|write| self.write(write));
                    self.answers.push(Pending::Other(answer));
                }
            }
        }
        let must_sync = !self.answers.is_empty();
        let appended = match self.frame.len() == FRAME_HEADER {
            true => Ok(()),
            false => self.log.append(&mut self.frame),
        };
        match appended {
            Ok(()) => {}
            Err(AppendError::Refused(error)) => {
                self.forget();
                self.refuse(messages, &error.to_string());
                return Err(None);
            }
            Err(AppendError::Broken(error)) => return self.break_off(&error),
        }
        let mut is_synced = false;
        if must_sync {
            match self.log.sync() {
                Ok(synced) => {
                    self.counters.syncs.fetch_add(u64::from(synced), Ordering::Relaxed);
                    is_synced = true;
                }
                Err(error) => return self.break_off(&error),
            }
        }
        self.overlay.clear();
        self.storage.apply(self.writes.drain(..));
        for (window, id) in sent {
            window.stored(id);
        }
        self.answers.drain(..).for_each(Pending::send);
        self.counters.batches.fetch_add(1, Ordering::Relaxed);
        self.counters.requests.fetch_add(count, Ordering::Relaxed);
        self.counters.largest.fetch_max(count, Ordering::Relaxed);
        self.counters.bytes.fetch_add(self.frame.len() as u64, Ordering::Relaxed);
        Ok(is_synced)
    }

    /// Hands the memtable to the flush when it is large enough.
    fn make_room(&mut self) -> Result<(), AppendError> {
        let is_large = self.storage.active_bytes() >= self.memtable_bytes
            || self.log.bytes() >= 2 * self.memtable_bytes as u64;
        if is_large { self.freeze() } else { Ok(()) }
    }

    /// Hands it over while there is nothing else to do, unless flushes fail: that can wait.
    fn rest(&mut self) -> std::io::Result<()> {
        if self.storage.frozen() > 0 {
            return Ok(());
        }
        match self.freeze() {
            Ok(()) | Err(AppendError::Refused(_)) => Ok(()),
            Err(AppendError::Broken(error)) => Err(error),
        }
    }

    fn freeze(&mut self) -> Result<(), AppendError> {
        self.maintenance.wait_for_room(&self.storage).map_err(AppendError::Refused)?;
        let segment = self.log.segment();
        self.log.rotate()?;
        self.storage.freeze(segment, self.log.last());
        self.maintenance.notify();
        Ok(())
    }

    /// Answers that the disk refuses, and keeps the messages.
    fn refuse(&mut self, batch: Vec<Request>, reason: &str) {
        let reason = format!("the log cannot be written: {reason}");
        let failure = Failure::Unavailable(reason.clone());
        for request in batch {
            match request {
                Request::Messages { .. } => self.carried.push(request),
                Request::Put(put) => drop(put.answer.send(Err(failure.clone().into()))),
                Request::Delete { answer, .. } => drop(answer.send(Err(failure.clone().into()))),
                Request::Expire { answer, .. } => drop(answer.send(Err(failure.clone()))),
                Request::Write { answer, .. } => drop(answer.send(Err(failure.clone()))),
            }
        }
        if !self.carried.is_empty() {
            // Nothing may come before what was promised.
            self.inbox.refuse(Some(reason));
        }
        self.fail(&failure);
    }

    fn fail(&mut self, failure: &Failure) {
        self.answers.drain(..).for_each(|answer| answer.fail(failure));
    }

    /// Ends the log. The line closes before anybody is answered: who asks again then is refused,
    /// and not left without an answer.
    fn break_off(&mut self, error: &std::io::Error) -> Result<bool, Option<String>> {
        let reason = broken(error);
        self.forget();
        self.inbox.close(&reason);
        self.fail(&Failure::Unknown(reason.clone()));
        Err(Some(reason))
    }

    /// Forgets the writes of a batch that did not come about.
    fn forget(&mut self) {
        self.overlay.clear();
        self.writes.clear();
    }

    fn write(&mut self, write: Write) {
        push_write(&mut self.frame, &write);
        if write.space == Space::Rows {
            self.overlay.insert(write.key.clone(), self.writes.len());
        }
        self.writes.push(write);
    }

    /// What stands under the key of a row, the batch included.
    fn head(&self, key: &Bytes) -> Result<Option<Head>, Failure> {
        let found = match self.overlay.get(key) {
            Some(place) => self.writes[*place].value.clone(),
            None => self.storage.get(Space::Rows, key)?,
        };
        found
            .map(|value| {
                codec::take_head(&mut &value[..])
                    .ok_or_else(|| Failure::Damaged(format!("the row {} is not a row", shown(key))))
            })
            .transpose()
    }

    fn put(&mut self, put: Put) {
        let Put { key, value, head, entry, condition, answer } = put;
        let result = self.head(&key).map_err(TableError::from).and_then(|old| {
            meets(old.as_ref(), condition)?;
            let fresh: Vec<Vec<u8>> = codec::entry_keys(&key, &head).collect();
            if let Some(old) = &old {
                for gone in codec::entry_keys(&key, old).filter(|old| !fresh.contains(old)) {
                    self.write(Write { space: Space::Entries, key: gone.into(), value: None });
                }
            }
            for listed in fresh {
                let value = if listed[0] == key::EXPIRY { Bytes::new() } else { entry.clone() };
                self.write(Write { space: Space::Entries, key: listed.into(), value: Some(value) });
            }
            self.write(Write { space: Space::Rows, key: key.clone(), value: Some(value) });
            Ok(())
        });
        self.answers.push(Pending::Row(answer, result));
    }

    fn delete(&mut self, key: &Bytes, condition: Condition) -> Result<(), TableError> {
        let old = self.head(key)?;
        meets(old.as_ref(), condition)?;
        if let Some(old) = &old {
            self.remove(key, old);
        }
        Ok(())
    }

    fn expire(&mut self, key: &Bytes, at: i64) -> Result<bool, Failure> {
        match self.head(key)? {
            Some(old) if old.expires_at == Some(at) => {
                self.remove(key, &old);
                Ok(true)
            }
            // Left by nothing that is known; gone, so that no sweep meets it again.
            _ => {
                let entry = key::expiry(at, key);
                self.write(Write { space: Space::Entries, key: entry.into(), value: None });
                Ok(false)
            }
        }
    }

    fn remove(&mut self, key: &Bytes, old: &Head) {
        for gone in codec::entry_keys(key, old) {
            self.write(Write { space: Space::Entries, key: gone.into(), value: None });
        }
        self.write(Write { space: Space::Rows, key: key.clone(), value: None });
    }
}

/// Closes the line if the committer ends in any other way than by its end.
struct Stopped<'a>(&'a Inbox);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.close("the store has stopped: it must be opened again");
        self.0.clear();
    }
}

fn meets(old: Option<&Head>, condition: Condition) -> Result<(), TableError> {
    let holds = match condition {
        Condition::Always => true,
        Condition::Absent => old.is_none(),
        Condition::Revision(revision) => old.is_some_and(|old| old.revision == revision),
    };
    if holds { Ok(()) } else { Err(TableError::Conflict) }
}

fn broken(error: &std::io::Error) -> String {
    format!("the log cannot be written any more: {error}; the store must be opened again")
}

fn shown(key: &[u8]) -> String {
    match key::row_parts(key) {
        Some((partition, sort)) => format!("{partition} {sort}"),
        None => format!("{key:?}"),
    }
}
