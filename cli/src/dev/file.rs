//! `stepwright.toml`.

use std::ops::Range;
use std::path::{Path, PathBuf};

use front::Secret;
use model::json::{Location, Span};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::args::{LogArg, account};
use crate::excerpt::{self, Level, Note};
use crate::nearest::nearest;
use crate::source;
use crate::terminal::Style;

/// The name of the file that is read when none is named.
pub const NAME: &str = "stepwright.toml";

/// What the file says. Paths are relative to its folder.
#[derive(Debug, Default)]
pub struct ConfigFile {
    /// `sources`
    pub sources: Vec<PathBuf>,
    /// `host`
    pub host: Option<String>,
    /// `port`
    pub port: Option<u16>,
    /// `data`
    pub data: Option<PathBuf>,
    /// `in-memory`
    pub in_memory: Option<bool>,
    /// `lambda-endpoint`
    pub lambda_endpoint: Option<String>,
    /// `connections`
    pub connections: Option<PathBuf>,
    /// `allow-local-http`
    pub allow_local_http: Option<bool>,
    /// `[dev.endpoints]`
    pub endpoints: Vec<(String, String)>,
    /// `mock`
    pub mock: Option<PathBuf>,
    /// `time-scale`
    pub time_scale: Option<f64>,
    /// `region`
    pub region: Option<String>,
    /// `account`
    pub account: Option<String>,
    /// `access-key-id`
    pub access_key_id: Option<String>,
    /// `secret-access-key`
    pub secret_access_key: Option<Secret>,
    /// `session-token`
    pub session_token: Option<Secret>,
    /// `log`
    pub log: Option<LogArg>,
    /// `watch`
    pub watch: Option<bool>,
    /// `[dev.parameters]`
    pub parameters: Vec<(String, String)>,
    /// `[dev.substitutions]`
    pub substitutions: Vec<(String, String)>,
    /// `[dev.state-machines.NAME]`
    pub machines: Vec<(String, MachineSettings)>,
}

/// What the file says about a state machine whose definition stands in a file of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineSettings {
    /// `type = "EXPRESS"`
    pub express: bool,
    /// `role-arn`
    pub role_arn: Option<String>,
    /// `[dev.state-machines.NAME.substitutions]`
    pub substitutions: Vec<(String, String)>,
}

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    message: String,
    span: Option<Span>,
}

const KEYS: [&str; 21] = [
    "access-key-id",
    "account",
    "allow-local-http",
    "connections",
    "data",
    "endpoints",
    "host",
    "in-memory",
    "lambda-endpoint",
    "log",
    "mock",
    "parameters",
    "port",
    "region",
    "secret-access-key",
    "session-token",
    "sources",
    "state-machines",
    "substitutions",
    "time-scale",
    "watch",
];

const MACHINE_KEYS: [&str; 3] = ["role-arn", "substitutions", "type"];

impl ConfigFile {
    /// Reads `path`, or the file of the current folder when there is one. An error is what to
    /// print, with its last line feed.
    pub fn read(path: Option<&Path>, style: Style) -> Result<ConfigFile, String> {
        let path = match path {
            Some(path) => path,
            None if Path::new(NAME).exists() => Path::new(NAME),
            None => return Ok(ConfigFile::default()),
        };
        let text = source::read_text(path).map_err(|error| format!("{}: {error}\n", style.error("error")))?;
        let name = path.display().to_string();
        ConfigFile::parse(&text, path.parent().unwrap_or(Path::new("")))
            .map_err(|errors| errors.iter().map(|error| error.render(&name, &text, style)).collect())
    }

    /// Reads the text; on failure, everything that is wrong with it.
    pub fn parse(text: &str, folder: &Path) -> Result<ConfigFile, Vec<ConfigError>> {
        let root = DeTable::parse(text).map_err(|error| {
            vec![ConfigError { message: error.message().to_owned(), span: error.span().map(span_of) }]
        })?;
        let mut reader = Reader { folder, errors: Vec::new() };
        let file = reader.root(root.get_ref());
        reader.errors.sort_by_key(|error| error.span.map(|span| span.start));
        if reader.errors.is_empty() { Ok(file) } else { Err(reader.errors) }
    }
}

