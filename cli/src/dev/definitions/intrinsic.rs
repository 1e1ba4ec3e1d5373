//! The functions of templates, as far as they can be known without a stack.
//!
//! Source: CloudFormation, "Intrinsic function reference", "Pseudo parameters reference",
//! "Condition functions".

use std::collections::BTreeMap;

use model::arn::Home;
use model::json::{Number, Span, Spanned, SpannedKind, SpannedMember, Text};

use super::member;
use super::resource::{Known, name_property};

/// Nodes and bytes that a template may come to: a few lines can name each other into billions.
const BUDGET: usize = 16 * 1024 * 1024;

/// Functions within functions, and names that lead to names.
const CALLS_MAX: usize = 32;

/// What a call takes of the budget, for the work that it is.
const CALL_COST: usize = 256;

/// More than this is not told.
const UNRESOLVED_MAX: usize = 50;

/// Something that cannot be known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// What it is.
    pub message: String,
    /// Where it stands.
    pub span: Span,
    /// What to do.
    pub advice: String,
}

/// Resolves the functions of one template.
pub struct Resolver<'t> {
    home: &'t Home,
    template: &'t Spanned,
    /// Values from outside, by parameter, resource, `Resource.Attribute` or export.
    given: BTreeMap<&'t str, &'t str>,
    unresolved: Vec<Unresolved>,
    budget: usize,
    calls: usize,
}

