//! Keys of the store: the parts of a key one behind the other, in an encoding that keeps order.
//!
//! Every part but the last ends with `00 01`, and a zero byte within it becomes `00 FF`: so a key
//! compares as its parts do, one by one. The first part is the *partition*, see [`split`].

use model::json::Text;

/// Where a key stands: each space is a sorted map of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// Rows of the table: partition, sort key.
    Rows,
    /// Entries of the secondary indexes and of the expiry: which index, then its partition, the
    /// sort key, and the key of the row.
    Entries,
    /// Messages: queue, due time, number.
    Messages,
    /// Blobs and definitions of queues, by name.
    Names,
}

impl Space {
    /// All of them, in the order of their numbers.
    pub const ALL: [Space; 4] = [Space::Rows, Space::Entries, Space::Messages, Space::Names];

    /// Its number in the log.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Its folder.
    pub fn folder(self) -> &'static str {
        ["rows", "entries", "messages", "names"][self as usize]
    }

    /// The space of a number.
    pub fn of(number: u8) -> Option<Space> {
        Space::ALL.get(usize::from(number)).copied()
    }
}

/// Appends a part that is not the last.
pub fn push_part(key: &mut Vec<u8>, part: &[u8]) {
    for byte in part {
        key.push(*byte);
        if *byte == 0 {
            key.push(0xFF);
        }
    }
    key.extend_from_slice(&[0, 1]);
}

/// Takes a part that is not the last off the front; `None` when there is no whole part.
pub fn take_part(key: &mut &[u8]) -> Option<Vec<u8>> {
    let mut part = Vec::new();
    let mut bytes = key.iter().enumerate();
    while let Some((_, byte)) = bytes.next() {
        match (*byte, byte == &0) {
            (_, false) => part.push(*byte),
            (_, true) => match bytes.next()? {
                (_, 0xFF) => part.push(0),
                (at, 1) => {
                    *key = key.get(at + 1..)?;
                    return Some(part);
                }
                _ => return None,
            },
        }
    }
    None
}

/// How many bytes of the front of a key are its partition.
pub fn split(space: Space, key: &[u8]) -> usize {
    let whole = match space {
        Space::Rows => 1,
        // Behind the number of the index.
        Space::Entries => return 1 + parts_end(key.get(1..).unwrap_or_default(), 1),
        Space::Messages => return key.len().min(4),
        Space::Names => return key.len().min(1),
    };
    parts_end(key, whole)
}

fn parts_end(key: &[u8], parts: usize) -> usize {
    let mut at = 0;
    let mut left = parts;
    while left > 0 {
        match key.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) {
            None => return key.len(),
            Some(zero) => {
                if key.get(at + zero + 1) == Some(&1) {
                    left -= 1;
                }
                at = (at + zero + 2).min(key.len());
            }
        }
    }
    at
}

/// The key of a row.
pub fn row(partition: &str, sort: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(partition.len() + sort.len() + 2);
    push_part(&mut key, partition.as_bytes());
    key.extend_from_slice(sort.as_bytes());
    key
}

/// The partition and the sort key in the key of a row.
pub fn row_parts(mut key: &[u8]) -> Option<(Text, Text)> {
    let partition = take_part(&mut key)?;
    Some((text(&partition)?, text(key)?))
}

/// What the keys of the entries of an index partition begin with.
pub fn entry_partition(index: u8, partition: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(partition.len() + 3);
    key.push(index);
    push_part(&mut key, partition.as_bytes());
    key
}

/// The key of an index entry; `row` is the key of the row as [`row`] makes it.
pub fn entry(index: u8, partition: &str, sort: &str, row: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(partition.len() + sort.len() + row.len() + 5);
    key.push(index);
    push_part(&mut key, partition.as_bytes());
    push_part(&mut key, sort.as_bytes());
    key.extend_from_slice(row);
    key
}

