//! Which events start which state machines with what: the variable `STEPWRIGHT_TRIGGERS`.

use model::json::{Map, Text, Value};
use query::jsonpath::Path;

use super::start::{InputError, input_text};
use super::template::{Template, Variables, event_path};
use crate::call::kind;

/// The name of the variable.
pub const VARIABLE: &str = "STEPWRIGHT_TRIGGERS";

/// The members of an entry.
const MEMBERS: [&str; 8] = [
    "source",
    "detail-type",
    "resource",
    "stateMachineArn",
    "name",
    "Input",
    "InputPath",
    "InputTransformer",
];

/// Every mapping, in the order of the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mappings(Vec<Mapping>);

/// Events that start a state machine. What a mapping does not name, it does not ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    source: Option<Patterns>,
    detail_type: Option<Patterns>,
    resource: Option<Patterns>,
    /// The state machine: its ARN or its name.
    pub state_machine: Text,
    /// What the execution is called; after the event's id when absent.
    pub name: Option<Template>,
    input: InputOf,
}

/// What the execution is given. Source: EventBridge API, Target.
#[derive(Clone, Debug, PartialEq)]
enum InputOf {
    /// The event itself.
    Event,
    /// Always the same JSON.
    Constant(Text),
    /// A part of the event.
    Path(Path),
    /// What a template makes of it.
    Template(Template),
}

/// Texts of which one has to match; `*` stands for anything.
#[derive(Clone, Debug, PartialEq)]
struct Patterns(Vec<Text>);

/// Why the variable cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingsError {
    /// It is no list.
    #[error("{VARIABLE} has to be a JSON list of objects: {0}")]
    NoList(String),
    /// One entry is wrong.
    #[error("{VARIABLE}: entry {entry}: {problem}")]
    Entry {
        /// Which one, from 1.
        entry: usize,
        /// Why.
        problem: String,
    },
}

impl Mappings {
    /// Reads what the variable says; nothing is no mapping.
    pub fn parse(text: &str) -> Result<Mappings, MappingsError> {
        if text.trim().is_empty() {
            return Ok(Mappings::default());
        }
        let list = Value::parse(text).map_err(|error| MappingsError::NoList(error.to_string()))?;
        let entries =
            list.as_array().ok_or_else(|| MappingsError::NoList(format!("it is {}", kind(&list))))?;
        let read =
            |(entry, value)| Mapping::read(value).map_err(|problem| MappingsError::Entry { entry, problem });
        Ok(Mappings((1..).zip(entries.iter()).map(read).collect::<Result<_, _>>()?))
    }

    /// Those that an event meets.
    pub fn of<'m>(&'m self, event: &'m Value) -> impl Iterator<Item = &'m Mapping> {
        self.0.iter().filter(|mapping| mapping.takes(event))
    }
}

impl Mapping {
    fn read(value: &Value) -> Result<Mapping, String> {
        let members = value.as_object().ok_or_else(|| format!("it is {}, not an object", kind(value)))?;
        if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(format!("`{unknown}` is no member of an entry; there are {}", MEMBERS.join(", ")));
        }
        let patterns = |name| value.get(name).map(|value| Patterns::read(name, value)).transpose();
        let state_machine = text(value, "stateMachineArn")?;
        let state_machine = state_machine
            .filter(|text| !text.is_empty())
            .ok_or("stateMachineArn is missing: the ARN or the name of the state machine to start")?;
        let transformer = value.get("InputTransformer").map(transformer).transpose()?;
        let variables = transformer.as_ref().map(|(variables, _)| variables.clone()).unwrap_or_default();
        let name = text(value, "name")?.map(|name| Template::parse(&name, &variables)).transpose();
        Ok(Mapping {
            source: patterns("source")?,
            detail_type: patterns("detail-type")?,
            resource: patterns("resource")?,
            state_machine,
            name: name.map_err(|error| format!("name: {error}"))?,
            input: input_of(value, transformer.map(|(_, template)| template))?,
        })
    }

    fn takes(&self, event: &Value) -> bool {
        let takes = |patterns: &Option<Patterns>, name: &str| {
            let matched = |patterns: &Patterns| {
                event.get(name).and_then(Value::as_str).is_some_and(|text| patterns.take(text))
            };
            patterns.as_ref().is_none_or(matched)
        };
        let has_resource = |patterns: &Patterns| {
            let resources = event.get("resources").and_then(Value::as_array);
            resources.is_some_and(|all| all.iter().filter_map(Value::as_str).any(|arn| patterns.take(arn)))
        };
        takes(&self.source, "source")
            && takes(&self.detail_type, "detail-type")
            && self.resource.as_ref().is_none_or(has_resource)
    }

    /// The JSON that the execution is given.
    pub fn input(&self, event: &Value) -> Result<Text, String> {
        match &self.input {
            InputOf::Event => Ok(event.to_json().into()),
            InputOf::Constant(text) => Ok(text.clone()),
            InputOf::Path(path) => {
                let found = path.eval_on(event);
                let found = found.map_err(|error| format!("InputPath {}: {error}", path.source()))?;
                Ok(found.to_json().into())
            }
            InputOf::Template(template) => {
                template.json(event).map_err(|error| format!("InputTransformer: {error}"))
            }
        }
    }
}

