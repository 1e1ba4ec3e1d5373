//! What is done to parameters and results, see [`Change`].

use aws_wire::convention::{Optimized, Problem, arguments, output};
use engine::{Call, Execution, TaskOutcome};
use model::json::{Map, Value};

use super::table::{Change, Family, Lookup};
use super::{operation, refused_parameters};
use crate::Services;
use crate::failure::not_started;

/// Changes the members of an object. `call`: whose parameters or result they are.
pub(crate) fn change(changes: &[Change], members: &mut Map, call: &Call) {
    for change in changes {
        match change {
            Change::Rename(from, to) => {
                if let Some(value) = members.shift_remove(*from) {
                    members.insert((*to).into(), value);
                }
            }
            Change::Wrap(from, to) => {
                if let Some(value) = members.shift_remove(*from) {
                    members.insert((*to).into(), Value::from(vec![value]));
                }
            }
            Change::First(from, to) => {
                let list = members.shift_remove(*from);
                let first = list.as_ref().and_then(Value::as_array).and_then(|list| list.first()).cloned();
                if let Some(first) = first {
                    members.insert((*to).into(), first);
                }
            }
            Change::Default(name, text) => {
                if members.get(*name).is_none_or(Value::is_null) {
                    members.insert((*name).into(), Value::from(*text));
                }
            }
            Change::Argument(name) => {
                if let Some(value) = call.parameters.get(name) {
                    members.insert((*name).into(), value.clone());
                }
            }
            Change::Environment(object, name, value) => mark(members, object, name, value),
            // Needs a call of its own.
            Change::Lookup(_) => {}
        }
    }
}

/// Adds a variable to the environment that is part of an object.
fn mark(members: &mut Map, object: &str, name: &str, value: &str) {
    let mut of = match members.get(object) {
        None | Some(Value::Null) => Map::default(),
        Some(Value::Object(of)) => of.clone().into_map(),
        // Wrong, which is said to whoever gave it.
        Some(_) => return,
    };
    let mut variables = match of.get("Environment") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(variables)) => variables.clone().into_vec(),
        Some(_) => return,
    };
    variables.push([("Name", Value::from(name)), ("Value", Value::from(value))].into_iter().collect());
    of.insert("Environment".into(), Value::from(variables));
    members.insert(object.into(), Value::from(of));
}

/// The ids that have to be found by their names.
pub(crate) fn lookups(changes: &'static [Change]) -> impl Iterator<Item = &'static Lookup> {
    changes.iter().filter_map(|change| match change {
        Change::Lookup(lookup) => Some(*lookup),
        _ => None,
    })
}

/// Finds an id, and puts it where it belongs.
pub(crate) async fn look_up(
    services: &Services,
    family: &'static Family,
    lookup: &Lookup,
    parameters: &mut Map,
    call: &Call,
    execution: &Execution,
) -> Result<(), TaskOutcome> {
    let missing = |name: &str| not_started(&call.parameters, &[Problem::Missing(name.to_owned())]);
    let name = parameters.shift_remove(lookup.name).ok_or_else(|| missing(lookup.name))?;
    let of = parameters.get(lookup.of).cloned().ok_or_else(|| missing(lookup.of))?;
    let (object, member) = lookup.into;
    let mut into = match parameters.get(object) {
        Some(Value::Object(into)) => into.clone().into_map(),
        _ => return Err(missing(object)),
    };
    let found = list(services, family, lookup, of, call, execution).await?;
    let is_meant = |listed: &&Value| listed.get("Name") == Some(&name);
    let Some(id) = found.iter().find(is_meant).and_then(|listed| listed.get("Id")) else {
        let why = format!("There is no {} with the name {}", object, name.to_json());
        return Err(refused_parameters(&call.parameters, &why));
    };
    into.insert(member.into(), id.clone());
    let into = Value::from(into);
    let into = if lookup.listed { Value::from(vec![into]) } else { into };
    parameters.insert(object.into(), into);
    Ok(())
}

/// Pages that are read at most: a cluster has 48 groups, and a page has them all.
const PAGES_MAX: usize = 16;

/// Everything that there is, page by page.
async fn list(
    services: &Services,
    family: &'static Family,
    lookup: &Lookup,
    of: Value,
    call: &Call,
    execution: &Execution,
) -> Result<Vec<Value>, TaskOutcome> {
    let operation = operation(family, lookup.operation)
        .ok_or_else(|| refused_parameters(&call.parameters, "the catalog has no such operation"))?;
    let service = operation.service();
    let (mut found, mut marker) = (Vec::new(), Value::Null);
    for _ in 0..PAGES_MAX {
        let parameters: Value = [(lookup.of, of.clone()), ("Marker", marker)].into_iter().collect();
        let input = arguments(&Optimized, service, operation.input(), &parameters, &mut String::new)
            .map_err(|problems| not_started(&call.parameters, &problems))?;
        let answer = services.send(&operation, &input, call, execution, family.style).await?;
        let page = output(&Optimized, service, answer.output);
        let listed = page.get(lookup.list).and_then(Value::as_array);
        found.extend(listed.into_iter().flat_map(|listed| listed.iter().cloned()));
        marker = page.get("Marker").cloned().unwrap_or_default();
        if marker.is_null() {
            break;
        }
    }
    Ok(found)
}

/// A problem with parameters that were changed, in the names that they had.
pub(crate) fn in_own_words(changes: &[Change], problem: Problem) -> Problem {
    let own = |name: String| {
        let before = changes.iter().find_map(|change| match change {
            Change::Rename(from, to) | Change::Wrap(from, to) if *to == name => Some((*from).to_owned()),
            _ => None,
        });
        before.unwrap_or(name)
    };
    match problem {
        Problem::Unsupported(name) => Problem::Unsupported(own(name)),
        Problem::Missing(name) => Problem::Missing(own(name)),
        Problem::Wrong { name, expected } => Problem::Wrong { name: own(name), expected },
    }
}
