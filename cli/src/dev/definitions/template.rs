//! State machines and activities of SAM and CloudFormation templates.
//!
//! Source: SAM, `AWS::Serverless::StateMachine`; CloudFormation, `AWS::StepFunctions::StateMachine`
//! and `AWS::StepFunctions::Activity`.

use std::collections::BTreeMap;
use std::path::Path;

use asl::{Format, Substitutions};
use model::json::{Span, Spanned, SpannedKind, Value};

use super::intrinsic::Resolver;
use super::{File, LoadOptions, Loaded, Machine, definition_options, member, read_definition};
use crate::source::{self, Source};

const SERVERLESS: &str = "AWS::Serverless::StateMachine";
const CLOUDFORMATION: &str = "AWS::StepFunctions::StateMachine";
const ACTIVITY: &str = "AWS::StepFunctions::Activity";

/// Whether a document is a template, rather than a definition.
pub fn is_template(root: &Spanned) -> bool {
    member(root, "Resources").is_some_and(|resources| matches!(resources.kind, SpannedKind::Object(_)))
        && member(root, "States").is_none()
}

/// Whether a template has anything to run.
pub fn has_machines(root: &Spanned) -> bool {
    resources(root).any(|(_, resource)| matches!(kind(resource), Some(SERVERLESS | CLOUDFORMATION)))
}

/// Reads everything that the template has to run.
pub(super) fn load(file: &File, root: &Spanned, options: &LoadOptions, loaded: &mut Loaded) {
    for (id, resource) in resources(root) {
        let mut reader = Reader {
            file,
            id,
            properties: member(resource, "Properties"),
            resolver: Resolver::new(&options.home, root, &options.parameters),
            options,
            loaded,
            failed: false,
        };
        if !reader.is_wanted(resource) {
            continue;
        }
        match kind(resource) {
            Some(SERVERLESS) => reader.machine(&SAM, resource.span),
            Some(CLOUDFORMATION) => reader.machine(&PLAIN, resource.span),
            Some(ACTIVITY) => reader.activity(),
            _ => {}
        }
    }
}

fn resources(root: &Spanned) -> impl Iterator<Item = (&str, &Spanned)> {
    let members = match member(root, "Resources").map(|resources| &resources.kind) {
        Some(SpannedKind::Object(members)) => members.as_slice(),
        _ => &[],
    };
    members.iter().map(|member| (member.name.as_str(), &member.value))
}

fn kind(resource: &Spanned) -> Option<&str> {
    match &member(resource, "Type")?.kind {
        SpannedKind::String(kind) => Some(kind),
        _ => None,
    }
}

/// What the two types call their properties.
struct Names {
    name: &'static str,
    kind: &'static str,
    role: &'static str,
    logging: &'static str,
    tracing: &'static str,
}

const SAM: Names = Names { name: "Name", kind: "Type", role: "Role", logging: "Logging", tracing: "Tracing" };
const PLAIN: Names = Names {
    name: "StateMachineName",
    kind: "StateMachineType",
    role: "RoleArn",
    logging: "LoggingConfiguration",
    tracing: "TracingConfiguration",
};

struct Reader<'r, 't> {
    file: &'r File,
    id: &'t str,
    properties: Option<&'t Spanned>,
    resolver: Resolver<'t>,
    options: &'r LoadOptions,
    loaded: &'r mut Loaded,
    failed: bool,
}