impl<'t> Resolver<'t> {
    /// For `template`, with values that are given from outside; of repeated names the last counts.
    pub fn new(home: &'t Home, template: &'t Spanned, given: &'t [(String, String)]) -> Resolver<'t> {
        let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Resolver { home, template, given, unresolved: Vec::new(), budget: BUDGET, calls: 0 }
    }

    /// What could not be resolved since this was last asked.
    pub fn take_unresolved(&mut self) -> Vec<Unresolved> {
        std::mem::take(&mut self.unresolved)
    }

    /// The node with its functions resolved, in the place of the node; none for `AWS::NoValue` and
    /// for what cannot be resolved.
    pub fn resolve(&mut self, node: &Spanned) -> Option<Spanned> {
        if self.spend(1, node.span) { self.resolve_node(node) } else { None }
    }

    /// The node as text, when it is a single value.
    pub fn text(&mut self, node: &Spanned) -> Option<String> {
        let resolved = self.resolve(node)?;
        let text = scalar(&resolved);
        if text.is_none() {
            self.fail(node.span, "a text is expected here", "write a text, or a function that gives one");
        }
        text
    }

    /// Whether the condition of this name holds; one that cannot be known does not.
    pub fn condition(&mut self, name: &str, span: Span) -> bool {
        let conditions = member(self.template, "Conditions");
        let Some(condition) = conditions.and_then(|conditions| member(conditions, name)) else {
            self.fail(span, format!("there is no condition `{name}`"), "declare it under Conditions");
            return false;
        };
        self.holds(condition)
    }

    /// One more function or name within others; [`Resolver::leave`] ends it.
    fn enter(&mut self, span: Span) -> bool {
        if self.calls >= CALLS_MAX {
            let message = "this leads to itself, or is nested too deeply";
            self.fail(span, message, "name a value that does not depend on it");
            return false;
        }
        if !self.spend(CALL_COST, span) {
            return false;
        }
        self.calls += 1;
        true
    }

    fn leave(&mut self) {
        self.calls -= 1;
    }

    fn spend(&mut self, cost: usize, span: Span) -> bool {
        if self.budget == 0 {
            return false;
        }
        self.budget = self.budget.saturating_sub(cost);
        if self.budget == 0 {
            self.fail(span, "the template comes to more than can be held", "split it");
        }
        self.budget > 0
    }

    fn fail(&mut self, span: Span, message: impl Into<String>, advice: impl Into<String>) {
        if self.unresolved.len() < UNRESOLVED_MAX {
            self.unresolved.push(Unresolved { message: message.into(), span, advice: advice.into() });
        }
    }

    fn resolve_node(&mut self, node: &Spanned) -> Option<Spanned> {
        let span = node.span;
        let kind = match &node.kind {
            SpannedKind::Array(items) => {
                SpannedKind::Array(items.iter().filter_map(|item| self.resolve(item)).collect())
            }
            SpannedKind::Object(members) => {
                if let [only] = members.as_slice()
                    && (only.name == "Ref" || only.name.starts_with("Fn::"))
                {
                    if !self.enter(span) {
                        return None;
                    }
                    let resolved = self.function(&only.name, &only.value, span);
                    self.leave();
                    return resolved;
                }
                let resolved = members.iter().filter_map(|member| {
                    let value = self.resolve(&member.value)?;
                    Some(SpannedMember { name: member.name.clone(), name_span: member.name_span, value })
                });
                SpannedKind::Object(resolved.collect())
            }
            SpannedKind::String(text) => {
                if !self.spend(text.len(), span) {
                    return None;
                }
                SpannedKind::String(text.clone())
            }
            leaf => leaf.clone(),
        };
        Some(Spanned { span, kind })
    }

    fn function(&mut self, name: &str, argument: &Spanned, span: Span) -> Option<Spanned> {
        match name {
            "Ref" => {
                let name = self.literal(argument)?;
                self.reference(&name, span)
            }
            "Fn::GetAtt" => {
                let (resource, attribute) = match self.texts(argument)?.as_slice() {
                    [resource, attribute] => (resource.clone(), attribute.clone()),
                    [path] => {
                        path.split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default()
                    }
                    _ => Default::default(),
                };
                self.attribute(&resource, &attribute, span).map(|text| text_node(text, span))
            }
            "Fn::Sub" => self.sub(argument, span),
            "Fn::Join" => {
                let [separator, items] = self.arguments(argument, name)?;
                let (separator, items) = (self.text(&separator)?, self.texts(&items)?);
                let text = items.join(&separator);
                self.spend(text.len(), span).then(|| text_node(text, span))
            }
            "Fn::Split" => {
                let [separator, text] = self.arguments(argument, name)?;
                let (separator, text) = (self.text(&separator)?, self.text(&text)?);
                if separator.is_empty() {
                    self.fail(span, "Fn::Split needs a separator", "give one character or more");
                    return None;
                }
                let parts = text.split(separator.as_str()).map(|part| text_node(part, span)).collect();
                Some(Spanned { span, kind: SpannedKind::Array(parts) })
            }
            "Fn::Select" => {
                let [index, items] = self.arguments(argument, name)?;
                let index = self.text(&index)?.parse::<usize>().ok();
                let items = self.resolve(&items)?;
                let selected = match (index, items.kind) {
                    (Some(index), SpannedKind::Array(items)) => items.into_iter().nth(index),
                    _ => None,
                };
                if selected.is_none() {
                    self.fail(span, "Fn::Select selects nothing", "give an index within the list, from 0");
                }
                selected
            }
            "Fn::If" => {
                let [condition, yes, no] = self.arguments(argument, name)?;
                let condition = self.literal(&condition)?;
                let holds = self.condition(&condition, span);
                self.resolve(if holds { &yes } else { &no })
            }
            "Fn::FindInMap" => self.find_in_map(argument, span),
            "Fn::ToJsonString" => {
                let value = self.resolve(argument)?.to_value();
                let text = value.to_json();
                self.spend(text.len(), span).then(|| text_node(text, span))
            }
            "Fn::Length" => match self.resolve(argument)?.kind {
                SpannedKind::Array(items) => {
                    let number = Number::from_computed(items.len() as f64)?;
                    Some(Spanned { span, kind: SpannedKind::Number(number) })
                }
                _ => {
                    self.fail(span, "Fn::Length needs a list", "give a list");
                    None
                }
            },
            "Fn::ImportValue" => {
                let export = self.text(argument)?;
                self.given_or(&export, &format!("the export `{export}` is of another stack"), span)
            }
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                let holds = self.holds_function(name, argument, span);
                Some(Spanned { span, kind: SpannedKind::Bool(holds) })
            }
            _ => {
                let message = format!("the function `{name}` is not known here");
                self.fail(
                    span,
                    message,
                    "write the value in its place, or a `Ref` of a parameter with a Default",
                );
                None
            }
        }
    }

    fn reference(&mut self, name: &str, span: Span) -> Option<Spanned> {
        if let Some(value) = self.given.get(name) {
            let value = (*value).to_owned();
            return Some(self.parameter_value(name, &value, span));
        }
        let pseudo = match name {
            "AWS::NoValue" => return None,
            "AWS::Region" => Some(self.home.region.to_string()),
            "AWS::AccountId" => Some(self.home.account.to_string()),
            "AWS::Partition" => Some(self.home.partition.to_string()),
            "AWS::StackName" => Some("stepwright".to_owned()),
            "AWS::StackId" => Some(format!(
                "arn:{}:cloudformation:{}:{}:stack/stepwright/00000000-0000-4000-8000-000000000000",
                self.home.partition, self.home.region, self.home.account
            )),
            "AWS::URLSuffix" if self.home.partition == "aws-cn" => Some("amazonaws.com.cn".to_owned()),
            "AWS::URLSuffix" => Some("amazonaws.com".to_owned()),
            "AWS::NotificationARNs" => return Some(Spanned { span, kind: SpannedKind::Array(Vec::new()) }),
            _ => None,
        };
        if let Some(text) = pseudo {
            return Some(text_node(text, span));
        }
        let parameter = member(self.template, "Parameters").and_then(|parameters| member(parameters, name));
        if let Some(parameter) = parameter {
            let kind = member(parameter, "Type").and_then(scalar).unwrap_or_default();
            let default = member(parameter, "Default").and_then(scalar);
            return match default {
                Some(default) if !kind.starts_with("AWS::SSM::Parameter") => {
                    Some(self.parameter_value(name, &default, span))
                }
                _ => self.given_or(
                    name,
                    &format!("the parameter `{name}` has no value that is known here"),
                    span,
                ),
            };
        }
        match self.known(name) {
            Some(known) => Some(text_node(known.reference(self.home), span)),
            None => {
                let message = format!("`{name}` is neither a parameter nor a resource of the template");
                self.fail(span, message, format!("check the name, or give --parameter {name}=VALUE"));
                None
            }
        }
    }