impl ConfigError {
    fn render(&self, name: &str, text: &str, style: Style) -> String {
        if let Some(span) = self.span.filter(|span| shows_secret(text, *span)) {
            let Location { line, column } = Location::of(text, span.start);
            return format!("{name}:{line}:{column}: {}: {}\n", style.error("error"), self.message);
        }
        let note = Note {
            level: Level::Error,
            code: None,
            message: &self.message,
            label: "",
            span: self.span,
            footer: &[],
        };
        excerpt::render(name, text, &note, style)
    }
}

/// Whether a line of `span` is that of a secret, and must not be shown.
fn shows_secret(text: &str, span: Span) -> bool {
    let start = text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(span.end..).and_then(|after| after.find('\n')).map_or(text.len(), |at| span.end + at);
    let lines = text.get(start..end.max(start)).unwrap_or(text).to_lowercase().replace('_', "-");
    lines.contains("secret") || lines.contains("token")
}

struct Reader<'f> {
    folder: &'f Path,
    errors: Vec<ConfigError>,
}

type Value<'v, 'i> = &'v Spanned<DeValue<'i>>;

impl Reader<'_> {
    fn error(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.errors.push(ConfigError { message: message.into(), span: Some(span_of(span)) });
    }

    fn root(&mut self, root: &DeTable<'_>) -> ConfigFile {
        let mut file = ConfigFile::default();
        for (key, value) in root.iter() {
            match (key.get_ref().as_ref(), value.get_ref().as_table()) {
                ("dev", Some(table)) => self.dev(table, &mut file),
                ("dev", None) => self.error(value.span(), "`dev` must be a table: `[dev]`"),
                (name, _) => self.unknown(key.span(), name, &["dev"], "the file"),
            }
        }
        file
    }

    fn dev(&mut self, table: &DeTable<'_>, file: &mut ConfigFile) {
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            match name {
                "sources" => file.sources = self.paths(name, value),
                "host" => file.host = self.text(name, value),
                "port" => file.port = self.port(value),
                "data" => file.data = self.path(name, value),
                "in-memory" => file.in_memory = self.flag(name, value),
                "lambda-endpoint" => file.lambda_endpoint = self.text(name, value),
                "connections" => file.connections = self.path(name, value),
                "allow-local-http" => file.allow_local_http = self.flag(name, value),
                "endpoints" => file.endpoints = self.texts(name, value),
                "mock" => file.mock = self.path(name, value),
                "time-scale" => file.time_scale = self.number(name, value),
                "region" => file.region = self.text(name, value),
                "account" => {
                    file.account =
                        self.text(name, value).and_then(|text| self.checked(value, account(&text)));
                }
                "access-key-id" => file.access_key_id = self.text(name, value),
                "secret-access-key" => file.secret_access_key = self.text(name, value).map(Secret::new),
                "session-token" => file.session_token = self.text(name, value).map(Secret::new),
                "log" => {
                    file.log = self.text(name, value).and_then(|text| self.checked(value, text.parse()));
                }
                "watch" => file.watch = self.flag(name, value),
                "parameters" => file.parameters = self.texts(name, value),
                "substitutions" => file.substitutions = self.texts(name, value),
                "state-machines" => {
                    for (name, value) in self.table(name, value) {
                        let machine = self.machine(&name, value);
                        file.machines.push((name, machine));
                    }
                }
                name => self.unknown(key.span(), name, &KEYS, "[dev]"),
            }
        }
    }

    fn machine(&mut self, machine: &str, value: Value<'_, '_>) -> MachineSettings {
        let mut settings = MachineSettings::default();
        let Some(table) = value.get_ref().as_table() else {
            self.error(value.span(), format!("`{machine}` must be a table"));
            return settings;
        };
        for (key, value) in table.iter() {
            match key.get_ref().as_ref() {
                "type" => match value.get_ref().as_str() {
                    Some("STANDARD") => {}
                    Some("EXPRESS") => settings.express = true,
                    _ => self.error(value.span(), "`type` must be \"STANDARD\" or \"EXPRESS\""),
                },
                "role-arn" => settings.role_arn = self.text("role-arn", value),
                "substitutions" => settings.substitutions = self.texts("substitutions", value),
                name => self.unknown(key.span(), name, &MACHINE_KEYS, "a state machine"),
            }
        }
        settings
    }

    fn unknown(&mut self, span: Range<usize>, name: &str, known: &[&str], place: &str) {
        let message = match nearest(name, known) {
            Some(near) => format!("`{name}` is no key of {place}; did you mean `{near}`?"),
            None => format!("`{name}` is no key of {place}, which has {}", known.join(", ")),
        };
        self.error(span, message);
    }

    fn checked<T>(&mut self, value: Value<'_, '_>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.error(value.span(), message)).ok()
    }

    fn typed<T>(&mut self, name: &str, value: Value<'_, '_>, found: Option<T>, wanted: &str) -> Option<T> {
        if found.is_none() {
            let kind = value.get_ref().type_str();
            self.error(value.span(), format!("`{name}` must be {wanted}, not a value of type {kind}"));
        }
        found
    }

    fn text(&mut self, name: &str, value: Value<'_, '_>) -> Option<String> {
        self.typed(name, value, value.get_ref().as_str().map(str::to_owned), "a text in quotes")
    }

    fn flag(&mut self, name: &str, value: Value<'_, '_>) -> Option<bool> {
        self.typed(name, value, value.get_ref().as_bool(), "true or false")
    }

    fn port(&mut self, value: Value<'_, '_>) -> Option<u16> {
        let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        self.typed(
            "port",
            value,
            number.and_then(|number| number.as_str().parse().ok()),
            "a number up to 65535",
        )
    }

    fn number(&mut self, name: &str, value: Value<'_, '_>) -> Option<f64> {
        let whole = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let digits = whole.map(|number| number.as_str().to_owned());
        let digits = digits.or_else(|| value.get_ref().as_float().map(|number| number.as_str().to_owned()));
        self.typed(name, value, digits.and_then(|digits| digits.parse().ok()), "a number")
    }

    fn path(&mut self, name: &str, value: Value<'_, '_>) -> Option<PathBuf> {
        let text = self.text(name, value)?;
        Some(self.folder.join(text))
    }

    fn paths(&mut self, name: &str, value: Value<'_, '_>) -> Vec<PathBuf> {
        let items = value.get_ref().as_array().map(|items| items.iter().collect::<Vec<_>>());
        let items = self.typed(name, value, items, "an array of paths").unwrap_or_default();
        items.into_iter().filter_map(|item| self.path(name, item)).collect()
    }

    fn table<'v, 'i>(&mut self, name: &str, value: Value<'v, 'i>) -> Vec<(String, Value<'v, 'i>)> {
        let table = value.get_ref().as_table();
        let Some(table) = self.typed(name, value, table, "a table") else { return Vec::new() };
        table.iter().map(|(key, value)| (key.get_ref().to_string(), value)).collect()
    }

    fn texts(&mut self, name: &str, value: Value<'_, '_>) -> Vec<(String, String)> {
        let members = self.table(name, value);
        members
            .into_iter()
            .filter_map(|(name, value)| Some((name.clone(), self.text(&name, value)?)))
            .collect()
    }
}

