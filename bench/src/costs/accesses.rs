//! Notes what is read and written, and where: keys, units, index entries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use model::json::Text;
use ports::metered::{entry_bytes, row_bytes};
use ports::{Condition, Index, IndexPage, IndexQuery, IndexRow, Key, Page, Query, Row, Table, TableError};

/// One request to the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Key of the row; of a query, where it begins.
    pub key: Key,
    /// Bytes of the row, the larger of before and after.
    pub bytes: usize,
    /// Write units of the row; none for a read.
    pub write_units: u64,
    /// Halves of read units.
    pub read_half_units: u64,
    /// Partition keys of index entries that change, with their write units.
    pub entries: Vec<(Index, Text, u64)>,
}

/// A table that notes what succeeds.
pub struct Recorder {
    table: Arc<dyn Table>,
    accesses: Arc<Accesses>,
}

/// What was noted, in order.
#[derive(Debug, Default)]
pub struct Accesses(Mutex<Vec<Access>>);

impl Accesses {
    /// What was noted since the last call.
    pub fn take(&self) -> Vec<Access> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, access: Access) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(access);
    }

    fn read(&self, key: Key, bytes: usize) {
        let read_half_units = bytes.div_ceil(4_096).max(1) as u64 * 2;
        self.push(Access { key, bytes, write_units: 0, read_half_units, entries: Vec::new() });
    }
}

impl Recorder {
    /// Notes what is done to `table`.
    pub fn new(table: Arc<dyn Table>, accesses: Arc<Accesses>) -> Recorder {
        Recorder { table, accesses }
    }

    fn wrote(&self, key: &Key, before: Option<&Row>, after: Option<&Row>) {
        let bytes = |row: Option<&Row>| row.map_or(0, row_bytes);
        let bytes = bytes(before).max(bytes(after));
        self.accesses.push(Access {
            key: key.clone(),
            bytes,
            write_units: units(bytes),
            read_half_units: 0,
            entries: entries(before, after),
        });
    }
}

fn units(bytes: usize) -> u64 {
    bytes.div_ceil(1_024).max(1) as u64
}

/// The entries that a write removes, adds or changes.
fn entries(before: Option<&Row>, after: Option<&Row>) -> Vec<(Index, Text, u64)> {
    let mut changed = Vec::new();
    for index in [Index::First, Index::Second] {
        let of = |row: Option<&Row>| {
            row.and_then(|row| {
                let entry = row.entry(index)?;
                Some((entry.clone(), IndexRow::of(row, entry), units(entry_bytes(row, entry))))
            })
        };
        match (of(before), of(after)) {
            (Some((_, before, _)), Some((_, after, _))) if before == after => {}
            (Some((key_before, _, before)), Some((key, _, after))) if key_before == key => {
                changed.push((index, key.partition, before.max(after)));
            }
            (before, after) => {
                changed.extend(
                    [before, after]
                        .into_iter()
                        .flatten()
                        .map(|(key, _, units)| (index, key.partition, units)),
                );
            }
        }
    }
    changed
}

#[async_trait]
impl Table for Recorder {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        let row = self.table.get(key).await?;
        self.accesses.read(key.clone(), row.as_ref().map_or(0, row_bytes));
        Ok(row)
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        let before = self.table.get(&row.key).await?;
        self.table.put(row.clone(), condition).await?;
        self.wrote(&row.key, before.as_ref(), Some(&row));
        Ok(())
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        let before = self.table.get(key).await?;
        self.table.delete(key, condition).await?;
        self.wrote(key, before.as_ref(), None);
        Ok(())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let page = self.table.query(query).await?;
        let key = Key { partition: query.partition.clone(), sort: query.from.clone() };
        self.accesses.read(key, page.rows.iter().map(row_bytes).sum());
        Ok(page)
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.table.query_index(query).await
    }
}

/// One kind of write, per execution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// How many.
    pub writes: f64,
    /// Bytes of each.
    pub bytes: f64,
    /// Write units of all of them.
    pub write_units: f64,
}

/// Where the write units of so many executions went: rows by their place, entries by their index.
pub fn parts(accesses: &[Access], executions: u64) -> BTreeMap<String, Part> {
    let mut parts: BTreeMap<String, Part> = BTreeMap::new();
    let mut add = |what: String, bytes: usize, units: u64| {
        let part = parts.entry(what).or_default();
        part.writes += 1.0;
        part.bytes += bytes as f64;
        part.write_units += units as f64;
    };
    for access in accesses.iter().filter(|access| access.write_units > 0) {
        let kind = access.key.partition.split('/').next().unwrap_or_default();
        let what = if kind == "x" { access.key.sort.as_str() } else { kind };
        add(format!("row {what}"), access.bytes, access.write_units);
        for (_, key, units) in &access.entries {
            add(format!("entry {}", key.split('/').next().unwrap_or_default()), 0, *units);
        }
    }
    for part in parts.values_mut() {
        part.bytes /= part.writes;
        part.writes /= executions as f64;
        part.write_units /= executions as f64;
    }
    parts
}
