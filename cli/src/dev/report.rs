//! What the server says: at its start, when definitions change, at its end.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::SocketAddr;

use super::definitions::deploy::Outcome;
use super::settings::Settings;
use crate::terminal::{Style, printable, printable_line};

/// Where to say things, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Of standard output.
    pub style: Style,
    /// Of standard error.
    pub errors: Style,
    /// Errors alone.
    pub quiet: bool,
}

/// What became of definitions.
#[derive(Debug, Default)]
pub struct Deployed {
    /// State machines that the API was told of.
    pub machines: Vec<DeployedMachine>,
    /// Activities by name: their ARN, or why they were refused.
    pub activities: Vec<(String, Result<String, String>)>,
    /// State machines that were refused before the API was told.
    pub refused: Vec<String>,
    /// State machines that no file defines any more.
    pub gone: Vec<String>,
}

/// A state machine that the API was told of.
#[derive(Debug)]
pub struct DeployedMachine {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Whether it is an Express workflow.
    pub express: bool,
    /// What became of it.
    pub outcome: Outcome,
}

impl Report {
    /// The start: where it is, what it has, how to call it.
    pub fn started(
        &self,
        settings: &Settings,
        address: SocketAddr,
        store: String,
        deployed: &Deployed,
    ) -> io::Result<()> {
        self.refusals(deployed);
        if self.quiet {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(self.opening(settings, address, &store, deployed).as_bytes())?;
        out.flush()
    }

    fn opening(&self, settings: &Settings, address: SocketAddr, store: &str, deployed: &Deployed) -> String {
        let style = self.style;
        let url = url(&settings.host, address);
        let mut out = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(out, "  {} {}", style.dim(&format!("{name:<9}")), printable_line(value));
        };
        line("address", &url);
        line("account", &format!("{}, {}", settings.home.account, settings.home.region));
        line("store", store);
        if settings.time_scale != 1.0 {
            line("time", &format!("{} times as fast", settings.time_scale));
        }
        if let Some(credential) = &settings.credential {
            line("signed", &format!("with the secret of {}", credential.access_key_id));
        }
        let opening = format!("{} {}\n{out}", style.bold("Stepwright"), env!("CARGO_PKG_VERSION"));
        let mut out = opening;
        let lines = self.lines(deployed);
        if lines.is_empty() {
            let _ = writeln!(
                out,
                "\nNo definitions were found: name a folder, a template or a file, or create state machines through \
                 the API."
            );
        } else {
            let _ = write!(out, "\n{lines}");
        }
        let usable = |machine: &&DeployedMachine| !matches!(machine.outcome, Outcome::Refused(_));
        if let Some(first) = deployed.machines.iter().find(usable) {
            let _ = writeln!(out, "\nTo start an execution:\n\n  {}", call(settings, &url, first));
        }
        out.push('\n');
        out
    }

    /// Definitions that changed.
    pub fn changed(&self, deployed: &Deployed) {
        self.refusals(deployed);
        let lines = self.lines(deployed);
        if !self.quiet && !lines.is_empty() {
            // Nobody has to read it.
            let _ = io::stdout().lock().write_all(lines.as_bytes());
        }
    }

    /// Something that is wrong with a file.
    pub fn finding(&self, text: &str) {
        eprint!("{text}");
    }

    /// The end begins.
    pub fn stopping(&self) {
        if !self.quiet {
            eprintln!(
                "ending: requests and calls that have begun come to their end (Ctrl-C again ends at once)"
            );
        }
    }

    /// What was refused is told also when nothing else is.
    fn refusals(&self, deployed: &Deployed) {
        let error = self.errors.error("error");
        for machine in &deployed.machines {
            if let Outcome::Refused(reason) = &machine.outcome {
                eprintln!(
                    "{error}: state machine `{}`: {}",
                    printable_line(&machine.name),
                    printable(reason)
                );
            }
        }
        for (name, created) in &deployed.activities {
            if let Err(reason) = created {
                eprintln!("{error}: activity `{}`: {}", printable_line(name), printable(reason));
            }
        }
    }

    fn lines(&self, deployed: &Deployed) -> String {
        let style = self.style;
        let mut out = String::new();
        let mut line = |word: &str, paint: &dyn Fn(&str) -> String, text: &str| {
            let _ = writeln!(out, "  {} {}", paint(&format!("{word:<9}")), printable_line(text));
        };
        for machine in &deployed.machines {
            match &machine.outcome {
                Outcome::Created => line("created", &|word| style.success(word), &machine.arn),
                Outcome::Updated => line("updated", &|word| style.success(word), &machine.arn),
                Outcome::Unchanged => line("unchanged", &|word| style.dim(word), &machine.arn),
                Outcome::Refused(_) => line("refused", &|word| style.error(word), &machine.name),
            }
        }
        for name in &deployed.refused {
            line("refused", &|word| style.error(word), name);
        }
        for (name, created) in &deployed.activities {
            match created {
                Ok(arn) => line("activity", &|word| style.success(word), arn),
                Err(_) => line("refused", &|word| style.error(word), name),
            }
        }
        for name in &deployed.gone {
            line("kept", &|word| style.warning(word), &format!("{name}, which no file defines any more"));
        }
        out
    }
}

fn url(host: &str, address: SocketAddr) -> String {
    let host = match host.trim_start_matches('[').trim_end_matches(']') {
        // Every address of the computer: the nearest is this one.
        "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        bare if bare.contains(':') => format!("[{bare}]"),
        bare => bare.to_owned(),
    };
    format!("http://{host}:{}", address.port())
}

/// A line to paste into a shell. A credential that is demanded is not shown.
fn call(settings: &Settings, url: &str, machine: &DeployedMachine) -> String {
    let credential = match &settings.credential {
        Some(credential) => {
            format!("AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY=… ", credential.access_key_id)
        }
        None => "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local ".to_owned(),
    };
    let (prefix, operation) = if machine.express {
        ("AWS_DISABLE_HOST_PREFIX_INJECTION=true ", "start-sync-execution")
    } else {
        ("", "start-execution")
    };
    format!(
        "{credential}{prefix}aws stepfunctions {operation} --endpoint-url {url} --region {} --state-machine-arn {} \
         --input '{{}}'",
        settings.home.region,
        quoted(&machine.arn)
    )
}

/// For a shell; names may have characters that it knows.
fn quoted(text: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '/' | '+' | '=');
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_urls() {
        let check = |host: &str, address: &str, expected: &str| {
            assert_eq!(url(host, address.parse().expect("an address")), expected);
        };
        check("127.0.0.1", "127.0.0.1:1", "http://127.0.0.1:1");
        check("localhost", "127.0.0.1:2", "http://localhost:2");
        check("0.0.0.0", "0.0.0.0:3", "http://127.0.0.1:3");
        check("::1", "[::1]:4", "http://[::1]:4");
        check("[::1]", "[::1]:5", "http://[::1]:5");
    }

    #[test]
    fn names_are_quoted_for_the_shell() {
        assert_eq!(
            quoted("arn:aws:states:us-east-1:1:stateMachine:a-b_c"),
            "arn:aws:states:us-east-1:1:stateMachine:a-b_c"
        );
        assert_eq!(quoted("a'b(c)"), "'a'\\''b(c)'");
    }
}
