//! What is stored: the last writes in memory over sorted files, one tree of files per space.
//!
//! The trees are `lsm-tree`'s, without a log of their own: checksummed blocks with filters, and
//! compaction in levels; what has reached the third of them is compressed. Their memtables stay empty: flushes
//! hand them sorted writes. A reader looks at the memory first and at the files then, so that a flush in
//! between hides nothing from it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use lsm_tree::config::{BlockSizePolicy, CompressionPolicy, PinningPolicy};
use lsm_tree::{
    AbstractTree, AnyTree, Cache, CompressionType, Config, DescriptorTable, Guard, InternalValue, SeqNo,
    SequenceNumberCounter, ValueType,
};
use xxhash_rust::xxh3::xxh3_128;

use crate::directory::Directory;
use crate::error::{Failure, OpenError};
use crate::key::Space;
use crate::memtable::{Memtable, Write, is_empty};

/// What one read takes from a file and unpacks, however small its row is.
const BLOCK_BYTES: u32 = 4 * 1024;
/// Open files of all trees.
const FILES_MAX: usize = 256;
/// Files that compaction makes.
const FILE_BYTES: u64 = 32 * 1024 * 1024;
/// Runs of files that flushes may leave before they are merged.
const RUNS_MAX: u8 = 8;
/// How many writes of each memtable a range takes at a time.
const RANGE_WRITES: usize = 64;

/// The storage of a store.
pub struct Storage {
    trees: [AnyTree; 4],
    folders: [PathBuf; 4],
    sequence: SequenceNumberCounter,
    memory: RwLock<Memory>,
}

#[derive(Default)]
struct Memory {
    active: Memtable,
    /// Oldest first.
    frozen: VecDeque<Arc<Frozen>>,
}

/// A memtable that waits for its flush.
pub struct Frozen {
    memtable: Memtable,
    /// The last segment of the log that holds what is in it.
    pub segment: u64,
    /// The last batch that is in it.
    pub last: u64,
}

impl Storage {
    /// Opens the trees of a directory.
    pub fn open(directory: &Directory, cache_bytes: u64) -> Result<Storage, OpenError> {
        let sequence = SequenceNumberCounter::new(1);
        let visible = SequenceNumberCounter::new(1);
        let cache = Arc::new(Cache::with_capacity_bytes(cache_bytes));
        let files = Arc::new(DescriptorTable::new(FILES_MAX));
        let open = |space: Space| -> Result<AnyTree, OpenError> {
            let folder = directory.at(space.folder());
            check_version(&folder)?;
            let config = Config::new(&folder, sequence.clone(), visible.clone())
                .use_cache(Arc::clone(&cache))
                .use_descriptor_table(Some(Arc::clone(&files)))
                .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
                .data_block_compression_policy(CompressionPolicy::new([
                    CompressionType::None,
                    CompressionType::None,
                    CompressionType::Lz4,
                ]))
                .filter_block_pinning_policy(PinningPolicy::all(true))
                .index_block_pinning_policy(PinningPolicy::all(false));
            let tree = guarded(|| config.open()).map_err(|reason| OpenError::damaged(&folder, reason))?;
            let highest = guarded(|| Ok(tree.get_highest_persisted_seqno()));
            if let Some(highest) = highest.map_err(|reason| OpenError::damaged(&folder, reason))? {
                sequence.fetch_max(highest + 1);
                visible.fetch_max(highest + 1);
            }
            Ok(tree)
        };
        let trees = [open(Space::Rows)?, open(Space::Entries)?, open(Space::Messages)?, open(Space::Names)?];
        let folders = Space::ALL.map(|space| directory.at(space.folder()));
        Ok(Storage { trees, folders, sequence, memory: RwLock::default() })
    }

