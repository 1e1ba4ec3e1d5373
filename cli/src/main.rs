//! The `stepwright` binary: runs Step Functions workflows, and checks their definitions.
//!
//! Reading order: `args` (the command line), `run` and `check` (the commands), `source` (reading
//! definitions), `excerpt` (showing places in them), `exit` (exit codes).
//!
//! It is a shell: it reads files and the environment, builds what a command needs and nothing
//! else, and prints. What a workflow does is decided in `engine`. Its tests run the real binary
//! and stand in `tests/`.

mod args;
mod check;
mod excerpt;
mod exit;
mod pretty;
mod run;
mod source;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let Cli { color, command } = Cli::parse();
    let exit = match command {
        Command::Run(args) => run::run(&args, color),
        Command::Check(args) => check::check(&args, color),
    };
    exit.into()
}
