//! Reading what a command is given: definitions and inputs.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use asl::{Format, Options, Parsed, Substitutions};
use model::json::Value;
use model::status::StateMachineType;

use crate::args::DefinitionArgs;

/// A definition's text.
#[derive(Clone, Debug)]
pub struct Source {
    /// How messages name it: the path as given, or `<stdin>`.
    pub name: String,
    /// The text.
    pub text: String,
    /// The language that the text is written in.
    pub format: Format,
}

/// A text that cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// The file cannot be opened or read.
    Io {
        /// The path as given, or `<stdin>`.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// The file is not UTF-8.
    NotUtf8 {
        /// The path as given, or `<stdin>`.
        name: String,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Offset of the first bad byte, from 0.
        offset: usize,
        /// That byte.
        byte: u8,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Io { name, error } => match error.kind() {
                io::ErrorKind::NotFound => write!(f, "cannot read `{name}`: there is no such file"),
                io::ErrorKind::IsADirectory => write!(f, "cannot read `{name}`: it is a directory"),
                io::ErrorKind::PermissionDenied => write!(f, "cannot read `{name}`: permission denied"),
                _ => write!(f, "cannot read `{name}`: {error}"),
            },
            ReadError::NotUtf8 { name, line, offset, byte } => write!(
                f,
                "cannot read `{name}`: it is not UTF-8 (byte 0x{byte:02x} at offset {offset}, line {line}); \
                 save it as UTF-8"
            ),
        }
    }
}

/// Reads a file, or standard input for `-`. A byte order mark is dropped.
pub fn read_text(path: &Path) -> Result<String, ReadError> {
    let name = display_name(path);
    let read = if is_stdin(path) {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    match read {
        Ok(bytes) => decode(name, bytes),
        Err(error) => Err(ReadError::Io { name, error }),
    }
}

fn decode(name: String, bytes: Vec<u8>) -> Result<String, ReadError> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let offset = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line = bytes[..offset].iter().filter(|&&b| b == b'\n').count() + 1;
            Err(ReadError::NotUtf8 { name, line, offset, byte: bytes[offset] })
        }
    }
}

/// Reads a definition's text.
pub fn read_definition(path: &Path) -> Result<Source, ReadError> {
    let text = read_text(path)?;
    Ok(Source { name: display_name(path), text, format: format_of(path) })
}

/// Parses a definition as the command line says.
pub fn parse(source: &Source, args: &DefinitionArgs) -> Parsed {
    let values: Substitutions = args
        .substitutions
        .iter()
        .map(|substitution| (substitution.name.clone(), Value::from(substitution.value.as_str())))
        .collect();
    let options = Options {
        format: source.format,
        machine_type: if args.express { StateMachineType::Express } else { StateMachineType::Standard },
        substitutions: (!values.is_empty()).then_some(values),
        sdk_action: Some(integrations_aws::Services::offers),
        ..Options::default()
    };
    asl::parse(&source.text, &options)
}

/// The substitutions that occur in none of the texts: most likely misspelled.
pub fn unused_substitutions<'a>(args: &'a DefinitionArgs, sources: &[&Source]) -> Vec<&'a str> {
    let is_unused = |name: &str| {
        let placeholder = format!("${{{name}}}");
        !sources.iter().any(|source| source.text.contains(&placeholder))
    };
    args.substitutions.iter().map(|known| known.name.as_str()).filter(|name| is_unused(name)).collect()
}

/// A name for a state machine from the path of its definition: the file's stem, or the folder's
/// name where the stem says nothing. Characters that names cannot have become `-`.
pub fn name_from(path: &Path) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let stem = part(path.file_name()).unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default();
    let folder = path.parent().and_then(|parent| part(parent.file_name()));
    let name = match (stem, folder) {
        (
            "machine" | "statemachine" | "state-machine" | "state_machine" | "definition" | "workflow",
            Some(folder),
        ) => folder,
        (stem, _) => stem.to_owned(),
    };
    let name: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' })
        .take(80)
        .collect();
    if name.trim_matches('-').is_empty() { "StateMachine".to_owned() } else { name }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn display_name(path: &Path) -> String {
    if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// By the extension; else by the text itself.
pub fn format_of(path: &Path) -> Format {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    match extension.as_deref() {
        Some("yaml" | "yml") => Format::Yaml,
        Some("json") => Format::Json,
        _ => Format::Auto,
    }
}

/// Where the text of `--input` comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputArg {
    /// The argument is the text.
    Inline(String),
    /// `@FILE` or `-`.
    File(PathBuf),
}

impl InputArg {
    /// Reads the argument's form.
    pub fn of(arg: &str) -> InputArg {
        match arg.strip_prefix('@') {
            Some(file) => InputArg::File(PathBuf::from(file)),
            None if arg == "-" => InputArg::File(PathBuf::from("-")),
            None => InputArg::Inline(arg.to_owned()),
        }
    }

    /// The name that messages use, and the text.
    pub fn read(self) -> Result<(String, String), ReadError> {
        match self {
            InputArg::Inline(text) => Ok(("--input".to_owned(), text)),
            InputArg::File(path) => Ok((display_name(&path), read_text(&path)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::name::check_name;

    use super::*;

    #[test]
    fn the_extension_tells_the_format() {
        for (path, expected) in [
            ("a.asl.json", Format::Json),
            ("a.asl.yaml", Format::Yaml),
            ("a.YML", Format::Yaml),
            ("a.asl", Format::Auto),
            ("-", Format::Auto),
        ] {
            assert_eq!(format_of(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn names_come_from_the_path() {
        for (path, expected) in [
            ("orders.asl.json", "orders"),
            ("a/orders/machine.asl.json", "orders"),
            ("machine.json", "machine"),
            ("a b$.json", "a-b-"),
            ("-", "StateMachine"),
            ("..json", "StateMachine"),
        ] {
            assert_eq!(name_from(Path::new(path)), expected, "{path}");
            assert_eq!(check_name(&name_from(Path::new(path))), Ok(()), "{path}");
        }
    }

    #[test]
    fn bad_bytes_are_reported_with_their_place() {
        let error = decode("f".to_owned(), b"ab\nc\xffd".to_vec()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read `f`: it is not UTF-8 (byte 0xff at offset 4, line 2); save it as UTF-8"
        );
        assert_eq!(decode("f".to_owned(), b"\xef\xbb\xbf{}".to_vec()).unwrap(), "{}");
    }

    #[test]
    fn inputs_come_from_the_argument_or_a_file() {
        assert_eq!(InputArg::of("{}"), InputArg::Inline("{}".to_owned()));
        assert_eq!(InputArg::of("@a.json"), InputArg::File(PathBuf::from("a.json")));
        assert_eq!(InputArg::of("-"), InputArg::File(PathBuf::from("-")));
        assert_eq!(InputArg::of("-1"), InputArg::Inline("-1".to_owned()));
    }
}
