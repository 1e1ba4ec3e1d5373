//! Kind `api`: sequences of calls, against a server of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::json::{Map, Text, Value};
use model::timestamp::Timestamp;
use tokio::runtime::Builder;

use super::case::Case;
use super::compare::{Comparison, with_payloads_parsed};
use super::lost::{Answers, map_strings};
use super::served::{Served, clock};
use super::wildcard::Wildcards;
use crate::scene::{Answered, Ports};

/// Runs a sequence; the error is the first difference. Tasks are performed as in the execution of
/// the same name in `corpus`, where there is one: the two were recorded at once.
pub fn run(json: &Value, corpus: &Path) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    runtime.block_on(sequence(json, corpus))
}

async fn sequence(json: &Value, corpus: &Path) -> Result<(), String> {
    let steps = json.get("steps").and_then(Value::as_array).ok_or("the case has no `steps`")?;
    let wildcards = Wildcards::parse(json.get("placeholders").and_then(Value::as_object))?;
    let mut comparison = Comparison { wildcards, ..Comparison::default() };
    let served = Served::start(tasks(json, corpus)?, Ports::memory(clock())).await?;
    let (mut answers, mut names) = (Answers::default(), Names::default());
    for (at, step) in steps.iter().enumerate() {
        let rest = &steps[at + 1..];
        let operation = step.get("operation").and_then(Value::as_str).ok_or("a step has no operation")?;
        let recorded = step.get("request").ok_or("a step has no request")?;
        let reformatted = is_other_text(&steps[..at], step);
        let hints: Vec<String> = steps[at..]
            .iter()
            .filter_map(|step| step.get("expected"))
            .map(|hint| comparison.filled(hint))
            .collect();
        let request = names.sent(&as_sent(&answers.fill(recorded, &hints), reformatted));
        tokio::time::sleep(BETWEEN_CALLS).await;
        let answered = served.scene.call(operation, &request).await?;
        if answered.status == 200 {
            answers.learn(&answered.body);
            if operation == "StartExecution" {
                names.learn(recorded, step, rest, &answered.body);
            }
        }
        let path = format!("steps[{at}] {operation}");
        match step.get("expected") {
            Some(expected) => compare(&path, expected, &answered, &names, &mut comparison)?,
            None if answered.status != 200 => return Err(format!("{path}: refused with {}", answered.body)),
            None if is_read(operation) => settle(&served, &request, rest).await?,
            None => {}
        }
    }
    served.outside.problem().map_or(Ok(()), Err)
}

fn tasks(json: &Value, corpus: &Path) -> Result<Option<Arc<Case>>, String> {
    let name = json.get("name").and_then(Value::as_str).ok_or("the case has no name")?;
    let Ok(text) = std::fs::read_to_string(corpus.join("execution").join(format!("{name}.json"))) else {
        return Ok(None);
    };
    let json = Value::parse(&text).map_err(|error| format!("the execution {name} is not JSON: {error}"))?;
    Case::parse(&json).map(|case| Some(Arc::new(case)))
}

/// Cases hold definitions as JSON values, so that two texts of one value look alike. They were
/// different where a state machine was created twice by equal requests and the second was refused.
fn is_other_text(before: &[Value], step: &Value) -> bool {
    let same =
        |earlier: &Value| ["operation", "request"].iter().all(|name| earlier.get(name) == step.get(name));
    step.get("expected").is_some_and(|expected| expected.get("error").is_some())
        && step.get("operation").and_then(Value::as_str) == Some("CreateStateMachine")
        && before.iter().any(same)
}

/// Definitions are text on the wire, one of many for each value.
fn as_sent(request: &Value, reformatted: bool) -> Value {
    let Value::Object(members) = request else { return request.clone() };
    let members = members.iter().map(|(name, value)| match (name.as_str(), value) {
        ("definition", Value::Object(_)) => {
            let text = value.to_json();
            (name.clone(), if reformatted { format!(" {text}\n").into() } else { text.into() })
        }
        _ => (name.clone(), value.clone()),
    });
    members.collect::<Map>().into()
}

/// The names that the service gave to executions, and what the recording calls them.
#[derive(Default)]
struct Names(Vec<(String, String)>);

