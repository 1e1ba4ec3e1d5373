//! Tasks of the recorded executions: called with the recorded parameters, answered on the wire as the service
//! must have been, they come to the recorded results and errors.

use std::fs;
use std::path::{Path, PathBuf};

use aws_wire::catalog::{Kind, Location, Operation, Protocol, Service, Shape, ShapeId};
use aws_wire::convention::{Convention, Optimized, Sdk};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// What stands for every time: as the wire has it, as the two conventions do.
const SECONDS: &str = "1700000000.123";

/// A value on the wire, as JSON, and the headers that carry the rest.
struct Wire<'a> {
    service: &'static Service,
    convention: &'a dyn Convention,
    headers: String,
    body: Option<String>,
}

impl Wire<'_> {
    fn value(&mut self, shape: ShapeId, value: &Value) -> Value {
        match self.service.shape(shape) {
            Shape::Structure(structure) => {
                let mut members: Vec<(Text, Value)> = Vec::new();
                for member in structure.members() {
                    let Some(value) = value.get(&self.convention.name(&member)) else { continue };
                    let sent = self.value(member.shape, value);
                    let text = sent.as_str().map_or_else(|| sent.to_json(), str::to_owned);
                    match member.location {
                        Location::Header => {
                            self.headers.push_str(&format!("{}: {text}\r\n", member.wire_name()));
                        }
                        Location::Body if member.streaming() || is_blob(self.service, member.shape) => {
                            self.body = Some(text);
                        }
                        Location::Body => members.push((member.wire_name().into(), sent)),
                        _ => {}
                    }
                }
                members.into_iter().collect()
            }
            Shape::List(list) => {
                value.as_array().unwrap().iter().map(|value| self.value(list.element, value)).collect()
            }
            Shape::Map(map) => {
                let entries = value.as_object().unwrap().iter();
                entries.map(|(name, value)| (name.clone(), self.value(map.value, value))).collect()
            }
            Shape::Scalar(scalar) if scalar.kind == Kind::Timestamp => match self.service.protocol {
                Protocol::RestXml => Value::from("Tue, 14 Nov 2023 22:13:20 GMT"),
                _ => v(SECONDS),
            },
            Shape::Scalar(scalar) if scalar.kind == Kind::Blob => match self.service.protocol {
                Protocol::RestXml => value.clone(),
                _ => Value::from(STANDARD.encode(value.as_str().unwrap())),
            },
            Shape::Scalar(_) => value.clone(),
        }
    }
}

fn is_blob(service: &'static Service, shape: ShapeId) -> bool {
    matches!(service.shape(shape), Shape::Scalar(scalar) if scalar.kind == Kind::Blob)
        && service.protocol == Protocol::RestXml
}

/// The answer that an output was made of.
fn answered(operation: &Operation, convention: &dyn Convention, output: &Value) -> String {
    let service = operation.service();
    let mut wire = Wire { service, convention, headers: String::new(), body: None };
    let body = operation.output_shape().map(|shape| wire.value(shape, output)).unwrap_or_default();
    let body = match (service.protocol, wire.body) {
        (_, Some(body)) => body,
        (Protocol::Query, None) => {
            let name = operation.name;
            let members = body.as_object().unwrap().iter();
            let members = members.map(|(name, value)| {
                let text = escaped(value.as_str().unwrap());
                format!("<{name}>{text}</{name}>")
            });
            let members: String = members.collect();
            format!("<{name}Response><{name}Result>{members}</{name}Result></{name}Response>")
        }
        (Protocol::RestXml, None) => String::new(),
        (_, None) => body.to_json(),
    };
    answer(200, &format!("x-amzn-RequestId: r\r\n{}", wire.headers), &body)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A refusal of which the cause tells; none for a cause that tells of none.
fn refused(operation: &Operation, error: &str, cause: &str) -> Option<String> {
    let at = cause.rfind("(Service: ")?;
    let (message, rest) = (cause[..at].trim_end(), &cause[at..]);
    let part = |name: &str| {
        let rest = &rest[rest.find(name)? + name.len()..];
        Some(rest[..rest.find([';', ',', ')'])?].to_owned())
    };
    let status: u16 = part("Status Code: ")?.parse().ok()?;
    // An SDK integration tells the code by the error's name alone.
    let exception = error.split('.').nth(1)?;
    let known =
        operation.service().errors().find(|known| aws_wire::name::exception(known.shape) == exception);
    let code = part("Error Code: ").or_else(|| known.map(|known| known.code.to_owned()));
    let code = code.unwrap_or_else(|| "SomethingElse".to_owned());
    let extended = if rest.contains("Extended") { "x-amz-id-2: x\r\n" } else { "" };
    let headers = format!("x-amzn-RequestId: r\r\n{extended}");
    let body = match operation.service().protocol {
        Protocol::RestXml => {
            format!("<Error><Code>{code}</Code><Message>{}</Message></Error>", escaped(message))
        }
        Protocol::Query => format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{}</Message></Error></ErrorResponse>",
            escaped(message)
        ),
        _ => {
            let body: Value =
                [("__type", Value::from(code)), ("message", Value::from(message))].into_iter().collect();
            body.to_json()
        }
    };
    Some(answer(status, &headers, &body))
}

