//! The rules of queues.

mod delivery;
mod limits;
mod queues;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::timestamp::Timestamp;

use super::{Timing, millis, ok, sleep_until};
use crate::clock::Clock;
use crate::queue::{BATCH_MAX, Queue, QueueSettings, Queues, Receipt, Received};

pub(super) async fn check(make: &impl AsyncFn() -> Arc<dyn Queues>, clock: Arc<dyn Clock>, timing: Timing) {
    let suite = Suite { clock, timing };
    suite.bodies(make().await).await;
    suite.visibility(make().await).await;
    suite.extending(make().await).await;
    suite.deleting(make().await).await;
    suite.dead_letters(make().await).await;
    suite.delays(make().await).await;
    suite.waits(make().await).await;
    suite.wakes(make().await).await;
    suite.batches(make().await).await;
    suite.limits(make().await).await;
    suite.settings(make().await).await;
    suite.names(make().await).await;
}

struct Suite {
    clock: Arc<dyn Clock>,
    timing: Timing,
}

impl Suite {
    /// An empty queue with the visibility timeout of the suite.
    async fn create(&self, queues: &dyn Queues, name: &str) -> Arc<dyn Queue> {
        self.create_with(queues, name, self.timing.visibility, None).await
    }

    async fn create_with(
        &self,
        queues: &dyn Queues,
        name: &str,
        visibility: Duration,
        dead_letters: Option<(u32, &str)>,
    ) -> Arc<dyn Queue> {
        let dead_letters = dead_letters.map(|(receives, name)| (receives, name.into()));
        ok(queues.create(name, QueueSettings { visibility, dead_letters }).await, "a queue can be created")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn sleep(&self, duration: Duration) {
        sleep_until(&*self.clock, self.now().plus_millis(millis(duration))).await;
    }

    /// The visibility timeout has passed, and some.
    async fn until_visible(&self) {
        self.sleep(self.timing.visibility + self.timing.slack).await;
    }

    /// At least `min` and at most `max` and the slack have passed since.
    fn took(&self, since: Timestamp, min: Duration, max: Duration, rule: &str) {
        let took = self.now().millis_since(since);
        let (min, max) = (millis(min), millis(max + self.timing.slack));
        assert!((min..=max).contains(&took), "{rule}: it took {took} ms, not {min} to {max} ms");
    }

    /// The one message that comes within `wait`.
    async fn one(&self, queue: &dyn Queue, wait: Duration, rule: &str) -> Received {
        let mut received = ok(queue.receive(BATCH_MAX, wait).await, rule);
        assert_eq!(received.len(), 1, "{rule}: {received:?}");
        received.remove(0)
    }

    /// The one message that is there.
    async fn one_now(&self, queue: &dyn Queue, rule: &str) -> Received {
        self.one(queue, self.timing.slack, rule).await
    }

    async fn nothing(&self, queue: &dyn Queue, rule: &str) {
        let received = ok(queue.receive(BATCH_MAX, Duration::ZERO).await, rule);
        assert!(received.is_empty(), "{rule}: {received:?}");
    }

    /// All messages that are there, in the order of their bodies.
    async fn everything(&self, queue: &dyn Queue) -> Vec<Received> {
        let mut all = Vec::new();
        loop {
            let received = ok(queue.receive(BATCH_MAX, self.timing.slack).await, "messages can be received");
            assert!(received.len() <= BATCH_MAX, "a receive gives at most {BATCH_MAX} messages");
            if received.is_empty() {
                break;
            }
            all.extend(received);
        }
        all.sort_by(|a, b| a.body.cmp(&b.body));
        all
    }
}

async fn send(queue: &dyn Queue, body: impl Into<Bytes>, delay: Duration) {
    ok(queue.send(body.into(), delay).await, "a message can be sent");
}

async fn send_now(queue: &dyn Queue, body: impl Into<Bytes>) {
    send(queue, body, Duration::ZERO).await;
}

async fn delete(queue: &dyn Queue, receipts: &[&Receipt], rule: &str) {
    let receipts: Vec<Receipt> = receipts.iter().copied().cloned().collect();
    ok(queue.delete(&receipts).await, rule);
}

async fn remove(queues: &dyn Queues, name: &str) {
    ok(queues.remove(name).await, "a queue can be removed");
}
