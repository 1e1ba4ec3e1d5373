//! `Task`: its resource, credentials and time limits.

use model::json::{Span, Text};

use super::Context;
use super::expression::{Roots, Sees};
use super::object::{Kind, Object, text_of};
use super::state::StateContext;
use crate::machine::QueryLanguage;
use crate::resource::{self, Unrecognized};
use crate::state::{Credentials, Pattern, Resource, Task};
use crate::template::{Field, Template};

const SECONDS_MAX: i64 = 99_999_999;

impl Context<'_> {
    pub(super) fn task(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Task> {
        self.required(object, &["Resource"]);
        let resource = self.resource(object, state);
        let flow = self.flow(object, state, Sees::RESULT);
        if let Some(resource) = &resource {
            self.integration_arguments(object, state, resource);
        }
        let credentials = self.credentials(object, state, resource.as_ref());
        let language = state.language;
        let timeout_seconds =
            self.integer_field(object, language, "TimeoutSeconds", 1..=SECONDS_MAX, Roots::Any);
        let heartbeat_seconds =
            self.integer_field(object, language, "HeartbeatSeconds", 1..=SECONDS_MAX, Roots::Any);
        if let (Some(Field::Constant(timeout)), Some(Field::Constant(heartbeat))) =
            (&timeout_seconds, &heartbeat_seconds)
            && heartbeat >= timeout
        {
            self.schema("HeartbeatSeconds must be smaller than TimeoutSeconds", &object.at, object.span);
        }
        let retry = self.retry(object);
        let catch = self.catch(object, state);
        let transition = self.transition(object, state);
        Some(Task {
            flow,
            resource: resource?,
            credentials,
            timeout_seconds,
            heartbeat_seconds,
            retry,
            catch,
            transition: transition?,
        })
    }

    fn resource(&mut self, object: &Object<'_, '_>, state: &StateContext<'_>) -> Option<Resource> {
        let text = self.text(object, "Resource")?;
        let at = object.at.member("Resource");
        let span = object.get("Resource")?.span;
        let resource = match resource::recognize(&text, self.options.sdk_action) {
            Ok(resource) => resource,
            Err(Unrecognized::NotAnArn) => {
                self.schema("Value is not a valid resource ARN", &at, span);
                return None;
            }
            Err(Unrecognized::Unknown) => {
                let message = format!(
                    "The resource provided {text} is not recognized. The value is not a valid resource ARN, or the \
                     resource is not available in this region."
                );
                self.schema(message, &at, span);
                return None;
            }
        };
        if state.express {
            // The second one ends in a space on the service.
            let message = match &resource {
                Resource::Activity { .. } => Some("Express state machine does not support Activity ARN"),
                Resource::Integration { pattern: Pattern::Sync | Pattern::Sync2, .. } => {
                    Some("Express state machine does not support '.sync' service integration")
                }
                Resource::Integration { pattern: Pattern::WaitForTaskToken, .. } => {
                    Some("Express state machine does not support '.waitForTaskToken' service integration ")
                }
                _ => None,
            };
            if let Some(message) = message {
                self.schema(message, &at, span);
            }
        }
        Some(resource)
    }

    /// An optimized integration needs its arguments, and some members in them.
    fn integration_arguments(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
        resource: &Resource,
    ) {
        let Resource::Integration { arn, service, action, .. } = resource else { return };
        if service.starts_with("aws-sdk:") {
            return;
        }
        let name = match state.language {
            QueryLanguage::JsonPath => "Parameters",
            QueryLanguage::Jsonata => "Arguments",
        };
        let Some(node) = object.get(name) else {
            let message = format!("{name} field is required for resource ARN: {arn}");
            self.schema(message, &object.at, object.span);
            return;
        };
        let Some(arguments) = Object::of(node, object.at.member(name)) else { return };
        for field in resource::required_arguments(service, action) {
            if !arguments.has(field) && !arguments.has(&format!("{field}.$")) {
                self.missing_member(&arguments, field, node.span);
            }
        }
    }

    fn missing_member(&mut self, object: &Object<'_, '_>, name: &str, span: Span) {
        self.schema(format!("The field '{name}' is required but was missing"), &object.at, span);
    }

    fn credentials(
        &mut self,
        object: &Object<'_, '_>,
        state: &StateContext<'_>,
        resource: Option<&Resource>,
    ) -> Option<Credentials> {
        let node = object.get("Credentials")?;
        let at = object.at.member("Credentials");
        let credentials = self.object(node, at)?;
        if matches!(resource, Some(Resource::Activity { .. })) {
            self.schema("The field 'Credentials' is not supported for activities", &at, node.span);
            return None;
        }
        let by_path = state.language == QueryLanguage::JsonPath && credentials.has("RoleArn.$");
        if !credentials.has("RoleArn") && !by_path {
            self.missing_member(&credentials, "RoleArn", node.span);
            return None;
        }
        let template = self.template_of(node, &at, state.language, Sees::INPUT)?;
        let role_arn = self.role_arn(&credentials, &template)?;
        Some(Credentials { role_arn })
    }

    /// `RoleArn` out of the template of `Credentials`.
    fn role_arn(&mut self, credentials: &Object<'_, '_>, template: &Template) -> Option<Field<Text>> {
        let member = match template {
            Template::Object(members) => {
                members.iter().rev().find(|(name, _)| name == "RoleArn").map(|(_, template)| template)
            }
            _ => None,
        };
        match member {
            Some(Template::Path(expression)) => return Some(Field::Intrinsic(expression.clone())),
            Some(Template::Query(expression)) => return Some(Field::Query(expression.clone())),
            _ => {}
        }
        let node = credentials.get("RoleArn")?;
        let text = text_of(node).cloned();
        if text.is_none() {
            self.wrong_type(node, &credentials.at.member("RoleArn"), Kind::String);
        }
        text.map(Field::Constant)
    }
}
