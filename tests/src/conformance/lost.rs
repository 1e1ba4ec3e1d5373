//! Values of requests that the recording has lost: the service had chosen them, and they were
//! redacted. What stands in their place names the member of an earlier answer that held the value.

use std::cell::RefCell;

use model::json::{Map, Text, Value};

/// What the members of the answers were so far, in the order of the answers.
#[derive(Default)]
pub struct Answers(Vec<(Text, Value)>);

impl Answers {
    /// Takes the members of an answer.
    pub fn learn(&mut self, answer: &Value) {
        let members = answer.as_object().into_iter().flat_map(|members| members.iter());
        self.0.extend(members.map(|(name, value)| (name.clone(), value.clone())));
    }

    /// A request with the lost values put in. `hints` are the expectations from this step on, with
    /// everything in them that is known by now.
    ///
    /// `stub-<member>-…`, and an ARN whose resource is `<member>` alone, stand for one of the values
    /// of that member: one that the request does not name otherwise, and that the first of the hints
    /// mentions which mentions any; else the latest. A page token that is null stands for the latest.
    pub fn fill(&self, request: &Value, hints: &[String]) -> Value {
        let used = RefCell::new(Vec::new());
        map_strings(request, &|text| {
            used.borrow_mut().push(Value::from(text));
            None
        });
        let request = match request {
            Value::Object(members) => {
                let filled = members.iter().map(|(name, value)| match name.as_str() {
                    "nextToken" if value.is_null() => {
                        (name.clone(), self.values(name).last().cloned().unwrap_or_default())
                    }
                    _ => (name.clone(), value.clone()),
                });
                filled.collect::<Map>().into()
            }
            _ => request.clone(),
        };
        map_strings(&request, &|text| {
            let member = member(text)?;
            let candidates: Vec<&Value> =
                self.values(member).filter(|value| !used.borrow().contains(value)).collect();
            let mentioned = |hint: &String| {
                candidates.iter().find(|value| value.as_str().is_some_and(|value| hint.contains(value)))
            };
            let chosen = hints.iter().find_map(mentioned).or(candidates.last());
            let chosen = chosen.copied().or(self.values(member).last()).cloned()?;
            used.borrow_mut().push(chosen.clone());
            Some(chosen)
        })
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value)
    }
}

/// The member that a text in a request stands for.
fn member(text: &str) -> Option<&str> {
    match text.strip_prefix("stub-") {
        Some(rest) => rest.split('-').next(),
        None => match text.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, "states", _, _, member] => Some(member),
            _ => None,
        },
    }
}

/// `value` with strings replaced where `replaced` says by what.
pub fn map_strings(value: &Value, replaced: &impl Fn(&str) -> Option<Value>) -> Value {
    match value {
        Value::String(text) => replaced(text).unwrap_or_else(|| value.clone()),
        Value::Array(items) => items.iter().map(|item| map_strings(item, replaced)).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), map_strings(value, replaced)));
            members.collect::<Map>().into()
        }
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_values_are_found_among_the_answers() {
        let mut answers = Answers::default();
        for answer in [
            r#"{"nextToken":"s","revisionId":"r1","v":"arn:1"}"#,
            r#"{"nextToken":"t","revisionId":"r2","v":"arn:2"}"#,
            r#"{"revisionId":"r3","v":"arn:3","other":null}"#,
        ] {
            answers.learn(&Value::parse(answer).unwrap());
        }
        let check = |request: &str, hints: &[&str], expected: &str| {
            let hints: Vec<String> = hints.iter().map(|hint| (*hint).to_owned()).collect();
            let filled = answers.fill(&Value::parse(request).unwrap(), &hints);
            assert_eq!(filled, Value::parse(expected).unwrap(), "{request} {hints:?}");
        };
        let lost = "arn:aws:states:us-east-1:1:v";
        check(r#"{"a":"stub-nextToken-00000015","b":"x"}"#, &[], r#"{"a":"t","b":"x"}"#);
        check(r#"{"a":["stub-nothing-1"],"b":null}"#, &[], r#"{"a":["stub-nothing-1"],"b":null}"#);
        check(r#"{"nextToken":null}"#, &[], r#"{"nextToken":"t"}"#);
        check(r#"{"a":"stub-revisionId-2"}"#, &["r2 is not r3"], r#"{"a":"r2"}"#);
        check(r#"{"a":"stub-revisionId-2"}"#, &["nothing", "r1"], r#"{"a":"r1"}"#);
        check(&format!(r#"{{"a":"{lost}"}}"#), &[], r#"{"a":"arn:3"}"#);
        check(
            &format!(r#"{{"a":["arn:1","{lost}","{lost}"]}}"#),
            &["arn:1, arn:2, arn:3"],
            r#"{"a":["arn:1","arn:2","arn:3"]}"#,
        );
        check(
            r#"{"a":"arn:aws:states:us-east-1:1:stateMachine:m"}"#,
            &[],
            r#"{"a":"arn:aws:states:us-east-1:1:stateMachine:m"}"#,
        );
    }
}