impl Names {
    /// An execution was started: when the request did not name it, the recording does so where
    /// its ARN is first met.
    fn learn(&mut self, request: &Value, step: &Value, rest: &[Value], answer: &Value) {
        if request.get("name").is_some() {
            return;
        }
        let arn = |value: &Value| value.get("executionArn").and_then(Value::as_str).map(str::to_owned);
        let expected = step.get("expected").and_then(|expected| arn(expected.get("response")?));
        let machine = request.get("stateMachineArn").and_then(Value::as_str).unwrap_or_default();
        let unknown = |arn: &String| {
            let name = last(arn);
            !name.contains('<') && !self.0.iter().any(|(_, recorded)| recorded == name)
        };
        let later = rest.iter().filter_map(|step| arn(step.get("request")?));
        let mut later = later.filter(|arn| of_machine(arn, machine));
        let recorded = expected.into_iter().find(unknown).or_else(|| later.find(unknown));
        if let (Some(recorded), Some(real)) = (recorded, arn(answer)) {
            self.0.push((last(&real).to_owned(), last(&recorded).to_owned()));
        }
    }

    /// A request with the names that the service knows.
    fn sent(&self, request: &Value) -> Value {
        let renamed = |text: &str| {
            let (head, name) = text.rsplit_once(':')?;
            let (real, _) = self.0.iter().find(|(_, recorded)| recorded == name)?;
            text.contains(":execution:").then(|| format!("{head}:{real}").into())
        };
        map_strings(request, &renamed)
    }

    /// An answer with the names of the recording.
    fn recorded(&self, answer: &Value) -> Value {
        map_strings(answer, &|text| {
            let known = self.0.iter().filter(|(real, _)| text.contains(real.as_str()));
            let renamed = known.fold(text.to_owned(), |text, (real, recorded)| text.replace(real, recorded));
            (renamed != text).then(|| renamed.into())
        })
    }
}

fn last(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

/// Whether an execution's ARN names this state machine, or a version or an alias of it.
fn of_machine(execution: &str, machine: &str) -> bool {
    execution.split(':').nth(6).is_some_and(|name| machine.split(':').nth(6) == Some(name))
}

fn is_read(operation: &str) -> bool {
    ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb))
}

/// How far apart calls are: what they begin has a time of its own.
const BETWEEN_CALLS: Duration = Duration::from_millis(10);
/// How long whoever polls waits for what comes.
const PATIENCE: Duration = Duration::from_secs(600);
/// The same when the execution is to be met while it runs.
const PATIENCE_WHILE_OPEN: Duration = Duration::from_secs(2);

/// A call without an expectation that reads was repeated until something had happened: time passes
/// until the execution has ended, or as long as a caller may have waited.
async fn settle(served: &Served, request: &Value, rest: &[Value]) -> Result<(), String> {
    let meets_it_open = rest.iter().any(|step| {
        step.get("operation").and_then(Value::as_str) == Some("StopExecution")
            && step.get("expected").is_none_or(|expected| expected.get("error").is_none())
    });
    let patience = if meets_it_open { PATIENCE_WHILE_OPEN } else { PATIENCE };
    let arn = request.get("executionArn").cloned();
    let until: Timestamp =
        served.scene.clock.now().plus_millis(i64::try_from(patience.as_millis()).unwrap_or(0));
    while served.scene.clock.now() < until {
        if let Some(arn) = &arn {
            let request: Value = [("executionArn", arn.clone())].into_iter().collect();
            let described = served.scene.call("DescribeExecution", &request).await?;
            if described.body.get("status").and_then(Value::as_str) != Some("RUNNING") {
                return Ok(());
            }
        }
        tokio::time::sleep(patience / 100).await;
    }
    Ok(())
}

/// Compares an answer with what was recorded.
fn compare(
    path: &str,
    expected: &Value,
    answered: &Answered,
    names: &Names,
    comparison: &mut Comparison,
) -> Result<(), String> {
    let body = names.recorded(&answered.body);
    let Some(error) = expected.get("error") else {
        if answered.status != 200 {
            return Err(format!("{path}: refused with {body}"));
        }
        let nothing = Value::object();
        let expected = expected.get("response").unwrap_or(&nothing);
        let path = format!("{path}: response");
        return comparison.value(&path, expected, &as_recorded(&body)).map_err(|found| found.to_string());
    };
    if answered.status == 200 {
        return Err(format!("{path}: expected the error {error}, got {body}"));
    }
    if error.get("clientSide").and_then(Value::as_bool) == Some(true) {
        return Ok(());
    }
    let message = body.get("message").cloned();
    let code = answered.code().map(Value::from);
    let status = Some(Value::from(i64::from(answered.status)));
    for (name, got) in [("code", code), ("message", message), ("httpStatus", status)] {
        let got = got.unwrap_or(Value::Null);
        if let Some(expected) = error.get(name) {
            let path = format!("{path}: error.{name}");
            comparison.value(&path, expected, &got).map_err(|found| found.to_string())?;
        }
    }
    Ok(())
}

