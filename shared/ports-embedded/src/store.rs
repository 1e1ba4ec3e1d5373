//! A store: its threads, its ports, its beginning and its end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use model::json::Text;
use ports::{Clock, TableError};

use crate::blobs::Blobs;
use crate::committer::{Committer, Counters};
use crate::directory::{Closed, Directory};
use crate::error::{Failure, OpenError};
use crate::inbox::Inbox;
use crate::log::{self, Log, OpenMedium};
use crate::maintenance::Maintenance;
use crate::queue::{Port, Queues};
use crate::shared::Shared;
use crate::storage::Storage;
use crate::table::Table;

/// Openings that write little leave a segment each: so many are flushed, however small.
const SEGMENTS_MAX: usize = 16;

/// How a store uses memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Blocks of sorted files that stay in memory, in bytes.
    pub cache_bytes: u64,
    /// What is written is flushed into sorted files at this size, in bytes. Up to twice as much is
    /// in memory, and in the log that an opening reads. Less means that files are merged more often.
    pub memtable_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { cache_bytes: 16 * 1024 * 1024, memtable_bytes: 32 * 1024 * 1024 }
    }
}

/// A store that is open.
pub struct Store {
    directory: Arc<Directory>,
    shared: Arc<Shared>,
    table: Arc<Table>,
    queues: Arc<Queues>,
    blobs: Arc<Blobs>,
    maintenance: Arc<Maintenance>,
    counters: Arc<Counters>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    committer: JoinHandle<Option<Closed>>,
    flush: JoinHandle<()>,
    compaction: JoinHandle<()>,
}

/// The store did not end in order. What was acknowledged is in it all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store in {} was not closed in order: {reason}", directory.display())]
pub struct CloseError {
    /// Which store.
    pub directory: PathBuf,
    /// Why.
    pub reason: String,
}

/// What a store has done since it was opened, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches that were committed.
    pub commits: u64,
    /// Requests in them.
    pub requests: u64,
    /// Most requests of one batch.
    pub batch_max: u64,
    /// Syncs of the log.
    pub syncs: u64,
    /// Bytes appended to the log.
    pub log_bytes: u64,
    /// Requests that wait for the committer.
    pub waiting: usize,
    /// How often a request found the line full.
    pub full: u64,
    /// Bytes of writes in memory, about.
    pub memory_bytes: usize,
    /// Sorted files.
    pub files: usize,
    /// Bytes of the sorted files.
    pub file_bytes: u64,
    /// Of each queue: its name, its messages that wait in memory, its messages that are received
    /// and not deleted.
    pub queues: Vec<(Text, usize, usize)>,
    /// Why flushes or merges fail, if they do.
    pub error: Option<String>,
}

impl Store {
    /// Opens the store in a directory, or makes one in an empty or missing directory. Reads what
    /// the log has and the sorted files do not have yet: some tens of megabytes at most.
    pub fn open(directory: &Path, options: Options, clock: Arc<dyn Clock>) -> Result<Store, OpenError> {
        Store::open_with(directory, options, clock, Box::new(|file| Box::new(file)))
    }

