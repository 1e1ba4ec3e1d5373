//! SDK integrations: `arn:aws:states:::aws-sdk:<service>:<action>`.

use aws_wire::catalog::{Operation, catalog};
use aws_wire::convention::{Sdk, arguments, output};
use aws_wire::node::Node;
use engine::{Call, TaskOutcome};
use model::json::Value;

use crate::failure::{Style, not_started};
use crate::token::Tokens;

/// The operation that an SDK integration is, if there is one that Step Functions offers: for
/// [`asl::Options`], too.
pub fn operation(service: &str, action: &str) -> Option<Operation> {
    catalog().service(service)?.operation(action).filter(|operation| !operation.excluded())
}

/// The input of an operation from a task's parameters.
pub(crate) fn input(operation: &Operation, call: &Call, tokens: &mut Tokens) -> Result<Node, TaskOutcome> {
    let service = operation.service();
    let parameters = &call.parameters;
    arguments(&Sdk::of(service), service, operation.input(), parameters, &mut || tokens.next())
        .map_err(|problems| not_started(parameters, &problems))
}

/// The result of a task from an operation's output.
pub(crate) fn result(operation: &Operation, given: Node) -> Value {
    let service = operation.service();
    output(&Sdk::of(service), service, given)
}

/// What the errors of an operation are called.
pub(crate) fn style(operation: &Operation) -> Style {
    Style::of(operation.service())
}
