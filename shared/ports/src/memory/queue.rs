//! Queues in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;
use model::timestamp::Timestamp;
use tokio::sync::Notify;

use super::{lock, millis};
use crate::clock::Clock;
use crate::queue::{
    QueueError, QueueSettings, Receipt, Received, check_batch, check_receive, check_send, check_settings,
    check_visibility,
};

/// Queues in memory. Messages arrive in the order in which they become visible, those of the same
/// time in the order in which they were sent. The receipt of an earlier receive of a message that
/// came again does nothing.
pub struct Queues {
    shared: Arc<Shared>,
}

impl Queues {
    /// No queues.
    pub fn new(clock: Arc<dyn Clock>) -> Queues {
        Queues { shared: Arc::new(Shared { clock, state: Mutex::default() }) }
    }

    /// The bodies of all messages of a queue in the order of their sending, hidden and delayed ones
    /// too: for whoever checks what is left.
    pub fn messages(&self, name: &str) -> Vec<Bytes> {
        let state = lock(&self.shared.state);
        let messages = state.queues.get(name).into_iter().flat_map(|queue| queue.messages.values());
        messages.map(|message| message.body.clone()).collect()
    }

    fn queue(&self, name: &str) -> Queue {
        Queue { shared: Arc::clone(&self.shared), name: Text::from(name) }
    }
}

#[async_trait]
impl crate::Queues for Queues {
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn crate::Queue>, QueueError> {
        check_settings(name, &settings)?;
        let mut state = lock(&self.shared.state);
        if let Some((_, dead_letters)) = &settings.dead_letters
            && !state.queues.contains_key(dead_letters)
        {
            return Err(QueueError::Missing(dead_letters.to_string()));
        }
        match state.queues.get_mut(name) {
            Some(queue) => queue.settings = settings,
            None => {
                state.queues.insert(Text::from(name), Stored::new(settings));
            }
        }
        Ok(Arc::new(self.queue(name)))
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn crate::Queue>, QueueError> {
        match lock(&self.shared.state).queues.contains_key(name) {
            true => Ok(Arc::new(self.queue(name))),
            false => Err(QueueError::Missing(name.to_owned())),
        }
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        if let Some(queue) = lock(&self.shared.state).queues.remove(name) {
            queue.changed.notify_waiters();
        }
        Ok(())
    }
}

/// One queue of [`Queues`].
pub struct Queue {
    shared: Arc<Shared>,
    name: Text,
}

impl Queue {
    fn missing(&self) -> QueueError {
        QueueError::Missing(self.name.to_string())
    }

    fn take(&self, max: usize, now: Timestamp) -> Result<Vec<Received>, QueueError> {
        lock(&self.shared.state).receive(&self.name, max, now).ok_or_else(|| self.missing())
    }
}

#[async_trait]
impl crate::Queue for Queue {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        check_send(body.len(), delay)?;
        let visible_at = self.shared.clock.now().plus_millis(millis(delay));
        let mut state = lock(&self.shared.state);
        state.send(&self.name, body, visible_at).ok_or_else(|| self.missing())
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        check_receive(max)?;
        let clock = &self.shared.clock;
        let deadline = clock.now().plus_millis(millis(wait));
        loop {
            let changed = lock(&self.shared.state).changed(&self.name).ok_or_else(|| self.missing())?;
            // Counts changes from its creation on, so none falls between the look and the wait.
            let change = changed.notified();
            let now = clock.now();
            let received = self.take(max, now)?;
            if !received.is_empty() || now >= deadline {
                return Ok(received);
            }
            let due = lock(&self.shared.state).next_due(&self.name);
            tokio::select! {
                biased;
                () = change => {}
                () = clock.sleep_until(due.map_or(deadline, |due| due.min(deadline))) => {}
            }
        }
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        check_batch(receipts.len())?;
        check_visibility(visibility)?;
        let now = self.shared.clock.now();
        let mut state = lock(&self.shared.state);
        let queue = state.queues.get_mut(&self.name).ok_or_else(|| self.missing())?;
        for receipt in receipts {
            if let Some(id) = queue.named(receipt) {
                queue.hide(id, now, now.plus_millis(millis(visibility)));
            }
        }
        Ok(())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        check_batch(receipts.len())?;
        let mut state = lock(&self.shared.state);
        let queue = state.queues.get_mut(&self.name).ok_or_else(|| self.missing())?;
        for receipt in receipts {
            if let Some(id) = queue.named(receipt) {
                queue.remove(id);
            }
        }
        Ok(())
    }
}

struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<Text, Stored>,
    /// Of all queues together: a receipt names nothing in a later queue of the same name.
    next_id: u64,
}

impl State {
    fn send(&mut self, name: &str, body: Bytes, visible_at: Timestamp) -> Option<()> {
        let queue = self.queues.get_mut(name)?;
        queue.insert(self.next_id, Message { body, visible_at, receive_count: 0 });
        self.next_id += 1;
        Some(())
    }

