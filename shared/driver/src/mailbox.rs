//! What arrives about an execution while a session holds it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::session::Arrival;

/// Messages that wait for one session. An empty one, as most stay, costs nothing to make.
#[derive(Default)]
pub(crate) struct Mailbox {
    waiting: Mutex<VecDeque<Arrival>>,
    came: Notify,
}

/// Messages that wait for one session; more come again later.
const WAITING_MAX: usize = 32;

impl Mailbox {
    /// Leaves a message; false when it is full.
    pub fn put(&self, arrival: Arrival) -> bool {
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING_MAX {
            return false;
        }
        waiting.push_back(arrival);
        drop(waiting);
        self.came.notify_one();
        true
    }

    /// The message that came first.
    pub fn take(&self) -> Option<Arrival> {
        self.waiting().pop_front()
    }

    /// Waits for a message. Nothing is lost when the future is dropped.
    pub async fn next(&self) -> Arrival {
        loop {
            if let Some(arrival) = self.take() {
                return arrival;
            }
            self.came.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Arrival>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::News;

    fn look(again: bool) -> Arrival {
        Arrival { news: News::Look, again }
    }

    #[tokio::test]
    async fn messages_come_in_their_order_and_a_full_one_takes_none() {
        let mailbox = Mailbox::default();
        assert!(mailbox.take().is_none());
        for place in 0..WAITING_MAX {
            assert!(mailbox.put(look(place == 0)));
        }
        assert!(!mailbox.put(look(false)));
        assert!(mailbox.next().await.again);
        assert!(mailbox.put(look(true)));
        let rest: Vec<bool> = std::iter::from_fn(|| mailbox.take()).map(|arrival| arrival.again).collect();
        assert_eq!(rest.len(), WAITING_MAX);
        assert_eq!(rest.iter().position(|again| *again), Some(WAITING_MAX - 1));
    }

    #[tokio::test]
    async fn who_waits_is_woken_and_who_stops_waiting_loses_nothing() {
        let mailbox = std::sync::Arc::new(Mailbox::default());
        let waiting = mailbox.clone();
        let woken = tokio::spawn(async move { waiting.next().await.again });
        tokio::task::yield_now().await;
        assert!(mailbox.put(look(true)));
        assert!(woken.await.unwrap());
        // A wait that is given up after the message came.
        {
            let wait = mailbox.next();
            tokio::pin!(wait);
            assert!(polled(wait.as_mut()).is_none());
            assert!(mailbox.put(look(true)));
        }
        assert!(mailbox.next().await.again);
    }

    fn polled<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
