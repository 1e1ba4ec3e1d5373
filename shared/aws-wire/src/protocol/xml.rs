//! XML: bodies of REST requests, and answers of REST and of the query protocols.

use roxmltree::{Document, Node as Element, ParsingOptions};

use super::scalar::{decoded, format, number_text, parsed, text};
use super::{DEPTH_MAX, Unreadable, unreadable};
use crate::catalog::{
    Kind, List, Map, Member, Namespace, Scalar, Service, Shape, ShapeId, Structure, TimestampFormat,
};
use crate::node::Node;

/// Nodes of a document that are read.
const NODES_MAX: u32 = 4_000_000;

/// A structure as a document.
pub fn document<'a>(
    service: &'static Service,
    name: &str,
    namespace: Namespace,
    members: impl Iterator<Item = &'a (Member, Node)> + Clone,
) -> Vec<u8> {
    let mut writer = Writer { service, text: String::with_capacity(256) };
    writer.structure(name, namespace, members);
    writer.text.into_bytes()
}

struct Writer {
    service: &'static Service,
    text: String,
}

impl Writer {
    fn open(&mut self, name: &str, namespace: Namespace) {
        self.text.push('<');
        self.text.push_str(name);
        if let Some((uri, prefix)) = namespace {
            let name = prefix.map_or("xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
            self.attribute(&name, uri);
        }
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.text.push(' ');
        self.text.push_str(name);
        self.text.push_str("=\"");
        escape(&mut self.text, value);
        self.text.push('"');
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    fn structure<'a>(
        &mut self,
        name: &str,
        namespace: Namespace,
        members: impl Iterator<Item = &'a (Member, Node)> + Clone,
    ) {
        self.open(name, namespace);
        for (member, node) in members.clone().filter(|(member, _)| member.xml_attribute()) {
            let value = text(node, TimestampFormat::Iso8601).unwrap_or_default();
            self.attribute(member.wire_name(), &value);
        }
        self.text.push('>');
        for (member, node) in members.filter(|(member, _)| !member.xml_attribute()) {
            let place = Place { namespace: member.xml_namespace, member: Some(*member), shape: member.shape };
            self.value(member.wire_name(), place, node);
        }
        self.close(name);
    }

    fn value(&mut self, name: &str, place: Place, node: &Node) {
        match (node, self.service.shape(place.shape)) {
            (Node::Structure(members), _) => self.structure(name, place.namespace, members.iter()),
            (Node::List(elements), Shape::List(list)) => self.list(name, place, list, elements),
            (Node::Map(entries), Shape::Map(map)) => self.map(name, place, map, entries),
            (node, shape) => {
                let value = match node {
                    Node::Float(float) => Some(number_text(*float)),
                    node => text(node, timestamps(place.member.as_ref(), shape)),
                };
                self.open(name, place.namespace);
                self.text.push('>');
                escape(&mut self.text, &value.unwrap_or_default());
                self.close(name);
            }
        }
    }

    fn list(&mut self, name: &str, place: Place, list: List, elements: &[Node]) {
        let element = Place { namespace: list.namespace, member: None, shape: list.element };
        if place.flattened(list.flattened) {
            for node in elements {
                self.value(name, element, node);
            }
            return;
        }
        self.open(name, place.namespace);
        self.text.push('>');
        for node in elements {
            self.value(list.element_name.unwrap_or("member"), element, node);
        }
        self.close(name);
    }

    fn map(&mut self, name: &str, place: Place, map: Map, entries: &[(model::json::Text, Node)]) {
        let flattened = place.flattened(map.flattened);
        let entry = if flattened { name } else { "entry" };
        if !flattened {
            self.open(name, place.namespace);
            self.text.push('>');
        }
        for (key, node) in entries {
            self.open(entry, None);
            self.text.push('>');
            let key_name = map.key_name.unwrap_or("key");
            self.open(key_name, map.key_namespace);
            self.text.push('>');
            escape(&mut self.text, key);
            self.close(key_name);
            let value = Place { namespace: map.value_namespace, member: None, shape: map.value };
            self.value(map.value_name.unwrap_or("value"), value, node);
            self.close(entry);
        }
        if !flattened {
            self.close(name);
        }
    }
}

/// What is known of a value from where it stands.
#[derive(Clone, Copy)]
struct Place {
    namespace: Namespace,
    member: Option<Member>,
    shape: ShapeId,
}

impl Place {
    fn flattened(&self, shape: bool) -> bool {
        shape || self.member.is_some_and(|member| member.flattened())
    }
}

fn timestamps(member: Option<&Member>, shape: Shape) -> TimestampFormat {
    let protocol = TimestampFormat::Iso8601;
    match (member, shape) {
        (Some(member), Shape::Scalar(scalar)) => format(member, scalar, protocol),
        (None, Shape::Scalar(Scalar { timestamp_format, .. })) => timestamp_format.unwrap_or(protocol),
        (_, Shape::List(_) | Shape::Map(_) | Shape::Structure(_)) => protocol,
    }
}

/// Characters that mean something in XML, and those that a reader would change: ends of lines.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\n' => out.push_str("&#xA;"),
            '\u{85}' => out.push_str("&#x85;"),
            '\u{2028}' => out.push_str("&#x2028;"),
            c => out.push(c),
        }
    }
}

