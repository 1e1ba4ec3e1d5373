//! What the program is told: by its arguments, else by the environment.

use std::time::Duration;

use front::Credential;
use front::guard::is_loopback;
use front::listen::{self, Limits, demand_credential};
use proxy::{Settings, SignAs, Target, TargetOptions};
use tracing::Level;

const HELP: &str = "\
Serves a deployed Stepwright API on loopback and signs its requests.

Usage: stepwright-proxy --url URL [OPTIONS]

  --url URL          URL of the API: that of the function or of the HTTP API (STEPWRIGHT_URL)
  --listen ADDRESS   Where to listen [default: 127.0.0.1:8083] (STEPWRIGHT_PROXY_LISTEN)
  --sign-as SERVICE  lambda (function URL) or execute-api (API Gateway), where the host of the URL
                     does not tell (STEPWRIGHT_PROXY_SIGN_AS)
  --region REGION    Region of the API, where its host does not tell (STEPWRIGHT_PROXY_REGION)
  --connect-to URL   Connect there instead of to the URL's host, such as to an emulator
                     (STEPWRIGHT_PROXY_CONNECT_TO)
  --log LEVEL        off, error, warn, info, debug or trace [default: info] (STEPWRIGHT_LOG)
  --help, --version

Credentials come from the usual chain of the AWS SDKs. An address that others can reach demands a
credential that they sign with, in STEPWRIGHT_ACCESS_KEY_ID, STEPWRIGHT_SECRET_ACCESS_KEY and maybe
STEPWRIGHT_SESSION_TOKEN. Started by Lambda, the program is an extension.
Exit codes: 0 it was asked to end, 1 it could not go on, 2 the options cannot be used, 5 it was asked
to end twice.";

/// Step Functions Local listens here.
const LISTEN: &str = "127.0.0.1:8083";

/// What the program does.
pub enum Given {
    /// It serves.
    Options(Box<Options>),
    /// It says this and ends.
    Text(String),
}

/// What it is told to serve.
#[derive(Debug)]
pub struct Options {
    url: String,
    host: String,
    port: u16,
    sign_as: Option<SignAs>,
    /// The Region, where it is said.
    pub region: Option<String>,
    connect: Option<String>,
    credential: Option<Credential>,
    /// What is logged.
    pub log: Option<Level>,
}

/// The options that have a value, and their variables.
const VALUES: [(&str, &str); 6] = [
    ("--url", "STEPWRIGHT_URL"),
    ("--listen", "STEPWRIGHT_PROXY_LISTEN"),
    ("--sign-as", "STEPWRIGHT_PROXY_SIGN_AS"),
    ("--region", "STEPWRIGHT_PROXY_REGION"),
    ("--connect-to", "STEPWRIGHT_PROXY_CONNECT_TO"),
    ("--log", "STEPWRIGHT_LOG"),
];

impl Options {
    /// Reads arguments and environment; an error says what cannot be used.
    pub fn read(
        mut arguments: impl Iterator<Item = String>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Given, String> {
        let mut values = VALUES.map(|(_, name)| variable(name).filter(|value| !value.is_empty()));
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(Given::Text(HELP.to_owned())),
                "--version" | "-V" => {
                    return Ok(Given::Text(format!("stepwright-proxy {}", env!("CARGO_PKG_VERSION"))));
                }
                _ => {}
            }
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let at = VALUES.iter().position(|(option, _)| *option == name);
            let at =
                at.ok_or_else(|| format!("there is no option `{name}`; --help shows those that there are"))?;
            let value = value.or_else(|| arguments.next());
            values[at] = Some(value.ok_or_else(|| format!("{name} needs a value"))?);
        }
        let [url, listen, sign_as, region, connect, log] = values;
        let url = url.ok_or("the URL of the API is missing: give --url or STEPWRIGHT_URL")?;
        let (host, port) = address(listen.as_deref().unwrap_or(LISTEN))?;
        let credential = Credential::from_environment(variable)?;
        if credential.is_none() && !is_loopback(&host) {
            return Err(demand_credential("--listen", &host));
        }
        let sign_as = sign_as.map(|text| text.parse()).transpose();
        let sign_as = sign_as.map_err(|error: String| format!("--sign-as: {error}"))?;
        let log = level(log.as_deref().unwrap_or("info"))?;
        Ok(Given::Options(Box::new(Options { url, host, port, sign_as, region, connect, credential, log })))
    }

    /// What the proxy is told; `region` is that of the SDK's configuration.
    pub fn settings(self, region: Option<&str>, drain_timeout: Option<Duration>) -> Result<Settings, String> {
        let target = Target::new(&TargetOptions {
            url: &self.url,
            sign_as: self.sign_as,
            region: self.region.as_deref(),
            region_default: region,
            connect: self.connect.as_deref(),
        })?;
        let drain_timeout = drain_timeout.unwrap_or(Limits::default().drain_timeout);
        Ok(Settings { target, host: self.host, port: self.port, credential: self.credential, drain_timeout })
    }
}

