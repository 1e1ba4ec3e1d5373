//! A table with a meter. The rules are those of DynamoDB's read and write request units.

use std::sync::Arc;

use async_trait::async_trait;

use super::size::{entry_bytes, index_row_bytes, row_bytes};
use super::{Meter, Usage, units};
use crate::table::{Condition, Index, IndexPage, IndexQuery, IndexRow, Key, Page, Query, Row, TableError};

/// Bytes of a write request unit.
const WRITE_UNIT_BYTES: usize = 1024;
/// Bytes of a read request unit.
const READ_UNIT_BYTES: usize = 4 * 1024;

/// A table that counts what DynamoDB would charge.
///
/// A write costs by the larger of the row before and the row after it; so does one whose condition
/// fails. The row before is read from the table below where the condition does not say what it is;
/// while others write the same row, what is counted is what a write just then would cost.
pub struct Table {
    table: Arc<dyn crate::Table>,
    meter: Meter,
}

impl Table {
    /// Counts the requests to `table`.
    pub fn new(table: Arc<dyn crate::Table>, meter: Meter) -> Table {
        Table { table, meter }
    }

    /// The row before a write. What cannot be read counts as absent.
    async fn before(&self, key: &Key, condition: Condition) -> Option<Row> {
        match condition {
            Condition::Absent => None,
            Condition::Always | Condition::Revision(_) => self.table.get(key).await.ok().flatten(),
        }
    }

    /// The row that a failed write met.
    async fn met(&self, key: &Key, condition: Condition, before: Option<Row>) -> Option<Row> {
        match condition {
            Condition::Absent => self.table.get(key).await.ok().flatten(),
            Condition::Always | Condition::Revision(_) => before,
        }
    }

    async fn count_write(
        &self,
        key: &Key,
        condition: Condition,
        before: Option<Row>,
        after: Option<&Row>,
        result: &Result<(), TableError>,
    ) {
        let write_units = match result {
            // An unknown write counts as one that was applied.
            Ok(()) | Err(TableError::Unknown(_)) => {
                row_units(before.as_ref(), after) + index_units(before.as_ref(), after)
            }
            Err(TableError::Conflict) => row_units(self.met(key, condition, before).await.as_ref(), after),
            Err(
                TableError::TooLarge { .. }
                | TableError::Throttled
                | TableError::Unavailable(_)
                | TableError::Damaged(_),
            ) => 0,
        };
        let bytes = if write_units == 0 { 0 } else { after.map_or(0, row_bytes) };
        self.meter.add(Usage {
            table_requests: 1,
            write_units,
            table_bytes_written: bytes as u64,
            ..Usage::default()
        });
    }

    /// `halves` is the price of a unit: two consistently, one eventually. `bytes` is `None` for a
    /// read that failed.
    fn count_read(&self, halves: u64, bytes: Option<usize>) {
        self.meter.add(Usage {
            table_requests: 1,
            read_half_units: bytes.map_or(0, |bytes| units(bytes, READ_UNIT_BYTES) * halves),
            table_bytes_read: bytes.unwrap_or(0) as u64,
            ..Usage::default()
        });
    }
}

#[async_trait]
impl crate::Table for Table {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        let result = self.table.get(key).await;
        self.count_read(2, result.as_ref().ok().map(|row| row.as_ref().map_or(0, row_bytes)));
        result
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        let before = self.before(&row.key, condition).await;
        let result = self.table.put(row.clone(), condition).await;
        self.count_write(&row.key, condition, before, Some(&row), &result).await;
        result
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        let before = self.before(key, condition).await;
        let result = self.table.delete(key, condition).await;
        self.count_write(key, condition, before, None, &result).await;
        result
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let result = self.table.query(query).await;
        self.count_read(2, result.as_ref().ok().map(|page| page.rows.iter().map(row_bytes).sum()));
        result
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let result = self.table.query_index(query).await;
        let bytes =
            |page: &IndexPage| page.rows.iter().map(|row| index_row_bytes(row, query.partition.len())).sum();
        self.count_read(1, result.as_ref().ok().map(bytes));
        result
    }
}

fn row_units(before: Option<&Row>, after: Option<&Row>) -> u64 {
    let bytes = |row: Option<&Row>| row.map_or(0, row_bytes);
    units(bytes(before).max(bytes(after)), WRITE_UNIT_BYTES)
}

/// An entry that appears, vanishes or changes is a write; one that moves is removed and written.
fn index_units(before: Option<&Row>, after: Option<&Row>) -> u64 {
    let entry = |row: Option<&Row>, index| {
        row.and_then(|row| {
            let entry = row.entry(index)?;
            Some((entry.clone(), IndexRow::of(row, entry), entry_bytes(row, entry)))
        })
    };
    let entry_units = |index| match (entry(before, index), entry(after, index)) {
        (None, None) => 0,
        (Some((.., bytes)), None) | (None, Some((.., bytes))) => units(bytes, WRITE_UNIT_BYTES),
        (Some((_, before, _)), Some((_, after, _))) if before == after => 0,
        (Some((before_key, _, before)), Some((key, _, after))) if before_key == key => {
            units(before.max(after), WRITE_UNIT_BYTES)
        }
        (Some((.., before)), Some((.., after))) => {
            units(before, WRITE_UNIT_BYTES) + units(after, WRITE_UNIT_BYTES)
        }
    };
    entry_units(Index::First) + entry_units(Index::Second)
}
