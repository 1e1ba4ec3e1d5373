//! Rows under a key of two parts, conditional writes, and two secondary indexes.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;
use model::timestamp::Timestamp;

/// A table, as narrow as what DynamoDB, a B-tree and a log-structured store all do well.
///
/// Reads by key and by range see every write that returned before them. Index reads may lag
/// behind on a backend that says so; whoever acts on an index entry looks at the row.
#[async_trait]
pub trait Table: Send + Sync {
    /// The row under `key`. A key that no row can have ([`Key::check`]) has none.
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError>;

    /// Writes the whole row, index entries included, if `condition` holds for what stands under
    /// its key. All or nothing; durable when it returns.
    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError>;

    /// Removes the row and its index entries, if `condition` holds. Removing what is absent is
    /// no error under [`Condition::Always`] and [`Condition::Absent`], and a
    /// [`TableError::Conflict`] under [`Condition::Revision`].
    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError>;

    /// Rows of one partition in the order of their sort keys.
    async fn query(&self, query: &Query) -> Result<Page, TableError>;

    /// Entries of one partition of an index in the order of their sort keys.
    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError>;
}

/// Largest partition key in bytes. Source: DynamoDB, constraints.
pub const PARTITION_BYTES_MAX: usize = 2_048;
/// Largest sort key in bytes, of rows and of index entries. Source: DynamoDB, constraints.
pub const SORT_BYTES_MAX: usize = 1_024;
/// Largest row in bytes, see [`Row::bytes`]. Source: DynamoDB, item size.
pub const ROW_BYTES_MAX: usize = 400 * 1024;
/// A page of a query holds at most this many bytes of rows, or of index entries (see
/// [`IndexRow::bytes`]). Source: DynamoDB, Query.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Where a row stands. Compared and ordered as bytes; neither part is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Rows of one partition can be read in order.
    pub partition: Text,
    /// Unique within the partition.
    pub sort: Text,
}

impl Key {
    /// The key of these two parts.
    pub fn new(partition: impl Into<Text>, sort: impl Into<Text>) -> Key {
        Key { partition: partition.into(), sort: sort.into() }
    }

    /// Whether a row can stand here: from 1 to [`PARTITION_BYTES_MAX`] and from 1 to
    /// [`SORT_BYTES_MAX`] bytes. Backends check it before they write.
    pub fn check(&self) -> Result<(), TableError> {
        part(self, || "the partition key", &self.partition, PARTITION_BYTES_MAX)?;
        part(self, || "the sort key", &self.sort, SORT_BYTES_MAX)
    }
}

fn part<W: fmt::Display>(
    key: &Key,
    what: impl FnOnce() -> W,
    text: &str,
    max: usize,
) -> Result<(), TableError> {
    match text.len() {
        0 => Err(too_large(key, format!("{} is empty", what()))),
        bytes if bytes > max => {
            Err(too_large(key, format!("{} has {bytes} bytes, the most is {max}", what())))
        }
        _ => Ok(()),
    }
}

fn too_large(key: &Key, reason: String) -> TableError {
    /// A key may be long, a message should not be.
    const SHOWN_CHARS_MAX: usize = 200;
    let key = key.to_string();
    let shown = match key.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key,
    };
    TableError::TooLarge { key: shown, reason }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.partition, self.sort)
    }
}

/// A row. A put replaces it whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it stands.
    pub key: Key,
    /// What [`Condition::Revision`] compares; chosen by the writer.
    pub revision: u64,
    /// The small part, which index entries carry with them.
    pub summary: Bytes,
    /// The rest.
    pub body: Bytes,
    /// Where it is listed: at most one entry per [`Index`].
    pub indexes: Vec<IndexKey>,
    /// When it may vanish; a backend removes it some time after. It may be read until then.
    pub expires_at: Option<Timestamp>,
}

impl Row {
    /// A row without summary, index entries and expiry.
    pub fn new(key: Key, revision: u64, body: impl Into<Bytes>) -> Row {
        Row { key, revision, summary: Bytes::new(), body: body.into(), indexes: Vec::new(), expires_at: None }
    }

    /// What counts towards [`ROW_BYTES_MAX`]: keys, summary, body and index keys, and 64 bytes
    /// for names and numbers.
    pub fn bytes(&self) -> usize {
        let indexes: usize = self.indexes.iter().map(|index| index.partition.len() + index.sort.len()).sum();
        let key = self.key.partition.len() + self.key.sort.len();
        key + self.summary.len() + self.body.len() + indexes + 64
    }

