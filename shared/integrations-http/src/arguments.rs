//! Reading a task's parameters, and saying what is wrong with them in the words of the service.

use aws_wire::convention::Problem;
use engine::{Stage, TaskOutcome};
use hyper::header::{HeaderName, HeaderValue};
use model::error::{Failure, RUNTIME};
use model::json::{Map, Value};

/// The parameters of a call: an object of known members. What is `null` counts as absent.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a> {
    whole: &'a Value,
    members: &'a Map,
}

/// Names and values, in their order.
pub(crate) type Pairs = Vec<(String, String)>;

impl<'a> Arguments<'a> {
    /// Parameters with none but these members.
    pub fn of(parameters: &'a Value, known: &[&str]) -> Result<Arguments<'a>, TaskOutcome> {
        let Some(members) = parameters.as_object() else {
            return Err(refusal(parameters, "The parameters must be an object"));
        };
        let arguments = Arguments { whole: parameters, members };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(arguments.problem(Problem::Unsupported(unknown.to_string()))),
            None => Ok(arguments),
        }
    }

    /// A member that is an object itself, with none but these members.
    pub fn inner(&self, name: &str, known: &[&str]) -> Result<Option<Arguments<'a>>, TaskOutcome> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let Some(members) = value.as_object() else { return Err(self.wrong(name, "an object")) };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(self.problem(Problem::Unsupported(unknown.to_string()))),
            None => Ok(Some(Arguments { whole: self.whole, members })),
        }
    }

    /// What cannot be called with these parameters, and why.
    pub fn refuse(&self, why: impl AsRef<str>) -> TaskOutcome {
        refusal(self.whole, why.as_ref())
    }

    pub fn wrong(&self, name: &str, expected: &'static str) -> TaskOutcome {
        self.problem(Problem::Wrong { name: name.to_owned(), expected })
    }

    fn problem(&self, problem: Problem) -> TaskOutcome {
        self.refuse(problem.to_string())
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, TaskOutcome> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(name, "a string"))
    }

    /// A text that has to be there.
    pub fn required(&self, name: &str) -> Result<&'a str, TaskOutcome> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.problem(Problem::Missing(name.to_owned())))
    }

    pub fn boolean(&self, name: &str) -> Result<bool, TaskOutcome> {
        let Some(value) = self.get(name) else { return Ok(false) };
        value.as_bool().ok_or_else(|| self.wrong(name, "a boolean"))
    }

    /// One of the texts `allowed`, which is what the others are told.
    pub fn one_of(&self, name: &str, allowed: &[&'static str]) -> Result<Option<&'static str>, TaskOutcome> {
        let Some(given) = self.text(name)? else { return Ok(None) };
        let found = allowed.iter().find(|allowed| **allowed == given);
        found.copied().map(Some).ok_or_else(|| {
            self.refuse(format!("The value for the field '{name}' must be one of [{}]", allowed.join(", ")))
        })
    }

    /// An object of texts and lists of texts: a name stands there once for each of its values.
    pub fn pairs(&self, name: &str) -> Result<Pairs, TaskOutcome> {
        let Some(value) = self.get(name) else { return Ok(Pairs::new()) };
        let Some(members) = value.as_object() else { return Err(self.wrong(name, "an object")) };
        let mut pairs = Pairs::new();
        for (key, value) in members.iter() {
            let values = value.as_array().map_or(std::slice::from_ref(value), |values| &**values);
            for value in values.iter().filter(|value| !value.is_null()) {
                let text = scalar(value).ok_or_else(|| self.wrong(key, "a string or a list of strings"))?;
                pairs.push((key.to_string(), text));
            }
        }
        Ok(pairs)
    }

    /// The headers of the member `Headers`, without those that a task may not set.
    pub fn headers(
        &self,
        is_forbidden: fn(&str) -> bool,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, TaskOutcome> {
        let given = self.pairs("Headers")?;
        let forbidden: Vec<String> = given
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .filter(|name| is_forbidden(name))
            .collect();
        if !forbidden.is_empty() {
            let forbidden = forbidden.join(", ");
            return Err(
                self.refuse(format!("The 'Headers' field contains unsupported values: [{forbidden}]"))
            );
        }
        let read = |(name, value): (String, String)| {
            let found = HeaderName::try_from(&name).ok().zip(HeaderValue::try_from(&value).ok());
            found.ok_or_else(|| {
                self.refuse(format!("The header \"{name}\" has a name or a value that HTTP does not allow"))
            })
        };
        given.into_iter().map(read).collect()
    }
}

/// A value that has a text of its own.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_json()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn refusal(parameters: &Value, why: &str) -> TaskOutcome {
    let cause =
        format!("The Parameters '{}' could not be used to start the Task: [{why}]", parameters.to_json());
    TaskOutcome::Failed { stage: Stage::Start, failure: Failure::new(RUNTIME, cause) }
}
