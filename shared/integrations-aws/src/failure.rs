//! What a call that failed is called, and what is said to it.

use asl::state::Resource;
use aws_client::Failed;
use aws_wire::catalog::{Operation, Service};
use aws_wire::convention::Problem;
use aws_wire::name::{exception, member as member_name};
use aws_wire::protocol::{Refusal, Unwritable};
use engine::{Call, Stage, TaskOutcome};
use model::error::{DATA_LIMIT_EXCEEDED, Failure, RUNTIME};
use model::json::Value;

use crate::optimized;

/// What the errors of a service are called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// As the AWS SDK for Java 2 has them: those of SDK integrations, and of the newer optimized ones.
    Second {
        /// What errors begin with: `DynamoDb`.
        prefix: &'static str,
    },
    /// As its first version has them.
    First {
        /// What errors begin with: `DynamoDB`.
        prefix: &'static str,
        /// Errors that the model does not know: `AmazonDynamoDBException`.
        base: &'static str,
        /// What causes call the service: `AmazonDynamoDBv2`.
        service: &'static str,
    },
}

impl Style {
    /// That of a service's SDK integration.
    pub fn of(service: &'static Service) -> Style {
        Style::Second { prefix: service.prefix }
    }

    /// What its errors begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Style::Second { prefix } | Style::First { prefix, .. } => prefix,
        }
    }

    /// The failure of a call.
    pub fn failure(self, failed: Failed) -> Failure {
        let client = |cause: String| Failure::new(format!("{}.SdkClientException", self.prefix()), cause);
        match failed {
            Failed::Refused { refusal, attempts } => self.refused(refusal, attempts),
            Failed::Unwritable(why) => client(format!("Unable to make the HTTP request: {why}")),
            Failed::Unsendable(why) => client(format!("Unable to make the HTTP request: {why}")),
            Failed::NoAnswer(why) | Failed::TooLarge(why) => {
                client(format!("Unable to execute HTTP request: {why}"))
            }
            Failed::Unreadable(why) => client(format!("Unable to unmarshall response ({why})")),
        }
    }

    fn refused(self, refusal: Refusal, attempts: u32) -> Failure {
        let Refusal { code, modelled, message, status, request_id, extended_request_id } = refusal;
        let message = message.map(|message| format!("{message} ")).unwrap_or_default();
        let request_id = request_id.unwrap_or_else(|| "null".to_owned());
        match self {
            Style::Second { prefix } => {
                let name =
                    modelled.map_or_else(|| format!("{prefix}Exception"), |known| exception(known.shape));
                let extended = extended_request_id.map(|id| format!(", Extended Request ID: {id}"));
                let extended = extended.unwrap_or_default();
                let cause = format!(
                    "{message}(Service: {prefix}, Status Code: {status}, Request ID: {request_id}{extended}) \
                     (SDK Attempt Count: {attempts})"
                );
                Failure::new(format!("{prefix}.{name}"), cause)
            }
            Style::First { prefix, base, service } => {
                let code = if code.is_empty() { "Unknown" } else { &code };
                let suffix = if code.ends_with("Exception") { "" } else { "Exception" };
                let error = match modelled {
                    Some(_) => format!("{prefix}.{code}{suffix}"),
                    None => format!("{prefix}.{base}"),
                };
                let cause = format!(
                    "{message}(Service: {service}; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
                );
                Failure::new(error, cause)
            }
        }
    }
}

/// The outcome of a task whose call failed.
pub(crate) fn outcome(style: Style, operation: &Operation, call: &Call, failed: Failed) -> TaskOutcome {
    match failed {
        Failed::Unwritable(Unwritable { name, expected }) => {
            let member = operation.input().and_then(|input| input.member(&name));
            let name = member.map_or(name, |member| member_name(member.name).into_owned());
            not_started(&call.parameters, &[Problem::Wrong { name, expected }])
        }
        Failed::TooLarge(_) => optimized::failed(call, too_large(&call.resource)),
        failed => optimized::failed(call, style.failure(failed)),
    }
}

/// What the engine says to a result beyond the limit, which this would be if it were read.
fn too_large(resource: &Resource) -> Failure {
    let task = match resource {
        Resource::Lambda { arn } | Resource::Activity { arn } => arn,
        Resource::Integration { service, .. } => service,
    };
    let cause = format!(
        "The state/task '{task}' returned a result with a size exceeding the maximum number of bytes service limit."
    );
    Failure::new(DATA_LIMIT_EXCEEDED, cause)
}

/// The outcome of a task that cannot be started with its parameters.
pub(crate) fn not_started(parameters: &Value, problems: &[Problem]) -> TaskOutcome {
    let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
    refused_parameters(parameters, &problems.join(", "))
}

/// The same, for a reason in words.
pub(crate) fn refused_parameters(parameters: &Value, why: &str) -> TaskOutcome {
    let cause =
        format!("The Parameters '{}' could not be used to start the Task: [{why}]", parameters.to_json());
    TaskOutcome::Failed { stage: Stage::Start, failure: Failure::new(RUNTIME, cause) }
}
