//! Exactly at each limit, and one above.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Suite, ok, remove, send_now};
use crate::contract::names;
use crate::queue::{
    BATCH_MAX, DELAY_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, QueueError, QueueSettings, Queues, RECEIVES_MAX,
    Receipt, VISIBILITY_MAX,
};

/// The request is refused with these values in the message.
fn refused<T: Debug>(result: Result<T, QueueError>, values: &[&dyn ToString], rule: &str) {
    let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
    match result {
        Err(QueueError::Refused(reason)) => names(&reason, &values, rule),
        Err(other) => panic!("{rule}: {other:?}"),
        Ok(_) => panic!("{rule}: it was not refused"),
    }
}

impl Suite {
    pub(super) async fn batches(&self, queues: Arc<dyn Queues>) {
        let name = "contract-batches";
        let queue = self.create(&*queues, name).await;
        for n in 0..BATCH_MAX + 2 {
            send_now(&*queue, format!("{n:02}")).await;
        }
        let first = ok(queue.receive(3, self.timing.slack).await, "messages can be received");
        assert!((1..=3).contains(&first.len()), "a receive gives at most as many as it was asked for");
        let mut all = self.everything(&*queue).await;
        all.extend(first);
        all.sort_by(|a, b| a.body.cmp(&b.body));
        let bodies: Vec<String> =
            all.iter().map(|message| String::from_utf8_lossy(&message.body).into_owned()).collect();
        let expected: Vec<String> = (0..BATCH_MAX + 2).map(|n| format!("{n:02}")).collect();
        assert_eq!(bodies, expected, "every message arrives, each once while it is hidden");

        let receipts: Vec<Receipt> = all.into_iter().map(|message| message.receipt).collect();
        let (too_many, few) = (&receipts[..BATCH_MAX + 1], &receipts[..BATCH_MAX]);
        let values: [&dyn ToString; 2] = [&(BATCH_MAX + 1), &BATCH_MAX];
        refused(queue.delete(too_many).await, &values, "a delete has at most 10 receipts");
        let long = self.timing.visibility * 2;
        refused(queue.extend(too_many, long).await, &values, "an extend has at most 10 receipts");
        let received = queue.receive(BATCH_MAX + 1, Duration::ZERO).await;
        refused(received, &values, "a receive asks for at most 10 messages");
        let received = queue.receive(0, Duration::ZERO).await;
        refused(received, &[&0], "a receive asks for at least one message");
        ok(queue.extend(few, long).await, "10 messages can be extended together");
        ok(queue.delete(few).await, "10 messages can be deleted together");
        ok(queue.delete(&[]).await, "deleting nothing is no error");
        ok(queue.extend(&[], long).await, "extending nothing is no error");
        self.until_visible().await;
        let left = self.everything(&*queue).await;
        assert_eq!(left.len(), 2, "a refused delete or extend does nothing, one of 10 does all: {left:?}");
        remove(&*queues, name).await;
    }

    pub(super) async fn limits(&self, queues: Arc<dyn Queues>) {
        let name = "contract-limits";
        let queue = self.create(&*queues, name).await;
        let a_little = Duration::from_millis(1);
        let too_large = Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]);
        let values: [&dyn ToString; 2] = [&(MESSAGE_BYTES_MAX + 1), &MESSAGE_BYTES_MAX];
        refused(queue.send(too_large, Duration::ZERO).await, &values, "a message has a largest size");
        let too_late = queue.send(Bytes::from("x"), DELAY_MAX + a_little).await;
        refused(too_late, &[&"900.001", &900], "a delay is at most 900 s");
        self.nothing(&*queue, "a refused message does not arrive").await;
        ok(queue.send(Bytes::from("x"), DELAY_MAX).await, "a message can be delayed by 900 s");

        send_now(&*queue, "y").await;
        let message = self.one_now(&*queue, "a message that was sent arrives").await;
        let receipts = [message.receipt];
        let too_long = VISIBILITY_MAX + a_little;
        let values: [&dyn ToString; 2] = [&"43200.001", &43_200];
        let rule = "a visibility timeout is at most 43,200 s";
        refused(queue.extend(&receipts, too_long).await, &values, rule);
        ok(queue.extend(&receipts, VISIBILITY_MAX).await, "a message can be hidden for 43,200 s");
        let settings = |visibility, dead_letters| QueueSettings { visibility, dead_letters };
        let create = async |name: &str, settings| queues.create(name, settings).await.map(|_| ());
        refused(create(name, settings(too_long, None)).await, &values, rule);
        let longest = settings(VISIBILITY_MAX, None);
        ok(create(name, longest.clone()).await, "a visibility timeout may be 43,200 s");

        for receives in [0, RECEIVES_MAX + 1] {
            let settings = settings(Duration::ZERO, Some((receives, name.into())));
            let rule = "a message is dead after 1 to 1,000 receives";
            refused(create("contract-other", settings).await, &[&receives, &RECEIVES_MAX], rule);
        }
        for receives in [1, RECEIVES_MAX] {
            let settings = settings(Duration::ZERO, Some((receives, name.into())));
            ok(create("contract-other", settings).await, "a message may be dead after 1 to 1,000 receives");
        }
        let own = settings(Duration::ZERO, Some((3, name.into())));
        refused(create(name, own).await, &[&name], "a queue is not its own queue of dead letters");

        let longest_name = "n".repeat(NAME_BYTES_MAX);
        ok(create(&longest_name, longest.clone()).await, "a name may have 80 bytes");
        remove(&*queues, &longest_name).await;
        let too_long_name = "n".repeat(NAME_BYTES_MAX + 1);
        let values: [&dyn ToString; 2] = [&(NAME_BYTES_MAX + 1), &NAME_BYTES_MAX];
        refused(create(&too_long_name, longest.clone()).await, &values, "a name has at most 80 bytes");
        for name in ["", "a b", "a/b", "ü", "a.fifo"] {
            let rule = "a name has letters, digits, hyphens and underscores";
            refused(create(name, longest.clone()).await, &[], rule);
        }
        remove(&*queues, "contract-other").await;
        remove(&*queues, name).await;
    }
}
