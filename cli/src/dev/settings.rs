//! What the server is told: by the command line, by variables, by the configuration file, in this
//! order.

use std::path::{Path, PathBuf};

use front::guard::is_loopback;
use front::listen::demand_credential;
use front::{Credential, Secret};
use model::arn::{Arn, Home, Resource};

use super::file::{ConfigFile, MachineSettings};
use crate::args::{DevArgs, LogArg, account};

/// Everything that the server needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Folders, templates and definitions; empty for the current folder.
    pub sources: Vec<PathBuf>,
    /// Address or name to listen at.
    pub host: String,
    /// Port; 0 for any.
    pub port: u16,
    /// Where executions are kept.
    pub store: StoreSettings,
    /// `--lambda-endpoint`
    pub lambda_endpoint: Option<String>,
    /// `--endpoint`, those of the configuration file first.
    pub endpoints: Vec<String>,
    /// Connections of HTTP tasks.
    pub connections: Option<PathBuf>,
    /// Whether HTTP tasks may call this computer.
    pub allow_local_http: bool,
    /// The Region, where one is given.
    pub region: Option<String>,
    /// Mock configuration file.
    pub mock: Option<PathBuf>,
    /// How many times as fast time passes.
    pub time_scale: f64,
    /// Partition, Region and account of ARNs.
    pub home: Home,
    /// What requests must be signed with.
    pub credential: Option<Credential>,
    /// What is logged.
    pub log: LogArg,
    /// Whether changes are looked for.
    pub watch: bool,
    /// Values for templates.
    pub parameters: Vec<(String, String)>,
    /// Values for definitions.
    pub substitutions: Vec<(String, String)>,
    /// What is said about single state machines.
    pub machines: Vec<(String, MachineSettings)>,
    /// Things to say at the start.
    pub warnings: Vec<String>,
}

/// Where executions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSettings {
    /// In memory.
    Memory,
    /// In this folder.
    Folder(PathBuf),
}

/// Step Functions Local listens here.
const PORT: u16 = 8083;

/// What is reasonable: with more, a timeout of a minute is a few milliseconds.
const TIME_SCALE: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;

impl Settings {
    /// Puts together what was said; an error says what cannot be.
    pub fn new(args: &DevArgs, file: ConfigFile) -> Result<Settings, String> {
        let credential = credential(args, &file)?;
        let host = args.host.clone().or(file.host).unwrap_or_else(|| "127.0.0.1".to_owned());
        if credential.is_none() && !is_loopback(&host) {
            return Err(demand_credential("--host", &host));
        }
        let time_scale = args.time_scale.or(file.time_scale).unwrap_or(1.0);
        if !TIME_SCALE.contains(&time_scale) {
            return Err(format!(
                "--time-scale must be from {} to {}, not {time_scale}",
                TIME_SCALE.start(),
                TIME_SCALE.end()
            ));
        }
        let given_region = args.region.clone().or(file.region);
        let region = given_region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let number = args.account.clone().or(file.account).unwrap_or_else(|| "123456789012".to_owned());
        account(&number)?;
        let home = Home::new(partition(&region), region.as_str(), number.as_str());
        let probe = Arn { home: home.clone(), resource: Resource::StateMachine { name: "x".into() } };
        Arn::parse(&probe.to_string()).map_err(|_| {
            format!("--region `{region}` is no Region: it has lower-case letters, digits and `-` only")
        })?;
        let in_order = |flags: &[crate::args::Substitution], file: Vec<(String, String)>| {
            let flags = flags.iter().map(|flag| (flag.name.clone(), flag.value.clone()));
            file.into_iter().chain(flags).collect()
        };
        Ok(Settings {
            sources: if args.sources.is_empty() { file.sources } else { args.sources.clone() },
            host,
            port: args.port.or(file.port).unwrap_or(PORT),
            store: store(args, file.in_memory, file.data)?,
            lambda_endpoint: args.lambda_endpoint.clone().or(file.lambda_endpoint),
            endpoints: file
                .endpoints
                .into_iter()
                .map(|(service, place)| if service == "all" { place } else { format!("{service}={place}") })
                .chain(args.endpoints.iter().cloned())
                .collect(),
            connections: args.connections.clone().or(file.connections),
            allow_local_http: args.allow_local_http || file.allow_local_http.unwrap_or(false),
            region: given_region,
            mock: args.mock.clone().or(file.mock),
            time_scale,
            home,
            log: args.log.or(file.log).unwrap_or_default(),
            watch: (args.watch || file.watch.unwrap_or(true)) && !args.no_watch,
            parameters: in_order(&args.parameters, file.parameters),
            substitutions: in_order(&args.substitutions, file.substitutions),
            machines: file.machines,
            warnings: warnings(args),
            credential,
        })
    }

