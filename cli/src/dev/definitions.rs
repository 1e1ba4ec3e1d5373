//! State machines and activities as files describe them.
//!
//! Reading order: [`load`] (from sources to a list), `folder` (files by their names), `template`
//! (SAM and CloudFormation), `intrinsic` (the functions of templates), `deploy` (the list becomes
//! calls of the API).

pub mod deploy;
mod folder;
mod intrinsic;
mod resource;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asl::{Diagnostic, Format, Options, Severity, Substitutions, document};
use model::arn::Home;
use model::json::{Span, Spanned, SpannedKind, Value};
use model::name::check_name;
use model::status::StateMachineType;

use super::file::MachineSettings;
use crate::excerpt::{self, Level, Note};
use crate::source::{self, Source, name_from};
use crate::terminal::Style;

/// How definitions are read.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Whose ARNs templates name.
    pub home: Home,
    /// Values of parameters, and of whatever else a template cannot know here.
    pub parameters: Vec<(String, String)>,
    /// Values of `${Name}` in definitions without a template.
    pub substitutions: Vec<(String, String)>,
    /// What is said about single state machines.
    pub machines: Vec<(String, MachineSettings)>,
    /// The role of those that name none.
    pub default_role: String,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// State machines, in the order in which they were found.
    pub machines: Vec<Machine>,
    /// Names of activities.
    pub activities: Vec<String>,
    /// What is wrong, or odd.
    pub findings: Vec<Finding>,
    /// State machines that were found and are refused, by name or logical id.
    pub refused: Vec<String>,
    /// Files that were read.
    pub files: BTreeSet<PathBuf>,
    /// Folders that were looked through.
    pub folders: BTreeSet<PathBuf>,
}

/// A state machine that can be created.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its definition, as JSON text.
    pub definition: String,
    /// Its type.
    pub express: bool,
    /// Its role.
    pub role_arn: String,
    /// `loggingConfiguration`, where one is given.
    pub logging: Option<Value>,
    /// `tracingConfiguration`, where one is given.
    pub tracing: Option<Value>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// The file that it comes from.
    pub file: PathBuf,
}

/// Something to say about a place in a file.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The file, and what to call it.
    pub name: String,
    /// Its text.
    pub text: Arc<str>,
    /// How bad it is.
    pub level: Level,
    /// The kind of a diagnostic.
    pub code: Option<&'static str>,
    /// What it is.
    pub message: String,
    /// Where it is.
    pub span: Option<Span>,
    /// What to do about it.
    pub footer: Vec<String>,
}

impl Finding {
    /// With its excerpt, ending with a line feed.
    pub fn render(&self, style: Style) -> String {
        let note = Note {
            level: self.level,
            code: self.code,
            message: &self.message,
            label: "",
            span: self.span,
            footer: &self.footer,
        };
        excerpt::render(&self.name, &self.text, &note, style)
    }
}

/// A file's text, for findings in it.
#[derive(Clone, Debug)]
struct File {
    path: PathBuf,
    name: String,
    text: Arc<str>,
}

impl File {
    fn error(&self, span: Option<Span>, message: impl Into<String>, advice: Option<&str>) -> Finding {
        Finding {
            name: self.name.clone(),
            text: self.text.clone(),
            level: Level::Error,
            code: None,
            message: message.into(),
            span,
            footer: advice.map(|advice| format!("help: {advice}")).into_iter().collect(),
        }
    }

    fn warning(&self, span: Option<Span>, message: impl Into<String>) -> Finding {
        Finding { level: Level::Warning, ..self.error(span, message, None) }
    }

    fn diagnostic(&self, found: &Diagnostic) -> Finding {
        let level = match found.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        };
        Finding {
            level,
            code: Some(found.code.as_str()),
            footer: found.location.iter().map(|location| format!("at {location}")).collect(),
            ..self.error(found.span, found.message.clone(), None)
        }
    }
}

/// Reads every source; with none, the current folder.
pub fn load(sources: &[PathBuf], options: &LoadOptions) -> Loaded {
    let mut loader = Loader { options, loaded: Loaded::default() };
    let here = [PathBuf::from(".")];
    for source in if sources.is_empty() { &here } else { sources } {
        loader.source(source);
    }
    loader.check_names();
    loader.loaded
}

struct Loader<'o> {
    options: &'o LoadOptions,
    loaded: Loaded,
}

