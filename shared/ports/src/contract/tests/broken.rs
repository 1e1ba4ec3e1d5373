//! The suites do find broken backends: each of these breaks one rule.

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;

use super::*;
use crate::blobs::BlobError;
use crate::queue::{Queue, QueueError, QueueSettings, Receipt, Received, check_settings};
use crate::table::{Condition, IndexPage, IndexQuery, Key, Order, Page, Query, Row, Table, TableError};

/// How a table is broken.
#[derive(Clone, Copy, Debug)]
enum Breaks {
    Absent,
    Revision,
    DeleteAbsent,
    Descending,
    More,
    StaleIndex,
    Limits,
}

struct Broken(memory::Table, Breaks);

#[async_trait]
impl Table for Broken {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        self.0.get(key).await
    }

    async fn put(&self, mut row: Row, condition: Condition) -> Result<(), TableError> {
        match (self.1, condition) {
            (Breaks::Absent, Condition::Absent) | (Breaks::Revision, Condition::Revision(_)) => {
                self.0.put(row, Condition::Always).await
            }
            (Breaks::StaleIndex, _) if self.0.get(&row.key).await?.is_some() => {
                row.indexes = self.0.get(&row.key).await?.map(|row| row.indexes).unwrap_or_default();
                self.0.put(row, condition).await
            }
            (Breaks::Limits, _) if row.check().is_err() => Ok(()),
            _ => self.0.put(row, condition).await,
        }
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        match (self.1, condition) {
            (Breaks::DeleteAbsent, Condition::Revision(_)) if self.0.get(key).await?.is_none() => Ok(()),
            _ => self.0.delete(key, condition).await,
        }
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        match self.1 {
            Breaks::Descending => self.0.query(&Query { order: Order::Ascending, ..query.clone() }).await,
            Breaks::More => self.0.query(query).await.map(|page| Page { more: false, ..page }),
            _ => self.0.query(query).await,
        }
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.0.query_index(query).await
    }
}

async fn finds(breaks: Breaks, rule: &str) {
    let local = tokio::task::LocalSet::new();
    let suite = local.spawn_local(async move {
        let clock: Arc<dyn Clock> = Arc::new(Virtual::default());
        let make = || Broken(memory::Table::new(clock.clone()), breaks);
        table(async || Arc::new(make()) as Arc<dyn Table>).await;
    });
    local.await;
    let panic = suite.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(rule), "{breaks:?}: {message}");
}

/// How queues are broken.
#[derive(Clone, Copy, Debug)]
enum QueueBreaks {
    Delay,
    Visibility,
    Delete,
    Extend,
    Batch,
    DeadLetters,
    Wake,
    Settings,
    Remove,
}

struct BrokenQueues(memory::Queues, QueueBreaks, Arc<Virtual>);
struct BrokenQueue(Arc<dyn Queue>, QueueBreaks, Arc<Virtual>);

impl BrokenQueues {
    fn queue(&self, queue: Arc<dyn Queue>) -> Arc<dyn Queue> {
        Arc::new(BrokenQueue(queue, self.1, self.2.clone()))
    }
}

#[async_trait]
impl Queues for BrokenQueues {
    async fn create(&self, name: &str, mut settings: QueueSettings) -> Result<Arc<dyn Queue>, QueueError> {
        match self.1 {
            QueueBreaks::DeadLetters => settings.dead_letters = None,
            QueueBreaks::Visibility => settings.visibility *= 2,
            QueueBreaks::Settings if self.0.open(name).await.is_ok() => {
                check_settings(name, &settings)?;
                return self.open(name).await;
            }
            _ => {}
        }
        self.0.create(name, settings).await.map(|queue| self.queue(queue))
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn Queue>, QueueError> {
        self.0.open(name).await.map(|queue| self.queue(queue))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        if matches!(self.1, QueueBreaks::Remove) { Ok(()) } else { self.0.remove(name).await }
    }
}

#[async_trait]
impl Queue for BrokenQueue {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        let delay = if matches!(self.1, QueueBreaks::Delay) { Duration::ZERO } else { delay };
        self.0.send(body, delay).await
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        if matches!(self.1, QueueBreaks::Wake) {
            // Looks once, and again when the wait is over.
            let received = self.0.receive(max, Duration::ZERO).await?;
            if !received.is_empty() || wait.is_zero() {
                return Ok(received);
            }
            sleep_until(&*self.2, self.2.now().plus_millis(millis(wait))).await;
            return self.0.receive(max, Duration::ZERO).await;
        }
        self.0.receive(max, wait).await
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        if matches!(self.1, QueueBreaks::Extend) { Ok(()) } else { self.0.extend(receipts, visibility).await }
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let receipts = match self.1 {
            QueueBreaks::Delete => &[],
            QueueBreaks::Batch => &receipts[..receipts.len().min(10)],
            _ => receipts,
        };
        self.0.delete(receipts).await
    }
}

async fn finds_in_queues(breaks: QueueBreaks, rule: &str) {
    let local = tokio::task::LocalSet::new();
    let suite = local.spawn_local(async move {
        let clock = Arc::new(Virtual::default());
        let make = || BrokenQueues(memory::Queues::new(clock.clone()), breaks, clock.clone());
        queue(async || Arc::new(make()) as Arc<dyn Queues>, clock.clone(), Timing::VIRTUAL).await;
    });
    local.await;
    let panic = suite.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(rule), "{breaks:?}: {message}");
}

#[tokio::test(start_paused = true)]
async fn queues_are_found() {
    finds_in_queues(QueueBreaks::Delay, "a delayed message does not hold back another").await;
    finds_in_queues(QueueBreaks::Visibility, "comes again after its visibility timeout").await;
    finds_in_queues(QueueBreaks::Delete, "does not bring a deleted message back").await;
    finds_in_queues(QueueBreaks::Extend, "a message stays hidden as long as it was extended").await;
    finds_in_queues(QueueBreaks::Batch, "a delete has at most 10 receipts").await;
    finds_in_queues(QueueBreaks::DeadLetters, "is not received once more").await;
    finds_in_queues(QueueBreaks::Wake, "an extended message comes again when the new timeout").await;
    finds_in_queues(QueueBreaks::Settings, "a queue that is created again keeps its messages").await;
    finds_in_queues(QueueBreaks::Remove, "a removed queue is missing").await;
}

/// A store that lists in the order of the keys' lengths.
#[derive(Default)]
struct Unordered(memory::Blobs);

#[async_trait]
impl Blobs for Unordered {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        self.0.put(key, bytes).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        self.0.get(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        self.0.delete(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        let mut keys = self.0.list(prefix, after, limit).await?;
        keys.sort_by_key(|key| key.len());
        Ok(keys)
    }
}

#[tokio::test(start_paused = true)]
async fn tables_are_found() {
    finds(Breaks::Absent, "a put if absent does not replace a row").await;
    finds(Breaks::Revision, "a put at a revision needs a row").await;
    finds(Breaks::DeleteAbsent, "deleting at a revision needs a row").await;
    finds(Breaks::Descending, "a descending range is the same, the other way round").await;
    finds(Breaks::More, "pages of 1 have every row once, in order").await;
    finds(Breaks::StaleIndex, "a new sort key moves the entry").await;
    finds(Breaks::Limits, "a row that breaks a limit is refused").await;
}

#[tokio::test]
#[should_panic(expected = "a listing has the keys of the prefix `l/`")]
async fn blobs_are_found() {
    blobs(async || Arc::new(Unordered::default()) as Arc<dyn Blobs>).await;
}
