//! Kinds `execution` and `distributed`: an execution, compared by outcome, tasks, history and logs.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::Status;
use model::history::HistoryEvent;
use model::json::{Map, Text, Value};

use super::case::{Case, type_of};
use super::compare::{Comparison, Difference, with_cause_like, with_payloads_parsed};
use super::definition;
use super::logs;
use super::replay::{Replay, replay};

/// Replays and compares; the error is the first difference or what stood in the way.
///
/// A case of an Express workflow does not say whether StartExecution or StartSyncExecution began
/// it, and what an execution sees of itself depends on that: it agrees when one of them does.
pub fn run(json: &Value) -> Result<(), String> {
    let case = Case::parse(json)?;
    if !case.express {
        return replayed(case);
    }
    let mut synchronous = Case::parse(json)?;
    synchronous.execution.synchronous = true;
    replayed(case).or_else(|difference| replayed(synchronous).map_err(|_| difference))
}

fn replayed(case: Case) -> Result<(), String> {
    let case = Arc::new(case);
    let machine = definition::machine(&case.definition, case.express)?;
    let Replay { status, history, calls } = replay(&case, &machine)?;
    let seen = Seen { outcome: outcome(&status), events: history.iter().map(shown).collect(), calls };
    let mut comparison = Comparison { wildcards: case.wildcards.clone(), ..Comparison::default() };
    let compared =
        compare(&case, &seen, &mut comparison).and_then(|()| logged(&case, &history, &mut comparison));
    compared.map_err(|difference| difference.to_string())
}

/// What was seen of an execution.
pub struct Seen {
    /// `status`, `output`, `error` and `cause`, payloads as JSON.
    pub outcome: Value,
    /// The events as cases hold them: without their times, payloads as JSON.
    pub events: Vec<Value>,
    /// The calls that were answered: index into the case's tasks, and what was sent.
    pub calls: Vec<(usize, Value)>,
}

/// Compares outcome, tasks and history.
pub fn compare(case: &Case, seen: &Seen, comparison: &mut Comparison) -> Result<(), Difference> {
    let outcome = &seen.outcome;
    if case.expected.outcome.get("status") != outcome.get("status") {
        return Err(Difference::new("expected", &case.expected.outcome, outcome));
    }
    comparison.value(
        "expected",
        &case.expected.outcome,
        &with_cause_like(&case.expected.outcome, outcome),
    )?;
    tasks(case, &seen.calls, comparison)?;
    let Some(expected) = &case.expected.history else { return Ok(()) };
    contiguous(&seen.events)?;
    if case.nondeterministic {
        in_any_order(expected, &seen.events, comparison)
    } else {
        in_order(expected, &seen.events, comparison)
    }
}

/// Compares the records of the log group.
fn logged(case: &Case, history: &[HistoryEvent], comparison: &mut Comparison) -> Result<(), Difference> {
    if let (Some(expected), Some(logging)) = (&case.expected.logged, &case.logging) {
        let records = logs::records(history, logging, &case.execution.arn);
        list("expected.loggedEvents", expected, &records, |path, expected, got| {
            let details = expected
                .get("details")
                .map(|expected| with_cause_like(expected, got.get("details").unwrap_or(&Value::Null)));
            comparison.value(path, expected, &with_member(got, "details", details))
        })?;
    }
    Ok(())
}

