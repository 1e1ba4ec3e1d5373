//! The options of `stepwright dev`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::FalseyValueParser;
use front::Secret;

use super::{Substitution, account, substitution};

/// `stepwright dev`
#[derive(Debug, Args)]
pub struct DevArgs {
    /// Folders with definitions (`*.asl.json`, `*.asl.yaml`), SAM or CloudFormation templates, and
    /// definitions [default: the template of the current folder, else its definitions].
    #[arg(value_name = "DIR|TEMPLATE|FILE")]
    pub sources: Vec<PathBuf>,
    /// Port to listen at; 0 takes any free one [default: 8083].
    #[arg(long, short, env = "STEPWRIGHT_PORT", hide_env_values = true)]
    pub port: Option<u16>,
    /// Address or name to listen at. One that others can reach needs a credential
    /// [default: 127.0.0.1].
    #[arg(long, env = "STEPWRIGHT_HOST", hide_env_values = true)]
    pub host: Option<String>,
    /// Folder that keeps state machines and executions [default: .stepwright/data].
    #[arg(long, value_name = "DIR", env = "STEPWRIGHT_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
    /// Keep everything in memory: nothing outlives the server.
    #[arg(long, env = "STEPWRIGHT_IN_MEMORY", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub in_memory: bool,
    /// Call Lambda functions at this URL, such as that of `cargo lambda watch` or `sam local
    /// start-lambda`; `aws` calls them on AWS with your credentials. Without it, functions must be
    /// mocked.
    #[arg(long, value_name = "URL|aws", env = "STEPWRIGHT_LAMBDA_ENDPOINT", hide_env_values = true)]
    pub lambda_endpoint: Option<String>,
    /// Where a service is that tasks call: at a URL, or `aws` for AWS itself with your credentials. Without
    /// a name it counts for all services. What is given nowhere is not called.
    #[arg(
        long = "endpoint",
        value_name = "[SERVICE=]URL|aws",
        env = "STEPWRIGHT_ENDPOINTS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub endpoints: Vec<String>,
    /// Connections of HTTP tasks: a TOML file with `[connections.NAME]` for each.
    #[arg(long, value_name = "FILE", env = "STEPWRIGHT_CONNECTIONS", hide_env_values = true)]
    pub connections: Option<PathBuf>,
    /// Let HTTP tasks call this computer, without TLS too.
    #[arg(long, env = "STEPWRIGHT_ALLOW_LOCAL_HTTP", value_parser = FalseyValueParser::new(), hide_env_values = true)]
    pub allow_local_http: bool,
    /// Answer tasks from a mock configuration file (the format of Step Functions Local). An
    /// execution takes the test case that follows `#` in the state machine's ARN when it starts.
    #[arg(long, short, value_name = "FILE", env = "STEPWRIGHT_MOCK", hide_env_values = true)]
    pub mock: Option<PathBuf>,
    /// Let time pass so many times as fast, for Wait states, retry delays and timeouts
    /// [default: 1].
    #[arg(long, value_name = "FACTOR", env = "STEPWRIGHT_TIME_SCALE", hide_env_values = true)]
    pub time_scale: Option<f64>,
    /// Region in ARNs, and where functions are called [default: us-east-1].
    #[arg(long, env = "AWS_REGION", hide_env_values = true)]
    pub region: Option<String>,
    /// Account in ARNs: 12 digits [default: 123456789012].
    #[arg(long, value_parser = account, env = "STEPWRIGHT_ACCOUNT", hide_env_values = true)]
    pub account: Option<String>,
    /// Demand that requests are signed with this credential.
    #[arg(long, value_name = "ID", env = "STEPWRIGHT_ACCESS_KEY_ID", hide_env_values = true)]
    pub access_key_id: Option<String>,
    /// Secret of the credential. Other users of this computer can read command lines: prefer the
    /// variable or the configuration file.
    #[arg(long, value_name = "SECRET", env = "STEPWRIGHT_SECRET_ACCESS_KEY", hide_env_values = true)]
    pub secret_access_key: Option<Secret>,
    /// Session token of the credential, where it has one.
    #[arg(long, value_name = "TOKEN", env = "STEPWRIGHT_SESSION_TOKEN", hide_env_values = true)]
    pub session_token: Option<Secret>,
    /// What is logged to standard error: off, error, warn, info, debug or trace; `json` writes
    /// JSON lines; `json,debug` is both [default: info].
    #[arg(long, value_name = "LEVEL|json", env = "STEPWRIGHT_LOG", hide_env_values = true)]
    pub log: Option<LogArg>,
    /// Configuration file [default: stepwright.toml, if there is one].
    #[arg(long, value_name = "FILE", env = "STEPWRIGHT_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Load definitions again when they change: the default.
    #[arg(long, overrides_with = "no_watch")]
    pub watch: bool,
    /// Do not look for changes.
    #[arg(long, overrides_with = "watch")]
    pub no_watch: bool,
    /// Value of a template's parameter; also of a resource (`Queue=…`), an attribute (`Queue.Arn=…`)
    /// or an export that cannot be known here. May be repeated.
    #[arg(long = "parameter", value_name = "K=V", value_parser = substitution)]
    pub parameters: Vec<Substitution>,
    /// Put V in place of every `${K}` in definitions that come without a template. May be repeated.
    #[arg(long = "substitution", value_name = "K=V", value_parser = substitution)]
    pub substitutions: Vec<Substitution>,
    /// Run this state machine once at the start and show how it goes; a test case of --mock may
    /// follow `#`. Without a terminal the server then ends, with the outcome of the execution.
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// The input of that execution: JSON, or `@` and a file [default: {}].
    #[arg(long, value_name = "JSON|@FILE", requires = "run")]
    pub run_input: Option<String>,
    /// Print nothing but errors and the log's warnings.
    #[arg(long, short)]
    pub quiet: bool,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogArg {
    /// The level; none logs nothing.
    pub level: Option<tracing::Level>,
    /// The form.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for LogArg {
    fn default() -> LogArg {
        LogArg { level: Some(tracing::Level::INFO), format: LogFormat::Text }
    }
}

impl FromStr for LogArg {
    type Err = String;

    fn from_str(text: &str) -> Result<LogArg, String> {
        let mut log = LogArg::default();
        for word in text.split(',').map(str::trim) {
            match word.to_ascii_lowercase().as_str() {
                "json" => log.format = LogFormat::Json,
                "text" => log.format = LogFormat::Text,
                "off" => log.level = None,
                "error" | "warn" | "info" | "debug" | "trace" => log.level = word.parse().ok(),
                _ => {
                    return Err(format!(
                        "`{word}` is not one of off, error, warn, info, debug, trace, json and text"
                    ));
                }
            }
        }
        Ok(log)
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn logs_are_a_level_a_form_or_both() {
        let check = |text: &str, expected: Option<(Option<Level>, LogFormat)>| {
            let found = text.parse::<LogArg>().ok().map(|log| (log.level, log.format));
            assert_eq!(found, expected, "{text}");
        };
        check("debug", Some((Some(Level::DEBUG), LogFormat::Text)));
        check("WARN", Some((Some(Level::WARN), LogFormat::Text)));
        check("json", Some((Some(Level::INFO), LogFormat::Json)));
        check("json, trace", Some((Some(Level::TRACE), LogFormat::Json)));
        check("off", Some((None, LogFormat::Text)));
        check("", None);
        check("loud", None);
    }
}