fn text(value: &Value, name: &str) -> Result<Option<Text>, String> {
    match value.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(format!("{name} is {}, not a text", kind(other))),
    }
}

fn transformer(value: &Value) -> Result<(Variables, Template), String> {
    let wrong = |problem: String| format!("InputTransformer: {problem}");
    let members = value.as_object().ok_or_else(|| wrong(format!("it is {}, not an object", kind(value))))?;
    if let Some(unknown) =
        members.keys().find(|name| !["InputPathsMap", "InputTemplate"].contains(&name.as_str()))
    {
        return Err(wrong(format!("`{unknown}` is no member; there are InputPathsMap and InputTemplate")));
    }
    let none = Map::default();
    let paths = match value.get("InputPathsMap") {
        None => &none,
        Some(Value::Object(paths)) => &**paths,
        Some(other) => return Err(wrong(format!("InputPathsMap is {}, not an object", kind(other)))),
    };
    let variables = Variables::parse(paths).map_err(|error| wrong(format!("InputPathsMap: {error}")))?;
    let template = text(value, "InputTemplate").map_err(wrong)?;
    let template = template.ok_or_else(|| wrong("InputTemplate is missing".to_owned()))?;
    let template =
        Template::parse(&template, &variables).map_err(|error| wrong(format!("InputTemplate: {error}")))?;
    Ok((variables, template))
}

fn input_of(value: &Value, template: Option<Template>) -> Result<InputOf, String> {
    let constant = value.get("Input");
    let path = text(value, "InputPath")?;
    match (constant, path, template) {
        (None, None, None) => Ok(InputOf::Event),
        (Some(constant), None, None) => {
            let text = input_text(constant).map_err(|error: InputError| format!("Input {error}"))?;
            Ok(InputOf::Constant(text))
        }
        (None, Some(path), None) => {
            Ok(InputOf::Path(event_path(&path).map_err(|error| format!("InputPath: {error}"))?))
        }
        (None, None, Some(template)) => Ok(InputOf::Template(template)),
        _ => Err("only one of Input, InputPath and InputTransformer may be there".to_owned()),
    }
}

impl Patterns {
    fn read(name: &str, value: &Value) -> Result<Patterns, String> {
        let texts = match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items
                .iter()
                .map(|item| item.as_str().map(Text::from))
                .collect::<Option<Vec<Text>>>()
                .ok_or_else(|| format!("{name} has to be a text or a list of texts"))?,
            other => return Err(format!("{name} is {}, not a text or a list of texts", kind(other))),
        };
        if texts.is_empty() {
            return Err(format!("{name} is an empty list, which no event meets"));
        }
        Ok(Patterns(texts))
    }

    fn take(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern, text))
    }
}

