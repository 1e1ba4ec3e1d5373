//! Optimized integrations: `arn:aws:states:::<service>:<action>`, as [`table`] describes them.

pub(crate) mod bedrock;
mod change;
pub(crate) mod events;
mod families;
pub(crate) mod job;
pub(crate) mod lambda;
pub(crate) mod metadata;
pub(crate) mod table;

use asl::state::{Pattern, Resource};
use aws_wire::catalog::{Operation, catalog};
use aws_wire::convention::{Optimized, arguments, output};
use aws_wire::node::Node;
use engine::{Call, Execution, Stage, TaskOutcome};
use integrations::Answer;
use model::error::Failure;
use model::json::{Map, Value};

use crate::Services;
use crate::failure::{not_started, refused_parameters};
use crate::own_api;
use crate::token::Tokens;
use table::{Action, Family};

/// The operation behind an optimized integration.
pub(crate) fn operation(family: &Family, name: &str) -> Option<Operation> {
    catalog().service(family.service)?.operation(name)
}

/// The pattern of a call.
pub(crate) fn pattern(call: &Call) -> Pattern {
    match &call.resource {
        Resource::Integration { pattern, .. } => *pattern,
        Resource::Lambda { .. } | Resource::Activity { .. } => Pattern::RequestResponse,
    }
}

/// What a call that was accepted comes to.
pub(crate) fn accepted(call: &Call, output: Value) -> Answer {
    match pattern(call) {
        Pattern::RequestResponse => Answer::Settled(TaskOutcome::Succeeded(output)),
        Pattern::Sync | Pattern::Sync2 | Pattern::WaitForTaskToken => Answer::Submitted(output),
    }
}

/// What a call that failed comes to.
pub(crate) fn failed(call: &Call, failure: Failure) -> TaskOutcome {
    let stage = match pattern(call) {
        Pattern::RequestResponse => Stage::Run,
        Pattern::Sync | Pattern::Sync2 | Pattern::WaitForTaskToken => Stage::Submit,
    };
    TaskOutcome::Failed { stage, failure }
}

/// A task's parameters, which have to be an object.
pub(crate) fn parameters(call: &Call) -> Result<Map, TaskOutcome> {
    match call.parameters.as_object() {
        Some(object) => Ok(object.clone().into_map()),
        None => Err(refused_parameters(&call.parameters, "The parameters must be an object")),
    }
}

/// Calls an integration of the table.
pub(crate) async fn call(
    services: &Services,
    (family, action): (&'static Family, &'static Action),
    call: &Call,
    execution: &Execution,
) -> Result<Answer, TaskOutcome> {
    let mut parameters = parameters(call)?;
    if let (Some(job), Pattern::Sync | Pattern::Sync2) = (&action.job, pattern(call)) {
        change::change(job.marks, &mut parameters, call);
    }
    if family.name == "events" {
        events::name_execution(&mut parameters, execution);
    }
    // By the names that the task has given: before anything is named otherwise.
    for lookup in change::lookups(action.parameters) {
        change::look_up(services, family, lookup, &mut parameters, call, execution).await?;
    }
    change::change(action.parameters, &mut parameters, call);
    let mut tokens = Tokens::of(call, execution);
    let operation = operation(family, action.operation)
        .ok_or_else(|| refused_parameters(&call.parameters, "the catalog has no such operation"))?;
    own_api::name(services, &operation, &mut parameters, &mut tokens);
    let input = input(&operation, action, parameters, call, &mut tokens)?;
    let answer = match services.send(&operation, &input, call, execution, family.style).await {
        Ok(answer) => answer,
        Err(outcome) => {
            let before = own_api::made_before(services, &operation, &outcome, call, execution).await;
            before.ok_or(outcome)?
        }
    };
    let given = output(&Optimized, operation.service(), answer.output);
    let mut members = given.as_object().map(|object| object.clone().into_map()).unwrap_or_default();
    change::change(action.result, &mut members, call);
    if family.metadata {
        metadata::add(&mut members, &answer.response, family.service);
    }
    members.sort_unstable_keys();
    let output = Value::from(members);
    if family.name == "events" {
        events::check(&output).map_err(|failure| failed(call, failure))?;
    }
    if let (Some(job), Pattern::Sync | Pattern::Sync2) = (&action.job, pattern(call)) {
        job::check_started(family, job, &output).map_err(|failure| failed(call, failure))?;
    }
    Ok(accepted(call, output))
}

/// The input of an operation; what is wrong with it has the names that the task has.
fn input(
    operation: &Operation,
    action: &Action,
    parameters: Map,
    call: &Call,
    tokens: &mut Tokens,
) -> Result<Node, TaskOutcome> {
    let parameters = Value::from(parameters);
    let input =
        arguments(&Optimized, operation.service(), operation.input(), &parameters, &mut || tokens.next());
    input.map_err(|problems| {
        let problems: Vec<_> =
            problems.into_iter().map(|problem| change::in_own_words(action.parameters, problem)).collect();
        not_started(&call.parameters, &problems)
    })
}
