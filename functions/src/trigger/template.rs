//! Templates with `<variables>`, as in the input transformers of EventBridge.

use model::json::{Map, Text, Value, write_string};
use model::limits::REQUEST_BYTES_MAX;
use query::jsonpath::{Path, Root};

use crate::call::kind;

/// Variables of an input transformer. Source: EventBridge API, InputTransformer.
const VARIABLES_MAX: usize = 100;
/// Characters of a template. Source: as above.
const TEMPLATE_CHARS_MAX: usize = 8_192;

/// What stands between `<` and `>`.
#[derive(Clone, Debug, PartialEq)]
enum Variable {
    /// Of `InputPathsMap`, or a path in the template itself.
    Path(Path),
    /// `<aws.events.event.json>`: the whole event.
    Event,
    /// `<aws.events.event>`: the event without its detail.
    Envelope,
    /// `<aws.events.event.ingestion-time>`.
    IngestionTime,
    /// `<aws.events.rule-arn>`.
    RuleArn,
    /// `<aws.events.rule-name>`.
    RuleName,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(Text),
    Variable {
        /// As it stands in the template, for messages.
        written: Text,
        variable: Variable,
        /// Whether it stands between the quotes of a JSON string.
        quoted: bool,
    },
}

/// A text in which variables are filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Vec<Part>);

/// The paths that a template's variables stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables(Vec<(Text, Path)>);

impl Variables {
    /// Reads `InputPathsMap`.
    pub fn parse(map: &Map) -> Result<Variables, String> {
        if map.len() > VARIABLES_MAX {
            return Err(format!("has {} variables, more than {VARIABLES_MAX}", map.len()));
        }
        let mut variables = Vec::new();
        for (name, value) in map {
            let is_name =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            if !is_name {
                return Err(format!("`{name}` is no name of a variable: letters, digits, `_` and `-` are"));
            }
            let text = value.as_str().ok_or_else(|| format!("`{name}` has to be a path such as $.detail"))?;
            variables.push((name.clone(), event_path(text).map_err(|error| format!("`{name}`: {error}"))?));
        }
        Ok(Variables(variables))
    }
}

/// A path into an event.
pub fn event_path(text: &str) -> Result<Path, String> {
    let path = Path::parse(text).map_err(|error| format!("`{text}` is no path: {error}"))?;
    match path.root() {
        Root::Input => Ok(path),
        Root::Context | Root::Variable(_) => {
            Err(format!("`{text}` is no path into the event: it begins `$.`"))
        }
    }
}

impl Template {
    /// Reads a template. A `<name>` that is no variable is refused, as EventBridge does; other
    /// uses of `<` mean themselves.
    pub fn parse(text: &str, variables: &Variables) -> Result<Template, String> {
        if text.chars().count() > TEMPLATE_CHARS_MAX {
            return Err(format!("has more than {TEMPLATE_CHARS_MAX} characters"));
        }
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut quotes = Quotes::default();
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            let (before, from) = rest.split_at(start);
            quotes.pass(before);
            literal.push_str(before);
            let name = from[1..].split_once('>').map(|(name, _)| name).filter(|name| is_placeholder(name));
            let Some(name) = name else {
                literal.push('<');
                rest = &from[1..];
                continue;
            };
            let variable = variable(name, variables)?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into()));
            }
            parts.push(Part::Variable { written: name.into(), variable, quoted: quotes.open });
            rest = &from[name.len() + 2..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        Ok(Template(parts))
    }

    /// The JSON that the template makes of an event. A variable whose path finds nothing is an empty
    /// text.
    pub fn json(&self, event: &Value) -> Result<Text, String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Variable { written, variable, quoted } => {
                    let value = variable.value(event).map_err(|error| format!("<{written}>: {error}"))?;
                    let value = value.unwrap_or_else(|| Value::from(""));
                    match (&value, quoted) {
                        (Value::String(text), true) => push_unquoted(&mut out, text),
                        (value, true) => push_unquoted(&mut out, &value.to_json()),
                        (value, false) => out.push_str(&value.to_json()),
                    }
                }
            }
            if out.len() > REQUEST_BYTES_MAX {
                return Err(format!("it makes more than {REQUEST_BYTES_MAX} bytes of this event"));
            }
        }
        Value::parse(&out).map_err(|error| {
            // Where, but nothing of it: messages are logged, events are not.
            let place = error.location;
            format!("what it makes of this event is not JSON (line {}, column {})", place.line, place.column)
        })?;
        Ok(out.into())
    }

    /// The text that the template makes of an event, every variable of which has to be there.
    pub fn text(&self, event: &Value) -> Result<Text, String> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Variable { written, variable, .. } => match variable.value(event)? {
                    Some(Value::String(text)) => out.push_str(&text),
                    Some(value @ (Value::Number(_) | Value::Bool(_))) => out.push_str(&value.to_json()),
                    Some(other) => return Err(format!("<{written}> is {}, not a text", kind(&other))),
                    None => return Err(format!("the event has no <{written}>")),
                },
            }
        }
        Ok(out.into())
    }
}