    /// The value of a key.
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        {
            let memory = self.read();
            if let Some(found) = memory.active.get(space, key) {
                return Ok(found);
            }
            for frozen in memory.frozen.iter().rev() {
                if let Some(found) = frozen.memtable.get(space, key) {
                    return Ok(found);
                }
            }
        }
        let found = guarded(|| self.tree(space).get(key, SeqNo::MAX));
        Ok(found.map_err(|reason| self.damaged(space, &reason))?.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// Calls `visit` with the entries of a range of one partition, in order, until it says `false`.
    pub fn range(
        &self,
        space: Space,
        (from, to): (Bound<&[u8]>, Bound<&[u8]>),
        descending: bool,
        mut visit: impl FnMut(&[u8], Bytes) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let (mut from, mut to) = (from.map(<[u8]>::to_vec), to.map(<[u8]>::to_vec));
        loop {
            let bounds = (bytes_of(&from), bytes_of(&to));
            if is_empty(bounds.0, bounds.1) {
                return Ok(());
            }
            let (writes, fence) = self.writes(space, bounds, descending);
            let within = match (&fence, descending) {
                (None, _) => bounds,
                (Some(fence), false) => (bounds.0, Bound::Included(&fence[..])),
                (Some(fence), true) => (Bound::Included(&fence[..]), bounds.1),
            };
            if !self.merge(space, writes, within, descending, &mut visit)? {
                return Ok(());
            }
            match (fence, descending) {
                (None, _) => return Ok(()),
                (Some(fence), false) => from = Bound::Excluded(fence.to_vec()),
                (Some(fence), true) => to = Bound::Excluded(fence.to_vec()),
            }
        }
    }

    /// The writes in memory from the beginning of a range, and up to which key they are complete.
    fn writes(
        &self,
        space: Space,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        descending: bool,
    ) -> (BTreeMap<Bytes, Option<Bytes>>, Option<Bytes>) {
        let memory = self.read();
        let newest_first =
            std::iter::once(&memory.active).chain(memory.frozen.iter().rev().map(|frozen| &frozen.memtable));
        let (mut writes, mut fence) = (BTreeMap::new(), None::<Bytes>);
        for memtable in newest_first {
            let found = memtable.range(space, bounds, descending, RANGE_WRITES);
            if let Some((last, _)) = found.last()
                && found.len() == RANGE_WRITES
            {
                let is_tighter =
                    fence.as_ref().is_none_or(|fence| (last < fence) != descending && last != fence);
                if is_tighter {
                    fence = Some(last.clone());
                }
            }
            for (key, value) in found {
                writes.entry(key).or_insert(value);
            }
        }
        if let Some(fence) = &fence {
            writes.retain(|key, _| if descending { key >= fence } else { key <= fence });
        }
        (writes, fence)
    }

    fn merge(
        &self,
        space: Space,
        mut writes: BTreeMap<Bytes, Option<Bytes>>,
        bounds: (Bound<&[u8]>, Bound<&[u8]>),
        descending: bool,
        visit: &mut impl FnMut(&[u8], Bytes) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let mut stored = self.tree(space).range::<&[u8], _>(bounds, SeqNo::MAX, None);
        loop {
            let next = guarded(|| {
                let next = if descending { stored.next_back() } else { stored.next() };
                next.map(Guard::into_inner).transpose()
            });
            let next = next.map_err(|reason| self.damaged(space, &reason))?;
            let mut is_hidden = false;
            while let Some(write) = if descending { writes.last_entry() } else { writes.first_entry() } {
                if let Some((key, _)) = &next {
                    is_hidden = write.key()[..] == key[..];
                    let comes_later = (write.key()[..] > key[..]) != descending;
                    if comes_later && !is_hidden {
                        break;
                    }
                }
                let (key, value) = write.remove_entry();
                if let Some(value) = value
                    && !visit(&key, value)?
                {
                    return Ok(false);
                }
                if is_hidden {
                    break;
                }
            }
            match next {
                None => return Ok(true),
                Some(_) if is_hidden => {}
                Some((key, value)) => {
                    if !visit(&key, Bytes::copy_from_slice(&value))? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Takes writes in. They can be read from now on.
    pub fn apply(&self, writes: impl IntoIterator<Item = Write>) {
        let mut memory = self.write();
        for write in writes {
            // A message is written once: if that was since the last flush, no trace need stay.
            let is_gone = write.space == Space::Messages
                && write.value.is_none()
                && memory.active.forget(Space::Messages, &write.key);
            if !is_gone {
                memory.active.insert(write);
            }
        }
    }

    /// Takes in a write of the log. The files may have it already.
    pub fn replay(&self, write: Write) {
        self.write().active.insert(write);
    }

    /// About how much memory the last writes take that no flush waits for yet.
    pub fn active_bytes(&self) -> usize {
        self.read().active.bytes()
    }

    /// About how much memory the last writes take.
    pub fn memory_bytes(&self) -> usize {
        let memory = self.read();
        memory.active.bytes() + memory.frozen.iter().map(|frozen| frozen.memtable.bytes()).sum::<usize>()
    }

    /// Puts the last writes in the line for the flush.
    pub fn freeze(&self, segment: u64, last: u64) {
        let mut memory = self.write();
        let memtable = std::mem::take(&mut memory.active);
        memory.frozen.push_back(Arc::new(Frozen { memtable, segment, last }));
    }

    /// How many memtables wait for their flush.
    pub fn frozen(&self) -> usize {
        self.read().frozen.len()
    }

    /// The memtable to flush next.
    pub fn oldest(&self) -> Option<Arc<Frozen>> {
        self.read().frozen.front().cloned()
    }

    /// Forgets the memtable that was flushed.
    pub fn retire(&self) {
        self.write().frozen.pop_front();
    }

    /// Writes a memtable to files; durable when it returns. May be done again.
    pub fn flush(&self, frozen: &Frozen) -> Result<(), String> {
        for space in Space::ALL {
            let sequence = self.sequence.next();
            let mut sorted = frozen.memtable.sorted(space).peekable();
            if sorted.peek().is_none() {
                continue;
            }
            let writes = sorted.map(|(key, value)| {
                let (value, kind) = match value {
                    Some(value) => (&value[..], ValueType::Value),
                    None => (&[][..], ValueType::Tombstone),
                };
                Ok(InternalValue::from_components(&key[..], value, sequence, kind))
            });
            let tree = self.tree(space);
            guarded(|| {
                let _lock = tree.get_flush_lock();
                match tree.flush_to_tables(writes)? {
                    Some((tables, blobs)) => {
                        tree.register_tables(&tables, blobs.as_deref(), None, &[], sequence)
                    }
                    None => Ok(()),
                }
            })?;
        }
        Ok(())
    }

    /// Merges files of a space. Whether there was anything to merge.
    pub fn compact(&self, space: Space) -> Result<bool, String> {
        let tree = self.tree(space);
        let before = tree.current_version().id();
        let leveled = lsm_tree::compaction::Leveled::default()
            .with_l0_threshold(RUNS_MAX)
            .with_table_target_size(FILE_BYTES);
        guarded(|| {
            tree.compact(Arc::new(leveled), self.sequence.get())?;
            // The lists of files before this one would keep the files that were merged.
            tree.get_version_history_lock().maintenance(&self.folders[space as usize], self.sequence.get())
        })?;
        Ok(tree.current_version().id() != before)
    }

    /// Removes files that a flush or a compaction left when it failed. None may be running.
    pub fn sweep(&self) {
        for space in Space::ALL {
            let version = self.tree(space).current_version();
            let used: Vec<String> = version.iter_tables().map(|table| table.id().to_string()).collect();
            let Ok(files) = fs::read_dir(self.folders[space as usize].join("tables")) else { continue };
            for file in files.flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                if !used.contains(&name) {
                    // What cannot be removed is removed when the store is opened.
                    let _ = fs::remove_file(file.path());
                }
            }
        }
    }

    /// Bytes of the sorted files.
    pub fn file_bytes(&self) -> u64 {
        self.trees.iter().map(AbstractTree::disk_space).sum()
    }

    /// How many sorted files there are.
    pub fn files(&self) -> usize {
        self.trees.iter().map(AbstractTree::table_count).sum()
    }

    fn tree(&self, space: Space) -> &AnyTree {
        &self.trees[space as usize]
    }

    fn damaged(&self, space: Space, reason: &str) -> Failure {
        Failure::Damaged(format!("{}: {reason}", self.folders[space as usize].display()))
    }

    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn bytes_of(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// Errors and panics of the trees as reasons: bytes that pass no checksum may lead to either.
fn guarded<T>(run: impl FnOnce() -> lsm_tree::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(lsm_tree::Error::Io(error))) => Err(error.to_string()),
        Ok(Err(lsm_tree::Error::ChecksumMismatch { .. })) => {
            Err("a block does not match its checksum".to_owned())
        }
        Ok(Err(error)) => Err(format!("the sorted files cannot be read: {error:?}")),
        Err(_) => Err("the sorted files cannot be read".to_owned()),
    }
}

/// Checks the list of a tree's files, which the tree itself writes with a checksum and reads
/// without looking at it.
fn check_version(folder: &Path) -> Result<(), OpenError> {
    let current = folder.join("current");
    let bytes = match fs::read(&current) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // The first flush writes it; before it there is nothing to read.
            return match fs::read_dir(folder.join("tables")).map(|mut files| files.next().is_some()) {
                Ok(true) => Err(OpenError::damaged(&current, "it is missing")),
                _ => Ok(()),
            };
        }
        Err(error) => return Err(OpenError::Io { file: current, error }),
    };
    let parts = bytes.split_first_chunk::<8>().and_then(|(id, rest)| {
        let (checksum, rest) = rest.split_first_chunk::<16>()?;
        (rest == [0]).then(|| (u64::from_le_bytes(*id), u128::from_le_bytes(*checksum)))
    });
    let Some((id, checksum)) = parts else {
        return Err(OpenError::damaged(&current, "it is not what was written"));
    };
    let version = folder.join(format!("v{id}"));
    let bytes = fs::read(&version).map_err(|error| OpenError::damaged(&version, error.to_string()))?;
    if xxh3_128(&bytes) != checksum {
        return Err(OpenError::damaged(&version, "it does not match its checksum"));
    }
    Ok(())
}
