//! REST: members in the URI, in headers, in the host's name and in the body.

use std::fmt::Write as _;

use super::scalar::{encoded as base64, format, parsed, text};
use super::{Request, Response, Unreadable, Unwritable, json, unreadable, xml};
use crate::catalog::{Kind, Location, Member, Operation, Service, Shape, Structure, TimestampFormat};
use crate::node::Node;
use crate::timestamp::Timestamp;

/// How bodies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// As JSON.
    Json,
    /// As XML.
    Xml,
}

/// A header that the connection has in hand, whatever a model says: where a body ends is not an argument.
const LENGTH: &str = "Content-Length";

/// A request.
pub fn request(operation: &Operation, input: &Node, body: Body) -> Result<Request, Unwritable> {
    let mut request = Request { method: operation.method, uri: uri(operation, input)?, ..Request::default() };
    let service = operation.service();
    for (member, node) in input.members() {
        match member.location {
            Location::Header => header(&mut request, service, member, node)?,
            Location::HeadersPrefix => {
                if let Node::Map(entries) = node {
                    for (key, value) in entries {
                        let value = text(value, TimestampFormat::Rfc822).unwrap_or_default();
                        if !key.bytes().all(is_token) {
                            return Err(unwritable(key, "named by letters, digits and -"));
                        }
                        request.header(format!("{}{key}", prefix(member)), in_header(key, value)?);
                    }
                }
            }
            Location::Uri | Location::Query | Location::Body | Location::Status => {}
        }
    }
    if let Some(shape) = operation.input() {
        set_body(&mut request, operation, shape, input, body);
    }
    Ok(request)
}

fn set_body(request: &mut Request, operation: &Operation, shape: Structure, input: &Node, body: Body) {
    let service = operation.service();
    let content_type = match body {
        Body::Json => "application/json",
        Body::Xml => "application/xml",
    };
    let content = |request: &mut Request, content_type: &'static str| {
        if !request.has_header("Content-Type") {
            request.header("Content-Type", content_type);
        }
    };
    if let Some(payload) = shape.payload() {
        let given = input.member(payload.name);
        match (given, service.shape(payload.shape)) {
            (Some(Node::Blob(bytes)), _) => {
                request.body.clone_from(bytes);
                content(request, "application/octet-stream");
            }
            (Some(Node::Text(text)), _) => {
                request.body = text.as_bytes().to_vec();
                content(request, "text/plain");
            }
            (Some(Node::Structure(members)), Shape::Structure(of)) if body == Body::Xml => {
                let name = payload.location_name.or(of.name).unwrap_or(payload.name);
                let namespace = payload.xml_namespace.or(operation.input_namespace);
                request.body = xml::document(service, name, namespace, members.iter());
                content(request, content_type);
            }
            (Some(node), _) => {
                request.body = json::value_body(service, &payload, node);
                content(request, content_type);
            }
            // An empty object says that there is a body.
            (None, Shape::Structure(of)) if body == Body::Json && !of.union => {
                request.body = b"{}".to_vec();
                content(request, content_type);
            }
            (None, Shape::Scalar(scalar)) if scalar.kind == Kind::Blob => {
                content(request, "application/octet-stream");
            }
            (None, _) => {}
        }
        return;
    }
    let in_body = |member: &Member| member.location == Location::Body;
    let members = || input.members().iter().filter(|(member, _)| in_body(member));
    match body {
        Body::Json if shape.members().any(|member| in_body(&member)) => {
            request.body = json::body(service, members());
            content(request, content_type);
        }
        Body::Xml if members().next().is_some() => {
            let name = operation.input_name.or(shape.name).unwrap_or(operation.name);
            let service_namespace = Some((service.xml_namespace, None)).filter(|(uri, _)| !uri.is_empty());
            let namespace = operation.input_namespace.or(service_namespace);
            request.body = xml::document(service, name, namespace, members());
            content(request, content_type);
        }
        Body::Json | Body::Xml => {}
    }
}

/// Characters that stand for themselves in a part of a URI.
fn is_plain(byte: u8, keeps_slashes: bool) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keeps_slashes && byte == b'/')
}

/// A text in a URI or a form.
pub fn encoded(text: &str, keeps_slashes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_plain(byte, keeps_slashes) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn unwritable(name: &str, expected: &'static str) -> Unwritable {
    Unwritable { name: name.to_owned(), expected }
}

/// Whether a byte may stand in the name of a header.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A header's value, which nothing can follow that is not its own.
fn in_header(name: &str, value: String) -> Result<String, Unwritable> {
    if value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        Ok(value)
    } else {
        Err(unwritable(name, "a text of printable ASCII characters"))
    }
}

/// Whether a text, encoded, leads where its template does: `.` and `..` are steps of a path, not names.
fn is_segment(text: &str, keeps_slashes: bool) -> bool {
    let is_step = |segment: &str| matches!(segment, "." | "..");
    !text.is_empty() && !if keeps_slashes { text.split('/').any(is_step) } else { is_step(text) }
}