    /// The role that state machines have when nothing names one.
    pub fn default_role(&self) -> String {
        format!("arn:{}:iam::{}:role/stepwright", self.home.partition, self.home.account)
    }
}

fn store(args: &DevArgs, in_memory: Option<bool>, data: Option<PathBuf>) -> Result<StoreSettings, String> {
    let default = || StoreSettings::Folder(Path::new(".stepwright").join("data"));
    match (args.in_memory, &args.data) {
        (true, Some(_)) => Err("--in-memory and --data exclude one another; STEPWRIGHT_IN_MEMORY and \
                                STEPWRIGHT_DATA count as well"
            .to_owned()),
        (true, None) => Ok(StoreSettings::Memory),
        (false, Some(folder)) => Ok(StoreSettings::Folder(folder.clone())),
        (false, None) if in_memory == Some(true) => Ok(StoreSettings::Memory),
        (false, None) => Ok(data.map_or_else(default, StoreSettings::Folder)),
    }
}

/// The credential as a whole comes from the flags and variables, or as a whole from the file.
fn credential(args: &DevArgs, file: &ConfigFile) -> Result<Option<Credential>, String> {
    let from_args = (&args.access_key_id, &args.secret_access_key, &args.session_token);
    let from_file = (&file.access_key_id, &file.secret_access_key, &file.session_token);
    let (id, secret, token) = if let (None, None, None) = from_args { from_file } else { from_args };
    Credential::of(id.clone(), secret.clone(), token.clone())
}

/// A secret that is on the command line can be read by everyone on the computer.
fn warnings(args: &DevArgs) -> Vec<String> {
    let is_visible = |secret: &Option<Secret>, variable: &str| {
        let from_variable = std::env::var(variable).ok();
        secret.as_ref().is_some_and(|secret| from_variable.as_deref() != Some(secret.expose()))
    };
    let visible = [
        ("--secret-access-key", is_visible(&args.secret_access_key, "STEPWRIGHT_SECRET_ACCESS_KEY")),
        ("--session-token", is_visible(&args.session_token, "STEPWRIGHT_SESSION_TOKEN")),
    ];
    let shown = visible.into_iter().filter(|(_, is_visible)| *is_visible);
    shown
        .map(|(flag, _)| {
            format!(
                "{flag} can be read by other users in the list of processes: prefer the variable or the \
                 configuration file"
            )
        })
        .collect()
}