/// An answer as cases hold it: text that is JSON as JSON.
fn as_recorded(body: &Value) -> Value {
    let Value::Object(members) = body else { return body.clone() };
    let members = members.iter().map(|(name, value)| {
        let shown = match (name.as_str(), value) {
            ("definition" | "input" | "output", Value::String(text)) => Value::parse(text).ok(),
            ("events", Value::Array(events)) => Some(events.iter().map(with_details_parsed).collect()),
            _ => None,
        };
        (name.clone(), shown.unwrap_or_else(|| value.clone()))
    });
    members.collect::<Map>().into()
}

fn with_details_parsed(event: &Value) -> Value {
    let Value::Object(members) = event else { return event.clone() };
    let members =
        members.iter().map(|(name, value): (&Text, &Value)| (name.clone(), with_payloads_parsed(value)));
    members.collect::<Map>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Value {
        Value::parse(text).unwrap()
    }

    #[test]
    fn names_that_the_service_chose_are_those_of_the_recording() {
        const EXECUTION: &str = "arn:aws:states:us-east-1:1:execution:m:";
        let mut names = Names::default();
        let start = json(r#"{"stateMachineArn":"arn:aws:states:us-east-1:1:stateMachine:m"}"#);
        let rest = [
            json(&format!(r#"{{"request":{{"executionArn":"{EXECUTION}a"}}}}"#)),
            json(r#"{"request":{"executionArn":"arn:aws:states:us-east-1:1:execution:other:x"}}"#),
            json(&format!(r#"{{"request":{{"executionArn":"{EXECUTION}b"}}}}"#)),
        ];
        for real in ["uuid-1", "uuid-2"] {
            let answer = json(&format!(r#"{{"executionArn":"{EXECUTION}{real}"}}"#));
            names.learn(&start, &json("{}"), &rest, &answer);
        }
        let pairs: Vec<(&str, &str)> =
            names.0.iter().map(|(real, recorded)| (&**real, &**recorded)).collect();
        assert_eq!(pairs, [("uuid-1", "a"), ("uuid-2", "b")]);
        let sent = names.sent(&json(&format!(r#"{{"executionArn":"{EXECUTION}b","name":"b"}}"#)));
        assert_eq!(sent, json(&format!(r#"{{"executionArn":"{EXECUTION}uuid-2","name":"b"}}"#)));
        let answer = names.recorded(&json(r#"{"name":"uuid-1","message":"no 'x:uuid-2'","n":1}"#));
        assert_eq!(answer, json(r#"{"name":"a","message":"no 'x:b'","n":1}"#));
    }

    #[test]
    fn errors_are_compared_by_code_message_and_status() {
        fn check(expected: &str, status: u16, body: &str, agrees: bool) {
            let answered = Answered { status, body: json(body) };
            let result =
                compare("step", &json(expected), &answered, &Names::default(), &mut Comparison::default());
            assert_eq!(result.is_ok(), agrees, "{expected} against {status} {body}: {result:?}");
        }
        let body = r#"{"__type":"a.b#InvalidArn","message":"m"}"#;
        check(r#"{"error":{"code":"InvalidArn","message":"m","httpStatus":400}}"#, 400, body, true);
        check(r#"{"error":{"code":"InvalidArn","message":"other"}}"#, 400, body, false);
        check(r#"{"error":{"code":"InvalidName","message":"m"}}"#, 400, body, false);
        check(r#"{"error":{"code":"InvalidArn","message":"m","httpStatus":409}}"#, 400, body, false);
        check(r#"{"error":{}}"#, 400, body, true);
        check(r#"{"error":{}}"#, 200, "{}", false);
        check(
            r#"{"error":{"code":"ParamValidationError","message":"?","clientSide":true}}"#,
            400,
            body,
            true,
        );
        check(r#"{"response":{}}"#, 400, body, false);
        check(r#"{"response":{"definition":{"a":1}}}"#, 200, r#"{"definition":"{\"a\": 1}"}"#, true);
        check(r#"{"response":{"a":1}}"#, 200, r#"{"a":1,"b":2}"#, false);
    }
}
