//! What happens to a message between its sending and its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Suite, delete, ok, remove, send_now};
use crate::queue::{MESSAGE_BYTES_MAX, Queues};

impl Suite {
    pub(super) async fn bodies(&self, queues: Arc<dyn Queues>) {
        let name = "contract-bodies";
        let queue = self.create(&*queues, name).await;
        let every_byte: Bytes = (0..=u8::MAX).collect::<Vec<u8>>().into();
        let largest = Bytes::from(vec![0xff; MESSAGE_BYTES_MAX]);
        for body in [Bytes::from("text ü€𝄞\0\u{1}<&>"), every_byte, Bytes::from(vec![0]), largest] {
            send_now(&*queue, body.clone()).await;
            let message = self.one_now(&*queue, "a message that was sent arrives").await;
            assert!(message.body == body, "a body arrives as it was sent: {} bytes", body.len());
            assert_eq!(message.receive_count, 1, "the first receive counts one");
            delete(&*queue, &[&message.receipt], "a message can be deleted").await;
        }
        self.nothing(&*queue, "deleted messages do not come again").await;
        remove(&*queues, name).await;
    }

    pub(super) async fn visibility(&self, queues: Arc<dyn Queues>) {
        let name = "contract-visibility";
        let queue = self.create(&*queues, name).await;
        send_now(&*queue, "a").await;
        for receive_count in 1..=3 {
            let rule = "a message that was not deleted comes again after its visibility timeout";
            let received_after = self.now();
            let wait = self.timing.visibility + self.timing.slack;
            let message = self.one(&*queue, wait, rule).await;
            if receive_count > 1 {
                let min = self.timing.visibility.saturating_sub(self.timing.slack);
                self.took(received_after, min, self.timing.visibility, rule);
            }
            assert_eq!(message.body, "a", "a message comes again as it was");
            assert_eq!(message.receive_count, receive_count, "each receive is counted");
            self.nothing(&*queue, "a received message is hidden").await;
        }
        remove(&*queues, name).await;
    }

    pub(super) async fn extending(&self, queues: Arc<dyn Queues>) {
        let name = "contract-extending";
        let queue = self.create(&*queues, name).await;
        let visibility = self.timing.visibility;
        send_now(&*queue, "a").await;
        let message = self.one_now(&*queue, "a message that was sent arrives").await;
        self.sleep(visibility / 2).await;
        let extended = self.now();
        let receipts = [message.receipt];
        ok(queue.extend(&receipts, visibility * 2).await, "a message can be hidden for longer");
        self.until_visible().await;
        self.nothing(&*queue, "a message stays hidden as long as it was extended").await;
        let rule = "an extended message comes again when the new timeout, counted from the call, has passed";
        let message = self.one(&*queue, visibility + self.timing.slack, rule).await;
        self.took(extended, visibility * 2 - self.timing.slack, visibility * 2, rule);
        assert_eq!(message.receive_count, 2, "an extension is not a receive");

        let receipts = [message.receipt];
        ok(queue.extend(&receipts, Duration::ZERO).await, "a message can be shown at once");
        let message = self.one_now(&*queue, "a timeout of zero shows the message at once").await;
        assert_eq!(message.receive_count, 3, "each receive is counted");
        delete(&*queue, &[&message.receipt], "a message can be deleted").await;
        let receipts = [message.receipt];
        ok(queue.extend(&receipts, Duration::ZERO).await, "extending a deleted message is no error");
        self.nothing(&*queue, "an extension does not bring a deleted message back").await;
        remove(&*queues, name).await;
    }

    pub(super) async fn deleting(&self, queues: Arc<dyn Queues>) {
        let name = "contract-deleting";
        let queue = self.create(&*queues, name).await;
        for body in ["a", "b", "c"] {
            send_now(&*queue, body).await;
        }
        let messages = self.everything(&*queue).await;
        let bodies: Vec<&Bytes> = messages.iter().map(|message| &message.body).collect();
        assert_eq!(bodies, ["a", "b", "c"], "every message arrives");
        let [a, b, _] = [0, 1, 2].map(|n| &messages[n].receipt);
        delete(&*queue, &[a, b], "messages can be deleted together").await;
        delete(&*queue, &[a, b], "deleting messages twice is no error").await;

        self.until_visible().await;
        let again = self.one_now(&*queue, "only what was not deleted comes again").await;
        assert_eq!(again.body, "c", "only what was not deleted comes again");
        let stale = [messages[2].receipt.clone()];
        ok(queue.delete(&stale).await, "a receipt of an earlier receive is no error");
        ok(queue.extend(&stale, self.timing.visibility).await, "extending by an earlier receipt is no error");
        delete(&*queue, &[&again.receipt], "a message can be deleted").await;
        self.until_visible().await;
        self.nothing(&*queue, "deleted messages do not come again").await;
        remove(&*queues, name).await;
    }

    pub(super) async fn dead_letters(&self, queues: Arc<dyn Queues>) {
        let (name, dead_name) = ("contract-receives", "contract-dead-letters");
        let dead = self.create(&*queues, dead_name).await;
        let dead_letters = Some((2, dead_name));
        let queue = self.create_with(&*queues, name, self.timing.visibility, dead_letters).await;
        send_now(&*queue, "deleted").await;
        let message = self.one_now(&*queue, "a message that was sent arrives").await;
        delete(&*queue, &[&message.receipt], "a message can be deleted").await;

        send_now(&*queue, "dead").await;
        for receive_count in 1..=2 {
            let message = self.one_now(&*queue, "a message comes as often as the settings say").await;
            assert_eq!(message.receive_count, receive_count, "each receive is counted");
            self.nothing(&*dead, "a message is not dead before it came as often as the settings say").await;
            self.until_visible().await;
        }
        let rule = "a message that came as often as the settings say is not received once more";
        self.nothing(&*queue, rule).await;
        let message = self.one_now(&*dead, "then it is in the queue of dead letters").await;
        assert_eq!(message.body, "dead", "a dead letter is what was sent");
        delete(&*dead, &[&message.receipt], "a dead letter can be deleted").await;
        self.until_visible().await;
        self.nothing(&*queue, "a dead letter does not come again").await;
        self.nothing(&*dead, "a deleted dead letter does not come again").await;
        remove(&*queues, name).await;
        remove(&*queues, dead_name).await;
    }
}
