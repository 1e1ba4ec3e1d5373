//! `bedrock:invokeModel`: any JSON goes in and comes out, or an object in S3 does.
//!
//! Source: developer guide, "Invoke and customize Amazon Bedrock models with Step Functions".

use aws_wire::catalog::{Operation, catalog};
use aws_wire::convention::{Optimized, Problem, arguments};
use aws_wire::node::Node;
use engine::{Call, Execution, TaskOutcome};
use integrations::Answer;
use model::json::{Map, Value};

use super::{accepted, parameters};
use crate::Services;
use crate::failure::{Style, not_started, refused_parameters};

/// What its errors are called.
pub(crate) const STYLE: Style = Style::Second { prefix: "BedrockRuntime" };

/// The operation.
pub(crate) fn operation() -> Option<Operation> {
    catalog().service("bedrockruntime")?.operation("invokeModel")
}

/// Invokes a model.
pub(crate) async fn call(
    services: &Services,
    call: &Call,
    execution: &Execution,
) -> Result<Answer, TaskOutcome> {
    let unknown = || refused_parameters(&call.parameters, "the catalog has no such operation");
    let operation = operation().ok_or_else(unknown)?;
    let mut parameters = parameters(call)?;
    let from = parameters.shift_remove("Input");
    let to = parameters.shift_remove("Output");
    let body = parameters.shift_remove("Body").filter(|body| !body.is_null());
    let body = match (body, from) {
        (Some(_), Some(_)) => {
            let why = "only one of the fields \"Body\" and \"Input\" can be given";
            return Err(refused_parameters(&call.parameters, why));
        }
        (Some(body), None) => body.to_json().into_bytes(),
        (None, Some(from)) => {
            let object = object_of(call, &from, "Input")?;
            fetched(services, call, execution, object).await?
        }
        (None, None) => return Err(not_started(&call.parameters, &[Problem::Missing("Body".to_owned())])),
    };
    let service = operation.service();
    let given = Value::from(parameters);
    let input = arguments(&Optimized, service, operation.input(), &given, &mut String::new)
        .map_err(|problems| not_started(&call.parameters, &problems))?;
    let Node::Structure(mut members) = input else { return Err(unknown()) };
    members.extend(
        operation.input().and_then(|shape| shape.member("body")).map(|body_of| (body_of, Node::Blob(body))),
    );
    let to = to.map(|to| object_of(call, &to, "Output")).transpose()?;
    let answer = services.send(&operation, &Node::Structure(members), call, execution, STYLE).await?;
    let content_type = answer.response.header("content-type").unwrap_or("application/json").to_owned();
    let body = match to {
        Some(object) => {
            let place = object.uri.clone();
            stored(services, call, execution, object, answer.response.body, &content_type).await?;
            place
        }
        None => {
            let text = String::from_utf8_lossy(&answer.response.body);
            Value::parse(&text).unwrap_or_else(|_| Value::from(text.as_ref()))
        }
    };
    let members: Map =
        [("Body".into(), body), ("ContentType".into(), Value::from(content_type))].into_iter().collect();
    Ok(accepted(call, Value::from(members)))
}

/// An object in S3.
struct Object {
    bucket: String,
    key: String,
    uri: Value,
}

fn object_of(call: &Call, of: &Value, field: &str) -> Result<Object, TaskOutcome> {
    let uri = of.get("S3Uri").cloned().unwrap_or_default();
    let split = |uri: &str| {
        let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| (bucket.to_owned(), key.to_owned()))
    };
    match uri.as_str().and_then(split) {
        Some((bucket, key)) => Ok(Object { bucket, key, uri }),
        None => {
            let why = format!("The value for the field '{field}.S3Uri' must be s3://bucket/key");
            Err(refused_parameters(&call.parameters, &why))
        }
    }
}

/// An operation of S3, with its members but for the body.
fn of_s3(action: &str, object: &Object) -> Option<(Operation, Node)> {
    let operation = catalog().service("s3")?.operation(action)?;
    let shape = operation.input()?;
    let members = [("Bucket", &object.bucket), ("Key", &object.key)]
        .map(|(name, text)| Some((shape.member(name)?, Node::Text(text.as_str().into()))));
    Some((operation, Node::Structure(members.into_iter().flatten().collect())))
}

const S3: Style = Style::Second { prefix: "S3" };

async fn fetched(
    services: &Services,
    call: &Call,
    execution: &Execution,
    object: Object,
) -> Result<Vec<u8>, TaskOutcome> {
    let unknown = || refused_parameters(&call.parameters, "the catalog has no such operation");
    let (operation, input) = of_s3("getObject", &object).ok_or_else(unknown)?;
    let answer = services.send(&operation, &input, call, execution, S3).await?;
    Ok(answer.response.body)
}

async fn stored(
    services: &Services,
    call: &Call,
    execution: &Execution,
    object: Object,
    body: Vec<u8>,
    content_type: &str,
) -> Result<(), TaskOutcome> {
    let unknown = || refused_parameters(&call.parameters, "the catalog has no such operation");
    let (operation, input) = of_s3("putObject", &object).ok_or_else(unknown)?;
    let Node::Structure(mut members) = input else { return Err(unknown()) };
    let shape = operation.input();
    let member = |name: &str| shape.and_then(|shape| shape.member(name));
    members.extend(member("Body").map(|member| (member, Node::Blob(body))));
    members.extend(member("ContentType").map(|member| (member, Node::Text(content_type.into()))));
    services.send(&operation, &Node::Structure(members), call, execution, S3).await.map(|_| ())
}