impl Variable {
    /// What it is in this event, if it is there.
    fn value(&self, event: &Value) -> Result<Option<Value>, String> {
        let rule = || {
            let resources = event.get("resources")?.as_array()?;
            resources.iter().filter_map(Value::as_str).find_map(|arn| Some((arn, rule_name(arn)?)))
        };
        Ok(match self {
            Variable::Path(path) => match path.eval_on(event) {
                Ok(value) => Some(value),
                Err(query::jsonpath::PathError::NotFound { .. }) => None,
                Err(error) => return Err(error.to_string()),
            },
            Variable::Event => Some(event.clone()),
            Variable::Envelope => Some(match event {
                Value::Object(members) => members
                    .iter()
                    .filter(|(name, _)| *name != "detail")
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect(),
                other => other.clone(),
            }),
            // When EventBridge took it stands nowhere in an event. Its own time is the same at every
            // delivery, which keeps repeated ones recognisable.
            Variable::IngestionTime => event.get("time").cloned(),
            Variable::RuleArn => rule().map(|(arn, _)| Value::from(arn)),
            Variable::RuleName => rule().map(|(_, name)| Value::from(name)),
        })
    }
}

/// The name of the rule whose ARN this is; events of schedules name theirs among the resources.
fn rule_name(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let is_events = parts.next() == Some("arn") && parts.nth(1) == Some("events");
    let rule = parts.nth(2)?.strip_prefix("rule/")?;
    // `rule/bus/name` on a bus of one's own.
    is_events.then(|| rule.rsplit('/').next().unwrap_or(rule))
}

