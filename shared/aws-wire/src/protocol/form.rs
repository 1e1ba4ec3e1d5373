//! Forms: what the query protocols send.

use super::scalar::text;
use super::{Request, rest};
use crate::catalog::{List, Map, Member, Operation, Scalar, Service, Shape, ShapeId, TimestampFormat};
use crate::node::Node;

/// The two query protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// AWS's first.
    Query,
    /// EC2's.
    Ec2,
}

/// A request as a form.
pub fn request(operation: &Operation, input: &Node, style: Style) -> Request {
    let service = operation.service();
    let mut request = Request { method: "POST", uri: "/".to_owned(), ..Request::default() };
    request.header("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    let mut form = Form { service, style, pairs: Vec::new() };
    form.pair("Action", operation.name);
    form.pair("Version", service.api_version);
    form.members("", input.members());
    let pairs: Vec<String> = form.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    request.body = pairs.join("&").into_bytes();
    request
}

struct Form {
    service: &'static Service,
    style: Style,
    pairs: Vec<(String, String)>,
}

/// What a value's parts are called.
#[derive(Clone, Copy)]
struct Named {
    shape: ShapeId,
    flattened: bool,
    timestamps: Option<TimestampFormat>,
    /// Whether its member has a name for the wire.
    has_name: bool,
}

impl Named {
    fn of(member: &Member) -> Named {
        Named {
            shape: member.shape,
            flattened: member.flattened(),
            timestamps: member.timestamp_format,
            has_name: member.location_name.is_some(),
        }
    }

    fn shape(shape: ShapeId) -> Named {
        Named { shape, flattened: false, timestamps: None, has_name: false }
    }
}

impl Form {
    fn pair(&mut self, name: &str, value: &str) {
        self.pairs.push((rest::encoded(name, false), rest::encoded(value, false)));
    }

    fn members(&mut self, prefix: &str, members: &[(Member, Node)]) {
        for (member, node) in members {
            let name = self.name(member);
            let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            self.value(&name, Named::of(member), node);
        }
    }

    fn name(&self, member: &Member) -> String {
        let name = member.wire_name();
        if self.style == Style::Query || member.query_name() {
            return name.to_owned();
        }
        let mut chars = name.chars();
        let first = chars.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(chars).collect()
    }

    fn value(&mut self, name: &str, named: Named, node: &Node) {
        match (node, self.service.shape(named.shape)) {
            (Node::Structure(members), _) => self.members(name, members),
            (Node::List(elements), Shape::List(list)) => self.list(name, named, list, elements),
            (Node::Map(entries), Shape::Map(map)) => self.map(name, named, map, entries),
            (node, shape) => {
                let protocol = TimestampFormat::Iso8601;
                let of_shape = match shape {
                    Shape::Scalar(Scalar { timestamp_format, .. }) => timestamp_format,
                    Shape::List(_) | Shape::Map(_) | Shape::Structure(_) => None,
                };
                let timestamps = named.timestamps.or(of_shape).unwrap_or(protocol);
                if let Some(text) = text(node, timestamps) {
                    self.pair(name, &text);
                }
            }
        }
    }

    fn list(&mut self, name: &str, named: Named, list: List, elements: &[Node]) {
        let flattened = named.flattened || list.flattened;
        let prefix = match self.style {
            Style::Ec2 => name.to_owned(),
            Style::Query if elements.is_empty() => {
                self.pair(name, "");
                return;
            }
            Style::Query if flattened && named.has_name => name.to_owned(),
            // The elements' name takes the place of the list's.
            Style::Query if flattened => match (list.element_name, name.rsplit_once('.')) {
                (Some(element), Some((before, _))) => format!("{before}.{element}"),
                (Some(element), None) => element.to_owned(),
                (None, _) => name.to_owned(),
            },
            Style::Query => format!("{name}.{}", list.element_name.unwrap_or("member")),
        };
        for (at, element) in elements.iter().enumerate() {
            self.value(&format!("{prefix}.{}", at + 1), Named::shape(list.element), element);
        }
    }

    fn map(&mut self, name: &str, named: Named, map: Map, entries: &[(model::json::Text, Node)]) {
        let prefix = if named.flattened || map.flattened { name.to_owned() } else { format!("{name}.entry") };
        for (at, (key, value)) in entries.iter().enumerate() {
            let entry = format!("{prefix}.{}", at + 1);
            self.pair(&format!("{entry}.{}", map.key_name.unwrap_or("key")), key);
            let value_name = map.value_name.unwrap_or("value");
            self.value(&format!("{entry}.{value_name}"), Named::shape(map.value), value);
        }
    }
}
