//! Lambda functions: `arn:aws:lambda:…:function:…` and `lambda:invoke`.

use asl::state::Resource;
use aws_wire::catalog::{Operation, catalog};
use aws_wire::node::Node;
use aws_wire::protocol::Response;
use engine::{Call, Execution, TaskOutcome};
use integrations::Answer;
use model::error::Failure;
use model::json::{Map, Text, Value};

use super::{accepted, failed, metadata, parameters};
use crate::Services;
use crate::failure::{self, Style, refused_parameters};

/// What the errors of Invoke are called.
pub(crate) const STYLE: Style =
    Style::First { prefix: "Lambda", base: "AWSLambdaException", service: "AWSLambda" };

/// The parameters of `lambda:invoke`.
const PARAMETERS: [&str; 6] =
    ["ClientContext", "FunctionName", "InvocationType", "LogType", "Payload", "Qualifier"];

/// The operation.
pub(crate) fn operation() -> Option<Operation> {
    catalog().service("lambda")?.operation("invoke")
}

/// Calls a function. Once: what Lambda refuses or loses is the state's to retry.
pub(crate) async fn call(
    services: &Services,
    call: &Call,
    execution: &Execution,
) -> Result<Answer, TaskOutcome> {
    let operation = operation()
        .ok_or_else(|| refused_parameters(&call.parameters, "the catalog has no such operation"))?;
    let (input, bare) = match &call.resource {
        Resource::Lambda { arn } => (of_function(&operation, arn, &call.parameters), true),
        _ => (of_parameters(&operation, call)?, false),
    };
    let answer = match services.exchange(&operation, &input, call, execution).await {
        Err(failure) => return Err(failed(call, failure)),
        Ok(Err(failed)) => return Err(failure::outcome(STYLE, &operation, call, failed)),
        Ok(Ok(answer)) => answer,
    };
    check(&answer.response).map_err(|failure| failed(call, failure))?;
    let payload = payload(&answer.response.body);
    if bare {
        return Ok(Answer::Settled(TaskOutcome::Succeeded(payload)));
    }
    let text = |name: &str| answer.output.member(name).and_then(Node::text).map(Value::from);
    let members = [
        ("ExecutedVersion", text("ExecutedVersion")),
        ("LogResult", text("LogResult")),
        ("Payload", Some(payload)),
        ("StatusCode", Some(Value::from(u32::from(answer.response.status)))),
    ];
    let mut members: Map =
        members.into_iter().filter_map(|(name, value)| Some((Text::new_static(name), value?))).collect();
    metadata::add(&mut members, &answer.response, "lambda");
    members.sort_unstable_keys();
    Ok(accepted(call, Value::from(members)))
}

/// The Region in a function's ARN.
pub(crate) fn region(call: &Call) -> Option<&str> {
    let name = match &call.resource {
        Resource::Lambda { arn } => arn.as_str(),
        _ => call.parameters.get("FunctionName")?.as_str()?,
    };
    let region = name.strip_prefix("arn:")?.split(':').nth(2)?;
    (!region.is_empty()).then_some(region)
}

fn node(operation: &Operation, members: Vec<(&str, Node)>) -> Node {
    let shape = operation.input();
    let member = |name: &str| shape.and_then(|shape| shape.member(name));
    Node::Structure(members.into_iter().filter_map(|(name, node)| Some((member(name)?, node))).collect())
}

/// A Task whose `Resource` is a function: its input is the payload.
fn of_function(operation: &Operation, arn: &Text, input: &Value) -> Node {
    let payload = Node::Blob(input.to_json().into_bytes());
    node(operation, vec![("FunctionName", Node::Text(arn.clone())), ("Payload", payload)])
}

/// The parameters of `lambda:invoke`; members that are `null` count as absent.
fn of_parameters(operation: &Operation, call: &Call) -> Result<Node, TaskOutcome> {
    let refuse = |why: String| refused_parameters(&call.parameters, &why);
    let parameters = parameters(call)?;
    let mut members = vec![("Payload", Node::Blob(b"{}".to_vec()))];
    let mut has_name = false;
    for (name, value) in &parameters {
        let Some(known) = PARAMETERS.iter().find(|known| *known == name) else {
            return Err(refuse(format!("The field \"{name}\" is not supported by Step Functions")));
        };
        match value {
            Value::Null => {}
            value if *known == "Payload" => members[0].1 = Node::Blob(sent(value)),
            Value::String(text) => {
                has_name |= *known == "FunctionName" && !text.is_empty();
                members.push((known, Node::Text(text.clone())));
            }
            _ => return Err(refuse(format!("The value for the field '{name}' must be a string"))),
        }
    }
    if !has_name {
        return Err(refuse("The field \"FunctionName\" is required but was missing".to_owned()));
    }
    Ok(node(operation, members))
}

/// Text that is JSON is sent as it is, other text as a JSON string; `null` is `{}`.
/// Source: recorded payloads.
fn sent(payload: &Value) -> Vec<u8> {
    match payload {
        Value::String(text) if Value::parse(text).is_ok() => text.as_bytes().to_vec(),
        _ => payload.to_json().into_bytes(),
    }
}

/// What a function gave: JSON, else text.
fn payload(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    Value::parse(&text).unwrap_or_else(|_| Value::from(text.as_ref()))
}

/// A function that failed: its `errorType` is the error, its payload the cause.
fn check(response: &Response) -> Result<(), Failure> {
    if response.header("x-amz-function-error").is_none() {
        return Ok(());
    }
    let cause = String::from_utf8_lossy(&response.body);
    let payload = Value::parse(&cause).unwrap_or_default();
    let error = payload.get("errorType").and_then(Value::as_str).filter(|name| !name.is_empty());
    Err(match error {
        Some(error) => Failure::new(error, cause.as_ref()),
        None => Failure::new(
            "Lambda.Unknown",
            format!(
                "The cause could not be determined because Lambda did not return an error type. \
                 Returned payload: {cause}"
            ),
        ),
    })
}
