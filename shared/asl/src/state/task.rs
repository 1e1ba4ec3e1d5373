use model::json::Text;

use super::{Catcher, Flow, Resource, Retrier, Transition};
use crate::template::Field;

/// Calls something outside.
#[derive(Clone, Debug)]
pub struct Task {
    /// Data flow; `Parameters` or `Arguments` are what the call gets.
    pub flow: Flow,
    /// `Resource`.
    pub resource: Resource,
    /// `Credentials`.
    pub credentials: Option<Credentials>,
    /// `TimeoutSeconds` or `TimeoutSecondsPath`, 1–99999999. Absent: none.
    pub timeout_seconds: Option<Field<i64>>,
    /// `HeartbeatSeconds` or `HeartbeatSecondsPath`, less than the timeout. Absent: none.
    pub heartbeat_seconds: Option<Field<i64>>,
    /// `Retry`.
    pub retry: Vec<Retrier>,
    /// `Catch`.
    pub catch: Vec<Catcher>,
    /// `Next` or `End`.
    pub transition: Transition,
}

/// `Credentials`: the role that the call is made with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `RoleArn`, `RoleArn.$`, or JSONata.
    pub role_arn: Field<Text>,
}