/// Source: AWS General Reference, "Amazon Resource Names (ARNs)".
fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn settings(args: &[&str], file: &str) -> Result<Settings, String> {
        let line = ["stepwright", "dev"].iter().chain(args);
        let Command::Dev(args) = Cli::try_parse_from(line).expect("the line is valid").command else {
            panic!("the command is dev")
        };
        let file = ConfigFile::parse(file, Path::new("/base")).expect("the file is valid");
        Settings::new(&args, file)
    }

    fn check<T: PartialEq + std::fmt::Debug>(
        args: &[&str],
        file: &str,
        of: impl Fn(&Settings) -> T,
        expected: T,
    ) {
        let found = settings(args, file).unwrap_or_else(|error| panic!("{args:?} {file}: {error}"));
        assert_eq!(of(&found), expected, "{args:?} {file}");
    }

    #[test]
    fn flags_come_before_the_file_and_the_file_before_defaults() {
        let port = |settings: &Settings| settings.port;
        check(&[], "", port, 8083);
        check(&[], "[dev]\nport = 1", port, 1);
        check(&["--port", "2"], "[dev]\nport = 1", port, 2);

        let store = |settings: &Settings| settings.store.clone();
        let folder = |path: &str| StoreSettings::Folder(PathBuf::from(path));
        check(&[], "", store, folder(".stepwright/data"));
        check(&[], "[dev]\ndata = \"d\"", store, folder("/base/d"));
        check(&["--data", "e"], "[dev]\ndata = \"d\"", store, folder("e"));
        check(&["--in-memory"], "[dev]\ndata = \"d\"", store, StoreSettings::Memory);
        check(&[], "[dev]\nin-memory = true", store, StoreSettings::Memory);
        check(&["--data", "e"], "[dev]\nin-memory = true", store, folder("e"));

        let watch = |settings: &Settings| settings.watch;
        check(&[], "", watch, true);
        check(&[], "[dev]\nwatch = false", watch, false);
        check(&["--watch"], "[dev]\nwatch = false", watch, true);
        check(&["--no-watch"], "", watch, false);
        check(&["--watch", "--no-watch"], "", watch, false);

        let sources = |settings: &Settings| settings.sources.clone();
        check(&[], "[dev]\nsources = [\"a\"]", sources, vec![PathBuf::from("/base/a")]);
        check(&["b"], "[dev]\nsources = [\"a\"]", sources, vec![PathBuf::from("b")]);

        let parameters = |settings: &Settings| settings.parameters.last().map(|(_, value)| value.clone());
        check(&["--parameter", "A=2"], "[dev.parameters]\nA = \"1\"", parameters, Some("2".to_owned()));
    }

    #[test]
    fn the_partition_follows_the_region() {
        for (region, expected) in
            [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
        {
            check(
                &["--region", region],
                "",
                |settings| settings.home.partition.to_string(),
                expected.to_owned(),
            );
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |args: &[&str], file: &str, word: &str| {
            let error = settings(args, file).expect_err("it is refused");
            assert!(error.contains(word) && !error.contains("hunter2"), "{args:?}: {error}");
        };
        check(&["--host", "0.0.0.0"], "", "can be reached by others");
        check(&["--host", "::"], "", "can be reached by others");
        check(&[], "[dev]\nhost = \"workbench.test\"", "can be reached by others");
        check(&["--time-scale", "0"], "", "--time-scale");
        check(&["--time-scale", "NaN"], "", "--time-scale");
        check(&["--region", "US"], "", "is no Region");
        check(&["--in-memory", "--data", "d"], "", "exclude one another");
        check(&["--access-key-id", "k"], "", "no secret");
        check(&["--secret-access-key", "hunter2"], "", "no access key id");
        check(&["--session-token", "hunter2"], "", "no access key id");
        check(&["--access-key-id", "a/b", "--secret-access-key", "hunter2"], "", "letters, digits");
    }

    #[test]
    fn a_credential_opens_the_host() {
        let args = ["--host", "0.0.0.0", "--access-key-id", "k", "--secret-access-key", "hunter2"];
        let found = settings(&args, "").expect("it may listen");
        assert!(!format!("{found:?}").contains("hunter2"));
        assert!(found.warnings.iter().any(|warning| warning.contains("list of processes")));
        let file = "[dev]\nhost = \"0.0.0.0\"\naccess-key-id = \"k\"\nsecret-access-key = \"hunter2\"";
        let found = settings(&[], file).expect("it may listen");
        assert!(found.warnings.is_empty() && found.credential.is_some());
    }
}
