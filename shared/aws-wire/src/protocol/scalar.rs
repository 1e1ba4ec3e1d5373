//! Scalars as text: in URIs, headers, forms and XML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Unreadable, unreadable};
use crate::catalog::{Kind, Member, Scalar, TimestampFormat};
use crate::node::Node;
use crate::timestamp::Timestamp;

/// A scalar's text; none of what has parts.
pub fn text(node: &Node, format: TimestampFormat) -> Option<String> {
    Some(match node {
        Node::Text(text) => text.to_string(),
        Node::Blob(bytes) => encoded(bytes),
        Node::Boolean(boolean) => boolean.to_string(),
        Node::Integer(integer) => integer.to_string(),
        Node::Float(float) => number_text(*float),
        Node::Timestamp(timestamp) => timestamp.format(format),
        Node::Document(value) => value.to_json(),
        Node::Null | Node::List(_) | Node::Map(_) | Node::Structure(_) => return None,
    })
}

/// A number as JSON and XML write it.
pub fn number_text(float: f64) -> String {
    match float {
        _ if float.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => float.to_string(),
    }
}

/// Bytes in base64.
pub fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64.
pub fn decoded(text: &str) -> Result<Vec<u8>, Unreadable> {
    // XML may break lines in it.
    let compact: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(compact).map_err(|_| unreadable("a blob is not base64"))
}

/// A scalar from its text.
pub fn parsed(scalar: Scalar, text: &str) -> Result<Node, Unreadable> {
    let wrong = |what: &str| unreadable(format!("{:?} is not {what}", shortened(text)));
    Ok(match scalar.kind {
        Kind::String => Node::Text(text.into()),
        Kind::Blob => Node::Blob(decoded(text)?),
        Kind::Boolean => match text.trim() {
            "true" | "True" => Node::Boolean(true),
            "false" | "False" => Node::Boolean(false),
            _ => return Err(wrong("true or false")),
        },
        Kind::Integer | Kind::Long => {
            Node::Integer(text.trim().parse().map_err(|_| wrong("a whole number"))?)
        }
        Kind::Float | Kind::Double => Node::Float(number(text.trim()).ok_or_else(|| wrong("a number"))?),
        Kind::Timestamp => Node::Timestamp(Timestamp::parse(text).ok_or_else(|| wrong("a point in time"))?),
    })
}

/// A number, or one of the names of what is none.
pub fn number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => text.parse::<f64>().ok().filter(|number| number.is_finite()),
    }
}

/// How a timestamp is written: as its member says, else its shape, else the protocol.
pub fn format(member: &Member, shape: Scalar, protocol: TimestampFormat) -> TimestampFormat {
    member.timestamp_format.or(shape.timestamp_format).unwrap_or(protocol)
}

/// The beginning of a text, for messages.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
