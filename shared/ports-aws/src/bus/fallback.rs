//! From a bus that does not take events to a topic that may.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::timestamp::Timestamp;
use ports::{Bus, BusError, Clock, Event};

use super::envelope::event_id;

/// For how long a bus may fail before events go to the topic.
pub const AFTER: Duration = Duration::from_secs(60);

/// How many events that went to the topic are remembered, so that none goes there twice.
const REMEMBERED: usize = 1_000;

/// A bus, and a topic for the events that must not be lost when the bus fails for long.
///
/// An event that the bus does not take goes to the topic once it is older than [`AFTER`], or once
/// every attempt of this process has failed for that long; before that, the error is the caller's,
/// who tries again. What the bus refuses for good goes there at once. An event goes to the topic
/// once, by its id ([`event_id`]): here as long as it is remembered, then by the id in the message.
pub struct Fallback {
    bus: Arc<dyn Bus>,
    topic: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    after: Duration,
    goes: Box<dyn Fn(&Event) -> bool + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Since when no event has been taken.
    failing_since: Option<Timestamp>,
    /// The ids of what went to the topic, oldest first.
    sent: VecDeque<String>,
}

impl Fallback {
    /// `goes` says which events the topic is told of.
    pub fn new(
        bus: Arc<dyn Bus>,
        topic: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        after: Duration,
        goes: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> Fallback {
        Fallback { bus, topic, clock, after, goes: Box::new(goes), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No change is left half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has failed for long enough.
    fn is_due(&self, event: &Event, error: &BusError) -> bool {
        match error {
            BusError::Refused(_) => true,
            BusError::Throttled | BusError::Unavailable(_) => {
                let now = self.clock.now();
                let failing_since = *self.state().failing_since.get_or_insert(now);
                let after = i64::try_from(self.after.as_millis()).unwrap_or(i64::MAX);
                now.millis_since(event.time.min(failing_since)) > after
            }
        }
    }
}

#[async_trait]
impl Bus for Fallback {
    async fn publish(&self, event: Event) -> Result<(), BusError> {
        event.check()?;
        let goes = (self.goes)(&event);
        let id = event_id(&event);
        if goes && self.state().sent.contains(&id) {
            return Ok(());
        }
        let error = match self.bus.publish(event.clone()).await {
            Ok(()) => {
                self.state().failing_since = None;
                return Ok(());
            }
            Err(error) => error,
        };
        if !self.is_due(&event, &error) || !goes {
            return Err(error);
        }
        self.topic.publish(event).await?;
        let sent = &mut self.state().sent;
        if sent.len() == REMEMBERED {
            sent.pop_front();
        }
        sent.push_back(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::tests::event;
    use super::*;
    use ports::{Virtual, memory};

    /// A bus that answers as it is told.
    #[derive(Default)]
    struct Moody {
        error: Mutex<Option<BusError>>,
        taken: memory::Bus,
    }

    #[async_trait]
    impl Bus for Moody {
        async fn publish(&self, event: Event) -> Result<(), BusError> {
            let error = self.error.lock().unwrap().clone();
            match error {
                Some(error) => Err(error),
                None => self.taken.publish(event).await,
            }
        }
    }

    struct Scene {
        clock: Arc<Virtual>,
        bus: Arc<Moody>,
        topic: Arc<Moody>,
        fallback: Fallback,
    }

    impl Scene {
        fn new() -> Scene {
            let (clock, bus, topic) = <(Arc<Virtual>, Arc<Moody>, Arc<Moody>)>::default();
            let goes = |event: &Event| event.detail.get("status").is_some();
            let fallback = Fallback::new(bus.clone(), topic.clone(), clock.clone(), AFTER, goes);
            Scene { clock, bus, topic, fallback }
        }

        fn bus_fails(&self, error: Option<BusError>) {
            *self.bus.error.lock().unwrap() = error;
        }

        /// An event of now.
        fn event(&self, detail: &str) -> Event {
            Event { time: self.clock.now(), ..event(detail) }
        }

        fn at_topic(&self) -> usize {
            self.topic.taken.events().len()
        }
    }

    fn unavailable() -> BusError {
        BusError::Unavailable("down".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_is_a_minute_old_goes_to_the_topic_once() {
        let scene = Scene::new();
        let failed = scene.event(r#"{"status":"FAILED"}"#);
        scene.bus_fails(Some(unavailable()));
        assert_eq!(scene.fallback.publish(failed.clone()).await, Err(unavailable()));
        scene.clock.jump(60_000);
        assert_eq!(scene.fallback.publish(failed.clone()).await, Err(unavailable()));
        scene.clock.jump(1);
        for _ in 0..2 {
            assert_eq!(scene.fallback.publish(failed.clone()).await, Ok(()));
            assert_eq!(scene.topic.taken.events(), std::slice::from_ref(&failed));
        }
        assert!(scene.bus.taken.events().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_bus_that_has_failed_for_a_minute_is_passed_by_at_once_until_it_recovers() {
        let scene = Scene::new();
        scene.bus_fails(Some(BusError::Throttled));
        let first = scene.event(r#"{"status":"FAILED","n":1}"#);
        assert_eq!(scene.fallback.publish(first).await, Err(BusError::Throttled));
        scene.clock.jump(61_000);
        let second = scene.event(r#"{"status":"FAILED","n":2}"#);
        assert_eq!(scene.fallback.publish(second).await, Ok(()));
        assert_eq!(scene.at_topic(), 1);

        scene.bus_fails(None);
        assert_eq!(scene.fallback.publish(scene.event(r#"{"status":"FAILED","n":3}"#)).await, Ok(()));
        assert_eq!((scene.bus.taken.events().len(), scene.at_topic()), (1, 1));
        scene.bus_fails(Some(BusError::Throttled));
        let fourth = scene.event(r#"{"status":"FAILED","n":4}"#);
        assert_eq!(scene.fallback.publish(fourth).await, Err(BusError::Throttled));
    }

    #[tokio::test(start_paused = true)]
    async fn other_events_wait_for_the_bus_and_wrong_ones_are_refused() {
        let scene = Scene::new();
        let other = scene.event(r#"{"other":1}"#);
        scene.bus_fails(Some(unavailable()));
        scene.clock.jump(100_000);
        assert_eq!(scene.fallback.publish(other).await, Err(unavailable()));
        assert!(matches!(scene.fallback.publish(event("[]")).await, Err(BusError::Refused(_))));

        scene.bus_fails(Some(BusError::Refused("source".to_owned())));
        assert_eq!(scene.fallback.publish(scene.event(r#"{"status":"FAILED"}"#)).await, Ok(()));
        assert_eq!(scene.at_topic(), 1);

        *scene.topic.error.lock().unwrap() = Some(BusError::Throttled);
        let next = scene.event(r#"{"status":"ABORTED"}"#);
        assert_eq!(scene.fallback.publish(next).await, Err(BusError::Throttled));
    }
}
