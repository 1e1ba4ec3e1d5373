//! The public cases of AWS's protocols: requests that are written, answers that are read.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aws_wire::catalog::{Kind, Member, Operation, Service, Shape, ShapeId, Structure};
use aws_wire::convention::{Convention, arguments, output};
use aws_wire::protocol::{Response, refusal, request, result};
use aws_wire::timestamp::Timestamp;
use serde_json::{Value, json};
use xtask::sdk_catalog::model::Model;

/// Members as the models call them, blobs as plain text, times in seconds: as the cases have them.
struct AsInTheCases;

impl Convention for AsInTheCases {
    fn member(&self, structure: &Structure, name: &str) -> Option<Member> {
        structure.member(name)
    }

    fn name<'a>(&self, member: &'a Member) -> Cow<'a, str> {
        Cow::Borrowed(member.name)
    }

    fn bytes(&self, value: &model::json::Value) -> Result<Vec<u8>, String> {
        value.as_str().map(|text| text.as_bytes().to_vec()).ok_or_else(|| "no text".to_owned())
    }

    fn blob(&self, bytes: Vec<u8>) -> model::json::Value {
        String::from_utf8(bytes).unwrap().into()
    }

    fn json_text(&self, text: model::json::Text) -> model::json::Value {
        model::json::Value::parse(&text).unwrap()
    }

    fn timestamp(&self, timestamp: Timestamp) -> model::json::Value {
        model::json::Number::from_computed(timestamp.seconds()).unwrap().into()
    }
}

/// Cases that are left out, with the reason.
const LEFT_OUT: [(&str, &str); 31] = [
    ("SDKAppliedContentEncoding_awsJson1_0", COMPRESSION),
    ("SDKAppliedContentEncoding_awsJson1_1", COMPRESSION),
    ("SDKAppliedContentEncoding_awsQuery", COMPRESSION),
    ("SDKAppliedContentEncoding_ec2Query", COMPRESSION),
    ("SDKAppliedContentEncoding_restJson1", COMPRESSION),
    ("SDKAppliedContentEncoding_restXml", COMPRESSION),
    ("SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0", COMPRESSION),
    ("SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1", COMPRESSION),
    ("SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery", COMPRESSION),
    ("SDKAppendsGzipAndIgnoresHttpProvidedEncoding_ec2Query", COMPRESSION),
    ("SDKAppendedGzipAfterProvidedEncoding_restJson1", COMPRESSION),
    ("SDKAppendedGzipAfterProvidedEncoding_restXml", COMPRESSION),
    ("input/rest-json/RestJsonHttpChecksumRequired", "checksums are the client's"),
    ("input/rest-json/RestJsonNullAndEmptyHeaders", EMPTY_HEADERS),
    ("input/rest-xml/NullAndEmptyHeaders", EMPTY_HEADERS),
    ("input/rest-xml/BodyWithXmlName", NAMES),
    ("input/rest-xml/HttpPayloadWithXmlName", NAMES),
    ("input/rest-xml/HttpPayloadWithXmlNamespace", NAMES),
    ("input/rest-xml/HttpPayloadWithXmlNamespaceAndPrefix", NAMES),
    ("input/rest-xml/RestXmlHttpPayloadWithUnion", NAMES),
    ("input/rest-xml/XmlAttributesOnPayload", NAMES),
    ("output/rest-xml/BodyWithXmlName", NAMES),
    (
        "output/rest-json/MediaTypeHeaderOutputBase64",
        "JSON in a text is read here as JSON, as older cases have it",
    ),
    ("output/rest-json/RestJsonHttpPayloadTraitsWithNoBlobBody", NO_BODY),
    ("output/rest-xml/HttpPayloadTraitsWithNoBlobBody", NO_BODY),
    ("legacy/output/json/6.0 (RPC JSON Event Stream)", EVENTS),
    ("legacy/output/rest-xml/14.0 (REST XML Event Stream)", EVENTS),
    ("legacy/output/rest-xml/14.1 (REST XML Event Stream)", EVENTS),
    ("legacy/output/rest-xml/14.2 (REST XML Event Stream)", EVENTS),
    ("legacy/output/rest-json/17.2 (Tagged Unions)", UNKNOWN),
    ("legacy/output/rest-xml/16.2 (Unions)", UNKNOWN),
];
// The reference passes none of those of these reasons.
const COMPRESSION: &str = "bodies are not compressed, which is an SDK's choice";
const EMPTY_HEADERS: &str = "a header without a value is not sent";
const NAMES: &str = "models name the elements of bodies in their members, which these cases do not mean";
const NO_BODY: &str = "a blob that is a body is there, and empty";
// Of these it does.
const EVENTS: &str = "operations with streams of events cannot be tasks";
const UNKNOWN: &str = "what the reference calls a member that a model does not know is its own invention";

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/aws-protocol-tests")
}