impl<'t> Reader<'_, 't> {
    /// Whether the resource's condition holds.
    fn is_wanted(&mut self, resource: &Spanned) -> bool {
        match member(resource, "Condition") {
            Some(Spanned { kind: SpannedKind::String(name), span }) => self.resolver.condition(name, *span),
            _ => true,
        }
    }

    fn property(&self, name: &str) -> Option<&'t Spanned> {
        self.properties.and_then(|properties| member(properties, name))
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let node = self.property(name)?;
        self.resolver.text(node)
    }

    fn value(&mut self, name: &str) -> Option<Value> {
        let node = self.property(name)?;
        self.resolver.resolve(node).map(|node| node.to_value())
    }

    fn fail(&mut self, span: Option<Span>, message: impl Into<String>, advice: &str) {
        self.failed = true;
        self.loaded.findings.push(self.file.error(span, message, Some(advice)));
    }

    /// Reports what the resolver could not know.
    fn settle(&mut self) {
        for unresolved in self.resolver.take_unresolved() {
            self.fail(Some(unresolved.span), unresolved.message, &unresolved.advice);
        }
    }

    fn activity(&mut self) {
        let name = self.text("Name");
        self.settle();
        match name {
            Some(name) if !self.failed => self.loaded.activities.push(name),
            Some(_) => {}
            None if self.failed => {}
            None => self.fail(None, format!("the activity `{}` has no Name", self.id), "give it one"),
        }
    }

    fn machine(&mut self, names: &Names, span: Span) {
        let name = self.text(names.name).unwrap_or_else(|| self.id.to_owned());
        let express = self.kind(names);
        let role_arn = self.text(names.role).unwrap_or_else(|| self.options.default_role.clone());
        let logging = self.value(names.logging).map(|value| api_names(&value));
        let tracing = self.value(names.tracing).map(|value| api_names(&value));
        let tags = self.tags();
        let substitutions = self.substitutions();
        if let Some(alias) = self.property("AutoPublishAlias") {
            let message = "AutoPublishAlias is left out here: no version and no alias is published";
            self.loaded.findings.push(self.file.warning(Some(alias.span), message));
        }
        let definition = self.definition(express, substitutions, span);
        self.settle();
        match definition {
            Some(definition) if !self.failed => self.loaded.machines.push(Machine {
                name,
                definition,
                express,
                role_arn,
                logging,
                tracing,
                tags,
                file: self.file.path.clone(),
            }),
            _ => self.loaded.refused.push(name),
        }
    }

    fn kind(&mut self, names: &Names) -> bool {
        match self.text(names.kind).as_deref() {
            None | Some("STANDARD") => false,
            Some("EXPRESS") => true,
            Some(other) => {
                let message = format!("`{other}` is no type of state machines");
                let span = self.property(names.kind).map(|node| node.span);
                self.fail(span, message, "write STANDARD or EXPRESS");
                false
            }
        }
    }

    /// An object in SAM, an array of `Key` and `Value` in CloudFormation.
    fn tags(&mut self) -> BTreeMap<String, String> {
        let Some(node) = self.property("Tags") else { return BTreeMap::new() };
        let Some(tags) = self.resolver.resolve(node) else { return BTreeMap::new() };
        let text = |value: Value| value.as_str().map_or_else(|| value.to_json(), str::to_owned);
        match tags.to_value() {
            Value::Object(members) => {
                members.iter().map(|(key, value)| (key.to_string(), text(value.clone()))).collect()
            }
            Value::Array(items) => items
                .iter()
                .filter_map(|tag| Some((text(tag.get("Key")?.clone()), text(tag.get("Value")?.clone()))))
                .collect(),
            _ => BTreeMap::new(),
        }
    }

    fn substitutions(&mut self) -> Option<Substitutions> {
        let node = self.property("DefinitionSubstitutions")?;
        match self.resolver.resolve(node)?.to_value() {
            Value::Object(members) => {
                Some(members.iter().map(|(name, value)| (name.to_string(), value.clone())).collect())
            }
            _ => {
                self.fail(
                    Some(node.span),
                    "DefinitionSubstitutions must be an object",
                    "write `Name: value`",
                );
                None
            }
        }
    }

    /// The definition as JSON text, from wherever it is.
    fn definition(
        &mut self,
        express: bool,
        substitutions: Option<Substitutions>,
        span: Span,
    ) -> Option<String> {
        if let Some(node) = self.property("Definition") {
            return self.object(node, express, substitutions);
        }
        if let Some(node) = self.property("DefinitionString") {
            return self.string(node, express, substitutions);
        }
        if let Some(node) = self.property("DefinitionUri") {
            return self.uri(node, express, substitutions);
        }
        if let Some(node) = self.property("DefinitionS3Location") {
            let message = format!("the definition of `{}` is in S3, which is not read", self.id);
            let advice = "use DefinitionUri of AWS::Serverless::StateMachine, with the path of a file";
            self.fail(Some(node.span), message, advice);
            return None;
        }
        let message = format!("the state machine `{}` has no definition", self.id);
        self.fail(
            Some(first_line(&self.file.text, span)),
            message,
            "give it a DefinitionUri, or a Definition",
        );
        None
    }

    /// A definition that is part of the template: findings point into the template.
    fn object(
        &mut self,
        node: &Spanned,
        express: bool,
        substitutions: Option<Substitutions>,
    ) -> Option<String> {
        let resolved = self.resolver.resolve(node);
        self.settle();
        if self.failed {
            return None;
        }
        let resolved = resolved?;
        let options = definition_options(Format::Json, express, substitutions);
        let parsed = asl::parse_tree(&resolved, &options);
        self.loaded.findings.extend(parsed.diagnostics.iter().map(|found| self.file.diagnostic(found)));
        parsed.machine.as_ref()?;
        let tree = match &options.substitutions {
            None => resolved,
            Some(substitutions) => asl::document::substituted(resolved, substitutions),
        };
        Some(tree.to_value().to_json())
    }

    /// A definition that is a text in the template: findings point into that text.
    fn string(
        &mut self,
        node: &Spanned,
        express: bool,
        substitutions: Option<Substitutions>,
    ) -> Option<String> {
        let text = self.resolver.text(node);
        self.settle();
        if self.failed {
            return None;
        }
        let text = text?;
        let name = format!("{} ({}.DefinitionString)", self.file.name, self.id);
        let part = File { path: self.file.path.clone(), name: name.clone(), text: text.as_str().into() };
        let source = Source { name, text, format: Format::Json };
        read_definition(&part, &source, express, substitutions, &mut self.loaded.findings)
    }

    fn uri(&mut self, node: &Spanned, express: bool, substitutions: Option<Substitutions>) -> Option<String> {
        let resolved = self.resolver.resolve(node)?;
        let path = match &resolved.kind {
            SpannedKind::String(path) if !path.starts_with("s3://") => path.clone(),
            _ => {
                let message = format!("the definition of `{}` is in S3, which is not read", self.id);
                self.fail(Some(node.span), message, "give DefinitionUri the path of a file");
                return None;
            }
        };
        let path = self.file.path.parent().unwrap_or(Path::new("")).join(path.as_str());
        self.loaded.files.insert(path.clone());
        let source = match source::read_definition(&path) {
            Ok(source) => source,
            Err(error) => {
                self.fail(
                    Some(node.span),
                    error.to_string(),
                    "DefinitionUri is relative to the template's folder",
                );
                return None;
            }
        };
        let part = File { path, name: source.name.clone(), text: source.text.as_str().into() };
        read_definition(&part, &source, express, substitutions, &mut self.loaded.findings)
    }
}

/// The first line of a place: a whole resource is too much to show.
fn first_line(text: &str, span: Span) -> Span {
    let line = text.get(span.start..span.end).and_then(|text| text.lines().next()).unwrap_or_default();
    Span { start: span.start, end: span.start + line.len() }
}

/// The names of CloudFormation as the API has them: `LogGroupArn` is `logGroupArn`.
fn api_names(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(api_names).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|first| first.to_ascii_lowercase());
                (first.into_iter().chain(letters).collect::<model::json::Text>(), api_names(value))
            })
            .collect(),
        // CloudFormation takes booleans as texts.
        Value::String(text) if text == "true" => Value::from(true),
        Value::String(text) if text == "false" => Value::from(false),
        plain => plain.clone(),
    }
}