/// Whether `text` is what `pattern` says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    // Each piece as early as it occurs leaves the most for those behind it.
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"id": "e1", "source": "aws.s3", "detail-type": "Object Created",
        "resources": ["arn:aws:s3:::orders"], "detail": {"key": "k", "size": 5}}"#;

    fn refused(text: &str, expected: &str) {
        let said = Mappings::parse(text).unwrap_err().to_string();
        assert!(said.starts_with("STEPWRIGHT_TRIGGERS") && said.contains(expected), "{text}: {said}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_entry() {
        refused("{", "has to be a JSON list");
        refused("{}", "it is an object");
        refused(r#"[{"stateMachineArn": "m"}, 1]"#, "entry 2: it is a number, not an object");
        refused("[{}]", "entry 1: stateMachineArn is missing");
        refused(r#"[{"stateMachineArn": 1}]"#, "stateMachineArn is a number, not a text");
        refused(r#"[{"stateMachineArn": "m", "detailType": "x"}]"#, "`detailType` is no member of an entry");
        refused(r#"[{"stateMachineArn": "m", "source": 1}]"#, "source is a number");
        refused(r#"[{"stateMachineArn": "m", "source": []}]"#, "source is an empty list");
        refused(r#"[{"stateMachineArn": "m", "source": [1]}]"#, "a list of texts");
        refused(r#"[{"stateMachineArn": "m", "Input": "{"}]"#, "Input is not JSON");
        refused(r#"[{"stateMachineArn": "m", "InputPath": "detail"}]"#, "InputPath: `detail` is no path");
        refused(r#"[{"stateMachineArn": "m", "InputPath": "$.a", "Input": "1"}]"#, "only one of");
        refused(r#"[{"stateMachineArn": "m", "InputTransformer": {}}]"#, "InputTemplate is missing");
        refused(
            r#"[{"stateMachineArn": "m", "InputTransformer": {"Template": ""}}]"#,
            "`Template` is no member",
        );
        refused(
            r#"[{"stateMachineArn": "m", "InputTransformer": {"InputTemplate": "<a>"}}]"#,
            "InputTransformer: InputTemplate: <a> is no variable",
        );
        refused(r#"[{"stateMachineArn": "m", "name": "<id>"}]"#, "name: <id> is no variable");
        assert_eq!(Mappings::parse(" "), Ok(Mappings::default()));
    }

    #[test]
    fn events_meet_what_is_asked_for() {
        let event = Value::parse(EVENT).unwrap();
        for (entry, expected) in [
            ("{}", true),
            (r#"{"source": "aws.s3"}"#, true),
            (r#"{"source": "aws"}"#, false),
            (r#"{"source": ["aws.ec2", "aws.s3"]}"#, true),
            (r#"{"source": "aws.s3", "detail-type": "Object Deleted"}"#, false),
            (r#"{"detail-type": "Object *"}"#, true),
            (r#"{"resource": "arn:aws:s3:::orders"}"#, true),
            (r#"{"resource": "arn:aws:s3:::others"}"#, false),
            (r#"{"resource": "arn:*:::*s"}"#, true),
        ] {
            let mut entry = Value::parse(entry).unwrap().as_object().unwrap().clone().into_map();
            entry.insert("stateMachineArn".into(), Value::from("m"));
            let mappings = Mappings::parse(&Value::from(vec![Value::from(entry)]).to_json()).unwrap();
            assert_eq!(mappings.of(&event).count() == 1, expected, "{mappings:?}");
        }
    }

    #[test]
    fn inputs_are_those_of_event_bridge_s_targets() {
        let event = Value::parse(EVENT).unwrap();
        for (member, expected) in [
            (String::new(), event.to_json()),
            (r#", "Input": "{\"a\": 1}""#.to_owned(), r#"{"a": 1}"#.to_owned()),
            (r#", "Input": {"a": 1}"#.to_owned(), r#"{"a":1}"#.to_owned()),
            (r#", "InputPath": "$.detail""#.to_owned(), r#"{"key":"k","size":5}"#.to_owned()),
            (r#", "InputPath": "$.none""#.to_owned(), "InputPath $.none: ".to_owned()),
            (
                r#", "InputTransformer": {"InputPathsMap": {"key": "$.detail.key"}, "InputTemplate": "{\"k\": <key>}"}"#.to_owned(),
                r#"{"k": "k"}"#.to_owned(),
            ),
        ] {
            let mappings = Mappings::parse(&format!(r#"[{{"stateMachineArn": "m"{member}}}]"#)).unwrap();
            let made = mappings.of(&event).next().unwrap().input(&event);
            match made {
                Ok(made) => assert_eq!(made, expected),
                Err(error) => assert!(error.contains(&expected), "{error}"),
            }
        }
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*c", "abc", true),
            ("a*bc", "abc", true),
            ("ab*bc", "abc", false),
            ("a*b*c", "axbxc", true),
            ("a*b*c", "axcxb", false),
            ("*a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
