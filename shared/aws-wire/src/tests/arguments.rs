//! Whatever the arguments are, there is a request to the operation, or a sentence about them.

use model::json::{Map, Value};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::{Choices, operation};
use crate::catalog::{Kind, Location, Operation, Protocol, Shape, ShapeId, Structure};
use crate::convention::{Convention, Optimized, Sdk, arguments};
use crate::node::Node;
use crate::protocol::{Request, request};

/// Texts that mean something to somebody on the way.
const TEXTS: [&str; 28] = [
    "text",
    "",
    ".",
    "..",
    "../..",
    "a/../b",
    "/a//b/",
    "./a",
    "%2e%2e",
    "a\r\nX-Injected: 1",
    "a\nb",
    "\0",
    "\u{7f}",
    "a b",
    "?x=y&z#f",
    "é漢🦀",
    "\u{2028}\u{85}",
    "http://example.com/",
    "evil.example.com/x?",
    "a@b:c",
    "arn:aws:s3:us-east-1:123456789012:accesspoint/a/b",
    "NaN",
    "-Infinity",
    "1e400",
    "99999999999999999999",
    "2015-01-25T08:00:00Z",
    "<a>&amp;</a>]]>",
    "\"quoted\", \\",
];

fn text(choices: &mut Choices) -> Value {
    if choices.once_in(64) {
        return Value::from("x\r\n é/".repeat(32 * 1024));
    }
    Value::from(*choices.of(&TEXTS))
}

