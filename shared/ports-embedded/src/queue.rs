//! Queues: what is sent and deleted goes through the log, who received what is in memory only.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;
use ports::queue::{check_batch, check_receive, check_send, check_settings, check_visibility};
use ports::{QueueError, QueueSettings, Receipt, Received};

use crate::codec::{push_bytes, push_number, take_bytes, take_number};
use crate::error::Failure;
use crate::key::{self, Space};
use crate::memtable::Write;
use crate::shared::Shared;
use crate::window::{Stopped, Window};

/// Marks the definition of a queue among the names.
const DEFINITION: u8 = b'q';
/// Marks a queue whose messages are being removed.
const REMOVED: u8 = b'r';
/// How many messages of a removed queue are removed at a time.
const REMOVE: usize = 1_000;

/// The queues of a store.
pub struct Queues {
    shared: Arc<Shared>,
    windows: Mutex<BTreeMap<Text, Arc<Window>>>,
    /// Held while definitions change.
    changing: tokio::sync::Mutex<()>,
    /// Removed, with messages that may be left.
    removed: Mutex<Vec<u32>>,
}

impl Queues {
    /// Reads the definitions.
    pub fn open(shared: Arc<Shared>) -> Result<Queues, Failure> {
        let mut windows = BTreeMap::new();
        shared.names(DEFINITION, b"", |name, value| {
            let damaged = || Failure::Damaged("the definition of a queue cannot be read".to_owned());
            let (queue, settings) = take_definition(&value).ok_or_else(damaged)?;
            let name = std::str::from_utf8(name).map_err(|_| damaged())?;
            windows.insert(Text::from(name), Arc::new(Window::new(queue, settings, false)));
            Ok(true)
        })?;
        let mut removed = Vec::new();
        shared.names(REMOVED, b"", |queue, _| {
            removed.extend(<[u8; 4]>::try_from(queue).map(u32::from_be_bytes));
            Ok(true)
        })?;
        let removed = Mutex::new(removed);
        Ok(Queues { shared, windows: Mutex::new(windows), changing: tokio::sync::Mutex::default(), removed })
    }

    /// Name, messages waiting in memory, and messages received, of each queue.
    pub fn lengths(&self) -> Vec<(Text, usize, usize)> {
        let windows = self.windows();
        let lengths = windows.iter().map(|(name, window)| {
            let (ready, received) = window.lengths();
            (name.clone(), ready, received)
        });
        lengths.collect()
    }

    fn windows(&self) -> MutexGuard<'_, BTreeMap<Text, Arc<Window>>> {
        self.windows.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn removed(&self) -> MutexGuard<'_, Vec<u32>> {
        self.removed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn window(&self, name: &str) -> Option<Arc<Window>> {
        self.windows().get(name).cloned()
    }

    /// Removes the messages of removed queues.
    async fn clean(&self) -> Result<(), Failure> {
        loop {
            let Some(queue) = self.removed().last().copied() else { return Ok(()) };
            let (from, to) = (key::message(queue, (i64::MIN, 0)), key::message(queue, (i64::MAX, u64::MAX)));
            loop {
                let mut writes = Vec::new();
                let bounds = (Bound::Included(&from[..]), Bound::Included(&to[..]));
                self.shared.storage.range(Space::Messages, bounds, false, |key, _| {
                    let key = Bytes::copy_from_slice(key);
                    writes.push(Write { space: Space::Messages, key, value: None });
                    Ok(writes.len() < REMOVE)
                })?;
                if writes.is_empty() {
                    break;
                }
                self.shared.write(writes).await?;
            }
            self.shared.write(vec![name_write(REMOVED, &queue.to_be_bytes(), None)]).await?;
            self.removed().retain(|removed| *removed != queue);
        }
    }
}

/// The queues as the port.
pub struct Port(pub Arc<Queues>);

#[async_trait]
impl ports::Queues for Port {
    async fn create(&self, name: &str, settings: QueueSettings) -> Result<Arc<dyn ports::Queue>, QueueError> {
        check_settings(name, &settings)?;
        let queues = &self.0;
        let _changing = queues.changing.lock().await;
        if let Some((_, dead_letters)) = &settings.dead_letters
            && queues.window(dead_letters).is_none()
        {
            return Err(QueueError::Missing(dead_letters.to_string()));
        }
        queues.clean().await?;
        let old = queues.window(name);
        let number = match &old {
            Some(window) => window.queue,
            None => queues.windows().values().map(|window| window.queue).max().map_or(1, |last| last + 1),
        };
        let definition = definition(number, &settings);
        queues.shared.write(vec![name_write(DEFINITION, name.as_bytes(), Some(definition))]).await?;
        let window = match old {
            Some(window) => {
                window.set(settings);
                window
            }
            None => Arc::new(Window::new(number, settings, true)),
        };
        queues.windows().insert(Text::from(name), Arc::clone(&window));
        Ok(Arc::new(Queue { queues: Arc::clone(queues), window, name: Text::from(name) }))
    }

    async fn open(&self, name: &str) -> Result<Arc<dyn ports::Queue>, QueueError> {
        let window = self.0.window(name).ok_or_else(|| QueueError::Missing(name.to_owned()))?;
        Ok(Arc::new(Queue { queues: Arc::clone(&self.0), window, name: Text::from(name) }))
    }

    async fn remove(&self, name: &str) -> Result<(), QueueError> {
        let queues = &self.0;
        let _changing = queues.changing.lock().await;
        let Some(window) = queues.window(name) else { return Ok(()) };
        let number = window.queue.to_be_bytes();
        let writes = vec![
            name_write(DEFINITION, name.as_bytes(), None),
            name_write(REMOVED, &number, Some(Vec::new())),
        ];
        queues.shared.write(writes).await?;
        queues.windows().remove(name);
        window.remove();
        queues.removed().push(window.queue);
        // Sent before `window.remove`, perhaps written behind the removal: in the line before this.
        Ok(queues.clean().await?)
    }
}