/// What two texts have in common: ids and times are different every time, and earlier recordings do not count
/// attempts.
fn alike(text: &str) -> String {
    let mut text = text.replace(" (SDK Attempt Count: 1)", "");
    for name in ["Extended Request ID: ", "Request ID: "] {
        if let Some(at) = text.find(name).map(|at| at + name.len()) {
            let end = text[at..].find([';', ',', ')']).map_or(text.len(), |end| at + end);
            text.replace_range(at..end, "id");
        }
    }
    text
}

/// An output without what tells of the exchange and with one time for all.
fn without_exchange(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| !name.starts_with("Sdk"));
            members.map(|(name, value)| (name.clone(), without_exchange(value))).collect()
        }
        Value::Array(elements) => elements.iter().map(without_exchange).collect(),
        Value::String(text) if text.starts_with("<") && text.contains("date") => Value::from("time"),
        Value::String(text) if text.starts_with("2023-11-14T22:13:20") => Value::from("time"),
        value if value.to_json() == "1700000000123" => Value::from("time"),
        value => value.clone(),
    }
}

fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => cases(&path, found),
            false => found.push(path),
        }
    }
}

/// What a task comes to whose call is answered so.
async fn came_to(resource: Resource, parameters: &Value, answered: String) -> Result<Value, Failure> {
    let (url, _) = served(move |_| answered.clone()).await;
    let call = Call { parameters: parameters.clone(), ..call(resource, "{}") };
    match services(&url, Rights::Own).call(&call, &execution()).await {
        Answer::Settled(TaskOutcome::Succeeded(output)) | Answer::Submitted(output) => Ok(output),
        Answer::Settled(TaskOutcome::Failed { failure, .. }) => Err(failure),
        Answer::Queued => panic!("nothing is queued here"),
    }
}

#[tokio::test]
async fn recorded_tasks_come_to_what_they_came_to() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/execution");
    let mut paths = Vec::new();
    cases(&corpus, &mut paths);
    if paths.is_empty() {
        println!("skipped: there is no corpus at {}", corpus.display());
        return;
    }
    let (mut outputs, mut failures) = (0, 0);
    for path in paths {
        let case = v(&fs::read_to_string(&path).unwrap());
        for task in case.get("tasks").and_then(Value::as_array).into_iter().flat_map(|tasks| tasks.iter()) {
            let arn: Text = task.get("resource").and_then(Value::as_str).unwrap().into();
            let Some(resource @ Resource::Integration { .. }) = Resource::from_arn(&arn) else { continue };
            let Some((called, operation)) = Services::called(&resource) else { continue };
            let sdk = Sdk::of(operation.service());
            let convention: &dyn Convention = match called {
                crate::Called::Sdk(_) => &sdk,
                crate::Called::Optimized(..) => &Optimized,
                // Their payloads have tests of their own.
                crate::Called::Function | crate::Called::Model => continue,
            };
            let parameters = task.get("parameters").unwrap();
            let name = format!("{} {arn}", path.display());
            for result in task.get("results").and_then(Value::as_array).unwrap().iter() {
                let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default();
                let output = result.get("submitted").or_else(|| result.get("output"));
                if let Some(output) = output {
                    let answered = answered(&operation, convention, output);
                    let found = came_to(resource.clone(), parameters, answered).await;
                    let found = found.unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
                    assert_eq!(
                        without_exchange(&found).to_json(),
                        without_exchange(output).to_json(),
                        "{name}"
                    );
                    let names =
                        |value: &Value| -> Vec<Text> { value.as_object().unwrap().keys().cloned().collect() };
                    assert_eq!(names(&found), names(output), "{name}: what is told of the exchange");
                    outputs += 1;
                } else if let Some(answered) = refused(&operation, text("error"), text("cause")) {
                    let failure = came_to(resource.clone(), parameters, answered).await.unwrap_err();
                    assert_eq!(failure.error.as_deref(), Some(text("error")), "{name}");
                    assert_eq!(alike(failure.cause.as_deref().unwrap()), alike(text("cause")), "{name}");
                    failures += 1;
                }
            }
        }
    }
    println!("{outputs} outputs and {failures} failures are as recorded");
    assert!(outputs >= 40 && failures >= 10, "{outputs} outputs, {failures} failures");
}
