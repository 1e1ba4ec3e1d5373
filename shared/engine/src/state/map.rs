use asl::state::{Items, Map, StateKind};
use model::history::{Event, MapIteration, MapStateStarted};
use model::json::{Array, Value};

use crate::failure::Raised;
use crate::interpreter::Interpreter;
use crate::scope::StateScope;
use crate::snapshot::{Frame, FrameId, MapRun, Phase};
use crate::state::field::whole;

pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, map: &Map) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    if map.distributed.is_some() {
        return Err(scope.runtime("A Map whose ProcessorConfig has the Mode DISTRIBUTED cannot be run yet."));
    }
    let effective = scope.effective_input(&map.flow)?;
    let scope = scope.with_input(&effective);
    let concurrency = match &map.max_concurrency {
        Some(field) => whole(&scope, field, "MaxConcurrency", 0)?,
        None => 0,
    };
    let items = items(&scope, map)?;
    let previous = i.frame(id).last_event;
    let started = i.emit(previous, Event::MapStateStarted(MapStateStarted { length: items.len() as u64 }));
    let limit = i.env.limits.inline_map_concurrency_max.map_or(usize::MAX, |max| max as usize);
    let concurrency = match usize::try_from(concurrency) {
        Ok(0) | Err(_) => limit,
        Ok(n) => n.min(limit),
    };
    let run = MapRun {
        outputs: vec![Value::Null; items.len()],
        items: Value::Array(items),
        next: 0,
        children: Vec::new(),
        concurrency,
        started_event: started,
    };
    let frame = i.frame_mut(id);
    frame.last_event = started;
    frame.phase = Phase::Map(run);
    start_iterations(i, id, started, started);
    Ok(())
}

fn items(scope: &StateScope<'_>, map: &Map) -> Result<Array, Raised> {
    let value = match &map.items {
        Items::Input if scope.is_jsonata() => match query::Scope::input(scope) {
            Value::Array(items) => return Ok(items.clone()),
            other => {
                return Err(scope
                    .evaluation_failed(format!("Map state input must be an array but was: {other}"), None));
            }
        },
        Items::Query(expression) => match scope.query(expression, || "Items".to_owned())? {
            Value::Array(items) => return Ok(items),
            other => return Err(scope.unexpected_type(expression, "Items", "array", &other)),
        },
        Items::Template(template) => match scope.template(template, "Items")? {
            Value::Array(items) => return Ok(items),
            other => {
                let detail = format!("The field 'Items' must be an array but was: {other}");
                return Err(scope.evaluation_failed(detail, Some("Items".to_owned())));
            }
        },
        Items::Input => query::Scope::input(scope).clone(),
        Items::Path(path) => scope.path(path)?,
    };
    match value {
        Value::Array(items) => Ok(items),
        // Recorded for TestState: a path into the context is shown as if it began at its root.
        _ => {
            let path = match &map.items {
                Items::Path(path) => path.source_from_root(),
                _ => "$".to_owned(),
            };
            Err(scope.runtime(format!("Reference path \"{path}\" must point to array.")))
        }
    }
}

/// Starts as many iterations as may run; `previous` is the event that made room for them.
/// With nothing left to do, the state ends after `ended`.
fn start_iterations(i: &mut Interpreter<'_>, id: FrameId, previous: u64, ended: u64) {
    loop {
        let Phase::Map(run) = &mut i.frame_mut(id).phase else { return };
        let all_started = run.next >= run.outputs.len();
        if all_started && run.children.is_empty() {
            return complete(i, id, ended);
        }
        if all_started || run.children.len() >= run.concurrency {
            return;
        }
        let index = run.next;
        run.next += 1;
        if let Err(raised) = start_iteration(i, id, index, previous) {
            let last = i.frame(id).last_event;
            iteration_failed(i, id, index, last);
            return i.fail(id, Raised { inner: true, ..raised });
        }
    }
}

