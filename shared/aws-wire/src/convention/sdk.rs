//! The convention of SDK integrations: what the AWS SDK for Java 2 calls things.
//!
//! Source: recorded executions; developer guide, "Learning to use AWS service SDK integrations".

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::json::{Text, Value};

use super::Convention;
use crate::catalog::{Member, Service, Structure};
use crate::name;
use crate::timestamp::Timestamp;

/// How the arguments and results of `aws-sdk:<service>:<action>` look.
#[derive(Clone, Copy, Debug)]
pub struct Sdk {
    /// Members that the SDK renames on its own account: what the model calls them, and it.
    renamed: &'static [(&'static str, &'static str)],
}

impl Sdk {
    /// The convention for a service.
    pub fn of(service: &Service) -> Sdk {
        let renamed: &[_] = match service.key {
            "dynamodb" | "dynamodbstreams" => &[("NULL", "Nul")],
            _ => &[],
        };
        Sdk { renamed }
    }

    fn name_of(&self, name: &'static str) -> Cow<'static, str> {
        let renamed = self.renamed.iter().find(|(model, _)| *model == name);
        renamed.map_or_else(|| name::member(name), |(_, sdk)| Cow::Borrowed(*sdk))
    }
}

impl Convention for Sdk {
    /// By its name, else by the model's, else by either in whatever case: nobody means anything else.
    fn member(&self, structure: &Structure, name: &str) -> Option<Member> {
        let mut close = None;
        for member in structure.members() {
            let own = self.name_of(member.name);
            if own == name {
                return Some(member);
            }
            let rank = match () {
                () if member.name == name => 0,
                () if own.eq_ignore_ascii_case(name) || member.name.eq_ignore_ascii_case(name) => 1,
                () => continue,
            };
            if close.as_ref().is_none_or(|(best, _)| rank < *best) {
                close = Some((rank, member));
            }
        }
        close.map(|(_, member)| member)
    }

    fn name<'a>(&self, member: &'a Member) -> Cow<'a, str> {
        self.name_of(member.name)
    }

    /// The JSON of the value, also of a text: with its quotes.
    fn bytes(&self, value: &Value) -> Result<Vec<u8>, String> {
        Ok(value.to_json().into_bytes())
    }

    fn blob(&self, bytes: Vec<u8>) -> Value {
        text_or_base64(bytes)
    }

    fn json_text(&self, text: Text) -> Value {
        text.into()
    }

    fn timestamp(&self, timestamp: Timestamp) -> Value {
        timestamp.iso8601().into()
    }
}

/// Bytes as the text that they are, else in base64.
pub(super) fn text_or_base64(bytes: Vec<u8>) -> Value {
    match String::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(error) => Value::from(STANDARD.encode(error.into_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog;
    use crate::convention::{Problem, arguments, output};
    use crate::protocol::{Response, request, result};

    fn sent(service: &str, action: &str, input: &str) -> Result<String, Vec<Problem>> {
        let service = catalog().service(service).unwrap();
        let operation = service.operation(action).unwrap();
        let input = Value::parse(input).unwrap();
        let mut token = || "token".to_owned();
        let input = arguments(&Sdk::of(service), service, operation.input(), &input, &mut token)?;
        Ok(String::from_utf8(request(&operation, &input).unwrap().body).unwrap())
    }

    fn received(service: &str, action: &str, body: &[u8]) -> String {
        let service = catalog().service(service).unwrap();
        let operation = service.operation(action).unwrap();
        let response = Response { status: 200, headers: Vec::new(), body: body.to_vec() };
        output(&Sdk::of(service), service, result(&operation, &response).unwrap()).to_json()
    }

    #[test]
    fn members_have_the_names_of_the_sdk() {
        let input = r#"{"TableName":"t","Key":{"id":{"Nul":true},"is":{"Bool":false},"ss":{"Ss":["a"]}}}"#;
        let expected =
            r#"{"TableName":"t","Key":{"id":{"NULL":true},"is":{"BOOL":false},"ss":{"SS":["a"]}}}"#;
        assert_eq!(sent("dynamodb", "getItem", input).unwrap(), expected);
        let answer = br#"{"Item":{"x":{"NULL":true},"y":{"BOOL":true},"z":{"N":"1.50"}}}"#;
        assert_eq!(
            received("dynamodb", "getItem", answer),
            r#"{"Item":{"x":{"Nul":true},"y":{"Bool":true},"z":{"N":"1.50"}}}"#
        );
    }

    #[test]
    fn names_of_the_model_and_other_cases_are_understood() {
        for name in ["StateMachineArn", "stateMachineArn", "statemachinearn"] {
            let body = sent("sfn", "startExecution", &format!(r#"{{"{name}":"a","Name":"n"}}"#)).unwrap();
            assert_eq!(body, r#"{"stateMachineArn":"a","name":"n"}"#, "{name}");
        }
    }

    #[test]
    fn texts_may_be_given_as_json() {
        let body =
            sent("sfn", "startExecution", r#"{"StateMachineArn":"a","Input":{"k":[1, 2.0]}}"#).unwrap();
        assert_eq!(body, r#"{"stateMachineArn":"a","input":"{\"k\":[1,2.0]}"}"#);
    }

    #[test]
    fn blobs_are_json() {
        for (given, expected) in [("\"text\"", "\"text\""), (r#"{"a": 1}"#, r#"{"a":1}"#), ("0", "0")] {
            let input = format!(r#"{{"Bucket":"b","Key":"k","Body":{given}}}"#);
            assert_eq!(sent("s3", "putObject", &input).unwrap(), expected);
        }
        let body = sent("kms", "encrypt", r#"{"KeyId":"k","Plaintext":"hi"}"#).unwrap();
        assert_eq!(body, r#"{"KeyId":"k","Plaintext":"ImhpIg=="}"#);
        assert_eq!(
            received("kms", "encrypt", br#"{"CiphertextBlob":"//8="}"#),
            r#"{"CiphertextBlob":"//8="}"#,
            "what is no text is base64"
        );
        assert_eq!(received("kms", "decrypt", br#"{"Plaintext":"aGk="}"#), r#"{"Plaintext":"hi"}"#);
    }

    #[test]
    fn times_are_texts() {
        let answer = br#"{"SecretList":[{"Name":"n","CreatedDate":1687440351.123,"ARN":"a"}]}"#;
        assert_eq!(
            received("secretsmanager", "listSecrets", answer),
            r#"{"SecretList":[{"Arn":"a","CreatedDate":"2023-06-22T13:25:51.123Z","Name":"n"}]}"#
        );
    }

    #[test]
    fn problems_are_all_told() {
        let problems = sent("dynamodb", "getItem", r#"{"Table":"t","ConsistentRead":"maybe"}"#).unwrap_err();
        let said: Vec<String> = problems.iter().map(Problem::to_string).collect();
        let expected = [
            "The field \"Table\" is not supported by Step Functions",
            "The value for the field 'ConsistentRead' must be a boolean",
            "The field \"TableName\" is required but was missing",
            "The field \"Key\" is required but was missing",
        ];
        assert_eq!(said, expected);
    }
}