/// The members of DescribeExecution that tell how it ended.
fn outcome(status: &Status) -> Value {
    let (status, output, failure) = match status {
        Status::Running => ("RUNNING", None, None),
        Status::Succeeded(output) => ("SUCCEEDED", Some(output.clone()), None),
        Status::Failed(failure) => ("FAILED", None, Some(failure)),
        Status::TimedOut => ("TIMED_OUT", None, None),
        Status::Aborted(failure) => ("ABORTED", None, Some(failure)),
    };
    let text = |text: Option<&Text>| text.cloned().map(Value::from);
    let members = [
        ("status", Some(status.into())),
        ("output", output),
        ("error", text(failure.and_then(|failure| failure.error.as_ref()))),
        ("cause", text(failure.and_then(|failure| failure.cause.as_ref()))),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn tasks(case: &Case, calls: &[(usize, Value)], comparison: &mut Comparison) -> Result<(), Difference> {
    let mut attempts = BTreeMap::<usize, usize>::new();
    for (task, parameters) in calls {
        *attempts.entry(*task).or_default() += 1;
        if let Some(expected) = &case.tasks[*task].parameters {
            comparison.value(&format!("tasks[{task}].parameters"), expected, parameters)?;
        }
    }
    for (at, task) in case.tasks.iter().enumerate() {
        let (recorded, made) = (task.attempts.len(), attempts.get(&at).copied().unwrap_or(0));
        if recorded != made {
            let path = format!("tasks[{at}].results");
            return Err(Difference::new(path, format!("{recorded} attempts"), format!("{made}")));
        }
    }
    Ok(())
}

/// Ids count 1..n, and every predecessor is an earlier event.
fn contiguous(events: &[Value]) -> Result<(), Difference> {
    for (at, event) in events.iter().enumerate() {
        let number = |name| event.get(name).and_then(Value::as_i64).unwrap_or(-1);
        let id = i64::try_from(at).unwrap_or(i64::MAX).saturating_add(1);
        if number("id") != id {
            return Err(Difference::new(format!("history[{at}].id"), id, number("id")));
        }
        let previous = number("previousEventId");
        if !(0..id).contains(&previous) {
            let path = format!("history[{at}].previousEventId");
            return Err(Difference::new(path, format!("less than {id}"), previous));
        }
    }
    Ok(())
}

fn in_order(expected: &[Value], events: &[Value], comparison: &mut Comparison) -> Result<(), Difference> {
    list("expected.history", expected, events, |path, expected, got| event(path, expected, got, comparison))
}

/// Compares two lists; a difference in length is told by the first item that only one of them has.
fn list(
    path: &str,
    expected: &[Value],
    got: &[Value],
    mut item: impl FnMut(&str, &Value, &Value) -> Result<(), Difference>,
) -> Result<(), Difference> {
    for (at, (expected, got)) in expected.iter().zip(got).enumerate() {
        item(&format!("{path}[{at}]"), expected, got)?;
    }
    let at = expected.len().min(got.len());
    let missing = |items: &[Value]| items.get(at).map_or("nothing".to_owned(), Value::to_json);
    if expected.len() == got.len() {
        Ok(())
    } else {
        Err(Difference::new(format!("{path}[{at}]"), missing(expected), missing(got)))
    }
}

fn event(path: &str, expected: &Value, got: &Value, comparison: &mut Comparison) -> Result<(), Difference> {
    if type_of(expected) != type_of(got) {
        return Err(Difference::new(path, expected, got));
    }
    let mut got = got.clone();
    for (name, details) in expected.as_object().iter().flat_map(|members| members.iter()) {
        if let (Value::Object(_), Some(found)) = (details, got.get(name)) {
            let found = with_cause_like(details, found);
            got = with_member(&got, name, Some(found));
        }
    }
    comparison.value(path, expected, &got)
}

/// Backtracking steps before events count as different.
const TRIES_MAX: u32 = 20_000;

/// The listed events all occur. A list that is shorter than its last id has lost events; of those
/// only the number is known.
fn in_any_order(recorded: &[Value], events: &[Value], comparison: &mut Comparison) -> Result<(), Difference> {
    let unplaced = |event: &Value| {
        let members = event.as_object().into_iter().flat_map(|members| members.iter());
        let kept = members.filter(|(name, _)| !matches!(name.as_str(), "id" | "previousEventId"));
        Value::from(kept.map(|(name, value)| (name.clone(), value.clone())).collect::<Map>())
    };
    let expected: Vec<Value> = recorded.iter().map(unplaced).collect();
    let got: Vec<Value> = events.iter().map(unplaced).collect();
    let recorded = events_recorded(recorded);
    if got.len() != recorded {
        return Err(Difference::new("expected.history", format!("{recorded} events"), got.len()));
    }
    let (mut used, mut tries) = (vec![false; got.len()], TRIES_MAX);
    matched(&expected, &got, &mut used, comparison, &mut tries)
}

fn events_recorded(recorded: &[Value]) -> usize {
    let ids = recorded.iter().filter_map(|event| event.get("id")?.as_i64());
    let last = ids.max().and_then(|id| usize::try_from(id).ok()).unwrap_or(0);
    last.max(recorded.len())
}

/// Finds an event for each expected one. The first difference that led to a dead end is the one
/// that is reported.
fn matched(
    expected: &[Value],
    got: &[Value],
    used: &mut [bool],
    comparison: &mut Comparison,
    tries: &mut u32,
) -> Result<(), Difference> {
    let Some((first, rest)) = expected.split_first() else { return Ok(()) };
    let mut difference = None;
    for at in 0..got.len() {
        if used[at] || type_of(first) != type_of(&got[at]) {
            continue;
        }
        let Some(left) = tries.checked_sub(1) else { break };
        *tries = left;
        let bindings = comparison.bindings.clone();
        used[at] = true;
        let result = event("expected.history[any]", first, &got[at], comparison)
            .and_then(|()| matched(rest, got, used, comparison, tries));
        match result {
            Ok(()) => return Ok(()),
            Err(found) => {
                difference = difference.or(Some(found));
                used[at] = false;
                comparison.bindings = bindings;
            }
        }
    }
    Err(difference.unwrap_or_else(|| Difference::new("expected.history[any]", first, "no such event")))
}

fn shown(event: &HistoryEvent) -> Value {
    without_time(&event.to_api(true))
}

/// An event of GetExecutionHistory as cases hold it: without its time, payloads as JSON.
pub fn without_time(event: &Value) -> Value {
    let Value::Object(members) = event else { return Value::Null };
    let members = members.iter().filter(|(name, _)| *name != "timestamp");
    let members = members.map(|(name, value)| (name.clone(), with_payloads_parsed(value)));
    Value::from(members.collect::<Map>())
}

fn with_member(object: &Value, name: &str, value: Option<Value>) -> Value {
    match (object, value) {
        (Value::Object(members), Some(value)) => {
            let mut members = Map::clone(members);
            members.insert(name.into(), value);
            members.into()
        }
        _ => object.clone(),
    }
}

#[cfg(test)]
mod tests {
    use model::history::{Event, MapIteration};
    use model::timestamp::Timestamp;

    use super::*;

    fn history(indices: &[u64]) -> Vec<HistoryEvent> {
        let event = |(at, index): (usize, &u64)| HistoryEvent {
            id: at as u64 + 1,
            previous_event_id: at as u64,
            timestamp: Timestamp::EPOCH,
            event: Event::MapIterationStarted(MapIteration { name: "M".into(), index: *index }),
        };
        indices.iter().enumerate().map(event).collect()
    }

    fn shown_all(history: &[HistoryEvent]) -> Vec<Value> {
        history.iter().map(shown).collect()
    }

    fn recorded(events: &[(i64, u64)]) -> Vec<Value> {
        let event = |(id, index): &(i64, u64)| {
            Value::parse(&format!(
                r#"{{"id":{id},"previousEventId":0,"type":"MapIterationStarted","mapIterationStartedEventDetails":{{"name":"M","index":{index}}}}}"#
            ))
        };
        events.iter().map(|recorded| event(recorded).unwrap()).collect()
    }

    #[test]
    fn any_order() {
        fn check(expected: &[(i64, u64)], got: &[u64], equal: bool) {
            let result =
                in_any_order(&recorded(expected), &shown_all(&history(got)), &mut Comparison::default());
            assert_eq!(result.is_ok(), equal, "{expected:?} against {got:?}: {result:?}");
        }
        check(&[(1, 0), (0, 1), (3, 2)], &[0, 1, 2], true);
        check(&[(1, 0), (0, 1), (3, 2)], &[2, 1, 0], true);
        check(&[(1, 0), (0, 1), (3, 2)], &[0, 1, 1], false);
        check(&[(1, 0), (0, 1), (3, 2)], &[0, 1], false);
        check(&[(1, 0), (0, 1), (3, 2)], &[0, 1, 2, 3], false);
        // The recording has lost an event: its ids reach to 4.
        check(&[(1, 0), (0, 1), (4, 2)], &[0, 1, 2, 9], true);
        check(&[(1, 0), (0, 1), (4, 2)], &[0, 1, 2], false);
    }

    #[test]
    fn in_order_compares_ids_and_links() {
        let shown = shown_all(&history(&[0, 1]));
        let events = shown.clone();
        assert_eq!(in_order(&shown, &events, &mut Comparison::default()), Ok(()));
        let moved = recorded(&[(1, 0), (2, 1)]);
        let difference = in_order(&moved, &events, &mut Comparison::default()).unwrap_err();
        assert_eq!(difference.path, "expected.history[1].previousEventId");
        let difference = in_order(&shown[..1], &events, &mut Comparison::default()).unwrap_err();
        assert_eq!(
            (difference.path.as_str(), difference.expected.as_str()),
            ("expected.history[1]", "nothing")
        );
    }

    #[test]
    fn ids_count_from_one_and_links_lead_back() {
        assert_eq!(contiguous(&shown_all(&history(&[0, 1, 2]))), Ok(()));
        let mut events = history(&[0, 1]);
        events[1].previous_event_id = 2;
        assert_eq!(contiguous(&shown_all(&events)).unwrap_err().path, "history[1].previousEventId");
        events[0].id = 7;
        assert_eq!(contiguous(&shown_all(&events)).unwrap_err().path, "history[0].id");
    }
}
