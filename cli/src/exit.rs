//! Exit codes. Scripts depend on them: a number keeps its meaning.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The execution succeeded; the definitions are clean, or have warnings alone.
    Success,
    /// The execution failed; `check` found errors.
    Failed,
    /// The command line, or a file that it names, cannot be used. Nothing was run.
    Usage,
    /// The definition is invalid. Nothing was run.
    InvalidDefinition,
    /// The execution ran out of its `TimeoutSeconds`.
    TimedOut,
    /// The execution was stopped: Ctrl-C or `--time-limit`.
    Aborted,
    /// The execution ended, but its results could not be written.
    Output,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::InvalidDefinition => 3,
            Exit::TimedOut => 4,
            Exit::Aborted => 5,
            Exit::Output => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
