//! A driver process: receives messages, holds one session per execution, and lets go in good order.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use integrations::Tasks;
use journal::execution::Owner;
use model::arn::ExecutionArn;
use model::timestamp::Timestamp;
use ports::queue::BATCH_MAX;
use ports::{Receipt, Received};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::session::{self, Arrival, Left, Shared};
use crate::world::{World, WorldError};

/// Receives messages and moves the executions they are about.
pub struct Driver {
    shared: Arc<Shared>,
    closing: watch::Sender<bool>,
    sessions: Arc<Sessions>,
}

/// The executions in hand, and the messages that keep them there.
#[derive(Default)]
struct Sessions {
    held: Mutex<Held>,
    /// A session has ended.
    freed: Notify,
}

/// In an order that is the same in every run.
type Held = HashMap<ExecutionArn, Entry, foldhash::fast::FixedState>;

struct Entry {
    mailbox: Arc<Mailbox>,
    receipts: Vec<Receipt>,
}

/// How long one receive waits.
const RECEIVE_WAIT: Duration = Duration::from_secs(20);
/// Messages that were given are hidden for as long as this driver wants after so long.
const HIDE_AFTER_MILLIS: i64 = 1_000;

impl Driver {
    /// A driver of `world` that performs tasks with `tasks`. Each has an identity of its own.
    pub fn new(world: World, tasks: Arc<dyn Tasks>) -> Result<Driver, WorldError> {
        let me = Owner(world.0.random()?);
        world.0.drives();
        let (closing, seen) = watch::channel(false);
        let shared = Arc::new(Shared { world: world.0, tasks, me, closing: seen });
        Ok(Driver { shared, closing, sessions: Arc::default() })
    }

    /// Who it is in the records that it appends.
    pub fn owner(&self) -> Owner {
        self.shared.me
    }

    /// Executions in hand.
    pub fn sessions(&self) -> usize {
        self.sessions.lock().len()
    }