    /// Whether a table can hold the row: its key and its index keys are within their limits, no
    /// index has two entries of it, and it has at most [`ROW_BYTES_MAX`] bytes. Backends check it
    /// before they look at the condition.
    pub fn check(&self) -> Result<(), TableError> {
        self.key.check()?;
        for (place, entry) in self.indexes.iter().enumerate() {
            let index = entry.index;
            part(
                &self.key,
                || format!("the partition key of index {index:?}"),
                &entry.partition,
                PARTITION_BYTES_MAX,
            )?;
            part(&self.key, || format!("the sort key of index {index:?}"), &entry.sort, SORT_BYTES_MAX)?;
            if self.indexes[..place].iter().any(|earlier| earlier.index == index) {
                return Err(too_large(
                    &self.key,
                    format!("it has two entries in index {index:?}, the most is one"),
                ));
            }
        }
        match self.bytes() {
            bytes if bytes > ROW_BYTES_MAX => {
                Err(too_large(&self.key, format!("the row has {bytes} bytes, the most is {ROW_BYTES_MAX}")))
            }
            _ => Ok(()),
        }
    }

    /// Its entry in an index, if it has one.
    pub fn entry(&self, index: Index) -> Option<&IndexKey> {
        self.indexes.iter().find(|entry| entry.index == index)
    }
}

/// The secondary indexes. Each is sparse: a row without an entry is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Index {
    /// The first.
    First,
    /// The second.
    Second,
}

/// An entry of a secondary index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexKey {
    /// Which index.
    pub index: Index,
    /// Partition of the index.
    pub partition: Text,
    /// Order within it. Entries with the same sort key follow the order of their row's key.
    pub sort: Text,
}

/// What must hold for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// No row stands under the key.
    Absent,
    /// A row with this revision stands under the key.
    Revision(u64),
}

/// Direction of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest sort key first.
    Ascending,
    /// Largest sort key first.
    Descending,
}

/// A range of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The partition.
    pub partition: Text,
    /// Smallest sort key, inclusive; empty: from the first on.
    pub from: Text,
    /// Largest sort key, inclusive. One before `from` makes the range empty.
    pub to: Text,
    /// Direction.
    pub order: Order,
    /// Go on behind this sort key (before it, when descending): that of the last row seen.
    pub after: Option<Text>,
    /// Most rows of the page, from 1.
    pub limit: usize,
}

/// Some rows of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows, in order. Empty only when there are none.
    pub rows: Vec<Row>,
    /// There may be more behind the last.
    pub more: bool,
}

/// A range of one partition of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexQuery {
    /// The index.
    pub index: Index,
    /// The partition of the index.
    pub partition: Text,
    /// Smallest sort key, inclusive; empty: from the first on.
    pub from: Text,
    /// Largest sort key, inclusive. One before `from` makes the range empty.
    pub to: Text,
    /// Direction.
    pub order: Order,
    /// Go on behind this entry: the last one seen.
    pub after: Option<IndexPosition>,
    /// Most entries of the page, from 1.
    pub limit: usize,
}

/// The place of an entry within its partition of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexPosition {
    /// Sort key of the entry.
    pub sort: Text,
    /// Key of its row.
    pub key: Key,
}

/// An entry of an index with what it carries of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// Its place.
    pub position: IndexPosition,
    /// Summary of the row.
    pub summary: Bytes,
}

impl IndexRow {
    /// The entry of `row` at `entry`, one of its index keys.
    pub fn of(row: &Row, entry: &IndexKey) -> IndexRow {
        IndexRow {
            position: IndexPosition { sort: entry.sort.clone(), key: row.key.clone() },
            summary: row.summary.clone(),
        }
    }

    /// What counts towards [`PAGE_BYTES_MAX`] in a partition of an index with a name of
    /// `partition_bytes`: the keys of the entry and of its row, the summary, and 32 bytes for names
    /// and numbers.
    pub fn bytes(&self, partition_bytes: usize) -> usize {
        let position = &self.position;
        let key = position.key.partition.len() + position.key.sort.len();
        partition_bytes + position.sort.len() + key + self.summary.len() + 32
    }
}

/// Some entries of a range of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage {
    /// The entries, in order. Empty only when there are none.
    pub rows: Vec<IndexRow>,
    /// There may be more behind the last.
    pub more: bool,
}

/// Why a table did not do what it was asked. Named by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The condition did not hold; nothing was written. Read and decide again.
    #[error("the row was changed by another writer")]
    Conflict,
    /// The row or its key breaks a limit (see [`Row::check`]); nothing was written, and trying
    /// again will not help.
    #[error("the row {key} does not fit: {reason}")]
    TooLarge {
        /// Where it was to stand.
        key: String,
        /// Which limit, and by how much.
        reason: String,
    },
    /// Too many requests; nothing was written. Try again later.
    #[error("the table is throttled")]
    Throttled,
    /// The write may or may not have been applied. Read before deciding.
    #[error("the outcome of the write is unknown: {0}")]
    Unknown(String),
    /// The table cannot serve the request; nothing was written.
    #[error("the table is unavailable: {0}")]
    Unavailable(String),
    /// What is stored cannot be read: damaged, or written by another version.
    #[error("the stored data cannot be read: {0}")]
    Damaged(String),
}
