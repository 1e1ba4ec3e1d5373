//! What a service says when it does not do what it was asked.

use model::json::Value;

use super::{Response, Unreadable, cbor, json, rest, xml};
use crate::catalog::{Modelled, Protocol, Service};
use crate::node::Node;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The error's code, as the service spells it; empty if it names none.
    pub code: String,
    /// The model's error of that code.
    pub modelled: Option<Modelled>,
    /// What the service says to it.
    pub message: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// What the service calls the request.
    pub request_id: Option<String>,
    /// What S3 calls it besides.
    pub extended_request_id: Option<String>,
}

/// Headers that name a request, the usual one first.
const REQUEST_IDS: [&str; 3] = ["x-amzn-RequestId", "x-amz-request-id", "x-amz-id-1"];
/// Members and headers that have an error's message.
const MESSAGES: [&str; 3] = ["message", "Message", "errorMessage"];

/// What an answer whose status is no success says. Nothing in it has to be right.
pub fn refusal(service: &'static Service, response: &Response) -> Refusal {
    let header = |name: &str| response.header(name).map(str::to_owned);
    let said = match service.protocol {
        Protocol::Json { .. } | Protocol::RestJson => in_json(response),
        Protocol::Cbor => in_cbor(response),
        Protocol::RestXml | Protocol::Query | Protocol::Ec2 => in_xml(response),
    };
    let own = said.code.unwrap_or_default();
    let own = bare(&own);
    // The code that the service had before it spoke this protocol.
    let before = header("x-amzn-query-error").filter(|_| service.query_compatible);
    let before = before.as_deref().and_then(|header| header.split(';').next()).unwrap_or_default().trim();
    let modelled = service.error(own).or_else(|| service.error(before));
    let code = [before, own].into_iter().find(|code| !code.is_empty()).unwrap_or_default().to_owned();
    Refusal {
        code,
        modelled,
        message: said.message.filter(|message| !message.is_empty()),
        status: response.status,
        request_id: REQUEST_IDS.iter().find_map(|name| header(name)).or(said.request_id),
        extended_request_id: header("x-amz-id-2").or(said.extended_request_id),
    }
}

impl Refusal {
    /// The members of the error that the model describes.
    pub fn members(&self, service: &'static Service, response: &Response) -> Result<Node, Unreadable> {
        let shape = self.modelled.and_then(|modelled| service.structure(modelled.members));
        let Some(shape) = shape else { return Ok(Node::empty()) };
        match service.protocol {
            Protocol::Json { .. } => json::structure(service, shape, &response.body),
            Protocol::RestJson => rest::structure(service, shape, response, rest::Body::Json),
            Protocol::Cbor => cbor::structure(service, shape, &response.body),
            Protocol::RestXml | Protocol::Query | Protocol::Ec2 => xml::read(&response.body, |root| {
                let Node::Structure(mut members) = xml::structure(service, shape, error_in(root), 0)? else {
                    return Ok(Node::empty());
                };
                if service.protocol == Protocol::RestXml {
                    let without_body = Response { body: Vec::new(), ..response.clone() };
                    let headers = rest::structure(service, shape, &without_body, rest::Body::Xml)?;
                    members.extend_from_slice(headers.members());
                }
                Ok(Node::Structure(members))
            }),
        }
    }
}

#[derive(Default)]
struct Said {
    code: Option<String>,
    message: Option<String>,
    request_id: Option<String>,
    extended_request_id: Option<String>,
}

/// A code without the namespace before it and the address behind it.
fn bare(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code).trim()
}

fn in_json(response: &Response) -> Said {
    let body = json::parsed(&response.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = response.header("x-amzn-errortype").map(|code| {
        // An address may follow, and so may a `#`.
        code.split(':').next().unwrap_or(code).to_owned()
    });
    Said {
        code: code.or_else(|| text("__type")).or_else(|| text("code")).or_else(|| text("Code")),
        message: response
            .header("x-amzn-error-message")
            .map(str::to_owned)
            .or_else(|| MESSAGES.iter().find_map(|name| text(name))),
        ..Said::default()
    }
}

fn in_cbor(response: &Response) -> Said {
    let Ok(body) = cbor::parsed(&response.body) else { return Said::default() };
    let text = |name: &str| cbor::entry(&body, name).and_then(|value| value.as_text()).map(str::to_owned);
    Said { code: text("__type"), message: MESSAGES.iter().find_map(|name| text(name)), ..Said::default() }
}

/// The element that has the error: EC2 has it in a list, others in an element of its own, S3 as a whole.
fn error_in<'a, 'input>(root: roxmltree::Node<'a, 'input>) -> roxmltree::Node<'a, 'input> {
    let listed = xml::child(root, "Errors").and_then(|errors| xml::child(errors, "Error"));
    listed.or_else(|| xml::child(root, "Error")).unwrap_or(root)
}

fn in_xml(response: &Response) -> Said {
    let read = xml::read(&response.body, |root| {
        let error = error_in(root);
        let text = |of: roxmltree::Node, name: &str| xml::child(of, name).map(xml::text_of);
        let metadata = xml::child(root, "ResponseMetadata");
        Ok(Said {
            code: text(error, "Code"),
            message: text(error, "Message").or_else(|| text(error, "message")),
            request_id: text(root, "RequestId")
                .or_else(|| text(root, "RequestID"))
                .or_else(|| metadata.and_then(|metadata| text(metadata, "RequestId"))),
            extended_request_id: text(root, "HostId"),
        })
    });
    read.unwrap_or_default()
}
