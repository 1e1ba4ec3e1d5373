//! The functions of endpoint rules. What they are asked wrongly has no value.

use super::{Value, partition};
use crate::catalog::Catalog;

/// What a function gives.
pub(super) fn call(catalog: &Catalog, name: &str, arguments: &[Value]) -> Value {
    let of = |at: usize| arguments.get(at).unwrap_or(&Value::Absent);
    let text = |at: usize| of(at).text();
    let given = |found: Option<Value>| found.unwrap_or(Value::Absent);
    match name {
        "isSet" => Value::Boolean(*of(0) != Value::Absent),
        "not" => Value::Boolean(!of(0).holds()),
        "stringEquals" | "booleanEquals" => Value::Boolean(of(0) == of(1)),
        "getAttr" => given(text(1).map(|path| attribute(of(0), path))),
        "isValidHostLabel" => Value::Boolean(text(0).is_some_and(|text| are_labels(text, of(1).holds()))),
        "aws.isVirtualHostableS3Bucket" => {
            Value::Boolean(text(0).is_some_and(|bucket| is_bucket(bucket, of(1).holds())))
        }
        "aws.partition" => given(text(0).map(|region| partition::of_region(catalog, region))),
        "aws.parseArn" => given(text(0).and_then(arn)),
        "parseURL" => given(text(0).and_then(url)),
        "uriEncode" => given(text(0).map(|text| Value::Text(encoded(text)))),
        "substring" => given(text(0).and_then(|text| {
            part(text, of(1).integer()?, of(2).integer()?, of(3).holds())
                .map(|part| Value::Text(part.to_owned()))
        })),
        _ => Value::Absent,
    }
}

/// What a path leads to: `name`, `name[1]`, `[1]`, and these with a dot between them.
pub(super) fn attribute(of: &Value, path: &str) -> Value {
    let mut value = of;
    for step in path.split('.') {
        let (name, index) = match step.split_once('[') {
            Some((name, index)) => {
                (name, index.strip_suffix(']').and_then(|index| index.parse::<usize>().ok()))
            }
            None => (step, None),
        };
        if !name.is_empty() {
            let Value::Record(parts) = value else { return Value::Absent };
            let Some((_, part)) = parts.iter().find(|(known, _)| *known == name) else {
                return Value::Absent;
            };
            value = part;
        }
        if let Some(index) = index {
            let Value::List(list) = value else { return Value::Absent };
            let Some(element) = list.get(index) else { return Value::Absent };
            value = element;
        }
    }
    value.clone()
}

/// Whether a text can stand between the dots of a host's name.
pub fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn are_labels(text: &str, several: bool) -> bool {
    if several { text.split('.').all(is_label) } else { is_label(text) }
}

fn is_ipv4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let is_number =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 4 && parts.iter().all(is_number)
}

/// Whether a bucket's name can stand in a host's.
fn is_bucket(name: &str, with_dots: bool) -> bool {
    name.len() >= 3
        && !name.bytes().any(|byte| byte.is_ascii_uppercase())
        && !is_ipv4(name)
        && are_labels(name, with_dots)
}

fn part(text: &str, from: usize, to: usize, from_the_end: bool) -> Option<&str> {
    if from >= to || !text.is_ascii() || text.len() < to {
        return None;
    }
    if from_the_end { text.get(text.len() - to..text.len() - from) } else { text.get(from..to) }
}

fn arn(text: &str) -> Option<Value> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts[..] else { return None };
    if arn != "arn" || partition.is_empty() || service.is_empty() || resource.is_empty() {
        return None;
    }
    let owned = |text: &str| Value::Text(text.to_owned());
    Some(Value::Record(vec![
        ("partition", owned(partition)),
        ("service", owned(service)),
        ("region", owned(region)),
        ("accountId", owned(account)),
        ("resourceId", Value::List(resource.split([':', '/']).map(owned).collect())),
    ]))
}

fn url(text: &str) -> Option<Value> {
    let (scheme, rest) = text.split_once("://")?;
    if !matches!(scheme, "http" | "https") || rest.contains(['?', '#']) {
        return None;
    }
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let host = host.map_or(authority, |(host, _)| host);
    let is_ip = is_ipv4(host) || (host.starts_with('[') && host.ends_with(']'));
    let mut normalized = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    if !normalized.ends_with('/') {
        normalized.push('/');
    }
    Some(Value::Record(vec![
        ("scheme", Value::Text(scheme.to_owned())),
        ("authority", Value::Text(authority.to_owned())),
        ("path", Value::Text(path.to_owned())),
        ("normalizedPath", Value::Text(normalized)),
        ("isIp", Value::Boolean(is_ip)),
    ]))
}

fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
