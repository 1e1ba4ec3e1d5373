//! Answers.

use model::json::{Map, Text, Value};
use model::timestamp::Timestamp;

/// An object that is being built.
#[derive(Default)]
pub(crate) struct Answer(Map);

impl Answer {
    pub fn new() -> Answer {
        Answer::default()
    }

    /// A member.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Answer {
        self.0.insert(Text::new_static(name), value.into());
        self
    }

    /// A member that is there when it has a value.
    pub fn with_some<V: Into<Value>>(self, name: &'static str, value: Option<V>) -> Answer {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// A time: seconds since the epoch with a fraction.
    pub fn with_time(self, name: &'static str, at: Timestamp) -> Answer {
        self.with(name, at.epoch_seconds())
    }

    /// A time that may be absent.
    pub fn with_some_time(self, name: &'static str, at: Option<Timestamp>) -> Answer {
        self.with_some(name, at.map(Timestamp::epoch_seconds))
    }
}

impl From<Answer> for Value {
    fn from(answer: Answer) -> Value {
        answer.0.into()
    }
}