    /// Receives and drives until `shutdown`. Then no new call is started; what runs has
    /// `grace_millis` to end; everything else is handed over. Dropping the future stops at once,
    /// as a crash would.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        self.closing.send_replace(false);
        let mut tasks = JoinSet::new();
        tokio::pin!(shutdown);
        let keeper = self.keep();
        tokio::pin!(keeper);
        loop {
            let free = self.shared.world.config.sessions_max.saturating_sub(self.sessions());
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = &mut keeper => {}
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                received = self.receive(free), if free > 0 => {
                    for hold in self.route(received) {
                        let shared = self.shared.clone();
                        tasks.spawn(async move { delete(&shared, &hold.await).await });
                    }
                }
                () = self.sessions.freed.notified(), if free == 0 => {}
            }
        }
        self.closing.send_replace(true);
        let world = &self.shared.world;
        let until = world.now().plus_millis(world.config.grace_millis);
        while !tasks.is_empty() {
            tokio::select! {
                biased;
                _ = tasks.join_next() => {}
                () = &mut keeper => {}
                () = world.sleep_until(until) => break,
            }
        }
    }

    /// Drives what these messages are about until it rests, and says which of them have to come
    /// again: the others are the caller's to delete. `grace_millis` before `until` no new call is
    /// started any more, and what waits for none is handed over; at `until` everything stops, as
    /// a crash would stop it.
    pub async fn take(&self, received: Vec<Received>, until: Timestamp) -> Vec<Receipt> {
        self.closing.send_replace(false);
        let world = &self.shared.world;
        let mut again: Vec<Receipt> = received.iter().map(|received| received.receipt.clone()).collect();
        let mut tasks = JoinSet::new();
        for hold in self.route(received) {
            tasks.spawn(hold);
        }
        let keeper = async {
            // A queue in front of functions hides messages for longer than any of these runs; what
            // rests within a moment needs no other time.
            world.sleep(HIDE_AFTER_MILLIS.min(world.config.visibility_millis / 3)).await;
            self.hide().await;
            self.keep().await;
        };
        tokio::pin!(keeper);
        let closing_at = until.plus_millis(-world.config.grace_millis);
        let (closing, ending) = (world.sleep_until(closing_at), world.sleep_until(until));
        tokio::pin!(closing, ending);
        while !tasks.is_empty() {
            tokio::select! {
                biased;
                Some(joined) = tasks.join_next() => {
                    // One that panicked is done with nothing.
                    let done = joined.unwrap_or_default();
                    again.retain(|receipt| !done.contains(receipt));
                }
                () = &mut keeper => {}
                () = &mut ending => break,
                () = &mut closing, if !*self.closing.borrow() => {
                    self.closing.send_replace(true);
                }
            }
        }
        tasks.shutdown().await;
        // One that never began to run has left nothing behind by itself.
        self.sessions.lock().clear();
        // They come again once they are visible, which the queue alone would not make them for long.
        self.hide_for_a_while(&again).await;
        again
    }

    async fn receive(&self, free: usize) -> Vec<Received> {
        let world = &self.shared.world;
        match world.queue.receive(free.min(BATCH_MAX), RECEIVE_WAIT).await {
            Ok(received) => received,
            Err(error) => {
                tracing::warn!(%error, "no messages could be received");
                world.sleep(world.config.retry_millis.saturating_mul(8)).await;
                Vec::new()
            }
        }
    }

    /// Gives messages to the sessions of their executions; those that are new have yet to be run.
    fn route(&self, received: Vec<Received>) -> Vec<impl Future<Output = Vec<Receipt>> + use<>> {
        let mut begun = Vec::new();
        for received in received {
            let message = match Message::decode(&received.body) {
                Ok(message) => message,
                Err(error) => {
                    // It goes to the dead letters once it has come often enough.
                    tracing::error!(%error, "a message is left alone");
                    continue;
                }
            };
            let again = received.receive_count > 1 || Message::was_sent_again(&received.body);
            let arrival = Arrival { news: message.news, again };
            let mut held = self.sessions.lock();
            if let Some(entry) = held.get_mut(&message.execution) {
                if entry.mailbox.put(arrival) {
                    entry.receipts.push(received.receipt);
                }
                continue;
            }
            let mailbox = Arc::new(Mailbox::default());
            let entry = Entry { mailbox: mailbox.clone(), receipts: vec![received.receipt] };
            held.insert(message.execution.clone(), entry);
            drop(held);
            let (shared, sessions) = (self.shared.clone(), self.sessions.clone());
            begun.push(hold(shared, sessions, message.execution, arrival, mailbox));
        }
        begun
    }

    /// Renews the lease, however often that takes: who has a call in hand for long is taken for
    /// dead without it.
    async fn renew_lease(&self) {
        let world = &self.shared.world;
        loop {
            let alive_until = world.now().plus_millis(world.config.lease_millis);
            match world.executions.put_lease(self.shared.me, alive_until).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "the lease was not renewed, and is tried again"),
            }
            world.sleep(world.config.retry_millis.saturating_mul(8).max(1)).await;
        }
    }

    /// Keeps messages hidden and the lease alive while executions are in hand.
    async fn keep(&self) {
        let world = &self.shared.world;
        let config = &world.config;
        let tick = (config.visibility_millis / 3).min(config.lease_refresh_millis).max(1);
        loop {
            world.sleep(tick).await;
            if self.hide().await && !config.sole_owner {
                self.renew_lease().await;
            }
        }
    }

    /// Hides the messages in hand from now on. Whether there are any.
    async fn hide(&self) -> bool {
        let receipts: Vec<Receipt> =
            self.sessions.lock().values().flat_map(|entry| entry.receipts.iter().cloned()).collect();
        self.hide_for_a_while(&receipts).await;
        !receipts.is_empty()
    }

    async fn hide_for_a_while(&self, receipts: &[Receipt]) {
        let world = &self.shared.world;
        let visibility = Duration::from_millis(world.config.visibility_millis.max(0).unsigned_abs());
        for batch in receipts.chunks(BATCH_MAX) {
            if let Err(error) = world.queue.extend(batch, visibility).await {
                tracing::warn!(%error, "messages may come again at another time than they should");
            }
        }
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Holds an execution to its rest, and says which messages are done with: all of its own, or none.
async fn hold(
    shared: Arc<Shared>,
    sessions: Arc<Sessions>,
    arn: ExecutionArn,
    first: Arrival,
    mailbox: Arc<Mailbox>,
) -> Vec<Receipt> {
    // Also when the session panics or is dropped: its messages come again.
    let mut leaving = Leaving { sessions: &sessions, arn: &arn, armed: true };
    let mut first = first;
    loop {
        let left = session::run(&shared, &arn, first, &mailbox).await;
        let receipts = {
            let mut held = sessions.lock();
            // Under the lock nobody can add one unseen.
            match mailbox.take() {
                Some(arrival) if left == Left::Done => {
                    first = arrival;
                    continue;
                }
                // A later session of the same execution is not to be taken for this one.
                _ => {
                    leaving.armed = false;
                    held.remove(&arn).map(|entry| entry.receipts).unwrap_or_default()
                }
            }
        };
        sessions.freed.notify_one();
        return if left == Left::Done { receipts } else { Vec::new() };
    }
}

async fn delete(shared: &Shared, receipts: &[Receipt]) {
    for batch in receipts.chunks(BATCH_MAX) {
        if let Err(error) = shared.world.queue.delete(batch).await {
            tracing::debug!(%error, "messages will come once more");
        }
    }
}

struct Leaving<'a> {
    sessions: &'a Sessions,
    arn: &'a ExecutionArn,
    /// The session is still in hand.
    armed: bool,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        self.sessions.lock().remove(self.arn);
        self.sessions.freed.notify_one();
    }
}
