//! A table with faults.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::faults::{Fault, Faults};
use super::lag::{Lag, overlay};
use crate::table::{Condition, IndexPage, IndexQuery, Key, Page, Query, Row, TableError};

/// A table with faults. Wrappers of one table in one world lag alike.
pub struct Table {
    table: Arc<dyn crate::Table>,
    faults: Faults,
    lag: Arc<Mutex<Lag>>,
}

impl Table {
    /// Lets the requests of one process to `table` go wrong.
    pub fn new(table: Arc<dyn crate::Table>, faults: Faults) -> Table {
        let lag = faults.lag_of(&table);
        Table { table, faults, lag }
    }

    /// Decides before a write whether the indexes are to lag behind it: the row that they go on to
    /// show then.
    async fn lagging(&self, key: &Key) -> Result<Option<Option<Row>>, TableError> {
        if self.faults.strikes(Fault::IndexLag) { self.table.get(key).await.map(Some) } else { Ok(None) }
    }

    fn hold(&self, key: Key, lagging: Option<Option<Row>>) {
        let Some(shown) = lagging else { return };
        let lag = self.faults.some_of(self.faults.rates().index_lag_max);
        let lag_millis = i64::try_from(lag.as_millis()).unwrap_or(i64::MAX);
        let until = self.faults.clock().now().plus_millis(lag_millis);
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).hold(key, shown, until);
    }
}

#[async_trait]
impl crate::Table for Table {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        self.faults.read(self.table.get(key)).await
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        let apply = async {
            let key = row.key.clone();
            let lagging = self.lagging(&key).await?;
            self.table.put(row, condition).await?;
            self.hold(key, lagging);
            Ok(())
        };
        self.faults.write(apply).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        let apply = async {
            let lagging = self.lagging(key).await?;
            self.table.delete(key, condition).await?;
            self.hold(key.clone(), lagging);
            Ok(())
        };
        self.faults.write(apply).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.faults.read(self.table.query(query)).await
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let apply = async {
            if self.faults.is_quiet() {
                return self.table.query_index(query).await;
            }
            let now = self.faults.clock().now();
            let shown = self.lag.lock().unwrap_or_else(PoisonError::into_inner).shown(now);
            let mut query = query.clone();
            loop {
                let stored = self.table.query_index(&query).await?;
                if shown.is_empty() {
                    return Ok(stored);
                }
                let end = stored.rows.last().map(|last| last.position.clone());
                let page = overlay(&query, stored, &shown);
                if !page.rows.is_empty() || !page.more {
                    return Ok(page);
                }
                query.after = end;
            }
        };
        self.faults.read(apply).await
    }
}
