//! What was written lately, in memory: until it is flushed into sorted files, the log has it too.
//!
//! Point reads and writes of rows go to one small partition, found by its hash, so that they touch
//! few cache lines however much is in memory; only a flush sorts the partitions.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use bytes::Bytes;

use crate::key::{self, Space};

/// A write: the value of a key, or its removal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where.
    pub space: Space,
    /// Under which key.
    pub key: Bytes,
    /// What, or nothing any more.
    pub value: Option<Bytes>,
}

/// What an entry takes beside its bytes, about.
const ENTRY_BYTES: usize = 180;
/// What a partition takes beside its entries, about.
const PARTITION_BYTES: usize = 200;
/// A partition of more entries than this is a tree.
const FEW: usize = 32;

/// The last writes of all spaces.
#[derive(Debug, Default)]
pub struct Memtable {
    spaces: [Partitions; 4],
    bytes: usize,
}

type Partitions = HashMap<Bytes, Partition, foldhash::fast::RandomState>;

/// The entries of one partition, sorted.
#[derive(Debug)]
enum Partition {
    Few(Vec<(Bytes, Option<Bytes>)>),
    Many(BTreeMap<Bytes, Option<Bytes>>),
}

impl Memtable {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The newest write of a key: `None` when there is none here, `Some(None)` when it removed it.
    pub fn get(&self, space: Space, key: &[u8]) -> Option<Option<Bytes>> {
        let partition = &key[..key::split(space, key)];
        match self.spaces[space as usize].get(partition)? {
            Partition::Few(entries) => {
                let at = entries.binary_search_by(|(found, _)| found[..].cmp(key)).ok()?;
                Some(entries[at].1.clone())
            }
            Partition::Many(entries) => entries.get(key).cloned(),
        }
    }

    /// Takes a write in.
    pub fn insert(&mut self, write: Write) {
        let Write { space, key, value } = write;
        let split = key::split(space, &key);
        let added = ENTRY_BYTES + key.len() + value.as_ref().map_or(0, Bytes::len);
        let partitions = &mut self.spaces[space as usize];
        let partition = match partitions.get_mut(&key[..split]) {
            Some(partition) => partition,
            None => {
                self.bytes += PARTITION_BYTES;
                partitions.entry(key.slice(..split)).or_insert(Partition::Few(Vec::with_capacity(2)))
            }
        };
        let key_bytes = key.len();
        let replaced = partition.insert(key, value);
        self.bytes += added;
        if let Some(old) = replaced {
            let gone = ENTRY_BYTES + key_bytes + old.map_or(0, |value| value.len());
            self.bytes = self.bytes.saturating_sub(gone);
        }
    }

    /// Forgets a key that was written here first and only: nothing older has to be hidden.
    /// Whether it was here.
    pub fn forget(&mut self, space: Space, key: &[u8]) -> bool {
        let partitions = &mut self.spaces[space as usize];
        let Some(partition) = partitions.get_mut(&key[..key::split(space, key)]) else { return false };
        match partition.remove(key) {
            Some(Some(value)) => {
                self.bytes = self.bytes.saturating_sub(ENTRY_BYTES + key.len() + value.len());
                true
            }
            Some(None) => {
                partition.insert(Bytes::copy_from_slice(key), None);
                false
            }
            None => false,
        }
    }

    /// Up to `limit` writes of the range, all of one partition, from its beginning or its end.
    pub fn range(
        &self,
        space: Space,
        (from, to): (Bound<&[u8]>, Bound<&[u8]>),
        descending: bool,
        limit: usize,
    ) -> Vec<(Bytes, Option<Bytes>)> {
        let (Bound::Included(first) | Bound::Excluded(first)) = from else { return Vec::new() };
        let Some(partition) = self.spaces[space as usize].get(&first[..key::split(space, first)]) else {
            return Vec::new();
        };
        let copy = |(key, value): (&Bytes, &Option<Bytes>)| (key.clone(), value.clone());
        match partition {
            Partition::Few(entries) => {
                let inside = |key: &[u8]| {
                    (match from {
                        Bound::Included(from) => key >= from,
                        Bound::Excluded(from) => key > from,
                        Bound::Unbounded => true,
                    }) && (match to {
                        Bound::Included(to) => key <= to,
                        Bound::Excluded(to) => key < to,
                        Bound::Unbounded => true,
                    })
                };
                let found = entries.iter().map(|(key, value)| (key, value)).filter(|(key, _)| inside(key));
                match descending {
                    true => found.rev().take(limit).map(copy).collect(),
                    false => found.take(limit).map(copy).collect(),
                }
            }
            Partition::Many(entries) => {
                if is_empty(from, to) {
                    return Vec::new();
                }
                let found = entries.range::<[u8], _>((from, to));
                match descending {
                    true => found.rev().take(limit).map(copy).collect(),
                    false => found.take(limit).map(copy).collect(),
                }
            }
        }
    }

