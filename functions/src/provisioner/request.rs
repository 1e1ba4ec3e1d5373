//! What CloudFormation asks, and whom to answer.

use std::fmt;

use model::json::{Text, Value};

use crate::call::{kind, member};

/// Whom to answer: what every answer repeats.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// Where the answer is put. Who knows it can answer: it is never shown.
    pub response_url: Text,
    /// ARN of the stack.
    pub stack_id: Text,
    /// Unique for the stack.
    pub request_id: Text,
    /// The resource's name in the template.
    pub logical_id: Text,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Caller { stack_id, request_id, logical_id, .. } = self;
        write!(f, "{logical_id} of {stack_id} ({request_id})")
    }
}

impl Caller {
    /// Reads who asks. Without it there is nobody to answer.
    pub fn read(event: &Value) -> Result<Caller, String> {
        let required = |name: &'static str| match member(event, name) {
            "" => Err(format!("the event is no request of CloudFormation: it has no {name}")),
            text => Ok(Text::from(text)),
        };
        Ok(Caller {
            response_url: required("ResponseURL")?,
            stack_id: required("StackId")?,
            request_id: required("RequestId")?,
            logical_id: required("LogicalResourceId")?,
        })
    }

    /// The name of the stack; a part of its ARN.
    pub fn stack_name(&self) -> &str {
        self.stack_id.split('/').nth(1).unwrap_or(&self.stack_id)
    }
}

/// What is to happen to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Create,
    /// Its properties have changed.
    Update,
    /// It goes.
    Delete,
}

/// Which resource it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Custom::Activity`
    Activity,
    /// `Custom::Installation`: the installation's own template has one.
    Installation,
    /// `Custom::StateMachine`
    StateMachine,
    /// `Custom::StateMachineAlias`
    StateMachineAlias,
}

/// A request. Source: CloudFormation user guide, "Custom resource request objects".
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// What for.
    pub action: Action,
    /// Of which kind.
    pub kind: Kind,
    /// What an earlier answer named; there is one unless this is a Create.
    pub physical_id: Option<Text>,
    /// As the template has them, with every number and boolean as text.
    pub properties: Value,
    /// As they were; an Update has them.
    pub old_properties: Value,
}

impl Request {
    /// Reads the request of a caller.
    pub fn read(caller: Caller, event: &Value) -> Result<Request, String> {
        let action = match member(event, "RequestType") {
            "Create" => Action::Create,
            "Update" => Action::Update,
            "Delete" => Action::Delete,
            other => return Err(format!("RequestType is `{other}`; it is Create, Update or Delete")),
        };
        let resource = match member(event, "ResourceType") {
            "Custom::Activity" => Kind::Activity,
            "Custom::Installation" => Kind::Installation,
            "Custom::StateMachine" => Kind::StateMachine,
            "Custom::StateMachineAlias" => Kind::StateMachineAlias,
            other => {
                return Err(format!(
                    "there is no resource of the type {other}; there are Custom::StateMachine, \
                     Custom::StateMachineAlias and Custom::Activity"
                ));
            }
        };
        let object = |name| match event.get(name) {
            None | Some(Value::Null) => Ok(Value::object()),
            Some(properties @ Value::Object(_)) => Ok(properties.clone()),
            Some(other) => Err(format!("{name} is {}, not an object", kind(other))),
        };
        let physical_id = physical_id(event);
        if action != Action::Create && physical_id.is_none() {
            return Err("the request has no PhysicalResourceId".to_owned());
        }
        Ok(Request {
            caller,
            action,
            kind: resource,
            physical_id,
            properties: object("ResourceProperties")?,
            old_properties: object("OldResourceProperties")?,
        })
    }
}

/// What an earlier answer has named.
pub fn physical_id(event: &Value) -> Option<Text> {
    Some(Text::from(member(event, "PhysicalResourceId"))).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = r#""ResponseURL": "https://hush.example", "RequestId": "r", "LogicalResourceId": "L",
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/app/6b5a""#;

    fn check(members: &str, expected: &str) {
        let event = Value::parse(&format!("{{{CALLER}{members}}}")).unwrap();
        let caller = Caller::read(&event).unwrap();
        assert_eq!(caller.stack_name(), "app");
        let said = Request::read(caller, &event).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        check("", "RequestType is ``");
        check(r#", "RequestType": "Create", "ResourceType": "Custom::Thing""#, "Custom::Thing; there are");
        check(r#", "RequestType": "Delete", "ResourceType": "Custom::Activity""#, "no PhysicalResourceId");
        check(
            r#", "RequestType": "Create", "ResourceType": "Custom::Activity", "ResourceProperties": []"#,
            "ResourceProperties is a list",
        );
        for missing in ["ResponseURL", "StackId", "RequestId", "LogicalResourceId"] {
            let event = Value::parse(&format!("{{{CALLER}}}").replace(missing, "x")).unwrap();
            assert!(Caller::read(&event).unwrap_err().contains(missing));
        }
    }

    #[test]
    fn the_address_of_the_answer_is_not_shown() {
        let caller = Caller::read(&Value::parse(&format!("{{{CALLER}}}")).unwrap()).unwrap();
        assert!(!format!("{caller:?}").contains("hush"));
    }
}