    pub(crate) fn open_with(
        path: &Path,
        options: Options,
        clock: Arc<dyn Clock>,
        medium: Box<OpenMedium>,
    ) -> Result<Store, OpenError> {
        let directory = Arc::new(Directory::open(path)?);
        let mut manifest = directory.manifest()?;
        let closed = directory.closed()?;
        let log_folder = directory.folder("log")?;
        let blob_folder = directory.folder("blobs")?;
        let storage = Arc::new(Storage::open(&directory, options.cache_bytes)?);
        let replayed =
            log::replay(&log_folder, manifest.flushed, closed.as_ref(), |write| storage.replay(write))?;
        manifest.opened += 1;
        directory.write_manifest(&manifest).map_err(OpenError::io(&directory.at("manifest")))?;
        directory.remove_closed()?;
        let log = Log::create(&log_folder, medium, replayed.segment + 1, replayed.next)
            .map_err(OpenError::io(&log_folder))?;

        if replayed.segments > SEGMENTS_MAX {
            storage.freeze(replayed.segment, replayed.next - 1);
        }
        let inbox = Arc::new(Inbox::default());
        let shared = Arc::new(Shared {
            storage: Arc::clone(&storage),
            inbox: Arc::clone(&inbox),
            clock,
            // Greater than all of any opening before, unless one gave out 2^40.
            numbers: AtomicU64::new(manifest.opened << 40),
            expiry_from: AtomicI64::new(i64::MIN),
        });
        let unreadable = |failure: Failure| match failure {
            Failure::Unavailable(reason) | Failure::Unknown(reason) | Failure::Damaged(reason) => {
                OpenError::damaged(path, reason)
            }
        };
        let queues = Arc::new(Queues::open(Arc::clone(&shared)).map_err(unreadable)?);
        let blobs = Arc::new(Blobs::new(Arc::clone(&shared), blob_folder));
        blobs.clean().map_err(unreadable)?;
        let maintenance = Arc::new(Maintenance::new(Arc::clone(&directory), log_folder, manifest));
        let counters = Arc::new(Counters::default());
        let committer = Committer::new(
            log,
            Arc::clone(&storage),
            inbox,
            Arc::clone(&maintenance),
            Arc::clone(&counters),
            options.memtable_bytes.max(1),
        );
        let thread = std::thread::Builder::new();
        let started = |error| OpenError::Io { file: path.to_owned(), error };
        let committer = thread.name("store-commit".to_owned()).spawn(|| committer.run()).map_err(started)?;
        let beside = |name: &str, run: fn(&Maintenance, &Storage)| {
            let (maintenance, storage) = (Arc::clone(&maintenance), Arc::clone(&storage));
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn(move || run(&maintenance, &storage)).map_err(started)
        };
        let flush = beside("store-flush", Maintenance::flush)?;
        let compaction = beside("store-merge", Maintenance::compact)?;
        Ok(Store {
            directory,
            table: Arc::new(Table(Arc::clone(&shared))),
            shared,
            queues,
            blobs,
            maintenance,
            counters,
            threads: Mutex::new(Some(Threads { committer, flush, compaction })),
        })
    }

    /// Its table.
    pub fn table(&self) -> Arc<dyn ports::Table> {
        Arc::clone(&self.table) as Arc<dyn ports::Table>
    }

    /// Its queues.
    pub fn queues(&self) -> Arc<dyn ports::Queues> {
        Arc::new(Port(Arc::clone(&self.queues)))
    }

    /// Its blobs.
    pub fn blobs(&self) -> Arc<dyn ports::Blobs> {
        Arc::clone(&self.blobs) as Arc<dyn ports::Blobs>
    }

    /// Removes up to `limit` rows that have expired, and says how many: as many mean that there
    /// may be more. The owner calls it from time to time.
    pub async fn sweep_expired(&self, limit: usize) -> Result<usize, TableError> {
        self.table.sweep_expired(limit).await
    }

    /// What it has done and what it holds.
    pub fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: count(&self.counters.batches),
            requests: count(&self.counters.requests),
            batch_max: count(&self.counters.largest),
            syncs: count(&self.counters.syncs),
            log_bytes: count(&self.counters.bytes),
            waiting: self.shared.inbox.len(),
            full: count(&self.shared.inbox.waits),
            memory_bytes: self.shared.storage.memory_bytes(),
            files: self.shared.storage.files(),
            file_bytes: self.shared.storage.file_bytes(),
            queues: self.queues.lengths(),
            error: self.maintenance.error(),
        }
    }

    /// Ends the store: everything in the line is committed, the log is synced and its end noted,
    /// the directory is free for others. Later requests are refused. Doing it again does nothing.
    /// Blocks for as long as a flush or a merge that has begun takes.
    pub fn close(&self) -> Result<(), CloseError> {
        let mut held = self.threads.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(Threads { committer, flush, compaction }) = held.take() else { return Ok(()) };
        self.shared.inbox.close("the store is closed");
        let end = committer.join();
        self.maintenance.stop();
        let maintained = flush.join().is_ok() & compaction.join().is_ok();
        let closed = match end {
            Ok(Some(end)) => self.directory.write_closed(&end).map_err(|error| error.to_string()),
            Ok(None) => Err("the log could not be written to its end".to_owned()),
            Err(_) => Err("the commits stopped".to_owned()),
        };
        self.directory.release();
        let closed = if maintained { closed } else { Err("the maintenance stopped".to_owned()) };
        closed.map_err(|reason| CloseError { directory: self.directory.at(""), reason })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Nobody is left to be told; the next opening does without an orderly end.
        let _ = self.close();
    }
}
