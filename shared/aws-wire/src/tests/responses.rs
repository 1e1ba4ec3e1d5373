//! Whatever comes back is a result, a refusal or a sentence about it, in bounded time and memory.

use ciborium::value::Value as Cbor;
use model::json::{Map, Value};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::{Choices, operation};
use crate::catalog::{Kind, Location, Member, Operation, Protocol, Scalar, Service, Shape, ShapeId, catalog};
use crate::convention::{Optimized, Sdk, output};
use crate::protocol::{Response, refusal, result};

/// A part of an answer that is as its model says.
enum Part {
    Scalar(Kind, &'static str),
    List(Vec<Part>),
    Map(Vec<(&'static str, Part)>),
    Structure(Vec<(Member, Part)>),
    Document,
}

fn part(choices: &mut Choices, service: &'static Service, shape: ShapeId, depth: usize) -> Part {
    let count = if depth > 5 { 0 } else { choices.below(3) };
    match service.shape(shape) {
        Shape::Structure(structure) if structure.document => Part::Document,
        Shape::Structure(structure) => {
            let given: Vec<Member> =
                structure.members().filter(|_| depth < 2 || choices.once_in(depth * 2)).collect();
            let given = given.into_iter().filter(|member| member.location.is_in_answers_body());
            Part::Structure(
                given.map(|member| (member, part(choices, service, member.shape, depth + 1))).collect(),
            )
        }
        Shape::List(list) => {
            Part::List((0..count).map(|_| part(choices, service, list.element, depth + 1)).collect())
        }
        Shape::Map(map) => {
            let keys = ["a", "b c", "é"];
            let entry = |at: usize| (keys[at], part(choices, service, map.value, depth + 1));
            Part::Map((0..count).map(entry).collect())
        }
        Shape::Scalar(scalar) => scalar_part(choices, scalar),
    }
}

fn scalar_part(choices: &mut Choices, scalar: Scalar) -> Part {
    let text = match scalar.kind {
        Kind::String => choices.of(&["text", "", "é🦀", "1"]),
        Kind::Blob => choices.of(&["aGk=", ""]),
        Kind::Boolean => choices.of(&["true", "false"]),
        Kind::Integer => choices.of(&["0", "-2147483648"]),
        Kind::Long => choices.of(&["0", "9223372036854775807"]),
        Kind::Float | Kind::Double => choices.of(&["0.5", "NaN", "-Infinity"]),
        Kind::Timestamp => choices.of(&["1687440351.123", "0", "-62135596800"]),
    };
    Part::Scalar(scalar.kind, text)
}

fn json(part: &Part) -> Value {
    match part {
        Part::Scalar(Kind::String | Kind::Blob, text) => Value::from(*text),
        Part::Scalar(_, text) => Value::parse(text).unwrap_or_else(|_| Value::from(*text)),
        Part::List(elements) => elements.iter().map(json).collect(),
        Part::Map(entries) => entries.iter().map(|(key, part)| (*key, json(part))).collect(),
        Part::Structure(members) => {
            let members = members.iter().map(|(member, part)| (member.wire_name().into(), json(part)));
            Value::from(members.collect::<Map>())
        }
        Part::Document => Value::parse(r#"{"any":[1,null]}"#).unwrap(),
    }
}

fn cbor(part: &Part) -> Cbor {
    let text = |text: &str| Cbor::Text(text.to_owned());
    match part {
        Part::Scalar(Kind::Blob, bytes) => Cbor::Bytes(bytes.as_bytes().to_vec()),
        Part::Scalar(Kind::String, value) => text(value),
        Part::Scalar(Kind::Boolean, value) => Cbor::Bool(*value == "true"),
        Part::Scalar(Kind::Integer | Kind::Long, value) => {
            Cbor::Integer(value.parse::<i64>().unwrap().into())
        }
        Part::Scalar(Kind::Timestamp, value) => Cbor::Tag(1, Box::new(Cbor::Float(value.parse().unwrap()))),
        Part::Scalar(_, value) => Cbor::Float(crate::protocol::number(value).unwrap()),
        Part::List(elements) => Cbor::Array(elements.iter().map(cbor).collect()),
        Part::Map(entries) => Cbor::Map(entries.iter().map(|(key, part)| (text(key), cbor(part))).collect()),
        Part::Structure(members) => {
            Cbor::Map(members.iter().map(|(member, part)| (text(member.wire_name()), cbor(part))).collect())
        }
        Part::Document => Cbor::Null,
    }
}

/// An element; lists and maps as they stand where nothing is flattened.
fn xml(out: &mut String, service: &'static Service, name: &str, shape: ShapeId, part: &Part) {
    out.push_str(&format!("<{name}>"));
    match (part, service.shape(shape)) {
        (Part::Scalar(_, text), _) => out.push_str(text),
        (Part::List(elements), Shape::List(list)) => {
            for element in elements {
                xml(out, service, list.element_name.unwrap_or("member"), list.element, element);
            }
        }
        (Part::Map(entries), Shape::Map(map)) => {
            for (key, value) in entries {
                let key_name = map.key_name.unwrap_or("key");
                out.push_str(&format!("<entry><{key_name}>{key}</{key_name}>"));
                xml(out, service, map.value_name.unwrap_or("value"), map.value, value);
                out.push_str("</entry>");
            }
        }
        (Part::Structure(members), _) => {
            for (member, part) in members.iter().filter(|(member, _)| !member.xml_attribute()) {
                let is_flattened = member.flattened();
                if !is_flattened || matches!(part, Part::Structure(_) | Part::Scalar(..)) {
                    xml(out, service, member.wire_name(), member.shape, part);
                }
            }
        }
        _ => {}
    }
    out.push_str(&format!("</{name}>"));
}

/// A body that is as the model of an operation says.
fn body(choices: &mut Choices, operation: &Operation) -> Vec<u8> {
    let service = operation.service();
    let Some(shape) = operation.output_shape() else { return Vec::new() };
    let payload = operation.output().and_then(|output| output.payload());
    let shape = payload.map_or(shape, |payload| payload.shape);
    let part = part(choices, service, shape, 0);
    match service.protocol {
        Protocol::Json { .. } | Protocol::RestJson => json(&part).to_json().into_bytes(),
        Protocol::Cbor => {
            let mut bytes = Vec::new();
            ciborium::into_writer(&cbor(&part), &mut bytes).unwrap();
            bytes
        }
        Protocol::RestXml | Protocol::Query | Protocol::Ec2 => {
            let mut out = String::new();
            let name = operation.result_wrapper.unwrap_or("Result");
            xml(&mut out, service, name, shape, &part);
            format!("<?xml version=\"1.0\"?><Response>{out}</Response>").into_bytes()
        }
    }
}

/// Bytes that break a reader somewhere.
const PIECES: [&[u8]; 14] = [
    b"<",
    b"</a>",
    b"&bad;",
    b"<!DOCTYPE a [<!ENTITY b \"c\">]>",
    b"\"",
    b"{",
    b"]",
    b"null",
    b"1e999",
    b"\xff\xfe",
    b"\\ud800",
    b"\x9f\xbf\xff",
    b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xc1\xfb\x7f\xff\xff\xff\xff\xff\xff\xff",
];

fn damage(choices: &mut Choices, body: &mut Vec<u8>) {
    for _ in 0..1 + choices.below(4) {
        let at = choices.below(body.len() + 1);
        match choices.below(6) {
            0 => body.truncate(at),
            1 if at < body.len() => body[at] ^= choices.byte() | 1,
            2 => drop(body.splice(at..at, choices.of(&PIECES).iter().copied())),
            3 => {
                let end = (at + choices.below(40)).min(body.len());
                let again = body[at..end].to_vec();
                drop(body.splice(at..at, again));
            }
            4 => drop(body.drain(at..(at + choices.below(40)).min(body.len()))),
            _ => *body = (0..at).map(|_| choices.byte()).collect(),
        }
    }
}

fn headers(choices: &mut Choices, operation: &Operation) -> Vec<(String, String)> {
    let members = operation.output().into_iter().flat_map(|output| output.members());
    let named =
        members.filter(|member| matches!(member.location, Location::Header | Location::HeadersPrefix));
    let mut names: Vec<String> = named.map(|member| member.wire_name().to_owned()).collect();
    names.extend(["x-amzn-errortype", "x-amzn-query-error", "x-amz-id-2", "content-type"].map(str::to_owned));
    let values =
        ["", "1", "true", "é", "Mon, 16 Dec 2019 23:48:18 GMT, x", "\"a\\", ":#;", "aGk=", "\u{fffd}"];
    let count = choices.below(6);
    (0..count).map(|_| (choices.of(&names).clone(), (*choices.of(&values)).to_owned())).collect()
}

/// What an answer comes to, all the way to a workflow's JSON.
fn read(operation: &Operation, response: &Response) -> Result<Value, String> {
    let service = operation.service();
    let read = result(operation, response).map_err(|error| error.to_string())?;
    output(&Optimized, service, read.clone());
    Ok(output(&Sdk::of(service), service, read))
}

fn answered(choices: &mut Choices) {
    let operation = operation(choices);
    let service = operation.service();
    let name = format!("{}.{}", service.key, operation.name);
    let is_stream = operation.output().and_then(|output| output.payload()).is_some_and(
        |payload| matches!(service.shape(payload.shape), Shape::Structure(shape) if shape.event_stream),
    );
    let body = body(choices, &operation);
    let mut response = Response { status: 200, headers: Vec::new(), body };
    let read_as_it_is = read(&operation, &response);
    assert!(is_stream || read_as_it_is.is_ok(), "{name}: {read_as_it_is:?}");
    damage(choices, &mut response.body);
    response.headers = headers(choices, &operation);
    response.status = *choices.of(&[200, 204, 301, 302, 400, 403, 404, 418, 500, 503]);
    if let Err(why) = read(&operation, &response) {
        assert!(why.len() < 2_000, "{name}: {why}");
    }
    let refused = refusal(service, &response);
    assert_eq!(refused.status, response.status);
    let _ = refused.members(service, &response);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_read_or_not(bytes in vec(any::<u8>(), 0..400)) {
        answered(&mut Choices::new(&bytes));
    }
}

/// Why an answer cannot be read; empty where it can.
fn refused(service: &str, action: &str, body: impl Into<Vec<u8>>) -> String {
    let operation = catalog().service(service).unwrap().operation(action).unwrap();
    let response = Response { status: 200, headers: Vec::new(), body: body.into() };
    refusal(operation.service(), &response);
    read(&operation, &response).err().unwrap_or_default()
}

fn check(service: &str, action: &str, body: impl Into<Vec<u8>>, expected: &str) {
    let why = refused(service, action, body);
    assert!(why.contains(expected) && why.is_empty() == expected.is_empty(), "{service} {action}: {why}");
}

#[test]
fn xml_that_takes_long_is_not_read() {
    let nested =
        |open: &str, close: &str, count: usize| format!("{}{}", open.repeat(count), close.repeat(count));
    check("sns", "listTopics", nested("<a>", "</a>", 200_000), "");
    check("sns", "listTopics", "<a>".repeat(200_000), "not XML");
    let attributes: String = (0..100_000).map(|at| format!(" a{at}=''")).collect();
    check("sns", "listTopics", format!("<a{attributes}/>"), "more attributes");
    let namespaces: String = (0..50_000).map(|at| format!("<a xmlns:n{at}='u'>")).collect();
    check("sns", "listTopics", namespaces, "more attributes");
    let laughs = r#"<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>"#;
    check("sns", "listTopics", laughs, "not XML");
    check("sns", "listTopics", r#"<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>"#, "not XML");
    check("sns", "listTopics", "<a b='1' b='2'/>", "not XML");
    check("sns", "listTopics", "<?xml version='1.0' encoding='UTF-16'?><a/>", "");
    check("sns", "listTopics", b"\xff\xfe<\0a\0/\0>\0".to_vec(), "not UTF-8");
    // What looks like attributes is none in text, comments and sections.
    let equal = "=".repeat(1_000);
    check(
        "sns",
        "listTopics",
        format!("<a b='>{equal}'><!-- <{equal}> --><![CDATA[<{equal}]]>{equal}</a>"),
        "",
    );
}

#[test]
fn cbor_lies_about_lengths_in_vain() {
    let list = |body: &[u8], expected: &str| check("eventbridgev2", "listEventBuses", body, expected);
    for major in [0x5b, 0x7b, 0x9b, 0xbb] {
        for length in [u64::MAX, i64::MAX as u64, 1 << 40] {
            list(&[&[major][..], &length.to_be_bytes()].concat(), "not CBOR");
        }
    }
    for deep in [[0x81_u8].repeat(200_000), [0x9f_u8].repeat(200_000), [0xc1_u8].repeat(200_000)] {
        list(&deep, "not CBOR");
    }
    list(&[&[0x9f_u8][..], &[0x80_u8].repeat(100_000), &[0xff]].concat(), "no map");
    list(b"\xbf\xff", "");
    list(b"\xff", "not CBOR");
    list(b"\xa1\x01\x02", "");
}

#[test]
fn json_that_is_deep_wide_or_doubled() {
    let list = |body: String, expected: &str| check("dynamodb", "listTables", body, expected);
    list("[".repeat(1_000_000), "not JSON");
    list(format!("{{\"TableNames\":{}", "[".repeat(900)), "not JSON");
    list(format!("[{}0]", "0,".repeat(500_000)), "object should");
    list(format!("{{{}\"a\":0}}", "\"a\":0,".repeat(100_000)), "");
    list(
        (0..100_000).map(|at| format!("\"a{at}\":{{}},")).fold("{".to_owned(), |all, one| all + &one)
            + "\"z\":0}",
        "",
    );
    list(r#"{"TableNames":["a"],"TableNames":7}"#.to_owned(), "TableNames");
    let item =
        format!("{{\"Item\":{{\"a\":{}{{\"S\":\"x\"}}{}}}}}", r#"{"M":{"a":"#.repeat(400), "}}".repeat(400));
    check("dynamodb", "getItem", item, "");
}

/// A success whose body says otherwise has none of the members, as the SDKs have it.
#[test]
fn successes_may_be_errors() {
    let error = r#"{"__type":"x#ResourceNotFoundException","message":"no"}"#;
    check("dynamodb", "getItem", error, "");
    check("dynamodb", "getItem", "<Error/>", "not JSON");
    check("sns", "listTopics", "{}", "not XML");
    check("sns", "listTopics", "<ErrorResponse><Error><Code>X</Code></Error></ErrorResponse>", "");
}