/// Path and query.
fn uri(operation: &Operation, input: &Node) -> Result<String, Unwritable> {
    let service = operation.service();
    let label = |name: &str, greedy: bool| {
        let found = input
            .members()
            .iter()
            .find(|(member, _)| member.location == Location::Uri && member.wire_name() == name);
        let value = found
            .and_then(|(member, node)| text(node, timestamps(service, member, TimestampFormat::Iso8601)));
        match value.filter(|value| is_segment(value, greedy)) {
            Some(value) => Ok(encoded(&value, greedy)),
            None => {
                let name = found.map_or(name, |(member, _)| member.name);
                Err(unwritable(name, "a text that can stand in a path: not empty, and no part of it . or .."))
            }
        }
    };
    let mut uri = labelled(operation.uri, |name| match name.strip_suffix('+') {
        Some(name) => label(name, true),
        None => label(name, false),
    })?;
    let mut separator = if uri.contains('?') { '&' } else { '?' };
    let mut pair = |name: &str, value: &str| {
        let _ = write!(uri, "{separator}{}={}", encoded(name, false), encoded(value, false));
        separator = '&';
    };
    for (member, node) in input.members().iter().filter(|(member, _)| member.location == Location::Query) {
        let format = timestamps(service, member, TimestampFormat::Iso8601);
        match node {
            Node::List(elements) => {
                for element in elements {
                    pair(member.wire_name(), &text(element, format).unwrap_or_default());
                }
            }
            Node::Map(entries) => {
                // What has a member of its own is that member's, and what the operation says is its.
                let (_, said) = operation.uri.split_once('?').unwrap_or_default();
                let own = |key: &str| {
                    if said.split('&').any(|pair| pair.split('=').next() == Some(key)) {
                        return true;
                    }
                    let mut members = input.members().iter();
                    members.any(|(own, _)| own.location == Location::Query && own.wire_name() == key)
                };
                for (key, value) in entries.iter().filter(|(key, _)| !own(key)) {
                    match value {
                        Node::List(values) => {
                            for value in values {
                                pair(key, &text(value, format).unwrap_or_default());
                            }
                        }
                        value => pair(key, &text(value, format).unwrap_or_default()),
                    }
                }
            }
            node => pair(member.wire_name(), &text(node, format).unwrap_or_default()),
        }
    }
    Ok(uri)
}

