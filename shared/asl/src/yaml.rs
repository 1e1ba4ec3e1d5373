//! YAML 1.2 with the core schema, as the same tree that JSON gives.
//!
//! `yes`, `on` and timestamps are strings; keys are strings as written. Several documents in one
//! text are refused, and so are tags, but for the short forms of CloudFormation's functions in a
//! template.

use std::collections::HashMap;

use model::json::{Location, Number, Span, Spanned, SpannedKind, SpannedMember, Text, Value};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput};

use crate::parse::NESTING_MAX;

/// Nodes that aliases may add: a few lines can name each other into billions.
const ALIASED_NODES_MAX: usize = 100_000;

/// Text that is not the YAML of a definition.
pub(crate) struct YamlError {
    /// What was wrong, with its place.
    pub(crate) message: String,
    /// `[Source: line: 1, column: 4]`
    pub(crate) location: String,
    /// Byte offset in the text.
    pub(crate) offset: usize,
}

/// What a tag means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tags {
    /// Nothing: it is refused.
    Refused,
    /// `!Sub x` is `{"Fn::Sub": x}`, `!Ref x` is `{"Ref": x}`, `!GetAtt a.b` is
    /// `{"Fn::GetAtt": ["a", "b"]}`.
    Functions,
}

/// Parses one document.
pub(crate) fn parse(text: &str, tags: Tags) -> Result<Spanned, YamlError> {
    let mut reader = Reader {
        text,
        tags,
        parser: Parser::new_from_str(text),
        offsets: Offsets { text, index: 0, byte: 0 },
        anchors: HashMap::new(),
        aliased_nodes: 0,
    };
    reader.document()
}

struct Reader<'t> {
    text: &'t str,
    tags: Tags,
    parser: Parser<'t, StrInput<'t>>,
    offsets: Offsets<'t>,
    /// Anchored nodes with their number of nodes and their depth.
    anchors: HashMap<usize, (Spanned, Size)>,
    aliased_nodes: usize,
}

#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    depth: usize,
}

/// A collection whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    size: Size,
    items: Items,
    /// The function that it is the argument of.
    function: Option<Text>,
}

enum Items {
    Sequence(Vec<Spanned>),
    /// Members, and the key that waits for its value.
    Mapping(Vec<SpannedMember>, Option<(Text, Span)>),
}