/// Attributes of a tag, and declarations of namespaces in a document, that are read: the reader compares
/// each with all others.
const ATTRIBUTES_MAX: usize = 64;
const NAMESPACES_MAX: usize = 4_000;

/// Whether no tag has too many attributes, and the document no more namespaces than the reader takes in
/// reasonable time. What is no XML is the reader's to say.
fn is_plain(text: &str) -> bool {
    let (mut rest, mut namespaces) = (text, 0);
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        let skipped = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        if let Some((begin, end)) = skipped.iter().find(|(begin, _)| rest.starts_with(begin)) {
            let Some(at) = rest[begin.len()..].find(end) else { return true };
            rest = &rest[begin.len() + at..];
            continue;
        }
        let (mut quote, mut attributes, mut end) = (None, 0, rest.len());
        for (at, byte) in rest.bytes().enumerate() {
            match (byte, quote) {
                (b'>', None) => {
                    end = at;
                    break;
                }
                (b'=', None) => attributes += 1,
                (b'"' | b'\'', None) => quote = Some(byte),
                (byte, Some(open)) if byte == open => quote = None,
                _ => {}
            }
        }
        namespaces += rest[..end].matches("xmlns").count();
        if attributes > ATTRIBUTES_MAX || namespaces > NAMESPACES_MAX {
            return false;
        }
        rest = &rest[end..];
    }
    true
}

/// A document that has been checked. What a document type declares is not read, so that nothing can
/// expand.
pub fn read<T>(body: &[u8], of: impl FnOnce(Element) -> Result<T, Unreadable>) -> Result<T, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|_| unreadable("the answer is not UTF-8"))?;
    if !is_plain(text) {
        return Err(unreadable("the answer has more attributes than any answer"));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|error| unreadable(format!("the answer is not XML: {error}")))?;
    of(document.root_element())
}

/// The child element of a name, whatever its namespace.
pub fn child<'a, 'input>(element: Element<'a, 'input>, name: &str) -> Option<Element<'a, 'input>> {
    element.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

/// The text in an element.
pub fn text_of(element: Element) -> String {
    element.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect()
}

/// The output of a query, in the element that the model wraps it in.
pub fn wrapped(
    service: &'static Service,
    shape: Structure,
    body: &[u8],
    wrapper: Option<&str>,
) -> Result<Node, Unreadable> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Node::empty());
    }
    read(body, |root| {
        let wrapped = wrapper.and_then(|wrapper| child(root, wrapper));
        structure(service, shape, wrapped.unwrap_or(root), 0)
    })
}

