//! The table, the blobs and the configuration that everything stored shares.

use std::sync::Arc;

use bytes::Bytes;
use model::arn::Home;
use ports::{BlobError, Blobs, Condition, Key, Row, Table, TableError};

/// Version of the layout: keys, rows and records. Another one is refused when a store is opened.
pub const FORMAT: u8 = 6;

/// Where things are stored, and how. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) table: Arc<dyn Table>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) config: Arc<Config>,
}

/// How things are stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Whose executions these are. ARNs of another home name nothing here.
    pub home: Home,
    /// Partitions that each listing is spread over. May grow over a store's life, never shrink.
    pub listing_shards: u32,
    /// Partitions that the wake-ups are spread over. May grow over a store's life, never shrink.
    pub wake_shards: u32,
    /// A payload with a longer JSON text goes to the blobs, in bytes.
    pub payload_bytes_inline_max: usize,
    /// A longer record goes to the blobs, in bytes after compression.
    pub record_bytes_inline_max: usize,
    /// A shorter record is not compressed, in bytes.
    pub compress_bytes_min: usize,
    /// The same for the first record, which stands in one row with who the execution is.
    pub first_compress_bytes_min: usize,
    /// Whether compression takes more time for fewer bytes.
    pub compress_thoroughly: bool,
    /// A longer state is not written with every record, in bytes before compression and with its
    /// payloads.
    pub state_bytes_always: usize,
    /// At most so many records in a row go without a state.
    pub stateless_records_max: u32,
    /// How long the records of an ended execution stay, in milliseconds.
    pub records_retention_millis: i64,
    /// How long an ended execution is listed and its name taken, in milliseconds.
    pub name_retention_millis: i64,
    /// Whether the history of an execution is kept as one blob when its records go.
    pub archive: bool,
}

impl Config {
    /// What is right for a table with one partition key and little data: a laptop.
    pub fn new(home: Home) -> Config {
        const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
        Config {
            home,
            listing_shards: 1,
            wake_shards: 1,
            payload_bytes_inline_max: 8 * 1024,
            record_bytes_inline_max: 64 * 1024,
            compress_bytes_min: 1024,
            // Its row is written twice, and read from a cache as a rule.
            first_compress_bytes_min: 4 * 1024,
            compress_thoroughly: false,
            state_bytes_always: 16 * 1024,
            stateless_records_max: 32,
            records_retention_millis: model::limits::RETENTION_DAYS * DAY_MILLIS,
            name_retention_millis: model::limits::RETENTION_DAYS * DAY_MILLIS,
            archive: false,
        }
    }

    /// What is right for a table whose writes are paid for by the KB: all that gets shorter by it is
    /// compressed, and a payload is written once, with what it came in. A blob costs as much as 8 KB
    /// of the table (prices of DynamoDB and S3, 2026-06), which is what twice as many get down to.
    pub fn paid_by_size(home: Home) -> Config {
        Config {
            payload_bytes_inline_max: 16 * 1024,
            record_bytes_inline_max: 16 * 1024,
            compress_bytes_min: 256,
            first_compress_bytes_min: 256,
            compress_thoroughly: true,
            // What fits beside it into the KB that is paid for in any case.
            state_bytes_always: 1_536,
            ..Config::new(home)
        }
    }
}

/// Why something could not be stored or read. Named by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another writer came first. Read and decide again.
    #[error("it was changed by another writer")]
    Conflict,
    /// Too many requests. Try again later.
    #[error("the store is throttled")]
    Throttled,
    /// The write may or may not have been applied. Read before deciding.
    #[error("the outcome of a write is unknown: {0}")]
    Unknown(String),
    /// Nothing can be read or written at this time.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// It breaks a limit of the store; trying again will not help.
    #[error("the store refuses it: {0}")]
    Refused(String),
    /// What is stored is damaged.
    #[error("stored data cannot be read: {0}")]
    Damaged(String),
    /// It was written by another version of this program, which can read it: while an installation
    /// is updated, both are at work.
    #[error("stored data was written by another version: {0}")]
    Version(String),
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> StoreError {
        match error {
            TableError::Conflict => StoreError::Conflict,
            TableError::TooLarge { .. } => StoreError::Refused(error.to_string()),
            TableError::Throttled => StoreError::Throttled,
            TableError::Unknown(reason) => StoreError::Unknown(reason),
            TableError::Unavailable(reason) => StoreError::Unavailable(reason),
            TableError::Damaged(reason) => StoreError::Damaged(reason),
        }
    }
}

impl From<BlobError> for StoreError {
    fn from(error: BlobError) -> StoreError {
        match error {
            BlobError::Refused(_) => StoreError::Refused(error.to_string()),
            BlobError::Throttled => StoreError::Throttled,
            BlobError::Unavailable(reason) => StoreError::Unavailable(reason),
            BlobError::Damaged(reason) => StoreError::Damaged(reason),
        }
    }
}

/// A store that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was written by another version of this program.
    #[error(
        "the store has format {found}, this version reads format {FORMAT}; use the version that wrote it, or start with an empty store"
    )]
    Format {
        /// The format that was found.
        found: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Opens what stands in `table` and `blobs`; an empty table becomes a store.
    pub async fn open(
        table: Arc<dyn Table>,
        blobs: Arc<dyn Blobs>,
        config: Config,
    ) -> Result<Store, OpenError> {
        let store = Store { table, blobs, config: Arc::new(config) };
        let key = Key::new("format", "format");
        let row = Row::new(key.clone(), 0, Bytes::copy_from_slice(&[FORMAT]));
        let found = match store.table.get(&key).await.map_err(StoreError::from)? {
            Some(found) => found,
            None => match store.table.put(row.clone(), Condition::Absent).await {
                Ok(()) => row,
                // Whoever else wrote it wrote a format, too.
                Err(TableError::Conflict | TableError::Unknown(_)) => {
                    store.table.get(&key).await.map_err(StoreError::from)?.unwrap_or(row)
                }
                Err(error) => return Err(StoreError::from(error).into()),
            },
        };
        match found.body.as_ref() {
            [FORMAT] => Ok(store),
            [found] => Err(OpenError::Format { found: found.to_string() }),
            _ => Err(OpenError::Format { found: "of an unknown kind".to_owned() }),
        }
    }

    /// How things are stored.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
