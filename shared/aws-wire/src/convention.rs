//! How a model's values look in the JSON of a workflow: [`arguments`] reads them, [`output`] writes
//! them, and a [`Convention`] says what members are called and how what JSON has no word for is written.

mod optimized;
mod sdk;

use std::borrow::Cow;

use model::json::{Map as Object, Number, Text, Value};

use crate::catalog::{Kind, Member, Scalar, Service, Shape, ShapeId, Structure};
use crate::node::Node;
use crate::protocol::number;
use crate::timestamp::Timestamp;

pub use optimized::Optimized;
pub use sdk::Sdk;

/// What differs between the ways in which JSON stands for a model's values.
pub trait Convention {
    /// The member that a name means.
    fn member(&self, structure: &Structure, name: &str) -> Option<Member>;
    /// What a member is called.
    fn name<'a>(&self, member: &'a Member) -> Cow<'a, str>;
    /// The bytes that a value means.
    fn bytes(&self, value: &Value) -> Result<Vec<u8>, String>;
    /// The value of bytes.
    fn blob(&self, bytes: Vec<u8>) -> Value;
    /// The value of a text that is JSON.
    fn json_text(&self, text: Text) -> Value;
    /// The value of a point in time.
    fn timestamp(&self, timestamp: Timestamp) -> Value;
}

/// What is wrong with an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is no member of this name.
    Unsupported(String),
    /// It has to be given.
    Missing(String),
    /// It cannot be what it has to be.
    Wrong {
        /// Which argument.
        name: String,
        /// What it has to be.
        expected: &'static str,
    },
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Unsupported(name) => {
                write!(f, "The field \"{name}\" is not supported by Step Functions")
            }
            Problem::Missing(name) => write!(f, "The field \"{name}\" is required but was missing"),
            Problem::Wrong { name, expected } => {
                write!(f, "The value for the field '{name}' must be {expected}")
            }
        }
    }
}

/// Arguments as a structure. `token` makes the tokens of members that make a call idempotent and are
/// not given. The errors are all problems that there are.
pub fn arguments(
    convention: &dyn Convention,
    service: &'static Service,
    shape: Option<Structure>,
    value: &Value,
    token: &mut dyn FnMut() -> String,
) -> Result<Node, Vec<Problem>> {
    let mut reader = Reader { convention, service, token, problems: Vec::new() };
    let node = match shape {
        Some(shape) => reader.structure("", shape, value),
        None => {
            let given = value.as_object().map(|given| given.keys()).into_iter().flatten();
            reader.problems.extend(given.map(|name| Problem::Unsupported(name.to_string())));
            Node::empty()
        }
    };
    if reader.problems.is_empty() { Ok(node) } else { Err(reader.problems) }
}