impl Loader<'_> {
    fn source(&mut self, path: &Path) {
        if !path.is_dir() {
            self.file(path);
            return;
        }
        for name in ["template.yaml", "template.yml", "template.json"] {
            let template = path.join(name);
            if template.is_file() && folder::is_template(&template) {
                self.file(&template);
                return;
            }
        }
        match folder::scan(path) {
            Ok(scanned) => {
                self.loaded.folders.extend(scanned.folders);
                if scanned.cut {
                    self.unread(
                        path,
                        "it has too many entries; name the folders with definitions".to_owned(),
                    );
                }
                for file in scanned.files {
                    self.file(&file);
                }
            }
            Err(error) => self.unread(path, error.to_string()),
        }
    }

    /// A template or a definition: what the file says that it is.
    fn file(&mut self, path: &Path) {
        let Some(file) = self.read(path) else { return };
        let format = source::format_of(path);
        match document::read(&file.text, format) {
            Ok(root) if template::is_template(&root) => {
                template::load(&file, &root, self.options, &mut self.loaded)
            }
            _ => self.definition(&file, format),
        }
    }

    fn read(&mut self, path: &Path) -> Option<File> {
        self.loaded.files.insert(path.to_owned());
        match source::read_text(path) {
            Ok(text) => {
                Some(File { path: path.to_owned(), name: path.display().to_string(), text: text.into() })
            }
            Err(error) => {
                let file = File { path: path.to_owned(), name: path.display().to_string(), text: "".into() };
                self.loaded.findings.push(file.error(None, error.to_string(), None));
                None
            }
        }
    }

    fn unread(&mut self, path: &Path, why: String) {
        let file = File { path: path.to_owned(), name: path.display().to_string(), text: "".into() };
        self.loaded.findings.push(file.error(None, why, None));
    }

    fn definition(&mut self, file: &File, format: Format) {
        let name = name_from(&file.path);
        let settings = self.options.machines.iter().find(|(known, _)| *known == name);
        let settings = settings.map(|(_, settings)| settings.clone()).unwrap_or_default();
        let substitutions: Substitutions = self
            .options
            .substitutions
            .iter()
            .chain(&settings.substitutions)
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let substitutions = (!substitutions.is_empty()).then_some(substitutions);
        let source = Source { name: file.name.clone(), text: file.text.to_string(), format };
        match read_definition(file, &source, settings.express, substitutions, &mut self.loaded.findings) {
            None => self.loaded.refused.push(name),
            Some(definition) => self.loaded.machines.push(Machine {
                name,
                definition,
                express: settings.express,
                role_arn: settings.role_arn.unwrap_or_else(|| self.options.default_role.clone()),
                logging: None,
                tracing: None,
                tags: BTreeMap::new(),
                file: file.path.clone(),
            }),
        }
    }

    /// Names are what the service accepts, and each is there once.
    fn check_names(&mut self) {
        let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
        let Loaded { machines, findings, refused, .. } = &mut self.loaded;
        machines.retain(|machine| {
            let file = File {
                path: machine.file.clone(),
                name: machine.file.display().to_string(),
                text: "".into(),
            };
            if let Err(error) = check_name(&machine.name) {
                findings.push(file.error(None, format!("the name of the state machine {error}"), None));
                refused.push(machine.name.clone());
                return false;
            }
            if let Some(earlier) = names.get(&machine.name) {
                let message =
                    format!("state machine `{}` is also defined by `{}`", machine.name, earlier.display());
                findings.push(file.error(None, message, Some("give one of the files another name")));
                return false;
            }
            names.insert(machine.name.clone(), machine.file.clone());
            true
        });
    }
}

/// The definition of a file as JSON text, when it is valid. Warnings are findings, too.
fn read_definition(
    file: &File,
    source: &Source,
    express: bool,
    substitutions: Option<Substitutions>,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let options = definition_options(source.format, express, substitutions);
    let parsed = asl::parse(&source.text, &options);
    findings.extend(parsed.diagnostics.iter().map(|found| file.diagnostic(found)));
    parsed.machine.as_ref()?;
    let root = document::read(&source.text, source.format).ok()?;
    let is_json = source.text.trim_start().starts_with('{');
    match options.substitutions {
        // As it was written: that is what DescribeStateMachine shows.
        None if is_json => Some(source.text.clone()),
        None => Some(root.to_value().to_json()),
        Some(substitutions) => Some(document::substituted(root, &substitutions).to_value().to_json()),
    }
}

fn definition_options(format: Format, express: bool, substitutions: Option<Substitutions>) -> Options {
    Options {
        format,
        machine_type: if express { StateMachineType::Express } else { StateMachineType::Standard },
        substitutions,
        ..Options::default()
    }
}

/// A member of an object; of repeated names the last.
fn member<'n>(node: &'n Spanned, name: &str) -> Option<&'n Spanned> {
    match &node.kind {
        SpannedKind::Object(members) => {
            members.iter().rev().find(|member| member.name == name).map(|member| &member.value)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
