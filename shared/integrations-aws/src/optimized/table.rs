//! The optimized integrations as data: which operation each is, what differs from it, how its job is
//! followed.
//!
//! Source: developer guide, "Integrating services with Step Functions"; the states of jobs are those of
//! the services' models.

use super::families::{DATA, OTHER};
use crate::failure::Style;

/// The optimized integrations of a service.
#[derive(Debug)]
pub(crate) struct Family {
    /// As ARNs call it: `elasticmapreduce`.
    pub name: &'static str,
    /// As the catalog does: `emr`.
    pub service: &'static str,
    /// What its errors are called.
    pub style: Style,
    /// Whether results tell of the HTTP exchange.
    pub metadata: bool,
    /// What it offers.
    pub actions: &'static [Action],
}

/// An optimized integration.
#[derive(Debug)]
pub(crate) struct Action {
    /// As ARNs call it.
    pub name: &'static str,
    /// As the catalog does.
    pub operation: &'static str,
    /// What is done to the parameters, in this order.
    pub parameters: &'static [Change],
    /// What is done to the output, in this order.
    pub result: &'static [Change],
    /// How `.sync` follows what it starts.
    pub job: Option<Job>,
}

/// What is done to the members of an object.
#[derive(Debug)]
pub(crate) enum Change {
    /// A member gets another name.
    Rename(&'static str, &'static str),
    /// A member becomes the only element of a list of another name.
    Wrap(&'static str, &'static str),
    /// The first element of a list becomes a member of another name.
    First(&'static str, &'static str),
    /// A member that is absent or null is this text.
    Default(&'static str, &'static str),
    /// A member is one of the task's parameters.
    Argument(&'static str),
    /// An object among the members has a variable more in its `Environment`.
    Environment(&'static str, &'static str, &'static str),
    /// A member, which is the id that a service knows something by, is found by its name.
    Lookup(&'static Lookup),
}

/// How an id is found.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// The parameter that has the name.
    pub name: &'static str,
    /// The operation that lists what there is.
    pub operation: &'static str,
    /// Its argument, which is the parameter of that name.
    pub of: &'static str,
    /// The list in its output.
    pub list: &'static str,
    /// The parameter that the id goes into: the object, and the member of it.
    pub into: (&'static str, &'static str),
    /// Whether that is to be the only element of a list.
    pub listed: bool,
}

/// How a job is followed.
#[derive(Debug)]
pub(crate) struct Job {
    /// What is done to the parameters of a start that is followed, before anything else.
    pub marks: &'static [Change],
    /// What is asked.
    pub poll: Ask,
    /// Where in the answer the state of the job is.
    pub state: &'static str,
    /// States of jobs that have succeeded.
    pub succeeded: &'static [&'static str],
    /// States of jobs that have not.
    pub failed: &'static [&'static str],
    /// Whether it has succeeded when it is not there any more.
    pub ends_absent: bool,
    /// Whether all containers have to have ended with 0.
    pub exit_codes: bool,
    /// What of the answer is the result.
    pub result: Part,
    /// What ends the job.
    pub cancel: Option<Ask>,
    /// Whether it takes so long that it is asked for seldom.
    pub slow: bool,
}

/// An operation with its arguments.
#[derive(Debug)]
pub(crate) struct Ask {
    /// As the catalog calls it.
    pub operation: &'static str,
    /// What it is called with; what is not there is left out.
    pub arguments: &'static [(&'static str, From)],
}

/// Where an argument comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// The task's parameters.
    Argument(&'static str),
    /// The answer to the start.
    Answer(&'static str),
    /// The same, as the only element of a list.
    AnswerList(&'static str),
    /// A text.
    Text(&'static str),
}

/// A part of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// All of it but for these members.
    Without(&'static [&'static str]),
    /// All of it, and a member of the answer to the start.
    WholeAnd(&'static str),
    /// What is at this path.
    At(&'static str),
    /// An object with what is at this path under this name.
    Under(&'static str, &'static str),
}

/// The optimized integration of a name.
pub(crate) fn find(service: &str, action: &str) -> Option<(&'static Family, &'static Action)> {
    let family = DATA.iter().chain(OTHER).find(|family| family.name == service)?;
    let action = family.actions.iter().find(|known| known.name == action)?;
    Some((family, action))
}

/// All of them.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = &'static Family> {
    DATA.iter().chain(OTHER)
}
