//! The options of the commands about an installation on AWS.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use proxy::SignAs;

use super::{Substitution, substitution};

/// Which installation.
#[derive(Debug, Args)]
pub struct StackArgs {
    /// Name of the CloudFormation stack.
    #[arg(
        long,
        value_name = "NAME",
        env = "STEPWRIGHT_STACK",
        hide_env_values = true,
        default_value = "stepwright"
    )]
    pub stack: String,
    /// Region of the stack [default: that of your AWS configuration].
    #[arg(long)]
    pub region: Option<String>,
    /// Profile of your AWS configuration to take credentials and Region from.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// `stepwright deploy`
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Which stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// Value of a parameter of the template. What is not given stays as it is. May be repeated.
    #[arg(long = "parameter", short, value_name = "NAME=VALUE", value_parser = substitution)]
    pub parameters: Vec<Substitution>,
    /// Folder with functions.zip and layer.zip [default: dist, here or beside this program].
    #[arg(long, value_name = "DIR")]
    pub dist: Option<PathBuf>,
    /// The zip of the functions, where it is elsewhere.
    #[arg(long, value_name = "FILE")]
    pub functions: Option<PathBuf>,
    /// The template, instead of the one in this program.
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Bucket that the zips are uploaded to
    /// [default: stepwright-deploy-ACCOUNT-REGION, which is created if need be].
    #[arg(long, value_name = "NAME")]
    pub s3_bucket: Option<String>,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

/// `stepwright status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Which stack.
    #[command(flatten)]
    pub stack: StackArgs,
}

/// `stepwright logs`
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Which stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// Only this function's, such as api, step-driver, sweeper, trigger or provisioner. May be repeated.
    #[arg(long = "function", short = 'F', value_name = "NAME")]
    pub functions: Vec<String>,
    /// Go on as new lines come.
    #[arg(long, short)]
    pub follow: bool,
    /// From so long ago on, such as 90s, 10m, 2h or 1d.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = since)]
    pub since: Duration,
    /// Only what matches this filter pattern of CloudWatch Logs.
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<String>,
}

/// `stepwright destroy`
#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// Which stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// Delete the table and the bucket with all executions as well, even if the stack was told to keep them.
    #[arg(long)]
    pub delete_data: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
}

/// `stepwright proxy`
#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// Which stack.
    #[command(flatten)]
    pub stack: StackArgs,
    /// URL of the API, instead of asking the stack for it.
    #[arg(long, env = "STEPWRIGHT_URL", hide_env_values = true)]
    pub url: Option<String>,
    /// Address and port to listen at. One that others can reach needs a credential that they sign
    /// with, in STEPWRIGHT_ACCESS_KEY_ID and STEPWRIGHT_SECRET_ACCESS_KEY.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "STEPWRIGHT_PROXY_LISTEN",
        hide_env_values = true,
        default_value = "127.0.0.1:8083"
    )]
    pub listen: String,
    /// What the front of the API verifies [default: what the host of the URL tells].
    #[arg(long, value_name = "SERVICE", env = "STEPWRIGHT_PROXY_SIGN_AS", hide_env_values = true)]
    pub sign_as: Option<SignAsArg>,
    /// Connect there instead of to the URL's host, such as to an emulator.
    #[arg(long, value_name = "URL", env = "STEPWRIGHT_PROXY_CONNECT_TO", hide_env_values = true)]
    pub connect_to: Option<String>,
}

/// What the front of an API verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SignAsArg {
    /// A function URL.
    Lambda,
    /// An API of API Gateway.
    ExecuteApi,
}

impl From<SignAsArg> for SignAs {
    fn from(arg: SignAsArg) -> SignAs {
        match arg {
            SignAsArg::Lambda => SignAs::Lambda,
            SignAsArg::ExecuteApi => SignAs::ExecuteApi,
        }
    }
}

fn since(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and s, m, h or d, such as 10m".to_owned();
    let unit = match text.chars().next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 60 * 60,
        Some('d') => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    // Ten years are more than any log is kept.
    let seconds = number.checked_mul(unit).filter(|seconds| *seconds <= 3_660 * 24 * 60 * 60);
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, expected) in [
            ("90s", Some(90)),
            ("10m", Some(600)),
            ("2h", Some(7_200)),
            ("1d", Some(86_400)),
            ("10", None),
            ("m", None),
            ("", None),
            ("-1m", None),
            ("1é", None),
            ("99999999999999999999d", None),
            ("9999d", None),
        ] {
            assert_eq!(since(text).ok(), expected.map(Duration::from_secs), "{text}");
        }
    }
}
