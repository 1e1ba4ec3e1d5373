//! Delays, and waiting for messages.

use std::sync::Arc;
use std::time::Duration;

use super::{Suite, delete, ok, remove, send, send_now};
use crate::queue::{BATCH_MAX, Queues};

impl Suite {
    pub(super) async fn delays(&self, queues: Arc<dyn Queues>) {
        let name = "contract-delays";
        let queue = self.create(&*queues, name).await;
        let (delay, slack) = (self.timing.delay, self.timing.slack);
        send_now(&*queue, "now").await;
        let sent = self.now();
        send(&*queue, "late", delay).await;
        let message = self.one_now(&*queue, "a delayed message does not hold back another").await;
        assert_eq!(message.body, "now", "a delayed message does not come before its time");
        delete(&*queue, &[&message.receipt], "a message can be deleted").await;
        self.nothing(&*queue, "a delayed message does not come before its time").await;
        let rule = "a wait ends when a delayed message is due";
        let message = self.one(&*queue, delay * 3, rule).await;
        self.took(sent, delay.saturating_sub(slack), delay, rule);
        assert_eq!((&*message.body, message.receive_count), (&b"late"[..], 1), "a delay is not a receive");
        delete(&*queue, &[&message.receipt], "a message can be deleted").await;
        remove(&*queues, name).await;
    }

    pub(super) async fn waits(&self, queues: Arc<dyn Queues>) {
        let name = "contract-waits";
        let queue = self.create(&*queues, name).await;
        let before = self.now();
        self.nothing(&*queue, "an empty queue has nothing").await;
        self.took(before, Duration::ZERO, Duration::ZERO, "a receive without a wait returns at once");

        let before = self.now();
        let wait = self.timing.delay;
        let received = ok(queue.receive(1, wait).await, "waiting in vain is no error");
        assert!(received.is_empty(), "an empty queue has nothing: {received:?}");
        let min = wait.saturating_sub(self.timing.slack);
        self.took(before, min, wait, "a receive waits as long as it was told to");

        send_now(&*queue, "a").await;
        let before = self.now();
        let message = self.one(&*queue, wait * 3, "a message that was sent arrives").await;
        self.took(before, Duration::ZERO, Duration::ZERO, "a receive does not wait for more than the first");
        delete(&*queue, &[&message.receipt], "a message can be deleted").await;
        remove(&*queues, name).await;
    }

    /// Those who wait get what is sent meanwhile.
    pub(super) async fn wakes(&self, queues: Arc<dyn Queues>) {
        let name = "contract-wakes";
        let queue = self.create(&*queues, name).await;
        let wait = self.timing.delay * 3;
        let waiting = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.receive(1, wait).await })
        });
        self.sleep(self.timing.delay).await;
        let sent = self.now();
        for body in ["a", "b"] {
            send_now(&*queue, body).await;
        }
        let mut bodies = Vec::new();
        for receive in waiting {
            let received = ok(ok(receive.await, "a receive does not panic"), "a wait ends with a message");
            assert_eq!(received.len(), 1, "each of two who wait gets one of two messages");
            bodies.push(received[0].body.clone());
            delete(&*queue, &[&received[0].receipt], "a message can be deleted").await;
        }
        bodies.sort();
        assert_eq!(bodies, ["a", "b"], "each of two who wait gets one of two messages");
        self.took(sent, Duration::ZERO, Duration::ZERO, "a message that is sent ends a wait at once");

        // A message that comes back ends a wait, too.
        send_now(&*queue, "c").await;
        let message = self.one_now(&*queue, "a message that was sent arrives").await;
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.receive(BATCH_MAX, wait).await }
        });
        self.sleep(self.timing.slack).await;
        ok(queue.extend(&[message.receipt], Duration::ZERO).await, "a message can be shown at once");
        let shown = self.now();
        let received = ok(ok(waiting.await, "a receive does not panic"), "a wait ends with a message");
        assert_eq!(received.len(), 1, "a message that is shown again ends a wait");
        self.took(shown, Duration::ZERO, Duration::ZERO, "a message that is shown again ends a wait at once");
        delete(&*queue, &[&received[0].receipt], "a message can be deleted").await;
        remove(&*queues, name).await;
    }
}
