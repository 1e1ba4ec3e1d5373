//! The convention of optimized integrations: what the AWS SDK for Java 1 made of the models.
//!
//! Source: recorded executions; developer guide, "Integrating services with Step Functions".

use std::borrow::Cow;

use model::json::{Text, Value};

use super::Convention;
use super::sdk::text_or_base64;
use crate::catalog::{Member, Structure};
use crate::timestamp::Timestamp;

/// How the arguments and results of `<service>:<action>` look.
#[derive(Clone, Copy, Debug)]
pub struct Optimized;

impl Convention for Optimized {
    /// By its name; the first letter may be small, as inside of a batch job's overrides.
    fn member(&self, structure: &Structure, name: &str) -> Option<Member> {
        let is_meant = |member: &Member| {
            let (mut own, mut given) = (member.name.chars(), name.chars());
            let first = (own.next(), given.next());
            matches!(first, (Some(one), Some(other)) if one.eq_ignore_ascii_case(&other))
                && own.as_str() == given.as_str()
        };
        structure.members().find(is_meant)
    }

    fn name<'a>(&self, member: &'a Member) -> Cow<'a, str> {
        if !member.name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return member.name.into();
        }
        let mut chars = member.name.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        Cow::Owned(first.into_iter().chain(chars).collect())
    }

    /// A text as it is, anything else as JSON.
    fn bytes(&self, value: &Value) -> Result<Vec<u8>, String> {
        Ok(value.as_str().map_or_else(|| value.to_json().into_bytes(), |text| text.as_bytes().to_vec()))
    }

    fn blob(&self, bytes: Vec<u8>) -> Value {
        text_or_base64(bytes)
    }

    fn json_text(&self, text: Text) -> Value {
        text.into()
    }

    /// Milliseconds since 1970.
    fn timestamp(&self, timestamp: Timestamp) -> Value {
        timestamp.milliseconds().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog;
    use crate::convention::{arguments, output};
    use crate::protocol::{Response, request, result};

    #[test]
    fn names_are_capitalized_and_times_are_milliseconds() {
        let service = catalog().service("batch").unwrap();
        let operation = service.operation("submitJob").unwrap();
        let input = r#"{"JobName":"n","JobQueue":"q","JobDefinition":"d","RetryStrategy":{"attempts":2},"ContainerOverrides":{"Vcpus":1}}"#;
        let input = Value::parse(input).unwrap();
        let mut token = String::new;
        let input = arguments(&Optimized, service, operation.input(), &input, &mut token).unwrap();
        let body = String::from_utf8(request(&operation, &input).unwrap().body).unwrap();
        assert_eq!(
            body,
            r#"{"jobName":"n","jobQueue":"q","jobDefinition":"d","retryStrategy":{"attempts":2},"containerOverrides":{"vcpus":1}}"#
        );
        let service = catalog().service("ecs").unwrap();
        let operation = service.operation("runTask").unwrap();
        let body = br#"{"tasks":[{"connectivityAt":1680596446.117,"taskArn":"a"}],"failures":[]}"#;
        let response = Response { status: 200, headers: Vec::new(), body: body.to_vec() };
        assert_eq!(
            output(&Optimized, service, result(&operation, &response).unwrap()).to_json(),
            r#"{"Failures":[],"Tasks":[{"ConnectivityAt":1680596446117,"TaskArn":"a"}]}"#
        );
    }
}
