//! Queues with faults. They lose nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::faults::{Fault, Faults};
use crate::queue::{DELAY_MAX, QueueError, QueueSettings, Receipt, Received, check_send};

/// Queues with faults.
pub struct Queues {
    queues: Arc<dyn crate::Queues>,
    faults: Faults,
}

impl Queues {
    /// Lets the requests of one process to `queues`, and to each queue that comes from there, go
    /// wrong.
    pub fn new(queues: Arc<dyn crate::Queues>, faults: Faults) -> Queues {
        Queues { queues, faults }
    }

    fn queue(&self, queue: Arc<dyn crate::Queue>) -> Arc<dyn crate::Queue> {
        Arc::new(Queue::new(queue, self.faults.clone()))
    }
}

#[async_trait]
impl crate::Queues for Queues {
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn crate::Queue>, QueueError> {
        self.faults.write(self.queues.create(name, settings)).await.map(|queue| self.queue(queue))
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn crate::Queue>, QueueError> {
        self.faults.read(self.queues.open(name)).await.map(|queue| self.queue(queue))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        self.faults.write(self.queues.remove(name)).await
    }
}

/// A queue with faults.
pub struct Queue {
    queue: Arc<dyn crate::Queue>,
    faults: Faults,
}

impl Queue {
    /// Lets the requests of one process to `queue` go wrong.
    pub fn new(queue: Arc<dyn crate::Queue>, faults: Faults) -> Queue {
        Queue { queue, faults }
    }

    fn later(&self, delay: Duration) -> Duration {
        DELAY_MAX.min(delay + self.faults.some_of(self.faults.rates().late_max))
    }
}

#[async_trait]
impl crate::Queue for Queue {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        // A delay that is refused must not be cut down to one that is not.
        check_send(body.len(), delay)?;
        let apply = async {
            let sent_for = if self.faults.strikes(Fault::Late) { self.later(delay) } else { delay };
            self.queue.send(body.clone(), sent_for).await?;
            if self.faults.strikes(Fault::Duplicated) {
                self.queue.send(body, self.later(delay)).await?;
            }
            Ok(())
        };
        self.faults.write(apply).await
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        let apply = async {
            let mut received = self.queue.receive(max, wait).await?;
            for message in &received {
                if self.faults.strikes(Fault::Redelivered) {
                    self.queue.extend(std::slice::from_ref(&message.receipt), Duration::ZERO).await?;
                }
            }
            if received.len() > 1 && self.faults.strikes(Fault::Reordered) {
                self.shuffle(&mut received);
            }
            Ok(received)
        };
        // It hides messages, so it is a write.
        self.faults.write(apply).await
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        self.faults.write(self.queue.extend(receipts, visibility)).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        let apply = async {
            let ignored = !receipts.is_empty() && self.faults.strikes(Fault::DeleteIgnored);
            // A wrong request is refused all the same.
            let receipts = if ignored && receipts.len() <= crate::queue::BATCH_MAX { &[] } else { receipts };
            self.queue.delete(receipts).await
        };
        self.faults.write(apply).await
    }
}

impl Queue {
    fn shuffle(&self, received: &mut [Received]) {
        for end in (1..received.len()).rev() {
            let at = usize::try_from(self.faults.draw(end as u64 + 1)).unwrap_or(end);
            received.swap(end, at);
        }
    }
}
