//! The Lambda functions of an installation, in one binary.
//!
//! `_HANDLER` says which function it is (the table [`FUNCTIONS`]); one binary, because every one of
//! them carries the same ports, and one is built, checked and uploaded once. Each is a shell: it
//! reads what started it, calls what the other crates decide, and says what came of it.
//!
//! Reading order: [`settings`] (the environment), [`installation`] (what is put together of it), then
//! the functions.

mod api;
mod call;
mod digest;
mod installation;
mod log;
mod opening;
mod provisioner;
#[cfg(test)]
mod scene;
mod settings;
mod step_driver;
mod sweeper;
mod trigger;

use std::process::ExitCode;

use installation::Installation;
use lambda_runtime::Error;
use opening::Opening;
use settings::Settings;
use trigger::mapping::{self, Mappings};

/// A function of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Api,
    Provisioner,
    StepDriver,
    Sweeper,
    Trigger,
}

/// The functions, each by the name of its handler.
const FUNCTIONS: [(&str, Function); 5] = [
    ("api", Function::Api),
    ("provisioner", Function::Provisioner),
    ("step-driver", Function::StepDriver),
    ("sweeper", Function::Sweeper),
    ("trigger", Function::Trigger),
];

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
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::from_environment(&variable);
    settings.as_ref().map(|settings| settings.log).unwrap_or_default().start();
    match function {
        Function::Api => api::run(Installation::open(&settings?).await?).await,
        // Somebody waits for what it answers, also for why there is no installation.
        Function::Provisioner => {
            provisioner::run(Opening::new(settings), provisioner::ScheduleSettings::read(&variable)).await
        }
        Function::StepDriver => step_driver::run(Installation::open(&settings?).await?).await,
        Function::Sweeper => sweeper::run(Installation::open(&settings?).await?).await,
        Function::Trigger => {
            let mappings = Mappings::parse(&variable(mapping::VARIABLE).unwrap_or_default());
            trigger::run(Opening::new(settings), mappings).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_known_by_their_names() {
        assert_eq!(Function::of("step-driver"), Ok(Function::StepDriver));
        let said = Function::of("bootstrap").unwrap_err();
        assert_eq!(
            said,
            "the handler is `bootstrap`; it has to be one of api, provisioner, step-driver, sweeper, trigger"
        );
    }
}