fn address(text: &str) -> Result<(String, u16), String> {
    let wrong = || format!("--listen `{text}` is no address and port, such as {LISTEN}");
    listen::address(text).ok_or_else(wrong)
}

fn level(text: &str) -> Result<Option<Level>, String> {
    match text.to_ascii_lowercase().as_str() {
        "off" => Ok(None),
        known @ ("error" | "warn" | "info" | "debug" | "trace") => Ok(known.parse().ok()),
        _ => Err(format!("--log `{text}` is not one of off, error, warn, info, debug and trace")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://abc.lambda-url.eu-west-1.on.aws";

    fn read(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Given, String> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        Options::read(arguments, &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn check(arguments: &[&str], variables: &[(&str, &str)], expected: Result<(&str, u16, &str), &str>) {
        let found = match read(arguments, variables) {
            Ok(Given::Options(options)) => options.settings(Some("us-east-1"), None),
            Ok(Given::Text(text)) => panic!("{text}"),
            Err(error) => Err(error),
        };
        match (found, expected) {
            (Ok(found), Ok((host, port, region))) => {
                assert_eq!((found.host.as_str(), found.port), (host, port), "{arguments:?}");
                assert_eq!(found.target.region, region, "{arguments:?}");
            }
            (Err(error), Err(words)) => assert!(error.contains(words), "{arguments:?}: {error}"),
            (found, expected) => panic!("{arguments:?}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn arguments_come_before_variables() {
        let url = ("STEPWRIGHT_URL", URL);
        let loopback = "127.0.0.1";
        check(&["--url", URL], &[], Ok((loopback, 8083, "eu-west-1")));
        check(&[], &[url], Ok((loopback, 8083, "eu-west-1")));
        check(&["--region=r-1"], &[url, ("STEPWRIGHT_PROXY_REGION", "r-2")], Ok((loopback, 8083, "r-1")));
        check(&[], &[url, ("STEPWRIGHT_PROXY_REGION", "r-2")], Ok((loopback, 8083, "r-2")));
        check(&["--listen", "[::1]:0"], &[url], Ok(("[::1]", 0, "eu-west-1")));
        check(&[], &[url, ("STEPWRIGHT_PROXY_LISTEN", "localhost:1")], Ok(("localhost", 1, "eu-west-1")));
        let own = ["--url", "https://flows.example.com", "--sign-as", "execute-api"];
        check(&own, &[], Ok((loopback, 8083, "us-east-1")));
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let url = ("STEPWRIGHT_URL", URL);
        check(&[], &[], Err("--url or STEPWRIGHT_URL"));
        check(&["--url"], &[], Err("--url needs a value"));
        check(&["--port", "1"], &[url], Err("no option `--port`"));
        check(&["--listen", "8083"], &[url], Err("no address and port"));
        check(&["--listen", ":1"], &[url], Err("no address and port"));
        check(&["--listen", "0.0.0.0:1"], &[url], Err("can be reached by others"));
        check(&["--sign-as", "states"], &[url], Err("--sign-as: `states`"));
        check(&["--log", "loud"], &[url], Err("--log `loud`"));
        check(&[], &[url, ("STEPWRIGHT_ACCESS_KEY_ID", "k")], Err("no secret"));
    }

    #[test]
    fn a_credential_opens_the_address() {
        let variables = [
            ("STEPWRIGHT_URL", URL),
            ("STEPWRIGHT_ACCESS_KEY_ID", "k"),
            ("STEPWRIGHT_SECRET_ACCESS_KEY", "hunter2"),
        ];
        check(&["--listen", "0.0.0.0:1"], &variables, Ok(("0.0.0.0", 1, "eu-west-1")));
        let Ok(Given::Options(options)) = read(&[], &variables) else { panic!("they can be used") };
        assert!(!format!("{options:?}").contains("hunter2"));
    }

    #[test]
    fn help_names_every_option() {
        let Ok(Given::Text(help)) = read(&["--help"], &[]) else { panic!("it is shown") };
        for (option, variable) in VALUES {
            assert!(help.contains(option) && help.contains(variable), "{option}");
        }
        assert!(matches!(read(&["-V"], &[]), Ok(Given::Text(text)) if text.starts_with("stepwright-proxy ")));
    }
}