impl<'t> Reader<'t> {
    fn document(&mut self) -> Result<Spanned, YamlError> {
        let mut open: Vec<Open> = Vec::new();
        let mut root: Option<Spanned> = None;
        while let Some(event) = self.parser.next_event() {
            let (event, span) = match event {
                Ok(found) => found,
                Err(error) => {
                    let offset = self.offsets.byte_of(error.marker());
                    return Err(self.error(error.info(), offset));
                }
            };
            let start = self.offsets.byte_of(&span.start);
            let (node, anchor, size) = match event {
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(self.error("only one document is expected", start));
                }
                Event::SequenceStart(anchor, tag) => {
                    let function = self.function(tag.as_deref().map(ToString::to_string), start)?;
                    self.open(&mut open, start, anchor, Items::Sequence(Vec::new()), function)?;
                    continue;
                }
                Event::MappingStart(anchor, tag) => {
                    let function = self.function(tag.as_deref().map(ToString::to_string), start)?;
                    self.open(&mut open, start, anchor, Items::Mapping(Vec::new(), None), function)?;
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let end = self.offsets.byte_of(&span.end).max(start);
                    let Some(closed) = open.pop() else { continue };
                    // A block ends where the next one begins; the white space between is not part of it.
                    let text = self.offsets.text.get(closed.start..end).unwrap_or_default();
                    let span = Span { start: closed.start, end: closed.start + text.trim_end().len() };
                    let kind = match closed.items {
                        Items::Sequence(items) => SpannedKind::Array(items),
                        Items::Mapping(members, _) => SpannedKind::Object(members),
                    };
                    let node = Spanned { span, kind };
                    match closed.function {
                        None => (node, closed.anchor, closed.size),
                        Some(function) => (called(function, node), closed.anchor, closed.size.nested()),
                    }
                }
                Event::Scalar(value, style, anchor, tag) => {
                    let end = self.offsets.byte_of(&span.end).max(start);
                    let span = Span { start, end };
                    let tag = tag.as_deref().map(ToString::to_string);
                    if let Some(Open { items: Items::Mapping(_, key @ None), .. }) = open.last_mut() {
                        *key = Some((Text::new(&value), span));
                        self.refuse_tag(tag, start)?;
                        continue;
                    }
                    let plain = style == ScalarStyle::Plain && tag.is_none();
                    let function = match tag.as_deref() {
                        Some("tag:yaml.org,2002:!str") => None,
                        _ => self.function(tag, start)?,
                    };
                    let kind =
                        if plain { core_schema(&value) } else { SpannedKind::String(Text::new(&value)) };
                    let (node, size) = (Spanned { span, kind }, Size { nodes: 1, depth: 1 });
                    match function {
                        None => (node, anchor, size),
                        Some(_) if open.len() + 2 > NESTING_MAX => return Err(self.too_deep(start)),
                        Some(function) => (called(function, node), anchor, size.nested()),
                    }
                }
                Event::Alias(id) => {
                    let Some((node, size)) = self.anchors.get(&id) else {
                        return Err(self.error("an alias names no finished node", start));
                    };
                    self.aliased_nodes = self.aliased_nodes.saturating_add(size.nodes);
                    if self.aliased_nodes > ALIASED_NODES_MAX {
                        let message = format!("aliases add more than {ALIASED_NODES_MAX} nodes");
                        return Err(self.error(&message, start));
                    }
                    if open.len() + size.depth > NESTING_MAX {
                        return Err(self.too_deep(start));
                    }
                    (node.clone(), 0, *size)
                }
                _ => continue,
            };
            if anchor > 0 {
                // Kept for aliases; those are counted, and so is the copy that is kept.
                self.aliased_nodes = self.aliased_nodes.saturating_add(size.nodes);
                if self.aliased_nodes > ALIASED_NODES_MAX {
                    let message = format!("anchored nodes are more than {ALIASED_NODES_MAX}");
                    return Err(self.error(&message, start));
                }
                self.anchors.insert(anchor, (node.clone(), size));
            }
            match open.last_mut() {
                None => root = Some(node),
                Some(parent) => {
                    parent.size.nodes = parent.size.nodes.saturating_add(size.nodes);
                    parent.size.depth = parent.size.depth.max(size.depth + 1);
                    match &mut parent.items {
                        Items::Sequence(items) => items.push(node),
                        Items::Mapping(members, key) => match key.take() {
                            Some((name, name_span)) => {
                                members.push(SpannedMember { name, name_span, value: node })
                            }
                            None => return Err(self.error("a key must be a plain text", start)),
                        },
                    }
                }
            }
        }
        root.ok_or_else(|| self.error("the text holds no document", self.text.len()))
    }

    fn open(
        &mut self,
        open: &mut Vec<Open>,
        start: usize,
        anchor: usize,
        items: Items,
        function: Option<Text>,
    ) -> Result<(), YamlError> {
        if let Some(Open { items: Items::Mapping(_, None), .. }) = open.last() {
            return Err(self.error("a key must be a plain text", start));
        }
        // A function is one more level, which the stack does not count: half of the levels are left for them.
        let levels = if self.tags == Tags::Functions { NESTING_MAX / 2 } else { NESTING_MAX };
        if open.len() >= levels {
            return Err(self.too_deep(start));
        }
        open.push(Open { start, anchor, size: Size { nodes: 1, depth: 1 }, items, function });
        Ok(())
    }

    fn too_deep(&self, offset: usize) -> YamlError {
        self.error(&format!("nodes are nested more than {NESTING_MAX} levels deep"), offset)
    }

    /// The long name of the function that a tag calls.
    fn function(&self, tag: Option<String>, offset: usize) -> Result<Option<Text>, YamlError> {
        let name = tag.as_deref().and_then(|tag| tag.strip_prefix('!'));
        let name = name.filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()));
        match (self.tags, name) {
            (Tags::Functions, Some(name @ ("Ref" | "Condition"))) => Ok(Some(Text::new(name))),
            (Tags::Functions, Some(name)) => Ok(Some(Text::from(format!("Fn::{name}")))),
            _ => self.refuse_tag(tag, offset).map(|()| None),
        }
    }

    fn refuse_tag(&self, tag: Option<String>, offset: usize) -> Result<(), YamlError> {
        match tag {
            None => Ok(()),
            Some(tag) => Err(self.error(&format!("the tag {tag} is not supported"), offset)),
        }
    }

    fn error(&self, message: &str, offset: usize) -> YamlError {
        let Location { line, column } = Location::of(self.text, offset);
        let location = format!("[Source: line: {line}, column: {column}]");
        YamlError { message: format!("Invalid YAML: {message}\n at {location}"), location, offset }
    }
}

