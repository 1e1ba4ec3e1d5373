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

/// A function of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Api,
    StepDriver,
    Sweeper,
}

/// The functions, each by the name of its handler.
const FUNCTIONS: [(&str, Function); 3] =
    [("api", Function::Api), ("step-driver", Function::StepDriver), ("sweeper", Function::Sweeper)];

impl Function {
    /// The function of a handler; an error names those that there are.
    fn of(handler: &str) -> Result<Function, String> {
        let found = FUNCTIONS.iter().find(|(name, _)| *name == handler);
        found.map(|(_, function)| *function).ok_or_else(|| {
            let names = FUNCTIONS.map(|(name, _)| name).join(", ");
            format!("the handler is `{handler}`; it has to be one of {names}")
        })
    }
}

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
    let function = Function::of(handler)?;
    let settings = Settings::from_environment(&|name| std::env::var(name).ok())?;
    settings.log.start();
    let installation = Installation::open(&settings).await?;
    match function {
        Function::Api => api::run(installation).await,
        Function::StepDriver => step_driver::run(installation).await,
        Function::Sweeper => sweeper::run(installation).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_known_by_their_names() {
        assert_eq!(Function::of("step-driver"), Ok(Function::StepDriver));
        let said = Function::of("bootstrap").unwrap_err();
        assert_eq!(said, "the handler is `bootstrap`; it has to be one of api, step-driver, sweeper");
    }
}
