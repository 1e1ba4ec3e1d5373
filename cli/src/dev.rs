//! `stepwright dev`: the Step Functions API on this computer.
//!
//! Reading order: [`dev`] (the command), `settings` and `file` (what it is told), `world` (what
//! executions run on), `definitions` (state machines from files), `http` (requests), `mocks` (test
//! cases of executions), `first` (an execution at the start), `watch` (changes), `report` (what is said).

mod api;
mod definitions;
mod file;
mod first;
mod http;
pub mod log;
mod mocks;
mod report;
mod settings;
mod watch;
mod world;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use driver::Seeds;
use front::body::BODY_TIMEOUT;
use front::guard::Guard;
use front::listen;
use front::signals::Signals;
use tokio::sync::watch as channel;

use crate::args::{DevArgs, When};
use crate::exit::Exit;
use crate::terminal::Style;
use api::Api;
use definitions::deploy::{self, Outcome};
use definitions::{LoadOptions, Loaded, Machine};
use file::ConfigFile;
use first::First;
use report::{Deployed, Report};
use settings::Settings;
use watch::Watch;
use world::World;

/// Definitions and expressions are walked by recursion, as deep as they may be nested.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Runs the command.
pub fn dev(args: &DevArgs, color: When) -> Exit {
    let style = Style::of_stderr(color, &io::stderr());
    let out = Style::of_stdout(color, &io::stdout());
    let file = match ConfigFile::read(args.config.as_deref(), style) {
        Ok(file) => file,
        Err(message) => {
            eprint!("{message}");
            return Exit::Usage;
        }
    };
    let settings = match Settings::new(args, file) {
        Ok(settings) => settings,
        Err(message) => return refuse(style, &message),
    };
    for warning in &settings.warnings {
        eprintln!("{}: {warning}", style.warning("warning"));
    }
    log::start(settings.log, args.quiet, style);
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("{}: cannot start: {error}", style.error("error"));
                return Exit::Failed;
            }
        };
    let first = args.run.clone().map(|machine| First { machine, input: args.run_input.clone() });
    let report = Report { style: out, errors: style, quiet: args.quiet };
    let exit = runtime.block_on(serve(&settings, first, report));
    // A file that is being read must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit
}

fn refuse(style: Style, message: &str) -> Exit {
    eprintln!("{}: {message}", style.error("error"));
    Exit::Usage
}

async fn serve(settings: &Settings, first: Option<First>, report: Report) -> Exit {
    let (listener, address) =
        match listen::bind(&settings.host, settings.port, settings.credential.is_some()).await {
            Ok(bound) => bound,
            Err(message) => return refuse(report.errors, &message),
        };
    let world = match World::open(settings).await {
        Ok(world) => world,
        Err(message) => return refuse(report.errors, &message),
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return refuse(report.errors, &format!("signals cannot be received: {error}")),
    };
    let options = LoadOptions {
        home: settings.home.clone(),
        parameters: settings.parameters.clone(),
        substitutions: settings.substitutions.clone(),
        machines: settings.machines.clone(),
        default_role: settings.default_role(),
    };
    let mut definitions = Definitions { settings, options, api: world.api.clone(), report, known: None };
    let (stop, stopping) = channel::channel(false);
    let front = Arc::new(http::Front {
        api: world.api.clone(),
        guard: Guard { host: settings.host.clone(), signed: settings.credential.is_some() },
        verifier: settings
            .credential
            .clone()
            .map(|credential| http::verifier(credential, &settings.home.region)),
        store: world.store,
        started: Instant::now(),
        body_timeout: BODY_TIMEOUT,
        stopping: stopping.clone(),
        seeds: Mutex::new(Seeds::System),
    });
    let deployed = tokio::select! {
        biased;
        () = signals.next() => {
            world.close().await;
            return Exit::Success;
        }
        deployed = definitions.deploy() => deployed,
    };
    // Served before it is said: whoever reads the address may call it.
    let mut serving =
        tokio::spawn(listen::serve(listener, http::router(front), listen::Limits::default(), stopping));
    let printed = definitions.report.started(settings, address, world.store_name(settings), &deployed);
    if let Err(error) = printed {
        tracing::warn!(%error, "standard output is closed");
    }
    let mut ended = false;
    let mut exit = Exit::Success;
    let stays = io::stdin().is_terminal() && io::stderr().is_terminal();
    let ran = async {
        let Some(first) = &first else { return std::future::pending().await };
        match first::run(first, &world, report.errors, report.quiet).await {
            Ok(outcome) => exit = outcome,
            Err(message) => {
                eprintln!("{}: {message}", report.errors.error("error"));
                exit = Exit::Failed;
            }
        }
        // Somebody who watches goes on to use the server.
        if stays {
            exit = Exit::Success;
            std::future::pending().await
        }
    };
    tokio::select! {
        biased;
        () = signals.next() => {}
        () = ran => {}
        // It ends early only when it cannot go on.
        _ = &mut serving => ended = true,
        () = definitions.follow() => {}
    }
    definitions.report.stopping();
    stop.send_replace(true);
    let end = async {
        if !ended {
            // A panic in it was logged; there is nothing left to wait for.
            let _ = serving.await;
        }
        world.close().await;
    };
    tokio::select! {
        biased;
        () = signals.next() => {
            eprintln!("ended at once; executions go on at the next start");
            std::process::exit(Exit::Aborted.code().into());
        }
        () = end => {}
    }
    if ended { Exit::Failed } else { exit }
}