/// The members of a structure that an element has.
pub fn structure(
    service: &'static Service,
    shape: Structure,
    element: Element,
    depth: usize,
) -> Result<Node, Unreadable> {
    if depth > DEPTH_MAX {
        return Err(unreadable("the answer is too deep"));
    }
    let mut members = Vec::new();
    for member in shape.members().filter(|member| member.location.is_in_answers_body()) {
        let read = of_member(service, &member, element, depth);
        let read = read.map_err(|error| unreadable(format!("{}: {error}", member.wire_name())))?;
        members.extend(read.map(|node| (member, node)));
    }
    Ok(Node::Structure(members))
}

fn of_member(
    service: &'static Service,
    member: &Member,
    element: Element,
    depth: usize,
) -> Result<Option<Node>, Unreadable> {
    let name = member.wire_name();
    if member.xml_attribute() {
        // Prefixes of attributes are namespaces to the reader.
        let local = name.rsplit(':').next().unwrap_or(name);
        let found = element.attributes().find(|attribute| attribute.name() == local);
        return Ok(found.map(|attribute| Node::Text(attribute.value().into())));
    }
    let of_shape = service.shape(member.shape);
    let flattened = member.flattened()
        || match of_shape {
            Shape::List(list) => list.flattened,
            Shape::Map(map) => map.flattened,
            Shape::Structure(_) | Shape::Scalar(_) => false,
        };
    if !flattened {
        return child(element, name).map(|found| value(service, member.shape, found, depth + 1)).transpose();
    }
    // Elements of some flattened lists have the name of the element, not of the list.
    let name = match of_shape {
        Shape::List(list) if child(element, name).is_none() => list.element_name.unwrap_or(name),
        _ => name,
    };
    let found: Vec<Element> =
        element.children().filter(|child| child.is_element() && child.tag_name().name() == name).collect();
    if found.is_empty() {
        return Ok(None);
    }
    match of_shape {
        Shape::List(list) => elements(service, list, &found, depth).map(Some),
        Shape::Map(map) => entries(service, map, &found, depth).map(Some),
        Shape::Structure(_) | Shape::Scalar(_) => Ok(None),
    }
}

/// A value from its element.
pub fn value(
    service: &'static Service,
    shape: ShapeId,
    element: Element,
    depth: usize,
) -> Result<Node, Unreadable> {
    if depth > DEPTH_MAX {
        return Err(unreadable("the answer is too deep"));
    }
    match service.shape(shape) {
        Shape::Structure(of) => structure(service, of, element, depth),
        Shape::List(list) => {
            let name = list.element_name.unwrap_or("member");
            let of_name = |child: &Element| child.is_element() && child.tag_name().name() == name;
            let found: Vec<Element> = element.children().filter(of_name).collect();
            elements(service, list, &found, depth)
        }
        Shape::Map(map) => {
            let found: Vec<Element> = element.children().filter(Element::is_element).collect();
            entries(service, map, &found, depth)
        }
        Shape::Scalar(scalar) => {
            let text = text_of(element);
            if scalar.kind == Kind::Blob { decoded(&text).map(Node::Blob) } else { parsed(scalar, &text) }
        }
    }
}

fn elements(
    service: &'static Service,
    list: List,
    found: &[Element],
    depth: usize,
) -> Result<Node, Unreadable> {
    let read = found.iter().map(|element| value(service, list.element, *element, depth + 1));
    read.collect::<Result<_, _>>().map(Node::List)
}

fn entries(service: &'static Service, map: Map, found: &[Element], depth: usize) -> Result<Node, Unreadable> {
    let mut entries = Vec::with_capacity(found.len());
    for element in found {
        let key = child(*element, map.key_name.unwrap_or("key"));
        let Some(of_value) = child(*element, map.value_name.unwrap_or("value")) else { continue };
        let key = key.map(text_of).unwrap_or_default();
        entries.push((key.into(), value(service, map.value, of_value, depth + 1)?));
    }
    Ok(Node::Map(entries))
}
