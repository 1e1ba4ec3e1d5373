//! From an answer of Invoke to a task's outcome.

use model::error::Failure;
use model::json::{Text, Value};

/// An answer: the function ran, or its event was accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    pub status: u16,
    pub executed_version: Option<String>,
    /// Set when the function failed.
    pub function_error: Option<String>,
    /// Base64.
    pub log_result: Option<String>,
    pub payload: Vec<u8>,
    /// In the order of the answer; names in lower case.
    pub headers: Vec<(String, String)>,
}

/// An error that the service answered with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    pub code: Option<String>,
    pub message: Option<String>,
    pub status: u16,
    pub request_id: Option<String>,
}

/// Errors that Invoke is known to answer with. Source: API reference of Lambda, Invoke.
const MODELLED: [&str; 36] = [
    "CodeArtifactUserDeletedException",
    "CodeArtifactUserFailedException",
    "CodeArtifactUserPendingException",
    "EC2AccessDeniedException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSIOException",
    "EFSMountConnectivityException",
    "EFSMountFailureException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "ENINotReadyException",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "InvalidRuntimeException",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidZipFileException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "RecursiveInvocationException",
    "RequestTooLargeException",
    "ResourceConflictException",
    "ResourceNotFoundException",
    "ResourceNotReadyException",
    "SerializedRequestEntityTooLargeException",
    "ServiceException",
    "SnapStartException",
    "SnapStartNotReadyException",
    "SnapStartRegenerationFailureException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "TooManyRequestsException",
    "UnsupportedMediaTypeException",
];

/// How the service spells headers that arrive in lower case. Others keep what they have.
/// Source: recorded outputs.
const HEADER_NAMES: [&str; 9] = [
    "Connection",
    "Content-Length",
    "Content-Type",
    "Date",
    "X-Amz-Executed-Version",
    "X-Amz-Log-Result",
    "X-Amzn-Trace-Id",
    "x-amzn-Remapped-Content-Length",
    "x-amzn-RequestId",
];

impl Answered {
    /// The result of `lambda:invoke`: PascalCase members in alphabetical order.
    pub fn into_output(self) -> Result<Value, Failure> {
        self.check()?;
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let request_id = request_id(&self.headers).map(|id| ("RequestId", Value::from(id)));
        let members = [
            ("ExecutedVersion", text(&self.executed_version)),
            ("LogResult", text(&self.log_result)),
            ("Payload", Some(self.payload())),
            ("SdkHttpMetadata", Some(self.http_metadata())),
            ("SdkResponseMetadata", Some(request_id.into_iter().collect())),
            ("StatusCode", Some(Value::from(u32::from(self.status)))),
        ];
        Ok(members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }

    /// The result of a Task whose `Resource` is a function.
    pub fn into_payload(self) -> Result<Value, Failure> {
        self.check()?;
        Ok(self.payload())
    }

    /// JSON, else text.
    fn payload(&self) -> Value {
        let text = String::from_utf8_lossy(&self.payload);
        Value::parse(&text).unwrap_or_else(|_| Value::from(text.as_ref()))
    }

    /// A function that failed: its `errorType` is the error, its payload the cause.
    fn check(&self) -> Result<(), Failure> {
        if self.function_error.is_none() {
            return Ok(());
        }
        let cause = String::from_utf8_lossy(&self.payload);
        let payload = Value::parse(&cause).unwrap_or_default();
        let error = payload.get("errorType").and_then(Value::as_str).filter(|name| !name.is_empty());
        Err(match error {
            Some(error) => Failure::new(error, cause.as_ref()),
            None => Failure::new(
                "Lambda.Unknown",
                format!(
                    "The cause could not be determined because Lambda did not return an error type. \
                     Returned payload: {cause}"
                ),
            ),
        })
    }

    fn http_metadata(&self) -> Value {
        let headers = || self.headers.iter().map(|(name, value)| (header_name(name), value.as_str()));
        let mut all: Vec<(Text, Vec<Value>)> = Vec::new();
        for (name, value) in headers() {
            match all.iter_mut().find(|(other, _)| *other == name) {
                Some((_, values)) => values.push(value.into()),
                None => all.push((name, vec![value.into()])),
            }
        }
        let all: Value = all.into_iter().map(|(name, values)| (name, Value::from(values))).collect();
        let last: Value = headers().map(|(name, value)| (name, Value::from(value))).collect();
        let status = Value::from(u32::from(self.status));
        [("AllHttpHeaders", all), ("HttpHeaders", last), ("HttpStatusCode", status)].into_iter().collect()
    }
}

impl Refused {
    /// The failure of the task: `Lambda.<code>`, or `Lambda.AWSLambdaException` for a code that
    /// Invoke is not known to answer with.
    pub fn into_failure(self) -> Failure {
        let code = self.code.as_deref().unwrap_or("Unknown");
        let name = if code.ends_with("Exception") { code.to_owned() } else { format!("{code}Exception") };
        let error = if MODELLED.contains(&name.as_str()) { &name } else { "AWSLambdaException" };
        let message = self.message.as_deref().map(|message| format!("{message} ")).unwrap_or_default();
        let request_id = self.request_id.as_deref().unwrap_or("null");
        let cause = format!(
            "{message}(Service: AWSLambda; Status Code: {}; Error Code: {code}; Request ID: {request_id}; Proxy: null)",
            self.status
        );
        Failure::new(format!("Lambda.{error}"), cause)
    }
}

/// No answer came.
pub(super) fn not_executed(why: &str) -> Failure {
    Failure::new("Lambda.SdkClientException", format!("Unable to execute HTTP request: {why}"))
}

/// The id that the service gave to the request.
pub(super) fn request_id(headers: &[(String, String)]) -> Option<&str> {
    let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-amzn-RequestId"));
    header.map(|(_, value)| value.as_str())
}

fn header_name(name: &str) -> Text {
    let known = HEADER_NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.map_or_else(|| Text::from(name), |known| Text::new_static(known))
}
