//! What an event says: one struct per details object of the API, and its rendering.
//!
//! Payloads are values here. [`Details::render`] turns them into JSON text, as the API carries
//! them, and only then: recording an event copies nothing.

use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::json::{Map, Text, Value};

/// Rendering as the `…EventDetails` object of GetExecutionHistory. Without execution data the
/// payloads are left out; names, ARNs, errors and causes stay.
pub(super) trait Details {
    fn render(&self, include_execution_data: bool) -> Value;
}

/// `activityScheduledEventDetails`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityScheduled {
    /// ARN of the activity.
    pub resource: Text,
    /// What the worker will be given.
    #[serde(with = "payload")]
    pub input: Value,
    /// `TimeoutSeconds` of the state, when it has one.
    #[serde(default)]
    pub timeout_in_seconds: Option<i64>,
    /// `HeartbeatSeconds` of the state, when it has one.
    #[serde(default)]
    pub heartbeat_in_seconds: Option<i64>,
}

/// `activityStartedEventDetails`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityStarted {
    /// The `workerName` of GetActivityTask, when the worker gave one.
    #[serde(default)]
    pub worker_name: Option<Text>,
}

/// `evaluationFailedEventDetails`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationFailed {
    /// [`crate::error::QUERY_EVALUATION_ERROR`].
    pub error: Text,
    /// What went wrong.
    pub cause: Text,
    /// The field that holds the expression, such as `Output/FunctionResult`; absent when the
    /// failure belongs to no expression.
    #[serde(default)]
    pub location: Option<Text>,
    /// Name of the state.
    pub state: Text,
}

/// `executionRedrivenEventDetails`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionRedriven {
    /// How often the execution has been redriven, this time included.
    pub redrive_count: u32,
}

/// `executionStartedEventDetails`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecutionStarted {
    /// The execution's input.
    #[serde(with = "payload")]
    pub input: Value,
    /// The role of the state machine.
    pub role_arn: Text,
    /// The alias that the execution was started through.
    #[serde(default)]
    pub state_machine_alias_arn: Option<Text>,
    /// The version that runs.
    #[serde(default)]
    pub state_machine_version_arn: Option<Text>,
}

/// `lambdaFunctionScheduledEventDetails`: a Task whose Resource is a function's ARN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LambdaFunctionScheduled {
    /// ARN of the function.
    pub resource: Text,
    /// What the function will be given.
    #[serde(with = "payload")]
    pub input: Value,
    /// `TimeoutSeconds` of the state, when it has one.
    #[serde(default)]
    pub timeout_in_seconds: Option<i64>,
    /// The role of the state's `Credentials`.
    #[serde(default)]
    pub task_credentials: Option<TaskCredentials>,
}

/// `mapIterationStartedEventDetails` and its three kin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapIteration {
    /// Name of the Map state.
    pub name: Text,
    /// Number of the item, from 0.
    pub index: u64,
}

/// `mapRunRedrivenEventDetails`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRunRedriven {
    /// ARN of the Map Run.
    pub map_run_arn: Text,
    /// How often the Map Run has been redriven, this time included.
    pub redrive_count: u32,
}

/// `mapRunStartedEventDetails`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapRunStarted {
    /// ARN of the Map Run.
    pub map_run_arn: Text,
}

/// `mapStateStartedEventDetails`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapStateStarted {
    /// How many items there are.
    pub length: u64,
}

/// `executionSucceededEventDetails`, `lambdaFunctionSucceededEventDetails` and
/// `activitySucceededEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The result.
    #[serde(with = "payload")]
    pub output: Value,
}

/// `stateEnteredEventDetails`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateEntered {
    /// Name of the state.
    pub name: Text,
    /// What the state was given, before `InputPath`.
    #[serde(with = "payload")]
    pub input: Value,
}

/// `stateExitedEventDetails`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateExited {
    /// Name of the state.
    pub name: Text,
    /// What the next state is given.
    #[serde(with = "payload")]
    pub output: Value,
    /// The variables that `Assign` set: an object, by name; `None` when the state assigned nothing.
    #[serde(default, with = "optional_payload")]
    pub assigned_variables: Option<Value>,
}

