//! `apigateway:invoke`: APIs of API Gateway.
//!
//! Source of the rules: developer guide, "Create API Gateway REST APIs with Step Functions"; recorded
//! executions.

use std::time::SystemTime;

use aws_client::{Caller, Connections, NoCredentials, Scope, sign_request};
use bytes::Bytes;
use engine::TaskOutcome;
use front::guard::is_loopback;
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use model::error::Failure;
use model::json::{Value, format_text};
use model::limits::PAYLOAD_BYTES_MAX;

use crate::arguments::Arguments;
use crate::exchange::{NoAnswer, exchange};
use crate::invoke::METHODS;
use crate::{Http, elsewhere, encode, too_large};

const PARAMETERS: [&str; 9] = [
    "AllowNullValues",
    "ApiEndpoint",
    "AuthType",
    "Headers",
    "Method",
    "Path",
    "QueryParameters",
    "RequestBody",
    "Stage",
];

const AUTH_TYPES: [&str; 3] = ["NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY"];

/// Headers that a task may not set.
const FORBIDDEN: [&str; 15] = [
    "authorization",
    "connection",
    "content-length",
    "content-md5",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
];

/// How API Gateway and CloudFront spell headers; these arrive in lower case. Others keep what they have.
/// Source: recorded outputs.
const HEADER_NAMES: [&str; 14] = [
    "Connection",
    "Content-Length",
    "Content-Type",
    "Date",
    "Server",
    "Transfer-Encoding",
    "Via",
    "X-Amz-Cf-Id",
    "X-Amz-Cf-Pop",
    "X-Amzn-Trace-Id",
    "X-Cache",
    "x-amz-apigw-id",
    "x-amzn-ErrorType",
    "x-amzn-RequestId",
];

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name) || name.starts_with("x-forwarded") || name.starts_with("x-amz")
}

/// How a header is written in a result.
fn spelled(name: &str) -> String {
    let known = HEADER_NAMES.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.map_or(name, |known| known).to_owned()
}

impl Http {
    pub(crate) async fn invoke_gateway(
        &self,
        parameters: &Value,
        caller: &Caller,
    ) -> Result<Value, TaskOutcome> {
        let arguments = Arguments::of(parameters, &PARAMETERS)?;
        let auth_type = arguments.one_of("AuthType", &AUTH_TYPES)?.unwrap_or("NO_AUTH");
        let request = request(&arguments, &caller.region)?;
        let host = request.uri().host().unwrap_or_default().to_ascii_lowercase();
        let region = region(&host).unwrap_or(&caller.region).to_owned();
        let (mut request, connections) = self.gateway(request).map_err(|why| arguments.refuse(why))?;
        // A resource policy on AWS knows the service and the state machine; here it knows the role.
        if auth_type != "NO_AUTH" {
            // A signature shows a session token: only API Gateway is shown one, or who stands in for it.
            let is_trusted = is_gateway(&host) || self.is_configured(&host) || is_loopback(&host);
            if !is_trusted {
                return Err(
                    arguments.wrong("ApiEndpoint", "the hostname of an API of API Gateway to be signed for")
                );
            }
            let now = SystemTime::now();
            let credentials =
                caller.identity.credentials(now).await.map_err(|error| no_credentials(&error))?;
            let scope = Scope { name: "execute-api", region: &region };
            sign_request(&mut request, scope, &credentials, now).map_err(|why| client_error(&why))?;
        }
        let answered = exchange(connections, request, self.timeout).await.map_err(|error| match error {
            NoAnswer::Broken(why) => client_error(&why),
            NoAnswer::TooLarge => too_large(),
        })?;
        if !answered.is_success() {
            let error = format_text!("ApiGateway.{}", answered.status);
            return Err(TaskOutcome::failed(Failure::new(error, answered.text())));
        }
        Ok(answered.output(&answered.text(), spelled))
    }

    /// Whether settings say where a host is.
    fn is_configured(&self, host: &str) -> bool {
        let hosts = &self.settings.hosts;
        hosts.gateways.is_some() || hosts.named.contains_key(host)
    }

    /// A request as it is sent: all APIs may be in one other place.
    fn gateway(&self, request: Request<Bytes>) -> Result<(Request<Bytes>, &Connections), String> {
        let hosts = &self.settings.hosts;
        let host = request.uri().host().unwrap_or_default().to_ascii_lowercase();
        match hosts.gateways.as_deref().filter(|_| !hosts.named.contains_key(&host)) {
            Some(base) => Ok((elsewhere(request, base)?, self.configured()?)),
            None => self.addressed(request, "ApiEndpoint"),
        }
    }
}