/// One queue. Its handle follows the name: a later queue of the same name is the same to it.
struct Queue {
    queues: Arc<Queues>,
    window: Arc<Window>,
    name: Text,
}

impl Queue {
    fn shared(&self) -> &Shared {
        &self.queues.shared
    }

    fn missing(&self) -> QueueError {
        QueueError::Missing(self.name.to_string())
    }

    /// The queue, or the later one of the same name.
    fn window(&self) -> Arc<Window> {
        self.queues.window(&self.name).unwrap_or_else(|| Arc::clone(&self.window))
    }

    /// Does something with the queue, waiting for room in the line.
    async fn attempt<T>(&self, mut run: impl FnMut() -> Result<T, Stopped> + Send) -> Result<T, QueueError> {
        loop {
            match run() {
                Ok(done) => return Ok(done),
                Err(Stopped::Removed) => return Err(self.missing()),
                Err(Stopped::Failed(failure)) => return Err(failure.into()),
                Err(Stopped::Full) => {}
            }
            self.shared().inbox.room().await;
        }
    }

    /// Up to `max` messages that are due.
    async fn take(
        &self,
        window: &Arc<Window>,
        max: usize,
        now: i64,
    ) -> Result<(Vec<Received>, Option<i64>), QueueError> {
        let settings = window.settings();
        let visible_at = now.saturating_add(millis(settings.visibility));
        // Without its queue of dead letters a message goes on coming back.
        let dead_letters =
            settings.dead_letters.and_then(|(receives, name)| Some((receives, self.queues.window(&name)?)));
        let receives_max = dead_letters.as_ref().map(|(receives, _)| *receives);
        let storage = &self.shared().storage;
        let taken = self.attempt(|| window.take(storage, (max, now, visible_at), receives_max)).await?;
        for (id, body) in taken.dead {
            let Some((_, dead_letters)) = &dead_letters else { continue };
            let to = (now, self.shared().number());
            let send = || dead_letters.send(&self.shared().inbox, to, body.clone(), Some(window.removal(id)));
            match self.attempt(send).await {
                Ok(()) => window.forget(id),
                // It comes back, and is tried again then.
                Err(QueueError::Missing(_)) => {}
                Err(error) if taken.received.is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        Ok((taken.received, taken.next_due))
    }
}

#[async_trait]
impl ports::Queue for Queue {
    async fn send(&self, body: Bytes, delay: Duration) -> Result<(), QueueError> {
        check_send(body.len(), delay)?;
        let due = self.shared().now().saturating_add(millis(delay));
        let id = (due, self.shared().number());
        let window = self.window();
        self.attempt(|| window.send(&self.shared().inbox, id, body.clone(), None)).await
    }

    async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<Received>, QueueError> {
        check_receive(max)?;
        let clock = &self.shared().clock;
        let deadline = self.shared().now().saturating_add(millis(wait));
        let window = self.window();
        loop {
            let changed = window.changed.notified();
            tokio::pin!(changed);
            // From now on no change falls between the look and the wait.
            changed.as_mut().enable();
            let now = self.shared().now();
            let (received, next_due) = self.take(&window, max, now).await?;
            if !received.is_empty() && next_due.is_some_and(|due| due <= now) {
                window.changed.notify_one();
            }
            if !received.is_empty() || now >= deadline {
                return Ok(received);
            }
            let until = next_due.map_or(deadline, |due| due.min(deadline));
            tokio::select! {
                biased;
                () = changed => {}
                () = clock.sleep_until(model::timestamp::Timestamp::from_millis(until)) => {}
            }
        }
    }

    async fn extend(&self, receipts: &[Receipt], visibility: Duration) -> Result<(), QueueError> {
        check_batch(receipts.len())?;
        check_visibility(visibility)?;
        let now = self.shared().now();
        let until = now.saturating_add(millis(visibility));
        let window = self.window();
        self.attempt(|| window.extend(receipts, now, until)).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Result<(), QueueError> {
        check_batch(receipts.len())?;
        let window = self.window();
        self.attempt(|| window.delete(&self.shared().inbox, receipts)).await
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn name_write(mark: u8, name: &[u8], value: Option<Vec<u8>>) -> Write {
    Write { space: Space::Names, key: [&[mark], name].concat().into(), value: value.map(Bytes::from) }
}

fn definition(queue: u32, settings: &QueueSettings) -> Vec<u8> {
    let mut value = vec![1];
    push_number(&mut value, queue.into());
    push_number(&mut value, u64::try_from(settings.visibility.as_millis()).unwrap_or(u64::MAX));
    if let Some((receives, name)) = &settings.dead_letters {
        push_number(&mut value, (*receives).into());
        push_bytes(&mut value, name.as_bytes());
    }
    value
}

fn take_definition(value: &[u8]) -> Option<(u32, QueueSettings)> {
    let (1, mut from) = value.split_first().map(|(version, rest)| (*version, rest))? else { return None };
    let queue = u32::try_from(take_number(&mut from)?).ok()?;
    let visibility = Duration::from_millis(take_number(&mut from)?);
    let dead_letters = match from.is_empty() {
        true => None,
        false => {
            let receives = u32::try_from(take_number(&mut from)?).ok()?;
            Some((receives, Text::from(std::str::from_utf8(take_bytes(&mut from)?).ok()?)))
        }
    };
    from.is_empty().then_some((queue, QueueSettings { visibility, dead_letters }))
}