fn is_placeholder(name: &str) -> bool {
    name.starts_with('$')
        || (!name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
}

fn variable(name: &str, variables: &Variables) -> Result<Variable, String> {
    Ok(match name {
        "aws.events.event.json" => Variable::Event,
        "aws.events.event" => Variable::Envelope,
        "aws.events.event.ingestion-time" => Variable::IngestionTime,
        "aws.events.rule-arn" => Variable::RuleArn,
        "aws.events.rule-name" => Variable::RuleName,
        path if path.starts_with('$') => Variable::Path(event_path(path)?),
        name => match variables.0.iter().find(|(known, _)| known == name) {
            Some((_, path)) => Variable::Path(path.clone()),
            None => {
                return Err(format!("<{name}> is no variable: name it in InputPathsMap, or write <$.path>"));
            }
        },
    })
}

/// `text` as it stands between the quotes of a JSON string.
fn push_unquoted(out: &mut String, text: &str) {
    let mut quoted = String::with_capacity(text.len() + 2);
    write_string(&mut quoted, text);
    out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}

/// Whether a place in a JSON text is inside of a string.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    fn pass(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.open => self.escaped = true,
                b'"' => self.open = !self.open,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{
        "version": "0", "id": "7bf73129", "detail-type": "Object Created", "source": "aws.s3",
        "time": "2025-11-11T21:29:54Z", "resources": ["arn:aws:s3:::orders", "arn:aws:events:eu-west-1:123456789012:rule/bus/nightly"],
        "detail": {"object": {"key": "in/a \"b\".json", "size": 5}, "tags": ["x", "y"], "new": true}}"#;

    fn template(text: &str) -> Result<Template, String> {
        let paths = Value::parse(
            r#"{"key": "$.detail.object.key", "size": "$.detail.object.size", "tags": "$.detail.tags",
                "none": "$.detail.none", "object": "$.detail.object", "all": "$.detail.tags[*]"}"#,
        )
        .unwrap();
        Template::parse(text, &Variables::parse(paths.as_object().unwrap()).unwrap())
    }

    fn check(text: &str, expected: &str) {
        let made = template(text).and_then(|template| template.json(&Value::parse(EVENT).unwrap()));
        match made {
            Ok(made) => assert_eq!(Value::parse(&made).unwrap(), Value::parse(expected).unwrap(), "{text}"),
            Err(error) => assert!(error.contains(expected), "{text}: {error}"),
        }
    }

    #[test]
    fn variables_are_filled_in_as_json() {
        check(
            r#"{"k": <key>, "n": <size>, "t": <tags>}"#,
            r#"{"k": "in/a \"b\".json", "n": 5, "t": ["x", "y"]}"#,
        );
        check(r#"{"s": "<key> has <size>"}"#, r#"{"s": "in/a \"b\".json has 5"}"#);
        check(r#"{"s": "\"<key>\""}"#, r#"{"s": "\"in/a \"b\".json\""}"#);
        check(r#""<key>""#, r#""in/a \"b\".json""#);
        check("<object>", r#"{"key": "in/a \"b\".json", "size": 5}"#);
        check(r#"{"s": "<object>"}"#, r#"{"s": "{\"key\":\"in/a \\\"b\\\".json\",\"size\":5}"}"#);
        check("<all>", r#"["x", "y"]"#);
        check("<$.detail.new>", "true");
    }

    #[test]
    fn what_is_not_there_is_an_empty_text() {
        check(r#"{"a": <none>, "b": "x<none>y"}"#, r#"{"a": "", "b": "xy"}"#);
    }

    #[test]
    fn predefined_variables_tell_of_event_and_rule() {
        check("<aws.events.event.json>", EVENT);
        check(r#"{"at": <aws.events.event.ingestion-time>}"#, r#"{"at": "2025-11-11T21:29:54Z"}"#);
        check(
            r#"[<aws.events.rule-arn>, "<aws.events.rule-name>"]"#,
            r#"["arn:aws:events:eu-west-1:123456789012:rule/bus/nightly", "nightly"]"#,
        );
        let envelope = template("<aws.events.event>").unwrap().json(&Value::parse(EVENT).unwrap()).unwrap();
        assert!(envelope.contains("aws.s3") && !envelope.contains("detail\":"), "{envelope}");
    }

    #[test]
    fn other_brackets_mean_themselves() {
        check(r#"{"s": "a < b, <> and < key>"}"#, r#"{"s": "a < b, <> and < key>"}"#);
        check(r#"{"s": "1 <"}"#, r#"{"s": "1 <"}"#);
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        check("<other>", "<other> is no variable");
        check("<$.a[>", "is no path");
        check("<$$.Execution.Id>", "is no path into the event");
        check(r#"{"a": <key>"#, "is not JSON");
        check("<key> and more", "is not JSON");
        check(&"x".repeat(TEMPLATE_CHARS_MAX + 1), "characters");
    }

    #[test]
    fn a_template_does_not_grow_without_end() {
        let big = format!(r#"{{"detail": "{}"}}"#, "x".repeat(100_000));
        let template = Template::parse(&"<$.detail>,".repeat(100), &Variables::default()).unwrap();
        assert!(template.json(&Value::parse(&big).unwrap()).unwrap_err().contains("bytes"));
    }

    #[test]
    fn names_need_every_variable() {
        let event = Value::parse(EVENT).unwrap();
        for (text, expected) in [
            ("o-<$.id>-<size>", Ok("o-7bf73129-5")),
            ("<none>", Err("the event has no <none>")),
            ("<object>", Err("<object> is an object, not a text")),
        ] {
            let made = template(text).unwrap().text(&event);
            assert_eq!(made.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn variables_are_checked() {
        for (map, expected) in [
            (r#"{"a b": "$"}"#, "no name of a variable"),
            (r#"{"a": 1}"#, "has to be a path"),
            (r#"{"a": "detail"}"#, "is no path"),
        ] {
            let map = Value::parse(map).unwrap();
            let said = Variables::parse(map.as_object().unwrap()).unwrap_err();
            assert!(said.contains(expected), "{said}");
        }
        let many: Map = (0..=VARIABLES_MAX).map(|n| (n.to_string().into(), Value::from("$.a"))).collect();
        assert!(Variables::parse(&many).is_err());
    }
}
