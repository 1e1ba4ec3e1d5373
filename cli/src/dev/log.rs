//! The log: what the server does, on standard error.

use std::io;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::args::{LogArg, LogFormat};
use crate::terminal::Style;

/// Crates of the project; of others, warnings are shown.
const OURS: [&str; 10] = [
    "stepwright",
    "driver",
    "engine",
    "front",
    "integrations",
    "journal",
    "ports",
    "ports_embedded",
    "proxy",
    "service",
];

/// Begins to log. Quiet keeps warnings and errors.
pub fn start(log: LogArg, quiet: bool, style: Style) {
    let Some(level) = log.level else { return };
    let level = if quiet { level.min(Level::WARN) } else { level };
    let others = level.min(Level::WARN);
    let filter = OURS
        .into_iter()
        .fold(Targets::new().with_default(LevelFilter::from_level(others)), |filter, name| {
            filter.with_target(name, level)
        });
    let layer = match log.format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
        LogFormat::Text => {
            fmt::layer().compact().with_ansi(style.color).with_target(false).with_writer(io::stderr).boxed()
        }
    };
    // A second start in one process keeps the first log.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
}
