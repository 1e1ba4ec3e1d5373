use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use asl::state::Resource;
use engine::{Call, Execution, TaskOutcome};
use model::error::{Failure, RUNTIME};
use model::json::Text;
use model::timestamp::Timestamp;

use super::config::{Response, TestCase};
use crate::tasks::{Answer, Answering, Cancelling, Job, NotCallable, Polling, Tasks};

/// Answers for the states that a test case mocks and hands every other call on.
///
/// Attempts are counted per state and execution, over everything that calls the state: retries,
/// later visits, and the iterations of an inline Map.
///
/// Source: behaviour of Step Functions Local 2.0.0.
pub struct Mocks {
    states: HashMap<Text, Mocked>,
    otherwise: Arc<dyn Tasks>,
    /// Attempts made so far, by execution ARN and state.
    attempts: Mutex<HashMap<(Text, Text), u32>>,
}

struct Mocked {
    response: Text,
    attempts: Arc<[(RangeInclusive<u32>, Response)]>,
}

impl Mocks {
    /// The mocks of `test_case` in front of `otherwise`.
    pub fn new(test_case: &TestCase, otherwise: Arc<dyn Tasks>) -> Mocks {
        let states = test_case.states.iter().map(|mocked| {
            let attempts = mocked.attempts.clone();
            (mocked.state.clone(), Mocked { response: mocked.response.clone(), attempts })
        });
        Mocks { states: states.collect(), otherwise, attempts: Mutex::default() }
    }

    fn answer(&self, mocked: &Mocked, call: &Call, execution: &Execution) -> TaskOutcome {
        let attempt = {
            let key = (execution.arn.clone(), call.state.clone());
            // A panic elsewhere cannot have left a counter half written.
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            let made = attempts.entry(key).or_default();
            let attempt = *made;
            *made = made.saturating_add(1);
            attempt
        };
        match mocked.attempts.iter().find(|(range, _)| range.contains(&attempt)) {
            Some((_, Response::Return(value))) => TaskOutcome::Succeeded(value.clone()),
            Some((_, Response::Throw(failure))) => TaskOutcome::failed(failure.clone()),
            None => {
                let count = mocked.attempts.last().map_or(0, |(range, _)| u64::from(*range.end()) + 1);
                let cause = format!(
                    "mocked response `{}` has {count} attempts; state `{}` made attempt {attempt}, counted from 0",
                    mocked.response, call.state
                );
                TaskOutcome::failed(Failure::new(RUNTIME, cause))
            }
        }
    }
}

impl Tasks for Mocks {
    fn callable(&self, state: &str, resource: &Resource) -> Result<(), NotCallable> {
        if self.states.contains_key(state) { Ok(()) } else { self.otherwise.callable(state, resource) }
    }

    fn is_repeatable(&self, call: &Call) -> bool {
        !self.states.contains_key(&call.state) && self.otherwise.is_repeatable(call)
    }

    fn call<'a>(&'a self, call: &'a Call, execution: &'a Execution) -> Answering<'a> {
        match self.states.get(&call.state) {
            // Counted now and not when first polled: attempts are numbered in the order of the calls.
            Some(mocked) => {
                let outcome = self.answer(mocked, call, execution);
                Box::pin(std::future::ready(Answer::Settled(outcome)))
            }
            None => self.otherwise.call(call, execution),
        }
    }

    // A mocked state has no jobs: its calls are answered with their results.

    fn poll<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Polling<'a> {
        self.otherwise.poll(job, execution)
    }

    fn next_poll(&self, job: &Job, after: Timestamp) -> Timestamp {
        self.otherwise.next_poll(job, after)
    }

    fn cancel<'a>(&'a self, job: &'a Job, execution: &'a Execution) -> Cancelling<'a> {
        self.otherwise.cancel(job, execution)
    }
}