/// All cases of a folder: the name, the suite and the case.
fn cases(folder: &str) -> Vec<(String, Value, Value)> {
    let mut cases = Vec::new();
    for folder in [folder.to_owned(), format!("legacy/{folder}")] {
        let Ok(files) = fs::read_dir(data().join(&folder)) else { continue };
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        for file in files {
            let suites: Vec<Value> = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            for (suite_number, suite) in suites.iter().enumerate() {
                for (case_number, case) in suite["cases"].as_array().unwrap().iter().enumerate() {
                    let id = case["id"].as_str().map_or_else(
                        || {
                            format!(
                                "{suite_number}.{case_number} ({})",
                                suite["description"].as_str().unwrap()
                            )
                        },
                        str::to_owned,
                    );
                    let name = format!("{folder}/{}/{id}", file.file_stem().unwrap().to_str().unwrap());
                    cases.push((name, suite.clone(), case.clone()));
                }
            }
        }
    }
    cases
}

/// The operation of a case, out of a model that has it alone.
fn operation(suite: &Value, case: &Value) -> Operation {
    let given = &case["given"];
    let name = given["name"].as_str().unwrap_or("OperationName");
    let mut metadata = suite["metadata"].clone();
    metadata["serviceId"] = "Case".into();
    let mut of = given.clone();
    // The wrapper of the cases is not written down.
    if metadata["protocol"] == "query"
        && of.get("output").is_some()
        && of["output"]["resultWrapper"].is_null()
    {
        of["output"]["resultWrapper"] = format!("{name}Result").into();
    }
    let mut shapes = suite["shapes"].clone();
    if shapes.is_null() {
        shapes = json!({});
    }
    // Older cases say in the operation what newer ones say in the shape.
    if let (Some(payload), Some(shape)) = (of["input"].get("payload"), of["input"]["shape"].as_str()) {
        shapes[shape]["payload"] = payload.clone();
    }
    let model = json!({ "metadata": metadata, "operations": { name: of }, "shapes": shapes });
    let blob = Model::new(model).unwrap().blob(None).unwrap();
    let service: &'static Service = Box::leak(Box::new(Service::new(Box::leak(blob.into_boxed_slice()))));
    service.operation(name).unwrap()
}

fn ours(value: &Value) -> model::json::Value {
    model::json::Value::from(value)
}

/// Passed and failed, by folder of cases.
fn report(of: &str, outcomes: BTreeMap<String, Result<(), String>>) {
    let mut failed = Vec::new();
    let mut passed = 0;
    for (name, outcome) in &outcomes {
        let left_out = LEFT_OUT.iter().find(|(left_out, _)| name.ends_with(left_out));
        match (outcome, left_out) {
            (Ok(()), None) => passed += 1,
            (Ok(()), Some(_)) => failed.push(format!("{name} passes and is listed as left out")),
            (Err(_), Some((_, reason))) => println!("left out: {name}: {reason}"),
            (Err(error), None) => failed.push(format!("{name}: {error}")),
        }
    }
    println!("{of}: {passed} of {} passed", outcomes.len());
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(passed > 0 || outcomes.is_empty());
}

fn skipped() -> bool {
    let skipped = !data().exists();
    if skipped {
        println!("skipped: there are no cases at {}", data().display());
    }
    skipped
}

/// XML as a tree without white space and without an order of attributes.
fn tree(text: &str) -> Value {
    fn of(node: roxmltree::Node) -> Value {
        let mut attributes: Vec<String> =
            node.attributes().map(|a| format!("{:?} {}={}", a.namespace(), a.name(), a.value())).collect();
        attributes.sort();
        let children: Vec<Value> = node.children().filter(|child| child.is_element()).map(of).collect();
        let text: String =
            node.children().filter_map(|child| if child.is_text() { child.text() } else { None }).collect();
        let text = if children.is_empty() { text } else { text.trim().to_owned() };
        json!([node.tag_name().namespace(), node.tag_name().name(), attributes, children, text])
    }
    // A few cases have the prefix without its namespace.
    let text = text.replace("xmlns:xsi", "xmlns-xsi").replace("xsi:", "xsi-");
    of(roxmltree::Document::parse(&text).unwrap().root_element())
}