/// `taskCredentials` of a scheduled task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCredentials {
    /// The role that the task assumes.
    pub role_arn: Text,
}

/// `taskFailedEventDetails`, `taskTimedOutEventDetails`, `taskStartFailedEventDetails` and
/// `taskSubmitFailedEventDetails`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailed {
    /// The service: `sqs`, `aws-sdk:s3`.
    pub resource_type: Text,
    /// The action with its pattern: `sendMessage.waitForTaskToken`.
    pub resource: Text,
    /// The error name.
    #[serde(default)]
    pub error: Option<Text>,
    /// The explanation.
    #[serde(default)]
    pub cause: Option<Text>,
}

/// `taskSubmittedEventDetails` and `taskSucceededEventDetails`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskOutput {
    /// The service.
    pub resource_type: Text,
    /// The action with its pattern.
    pub resource: Text,
    /// The answer to the call, or the result of the task.
    #[serde(with = "payload")]
    pub output: Value,
}

/// `taskScheduledEventDetails`: a Task that calls a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskScheduled {
    /// The service.
    pub resource_type: Text,
    /// The action with its pattern.
    pub resource: Text,
    /// The Region of the call.
    pub region: Text,
    /// The arguments of the call.
    #[serde(with = "payload")]
    pub parameters: Value,
    /// `TimeoutSeconds` of the state, when it has one.
    #[serde(default)]
    pub timeout_in_seconds: Option<i64>,
    /// `HeartbeatSeconds` of the state, when it has one.
    #[serde(default)]
    pub heartbeat_in_seconds: Option<i64>,
    /// The role of the state's `Credentials`.
    #[serde(default)]
    pub task_credentials: Option<TaskCredentials>,
}

/// `taskStartedEventDetails`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStarted {
    /// The service.
    pub resource_type: Text,
    /// The action with its pattern.
    pub resource: Text,
}

impl Details for ActivityScheduled {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("resource", &self.resource)
            .payload("input", "inputDetails", &self.input)
            .optional_number("timeoutInSeconds", self.timeout_in_seconds)
            .optional_number("heartbeatInSeconds", self.heartbeat_in_seconds)
            .done()
    }
}

impl Details for ActivityStarted {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data).optional_text("workerName", &self.worker_name).done()
    }
}

impl Details for EvaluationFailed {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("error", &self.error)
            .text("cause", &self.cause)
            .optional_text("location", &self.location)
            .text("state", &self.state)
            .done()
    }
}

impl Details for ExecutionRedriven {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data).number("redriveCount", self.redrive_count.into()).done()
    }
}

impl Details for ExecutionStarted {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .payload("input", "inputDetails", &self.input)
            .text("roleArn", &self.role_arn)
            .optional_text("stateMachineAliasArn", &self.state_machine_alias_arn)
            .optional_text("stateMachineVersionArn", &self.state_machine_version_arn)
            .done()
    }
}

impl Details for Failure {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .optional_text("error", &self.error)
            .optional_text("cause", &self.cause)
            .done()
    }
}

impl Details for LambdaFunctionScheduled {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("resource", &self.resource)
            .payload("input", "inputDetails", &self.input)
            .optional_number("timeoutInSeconds", self.timeout_in_seconds)
            .credentials(&self.task_credentials)
            .done()
    }
}

impl Details for MapIteration {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data).text("name", &self.name).count("index", self.index).done()
    }
}

impl Details for MapRunRedriven {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("mapRunArn", &self.map_run_arn)
            .number("redriveCount", self.redrive_count.into())
            .done()
    }
}

impl Details for MapRunStarted {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data).text("mapRunArn", &self.map_run_arn).done()
    }
}

impl Details for MapStateStarted {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data).count("length", self.length).done()
    }
}

impl Details for Output {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data).payload("output", "outputDetails", &self.output).done()
    }
}

impl Details for StateEntered {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("name", &self.name)
            .payload("input", "inputDetails", &self.input)
            .done()
    }
}

impl Details for StateExited {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("name", &self.name)
            .payload("output", "outputDetails", &self.output)
            .variables(self.assigned_variables.as_ref())
            .done()
    }
}