/// Anything.
fn wrong(choices: &mut Choices) -> Value {
    let parsed = |text: &str| Value::parse(text).unwrap();
    match choices.below(10) {
        0 => Value::Null,
        1 => Value::from(true),
        2 => parsed("-1e308"),
        3 => parsed("9223372036854775808"),
        4 => parsed("1.5"),
        5 => text(choices),
        6 => parsed(r#"[null,[],{},"a",1]"#),
        7 => parsed(r#"{"":null,"a\r\nb":"c","A":{}}"#),
        8 => parsed(&format!("{}{}", "[".repeat(900), "]".repeat(900))),
        _ => parsed(&format!("{}1{}", r#"{"M":"#.repeat(900), "}".repeat(900))),
    }
}

fn structure(choices: &mut Choices, operation: &Operation, shape: Structure, depth: usize) -> Value {
    let sdk = Sdk::of(operation.service());
    let mut members = Map::default();
    for member in shape.members() {
        let is_given = if member.required() { !choices.once_in(12) } else { choices.once_in(3 + depth * 2) };
        if is_given {
            let value = value(choices, operation, member.shape, depth + 1);
            members.insert(sdk.name(&member).into_owned().into(), value);
        }
    }
    if choices.once_in(16) {
        members.insert((*choices.of(&TEXTS)).into(), wrong(choices));
    }
    Value::from(members)
}

fn value(choices: &mut Choices, operation: &Operation, shape: ShapeId, depth: usize) -> Value {
    if choices.once_in(24) {
        return wrong(choices);
    }
    let count = if depth > 6 { 0 } else { 1 + choices.below(2) };
    match operation.service().shape(shape) {
        Shape::Structure(structure) if structure.document => wrong(choices),
        Shape::Structure(of) => structure(choices, operation, of, depth),
        Shape::List(list) => (0..count).map(|_| value(choices, operation, list.element, depth + 1)).collect(),
        Shape::Map(map) => {
            let mut entries = Map::default();
            for _ in 0..count {
                let key = *choices.of(&TEXTS);
                entries.insert(key.into(), value(choices, operation, map.value, depth + 1));
            }
            Value::from(entries)
        }
        Shape::Scalar(scalar) => match scalar.kind {
            Kind::String | Kind::Blob => text(choices),
            Kind::Boolean => Value::from(choices.once_in(2)),
            Kind::Integer => Value::from(*choices.of(&[0, -1, i64::from(i32::MAX), i64::from(i32::MAX) + 1])),
            Kind::Long => Value::from(*choices.of(&[0, i64::MAX, i64::MIN])),
            Kind::Float | Kind::Double => Value::from(*choices.of(&["0.5", "NaN", "-Infinity", "1e400"])),
            Kind::Timestamp => {
                let times: &[&str] =
                    &["0", "-1e14", "1e300", "253402300799", r#""9999-12-31T23:59:59Z""#, r#""x""#];
                Value::parse(choices.of::<&str>(times)).unwrap()
            }
        },
    }
}

/// Headers that only the connection and the signature may set.
const RESERVED: [&str; 9] = [
    "authorization",
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
];

fn check(operation: &Operation, input: &Node, request: &Request) {
    let service = operation.service();
    let name = format!("{}.{}", service.key, operation.name);
    let is_rest = matches!(service.protocol, Protocol::RestJson | Protocol::RestXml);
    assert_eq!(request.method, if is_rest { operation.method } else { "POST" }, "{name}");
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
    assert!(request.uri.bytes().all(is_plain), "{name}: {:.200}", request.uri);
    let (path, query) = request.uri.split_once('?').unwrap_or((&request.uri, ""));
    if is_rest {
        let (template, said) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        check_path(&name, template, path);
        assert!(query.starts_with(said), "{name}: {:.200}", request.uri);
    } else {
        assert_eq!(query, "", "{name}");
        assert!(path == "/" || path.ends_with(&format!("/operation/{}", operation.name)), "{name}: {path}");
    }
    let members: Vec<_> = operation.input().into_iter().flat_map(|shape| shape.members()).collect();
    for (header, value) in &request.headers {
        let lower = header.to_ascii_lowercase();
        assert!(!RESERVED.contains(&&*lower), "{name}: {header}");
        assert!(lower.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'), "{name}: {header:?}");
        let is_printable = |byte: u8| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic();
        assert!(value.bytes().all(is_printable), "{name}: {value:.200?}");
        let known = ["content-type", "x-amz-target", "x-amzn-query-mode", "smithy-protocol", "accept"];
        let of_model = members.iter().any(|member| match member.location {
            Location::Header => member.wire_name().eq_ignore_ascii_case(&lower),
            Location::HeadersPrefix => lower.starts_with(&member.wire_name().to_ascii_lowercase()),
            _ => false,
        });
        assert!(known.contains(&&*lower) || of_model, "{name}: {header}");
    }
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    assert!(request.host_prefix.as_deref().unwrap_or_default().bytes().all(is_host), "{name}");
    let is_payload = operation.input().is_some_and(|shape| shape.payload().is_some());
    match service.protocol {
        Protocol::Json { .. } | Protocol::RestJson if !is_payload && !request.body.is_empty() => {
            Value::parse(std::str::from_utf8(&request.body).unwrap()).expect(&name);
        }
        Protocol::Query | Protocol::Ec2 => {
            let is_form = |byte: u8| is_plain(byte) && !b"/:@".contains(&byte);
            assert!(request.body.iter().all(|byte| is_form(*byte)), "{name}");
        }
        _ => {}
    }
    assert!(matches!(input, Node::Structure(_)), "{name}");
}

/// A path has its template's segments; what is in place of labels is no step of a path.
fn check_path(name: &str, template: &str, path: &str) {
    assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")), "{name}: {path:.200}");
    let greedy = template.contains("+}");
    let (templates, segments): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    assert!(greedy || templates.len() == segments.len(), "{name}: {path:.200}");
    for (template, segment) in
        templates.iter().zip(&segments).take_while(|(template, _)| !template.contains("+}"))
    {
        let is_label = template.starts_with('{');
        assert!(if is_label { !segment.is_empty() } else { template == segment }, "{name}: {path:.200}");
    }
    let behind = templates.iter().rev().take_while(|template| !template.contains('{'));
    for (template, segment) in behind.zip(segments.iter().rev()) {
        assert_eq!(template, segment, "{name}: {path:.200}");
    }
}

fn asked(choices: &mut Choices) {
    let operation = operation(choices);
    let service = operation.service();
    let given = match operation.input() {
        Some(shape) if !choices.once_in(32) => structure(choices, &operation, shape, 0),
        _ => wrong(choices),
    };
    let convention: &dyn Convention = if choices.once_in(4) { &Optimized } else { &Sdk::of(service) };
    let mut token = || "token".to_owned();
    match arguments(convention, service, operation.input(), &given, &mut token) {
        Ok(input) => match request(&operation, &input) {
            Ok(request) => check(&operation, &input, &request),
            Err(unwritable) => assert!(unwritable.to_string().starts_with("the value of "), "{unwritable}"),
        },
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                let said = problem.to_string();
                assert!(said.starts_with("The field \"") || said.starts_with("The value for the field '"));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn requests_are_the_operations_whatever_the_arguments_are(bytes in vec(any::<u8>(), 0..400)) {
        asked(&mut Choices::new(&bytes));
    }
}

fn sent(service: &str, action: &str, input: &str) -> Result<Request, String> {
    let service = crate::catalog::catalog().service(service).unwrap();
    let operation = service.operation(action).unwrap();
    let input = Value::parse(input).unwrap();
    let input = arguments(&Sdk::of(service), service, operation.input(), &input, &mut || "t".to_owned());
    let input = input.map_err(|problems| problems[0].to_string())?;
    request(&operation, &input).map_err(|unwritable| unwritable.to_string())
}

#[test]
fn paths_lead_nowhere_else() {
    let path = "a text that can stand in a path: not empty, and no part of it . or ..";
    for (bucket, key, wrong) in [
        ("..", "k", Some("Bucket")),
        ("b", "..", Some("Key")),
        ("b", "../other/k", Some("Key")),
        ("b", "a/..", Some("Key")),
        ("b", "", Some("Key")),
        ("", "k", Some("Bucket")),
        ("b", "a..b/...", None),
        ("a/b", "k", None),
    ] {
        let input = format!(r#"{{"Bucket":"{bucket}","Key":"{key}"}}"#);
        let expected = wrong.map(|name| format!("the value of {name} must be {path}"));
        assert_eq!(sent("s3", "deleteObject", &input).err(), expected, "{input}");
    }
    let uri = sent("s3", "deleteObject", r#"{"Bucket":"a/b","Key":"?x\n é"}"#).unwrap().uri;
    assert_eq!(uri, "/a%2Fb/%3Fx%0A%20%C3%A9");
    let invoked = sent("lambda", "invoke", r#"{"FunctionName":".."}"#);
    assert_eq!(invoked.err(), Some(format!("the value of FunctionName must be {path}")));
}

#[test]
fn headers_are_the_models() {
    let printable = "a text of printable ASCII characters";
    let put = |more: &str| sent("s3", "putObject", &format!(r#"{{"Bucket":"b","Key":"k",{more}}}"#));
    for (more, name) in [
        (r#""ContentType":"a\r\nHost: evil""#, "ContentType"),
        (r#""ContentType":"é""#, "ContentType"),
        (r#""Metadata":{"m":"\u0000"}"#, "m"),
    ] {
        assert_eq!(put(more).err(), Some(format!("the value of {name} must be {printable}")));
    }
    let name = put(r#""Metadata":{"a: b\r\nc":"d"}"#).unwrap_err();
    assert!(name.ends_with("must be named by letters, digits and -"), "{name}");
    let request = put(r#""ContentLength":3,"Metadata":{"m":"x"},"Body":"long""#).unwrap();
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["x-amz-meta-m", "Content-Type"], "a body ends where it ends");
}

#[test]
fn numbers_have_their_range() {
    let number = |number: &str| sent("lambda", "listFunctions", &format!(r#"{{"MaxItems":{number}}}"#));
    assert_eq!(number("2147483647").unwrap().uri, "/2015-03-31/functions?MaxItems=2147483647");
    for wrong in ["2147483648", "1e300", "0.5", "\"NaN\"", "[]"] {
        let expected = "The value for the field 'MaxItems' must be an integer";
        assert_eq!(number(wrong).unwrap_err(), expected, "{wrong}");
    }
}

/// What an operation says in its own query is not an argument.
#[test]
fn queries_keep_what_operations_say() {
    let input = r#"{"Parameters":{"mode":"overwrite","basepath":"x"},"Body":"{}"}"#;
    let request = sent("apigateway", "importRestApi", input).unwrap();
    assert_eq!(request.uri, "/restapis?mode=import&basepath=x");
}
