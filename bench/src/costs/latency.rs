//! How long requests take: virtual time passes, so that functions are charged for their waiting.
//!
//! | request | ms | source |
//! | --- | --- | --- |
//! | DynamoDB, read | 5 | developer guide, "What is Amazon DynamoDB": single-digit milliseconds |
//! | DynamoDB, write | 8 | the same |
//! | SQS, any | 15 | SQS FAQs: typically tens of milliseconds, less within a region |
//! | S3, GET | 40 | S3 user guide, "Performance design patterns": 100 to 200 ms to the first byte, small objects less |
//! | S3, PUT | 60 | the same |
//! | EventBridge, PutEvents | 30 | no figure is published; as SQS, with a margin |
//! | Lambda, invoking a function | 10 | no figure is published; on top of what the function takes |
//! | a function's own work per invocation | 5 | 0.5 ms on a whole core, at a seventh of one with 256 MB |
//!
//! They change GB-seconds only: every other count is the same whatever they are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;
use ports::{
    BlobError, Blobs, Bus, BusError, Condition, Event, IndexPage, IndexQuery, Key, Page, Query, Queue,
    QueueError, QueueSettings, Queues, Receipt, Received, Row, Table, TableError,
};

/// A read of the table.
pub const READ: Duration = Duration::from_millis(5);
/// A write of the table.
pub const WRITE: Duration = Duration::from_millis(8);
/// A request to a queue.
pub const QUEUE: Duration = Duration::from_millis(15);
/// A read of a blob, or of a list of them.
pub const BLOB_GET: Duration = Duration::from_millis(40);
/// A write of a blob.
pub const BLOB_PUT: Duration = Duration::from_millis(60);
/// An event.
pub const BUS: Duration = Duration::from_millis(30);
/// Invoking a function, beside the time that it runs.
pub const INVOKE: Duration = Duration::from_millis(10);
/// What an invocation of a function works itself.
pub const WORK: Duration = Duration::from_millis(5);

/// A port behind which requests take their time.
pub struct Late<P: ?Sized>(pub Arc<P>);

#[async_trait]
impl Table for Late<dyn Table> {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        tokio::time::sleep(READ).await;
        self.0.get(key).await
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        tokio::time::sleep(WRITE).await;
        self.0.put(row, condition).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        tokio::time::sleep(WRITE).await;
        self.0.delete(key, condition).await
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        tokio::time::sleep(READ).await;
        self.0.query(query).await
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        tokio::time::sleep(READ).await;
        self.0.query_index(query).await
    }
}

#[async_trait]
impl Queue for Late<dyn Queue> {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        tokio::time::sleep(QUEUE).await;
        self.0.send(body, delay).await
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        tokio::time::sleep(QUEUE).await;
        self.0.receive(max, wait).await
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        tokio::time::sleep(QUEUE).await;
        self.0.extend(receipts, visibility).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        tokio::time::sleep(QUEUE).await;
        self.0.delete(receipts).await
    }
}

#[async_trait]
impl Queues for Late<dyn Queues> {
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn Queue>, QueueError> {
        Ok(Arc::new(Late(self.0.create(name, settings).await?)))
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn Queue>, QueueError> {
        Ok(Arc::new(Late(self.0.open(name).await?)))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        self.0.remove(name).await
    }
}

#[async_trait]
impl Blobs for Late<dyn Blobs> {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        tokio::time::sleep(BLOB_PUT).await;
        self.0.put(key, bytes).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        tokio::time::sleep(BLOB_GET).await;
        self.0.get(key).await
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        tokio::time::sleep(BLOB_PUT).await;
        self.0.delete(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        tokio::time::sleep(BLOB_GET).await;
        self.0.list(prefix, after, limit).await
    }
}

#[async_trait]
impl Bus for Late<dyn Bus> {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        tokio::time::sleep(BUS).await;
        self.0.publish(event).await
    }
}
