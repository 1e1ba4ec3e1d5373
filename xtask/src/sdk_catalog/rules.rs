//! Endpoint rules as nodes: what several services have in common stands there once.

use std::collections::HashMap;

use aws_wire::catalog::format::rules as node;
use serde_json::Value;

use super::write::Bytes;

/// The nodes of all services.
#[derive(Debug, Default)]
pub struct Rules {
    /// All nodes, one behind the other.
    pub bytes: Vec<u8>,
    known: HashMap<Bytes, usize>,
}

/// A model that is not as it should be.
pub type Result<T> = std::result::Result<T, String>;

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

impl Rules {
    /// Where a node stands, once it does.
    fn put(&mut self, node: Bytes) -> usize {
        if let Some(at) = self.known.get(&node) {
            return *at;
        }
        let at = self.bytes.len();
        self.bytes.extend(&node.0);
        self.known.insert(node, at);
        at
    }

    /// The rules of a service, from its `endpoint-rule-set-1.json`.
    pub fn add(&mut self, rule_set: &Value) -> Result<usize> {
        let empty = serde_json::Map::new();
        let parameters = rule_set["parameters"].as_object().unwrap_or(&empty);
        let mut bytes = Bytes::default();
        bytes.u8(node::RULE_SET).v(parameters.len());
        for (name, parameter) in parameters {
            bytes.s(name).s(text(parameter, "builtIn"));
            match &parameter["default"] {
                Value::Null => bytes.u8(0),
                Value::Bool(default) => bytes.u8(1 + u8::from(*default)),
                Value::String(default) => bytes.u8(3).s(default),
                other => return Err(format!("the default {other} of {name} is neither text nor boolean")),
            };
        }
        let rules = self.rules(rule_set)?;
        bytes.v(rules.len());
        for rule in rules {
            bytes.v(rule);
        }
        Ok(self.put(bytes))
    }

    fn rules(&mut self, of: &Value) -> Result<Vec<usize>> {
        array(of, "rules").iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&mut self, rule: &Value) -> Result<usize> {
        let conditions: Vec<usize> = array(rule, "conditions")
            .iter()
            .map(|condition| self.condition(condition))
            .collect::<Result<_>>()?;
        let mut list = Bytes::default();
        list.u8(node::CONDITIONS).v(conditions.len());
        for condition in conditions {
            list.v(condition);
        }
        let conditions = self.put(list);
        let mut bytes = Bytes::default();
        match text(rule, "type") {
            "endpoint" => {
                let endpoint = &rule["endpoint"];
                let url = self.expression(&endpoint["url"])?;
                let json = |name: &str| match &endpoint[name] {
                    Value::Object(given) if !given.is_empty() => endpoint[name].to_string(),
                    _ => String::new(),
                };
                bytes.u8(node::ENDPOINT).v(conditions).v(url).s(&json("properties")).s(&json("headers"));
            }
            "error" => {
                let message = self.expression(&rule["error"])?;
                bytes.u8(node::ERROR).v(conditions).v(message);
            }
            "tree" => {
                let rules = self.rules(rule)?;
                bytes.u8(node::TREE).v(conditions).v(rules.len());
                for rule in rules {
                    bytes.v(rule);
                }
            }
            other => return Err(format!("a rule of endpoints is of the type {other:?}")),
        }
        Ok(self.put(bytes))
    }

    fn condition(&mut self, condition: &Value) -> Result<usize> {
        let function = self.expression(condition)?;
        let mut bytes = Bytes::default();
        bytes.u8(node::CONDITION).v(function).s(text(condition, "assign"));
        Ok(self.put(bytes))
    }

    fn expression(&mut self, expression: &Value) -> Result<usize> {
        let mut bytes = Bytes::default();
        match expression {
            Value::String(text) => bytes.u8(node::TEXT).s(text),
            Value::Bool(false) => bytes.u8(node::FALSE),
            Value::Bool(true) => bytes.u8(node::TRUE),
            Value::Number(number) => {
                let number = number.as_u64().ok_or("a number in rules of endpoints is negative")?;
                bytes.u8(node::INTEGER).v(number as usize)
            }
            Value::Object(object) if object.contains_key("ref") => {
                bytes.u8(node::REFERENCE).s(text(expression, "ref"))
            }
            Value::Object(_) => {
                let arguments: Vec<usize> = array(expression, "argv")
                    .iter()
                    .map(|argument| self.expression(argument))
                    .collect::<Result<_>>()?;
                bytes.u8(node::FUNCTION).s(text(expression, "fn")).v(arguments.len());
                for argument in arguments {
                    bytes.v(argument);
                }
                &mut bytes
            }
            other => return Err(format!("{other} is no expression of endpoint rules")),
        };
        Ok(self.put(bytes))
    }
}
