//! What functions log: JSON lines, which CloudWatch Logs takes apart.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Crates of the project; of others, warnings are shown.
const OURS: [&str; 7] = ["bootstrap", "driver", "engine", "integrations", "journal", "ports_aws", "service"];

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(LevelFilter);

impl Default for LogLevel {
    fn default() -> LogLevel {
        LogLevel(LevelFilter::INFO)
    }
}

impl LogLevel {
    /// What [`LogLevel::parse`] takes.
    pub const EXPECTED: &'static str = "off, error, warn, info, debug or trace";

    /// A level by its name.
    pub fn parse(text: &str) -> Option<LogLevel> {
        Some(LogLevel(match text {
            "off" => LevelFilter::OFF,
            "error" => LevelFilter::ERROR,
            "warn" => LevelFilter::WARN,
            "info" => LevelFilter::INFO,
            "debug" => LevelFilter::DEBUG,
            "trace" => LevelFilter::TRACE,
            _ => return None,
        }))
    }

    /// Begins to log.
    pub fn start(self) {
        let others = self.0.min(LevelFilter::WARN);
        let filter = OURS
            .into_iter()
            .fold(Targets::new().with_default(others), |filter, name| filter.with_target(name, self.0));
        let layer = fmt::layer().json().flatten_event(true).with_writer(io::stderr).with_filter(filter);
        // Only a test starts a second log in one process, and keeps the first.
        let _ = tracing_subscriber::registry().with(layer).try_init();
    }
}