struct Reader<'a> {
    convention: &'a dyn Convention,
    service: &'static Service,
    token: &'a mut dyn FnMut() -> String,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn wrong(&mut self, name: &str, expected: &'static str) -> Node {
        self.problems.push(Problem::Wrong { name: name.to_owned(), expected });
        Node::Null
    }

    fn structure(&mut self, name: &str, shape: Structure, value: &Value) -> Node {
        if shape.document {
            return Node::Document(value.clone());
        }
        let Some(given) = value.as_object() else { return self.wrong(name, "an object") };
        let mut members: Vec<(Member, Node)> = Vec::with_capacity(given.len());
        let mut nulls: Vec<&str> = Vec::new();
        for (key, value) in given.iter() {
            let Some(member) = self.convention.member(&shape, key) else {
                self.problems.push(Problem::Unsupported(key.to_string()));
                continue;
            };
            if value.is_null() {
                // It is not sent; that it is missing is the service's to say. Source: recorded executions.
                nulls.push(member.name);
                continue;
            }
            let node = self.value(key, member.shape, value);
            members.push((member, node));
        }
        for member in shape.members() {
            let absent = (member.required() || member.idempotency_token())
                && !members.iter().any(|(given, _)| given.name == member.name);
            if absent && member.idempotency_token() {
                members.push((member, Node::Text((self.token)().into())));
            } else if absent && !nulls.contains(&member.name) {
                self.problems.push(Problem::Missing(self.convention.name(&member).into_owned()));
            }
        }
        Node::Structure(members)
    }

    fn value(&mut self, name: &str, shape: ShapeId, value: &Value) -> Node {
        match self.service.shape(shape) {
            Shape::Structure(structure) => self.structure(name, structure, value),
            Shape::List(list) => match value.as_array() {
                Some(elements) => Node::List(
                    elements
                        .iter()
                        .filter(|element| list.sparse || !element.is_null())
                        .map(|element| self.value_or_null(name, list.element, element))
                        .collect(),
                ),
                None => self.wrong(name, "a list"),
            },
            Shape::Map(map) => match value.as_object() {
                Some(entries) => Node::Map(
                    entries
                        .iter()
                        .filter(|(_, value)| map.sparse || !value.is_null())
                        .map(|(key, value)| (key.clone(), self.value_or_null(key, map.value, value)))
                        .collect(),
                ),
                None => self.wrong(name, "an object"),
            },
            Shape::Scalar(scalar) => self.scalar(name, scalar, value),
        }
    }

    fn value_or_null(&mut self, name: &str, shape: ShapeId, value: &Value) -> Node {
        if value.is_null() { Node::Null } else { self.value(name, shape, value) }
    }

    fn scalar(&mut self, name: &str, scalar: Scalar, value: &Value) -> Node {
        let text = value.as_str();
        match scalar.kind {
            // What is no text is sent as its JSON.
            Kind::String => match value {
                Value::String(text) => Node::Text(text.clone()),
                value => Node::Text(value.to_json().into()),
            },
            Kind::Blob => match self.convention.bytes(value) {
                Ok(bytes) => Node::Blob(bytes),
                Err(_) => self.wrong(name, "a blob"),
            },
            Kind::Boolean => match (value.as_bool(), text) {
                (Some(boolean), _) => Node::Boolean(boolean),
                (None, Some("true")) => Node::Boolean(true),
                (None, Some("false")) => Node::Boolean(false),
                (None, _) => self.wrong(name, "a boolean"),
            },
            Kind::Integer | Kind::Long => {
                let fits = |integer: &i64| scalar.kind == Kind::Long || i32::try_from(*integer).is_ok();
                match whole(value).filter(fits) {
                    Some(integer) => Node::Integer(integer),
                    None => self.wrong(name, "an integer"),
                }
            }
            Kind::Float | Kind::Double => match value.as_f64().or_else(|| text.and_then(number)) {
                Some(float) => Node::Float(float),
                None => self.wrong(name, "a number"),
            },
            Kind::Timestamp => {
                let timestamp = match text {
                    Some(text) => Timestamp::parse(text),
                    None => value.as_f64().and_then(Timestamp::from_seconds),
                };
                match timestamp {
                    Some(timestamp) => Node::Timestamp(timestamp),
                    None => self.wrong(name, "a timestamp"),
                }
            }
        }
    }
}

/// A whole number, or a text or a number with a fraction of zero that is one.
fn whole(value: &Value) -> Option<i64> {
    if let Some(integer) = value.as_i64() {
        return Some(integer);
    }
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    let float = value.as_f64()?;
    (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
}

/// A structure as JSON: members in the order of their names, a streamed body last.
pub fn output(convention: &dyn Convention, service: &'static Service, node: Node) -> Value {
    let of = |node| output(convention, service, node);
    match node {
        Node::Null => Value::Null,
        Node::Text(text) => Value::String(text),
        Node::Blob(bytes) => convention.blob(bytes),
        Node::Boolean(boolean) => Value::Bool(boolean),
        Node::Integer(integer) => Value::from(integer),
        Node::Float(float) => match Number::from_computed(float) {
            Some(number) => Value::from(number),
            None => Value::from(crate::protocol::number_text(float)),
        },
        Node::Timestamp(timestamp) => convention.timestamp(timestamp),
        Node::List(elements) => elements.into_iter().map(of).collect(),
        Node::Map(entries) => {
            let entries = entries.into_iter().map(|(key, node)| (key, of(node)));
            Value::from(entries.collect::<Object>())
        }
        Node::Structure(members) => {
            let is_stream = |member: &Member| {
                let of_shape =
                    matches!(service.shape(member.shape), Shape::Scalar(scalar) if scalar.streaming);
                member.streaming() || of_shape
            };
            let named = members.into_iter().map(|(member, node)| {
                let name = convention.name(&member).into_owned();
                let value = match node {
                    Node::Text(text) if member.json_value() => convention.json_text(text),
                    node => of(node),
                };
                ((is_stream(&member), name), value)
            });
            let mut named: Vec<_> = named.collect();
            named.sort_by(|(one, _), (other, _)| one.cmp(other));
            let members = named.into_iter().map(|((_, name), value)| (name.into(), value));
            Value::from(members.collect::<Object>())
        }
        Node::Document(value) => value,
    }
}
