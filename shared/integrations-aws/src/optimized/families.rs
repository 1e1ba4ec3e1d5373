//! The optimized integrations, family by family.

mod data;
mod other;

use super::table::{Action, Ask, From, Job, Part};

pub(crate) use data::DATA;
pub(crate) use other::OTHER;

/// The reason that is given for what Step Functions ends.
const REASON: &str = "The task has ended in AWS Step Functions";

const PLAIN: Action = Action { name: "", operation: "", parameters: &[], result: &[], job: None };

/// An action that is the operation of its name.
const fn plain(name: &'static str) -> Action {
    Action { name, operation: name, ..PLAIN }
}

/// An action that starts a job.
const fn starts(name: &'static str, job: Job) -> Action {
    Action { name, operation: name, job: Some(job), ..PLAIN }
}

const JOB: Job = Job {
    marks: &[],
    poll: Ask { operation: "", arguments: &[] },
    state: "",
    succeeded: &[],
    failed: &[],
    ends_absent: false,
    exit_codes: false,
    result: Part::Whole,
    cancel: None,
    slow: false,
};

const fn ask(operation: &'static str, arguments: &'static [(&'static str, From)]) -> Ask {
    Ask { operation, arguments }
}
