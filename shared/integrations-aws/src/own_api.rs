//! Tasks that call Step Functions where that is this installation: without a network, and an execution
//! that a task starts is started once.

use aws_client::{Answer, Failed};
use aws_wire::catalog::{Operation, TimestampFormat};
use aws_wire::node::Node;
use aws_wire::protocol::{Response, refusal, request, result};
use aws_wire::timestamp::Timestamp as Time;
use engine::{Call, Execution, TaskOutcome};
use integrations::{OwnApi, Waits};
use model::json::{Map, Value};
use model::timestamp::Timestamp;

use crate::Services;
use crate::token::Tokens;

/// Performs an operation as if it had been sent.
pub(crate) async fn call(
    own: &dyn OwnApi,
    operation: &Operation,
    input: &Node,
    call: &Call,
    execution: &Execution,
    now: Timestamp,
) -> Result<Answer, Failed> {
    let request = request(operation, input).map_err(Failed::Unwritable)?;
    let waits = call.resource.starts_job().then(|| Waits { execution: &execution.arn, effect: call.effect });
    let answered = own.perform(operation.name, &request.body, waits).await;
    let date = Time::from_seconds(now.millis() as f64 / 1_000.0).map(|at| at.format(TimestampFormat::Rfc822));
    let headers = [
        ("x-amzn-RequestId", Some(answered.request_id.to_string())),
        ("connection", Some("keep-alive".to_owned())),
        ("x-amzn-ErrorType", answered.error.map(str::to_owned)),
        ("Content-Length", Some(answered.body.len().to_string())),
        ("Date", date),
        ("Content-Type", Some("application/x-amz-json-1.0".to_owned())),
    ];
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let response =
        Response { status: answered.status, headers: headers.collect(), body: answered.body.into_bytes() };
    if !(200..300).contains(&response.status) {
        return Err(Failed::Refused { refusal: refusal(operation.service(), &response), attempts: 1 });
    }
    match result(operation, &response) {
        Ok(output) => Ok(Answer { output, response }),
        Err(error) => Err(Failed::Unreadable(error.to_string())),
    }
}

/// Whether a call that is made again starts the same execution: it has a name that follows from the task.
pub(crate) fn is_named(services: &Services, operation: &Operation, call: &Call) -> bool {
    let own_name = call.parameters.get("Name").is_some_and(|name| !name.is_null());
    operation.name == "StartExecution" && !own_name && services.own_for(operation).is_some()
}

/// Names an execution that nobody has named.
pub(crate) fn name(services: &Services, operation: &Operation, parameters: &mut Map, tokens: &mut Tokens) {
    let is_start = operation.name == "StartExecution" && services.own_for(operation).is_some();
    if is_start && parameters.get("Name").is_none_or(Value::is_null) {
        parameters.insert("Name".into(), tokens.next().into());
    }
}

/// What a start answered that was made before, for a task that has made it again: the name that it has
/// given is nobody else's.
pub(crate) async fn made_before(
    services: &Services,
    operation: &Operation,
    outcome: &TaskOutcome,
    call: &Call,
    execution: &Execution,
) -> Option<Answer> {
    let TaskOutcome::Failed { failure, .. } = outcome else { return None };
    let is_there = failure.error.as_deref() == Some("StepFunctions.ExecutionAlreadyExistsException");
    if !is_there || !is_named(services, operation, call) {
        return None;
    }
    let arn = failure.cause.as_deref()?.split('\'').nth(1)?;
    let describe = operation.service().operation("describeExecution")?;
    let member = describe.input()?.member("executionArn")?;
    let input = Node::Structure(vec![(member, Node::Text(arn.into()))]);
    let described = services.exchange(&describe, &input, call, execution).await.ok()?.ok()?;
    let told = described.output.members().iter();
    let told = told.filter(|(member, _)| matches!(member.name, "executionArn" | "startDate"));
    Some(Answer { output: Node::Structure(told.cloned().collect()), response: described.response })
}
