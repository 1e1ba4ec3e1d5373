//! Requests and answers as JSON: members read with their types, constraints checked as the
//! service checks them.
//!
//! A member of the wrong type is a SerializationException, and comes before everything else.
//! Broken constraints are gathered, and make one ValidationException. Unknown members are
//! ignored; a member that is `null` is absent.

mod answer;
mod members;
mod rule;
#[cfg(test)]
mod tests;

pub(crate) use answer::Answer;
pub(crate) use members::{Members, read};
pub(crate) use rule::{ARN, NAME, Rule, long_arn, page_token, payload, text, words};
