use model::json::Text;

use crate::machine::StateId;
use crate::template::{Assign, Placement, Template};

/// An element of `Retry`.
#[derive(Clone, Debug)]
pub struct Retrier {
    /// `ErrorEquals`, not empty; `States.ALL` stands alone and last.
    pub error_equals: Vec<Text>,
    /// `IntervalSeconds`, 1–99999999, default 1.
    pub interval_seconds: i64,
    /// `MaxAttempts`, 0–99999999, default 3.
    pub max_attempts: u32,
    /// `BackoffRate`, at least 1.0, default 2.0.
    pub backoff_rate: f64,
    /// `MaxDelaySeconds`, 1–31622400.
    pub max_delay_seconds: Option<i64>,
    /// `JitterStrategy`.
    pub jitter: Jitter,
}

/// `JitterStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Jitter {
    /// `NONE`, the default.
    #[default]
    None,
    /// `FULL`: uniform between nothing and the delay.
    Full,
}

/// An element of `Catch`.
#[derive(Clone, Debug)]
pub struct Catcher {
    /// `ErrorEquals`, not empty.
    pub error_equals: Vec<Text>,
    /// JSONPath `ResultPath`.
    pub result_path: Placement,
    /// JSONata `Output`.
    pub output: Option<Template>,
    /// `Assign`.
    pub assign: Assign,
    /// `Next`.
    pub next: StateId,
}
