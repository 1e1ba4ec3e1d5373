//! The command line.

mod aws;
mod dev;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use aws::{DeployArgs, DestroyArgs, LogsArgs, ProxyArgs, StackArgs, StatusArgs};
pub use dev::{DevArgs, LogArg, LogFormat};

const RUN_CODES: &str = "\
Exit codes: 0 succeeded, 1 failed, 2 the command line or a file it names cannot be used, 3 the definition \
is invalid, 4 timed out, 5 aborted, 6 the results could not be written.";

const CHECK_CODES: &str = "\
Exit codes: 0 no errors, 1 errors (or warnings with --deny-warnings), 2 the command line or a file it names \
cannot be used.";

const DEV_CODES: &str = "\
Exit codes: 0 it was asked to end, 1 it could not go on, 2 the command line, the configuration or the data \
folder cannot be used, 5 it was asked to end twice.";

const AWS_CODES: &str = "\
Exit codes: 0 done, 1 it failed on AWS, 2 the command line or a file it names cannot be used, 5 you said no.";

const PROXY_CODES: &str = "\
Exit codes: 0 it was asked to end, 1 it could not go on, 2 the command line or the stack cannot be used, 5 it \
was asked to end twice.";

/// Runs AWS Step Functions workflows without AWS.
#[derive(Debug, Parser)]
#[command(name = "stepwright", version, max_term_width = 100)]
pub struct Cli {
    /// Colours and graphics: `auto` uses them on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: When,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A choice between always, never and what the terminal suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a workflow to its end, in memory.
    #[command(after_help = RUN_CODES)]
    Run(Box<RunArgs>),
    /// Find what is wrong with definitions.
    #[command(after_help = CHECK_CODES)]
    Check(CheckArgs),
    /// Serve the Step Functions API on this computer.
    #[command(after_help = DEV_CODES)]
    Dev(Box<DevArgs>),
    /// Install on AWS, or change the installation.
    #[command(after_help = AWS_CODES)]
    Deploy(Box<DeployArgs>),
    /// Show how an installation on AWS is.
    #[command(after_help = AWS_CODES)]
    Status(StatusArgs),
    /// Show the logs of an installation's functions.
    #[command(after_help = AWS_CODES)]
    Logs(LogsArgs),
    /// Remove an installation from AWS.
    #[command(after_help = AWS_CODES)]
    Destroy(DestroyArgs),
    /// Serve the API of an installation on this computer, for unmodified SDKs.
    #[command(after_help = PROXY_CODES)]
    Proxy(Box<ProxyArgs>),
}

/// What both commands need to read a definition.
#[derive(Debug, Args)]
pub struct DefinitionArgs {
    /// Read the definition as that of an Express workflow, which has no `.sync`,
    /// `.waitForTaskToken` and activities.
    #[arg(long)]
    pub express: bool,
    /// Put V in place of every `${K}` in the definition, as SAM's DefinitionSubstitutions do.
    /// May be repeated.
    #[arg(long = "substitution", value_name = "K=V", value_parser = substitution)]
    pub substitutions: Vec<Substitution>,
}

/// `K=V`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Substitution {
    /// The name between `${` and `}`.
    pub name: String,
    /// What takes its place.
    pub value: String,
}

pub(crate) fn substitution(text: &str) -> Result<Substitution, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Substitution { name: name.to_owned(), value: value.to_owned() })
        }
        _ => Err("expected a name, `=` and a value, such as `Table=orders`".to_owned()),
    }
}

/// `stepwright run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The definition, in JSON or YAML (`.yaml`, `.yml`); `-` reads it from standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to read the definition.
    #[command(flatten)]
    pub definition: DefinitionArgs,
    /// Input of the execution: JSON text, `@FILE`, or `-` for standard input [default: {}].
    #[arg(long, short, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub input: Option<String>,
    /// Answer tasks from a mock configuration file (the format of Step Functions Local). The test
    /// case may be left out when there is only one.
    #[arg(long, short, value_name = "FILE[#TEST_CASE]")]
    pub mock: Option<String>,
    /// Call Lambda functions at this URL, such as that of `cargo lambda watch` or `sam local
    /// start-lambda`; `aws` calls them on AWS with your credentials. Without it, functions must be
    /// mocked.
    #[arg(long, value_name = "URL|aws")]
    pub lambda_endpoint: Option<String>,
    /// Where a service is that tasks call: at a URL, or `aws` for AWS itself with your credentials. Without
    /// a name it counts for all services. What is given nowhere is not called.
    #[arg(long = "endpoint", value_name = "[SERVICE=]URL|aws")]
    pub endpoints: Vec<String>,
    /// Connections of HTTP tasks: a TOML file with `[connections.NAME]` for each.
    #[arg(long, value_name = "FILE")]
    pub connections: Option<PathBuf>,
    /// Let HTTP tasks call this computer, without TLS too.
    #[arg(long)]
    pub allow_local_http: bool,
    /// Do not wait for Wait states, retry delays and timeouts: let the clock jump.
    #[arg(long)]
    pub fast_forward: bool,
    /// Write the history to FILE, as GetExecutionHistory returns it.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// What goes to standard output: the output of a successful execution, or one JSON object that
    /// describes the execution however it ended.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RunFormat,
    /// Name of the execution [default: a random UUID].
    #[arg(long)]
    pub name: Option<String>,
    /// Name of the state machine [default: from the mock configuration, else from FILE].
    #[arg(long, value_name = "NAME")]
    pub state_machine: Option<String>,
    /// Role that the context object and the history show
    /// [default: the role `stepwright` of the account].
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// Region in ARNs, and where functions are called.
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1", hide_env_values = true)]
    pub region: String,
    /// Account in ARNs: 12 digits.
    #[arg(long, default_value = "123456789012", value_parser = account)]
    pub account: String,
    /// Draw all random numbers (UUIDs, task tokens, jitter) from this seed, so that a run can be
    /// repeated [default: random].
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Abort the execution after so many seconds of real time.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=99_999_999))]
    pub time_limit: Option<u64>,
    /// Show no progress; errors are still reported.
    #[arg(long, short)]
    pub quiet: bool,
}

pub(crate) fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account is 12 digits".to_owned())
    }
}

/// What `run` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// The output of a successful execution; nothing otherwise.
    Text,
    /// One object with status, output or error and cause, names and times.
    Json,
}

/// `stepwright check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Definitions, in JSON or YAML (`.yaml`, `.yml`); `-` reads one from standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How to read the definitions.
    #[command(flatten)]
    pub definition: DefinitionArgs,
    /// Form of the findings: for people, one JSON object, or SARIF 2.1.0.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
    /// Let warnings fail the check.
    #[arg(long)]
    pub deny_warnings: bool,
}

/// What `check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// Findings with excerpts of the source.
    Text,
    /// One object with all findings.
    Json,
    /// A SARIF 2.1.0 log.
    Sarif,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn substitutions_split_at_the_first_equals_sign() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let parsed = substitution(text).ok();
            assert_eq!(parsed.as_ref().map(|s| (s.name.as_str(), s.value.as_str())), expected, "{text}");
        };
        check("A=b", Some(("A", "b")));
        check("A=b=c", Some(("A", "b=c")));
        check("A=", Some(("A", "")));
        check("=b", None);
        check("A", None);
    }

    #[test]
    fn an_account_is_twelve_digits() {
        for (text, good) in
            [("123456789012", true), ("12345678901", false), ("12345678901x", false), ("", false)]
        {
            assert_eq!(account(text).is_ok(), good, "{text}");
        }
    }
}
