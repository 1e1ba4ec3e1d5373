//! Smithy RPC version 2 in CBOR.

use ciborium::value::Value;

use super::{DEPTH_MAX, Request, Unreadable, unreadable};
use crate::catalog::{Kind, Operation, Service, Shape, ShapeId, Structure};
use crate::node::Node;
use crate::timestamp::Timestamp;

/// The tag of seconds since 1970.
const EPOCH: u64 = 1;

/// A request.
pub fn request(operation: &Operation, input: &Node) -> Request {
    let service = operation.service();
    let uri = format!("/service/{}/operation/{}", service.target_prefix, operation.name);
    let mut request = Request { method: "POST", uri, ..Request::default() };
    request.header("smithy-protocol", "rpc-v2-cbor");
    request.header("Accept", "application/cbor");
    if service.query_compatible {
        request.header("x-amzn-query-mode", "true");
    }
    if operation.input().is_some() {
        request.header("Content-Type", "application/cbor");
        // To memory, which takes everything.
        let _ = ciborium::into_writer(&written(input), &mut request.body);
    }
    request
}

fn written(node: &Node) -> Value {
    match node {
        Node::Null => Value::Null,
        Node::Text(text) => Value::Text(text.to_string()),
        Node::Blob(bytes) => Value::Bytes(bytes.clone()),
        Node::Boolean(boolean) => Value::Bool(*boolean),
        Node::Integer(integer) => Value::Integer((*integer).into()),
        Node::Float(float) => Value::Float(*float),
        Node::Timestamp(timestamp) => Value::Tag(EPOCH, Box::new(Value::Float(timestamp.seconds()))),
        Node::List(elements) => Value::Array(elements.iter().map(written).collect()),
        Node::Map(entries) => Value::Map(
            entries.iter().map(|(key, value)| (Value::Text(key.to_string()), written(value))).collect(),
        ),
        Node::Structure(members) => {
            let member = |(member, node): &(crate::catalog::Member, Node)| {
                (Value::Text(member.wire_name().to_owned()), written(node))
            };
            Value::Map(members.iter().map(member).collect())
        }
        Node::Document(value) => Value::Text(value.to_json()),
    }
}

/// A body that has to be CBOR; an empty one is an empty map.
pub fn parsed(body: &[u8]) -> Result<Value, Unreadable> {
    if body.is_empty() {
        return Ok(Value::Map(Vec::new()));
    }
    ciborium::de::from_reader_with_recursion_limit(body, DEPTH_MAX)
        .map_err(|error| unreadable(format!("the answer is not CBOR: {error}")))
}

/// A body as a structure.
pub fn structure(service: &'static Service, shape: Structure, body: &[u8]) -> Result<Node, Unreadable> {
    members(service, shape, &parsed(body)?)
}

/// The entry of a map.
pub fn entry<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

/// The members of a structure that CBOR has.
pub fn members(service: &'static Service, shape: Structure, value: &Value) -> Result<Node, Unreadable> {
    if !value.is_map() {
        return Err(unreadable("a structure is no map"));
    }
    let mut members = Vec::new();
    for member in shape.members() {
        let Some(value) = entry(value, member.wire_name()).filter(|value| !value.is_null()) else { continue };
        let read = read(service, member.shape, value);
        members.push((member, read.map_err(|error| unreadable(format!("{}: {error}", member.wire_name())))?));
    }
    Ok(Node::Structure(members))
}

fn read(service: &'static Service, shape: ShapeId, value: &Value) -> Result<Node, Unreadable> {
    let wrong = |wanted: &str| unreadable(format!("it is not {wanted}"));
    match service.shape(shape) {
        Shape::Structure(structure) => members(service, structure, value),
        Shape::List(list) => {
            let elements = value.as_array().ok_or_else(|| wrong("a list"))?;
            let kept = elements.iter().filter(|element| list.sparse || !element.is_null());
            kept.map(|element| read_or_null(service, list.element, element))
                .collect::<Result<_, _>>()
                .map(Node::List)
        }
        Shape::Map(map) => {
            let entries = value.as_map().ok_or_else(|| wrong("a map"))?;
            let kept = entries.iter().filter(|(_, value)| map.sparse || !value.is_null());
            let read = kept.map(|(key, value)| {
                let key = key.as_text().ok_or_else(|| wrong("a map from texts"))?;
                Ok((key.into(), read_or_null(service, map.value, value)?))
            });
            read.collect::<Result<_, _>>().map(Node::Map)
        }
        Shape::Scalar(scalar) => match scalar.kind {
            Kind::String => {
                value.as_text().map(|text| Node::Text(text.into())).ok_or_else(|| wrong("a text"))
            }
            Kind::Blob => {
                value.as_bytes().map(|bytes| Node::Blob(bytes.clone())).ok_or_else(|| wrong("bytes"))
            }
            Kind::Boolean => value.as_bool().map(Node::Boolean).ok_or_else(|| wrong("true or false")),
            Kind::Integer | Kind::Long => {
                let integer = value.as_integer().and_then(|integer| i64::try_from(integer).ok());
                integer.map(Node::Integer).ok_or_else(|| wrong("a whole number"))
            }
            Kind::Float | Kind::Double => number(value).map(Node::Float).ok_or_else(|| wrong("a number")),
            Kind::Timestamp => {
                let seconds = match value {
                    Value::Tag(EPOCH, seconds) => number(seconds),
                    value => number(value),
                };
                let timestamp = seconds.and_then(Timestamp::from_seconds);
                timestamp.map(Node::Timestamp).ok_or_else(|| wrong("a point in time"))
            }
        },
    }
}

fn read_or_null(service: &'static Service, shape: ShapeId, value: &Value) -> Result<Node, Unreadable> {
    if value.is_null() { Ok(Node::Null) } else { read(service, shape, value) }
}

fn number(value: &Value) -> Option<f64> {
    let integer = || value.as_integer().map(|integer| i128::from(integer) as f64);
    value.as_float().or_else(integer)
}