    /// A parameter's value in the form of its type.
    fn parameter_value(&mut self, name: &str, value: &str, span: Span) -> Spanned {
        let parameter = member(self.template, "Parameters").and_then(|parameters| member(parameters, name));
        let kind =
            parameter.and_then(|parameter| member(parameter, "Type")).and_then(scalar).unwrap_or_default();
        if kind == "CommaDelimitedList" || kind.starts_with("List<") {
            let items = value.split(',').map(|item| text_node(item.trim(), span)).collect();
            return Spanned { span, kind: SpannedKind::Array(items) };
        }
        text_node(value, span)
    }

    fn attribute(&mut self, resource: &str, attribute: &str, span: Span) -> Option<String> {
        let path = format!("{resource}.{attribute}");
        if let Some(value) = self.given.get(path.as_str()) {
            return Some((*value).to_owned());
        }
        let Some(known) = self.known(resource) else {
            let message = format!("`{resource}` is no resource of the template");
            self.fail(span, message, format!("check the name, or give --parameter {path}=VALUE"));
            return None;
        };
        let value = known.attribute(attribute, self.home);
        if value.is_none() {
            let message = format!("`{path}`, of a resource of type {}, is not known here", known.kind);
            self.fail(span, message, format!("give --parameter {path}=VALUE"));
        }
        value
    }

