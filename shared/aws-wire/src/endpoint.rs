//! Where services are: the models' rules of endpoints, evaluated.
//!
//! The language of the rules is Smithy's (<https://smithy.io/2.0/additional-specs/rules-engine/index.html>);
//! `functions` has its functions, `partition` what they know of Regions.

mod functions;
mod partition;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use model::json::{self, Map};

pub use functions::is_label;
pub(crate) use partition::Partition;

use crate::catalog::format::rules as node;
use crate::catalog::{Catalog, Context, Cursor, Service};

/// What rules are asked with: `Region`, `Bucket`, `UseFIPS` …
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(Cow<'static, str>, Value)>);

impl Parameters {
    /// Sets a text.
    pub fn text(&mut self, name: impl Into<Cow<'static, str>>, text: impl Into<String>) -> &mut Parameters {
        self.0.push((name.into(), Value::Text(text.into())));
        self
    }

    /// Sets a boolean.
    pub fn boolean(&mut self, name: impl Into<Cow<'static, str>>, boolean: bool) -> &mut Parameters {
        self.0.push((name.into(), Value::Boolean(boolean)));
        self
    }

    /// Sets a list of texts.
    pub fn texts(&mut self, name: impl Into<Cow<'static, str>>, texts: Vec<String>) -> &mut Parameters {
        self.0.push((name.into(), Value::List(texts.into_iter().map(Value::Text).collect())));
        self
    }

    /// Sets what an operation's model sets.
    pub fn context(&mut self, name: &'static str, context: Context) -> &mut Parameters {
        match context {
            Context::Boolean(boolean) => self.boolean(name, boolean),
            Context::Text(text) => self.text(name, text),
        }
    }
}

/// Where a request goes, and how it is signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Scheme, host and perhaps the beginning of the path.
    pub url: String,
    /// Ways to sign, the best first; empty where the service's usual one holds.
    pub schemes: Vec<Scheme>,
    /// Headers that a request has to carry.
    pub headers: Vec<(String, String)>,
}

/// A way to sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scheme {
    /// `sigv4`, `sigv4a`, `sigv4-s3express`.
    pub name: String,
    /// The service in the signature's scope.
    pub signing_name: Option<String>,
    /// The Region in the signature's scope.
    pub signing_region: Option<String>,
    /// Whether the path is signed as it is sent.
    pub disable_double_encoding: bool,
}

