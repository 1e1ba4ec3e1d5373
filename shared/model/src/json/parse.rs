//! A JSON parser whose errors read as the service's do (its parser is Jackson), with the place
//! of every node for those who want it.

use std::fmt;

use super::{Map, Number, Text, Value};

/// Arrays and objects may be nested this deep. Source: the limit of the service's parser.
pub const DEPTH_MAX: usize = 1000;

/// The excerpt of the source in an error is cut after this many characters.
const EXCERPT_CHARS_MAX: usize = 500;

/// Text that is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What was wrong, in the words of the service, without the place.
    pub message: String,
    /// Where it was noticed.
    pub location: Location,
    /// Byte offset of `location` in the text.
    pub offset: usize,
    /// The source as messages quote it, cut after 500 characters.
    excerpt: String,
}

impl ParseError {
    /// `[Source: (String)"…"; line: 1, column: 4]`, as ValidateStateMachineDefinition gives it
    /// in `location`.
    pub fn source_location(&self) -> String {
        let Location { line, column } = self.location;
        format!("[Source: (String){}; line: {line}, column: {column}]", self.excerpt)
    }
}

/// The message as the service writes it: with its place in a second line.
impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n at {}", self.message, self.source_location())
    }
}

impl std::error::Error for ParseError {}

/// A place in a text, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Location {
    /// The place of byte `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Location {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Location {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Bytes `start..end` of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A JSON node that knows where it stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned {
    /// Its place in the source.
    pub span: Span,
    /// What it is.
    pub kind: SpannedKind,
}

/// The six kinds of JSON node.
#[derive(Clone, Debug, PartialEq)]
pub enum SpannedKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Text),
    /// An array.
    Array(Vec<Spanned>),
    /// An object, members in order; repeated names are all kept.
    Object(Vec<SpannedMember>),
}

/// A member of a [`SpannedKind::Object`].
#[derive(Clone, Debug, PartialEq)]
pub struct SpannedMember {
    /// The name.
    pub name: Text,
    /// Where the name stood.
    pub name_span: Span,
    /// The value.
    pub value: Spanned,
}

impl Spanned {
    /// The plain value; of repeated names the last counts.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            SpannedKind::Null => Value::Null,
            SpannedKind::Bool(b) => Value::Bool(*b),
            SpannedKind::Number(n) => Value::Number(n.clone()),
            SpannedKind::String(text) => Value::String(text.clone()),
            SpannedKind::Array(items) => items.iter().map(Spanned::to_value).collect(),
            SpannedKind::Object(members) => {
                members.iter().map(|member| (member.name.clone(), member.value.to_value())).collect()
            }
        }
    }
}

/// Parses one JSON value; only white space may follow it.
pub fn parse(text: &str) -> Result<Value, ParseError> {
    Parser::new(text).document(&Values)
}

/// Parses one JSON value and keeps the place of every node.
pub fn parse_spanned(text: &str) -> Result<Spanned, ParseError> {
    Parser::new(text).document(&SpannedNodes)
}

/// What a parse makes of the nodes it meets.
trait Build {
    type Node;
    fn leaf(&self, value: Value, span: Span) -> Self::Node;
    fn array(&self, items: Vec<Self::Node>, span: Span) -> Self::Node;
    type Members: Default;
    fn member(&self, members: &mut Self::Members, name: Text, name_span: Span, value: Self::Node);
    fn object(&self, members: Self::Members, span: Span) -> Self::Node;
}

struct Values;

/// A payload lives as long as its execution is in hand: what it holds takes the room it needs. Members
/// are gathered first, because a map that grows has room for nearly twice as many.
impl Build for Values {
    type Node = Value;
    type Members = Vec<(Text, Value)>;

    fn leaf(&self, value: Value, _: Span) -> Value {
        value
    }

    fn array(&self, mut items: Vec<Value>, _: Span) -> Value {
        items.shrink_to_fit();
        items.into()
    }

    fn member(&self, members: &mut Vec<(Text, Value)>, name: Text, _: Span, value: Value) {
        members.push((name, value));
    }

    fn object(&self, members: Vec<(Text, Value)>, _: Span) -> Value {
        members.into_iter().collect::<Map>().into()
    }
}

struct SpannedNodes;

impl Build for SpannedNodes {
    type Node = Spanned;
    type Members = Vec<SpannedMember>;

    fn leaf(&self, value: Value, span: Span) -> Spanned {
        let kind = match value {
            Value::Bool(b) => SpannedKind::Bool(b),
            Value::Number(n) => SpannedKind::Number(n),
            Value::String(text) => SpannedKind::String(text),
            Value::Null | Value::Array(_) | Value::Object(_) => SpannedKind::Null,
        };
        Spanned { span, kind }
    }

