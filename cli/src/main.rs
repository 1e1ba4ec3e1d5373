//! The `stepwright` binary: runs Step Functions workflows, checks their definitions, and serves the
//! API of the service.
//!
//! Reading order: `args` (the command line), `run`, `check` and `dev` (the commands here),
//! `deploy`, `status`, `logs`, `destroy` and `proxy` (those for AWS) with `stack` below them, `source` (reading
//! definitions), `excerpt` (showing places in them), `exit` (exit codes).
//!
//! It is a shell: it reads files and the environment, builds what a command needs and nothing
//! else, and prints. What a workflow does is decided in `engine`. Its tests run the real binary
//! and stand in `tests/`.

mod args;
mod check;
mod deploy;
mod destroy;
mod dev;
mod excerpt;
mod exit;
mod identity;
mod logs;
mod nearest;
mod pretty;
mod proxy;
mod run;
mod source;
mod stack;
mod status;
mod tasks;
mod terminal;
mod uuid;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// Small records of many executions come and go on all threads, which the system's allocator
/// answers with twice the memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let Cli { color, command } = Cli::parse();
    let exit = match command {
        Command::Run(args) => run::run(&args, color),
        Command::Check(args) => check::check(&args, color),
        Command::Dev(args) => dev::dev(&args, color),
        Command::Deploy(args) => deploy::deploy(&args, color),
        Command::Status(args) => status::status(&args, color),
        Command::Logs(args) => logs::logs(&args, color),
        Command::Destroy(args) => destroy::destroy(&args, color),
        Command::Proxy(args) => proxy::proxy(&args, color),
    };
    exit.into()
}