/// What a rule works with.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Absent,
    Boolean(bool),
    Integer(usize),
    Text(String),
    List(Vec<Value>),
    Record(Vec<(&'static str, Value)>),
}

impl Value {
    fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn integer(&self) -> Option<usize> {
        match self {
            Value::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// What a condition is that has this value.
    fn holds(&self) -> bool {
        !matches!(self, Value::Absent | Value::Boolean(false))
    }
}

/// Where a service is. The error is the rules' own, in their words.
pub fn resolve(catalog: &Catalog, service: &Service, parameters: &Parameters) -> Result<Endpoint, String> {
    let Some(at) = service.rule_set() else {
        return Err(format!("it is not known where {} is", service.key));
    };
    let mut cursor = Cursor::new(catalog.rules(), at);
    let mut rules = Evaluation { catalog, names: Vec::new() };
    cursor.u8();
    for _ in 0..cursor.v() {
        let (name, _built_in) = (cursor.s(), cursor.s());
        let default = match cursor.u8() {
            1 => Value::Boolean(false),
            2 => Value::Boolean(true),
            3 => Value::Text(cursor.s().to_owned()),
            _ => Value::Absent,
        };
        let given = parameters.0.iter().rev().find(|(given, _)| given == name);
        rules.names.push((name, given.map_or(default, |(_, value)| value.clone())));
    }
    let count = cursor.v();
    match rules.first(&mut cursor, count) {
        Some(found) => found,
        None => Err(format!("no rule says where {} is", service.key)),
    }
}

/// Rules with what their names stand for.
struct Evaluation<'a> {
    catalog: &'a Catalog,
    names: Vec<(&'static str, Value)>,
}

impl Evaluation<'_> {
    fn node(&self, at: usize) -> Cursor {
        Cursor::new(self.catalog.rules(), at)
    }

    /// What the first rule gives whose conditions hold.
    fn first(&mut self, rules: &mut Cursor, count: usize) -> Option<Result<Endpoint, String>> {
        (0..count).find_map(|_| self.rule(rules.v()))
    }

    fn rule(&mut self, at: usize) -> Option<Result<Endpoint, String>> {
        let mut cursor = self.node(at);
        let kind = cursor.u8();
        let known = self.names.len();
        let conditions = cursor.v();
        let found = if self.hold(conditions) {
            match kind {
                node::ENDPOINT => {
                    let url = self.evaluate(cursor.v());
                    Some(self.endpoint(&url, cursor.s(), cursor.s()))
                }
                node::ERROR => {
                    let message = self.evaluate(cursor.v());
                    Some(Err(message.text().unwrap_or_default().to_owned()))
                }
                _ => {
                    let count = cursor.v();
                    self.first(&mut cursor, count)
                }
            }
        } else {
            None
        };
        // What a rule has named is known in it alone.
        self.names.truncate(known);
        found
    }

    fn hold(&mut self, conditions: usize) -> bool {
        let mut list = self.node(conditions);
        list.u8();
        (0..list.v()).all(|_| {
            let mut condition = self.node(list.v());
            condition.u8();
            let value = self.evaluate(condition.v());
            let holds = value.holds();
            let name = condition.s();
            if holds && !name.is_empty() {
                self.names.push((name, value));
            }
            holds
        })
    }

    fn lookup(&self, name: &str) -> Value {
        let found = self.names.iter().rev().find(|(known, _)| *known == name);
        found.map_or(Value::Absent, |(_, value)| value.clone())
    }

    fn evaluate(&self, at: usize) -> Value {
        let mut cursor = self.node(at);
        match cursor.u8() {
            node::TEXT => Value::Text(self.filled_in(cursor.s())),
            node::FALSE => Value::Boolean(false),
            node::TRUE => Value::Boolean(true),
            node::INTEGER => Value::Integer(cursor.v()),
            node::REFERENCE => self.lookup(cursor.s()),
            _ => {
                let name = cursor.s();
                let arguments: Vec<Value> = (0..cursor.v()).map(|_| self.evaluate(cursor.v())).collect();
                functions::call(self.catalog, name, &arguments)
            }
        }
    }

    /// A text with what stands in `{}` replaced: a name, or a name and `#` and what is in it.
    fn filled_in(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some(open) = rest.find(['{', '}']) {
            text.push_str(&rest[..open]);
            let doubled = rest[open..].starts_with("{{") || rest[open..].starts_with("}}");
            let close = rest[open..].find('}').map(|close| open + close);
            match close {
                _ if doubled => {
                    text.push_str(&rest[open..=open]);
                    rest = &rest[open + 2..];
                }
                Some(close) if close > open => {
                    let (name, path) =
                        rest[open + 1..close].split_once('#').unwrap_or((&rest[open + 1..close], ""));
                    let value = self.lookup(name);
                    let value = if path.is_empty() { value } else { functions::attribute(&value, path) };
                    text.push_str(value.text().unwrap_or_default());
                    rest = &rest[close + 1..];
                }
                _ => {
                    text.push_str(&rest[open..=open]);
                    rest = &rest[open + 1..];
                }
            }
        }
        text.push_str(rest);
        text
    }

    fn endpoint(&self, url: &Value, properties: &str, headers: &str) -> Result<Endpoint, String> {
        let parsed = |text: &str| match text {
            "" => Ok(Map::default()),
            text => json::parse(text)
                .map_err(|error| error.to_string())
                .map(|value| value.as_object().cloned().map(json::Object::into_map).unwrap_or_default()),
        };
        let (properties, headers) = (parsed(properties)?, parsed(headers)?);
        let filled_in = |value: &json::Value| value.as_str().map(|text| self.filled_in(text));
        let schemes = properties.get("authSchemes").and_then(json::Value::as_array);
        let scheme = |scheme: &json::Value| Scheme {
            name: scheme.get("name").and_then(filled_in).unwrap_or_default(),
            signing_name: scheme.get("signingName").and_then(filled_in),
            signing_region: scheme.get("signingRegion").and_then(filled_in),
            disable_double_encoding: scheme.get("disableDoubleEncoding").and_then(json::Value::as_bool)
                == Some(true),
        };
        let header = |(name, values): (&json::Text, &json::Value)| {
            let first = values.as_array().and_then(|values| values.first().and_then(filled_in));
            (name.to_string(), first.unwrap_or_default())
        };
        Ok(Endpoint {
            url: url.text().unwrap_or_default().to_owned(),
            schemes: schemes.into_iter().flat_map(|schemes| schemes.iter()).map(scheme).collect(),
            headers: headers.iter().map(header).collect(),
        })
    }
}