impl Details for TaskFailed {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("resourceType", &self.resource_type)
            .text("resource", &self.resource)
            .optional_text("error", &self.error)
            .optional_text("cause", &self.cause)
            .done()
    }
}

impl Details for TaskOutput {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("resourceType", &self.resource_type)
            .text("resource", &self.resource)
            .payload("output", "outputDetails", &self.output)
            .done()
    }
}

impl Details for TaskScheduled {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("resourceType", &self.resource_type)
            .text("resource", &self.resource)
            .text("region", &self.region)
            .bare_payload("parameters", &self.parameters)
            .optional_number("timeoutInSeconds", self.timeout_in_seconds)
            .optional_number("heartbeatInSeconds", self.heartbeat_in_seconds)
            .credentials(&self.task_credentials)
            .done()
    }
}

impl Details for TaskStarted {
    fn render(&self, include_execution_data: bool) -> Value {
        Members::new(include_execution_data)
            .text("resourceType", &self.resource_type)
            .text("resource", &self.resource)
            .done()
    }
}

/// An object in the making.
struct Members {
    map: Map,
    include_execution_data: bool,
}

impl Members {
    fn new(include_execution_data: bool) -> Members {
        Members { map: Map::default(), include_execution_data }
    }

    fn done(self) -> Value {
        self.map.into()
    }

    fn with(mut self, name: &'static str, value: Value) -> Members {
        self.map.insert(Text::new_static(name), value);
        self
    }

    fn text(self, name: &'static str, text: &Text) -> Members {
        self.with(name, text.clone().into())
    }

    fn optional_text(self, name: &'static str, text: &Option<Text>) -> Members {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    fn number(self, name: &'static str, number: i64) -> Members {
        self.with(name, number.into())
    }

    fn optional_number(self, name: &'static str, number: Option<i64>) -> Members {
        match number {
            Some(number) => self.number(name, number),
            None => self,
        }
    }

    fn count(self, name: &'static str, count: u64) -> Members {
        self.number(name, i64::try_from(count).unwrap_or(i64::MAX))
    }

    fn credentials(self, credentials: &Option<TaskCredentials>) -> Members {
        match credentials {
            Some(TaskCredentials { role_arn }) => {
                let credentials = [("roleArn", Value::from(role_arn.clone()))];
                self.with("taskCredentials", credentials.into_iter().collect())
            }
            None => self,
        }
    }

    /// JSON text, without the member that tells whether it was cut.
    fn bare_payload(self, name: &'static str, payload: &Value) -> Members {
        if self.include_execution_data { self.with(name, payload.to_json().into()) } else { self }
    }

    fn payload(self, name: &'static str, details: &'static str, payload: &Value) -> Members {
        if self.include_execution_data {
            self.bare_payload(name, payload).with(details, not_truncated())
        } else {
            self
        }
    }

    fn variables(self, variables: Option<&Value>) -> Members {
        match variables.and_then(Value::as_object) {
            Some(variables) if self.include_execution_data => {
                let texts =
                    variables.iter().map(|(name, value)| (name.clone(), Value::from(value.to_json())));
                let texts = texts.collect();
                self.with("assignedVariables", texts).with("assignedVariablesDetails", not_truncated())
            }
            _ => self,
        }
    }
}

/// API answers always carry the whole payload.
fn not_truncated() -> Value {
    [("truncated", Value::Bool(false))].into_iter().collect()
}

/// A payload is stored as its JSON text. Nested in the record it would be read by the parser of
/// the record's format, and those have narrower bounds than the service: fewer levels, and
/// integers of 64 bits only.
mod payload {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::json::{Text, Value};

    pub(super) fn serialize<S: Serializer>(payload: &Value, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&payload.to_json())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        Value::parse(&Text::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// As [`payload`], for one that may be absent.
mod optional_payload {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::json::{Text, Value};

    pub(super) fn serialize<S: Serializer>(
        payload: &Option<Value>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        payload.as_ref().map(Value::to_json).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
        let Some(text) = Option::<Text>::deserialize(deserializer)? else { return Ok(None) };
        Value::parse(&text).map(Some).map_err(D::Error::custom)
    }
}
