//! Requests and answers in each protocol.
//!
//! [`request`] makes what is sent from typed values, [`result`] reads what came back, `refusal` what a
//! service says when it does not do what it was asked. A file for each way of writing: `json`, `xml`,
//! `form` (the query protocols), `cbor`, and `rest`, where members stand in URI and headers too.

mod cbor;
mod form;
mod json;
mod refusal;
mod rest;
mod scalar;
mod xml;

use std::borrow::Cow;

pub use refusal::{Refusal, refusal};
pub(crate) use scalar::{number, number_text};

use crate::catalog::{Operation, Protocol};
use crate::node::Node;

/// What is sent to a service, but for where it is and who sends it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The HTTP method.
    pub method: &'static str,
    /// Path and query, encoded.
    pub uri: String,
    /// Headers, in no order.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What stands before the host.
    pub host_prefix: Option<String>,
}

impl Request {
    fn header(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        self.headers.push((name.into(), value.into()));
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// Why an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

fn unreadable(why: impl Into<String>) -> Unreadable {
    Unreadable(why.into())
}

/// An argument that cannot stand where the request has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritable {
    /// The member, as the model calls it; of a map of headers, the entry.
    pub name: String,
    /// What it has to be.
    pub expected: &'static str,
}

impl std::fmt::Display for Unwritable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the value of {} must be {}", self.name, self.expected)
    }
}

impl std::error::Error for Unwritable {}

/// How deep an answer may be.
const DEPTH_MAX: usize = 256;

/// What asks for an operation. Whatever the arguments are, it is a request to the operation's own path,
/// and its headers are those that the model knows.
pub fn request(operation: &Operation, input: &Node) -> Result<Request, Unwritable> {
    let service = operation.service();
    let mut request = match service.protocol {
        Protocol::Json { minor } => json::request(operation, input, minor),
        Protocol::RestJson => rest::request(operation, input, rest::Body::Json)?,
        Protocol::RestXml => rest::request(operation, input, rest::Body::Xml)?,
        Protocol::Query => form::request(operation, input, form::Style::Query),
        Protocol::Ec2 => form::request(operation, input, form::Style::Ec2),
        Protocol::Cbor => cbor::request(operation, input),
    };
    request.host_prefix = rest::host_prefix(operation, input)?;
    Ok(request)
}

/// What an operation gave.
pub fn result(operation: &Operation, response: &Response) -> Result<Node, Unreadable> {
    let Some(output) = operation.output() else { return Ok(Node::empty()) };
    let service = operation.service();
    match service.protocol {
        Protocol::Json { .. } => json::structure(service, output, &response.body),
        Protocol::RestJson => rest::structure(service, output, response, rest::Body::Json),
        Protocol::RestXml => rest::structure(service, output, response, rest::Body::Xml),
        Protocol::Query => xml::wrapped(service, output, &response.body, operation.result_wrapper),
        Protocol::Ec2 => xml::wrapped(service, output, &response.body, None),
        Protocol::Cbor => cbor::structure(service, output, &response.body),
    }
}