    fn array(&self, items: Vec<Spanned>, span: Span) -> Spanned {
        Spanned { span, kind: SpannedKind::Array(items) }
    }

    fn member(&self, members: &mut Vec<SpannedMember>, name: Text, name_span: Span, value: Spanned) {
        members.push(SpannedMember { name, name_span, value });
    }

    fn object(&self, members: Vec<SpannedMember>, span: Span) -> Spanned {
        Spanned { span, kind: SpannedKind::Object(members) }
    }
}

/// An array or object whose end has not been seen.
enum Open<B: Build> {
    Array { start: usize, items: Vec<B::Node> },
    Object { start: usize, members: B::Members, name: (Text, Span) },
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    depth: usize,
}

const VALUE_EXPECTED: &str =
    "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Parser<'t> {
        Parser { text, bytes: text.as_bytes(), at: 0, depth: 0 }
    }

    fn document<B: Build>(&mut self, build: &B) -> Result<B::Node, ParseError> {
        self.skip_white_space();
        if self.at == self.bytes.len() {
            return Err(self.error("No content to map due to end-of-input", 0));
        }
        let node = self.value(build)?;
        self.skip_white_space();
        match self.peek() {
            None => Ok(node),
            Some(byte) if byte.is_ascii_alphabetic() => Err(self.unrecognized_token()),
            Some(_) => Err(self.unexpected("expected end of the text after the value")),
        }
    }

    /// The value that begins here. Open arrays and objects stand on a stack of their own, so that
    /// nesting costs memory and not the thread's stack.
    fn value<B: Build>(&mut self, build: &B) -> Result<B::Node, ParseError> {
        let mut stack: Vec<Open<B>> = Vec::new();
        loop {
            self.skip_white_space();
            let mut node = match self.peek() {
                Some(b'{') => {
                    let start = self.open()?;
                    self.skip_white_space();
                    if self.peek() != Some(b'}') {
                        let name = self.name(start)?;
                        stack.push(Open::Object { start, members: B::Members::default(), name });
                        continue;
                    }
                    self.close();
                    build.object(B::Members::default(), Span { start, end: self.at })
                }
                Some(b'[') => {
                    let start = self.open()?;
                    self.skip_white_space();
                    if self.peek() != Some(b']') {
                        stack.push(Open::Array { start, items: Vec::new() });
                        continue;
                    }
                    self.close();
                    build.array(Vec::new(), Span { start, end: self.at })
                }
                _ => self.leaf(build)?,
            };
            // The node is complete, and perhaps the arrays and objects that it is the last of.
            loop {
                self.skip_white_space();
                match stack.pop() {
                    None => return Ok(node),
                    Some(Open::Array { start, mut items }) => {
                        items.push(node);
                        if self.another("Array", b']', start)? {
                            stack.push(Open::Array { start, items });
                            break;
                        }
                        node = build.array(items, Span { start, end: self.at });
                    }
                    Some(Open::Object { start, mut members, name: (name, name_span) }) => {
                        build.member(&mut members, name, name_span, node);
                        if self.another("Object", b'}', start)? {
                            self.skip_white_space();
                            let name = self.name(start)?;
                            stack.push(Open::Object { start, members, name });
                            break;
                        }
                        node = build.object(members, Span { start, end: self.at });
                    }
                }
            }
        }
    }

    /// A string, number or literal.
    fn leaf<B: Build>(&mut self, build: &B) -> Result<B::Node, ParseError> {
        let start = self.at;
        let leaf = match self.peek() {
            None => return Err(self.error("Unexpected end-of-input: expected a value", self.at)),
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' || byte == b'$' || byte >= 0x80 => {
                match self.token() {
                    "null" => Value::Null,
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    _ => {
                        self.at = start;
                        return Err(self.unrecognized_token());
                    }
                }
            }
            Some(_) => return Err(self.unexpected(VALUE_EXPECTED)),
        };
        Ok(build.leaf(leaf, Span { start, end: self.at }))
    }

    /// Behind an item or member: steps over the comma (true) or the closing bracket (false) of
    /// the container that was opened at `start`.
    fn another(&mut self, what: &str, bracket: u8, start: usize) -> Result<bool, ParseError> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.close();
                Ok(false)
            }
            None => Err(self.unclosed(what, start)),
            Some(_) => Err(self.unexpected(&format!("was expecting comma to separate {what} entries"))),
        }
    }

    /// A member's name and the colon behind it, in the object that was opened at `start`.
    fn name(&mut self, start: usize) -> Result<(Text, Span), ParseError> {
        let name_start = self.at;
        match self.peek() {
            Some(b'"') => {}
            None => return Err(self.unclosed("Object", start)),
            Some(_) => return Err(self.unexpected("was expecting double-quote to start field name")),
        }
        let name = self.string()?;
        let name_span = Span { start: name_start, end: self.at };
        self.skip_white_space();
        match self.peek() {
            Some(b':') => self.at += 1,
            None => return Err(self.unclosed("Object", start)),
            Some(_) => return Err(self.unexpected("was expecting a colon to separate field name and value")),
        }
        Ok((name, name_span))
    }

    /// Steps over the bracket that opens an array or object.
    fn open(&mut self) -> Result<usize, ParseError> {
        let start = self.at;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let message =
                format!("Document nesting depth ({}) exceeds the maximum allowed ({DEPTH_MAX})", self.depth);
            return Err(self.error(&message, self.at + 1));
        }
        self.at += 1;
        Ok(start)
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    fn string(&mut self) -> Result<Text, ParseError> {
        let start = self.at;
        self.at += 1;
        // Most strings hold no escape: those are taken from the text as they stand.
        let mut unescaped: Option<String> = None;
        let mut plain = self.at;
        loop {
            match self.peek() {
                None => {
                    let message = "Unexpected end-of-input: was expecting closing quote for a string value";
                    return Err(self.error(message, self.at));
                }
                Some(b'"') => {
                    let tail = &self.text[plain..self.at];
                    self.at += 1;
                    return Ok(match unescaped {
                        None => Text::new(tail),
                        Some(mut out) => {
                            out.push_str(tail);
                            out.into()
                        }
                    });
                }
                Some(b'\\') => {
                    let out = unescaped.get_or_insert_with(String::new);
                    out.push_str(&self.text[plain..self.at]);
                    let c = self.escape(start)?;
                    unescaped.get_or_insert_with(String::new).push(c);
                    plain = self.at;
                }
                Some(control @ 0..=0x1f) => {
                    let message = format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {control})): has to be escaped using backslash to be included in string value"
                    );
                    return Err(self.error(&message, self.at + 1));
                }
                Some(_) => self.at += 1,
            }
        }
    }

    /// The character of an escape sequence; `self.at` is at its backslash.
    fn escape(&mut self, string_start: usize) -> Result<char, ParseError> {
        self.at += 1;
        let Some(byte) = self.peek() else {
            return Err(self.error("Unexpected end-of-input in character escape sequence", string_start));
        };
        let c = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => {
                let shown = self.text[self.at..].chars().next().unwrap_or('\\');
                let message = format!("Unrecognized character escape '{shown}' (code {})", u32::from(shown));
                return Err(self.error(&message, self.at + 1));
            }
        };
        self.at += 1;
        Ok(c)
    }

    /// `\uXXXX`, also as a surrogate pair; half a pair becomes U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, ParseError> {
        self.at += 1;
        let high = self.hex4()?;
        if (0xd800..0xdc00).contains(&high) && self.bytes[self.at..].starts_with(b"\\u") {
            let after_high = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after_high;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, ParseError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("expected a hex-digit for character escape sequence"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Number, ParseError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.peek(), Some(b'0'..=b'9')) {
                    return Err(self.error("Invalid numeric value: Leading zeroes not allowed", self.at));
                }
            }
            Some(b'1'..=b'9') => self.digits(),
            _ => {
                return Err(
                    self.unexpected("expected digit (0-9) to follow minus sign, for valid numeric value")
                );
            }
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("Decimal point not followed by a digit"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.unexpected("Exponent indicator not followed by a digit"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(byte) if byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_') {
            return Err(self.unexpected("Expected space separating root-level values"));
        }
        let digits = &self.text[start..self.at];
        if integer {
            return Ok(match digits.parse() {
                Ok(n) => Number::Int(n),
                Err(_) => Number::Big(digits.into()),
            });
        }
        match digits.parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(Number::Float(n)),
            _ => Err(self.error("Numeric value out of range of double", self.at)),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// The run of letters and digits from here on.
    fn token(&mut self) -> &'t str {
        let start = self.at;
        let rest = &self.text[start..];
        let len = rest
            .char_indices()
            .find(|(_, c)| !c.is_alphanumeric() && *c != '_' && *c != '$')
            .map_or(rest.len(), |(at, _)| at);
        self.at += len;
        &rest[..len]
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn unrecognized_token(&mut self) -> ParseError {
        let token: String = self.token().chars().take(256).collect();
        let message = format!(
            "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        );
        self.error(&message, self.at)
    }

    fn unexpected(&self, expectation: &str) -> ParseError {
        let Some(c) = self.text.get(self.at..).and_then(|rest| rest.chars().next()) else {
            return self.error(&format!("Unexpected end-of-input: {expectation}"), self.at);
        };
        let code = u32::from(c);
        let shown =
            if c.is_control() { format!("(CTRL-CHAR, code {code})") } else { format!("'{c}' (code {code})") };
        self.error(&format!("Unexpected character ({shown}): {expectation}"), self.at + c.len_utf8())
    }

    fn unclosed(&self, what: &str, start: usize) -> ParseError {
        let marker = self.error("", start).source_location();
        let message =
            format!("Unexpected end-of-input: expected close marker for {what} (start marker at {marker})");
        self.error(&message, self.at)
    }

    fn error(&self, message: &str, offset: usize) -> ParseError {
        let chars = self.text.chars().count();
        let excerpt = if chars > EXCERPT_CHARS_MAX {
            let head: String = self.text.chars().take(EXCERPT_CHARS_MAX).collect();
            format!("\"{head}\"[truncated {} chars]", chars - EXCERPT_CHARS_MAX)
        } else {
            format!("\"{}\"", self.text)
        };
        ParseError {
            message: message.to_owned(),
            location: Location::of(self.text, offset),
            offset: offset.min(self.text.len()),
            excerpt,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    /// Source: conformance case `validate_state_machine_definition_not_a_definition-NOT_A_DEF`.
    #[test]
    fn words_of_the_service() {
        assert_eq!(
            refused("not a definition"),
            "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', \
             'true' or 'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4]"
        );
    }

    #[test]
    fn refusals_name_the_place() {
        let table = [
            ("{\"a\" 1}", "was expecting a colon", (1, 7)),
            ("{\"a\": 1,\n }", "double-quote to start field name", (2, 3)),
            ("[1 2]", "comma to separate Array entries", (1, 5)),
            ("{\"a\":1", "expected close marker for Object", (1, 7)),
            ("[01]", "Leading zeroes not allowed", (1, 3)),
            ("[1.]", "Decimal point not followed by a digit", (1, 5)),
            ("\"a\nb\"", "Illegal unquoted character", (2, 1)),
            ("\"\\x\"", "Unrecognized character escape 'x' (code 120)", (1, 4)),
            ("{} x", "Unrecognized token 'x'", (1, 5)),
            ("", "No content to map due to end-of-input", (1, 1)),
            ("1e999", "out of range of double", (1, 6)),
        ];
        for (text, message, (line, column)) in table {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert_eq!(error.location, Location { line, column }, "{text}");
        }
    }

    #[test]
    fn nesting_ends_in_an_error() {
        assert!(parse(&format!("{}{}", "[".repeat(1000), "]".repeat(1000))).is_ok());
        assert!(refused(&"[".repeat(1_000_000)).contains("nesting depth (1001)"));
        let objects = format!("{}1{}", "{\"a\":".repeat(1000), "}".repeat(1000));
        assert_eq!(parse_spanned(&objects).unwrap().to_value().to_json(), objects);
    }

    #[test]
    fn a_long_source_is_cut_in_the_message() {
        let error = parse(&"x".repeat(100_000)).unwrap_err();
        assert!(error.to_string().len() < 1_500, "{}", error.to_string().len());
        assert!(error.to_string().contains("[truncated 99500 chars]"));
    }

    #[test]
    fn escapes() {
        assert_eq!(parse(r#""\u00e9\ud83d\ude00\n\/\ud83d""#).unwrap(), Value::from("é😀\n/\u{fffd}"));
    }

    #[test]
    fn spans_cover_the_node() {
        let text = r#" {"a": [1, "x"]} "#;
        let node = parse_spanned(text).unwrap();
        assert_eq!(&text[node.span.start..node.span.end], text.trim());
        let SpannedKind::Object(members) = node.kind else { panic!("an object") };
        assert_eq!(&text[members[0].name_span.start..members[0].name_span.end], "\"a\"");
        assert_eq!(&text[members[0].value.span.start..members[0].value.span.end], "[1, \"x\"]");
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,64}") {
            let _ = parse(&text);
        }

        #[test]
        fn never_panics_on_near_json(text in "[\\[\\]{}:,\"\\\\u0-9eE.+\\- a-f\n]{0,64}") {
            if let Ok(value) = parse(&text) {
                prop_assert_eq!(parse(&value.to_json()), Ok(value));
            }
        }
    }
}
