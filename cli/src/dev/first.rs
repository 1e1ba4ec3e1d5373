//! `--run`: one execution at the start, with live progress, as any client would start it.

use std::time::Duration;

use journal::execution::{Description, Executions, HistoryQuery};
use model::arn::{ExecutionArn, StateMachineArn};
use model::json::{Text, Value};
use model::status::ExecutionStatus;
use ports::Order;

use super::world::World;
use crate::exit::Exit;
use crate::pretty::to_pretty;
use crate::run::progress::Progress;
use crate::run::tree::Tree;
use crate::source::InputArg;
use crate::terminal::Style;

/// Time between two looks at the history.
const LOOK: Duration = Duration::from_millis(40);

/// Events read at once.
const PAGE: usize = 500;

/// Which execution is run at the start.
#[derive(Clone, Debug)]
pub struct First {
    /// Name of the state machine; a test case may follow `#`.
    pub machine: String,
    /// Its input: JSON, or `@` and a file.
    pub input: Option<String>,
}

/// Runs it to its end and shows it on standard error, its output on standard output.
pub async fn run(first: &First, world: &World, style: Style, quiet: bool) -> Result<Exit, String> {
    let input = match &first.input {
        Some(arg) => InputArg::of(arg).read().map_err(|error| error.to_string())?.1,
        None => "{}".to_owned(),
    };
    let home = world.executions.store().config().home.clone();
    let (name, case) = first.machine.split_once('#').unwrap_or((&first.machine, ""));
    let machine = StateMachineArn::new(&home, name).map_err(|error| error.to_string())?;
    let started = start(world, &machine, case, &input).await?;
    let described = describe(&world.executions, &started).await?;
    let definition =
        world.machines.get(&machine, &described.revision_id).await.map_err(|error| error.to_string())?;
    let mut progress = Progress::new(Tree::new(&definition), style, quiet);
    let mut ticks = tokio::time::interval(LOOK);
    let mut last = None;
    let ended = loop {
        ticks.tick().await;
        // First where it stands, then what happened: its last events are not missed.
        let described = describe(&world.executions, &started).await?;
        loop {
            let query =
                HistoryQuery { order: Order::Ascending, after: last, limit: PAGE, include_payloads: true };
            let page = world.executions.history(&started, &query).await.map_err(|error| error.to_string())?;
            let page = page.unwrap_or_default();
            for event in &page.events {
                progress.event(event);
                last = Some(event.id);
            }
            if !page.more {
                break;
            }
        }
        progress.tick(world.now());
        if described.status.is_terminal() {
            break described;
        }
    };
    progress.finish();
    if !quiet {
        eprintln!("{} {}", verdict(style, ended.status), started.as_str());
    }
    if let Some(output) = &ended.output {
        println!("{}", to_pretty(output));
    }
    if let (Some(error), false) = (&ended.failure.error, quiet) {
        let cause = ended.failure.cause.as_deref().unwrap_or_default();
        eprintln!("{}: {cause}", style.error(error));
    }
    Ok(match ended.status {
        ExecutionStatus::Succeeded => Exit::Success,
        ExecutionStatus::TimedOut => Exit::TimedOut,
        ExecutionStatus::Aborted => Exit::Aborted,
        _ => Exit::Failed,
    })
}

fn verdict(style: Style, status: ExecutionStatus) -> String {
    match status {
        ExecutionStatus::Succeeded => style.success(status.as_str()),
        _ => style.error(status.as_str()),
    }
}

async fn start(
    world: &World,
    machine: &StateMachineArn,
    case: &str,
    input: &str,
) -> Result<ExecutionArn, String> {
    let arn = match case {
        "" => machine.as_str().to_owned(),
        case => format!("{}#{case}", machine.as_str()),
    };
    let request: Value = [("stateMachineArn", arn.as_str()), ("input", input)]
        .into_iter()
        .map(|(name, value)| (Text::new_static(name), Value::from(value)))
        .collect();
    let answer = world.api.call("StartExecution", request.to_json().as_bytes()).await;
    let body = Value::parse(&answer.body).map_err(|error| error.to_string())?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match answer.error {
        None => ExecutionArn::parse(&text("executionArn")).map_err(|error| error.to_string()),
        Some(error) => {
            Err(format!("{} could not be started: {error}: {}", machine.as_str(), text("message")))
        }
    }
}

async fn describe(executions: &Executions, execution: &ExecutionArn) -> Result<Description, String> {
    let described = executions.describe(execution).await.map_err(|error| error.to_string())?;
    described.ok_or_else(|| format!("{} is gone", execution.as_str()))
}