fn pairs(form: &str) -> Vec<String> {
    let mut pairs: Vec<String> = form.trim().split('&').map(str::to_owned).collect();
    pairs.sort();
    pairs
}

fn decoded(text: &str) -> ciborium::Value {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    if bytes.is_empty() {
        ciborium::Value::Null
    } else {
        sorted(ciborium::from_reader(bytes.as_slice()).unwrap())
    }
}

fn sorted(value: ciborium::Value) -> ciborium::Value {
    match value {
        ciborium::Value::Map(mut entries) => {
            entries.sort_by_key(|(key, _)| format!("{key:?}"));
            ciborium::Value::Map(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        ciborium::Value::Array(elements) => {
            ciborium::Value::Array(elements.into_iter().map(sorted).collect())
        }
        value => value,
    }
}

fn same_body(protocol: &str, found: &[u8], expected: &str) -> Result<(), String> {
    let text = || String::from_utf8_lossy(found).into_owned();
    let same = match protocol {
        "smithy-rpc-v2-cbor" => {
            let found = if found.is_empty() {
                ciborium::Value::Null
            } else {
                sorted(ciborium::from_reader(found).unwrap())
            };
            format!("{found:?}") == format!("{:?}", decoded(expected))
        }
        _ if found == expected.as_bytes() => true,
        "query" | "ec2" => pairs(&text()) == pairs(expected),
        "rest-xml" if !found.is_empty() && !expected.is_empty() && expected.trim().starts_with('<') => {
            tree(&text()) == tree(expected)
        }
        "rest-xml" => false,
        _ => {
            let parsed: (Result<Value, _>, Result<Value, _>) =
                (serde_json::from_slice(found), serde_json::from_str(expected));
            matches!(parsed, (Ok(found), Ok(expected)) if found == expected)
        }
    };
    if same { Ok(()) } else { Err(format!("the body is {:?} instead of {expected:?}", text())) }
}

fn input_case(suite: &Value, case: &Value) -> Result<(), String> {
    let operation = operation(suite, case);
    let expected = &case["serialized"];
    let protocol = suite["metadata"]["protocol"].as_str().unwrap();
    let params = if case["params"].is_null() { json!({}) } else { case["params"].clone() };
    let mut token = || "00000000-0000-4000-8000-000000000000".to_owned();
    let input = arguments(&AsInTheCases, operation.service(), operation.input(), &ours(&params), &mut token)
        .map_err(|problems| format!("{problems:?}"))?;
    let request = request(&operation, &input).map_err(|error| error.to_string())?;
    if expected["method"].as_str().is_some_and(|method| method != request.method) {
        return Err(format!("the method is {}", request.method));
    }
    let client =
        suite["clientEndpoint"].as_str().and_then(|url| url.split("://").nth(1)).unwrap_or("example.com");
    let (client_host, client_path) = client.split_once('/').unwrap_or((client, ""));
    if let Some(uri) = expected["uri"].as_str() {
        let split = |uri: &str| {
            let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
            (path.to_owned(), pairs(query))
        };
        let path = client_path.trim_end_matches('/');
        let sent = if path.is_empty() { request.uri.clone() } else { format!("/{path}{}", request.uri) };
        if split(&sent) != split(uri) {
            return Err(format!("the URI is {} instead of {uri}", request.uri));
        }
    }
    let header = |name: &str| {
        request
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap();
        let found = header(name);
        let compact = |list: &str| list.replace(", ", ",");
        let same = found.is_some_and(|found| {
            compact(found) == compact(value) || (name == "Content-Type" && found.starts_with(value))
        });
        if !same {
            return Err(format!("{name} is {found:?} instead of {value:?}"));
        }
    }
    for name in expected["forbidHeaders"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if header(name).is_some() {
            return Err(format!("{name} is there"));
        }
    }
    if let Some(host) = expected["host"].as_str() {
        let found = format!("{}{client_host}", request.host_prefix.as_deref().unwrap_or_default());
        if Some(found.as_str()) != host.split('/').next() {
            return Err(format!("the host is {found:?} instead of {host:?}"));
        }
    }
    match expected["body"].as_str() {
        Some(body) => same_body(protocol, &request.body, body),
        None => Ok(()),
    }
}

#[test]
fn requests_are_written_as_the_cases_say() {
    if skipped() {
        return;
    }
    let outcomes = cases("input").into_iter().map(|(name, suite, case)| (name, input_case(&suite, &case)));
    report("requests", outcomes.collect());
}

fn output_case(suite: &Value, case: &Value) -> Result<(), String> {
    let operation = operation(suite, case);
    let given = &case["response"];
    let protocol = suite["metadata"]["protocol"].as_str().unwrap();
    let body = given["body"].as_str().unwrap_or_default();
    let headers = given["headers"].as_object().into_iter().flatten();
    let headers =
        headers.map(|(name, value)| (name.clone(), value.as_str().map_or(value.to_string(), str::to_owned)));
    let response = Response {
        status: u16::try_from(given["status_code"].as_u64().unwrap_or(200)).unwrap(),
        headers: headers.collect(),
        body: match protocol {
            "smithy-rpc-v2-cbor" => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.decode(body).unwrap()
            }
            _ => body.as_bytes().to_vec(),
        },
    };
    let service = operation.service();
    let (found, expected) = if case.get("errorCode").is_some() || case.get("error").is_some() {
        let refusal = refusal(service, &response);
        if Some(refusal.code.as_str()) != case["errorCode"].as_str() {
            return Err(format!("the code is {} instead of {}", refusal.code, case["errorCode"]));
        }
        if case.get("errorMessage").is_some() && refusal.message.as_deref() != case["errorMessage"].as_str() {
            return Err(format!("the message is {:?} instead of {}", refusal.message, case["errorMessage"]));
        }
        (refusal.members(service, &response), &case["error"])
    } else {
        (result(&operation, &response), &case["result"])
    };
    let found = output(&AsInTheCases, service, found.map_err(|error| error.to_string())?);
    let expected = if expected.is_null() { json!({}) } else { expected.clone() };
    // Numbers as numbers: 1 and 1.0 are one.
    let same = |value: &Value| serde_json::to_string(&numbers(value)).unwrap();
    let found: Value = serde_json::from_str(&found.to_json()).unwrap();
    if same(&found) == same(&expected) { Ok(()) } else { Err(format!("{found} instead of {expected}")) }
}

/// Sorted members, numbers as floats.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(elements) => elements.iter().map(numbers).collect(),
        Value::Object(members) => {
            let sorted: BTreeMap<&String, Value> =
                members.iter().map(|(name, value)| (name, numbers(value))).collect();
            json!(sorted)
        }
        value => value.clone(),
    }
}