/// The definitions of files, and what was made of them.
struct Definitions<'s> {
    settings: &'s Settings,
    options: LoadOptions,
    api: Arc<dyn Api>,
    report: Report,
    known: Option<Known>,
}

/// What was seen the last time.
struct Known {
    loaded: Loaded,
    findings: BTreeSet<String>,
    /// State machines as the API took them.
    taken: Vec<Machine>,
}

impl Definitions<'_> {
    /// Loads the files and tells the API of what is new. Findings that were there before are not
    /// repeated.
    async fn deploy(&mut self) -> Deployed {
        let (sources, options) = (self.settings.sources.clone(), self.options.clone());
        let loaded = tokio::task::spawn_blocking(move || definitions::load(&sources, &options)).await;
        let loaded = loaded.unwrap_or_else(|error| {
            tracing::error!(%error, "the definitions could not be read");
            Loaded::default()
        });
        let before = self.known.take();
        let findings: BTreeSet<String> =
            loaded.findings.iter().map(|found| found.render(self.report.errors)).collect();
        for found in &loaded.findings {
            let text = found.render(self.report.errors);
            if before.as_ref().is_none_or(|before| !before.findings.contains(&text)) {
                self.report.finding(&text);
            }
        }
        let mut deployed = Deployed::default();
        for name in &loaded.activities {
            let is_known = before.as_ref().is_some_and(|before| before.loaded.activities.contains(name));
            if !is_known {
                deployed.activities.push((
                    name.clone(),
                    deploy::activity(self.api.as_ref(), &self.options.home, name).await,
                ));
            }
        }
        let mut taken = Vec::new();
        for machine in &loaded.machines {
            if before.as_ref().is_some_and(|before| before.taken.contains(machine)) {
                taken.push(machine.clone());
                continue;
            }
            let (arn, outcome) = deploy::machine(self.api.as_ref(), &self.options.home, machine).await;
            if !matches!(outcome, Outcome::Refused(_)) {
                taken.push(machine.clone());
            }
            deployed.machines.push(report::DeployedMachine {
                name: machine.name.clone(),
                arn,
                express: machine.express,
                outcome,
            });
        }
        deployed.refused = loaded.refused.clone();
        if let Some(before) = before {
            let is_gone = |machine: &&Machine| {
                !loaded.machines.iter().any(|now| now.name == machine.name)
                    && !loaded.refused.contains(&machine.name)
            };
            deployed.gone =
                before.loaded.machines.iter().filter(is_gone).map(|machine| machine.name.clone()).collect();
        }
        self.known = Some(Known { loaded, findings, taken });
        deployed
    }

    /// Deploys again whenever files change. Never ends.
    async fn follow(&mut self) {
        let watch = if self.settings.watch { Watch::new().map(Some) } else { Ok(None) };
        let mut watch = match watch {
            Ok(Some(watch)) => watch,
            Ok(None) => return std::future::pending().await,
            Err(error) => {
                tracing::warn!(%error, "changes of definitions are not seen");
                return std::future::pending().await;
            }
        };
        loop {
            // What changed between reading a folder and watching it is found by reading again.
            let has_new = self
                .known
                .as_ref()
                .is_some_and(|known| watch.follow(&known.loaded.files, &known.loaded.folders));
            if !has_new {
                watch.changed().await;
            }
            let deployed = self.deploy().await;
            self.report.changed(&deployed);
            // A reader that has gone misses nothing else.
            let _ = io::stdout().flush();
        }
    }
}