    /// What a resource is called here.
    fn known(&mut self, id: &str) -> Option<Known<'t>> {
        let template = self.template;
        let resource = member(member(template, "Resources")?, id)?;
        let kind = match member(resource, "Type").map(|kind| &kind.kind) {
            Some(SpannedKind::String(kind)) => kind.as_str(),
            _ => "",
        };
        let property = |name: &str| member(member(resource, "Properties")?, name);
        let named = name_property(kind).and_then(property);
        let name = named.and_then(|node| self.text(node)).unwrap_or_else(|| id.to_owned());
        let name = match kind {
            // A qualifier of its function.
            "AWS::Lambda::Alias" => match property("FunctionName").and_then(|node| self.text(node)) {
                Some(function) => format!("{function}:{name}"),
                None => name,
            },
            "AWS::Lambda::Version" => format!("{name}:1"),
            _ => name,
        };
        Some(Known { kind, name })
    }

    fn given_or(&mut self, name: &str, message: &str, span: Span) -> Option<Spanned> {
        if let Some(value) = self.given.get(name) {
            return Some(text_node(*value, span));
        }
        self.fail(span, message, format!("give --parameter {name}=VALUE"));
        None
    }

    fn sub(&mut self, argument: &Spanned, span: Span) -> Option<Spanned> {
        let (text, variables) = match &argument.kind {
            SpannedKind::Array(items) => match items.as_slice() {
                [text, variables] => (text, Some(variables)),
                [text] => (text, None),
                _ => {
                    self.fail(span, "Fn::Sub takes a text and values for it", "write [text, {Name: value}]");
                    return None;
                }
            },
            _ => (argument, None),
        };
        let text = self.literal(text)?;
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        let mut complete = true;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else { break };
            let written = &rest[start + 2..start + length];
            rest = &rest[start + length + 1..];
            let value = if let Some(literal) = written.strip_prefix('!') {
                Some(format!("${{{literal}}}"))
            } else if let Some(variable) = variables.and_then(|variables| member(variables, written.trim())) {
                self.text(variable)
            } else {
                self.substitute(written.trim(), text_span(argument))
            };
            match value {
                Some(value) if self.spend(value.len(), span) => out.push_str(&value),
                _ => complete = false,
            }
        }
        out.push_str(rest);
        complete.then(|| text_node(out, span))
    }

    fn substitute(&mut self, name: &str, span: Span) -> Option<String> {
        match name.split_once('.') {
            Some((resource, attribute)) => self.attribute(resource, attribute, span),
            None => {
                let value = self.reference(name, span)?;
                let text = scalar(&value);
                if text.is_none() {
                    self.fail(
                        span,
                        format!("`{name}` is a list, which cannot stand in a text"),
                        "use Fn::Join",
                    );
                }
                text
            }
        }
    }

    fn find_in_map(&mut self, argument: &Spanned, span: Span) -> Option<Spanned> {
        let keys = self.texts(argument)?;
        let [map, first, second] = keys.as_slice() else {
            self.fail(span, "Fn::FindInMap takes a map and two keys", "write [Map, First, Second]");
            return None;
        };
        let template = self.template;
        let found = member(template, "Mappings")
            .and_then(|mappings| member(mappings, map))
            .and_then(|map| member(map, first))
            .and_then(|first| member(first, second));
        if found.is_none() {
            let message = format!("the mapping `{map}` has nothing under `{first}`, `{second}`");
            self.fail(span, message, "add the keys to Mappings");
        }
        found.cloned()
    }

    fn holds(&mut self, node: &Spanned) -> bool {
        if !self.spend(1, node.span) || !self.enter(node.span) {
            return false;
        }
        let holds = match &node.kind {
            SpannedKind::Bool(holds) => *holds,
            SpannedKind::Object(members) => match members.as_slice() {
                [only] if only.name == "Condition" => {
                    let name = self.literal(&only.value);
                    name.is_some_and(|name| self.condition(&name, node.span))
                }
                [only] if only.name.starts_with("Fn::") => {
                    self.holds_function(&only.name, &only.value, node.span)
                }
                _ => self.no_condition(node.span),
            },
            _ => self.no_condition(node.span),
        };
        self.leave();
        holds
    }

    fn no_condition(&mut self, span: Span) -> bool {
        self.fail(span, "this is no condition", "use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition");
        false
    }

    fn holds_function(&mut self, name: &str, argument: &Spanned, span: Span) -> bool {
        let items = match &argument.kind {
            SpannedKind::Array(items) => items.as_slice(),
            _ => &[],
        };
        match (name, items) {
            ("Fn::Equals", [one, other]) => {
                let (one, other) = (self.resolve(one), self.resolve(other));
                let comparable = |node: &Spanned| scalar(node).unwrap_or_else(|| node.to_value().to_json());
                one.as_ref().map(comparable) == other.as_ref().map(comparable)
            }
            ("Fn::Not", [condition]) => !self.holds(condition),
            ("Fn::And", items) if !items.is_empty() => items.iter().all(|item| self.holds(item)),
            ("Fn::Or", items) if !items.is_empty() => items.iter().any(|item| self.holds(item)),
            _ => self.no_condition(span),
        }
    }

    /// A text that is written out: names are never computed.
    fn literal(&mut self, node: &Spanned) -> Option<String> {
        match &node.kind {
            SpannedKind::String(text) => Some(text.to_string()),
            _ => {
                self.fail(node.span, "a text is expected here", "write the text itself");
                None
            }
        }
    }

    fn texts(&mut self, node: &Spanned) -> Option<Vec<String>> {
        let resolved = self.resolve(node)?;
        let texts = match &resolved.kind {
            SpannedKind::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>(),
            _ => scalar(&resolved).map(|text| vec![text]),
        };
        if texts.is_none() {
            self.fail(
                node.span,
                "a list of texts is expected here",
                "write one, or a function that gives one",
            );
        }
        texts
    }

    fn arguments<const N: usize>(&mut self, node: &Spanned, function: &str) -> Option<[Spanned; N]> {
        let items = match &node.kind {
            SpannedKind::Array(items) => items.clone().try_into().ok(),
            _ => None,
        };
        if items.is_none() {
            self.fail(
                node.span,
                format!("`{function}` takes a list of {N} arguments"),
                "write them as a list",
            );
        }
        items
    }
}

fn text_span(node: &Spanned) -> Span {
    match &node.kind {
        SpannedKind::Array(items) => items.first().map_or(node.span, |first| first.span),
        _ => node.span,
    }
}

fn text_node(text: impl Into<Text>, span: Span) -> Spanned {
    Spanned { span, kind: SpannedKind::String(text.into()) }
}

/// A single value as text.
fn scalar(node: &Spanned) -> Option<String> {
    match &node.kind {
        SpannedKind::String(text) => Some(text.to_string()),
        SpannedKind::Number(_) | SpannedKind::Bool(_) => Some(node.to_value().to_json()),
        _ => None,
    }
}
