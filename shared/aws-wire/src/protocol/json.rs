//! JSON bodies: the JSON protocols, and those of REST.

use model::json::{self, Value, write_string};

use super::scalar::{decoded, encoded, format, number, number_text};
use super::{DEPTH_MAX, Request, Unreadable, unreadable};
use crate::catalog::{Kind, Member, Operation, Scalar, Service, Shape, ShapeId, Structure, TimestampFormat};
use crate::node::Node;
use crate::timestamp::Timestamp;

/// A request of `application/x-amz-json-1.0` or `1.1`.
pub fn request(operation: &Operation, input: &Node, minor: u8) -> Request {
    let service = operation.service();
    let mut request = Request { method: "POST", uri: "/".to_owned(), ..Request::default() };
    request.header("X-Amz-Target", format!("{}.{}", service.target_prefix, operation.name));
    request.header("Content-Type", format!("application/x-amz-json-1.{minor}"));
    if service.query_compatible {
        request.header("x-amzn-query-mode", "true");
    }
    request.body = body(service, input.members().iter());
    request
}

/// Members as a JSON object.
pub fn body<'a>(service: &'static Service, members: impl Iterator<Item = &'a (Member, Node)>) -> Vec<u8> {
    let mut text = String::with_capacity(256);
    write_members(&mut text, service, members);
    text.into_bytes()
}

/// A value as JSON.
pub fn value_body(service: &'static Service, member: &Member, node: &Node) -> Vec<u8> {
    let mut text = String::with_capacity(256);
    write(&mut text, service, node, timestamp_format(service, member));
    text.into_bytes()
}

fn write_members<'a>(
    text: &mut String,
    service: &'static Service,
    members: impl Iterator<Item = &'a (Member, Node)>,
) {
    text.push('{');
    let mut first = true;
    for (member, node) in members {
        if !std::mem::take(&mut first) {
            text.push(',');
        }
        write_string(text, member.wire_name());
        text.push(':');
        write(text, service, node, timestamp_format(service, member));
    }
    text.push('}');
}

/// How timestamps in a member are written.
fn timestamp_format(service: &'static Service, member: &Member) -> TimestampFormat {
    match innermost(service, member.shape) {
        Some(scalar) => format(member, scalar, TimestampFormat::Unix),
        None => member.timestamp_format.unwrap_or(TimestampFormat::Unix),
    }
}

/// The scalar at the bottom of lists and maps.
fn innermost(service: &'static Service, mut shape: ShapeId) -> Option<Scalar> {
    for _ in 0..DEPTH_MAX {
        match service.shape(shape) {
            Shape::Scalar(scalar) => return Some(scalar),
            Shape::List(list) => shape = list.element,
            Shape::Map(map) => shape = map.value,
            Shape::Structure(_) => return None,
        }
    }
    None
}

fn write(text: &mut String, service: &'static Service, node: &Node, timestamps: TimestampFormat) {
    match node {
        Node::Null => text.push_str("null"),
        Node::Text(string) => write_string(text, string),
        Node::Blob(bytes) => write_string(text, &encoded(bytes)),
        Node::Boolean(boolean) => text.push_str(if *boolean { "true" } else { "false" }),
        Node::Integer(integer) => text.push_str(&integer.to_string()),
        Node::Float(float) if float.is_finite() => text.push_str(&number_text(*float)),
        Node::Float(float) => write_string(text, &number_text(*float)),
        Node::Timestamp(timestamp) => match timestamps {
            TimestampFormat::Unix => text.push_str(&timestamp.format(timestamps)),
            TimestampFormat::Iso8601 | TimestampFormat::Rfc822 => {
                write_string(text, &timestamp.format(timestamps));
            }
        },
        Node::List(elements) => {
            text.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(text, service, element, timestamps);
            }
            text.push(']');
        }
        Node::Map(entries) => {
            text.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_string(text, key);
                text.push(':');
                write(text, service, value, timestamps);
            }
            text.push('}');
        }
        Node::Structure(members) => write_members(text, service, members.iter()),
        Node::Document(value) => json::write_value(text, value),
    }
}

