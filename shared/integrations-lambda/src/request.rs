//! From a task's parameters to an Invoke request.

use model::json::{Text, Value};

/// What Invoke is called with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Name, partial ARN or ARN.
    pub function_name: String,
    /// JSON.
    pub payload: Vec<u8>,
    pub invocation_type: Option<String>,
    pub qualifier: Option<String>,
    /// Base64.
    pub client_context: Option<String>,
    pub log_type: Option<String>,
}

impl Request {
    /// A Task whose `Resource` is a function: its input is the payload.
    pub fn of_function(arn: &Text, input: &Value) -> Request {
        Request {
            function_name: arn.to_string(),
            payload: input.to_json().into_bytes(),
            ..Request::default()
        }
    }

    /// The parameters of `lambda:invoke`; members that are `null` count as absent. The error is
    /// the cause of the failure, in the words of the service.
    pub fn of_parameters(parameters: &Value) -> Result<Request, String> {
        let refuse = |why: String| {
            format!("The Parameters '{}' could not be used to start the Task: [{why}]", parameters.to_json())
        };
        let Some(members) = parameters.as_object() else {
            return Err(refuse("The parameters must be an object".to_owned()));
        };
        let mut request = Request { payload: b"{}".to_vec(), ..Request::default() };
        for (name, value) in members.iter() {
            let text = || match value {
                Value::String(text) => Ok(Some(text.to_string())),
                Value::Null => Ok(None),
                _ => Err(refuse(format!("The value for the field \"{name}\" must be a string"))),
            };
            match name.as_str() {
                "FunctionName" => request.function_name = text()?.unwrap_or_default(),
                "Payload" => request.payload = payload(value),
                "InvocationType" => request.invocation_type = text()?,
                "Qualifier" => request.qualifier = text()?,
                "ClientContext" => request.client_context = text()?,
                "LogType" => request.log_type = text()?,
                _ => return Err(refuse(format!("The field \"{name}\" is not supported by Step Functions"))),
            }
        }
        if request.function_name.is_empty() {
            return Err(refuse("The field \"FunctionName\" is required but was missing".to_owned()));
        }
        Ok(request)
    }

    /// The Region in a function's ARN.
    pub fn region(&self) -> Option<&str> {
        let rest = self.function_name.strip_prefix("arn:")?;
        let region = rest.split(':').nth(2)?;
        (!region.is_empty()).then_some(region)
    }
}

/// Text that is JSON is sent as it is, other text as a JSON string; `null` is `{}`.
/// Source: recorded payloads.
fn payload(value: &Value) -> Vec<u8> {
    match value {
        Value::Null => b"{}".to_vec(),
        Value::String(text) if Value::parse(text).is_ok() => text.as_bytes().to_vec(),
        _ => value.to_json().into_bytes(),
    }
}