fn request(arguments: &Arguments<'_>, region: &str) -> Result<Request<Bytes>, TaskOutcome> {
    arguments.required("Method")?;
    let method = arguments.one_of("Method", &METHODS)?.unwrap_or_default();
    let headers = arguments.headers(is_forbidden)?;
    let body = body(arguments)?;
    if body.len() > PAYLOAD_BYTES_MAX {
        return Err(too_large());
    }
    let mut request = Request::builder()
        .method(method)
        .uri(uri(arguments)?)
        .body(Bytes::from(body))
        .map_err(|_| arguments.wrong("Method", "an HTTP method"))?;
    let user_agent = HeaderValue::try_from(format!("Amazon|StepFunctions|ApiGatewayInvoke|{region}"));
    if let Ok(user_agent) = user_agent {
        request.headers_mut().insert(USER_AGENT, user_agent);
    }
    if !request.body().is_empty() {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, _) in &headers {
        request.headers_mut().remove(name);
    }
    for (name, value) in headers {
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// `https://<ApiEndpoint>/<Stage>/<Path>?<QueryParameters>`. The endpoint is a host; a scheme before it is
/// read too, since workflows that call emulators have one.
fn uri(arguments: &Arguments<'_>) -> Result<Uri, TaskOutcome> {
    let endpoint = arguments.required("ApiEndpoint")?;
    let mut uri = if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") };
    for part in ["Stage", "Path"] {
        let part = arguments.text(part)?.unwrap_or_default().trim_start_matches('/');
        if !part.is_empty() {
            uri = format!("{}/{}", uri.trim_end_matches('/'), escaped(part));
        }
    }
    let query = arguments.pairs("QueryParameters")?;
    if !query.is_empty() {
        let query = encode::query(query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        uri = format!("{uri}?{query}");
    }
    let uri: Uri = uri.parse().map_err(|_| arguments.wrong("ApiEndpoint", "the hostname of an API"))?;
    match uri.authority() {
        Some(authority) if !authority.host().is_empty() && !authority.as_str().contains('@') => Ok(uri),
        _ => Err(arguments.wrong("ApiEndpoint", "the hostname of an API")),
    }
}

/// A path in which what a URL has no room for is escaped, and what may be there already is left alone.
pub(crate) fn escaped(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~%!$&'()*+,;=:@".contains(&byte);
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The body: JSON, texts too. What is null in it is left out unless `AllowNullValues` says otherwise.
fn body(arguments: &Arguments<'_>) -> Result<String, TaskOutcome> {
    let keeps_null = arguments.boolean("AllowNullValues")?;
    Ok(match arguments.get("RequestBody") {
        Some(value) if keeps_null => value.to_json(),
        Some(value) => without_null(value).to_json(),
        None => String::new(),
    })
}

fn without_null(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_null(value)))
            .collect(),
        Value::Array(elements) => elements.iter().map(without_null).collect(),
        value => value.clone(),
    }
}

/// The Region in `<api>.execute-api.<region>.amazonaws.com`.
fn region(host: &str) -> Option<&str> {
    let (_, rest) = host.split_once(".execute-api.")?;
    rest.split('.').next().filter(|region| region.contains('-'))
}

/// Whether a host is one of API Gateway's own.
fn is_gateway(host: &str) -> bool {
    let is_aws =
        [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|suffix| host.ends_with(suffix));
    is_aws && region(host).is_some()
}

fn client_error(why: &str) -> TaskOutcome {
    let cause = format!("Unable to execute HTTP request: {why}");
    TaskOutcome::failed(Failure::new("ApiGateway.SdkClientException", cause))
}

fn no_credentials(error: &NoCredentials) -> TaskOutcome {
    match error {
        NoCredentials::Missing => client_error("no credentials are configured"),
        NoCredentials::Unavailable(why) => client_error(&format!("there are no credentials: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        assert_eq!(region("a1.execute-api.eu-west-1.amazonaws.com"), Some("eu-west-1"));
        assert_eq!(region("a1.execute-api.localhost"), None);
        assert_eq!(region("example.com"), None);
    }

    #[test]
    fn null_is_left_out_of_objects() {
        let check = |given: &str, expected: &str| {
            assert_eq!(without_null(&Value::parse(given).unwrap()).to_json(), expected);
        };
        check(r#"{"a":null,"b":{"c":null,"d":[null,{"e":null}]}}"#, r#"{"b":{"d":[null,{}]}}"#);
        check("[null]", "[null]");
    }

    #[test]
    fn addresses() {
        let check = |parameters: &str, expected: &str| {
            let parameters = Value::parse(parameters).unwrap();
            let arguments = Arguments::of(&parameters, &PARAMETERS).unwrap();
            assert_eq!(uri(&arguments).unwrap().to_string(), expected, "{parameters}");
        };
        check(r#"{"ApiEndpoint":"a.b"}"#, "https://a.b/");
        check(
            r#"{"ApiEndpoint":"a.b","Stage":"s","Path":"/p/q r%20?x#y"}"#,
            "https://a.b/s/p/q%20r%20%3Fx%23y",
        );
        check(
            r#"{"ApiEndpoint":"a.b","Path":"p","QueryParameters":{"k":["1","ü"],"l":true,"m":null}}"#,
            "https://a.b/p?k=1&k=%C3%BC&l=true",
        );
    }
}
