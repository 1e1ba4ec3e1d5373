//! The table below all faults, which notes when each record was written.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use journal::execution::Executions;
use model::arn::{ExecutionArn, Home};
use model::json::Text;
use ports::{Condition, IndexPage, IndexQuery, Key, Page, Query, Row, Table, TableError, memory};

use super::trace::guard;

/// A table in memory that counts what is put.
pub struct Recorded {
    /// What is stored.
    pub table: Arc<memory::Table>,
    puts: AtomicU64,
    /// For each execution, by its partition: the number of each put of a record, and the newest
    /// event after it.
    made: Mutex<BTreeMap<Text, Vec<(u64, u64)>>>,
    executions: OnceLock<Executions>,
    home: Home,
}

impl Recorded {
    /// An empty table.
    pub fn new(table: Arc<memory::Table>, home: Home) -> Arc<Recorded> {
        let (puts, made, executions) = (AtomicU64::new(0), Mutex::default(), OnceLock::new());
        Arc::new(Recorded { table, puts, made, executions, home })
    }

    /// From now on records are read as they are written, with these.
    pub fn read_with(&self, executions: Executions) {
        // Only the first counts.
        let _ = self.executions.set(executions);
    }

    /// How many puts were applied.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::SeqCst)
    }

    /// Which put made the record with an event.
    pub fn made(&self, execution: &ExecutionArn, event: u64) -> Option<u64> {
        let made = guard(&self.made);
        let records = made.get(execution.as_str())?;
        records.iter().find(|(_, last)| *last >= event).map(|(put, _)| *put)
    }

    async fn note(&self, key: &Key, number: u64) {
        let Some(executions) = self.executions.get() else { return };
        let Home { partition: aws, region, account } = &self.home;
        let Some(name) = key.partition.strip_prefix("x/").filter(|_| key.sort.starts_with("r/")) else {
            return;
        };
        let arn = format!("arn:{aws}:states:{region}:{account}:execution:{name}");
        let Ok(execution) = ExecutionArn::parse(&arn) else { return };
        let Ok(Some(found)) = executions.describe(&execution).await else { return };
        guard(&self.made).entry(Text::from(arn)).or_default().push((number, found.last_event_id));
    }
}

#[async_trait]
impl Table for Recorded {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        self.table.get(key).await
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        let key = row.key.clone();
        self.table.put(row, condition).await?;
        let number = self.puts.fetch_add(1, Ordering::SeqCst) + 1;
        self.note(&key, number).await;
        Ok(())
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        self.table.delete(key, condition).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        self.table.query(query).await
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.table.query_index(query).await
    }
}
