//! Creating, opening and removing queues.

use std::sync::Arc;
use std::time::Duration;

use super::{Suite, delete, ok, remove, send, send_now};
use crate::queue::{QueueError, QueueSettings, Queues};

impl Suite {
    /// The settings of a queue that exists are replaced, its messages stay.
    pub(super) async fn settings(&self, queues: Arc<dyn Queues>) {
        let (name, dead_name) = ("contract-settings", "contract-settings-dead");
        let long = self.timing.visibility * 100;
        let first = self.create_with(&*queues, name, long, None).await;
        send_now(&*first, "a").await;
        let second = self.create_with(&*queues, name, self.timing.visibility, None).await;
        for queue in [&first, &second] {
            self.one_now(&**queue, "a queue that is created again keeps its messages").await;
            self.until_visible().await;
        }

        let dead = self.create(&*queues, dead_name).await;
        self.create_with(&*queues, name, self.timing.visibility, Some((2, dead_name))).await;
        self.nothing(&*first, "new settings hold for messages that are there").await;
        let message = self.one_now(&*dead, "new settings hold for messages that are there").await;
        delete(&*dead, &[&message.receipt], "a dead letter can be deleted").await;

        let missing = ("contract-no-such-queue", QueueError::Missing("contract-no-such-queue".to_owned()));
        let settings =
            QueueSettings { visibility: Duration::ZERO, dead_letters: Some((2, missing.0.into())) };
        let created = queues.create(name, settings).await.map(|_| ());
        assert_eq!(created, Err(missing.1), "a queue of dead letters exists before the queue that names it");
        remove(&*queues, name).await;
        remove(&*queues, dead_name).await;
    }

    pub(super) async fn names(&self, queues: Arc<dyn Queues>) {
        let (name, other) = ("contract-Names_1", "contract-names_1");
        let missing = |name: &str| Err(QueueError::Missing(name.to_owned()));
        let open = async |name: &str| queues.open(name).await.map(|_| ());
        assert_eq!(open(name).await, missing(name), "a queue that was not created is missing");
        ok(queues.remove(name).await, "removing what is absent is no error");

        let queue = self.create(&*queues, name).await;
        let opened = ok(queues.open(name).await, "a queue that was created can be opened");
        send_now(&*opened, "a").await;
        let message = self.one_now(&*queue, "a queue is the same however it was come by").await;
        delete(&*opened, &[&message.receipt], "a receipt holds however the queue was come by").await;
        assert_eq!(open(other).await, missing(other), "names differ by case");
        let neighbour = self.create(&*queues, other).await;
        send_now(&*neighbour, "neighbour").await;
        self.nothing(&*queue, "a message arrives in its queue only").await;

        send_now(&*queue, "dropped").await;
        send(&*queue, "dropped, too", self.timing.delay).await;
        remove(&*queues, name).await;
        assert_eq!(open(name).await, missing(name), "a removed queue is missing");
        ok(queues.remove(name).await, "removing a queue twice is no error");
        let queue = self.create(&*queues, name).await;
        self.sleep(self.timing.delay + self.timing.slack).await;
        self.nothing(&*queue, "a removed queue takes its messages with it").await;
        let message = self.one_now(&*neighbour, "a removed queue leaves others alone").await;
        assert_eq!(message.body, "neighbour", "a message arrives in its queue only");
        remove(&*queues, name).await;
        remove(&*queues, other).await;
    }
}
