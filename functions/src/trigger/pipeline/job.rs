//! What a job of CodePipeline says.

use std::fmt;

use model::json::{Text, Value};

use crate::call::{kind, member};
use crate::trigger::start::input_text;

/// A job. Source: CodePipeline user guide, "JSON event example" of the Lambda invoke action.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What the answers name.
    pub id: Text,
    /// What an earlier answer left: the execution's ARN.
    pub continuation: Option<Text>,
    /// The text of the action's configuration.
    pub parameters: Text,
    /// Where the first input artifact is.
    pub artifact: Option<Place>,
    /// What it may be read with.
    pub credentials: Option<Credentials>,
}

/// Where an artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: Text,
    /// The key.
    pub key: Text,
}

/// Temporary credentials for the pipeline's artifacts.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its public part.
    pub access_key_id: Text,
    /// Secret.
    pub secret_access_key: Text,
    /// Secret.
    pub session_token: Option<Text>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// The configuration of an action: the text of `UserParameters`. Source: CodePipeline user guide,
/// "AWS Step Functions invoke action reference".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The state machine, by ARN or name.
    pub state_machine: Text,
    /// What stands before the job's id in the execution's name.
    pub prefix: Option<Text>,
    /// The input.
    pub input: ActionInput,
}

/// Where the input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionInput {
    /// It is this; `{}` when absent.
    Literal(Option<Text>),
    /// A file of the input artifact.
    FilePath(Text),
}

/// The members of the configuration.
const MEMBERS: [&str; 4] = ["StateMachineArn", "ExecutionNamePrefix", "InputType", "Input"];

impl Job {
    /// Reads the member `CodePipeline.job` of an event. Without an id there is nobody to answer.
    pub fn read(job: &Value) -> Result<Job, &'static str> {
        let optional =
            |value: &Value, name| Some(Text::from(member(value, name))).filter(|text| !text.is_empty());
        let id = optional(job, "id").ok_or("the job of CodePipeline has no id")?;
        let none = Value::object();
        let data = job.get("data").unwrap_or(&none);
        let configuration = data.get("actionConfiguration").and_then(|action| action.get("configuration"));
        let artifact =
            data.get("inputArtifacts").and_then(Value::as_array).and_then(|artifacts| artifacts.first());
        let place = artifact.and_then(|artifact| artifact.get("location")?.get("s3Location"));
        let credentials = data.get("artifactCredentials").map(|given| Credentials {
            access_key_id: member(given, "accessKeyId").into(),
            secret_access_key: member(given, "secretAccessKey").into(),
            session_token: optional(given, "sessionToken"),
        });
        Ok(Job {
            id,
            continuation: optional(data, "continuationToken"),
            parameters: configuration.map(|given| member(given, "UserParameters").into()).unwrap_or_default(),
            artifact: place.map(|place| Place {
                bucket: member(place, "bucketName").into(),
                key: member(place, "objectKey").into(),
            }),
            credentials,
        })
    }
}

impl Parameters {
    /// Reads the text of `UserParameters`.
    pub fn parse(text: &str) -> Result<Parameters, String> {
        let example = r#"{"StateMachineArn": "…", "InputType": "Literal", "Input": "{}"}"#;
        let value = Value::parse(text)
            .map_err(|error| format!("UserParameters has to be JSON such as {example}: {error}"))?;
        let members = value.as_object().ok_or_else(|| {
            format!("UserParameters is {}; it has to be JSON such as {example}", kind(&value))
        })?;
        if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            return Err(format!(
                "UserParameters: `{unknown}` is not known; there are {}",
                MEMBERS.join(", ")
            ));
        }
        let text = |name: &str| match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(format!("UserParameters: {name} is {}, not a text", kind(other))),
        };
        let state_machine = text("StateMachineArn")?.filter(|arn| !arn.is_empty());
        let state_machine = state_machine.ok_or("UserParameters: StateMachineArn is missing")?;
        let input = match text("InputType")?.as_deref().unwrap_or("Literal") {
            "Literal" => ActionInput::Literal(
                members
                    .get("Input")
                    .map(input_text)
                    .transpose()
                    .map_err(|error| format!("UserParameters: Input {error}"))?,
            ),
            "FilePath" => ActionInput::FilePath(
                text("Input")?
                    .filter(|path| !path.is_empty())
                    .ok_or("UserParameters: Input is missing: the path of a file in the input artifact")?,
            ),
            other => {
                return Err(format!("UserParameters: InputType is `{other}`; it is Literal or FilePath"));
            }
        };
        Ok(Parameters {
            state_machine,
            prefix: text("ExecutionNamePrefix")?.filter(|prefix| !prefix.is_empty()),
            input,
        })
    }

    /// What the execution of a job is called.
    pub fn name(&self, job: &Job) -> Text {
        match &self.prefix {
            Some(prefix) => format!("{prefix}-{}", job.id).into(),
            None => job.id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_pipeline_s_own_action() {
        let literal = |input: Option<&str>| ActionInput::Literal(input.map(Text::from));
        for (text, prefix, input) in [
            (r#"{"StateMachineArn": "m"}"#, None, literal(None)),
            (r#"{"StateMachineArn": "m", "Input": "{\"a\": 1}"}"#, None, literal(Some(r#"{"a": 1}"#))),
            (
                r#"{"StateMachineArn": "m", "InputType": "Literal", "Input": {"a": 1}}"#,
                None,
                literal(Some(r#"{"a":1}"#)),
            ),
            (
                r#"{"StateMachineArn": "m", "ExecutionNamePrefix": "p", "InputType": "FilePath", "Input": "a.json"}"#,
                Some("p"),
                ActionInput::FilePath("a.json".into()),
            ),
        ] {
            let found = Parameters::parse(text).unwrap();
            let expected = Parameters { state_machine: "m".into(), prefix: prefix.map(Text::from), input };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (text, expected) in [
            ("", "has to be JSON such as"),
            ("[]", "UserParameters is a list"),
            ("{}", "StateMachineArn is missing"),
            (r#"{"StateMachineArn": 1}"#, "StateMachineArn is a number"),
            (r#"{"StateMachineArn": "m", "Prefix": "p"}"#, "`Prefix` is not known"),
            (r#"{"StateMachineArn": "m", "InputType": "File"}"#, "InputType is `File`"),
            (r#"{"StateMachineArn": "m", "InputType": "FilePath"}"#, "Input is missing"),
            (r#"{"StateMachineArn": "m", "Input": "x"}"#, "Input is not JSON"),
        ] {
            let said = Parameters::parse(text).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let job = Value::parse(
            r#"{"id": "j", "data": {"artifactCredentials": {"accessKeyId": "AKIA", "secretAccessKey": "hush", "sessionToken": "hush"}}}"#,
        )
        .unwrap();
        let job = Job::read(&job).unwrap();
        assert!(job.credentials.is_some() && !format!("{job:?}").contains("hush"));
        assert!(Job::read(&Value::object()).is_err());
    }
}
