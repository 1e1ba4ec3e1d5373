//! How many workers poll each activity.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::arn::ActivityArn;
use model::limits::ACTIVITY_POLLERS_MAX;

/// The polls that are open in this process.
#[derive(Clone, Default)]
pub(crate) struct Polls(Arc<Mutex<BTreeMap<ActivityArn, u64>>>);

/// An open poll. Ends with its value, also when the caller goes away.
pub(crate) struct Poll {
    polls: Polls,
    activity: ActivityArn,
}

impl Polls {
    /// Opens a poll; none when there are as many as may be.
    pub fn open(&self, activity: &ActivityArn) -> Option<Poll> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(activity.clone()).or_default();
        if *count >= ACTIVITY_POLLERS_MAX {
            return None;
        }
        *count += 1;
        Some(Poll { polls: self.clone(), activity: activity.clone() })
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let mut open = self.polls.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.activity) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.activity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_counted_while_they_are_open() {
        let polls = Polls::default();
        let activity = |name: &str| {
            ActivityArn::parse(&format!("arn:aws:states:us-east-1:123456789012:activity:{name}")).unwrap()
        };
        let mut open: Vec<Poll> =
            (0..ACTIVITY_POLLERS_MAX).map(|_| polls.open(&activity("a")).unwrap()).collect();
        assert!(polls.open(&activity("a")).is_none());
        assert!(polls.open(&activity("b")).is_some());
        open.pop();
        assert!(polls.open(&activity("a")).is_some());
        open.clear();
        assert!(polls.0.lock().unwrap().is_empty());
    }
}
