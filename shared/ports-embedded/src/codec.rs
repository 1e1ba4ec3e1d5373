//! Values of the store: rows, and the numbers that values and frames of the log are made of.
//!
//! A row is `01`, its revision, its expiry (0: none, else ms + 1 as a zigzag), its index entries,
//! its summary, and its body to the end. Numbers are in groups of seven bits, the lowest first.

use bytes::Bytes;
use model::timestamp::Timestamp;
use ports::{Index, IndexKey, Key, Row};

use crate::key;

/// Format of a stored row.
const ROW: u8 = 1;

/// Appends a number.
pub fn push_number(to: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        to.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Takes a number off the front.
pub fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Appends bytes behind their count.
pub fn push_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    push_number(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

/// Takes counted bytes off the front.
pub fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = usize::try_from(take_number(from)?).ok()?;
    let (bytes, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(bytes)
}

/// Appends a signed number.
pub fn push_signed(to: &mut Vec<u8>, number: i64) {
    push_number(to, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Takes a signed number off the front.
pub fn take_signed(from: &mut &[u8]) -> Option<i64> {
    let number = take_number(from)?;
    Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

/// The number of an index in keys.
pub fn index_number(index: Index) -> u8 {
    match index {
        Index::First => 1,
        Index::Second => 2,
    }
}

fn index_of(number: u8) -> Option<Index> {
    match number {
        1 => Some(Index::First),
        2 => Some(Index::Second),
        _ => None,
    }
}

/// The value of a row.
pub fn row(row: &Row) -> Vec<u8> {
    let mut value = Vec::with_capacity(row.bytes());
    value.push(ROW);
    push_number(&mut value, row.revision);
    match row.expires_at {
        None => value.push(0),
        Some(at) => {
            value.push(1);
            push_signed(&mut value, at.millis());
        }
    }
    push_number(&mut value, row.indexes.len() as u64);
    for entry in &row.indexes {
        value.push(index_number(entry.index));
        push_bytes(&mut value, entry.partition.as_bytes());
        push_bytes(&mut value, entry.sort.as_bytes());
    }
    push_bytes(&mut value, &row.summary);
    value.extend_from_slice(&row.body);
    value
}

/// What precedes summary and body of a stored row.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Its revision.
    pub revision: u64,
    /// Its expiry.
    pub expires_at: Option<i64>,
    /// Its entries.
    pub indexes: Vec<IndexKey>,
}

/// The head of a stored row; `from` is left at its summary.
pub fn take_head(from: &mut &[u8]) -> Option<Head> {
    let (version, rest) = from.split_first()?;
    *from = rest;
    if *version != ROW {
        return None;
    }
    let revision = take_number(from)?;
    let expires_at = match take_number(from)? {
        0 => None,
        1 => Some(take_signed(from)?),
        _ => return None,
    };
    let count = take_number(from)?;
    let mut indexes = Vec::new();
    for _ in 0..count {
        let (number, rest) = from.split_first()?;
        *from = rest;
        let index = index_of(*number)?;
        let partition = std::str::from_utf8(take_bytes(from)?).ok()?.into();
        let sort = std::str::from_utf8(take_bytes(from)?).ok()?.into();
        indexes.push(IndexKey { index, partition, sort });
    }
    Some(Head { revision, expires_at, indexes })
}

/// The row of a key and its value.
pub fn take_row(key: Key, value: &Bytes) -> Option<Row> {
    let mut from = &value[..];
    let Head { revision, expires_at, indexes } = take_head(&mut from)?;
    let summary = take_bytes(&mut from)?;
    let body_at = value.len() - from.len();
    let summary = value.slice(body_at - summary.len()..body_at);
    let expires_at = expires_at.map(Timestamp::from_millis);
    Some(Row { key, revision, summary, body: value.slice(body_at..), indexes, expires_at })
}

/// The keys of all entries of a row, its expiry included.
pub fn entry_keys<'a>(row_key: &'a [u8], head: &'a Head) -> impl Iterator<Item = Vec<u8>> + 'a {
    let listed = head
        .indexes
        .iter()
        .map(|entry| key::entry(index_number(entry.index), &entry.partition, &entry.sort, row_key));
    listed.chain(head.expires_at.map(|at| key::expiry(at, row_key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_row_survives(
            revision: u64,
            summary: Vec<u8>,
            body: Vec<u8>,
            expires_at in proptest::option::of(-1_000_000_000_000_000_i64..1_000_000_000_000_000),
            listed in proptest::option::of(("[a-z\0]{1,9}", "[a-z]{1,9}")),
        ) {
            let stored = Row {
                key: Key::new("p", "s"),
                revision,
                summary: summary.into(),
                body: body.into(),
                indexes: listed
                    .map(|(partition, sort)| IndexKey {
                        index: Index::Second,
                        partition: partition.into(),
                        sort: sort.into(),
                    })
                    .into_iter()
                    .collect(),
                expires_at: expires_at.map(Timestamp::from_millis),
            };
            let value = Bytes::from(row(&stored));
            prop_assert_eq!(take_row(stored.key.clone(), &value), Some(stored));
        }

        #[test]
        fn numbers_survive(number: u64, signed: i64) {
            let mut bytes = Vec::new();
            push_number(&mut bytes, number);
            push_signed(&mut bytes, signed);
            let mut from = &bytes[..];
            prop_assert_eq!(take_number(&mut from), Some(number));
            prop_assert_eq!(take_signed(&mut from), Some(signed));
            prop_assert!(from.is_empty());
        }

        #[test]
        fn nothing_panics(bytes: Vec<u8>) {
            let _ = take_row(Key::new("p", "s"), &Bytes::from(bytes));
        }
    }
}
