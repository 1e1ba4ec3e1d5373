//! Timers that fire, seen at the table: a timer has fired once the record of the step that it caused
//! stands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use ports::{Condition, IndexPage, IndexQuery, Key, Page, Query, Row, Table, TableError};

/// A table that notes when the second record of executions is written: that of the first timer, for
/// those that begin with a wait.
pub struct Fired {
    inner: Arc<dyn Table>,
    count: AtomicU64,
    first_and_last: Mutex<Option<(Instant, Instant)>>,
}

/// Sort key of a second record.
const SECOND_RECORD: &str = "r/0000000001";

impl Fired {
    /// A table over `inner`.
    pub fn new(inner: Arc<dyn Table>) -> Fired {
        Fired { inner, count: AtomicU64::new(0), first_and_last: Mutex::default() }
    }

    /// How many have fired. No execution counts twice: its record is put where none is.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// When the first and the last of them did.
    pub fn first_and_last(&self) -> Option<(Instant, Instant)> {
        *self.first_and_last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Table for Fired {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        self.inner.get(key).await
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        let fires = condition == Condition::Absent && row.key.sort == SECOND_RECORD;
        self.inner.put(row, condition).await?;
        if fires {
            let now = Instant::now();
            let mut noted = self.first_and_last.lock().unwrap_or_else(PoisonError::into_inner);
            noted.get_or_insert((now, now)).1 = now;
            self.count.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        self.inner.delete(key, condition).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.inner.query(query).await
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.inner.query_index(query).await
    }
}