impl Size {
    /// As the argument of a function: the object, and for `GetAtt` an array within it.
    fn nested(self) -> Size {
        Size { nodes: self.nodes.saturating_add(2), depth: self.depth + 2 }
    }
}

/// `{function: argument}`. Source: CloudFormation, intrinsic function reference.
fn called(function: Text, argument: Spanned) -> Spanned {
    let span = argument.span;
    let argument = match argument.kind {
        SpannedKind::String(text) if function == "Fn::GetAtt" => {
            let parts = text.split_once('.').map_or(vec![text.as_str()], |(name, rest)| vec![name, rest]);
            let part = |part: &str| Spanned { span, kind: SpannedKind::String(Text::new(part)) };
            Spanned { span, kind: SpannedKind::Array(parts.into_iter().map(part).collect()) }
        }
        kind => Spanned { span, kind },
    };
    let member = SpannedMember { name: function, name_span: span, value: argument };
    Spanned { span, kind: SpannedKind::Object(vec![member]) }
}

/// Byte offsets of markers, which count characters. They mostly grow: a step back starts over
/// from the marker's own neighbourhood.
struct Offsets<'t> {
    text: &'t str,
    index: usize,
    byte: usize,
}

impl Offsets<'_> {
    fn byte_of(&mut self, marker: &Marker) -> usize {
        let wanted = marker.index();
        while self.index > wanted && self.byte > 0 {
            self.byte -= 1;
            while !self.text.is_char_boundary(self.byte) {
                self.byte -= 1;
            }
            self.index -= 1;
        }
        while self.index < wanted {
            let Some(c) = self.text[self.byte..].chars().next() else { break };
            self.byte += c.len_utf8();
            self.index += 1;
        }
        self.byte
    }
}

/// A plain scalar. Source: YAML 1.2.2, 10.3.2 (core schema).
fn core_schema(text: &str) -> SpannedKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return SpannedKind::Null,
        "true" | "True" | "TRUE" => return SpannedKind::Bool(true),
        "false" | "False" | "FALSE" => return SpannedKind::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| SpannedKind::String(Text::new(text)), SpannedKind::Number)
}

fn number(text: &str) -> Option<Number> {
    let radix = |prefix: &str, radix: u32| {
        text.strip_prefix(prefix).and_then(|digits| {
            let plain = digits.chars().all(|c| c.is_digit(radix));
            i64::from_str_radix(digits, radix).ok().filter(|_| plain)
        })
    };
    if let Some(n) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return json_number(&n.to_string());
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if !digits || !unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-')) {
        return None;
    }
    // JSON knows no leading zeros, bare dots or plus signs: they are dropped before it reads.
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], &unsigned[at..]),
        None => (unsigned, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    let sign = if text.starts_with('-') { "-" } else { "" };
    json_number(&format!("{sign}{whole}{dot}{fraction}{exponent}"))
}

