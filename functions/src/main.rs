//! The Lambda functions of an installation, in one binary.
//!
//! `_HANDLER` says which function it is (the table [`FUNCTIONS`]); one binary, because every one of
//! them carries the same ports, and one is built, checked and uploaded once. Each is a shell: it
//! reads what started it, calls what the other crates decide, and says what came of it.
//!
//! Reading order: [`settings`] (the environment), [`installation`] (what is put together of it), then
//! the functions.

mod api;
mod installation;
mod log;
mod settings;
mod step_driver;
mod sweeper;

use std::process::ExitCode;

use installation::Installation;
use lambda_runtime::Error;
use settings::Settings;

/// What each handler's name starts.
const FUNCTIONS: [&str; 3] = ["api", "step-driver", "sweeper"];

fn main() -> ExitCode {
    let handler = std::env::var("_HANDLER").unwrap_or_default();
    // Functions of less than a whole core; more threads would only take memory.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run(&handler)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

async fn run(handler: &str) -> Result<(), Error> {
    if !FUNCTIONS.contains(&handler) {
        let known = FUNCTIONS.join(", ");
        return Err(format!("the handler is `{handler}`; it has to be one of {known}").into());
    }
    let settings = Settings::from_environment(&|name| std::env::var(name).ok())?;
    settings.log.start();
    let installation = Installation::open(&settings).await?;
    match handler {
        "api" => api::run(installation).await,
        "step-driver" => step_driver::run(installation).await,
        _ => sweeper::run(installation).await,
    }
}