fn start_iteration(i: &mut Interpreter<'_>, id: FrameId, index: usize, previous: u64) -> Result<(), Raised> {
    let state = i.state(id);
    let StateKind::Map(map) = &state.kind else { return Ok(()) };
    let Phase::Map(run) = &i.frame(id).phase else { return Ok(()) };
    let Some(item) = run.items.as_array().and_then(|items| items.get(index)).cloned() else {
        // Only when a payload was moved elsewhere and not put back: wrong results would be worse.
        let raw = i.frame(id).input.clone();
        let detail = format!("The item {index} of the Map is missing in the stored execution.");
        return Err(StateScope::of(i, id, &raw).runtime(detail));
    };
    let iteration = MapIteration { name: state.name.clone(), index: index as u64 };
    let started = i.emit(previous, Event::MapIterationStarted(iteration));
    let input = match &map.item_selector {
        None => item.clone(),
        Some(selector) => {
            let raw = i.frame(id).input.clone();
            let scope = StateScope::of(i, id, &raw);
            let effective = scope.effective_input(&map.flow)?;
            let input =
                scope.with_input(&effective).with_item(index, &item).template(selector, "ItemSelector")?;
            if !i.within_payload_limit(&input) {
                return Err(Raised::data_limit_exceeded(&state.name));
            }
            input
        }
    };
    let start_at = i.machine.scope(map.processor).start_at;
    let mut frame = Frame::new(map.processor, Some((id, index)), start_at, input, started);
    frame.item = Some(item);
    let child = i.snapshot.frames.insert(frame);
    i.snapshot.ready.push_back(child);
    if let Phase::Map(run) = &mut i.frame_mut(id).phase {
        run.children.push((index, child));
    }
    Ok(())
}

/// Iteration `index` ended with `output`; `last` is its newest event.
pub(crate) fn iteration_ended(i: &mut Interpreter<'_>, id: FrameId, index: usize, output: Value, last: u64) {
    let name = i.state(id).name.clone();
    let ended = i.emit(last, Event::MapIterationSucceeded(MapIteration { name, index: index as u64 }));
    if let Phase::Map(run) = &mut i.frame_mut(id).phase {
        run.outputs[index] = output;
        run.children.retain(|(running, _)| *running != index);
    }
    // Recorded: the next iteration follows the last inner event, the end of the state the
    // iteration's own.
    start_iterations(i, id, last, ended);
}

fn complete(i: &mut Interpreter<'_>, id: FrameId, last: u64) {
    let Phase::Map(run) = &mut i.frame_mut(id).phase else { return };
    let result = Value::from(std::mem::take(&mut run.outputs));
    // Succeeded and Exited name the same predecessor.
    i.frame_mut(id).last_event = last;
    i.emit(last, Event::MapStateSucceeded);
    let StateKind::Map(map) = &i.state(id).kind else { return };
    let raw = i.frame(id).input.clone();
    match StateScope::of(i, id, &raw).leave(&map.flow, &result) {
        Ok((output, assigned)) => i.exit(id, output, assigned, map.transition),
        Err(raised) => i.fail(id, raised),
    }
}

/// Iteration `index` failed after its event `last`: the others are given up.
pub(crate) fn iteration_failed(i: &mut Interpreter<'_>, id: FrameId, index: usize, last: u64) {
    let name = i.state(id).name.clone();
    i.emit(last, Event::MapIterationFailed(MapIteration { name, index: index as u64 }));
    abort(i, id, Some(index));
}

/// Gives up the iterations that run. The one that failed has its event already.
pub(crate) fn abort(i: &mut Interpreter<'_>, id: FrameId, failed: Option<usize>) {
    let name = i.state(id).name.clone();
    let Phase::Map(run) = &mut i.frame_mut(id).phase else { return };
    for (index, child) in std::mem::take(&mut run.children) {
        if Some(index) == failed {
            i.remove_tree(child);
            continue;
        }
        let last = i.frame(child).last_event;
        super::parallel::abort_frame(i, child);
        i.emit(last, Event::MapIterationAborted(MapIteration { name: name.clone(), index: index as u64 }));
    }
}