/// A body that has to be JSON; an empty one is an empty object.
pub fn parsed(body: &[u8]) -> Result<Value, Unreadable> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::object());
    }
    let text = std::str::from_utf8(body).map_err(|_| unreadable("the answer is not UTF-8"))?;
    Value::parse(text).map_err(|error| unreadable(format!("the answer is not JSON: {error}")))
}

/// A body as a structure.
pub fn structure(service: &'static Service, shape: Structure, body: &[u8]) -> Result<Node, Unreadable> {
    members(service, shape, &parsed(body)?)
}

/// The members of a structure that JSON has.
pub fn members(service: &'static Service, shape: Structure, value: &Value) -> Result<Node, Unreadable> {
    if shape.document {
        return Ok(Node::Document(value.clone()));
    }
    let Some(object) = value.as_object() else {
        return Err(unreadable(format!("{} stands where an object should", value.type_name())));
    };
    let mut members = Vec::with_capacity(object.len().min(shape.len()));
    for member in shape.members() {
        let Some(value) = object.get(member.wire_name()).filter(|value| !value.is_null()) else { continue };
        members.push((member, of_member(service, &member, value)?));
    }
    Ok(Node::Structure(members))
}

/// A member from JSON.
pub fn of_member(service: &'static Service, member: &Member, value: &Value) -> Result<Node, Unreadable> {
    read(service, member.shape, value).map_err(|error| unreadable(format!("{}: {error}", member.wire_name())))
}

fn read(service: &'static Service, shape: ShapeId, value: &Value) -> Result<Node, Unreadable> {
    let wrong = |wanted: &str| unreadable(format!("{} stands where {wanted} should", value.type_name()));
    match service.shape(shape) {
        Shape::Structure(structure) => members(service, structure, value),
        Shape::List(list) => {
            let elements = value.as_array().ok_or_else(|| wrong("a list"))?;
            let read = elements.iter().map(|element| read_or_null(service, list.element, element));
            read.collect::<Result<_, _>>().map(Node::List)
        }
        Shape::Map(map) => {
            let entries = value.as_object().ok_or_else(|| wrong("an object"))?;
            let kept = entries.iter().filter(|(_, value)| map.sparse || !value.is_null());
            let read = kept.map(|(key, value)| Ok((key.clone(), read_or_null(service, map.value, value)?)));
            read.collect::<Result<_, _>>().map(Node::Map)
        }
        Shape::Scalar(scalar) => match scalar.kind {
            Kind::String => match value {
                Value::String(text) => Ok(Node::Text(text.clone())),
                // Some services give something else where their models have texts.
                Value::Array(_) | Value::Object(_) => Ok(Node::Document(value.clone())),
                Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Node::Text(value.to_json().into())),
            },
            Kind::Blob => Ok(Node::Blob(decoded(value.as_str().ok_or_else(|| wrong("a text"))?)?)),
            Kind::Boolean => Ok(Node::Boolean(value.as_bool().ok_or_else(|| wrong("true or false"))?)),
            Kind::Integer | Kind::Long => {
                integer(value).map(Node::Integer).ok_or_else(|| wrong("a whole number"))
            }
            Kind::Float | Kind::Double => {
                let float = value.as_f64().or_else(|| value.as_str().and_then(number));
                float.map(Node::Float).ok_or_else(|| wrong("a number"))
            }
            Kind::Timestamp => {
                let timestamp = match value.as_str() {
                    Some(text) => Timestamp::parse(text),
                    None => value.as_f64().and_then(Timestamp::from_seconds),
                };
                timestamp.map(Node::Timestamp).ok_or_else(|| wrong("a point in time"))
            }
        },
    }
}

fn read_or_null(service: &'static Service, shape: ShapeId, value: &Value) -> Result<Node, Unreadable> {
    if value.is_null() { Ok(Node::Null) } else { read(service, shape, value) }
}

/// A whole number, also one that is written with a fraction of zero.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let float = value.as_f64()?;
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
    })
}
