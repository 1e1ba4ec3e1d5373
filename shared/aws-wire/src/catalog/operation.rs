//! Operations of a service.

use super::cursor::Cursor;
use super::format::operation;
use super::{Namespace, Service, Shape, ShapeId, Structure};

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// What the model calls it: `PutItem`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// Path and query, with members in `{}`.
    pub uri: &'static str,
    /// What stands before the host, with members in `{}`.
    pub host_prefix: Option<&'static str>,
    /// What the input's element is called in XML.
    pub input_name: Option<&'static str>,
    /// Its namespace.
    pub input_namespace: Namespace,
    /// The element around the output in the query protocol.
    pub result_wrapper: Option<&'static str>,
    /// The member that names the algorithm of the request's checksum.
    pub checksum_member: Option<&'static str>,
    input: Option<ShapeId>,
    output: Option<ShapeId>,
    flags: u32,
    statics: Option<Cursor>,
    service: &'static Service,
}

/// What a parameter of endpoint rules is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Context {
    Boolean(bool),
    Text(&'static str),
}

impl Operation {
    /// What it takes; nothing in a few.
    pub fn input(&self) -> Option<Structure> {
        self.service.structure(self.input?)
    }

    /// What it gives; nothing in some.
    pub fn output(&self) -> Option<Structure> {
        self.service.structure(self.output?)
    }

    /// Whether its answer is bytes, rather than a document.
    pub fn gives_bytes(&self) -> bool {
        let payload = self.output().and_then(|output| output.payload());
        payload.is_some_and(|payload| matches!(self.service.shape(payload.shape), Shape::Scalar(_)))
    }

    /// The shape of what it takes.
    pub fn input_shape(&self) -> Option<ShapeId> {
        self.input
    }

    /// The shape of what it gives.
    pub fn output_shape(&self) -> Option<ShapeId> {
        self.output
    }

    /// Its service.
    pub fn service(&self) -> &'static Service {
        self.service
    }

    /// Whether it goes without a signature.
    pub fn unsigned(&self) -> bool {
        self.flags & operation::UNSIGNED != 0
    }

    /// Whether its signature leaves the body out.
    pub fn unsigned_body(&self) -> bool {
        self.flags & operation::UNSIGNED_BODY != 0
    }

    /// Whether a request has to carry a checksum.
    pub fn checksum_required(&self) -> bool {
        self.flags & operation::CHECKSUM_REQUIRED != 0
    }

    /// Whether it changes nothing, so that it may be repeated.
    pub fn reads(&self) -> bool {
        self.flags & operation::READS != 0
    }

    /// Whether Step Functions does not offer it.
    pub fn excluded(&self) -> bool {
        self.flags & operation::EXCLUDED != 0
    }

    /// Whether the service has to be asked first where it is.
    pub fn endpoint_discovery(&self) -> bool {
        self.flags & operation::ENDPOINT_DISCOVERY != 0
    }

    /// Parameters of endpoint rules that it sets.
    pub fn static_context(&self) -> Vec<(&'static str, Context)> {
        let Some(mut cursor) = self.statics else { return Vec::new() };
        let count = cursor.v();
        let text = |number| self.service.text(number).unwrap_or_default();
        let mut one = || {
            let name = text(cursor.v());
            let context = match cursor.v() {
                0 => Context::Boolean(false),
                1 => Context::Boolean(true),
                _ => Context::Text(text(cursor.v())),
            };
            (name, context)
        };
        (0..count).map(|_| one()).collect()
    }
}

const METHODS: [&str; 6] = ["POST", "GET", "PUT", "DELETE", "PATCH", "HEAD"];

/// The operation at a place.
pub(super) fn read(mut cursor: Cursor, service: &'static Service) -> Operation {
    let name = service.text(cursor.v()).unwrap_or_default();
    let method = METHODS.get(usize::from(cursor.u8())).copied().unwrap_or_default();
    let flags = cursor.v32();
    let uri = service.text(cursor.v()).unwrap_or("/");
    let input = cursor.v().checked_sub(1).map(ShapeId);
    let output = cursor.v().checked_sub(1).map(ShapeId);
    let mut announced = |flag| if flags & flag != 0 { service.text(cursor.v()) } else { None };
    let host_prefix = announced(operation::HOST_PREFIX);
    let input_name = announced(operation::INPUT_NAME);
    let namespace = announced(operation::INPUT_NAMESPACE);
    let namespace_prefix = announced(operation::INPUT_NAMESPACE);
    let result_wrapper = announced(operation::RESULT_WRAPPER);
    let checksum_member = announced(operation::CHECKSUM_MEMBER);
    let statics = (flags & operation::STATIC_CONTEXT != 0).then_some(cursor);
    Operation {
        name,
        method,
        uri,
        host_prefix,
        input_name,
        input_namespace: namespace.map(|uri| (uri, namespace_prefix)),
        result_wrapper,
        checksum_member,
        input,
        output,
        flags,
        statics,
        service,
    }
}