/// The sort key of an index entry and the parts of its row's key, behind the partition.
pub fn entry_parts(mut behind: &[u8]) -> Option<(Text, Text, Text)> {
    let sort = take_part(&mut behind)?;
    let (partition, row_sort) = row_parts(behind)?;
    Some((text(&sort)?, partition, row_sort))
}

/// The number of the expiry among the indexes; its partition is empty.
pub const EXPIRY: u8 = 0xE0;

/// The key of an expiry entry.
pub fn expiry(at_millis: i64, row: &[u8]) -> Vec<u8> {
    let mut key = expiry_from(at_millis);
    key.extend_from_slice(row);
    key
}

/// Where the expiry entries of a time begin.
pub fn expiry_from(at_millis: i64) -> Vec<u8> {
    let mut key = entry_partition(EXPIRY, "");
    key.extend_from_slice(&sortable(at_millis));
    key
}

/// The time and the key of the row in an expiry entry.
pub fn expiry_parts(key: &[u8]) -> Option<(i64, &[u8])> {
    let behind = key.get(3..)?;
    let (at, row) = behind.split_first_chunk::<8>()?;
    Some((from_sortable(*at), row))
}

/// Place of a message in its queue: when it is due, in ms, and its number.
pub type MessageId = (i64, u64);

/// The key of a message.
pub fn message(queue: u32, (due, number): MessageId) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&queue.to_be_bytes());
    key[4..12].copy_from_slice(&sortable(due));
    key[12..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The queue and the place of a message.
pub fn message_parts(key: &[u8]) -> Option<(u32, MessageId)> {
    let (queue, rest) = key.split_first_chunk::<4>()?;
    let (due, rest) = rest.split_first_chunk::<8>()?;
    let number = <[u8; 8]>::try_from(rest).ok()?;
    Some((u32::from_be_bytes(*queue), (from_sortable(*due), u64::from_be_bytes(number))))
}

/// A signed number as bytes in its order.
fn sortable(number: i64) -> [u8; 8] {
    (number.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

fn from_sortable(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)).cast_signed()
}

fn text(bytes: &[u8]) -> Option<Text> {
    std::str::from_utf8(bytes).ok().map(Text::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_compare_as_their_parts(
            a in ("[\0\x01a\u{ff}]{0,4}", "[\0\x01a\u{ff}]{0,4}"),
            b in ("[\0\x01a\u{ff}]{0,4}", "[\0\x01a\u{ff}]{0,4}"),
        ) {
            let (left, right) = (row(&a.0, &a.1), row(&b.0, &b.1));
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert_eq!(row_parts(&left), Some((a.0.as_str().into(), a.1.as_str().into())));
            let mut partition = Vec::new();
            push_part(&mut partition, a.0.as_bytes());
            prop_assert_eq!(split(Space::Rows, &left), partition.len());
            let listed = entry(1, &b.0, &b.1, &left);
            let at = split(Space::Entries, &listed);
            prop_assert_eq!(&listed[..at], &entry_partition(1, &b.0)[..]);
            prop_assert_eq!(
                entry_parts(&listed[at..]),
                Some((b.1.as_str().into(), a.0.as_str().into(), a.1.as_str().into()))
            );
        }

        #[test]
        fn messages_and_expiries_keep_their_order(a: (i64, u64), b: (i64, u64)) {
            prop_assert_eq!(message(7, a).cmp(&message(7, b)), a.cmp(&b));
            prop_assert_eq!(message_parts(&message(7, a)), Some((7, a)));
            let expiring = expiry(a.0, b"row");
            prop_assert_eq!(expiry_parts(&expiring), Some((a.0, &b"row"[..])));
        }

        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            for space in Space::ALL {
                prop_assert!(split(space, &bytes) <= bytes.len().max(1));
            }
            let _ = (row_parts(&bytes), entry_parts(&bytes), expiry_parts(&bytes), message_parts(&bytes));
        }
    }
}