    fn receive(&mut self, name: &str, max: usize, now: Timestamp) -> Option<Vec<Received>> {
        let settings = self.queues.get(name)?.settings.clone();
        // Without its queue of dead letters a message goes on coming back.
        let dead_letters = settings.dead_letters.filter(|(_, to)| self.queues.contains_key(to));
        let due = |queue: &Stored, max: usize| -> Vec<u64> {
            queue.order.range(..=(now, u64::MAX)).map(|(_, id)| *id).take(max).collect()
        };
        let mut taken = Vec::new();
        loop {
            let queue = self.queues.get_mut(name)?;
            let due = due(queue, max - taken.len());
            if due.is_empty() {
                break;
            }
            for id in due {
                let queue = self.queues.get_mut(name)?;
                let message = queue.remove(id)?;
                match &dead_letters {
                    Some((receives, to)) if message.receive_count >= *receives => {
                        self.send(to, message.body, now)?;
                    }
                    _ => taken.push((id, message)),
                }
            }
        }
        // Only now they go back: one that is hidden for no time at all is received once a call.
        let queue = self.queues.get_mut(name)?;
        let visible_at = now.plus_millis(millis(settings.visibility));
        let received = taken.into_iter().map(|(id, message)| {
            let receive_count = message.receive_count.saturating_add(1);
            let body = message.body.clone();
            queue.insert(id, Message { visible_at, receive_count, ..message });
            Received { receipt: receipt(id, receive_count), body, receive_count }
        });
        Some(received.collect())
    }

    fn next_due(&self, name: &str) -> Option<Timestamp> {
        self.queues.get(name)?.order.first().map(|(at, _)| *at)
    }

    fn changed(&self, name: &str) -> Option<Arc<Notify>> {
        self.queues.get(name).map(|queue| Arc::clone(&queue.changed))
    }
}

struct Stored {
    settings: QueueSettings,
    messages: BTreeMap<u64, Message>,
    /// When each becomes visible.
    order: BTreeSet<(Timestamp, u64)>,
    /// Wakes receivers when a message may be due earlier than they think.
    changed: Arc<Notify>,
}

struct Message {
    body: Bytes,
    visible_at: Timestamp,
    receive_count: u32,
}

impl Stored {
    fn new(settings: QueueSettings) -> Stored {
        Stored { settings, messages: BTreeMap::new(), order: BTreeSet::new(), changed: Arc::default() }
    }

    fn insert(&mut self, id: u64, message: Message) {
        self.order.insert((message.visible_at, id));
        self.messages.insert(id, message);
        self.changed.notify_waiters();
    }

    fn remove(&mut self, id: u64) -> Option<Message> {
        let message = self.messages.remove(&id)?;
        self.order.remove(&(message.visible_at, id));
        Some(message)
    }

    /// The message whose newest receive this is.
    fn named(&self, receipt: &Receipt) -> Option<u64> {
        let (id, receive_count) = receipt.0.split_once('-')?;
        let id = id.parse().ok()?;
        let message = self.messages.get(&id)?;
        (receive_count.parse() == Ok(message.receive_count)).then_some(id)
    }

    /// Hides a message that is hidden now until another time.
    fn hide(&mut self, id: u64, now: Timestamp, until: Timestamp) {
        let is_hidden = self.messages.get(&id).is_some_and(|message| message.visible_at > now);
        if is_hidden && let Some(message) = self.remove(id) {
            self.insert(id, Message { visible_at: until, ..message });
        }
    }
}

fn receipt(id: u64, receive_count: u32) -> Receipt {
    Receipt(Text::from(format!("{id}-{receive_count}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Queues as _;
    use crate::clock::Virtual;

    #[tokio::test(start_paused = true)]
    async fn messages_arrive_in_the_order_of_their_time_and_stale_receipts_do_nothing() {
        let clock = Arc::new(Virtual::default());
        let queues = Queues::new(clock.clone());
        let settings = QueueSettings { visibility: Duration::from_secs(30), dead_letters: None };
        let queue = queues.create("q", settings).await.unwrap();
        for (body, delay) in [("late", 3), ("first", 0), ("second", 0), ("soon", 1)] {
            queue.send(Bytes::from(body), Duration::from_secs(delay)).await.unwrap();
        }
        clock.jump(5_000);
        let received = queue.receive(10, Duration::ZERO).await.unwrap();
        let bodies: Vec<&[u8]> = received.iter().map(|message| &*message.body).collect();
        assert_eq!(bodies, [&b"first"[..], b"second", b"soon", b"late"]);

        clock.jump(30_000);
        let again = queue.receive(1, Duration::ZERO).await.unwrap();
        assert_eq!((&*again[0].body, again[0].receive_count), (&b"late"[..], 2));
        queue.delete(&[received[3].receipt.clone()]).await.unwrap();
        queue.extend(&[received[3].receipt.clone()], Duration::from_secs(9_999)).await.unwrap();
        assert_eq!(queues.messages("q").len(), 4);
        queue.delete(&[again[0].receipt.clone(), Receipt("nonsense".into())]).await.unwrap();
        assert_eq!(queues.messages("q").len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_removed_queue_wakes_who_waits_and_its_receipts_are_void() {
        let queues = Arc::new(Queues::new(Arc::new(Virtual::default())));
        let settings = QueueSettings { visibility: Duration::ZERO, dead_letters: None };
        let queue = queues.create("q", settings.clone()).await.unwrap();
        let waiting = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.receive(1, Duration::from_secs(3_600)).await }
        });
        tokio::task::yield_now().await;
        queues.remove("q").await.unwrap();
        assert_eq!(waiting.await.unwrap(), Err(QueueError::Missing("q".to_owned())));

        queues.create("q", settings.clone()).await.unwrap();
        queue.send(Bytes::from("a"), Duration::ZERO).await.unwrap();
        let old = queue.receive(1, Duration::ZERO).await.unwrap();
        queues.remove("q").await.unwrap();
        queues.create("q", settings).await.unwrap();
        queue.send(Bytes::from("b"), Duration::ZERO).await.unwrap();
        queue.receive(1, Duration::ZERO).await.unwrap();
        queue.delete(&[old[0].receipt.clone()]).await.unwrap();
        assert_eq!(queues.messages("q"), [Bytes::from("b")]);
    }
}