fn json_number(text: &str) -> Option<Number> {
    match model::json::parse(text) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str, json: &str) {
        let node = parse(yaml, Tags::Refused).unwrap_or_else(|error| panic!("{yaml}: {}", error.message));
        assert_eq!(node.to_value(), model::json::parse(json).unwrap(), "{yaml}");
    }

    fn refused(yaml: &str) -> String {
        parse(yaml, Tags::Refused).err().unwrap_or_else(|| panic!("{yaml}")).message
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let table = [
            (
                "a: 1\nb: -2.50\nc: 0x1F\nd: 0o17\ne: 1e3\nf: +7\ng: .5\nh: 007",
                r#"{"a":1,"b":-2.5,"c":31,"d":15,"e":1000,"f":7,"g":0.5,"h":7}"#,
            ),
            (
                "[yes, on, no, True, FALSE, ~, null, '', \"1\"]",
                r#"["yes","on","no",true,false,null,null,"","1"]"#,
            ),
            (
                "t: 2024-01-01T00:00:00Z\nd: 2024-01-01\nv: 1.2.3\ni: .inf",
                r#"{"t":"2024-01-01T00:00:00Z","d":"2024-01-01","v":"1.2.3","i":".inf"}"#,
            ),
            ("1: one\ntrue: two", r#"{"1":"one","true":"two"}"#),
            ("t: |\n  a\n  b\nf: >-\n  a\n  b\n", r#"{"t":"a\nb\n","f":"a b"}"#),
            ("a: !!str 1", r#"{"a":"1"}"#),
            ("a: &x {k: [1]}\nb: *x", r#"{"a":{"k":[1]},"b":{"k":[1]}}"#),
        ];
        for (yaml, json) in table {
            check(yaml, json);
        }
    }

    #[test]
    fn spans_are_bytes() {
        let text = "é: ü\nname: {inner: value}\n";
        let SpannedKind::Object(members) = parse(text, Tags::Refused).ok().unwrap().kind else {
            panic!("a mapping")
        };
        let cut = |span: Span| &text[span.start..span.end];
        assert_eq!((cut(members[0].name_span), cut(members[0].value.span)), ("é", "ü"));
        assert_eq!(cut(members[1].value.span), "{inner: value}");
    }

    #[test]
    fn refusals_say_where() {
        let table = [
            ("a: !Ref X", "the tag !Ref is not supported", "line: 1, column: 4"),
            ("a: 1\n---\nb: 2", "only one document", "line: 2"),
            ("? [1]\n: 2", "a key must be a plain text", "line: 1"),
            ("a: [1", "", "line: 1"),
            ("a: *x", "", "line: 1"),
        ];
        for (yaml, message, place) in table {
            let found = refused(yaml);
            assert!(found.contains(message) && found.contains(place), "{yaml}: {found}");
        }
    }

    #[test]
    fn aliases_do_not_multiply() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert!(refused(&text).contains("more than 100000"));
    }

    #[test]
    fn nesting_ends_in_an_error() {
        refused(&"[".repeat(100_000));
        refused(&"- ".repeat(5_000));
    }

    #[test]
    fn a_block_ends_with_its_last_line() {
        let yaml = "a:\n  b: 1\n  c: [2]\n\nd: 3\n";
        let Ok(Spanned { kind: SpannedKind::Object(members), .. }) = parse(yaml, Tags::Refused) else {
            panic!("an object")
        };
        let text = |member: &SpannedMember| &yaml[member.value.span.start..member.value.span.end];
        assert_eq!(text(&members[0]), "b: 1\n  c: [2]");
        assert_eq!(text(&members[1]), "3");
    }
}