    /// Everything of a space in the order of the keys.
    pub fn sorted(&self, space: Space) -> impl Iterator<Item = (&Bytes, Option<&Bytes>)> {
        let mut partitions: Vec<(&Bytes, &Partition)> = self.spaces[space as usize].iter().collect();
        partitions.sort_unstable_by_key(|(partition, _)| *partition);
        partitions.into_iter().flat_map(|(_, partition)| partition.iter())
    }
}

impl Partition {
    fn insert(&mut self, key: Bytes, value: Option<Bytes>) -> Option<Option<Bytes>> {
        match self {
            Partition::Many(entries) => entries.insert(key, value),
            Partition::Few(entries) => {
                // Records come in the order of their numbers: most go to the end.
                let place = match entries.last() {
                    Some((last, _)) if *last < key => Err(entries.len()),
                    _ => entries.binary_search_by(|(found, _)| found.cmp(&key)),
                };
                match place {
                    Ok(at) => Some(std::mem::replace(&mut entries[at].1, value)),
                    Err(at) => {
                        entries.insert(at, (key, value));
                        if entries.len() > FEW {
                            *self = Partition::Many(std::mem::take(entries).into_iter().collect());
                        }
                        None
                    }
                }
            }
        }
    }

    fn remove(&mut self, key: &[u8]) -> Option<Option<Bytes>> {
        match self {
            Partition::Many(entries) => entries.remove(key),
            Partition::Few(entries) => {
                let at = entries.binary_search_by(|(found, _)| found[..].cmp(key)).ok()?;
                Some(entries.remove(at).1)
            }
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = (&Bytes, Option<&Bytes>)> + '_> {
        match self {
            Partition::Few(entries) => Box::new(entries.iter().map(|(key, value)| (key, value.as_ref()))),
            Partition::Many(entries) => Box::new(entries.iter().map(|(key, value)| (key, value.as_ref()))),
        }
    }
}

/// Whether nothing lies between two bounds, in the cases at which a `BTreeMap` panics.
pub fn is_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => {
            from >= to
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(number: u8, value: Option<u8>) -> Write {
        let key = Bytes::from(key::row("p", &format!("{number:03}")));
        Write { space: Space::Rows, key, value: value.map(|value| Bytes::from(vec![value])) }
    }

    proptest! {
        #[test]
        fn it_does_what_a_sorted_map_does(
            writes in proptest::collection::vec((0_u8..80, proptest::option::of(0_u8..9)), 0..200),
            (low, high) in (0_u8..80, 0_u8..80),
            limit in 1_usize..9,
        ) {
            let (mut memtable, mut model) = (Memtable::default(), BTreeMap::new());
            for (number, value) in writes {
                let write = write(number, value);
                model.insert(write.key.clone(), write.value.clone());
                memtable.insert(write);
            }
            let (low, high) = (write(low, None).key, write(high, None).key);
            prop_assert_eq!(memtable.get(Space::Rows, &low), model.get(&low).cloned());
            for from in [Bound::Included(&low[..]), Bound::Excluded(&low[..])] {
                for to in [Bound::Included(&high[..]), Bound::Excluded(&high[..])] {
                    let expected: Vec<(Bytes, Option<Bytes>)> = match is_empty(from, to) {
                        true => Vec::new(),
                        false => model
                            .range::<[u8], _>((from, to))
                            .map(|(key, value)| (key.clone(), value.clone()))
                            .collect(),
                    };
                    let found = memtable.range(Space::Rows, (from, to), false, limit);
                    prop_assert_eq!(&found[..], &expected[..expected.len().min(limit)]);
                    let mut backwards = expected;
                    backwards.reverse();
                    backwards.truncate(limit);
                    prop_assert_eq!(memtable.range(Space::Rows, (from, to), true, limit), backwards);
                }
            }
            let all: Vec<&Bytes> = memtable.sorted(Space::Rows).map(|(key, _)| key).collect();
            prop_assert_eq!(all, model.keys().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_forgotten_leaves_nothing_and_what_was_removed_stays_removed() {
        let mut memtable = Memtable::default();
        memtable.insert(write(1, Some(1)));
        let before = memtable.bytes();
        memtable.insert(write(2, Some(1)));
        assert!(memtable.forget(Space::Rows, &write(2, None).key));
        assert_eq!((memtable.bytes(), memtable.get(Space::Rows, &write(2, None).key)), (before, None));
        memtable.insert(write(3, None));
        assert!(!memtable.forget(Space::Rows, &write(3, None).key));
        assert_eq!(memtable.get(Space::Rows, &write(3, None).key), Some(None));
    }
}