fn span_of(range: Range<usize>) -> Span {
    Span { start: range.start, end: range.end }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { color: false, graphics: false };

    #[test]
    fn every_key_is_read() {
        let text = "[dev]\nsources = [\"a\", \"/b\"]\nhost = \"localhost\"\nport = 0\ndata = \"d\"\nin-memory = false\n\
                    lambda-endpoint = \"aws\"\nmock = \"m.json\"\ntime-scale = 2\nregion = \"eu-west-1\"\n\
                    account = \"000000000000\"\naccess-key-id = \"k\"\nsecret-access-key = \"s\"\n\
                    session-token = \"t\"\nlog = \"json\"\nwatch = false\n[dev.parameters]\nStage = \"dev\"\n\
                    [dev.substitutions]\nTable = \"t\"\n[dev.state-machines.orders]\ntype = \"EXPRESS\"\n\
                    role-arn = \"r\"\nsubstitutions = { A = \"b\" }\n";
        let file = ConfigFile::parse(text, Path::new("x")).expect("it is valid");
        assert_eq!(file.sources, [Path::new("x/a"), Path::new("/b")]);
        assert_eq!((file.host.as_deref(), file.port), (Some("localhost"), Some(0)));
        assert_eq!((file.data, file.in_memory), (Some(PathBuf::from("x/d")), Some(false)));
        assert_eq!((file.mock, file.time_scale), (Some(PathBuf::from("x/m.json")), Some(2.0)));
        assert_eq!(file.lambda_endpoint.as_deref(), Some("aws"));
        assert_eq!(
            (file.region.as_deref(), file.account.as_deref()),
            (Some("eu-west-1"), Some("000000000000"))
        );
        assert_eq!(file.access_key_id.as_deref(), Some("k"));
        assert_eq!(file.secret_access_key, Some(Secret::new("s")));
        assert_eq!(file.session_token, Some(Secret::new("t")));
        assert_eq!((file.log.is_some(), file.watch), (true, Some(false)));
        assert_eq!(file.parameters, [("Stage".to_owned(), "dev".to_owned())]);
        assert_eq!(file.substitutions, [("Table".to_owned(), "t".to_owned())]);
        let orders = MachineSettings {
            express: true,
            role_arn: Some("r".to_owned()),
            substitutions: vec![("A".to_owned(), "b".to_owned())],
        };
        assert_eq!(file.machines, [("orders".to_owned(), orders)]);
    }

    fn check(text: &str, expected: &[&str]) {
        let errors = ConfigFile::parse(text, Path::new("")).expect_err("it is refused");
        let found: Vec<String> = errors.iter().map(|error| error.render("f", text, PLAIN)).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        check("[dev]\nprot = 1\n", &["f:2:1: error: `prot` is no key of [dev]; did you mean `port`?"]);
        check(
            "[dev]\ntime_scale = 1\n",
            &["f:2:1: error: `time_scale` is no key of [dev]; did you mean `time-scale`?"],
        );
        check(
            "[dev]\nzzzzzzzz = 1\n",
            &["f:2:1: error: `zzzzzzzz` is no key of [dev], which has access-key-id,"],
        );
        check("[def]\n", &["f:1:2: error: `def` is no key of the file; did you mean `dev`?"]);
        check("dev = 1\n", &["f:1:7: error: `dev` must be a table"]);
        check("[dev]\nport = 70000\n", &["f:2:8: error: `port` must be a number up to 65535"]);
        check(
            "[dev]\nport = \"1\"\nhost = 2\n",
            &["f:2:8: error: `port` must be", "f:3:8: error: `host` must be a text"],
        );
        check("[dev]\naccount = \"1\"\n", &["f:2:11: error: an account is 12 digits"]);
        check("[dev]\nlog = \"loud\"\n", &["f:2:7: error: `loud` is not one of"]);
        check(
            "[dev.state-machines.a]\ntyp = \"EXPRESS\"\n",
            &["f:2:1: error: `typ` is no key of a state machine; did you mean `type`?"],
        );
        check("[dev.state-machines.a]\ntype = \"express\"\n", &["f:2:8: error: `type` must be"]);
        check("[dev]\nport = \n", &["f:2:"]);
        check("[dev]\nport = 1\nport = 2\n", &["f:3:"]);
    }

    #[test]
    fn secrets_are_not_part_of_errors() {
        let text = "[dev]\nsecret-access-key = [\"hunter2\"]\n";
        let errors = ConfigFile::parse(text, Path::new("")).expect_err("it is refused");
        let shown = errors[0].render("f", text, PLAIN);
        assert!(shown.starts_with("f:2:21: error: `secret-access-key` must be a text"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
