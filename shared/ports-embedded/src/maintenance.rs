//! What goes on beside the commits: one thread flushes memtables into sorted files, another merges
//! these. Both do nothing while nothing is written.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::directory::{Directory, Manifest};
use crate::key::Space;
use crate::log::remove_segments;
use crate::storage::Storage;

/// How many memtables may wait for their flush before writes wait, too: one fills meanwhile.
const FROZEN_MAX: usize = 1;
/// How often what failed is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// What both threads and the committer share.
pub struct Maintenance {
    directory: Arc<Directory>,
    log: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    /// Held by a compaction while it runs.
    compacting: Mutex<()>,
    is_stopped: AtomicBool,
}

struct State {
    manifest: Manifest,
    /// Why the last flush failed.
    flush_error: Option<String>,
    /// Why the last compaction failed.
    compaction_error: Option<String>,
    /// Whether there is something to merge.
    is_unmerged: bool,
}

impl Maintenance {
    /// The maintenance of a directory.
    pub fn new(directory: Arc<Directory>, log: PathBuf, manifest: Manifest) -> Maintenance {
        let state = State { manifest, flush_error: None, compaction_error: None, is_unmerged: true };
        Maintenance {
            directory,
            log,
            state: Mutex::new(state),
            changed: Condvar::new(),
            compacting: Mutex::default(),
            is_stopped: AtomicBool::new(false),
        }
    }

    /// There is something to flush.
    pub fn notify(&self) {
        let _state = self.lock();
        self.changed.notify_all();
    }

    /// Ends both threads after what they are doing.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        self.notify();
    }

    /// Why flush or compaction fail, if they do.
    pub fn error(&self) -> Option<String> {
        let state = self.lock();
        state.flush_error.clone().or_else(|| state.compaction_error.clone())
    }

    /// Waits until another memtable may be frozen; an error when flushes fail.
    pub fn wait_for_room(&self, storage: &Storage) -> std::io::Result<()> {
        let mut state = self.lock();
        while storage.frozen() >= FROZEN_MAX {
            if let Some(error) = &state.flush_error {
                return Err(std::io::Error::other(error.clone()));
            }
            if self.is_stopped() {
                return Err(std::io::Error::other("the store is being closed"));
            }
            state = self.wait(state, RETRY);
        }
        Ok(())
    }

    /// Flushes until it is stopped.
    pub fn flush(&self, storage: &Storage) {
        loop {
            let Some(frozen) = self.wait_for(|_| storage.oldest()) else { return };
            let flushed = storage.flush(&frozen).and_then(|()| {
                let mut state = self.lock();
                state.manifest.flushed = frozen.last;
                self.directory
                    .write_manifest(&state.manifest)
                    .and_then(|()| remove_segments(&self.log, frozen.segment))
                    .map_err(|error| error.to_string())
            });
            match flushed {
                Ok(()) => {
                    storage.retire();
                    let mut state = self.lock();
                    state.flush_error = None;
                    state.is_unmerged = true;
                    self.changed.notify_all();
                }
                Err(reason) => {
                    {
                        let _compacting = self.compacting.lock();
                        storage.sweep();
                    }
                    let mut state = self.lock();
                    state.flush_error = Some(format!("what was written cannot be flushed: {reason}"));
                    self.changed.notify_all();
                    if self.is_stopped() {
                        return;
                    }
                    drop(self.wait(state, RETRY));
                }
            }
        }
    }

    /// Merges until it is stopped.
    pub fn compact(&self, storage: &Storage) {
        while self.wait_for(|state| std::mem::take(&mut state.is_unmerged).then_some(())).is_some() {
            let mut merged = Ok(());
            for space in Space::ALL {
                while merged.is_ok() && !self.is_stopped() {
                    let _compacting = self.compacting.lock();
                    match storage.compact(space) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(reason) => merged = Err(reason),
                    }
                }
            }
            let mut state = self.lock();
            state.compaction_error =
                merged.err().map(|reason| format!("sorted files cannot be merged: {reason}"));
            if state.compaction_error.is_some() {
                state.is_unmerged = true;
                drop(self.wait(state, RETRY));
            }
        }
    }

    /// The next thing to do; `None` when it is stopped.
    fn wait_for<T>(&self, mut next: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        loop {
            if self.is_stopped() {
                return None;
            }
            if let Some(found) = next(&mut state) {
                return Some(found);
            }
            state = self.changed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, timeout: Duration) -> MutexGuard<'a, State> {
        match self.changed.wait_timeout(state, timeout) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
