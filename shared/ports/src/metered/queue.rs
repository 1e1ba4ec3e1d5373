//! Queues with a meter. The rules are those of SQS: each call is a request, empty or not, and each
//! 64 KB begun of its messages is one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{CHUNK_BYTES, Meter, Usage, units};
use crate::queue::{QueueError, QueueSettings, Receipt, Received};

/// Queues that count what SQS would charge. A receive counts as one call however long it waits.
pub struct Queues {
    queues: Arc<dyn crate::Queues>,
    meter: Meter,
}

impl Queues {
    /// Counts the requests to `queues` and to each queue that comes from there.
    pub fn new(queues: Arc<dyn crate::Queues>, meter: Meter) -> Queues {
        Queues { queues, meter }
    }

    fn queue(&self, queue: Arc<dyn crate::Queue>) -> Arc<dyn crate::Queue> {
        Arc::new(Queue::new(queue, self.meter.clone()))
    }
}

#[async_trait]
impl crate::Queues for Queues {
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn crate::Queue>, QueueError> {
        let result = self.queues.create(name, settings).await;
        count(&self.meter, &result, |_| 0);
        result.map(|queue| self.queue(queue))
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn crate::Queue>, QueueError> {
        let result = self.queues.open(name).await;
        count(&self.meter, &result, |_| 0);
        result.map(|queue| self.queue(queue))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        let result = self.queues.remove(name).await;
        count(&self.meter, &result, |()| 0);
        result
    }
}

/// A queue that counts what SQS would charge.
pub struct Queue {
    queue: Arc<dyn crate::Queue>,
    meter: Meter,
}

impl Queue {
    /// Counts the requests to `queue`.
    pub fn new(queue: Arc<dyn crate::Queue>, meter: Meter) -> Queue {
        Queue { queue, meter }
    }
}

#[async_trait]
impl crate::Queue for Queue {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        let bytes = body.len();
        let result = self.queue.send(body, delay).await;
        count(&self.meter, &result, |()| bytes);
        result
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        let result = self.queue.receive(max, wait).await;
        count(&self.meter, &result, |messages| messages.iter().map(|message| message.body.len()).sum());
        result
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        let result = self.queue.extend(receipts, visibility).await;
        if !receipts.is_empty() {
            count(&self.meter, &result, |()| 0);
        }
        result
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let result = self.queue.delete(receipts).await;
        if !receipts.is_empty() {
            count(&self.meter, &result, |()| 0);
        }
        result
    }
}

fn count<T>(meter: &Meter, result: &Result<T, QueueError>, bytes: impl Fn(&T) -> usize) {
    let bytes = match result {
        Ok(answer) => bytes(answer),
        Err(QueueError::Unavailable(_)) => 0,
        Err(QueueError::Refused(_) | QueueError::Missing(_) | QueueError::Throttled) => return,
    };
    let queue_requests = units(bytes, CHUNK_BYTES);
    meter.add(Usage { queue_requests, queue_bytes: bytes as u64, ..Usage::default() });
}
