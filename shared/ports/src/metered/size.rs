//! What DynamoDB counts of a row: as the adapter for it stores rows, with names of one and two
//! bytes. Source: developer guide, "Item sizes and formats".

use crate::table::{IndexKey, IndexRow, Row};

/// Names of attributes of a row.
const NAME: usize = 1;
/// Names of attributes of an index.
const INDEX_NAME: usize = 2;
/// What ends a part of the place of an entry.
const END: usize = 2;

/// Bytes of a row: names and values. An entry of an index has the row's key once more in its own.
pub fn row_bytes(row: &Row) -> usize {
    let places: usize = row
        .indexes
        .iter()
        .map(|entry| INDEX_NAME + entry.partition.len() + INDEX_NAME + place(row, entry))
        .sum();
    let expires = row.expires_at.map_or(0, |at| NAME + number(at.millis().max(0).unsigned_abs() / 1_000));
    key(row.key.partition.len(), row.key.sort.len())
        + NAME
        + number(row.revision)
        + bytes(row.summary.len())
        + bytes(row.body.len())
        + places
        + expires
}

/// Bytes of an entry of an index: keys of the table and of the index, and what it projects.
pub fn entry_bytes(row: &Row, entry: &IndexKey) -> usize {
    index_row_bytes(&IndexRow::of(row, entry), entry.partition.len())
}

/// The same of an entry as it is read, in a partition of the index with a name of `partition_bytes`.
pub(super) fn index_row_bytes(row: &IndexRow, partition_bytes: usize) -> usize {
    let position = &row.position;
    let (partition, sort) = (position.key.partition.len(), position.key.sort.len());
    let place = position.sort.len() + END + partition + END + sort;
    let of_index = INDEX_NAME + partition_bytes + INDEX_NAME + place;
    key(partition, sort) + of_index + bytes(row.summary.len())
}

fn key(partition: usize, sort: usize) -> usize {
    NAME + partition + NAME + sort
}

fn place(row: &Row, entry: &IndexKey) -> usize {
    entry.sort.len() + END + row.key.partition.len() + END + row.key.sort.len()
}

/// One that is empty is not stored.
fn bytes(length: usize) -> usize {
    if length == 0 { 0 } else { NAME + length }
}

/// Two digits in a byte, and one byte.
fn number(number: u64) -> usize {
    let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    digits.div_ceil(2) + 1
}