/// A template with what stands in `{}` replaced.
fn labelled(
    template: &str,
    mut label: impl FnMut(&str) -> Result<String, Unwritable>,
) -> Result<String, Unwritable> {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&label(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands before the host: a template, in which members that are labels of hosts stand.
pub fn host_prefix(operation: &Operation, input: &Node) -> Result<Option<String>, Unwritable> {
    let Some(template) = operation.host_prefix else { return Ok(None) };
    labelled(template, |name| {
        let value = input.member(name).and_then(Node::text).unwrap_or_default();
        let is_label = (1..=63).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !value.starts_with('-');
        let wrong = || unwritable(name, "a text that can stand in a host's name: letters, digits and -");
        if is_label { Ok(value.to_owned()) } else { Err(wrong()) }
    })
    .map(Some)
}

fn timestamps(service: &'static Service, member: &Member, default: TimestampFormat) -> TimestampFormat {
    let of = match service.shape(member.shape) {
        Shape::List(list) => service.shape(list.element),
        shape => shape,
    };
    match of {
        Shape::Scalar(scalar) => format(member, scalar, default),
        Shape::List(_) | Shape::Map(_) | Shape::Structure(_) => member.timestamp_format.unwrap_or(default),
    }
}

fn header(
    request: &mut Request,
    service: &'static Service,
    member: &Member,
    node: &Node,
) -> Result<(), Unwritable> {
    if member.wire_name().eq_ignore_ascii_case(LENGTH) {
        return Ok(());
    }
    let format = timestamps(service, member, TimestampFormat::Rfc822);
    let value = match node {
        Node::Text(text) if member.json_value() => Some(base64(text.as_bytes())),
        Node::List(elements) => {
            let quoted = |element: &Node| match element {
                Node::Text(text) => Some(quoted(text)),
                element => text(element, format),
            };
            let values: Vec<String> = elements.iter().filter_map(quoted).collect();
            Some(values.join(", ")).filter(|value| !value.is_empty())
        }
        node => text(node, format),
    };
    if let Some(value) = value {
        request.header(member.wire_name(), in_header(member.name, value)?);
    }
    Ok(())
}

/// An element of a list in a header; in quotes where it has a comma or quotes.
fn quoted(text: &str) -> String {
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        text.to_owned()
    }
}

/// An answer as a structure.
pub fn structure(
    service: &'static Service,
    shape: Structure,
    response: &Response,
    body: Body,
) -> Result<Node, Unreadable> {
    let mut members = Vec::new();
    for member in shape.members() {
        let found = match member.location {
            Location::Status => Some(Node::Integer(i64::from(response.status))),
            Location::Header if service.key == "s3" && member.name == "Expires" => {
                let text = response.header(member.wire_name());
                members.extend(text.map(|text| expires_text(member, text)));
                // Whoever stored the object has written it: it need not be a date.
                let date = text.filter(|text| text.contains(',')).and_then(Timestamp::parse);
                date.map(Node::Timestamp)
            }
            Location::Header => of_header(service, &member, response)?,
            Location::HeadersPrefix => Some(prefixed(&member, response)),
            Location::Body | Location::Uri | Location::Query => None,
        };
        members.extend(found.map(|node| (member, node)));
    }
    match shape.payload() {
        Some(payload) => {
            members.extend(of_payload(service, &payload, response, body)?.map(|node| (payload, node)));
        }
        None if shape.members().any(|member| member.location.is_in_answers_body()) => {
            let read = of_body(service, shape, &response.body, body)?;
            if let Node::Structure(read) = read {
                members.extend(read.into_iter().filter(|(member, _)| member.location.is_in_answers_body()));
            }
        }
        None => {}
    }
    Ok(Node::Structure(members))
}

fn of_body(
    service: &'static Service,
    shape: Structure,
    bytes: &[u8],
    body: Body,
) -> Result<Node, Unreadable> {
    match body {
        Body::Json => json::structure(service, shape, bytes),
        Body::Xml => xml::wrapped(service, shape, bytes, None),
    }
}

fn of_payload(
    service: &'static Service,
    payload: &Member,
    response: &Response,
    body: Body,
) -> Result<Option<Node>, Unreadable> {
    let bytes = &response.body;
    match service.shape(payload.shape) {
        Shape::Scalar(scalar) if scalar.kind == Kind::Blob => Ok(Some(Node::Blob(bytes.clone()))),
        Shape::Scalar(_) if bytes.is_empty() => Ok(None),
        Shape::Scalar(_) => {
            let text = std::str::from_utf8(bytes).map_err(|_| unreadable("the answer is not UTF-8"))?;
            Ok(Some(Node::Text(text.into())))
        }
        _ if bytes.iter().all(u8::is_ascii_whitespace) => Ok(None),
        Shape::Structure(shape) if shape.event_stream => Err(unreadable("the answer is a stream of events")),
        Shape::Structure(shape) if !shape.document => of_body(service, shape, bytes, body).map(Some),
        Shape::Structure(_) | Shape::List(_) | Shape::Map(_) => match body {
            Body::Json => json::of_member(service, payload, &json::parsed(bytes)?).map(Some),
            Body::Xml => xml::read(bytes, |root| xml::value(service, payload.shape, root, 0)).map(Some),
        },
    }
}

fn of_header(
    service: &'static Service,
    member: &Member,
    response: &Response,
) -> Result<Option<Node>, Unreadable> {
    let Some(value) = response.header(member.wire_name()) else { return Ok(None) };
    let named = |error: Unreadable| unreadable(format!("{}: {error}", member.wire_name()));
    if member.json_value() {
        let bytes = super::scalar::decoded(value).map_err(named)?;
        let text = String::from_utf8(bytes).map_err(|_| named(unreadable("it is not UTF-8")))?;
        return Ok(Some(Node::Text(text.into())));
    }
    match service.shape(member.shape) {
        Shape::List(list) => {
            let Shape::Scalar(scalar) = service.shape(list.element) else { return Ok(None) };
            let elements = split(value, scalar.kind == Kind::Timestamp);
            let read = elements.iter().map(|element| parsed(scalar, element));
            read.collect::<Result<_, _>>().map(Node::List).map_err(named).map(Some)
        }
        Shape::Scalar(scalar) => parsed(scalar, value).map_err(named).map(Some),
        Shape::Map(_) | Shape::Structure(_) => Ok(None),
    }
}

/// `Expires` as it came, which the SDKs give besides the date that it may be.
///
/// Source: AWS SDK for Java 2, `GetObjectResponse.expiresString`.
fn expires_text(mut member: Member, text: &str) -> (Member, Node) {
    member.name = "ExpiresString";
    (member, Node::Text(text.into()))
}

/// The elements of a list in a header. Dates have a comma of their own.
fn split(value: &str, of_dates: bool) -> Vec<String> {
    let mut elements = Vec::new();
    let (mut element, mut in_quotes, mut commas) = (String::new(), false, 0);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_quotes => element.extend(chars.next()),
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => {
                commas += 1;
                // `Mon, 16 Dec 2019 …`: the first comma of two is the date's.
                if of_dates && commas % 2 == 1 && element.trim().len() == 3 {
                    element.push(c);
                } else {
                    commas = 0;
                    elements.push(std::mem::take(&mut element).trim().to_owned());
                }
            }
            c => element.push(c),
        }
    }
    elements.push(element.trim().to_owned());
    elements
}

/// What the names of a member's headers begin with.
fn prefix(member: &Member) -> &'static str {
    member.location_name.unwrap_or_default()
}

/// All headers that begin with a member's name, without it.
fn prefixed(member: &Member, response: &Response) -> Node {
    let prefix = prefix(member);
    let entries = response.headers.iter().filter_map(|(name, value)| {
        let begins = name.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
        begins.then(|| (name[prefix.len()..].into(), Node::Text(value.as_str().into())))
    });
    Node::Map(entries.collect())
}
