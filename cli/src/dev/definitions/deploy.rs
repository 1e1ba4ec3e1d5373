//! The list of definitions as calls of the API.

use front::Answer;
use model::arn::{ActivityArn, Home, StateMachineArn};
use model::json::{Map, Value};

use super::Machine;
use crate::dev::api::Api;

/// What became of a state machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Created,
    /// It was there, and is another now.
    Updated,
    /// It was there already.
    Unchanged,
    /// The API refused it, for this reason.
    Refused(String),
}

/// Creates the state machine, or updates the one of its name.
pub async fn machine(api: &dyn Api, home: &Home, machine: &Machine) -> (String, Outcome) {
    let arn = match StateMachineArn::new(home, &machine.name) {
        Ok(arn) => arn.as_str().to_owned(),
        Err(error) => return (machine.name.clone(), Outcome::Refused(error.to_string())),
    };
    let outcome = match describe(api, &arn).await {
        Ok(None) => create(api, machine).await,
        Ok(Some(existing)) => update(api, machine, &arn, &existing).await,
        Err(refused) => Err(refused),
    };
    (arn, outcome.unwrap_or_else(Outcome::Refused))
}

/// Makes sure that the activity exists; its ARN, or why not.
pub async fn activity(api: &dyn Api, home: &Home, name: &str) -> Result<String, String> {
    let arn = ActivityArn::new(home, name).map_err(|error| error.to_string())?;
    call(api, "CreateActivity", object([("name", Some(name.into()))])).await?;
    Ok(arn.as_str().to_owned())
}

async fn describe(api: &dyn Api, arn: &str) -> Result<Option<Value>, String> {
    let answer = send(api, "DescribeStateMachine", object([("stateMachineArn", Some(arn.into()))])).await;
    if answer.error.as_deref() == Some("StateMachineDoesNotExist") {
        return Ok(None);
    }
    result(answer).map(Some)
}

async fn create(api: &dyn Api, machine: &Machine) -> Result<Outcome, String> {
    let body = object([
        ("name", Some(machine.name.as_str().into())),
        ("definition", Some(machine.definition.as_str().into())),
        ("roleArn", Some(machine.role_arn.as_str().into())),
        ("type", Some(type_name(machine).into())),
        ("loggingConfiguration", machine.logging.clone()),
        ("tracingConfiguration", machine.tracing.clone()),
        ("tags", tags(machine)),
    ]);
    call(api, "CreateStateMachine", body).await?;
    Ok(Outcome::Created)
}

async fn update(api: &dyn Api, machine: &Machine, arn: &str, existing: &Value) -> Result<Outcome, String> {
    let existing_type = existing.get("type").and_then(Value::as_str).unwrap_or("STANDARD");
    if existing_type != type_name(machine) {
        return Err(format!(
            "it exists as {existing_type}, and a type is for life: delete it with `aws stepfunctions \
             delete-state-machine`, or give the new one another name"
        ));
    }
    if let Some(tags) = tags(machine) {
        call(api, "TagResource", object([("resourceArn", Some(arn.into())), ("tags", Some(tags))])).await?;
    }
    let is = |name: &str, wanted: &str| existing.get(name).and_then(Value::as_str) == Some(wanted);
    let has = |name: &str, wanted: &Option<Value>| {
        wanted.as_ref().is_none_or(|wanted| existing.get(name).is_some_and(|found| contains(found, wanted)))
    };
    let is_same = is("definition", &machine.definition)
        && is("roleArn", &machine.role_arn)
        && has("loggingConfiguration", &machine.logging)
        && has("tracingConfiguration", &machine.tracing);
    if is_same {
        return Ok(Outcome::Unchanged);
    }
    let body = object([
        ("stateMachineArn", Some(arn.into())),
        ("definition", Some(machine.definition.as_str().into())),
        ("roleArn", Some(machine.role_arn.as_str().into())),
        ("loggingConfiguration", machine.logging.clone()),
        ("tracingConfiguration", machine.tracing.clone()),
    ]);
    call(api, "UpdateStateMachine", body).await?;
    Ok(Outcome::Updated)
}

fn type_name(machine: &Machine) -> &'static str {
    if machine.express { "EXPRESS" } else { "STANDARD" }
}

/// None when there are none: the API refuses an empty list where it must change something.
fn tags(machine: &Machine) -> Option<Value> {
    let tag = |(key, value): (&String, &String)| {
        object([("key", Some(key.as_str().into())), ("value", Some(value.as_str().into()))])
    };
    (!machine.tags.is_empty()).then(|| machine.tags.iter().map(tag).collect())
}

/// Whether everything that is wanted is there; the API adds defaults.
fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| found.get(name.as_str()).is_some_and(|found| contains(found, wanted))),
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found.iter().zip(wanted.iter()).all(|(found, wanted)| contains(found, wanted))
        }
        _ => found == wanted,
    }
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter().filter_map(|(name, value)| Some((name.into(), value?)));
    Value::from(members.collect::<Map>())
}

async fn call(api: &dyn Api, operation: &str, body: Value) -> Result<Value, String> {
    result(send(api, operation, body).await)
}

async fn send(api: &dyn Api, operation: &str, body: Value) -> Answer {
    api.call(operation, body.to_json().as_bytes()).await
}

fn result(answer: Answer) -> Result<Value, String> {
    let value = Value::parse(&answer.body).unwrap_or_default();
    if answer.status == 200 {
        return Ok(value);
    }
    let message = value.get("message").and_then(Value::as_str).unwrap_or("no reason was given");
    Err(match answer.error {
        Some(error) => format!("{error}: {message}"),
        None => message.to_owned(),
    })
}