#[test]
fn answers_are_read_as_the_cases_say() {
    if skipped() {
        return;
    }
    let outcomes = cases("output").into_iter().map(|(name, suite, case)| (name, output_case(&suite, &case)));
    report("answers", outcomes.collect());
}

/// Everything that the catalog has can be read, and what it refers to is there.
#[test]
fn every_shape_of_every_service_is_there() {
    fn walk(service: &'static Service, shape: ShapeId, seen: &mut Vec<ShapeId>) {
        if seen.contains(&shape) {
            return;
        }
        seen.push(shape);
        match service.shape(shape) {
            Shape::Scalar(scalar) => {
                assert!((Kind::String as u8..=Kind::Timestamp as u8).contains(&(scalar.kind as u8)))
            }
            Shape::List(list) => walk(service, list.element, seen),
            Shape::Map(map) => walk(service, map.value, seen),
            Shape::Structure(structure) => {
                for member in structure.members() {
                    assert!(!member.name.is_empty(), "{}: a member without a name", service.key);
                    walk(service, member.shape, seen);
                }
            }
        }
    }
    let catalog = aws_wire::catalog::catalog();
    let manifest = include_str!("../../shared/aws-wire/catalog/sdk-catalog.txt");
    for line in manifest.lines().skip(1) {
        let [key, _, _, count, _] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let service = catalog.service(key).unwrap();
        assert_eq!(service.key, key);
        assert_eq!(service.operations().count(), count.parse::<usize>().unwrap(), "{key}");
        let mut seen = Vec::new();
        for operation in service.operations() {
            assert_eq!(service.operation(operation.name).unwrap().name, operation.name);
            assert!(operation.uri.starts_with('/'), "{key} {}: {}", operation.name, operation.uri);
            for shape in [operation.input_shape(), operation.output_shape()].into_iter().flatten() {
                walk(service, shape, &mut seen);
            }
        }
        for error in service.errors() {
            walk(service, error.members, &mut seen);
        }
        assert_eq!(seen.len(), service.shape_count(), "{key} has shapes that nothing refers to");
    }
    assert_eq!(catalog.keys().count(), manifest.lines().count() - 1);
}
