//! `http:invoke`: any HTTPS API, with a connection's authorization.
//!
//! Source of the rules: developer guide, "Call HTTPS APIs in Step Functions workflows".

use aws_client::Caller;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use engine::TaskOutcome;
use front::Secret;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RANGE, USER_AGENT};
use hyper::{Method, Request};
use model::error::{Failure, HTTP_SOCKET, HTTP_STATUS_CODE_PREFIX};
use model::json::{Map, Value, format_text};
use model::limits::PAYLOAD_BYTES_MAX;

use crate::arguments::{Arguments, Pairs, scalar};
use crate::connection::{Authorization, Connection};
use crate::encode::{self, ArrayFormat};
use crate::exchange::{Answered, NoAnswer, exchange};
use crate::oauth::header;
use crate::{Http, runtime, too_large};

const PARAMETERS: [&str; 8] = [
    "ApiEndpoint",
    "Authentication",
    "Headers",
    "InvocationConfig",
    "Method",
    "QueryParameters",
    "RequestBody",
    "Transform",
];

pub(crate) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"];

/// Headers that a task may not set.
const FORBIDDEN: [&str; 32] = [
    "a-im",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-md5",
    "date",
    "expect",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authorization",
    "referer",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
];

/// Prefixes of headers that a task may not set.
const FORBIDDEN_PREFIXES: [&str; 3] = ["x-forwarded-", "x-amz-", "x-amzn-"];

/// Headers that say where a request goes and where it ends: nobody sets them beside what sends it.
const FRAMING: [&str; 8] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name)
        || name == "content-length"
        || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What a task says.
struct Invocation<'a> {
    arguments: Arguments<'a>,
    endpoint: &'a str,
    method: Method,
    connection: &'a str,
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Pairs,
    body: Option<&'a Value>,
    form: Option<ArrayFormat>,
}

impl<'a> Invocation<'a> {
    fn of(parameters: &'a Value) -> Result<Invocation<'a>, TaskOutcome> {
        let arguments = Arguments::of(parameters, &PARAMETERS)?;
        let connection_of = |name: &str| -> Result<Option<&'a str>, TaskOutcome> {
            let inner = arguments.inner(name, &["ConnectionArn"])?;
            inner.map(|inner| inner.required("ConnectionArn")).transpose()
        };
        let connection = match connection_of("InvocationConfig")? {
            Some(arn) => Some(arn),
            None => connection_of("Authentication")?,
        };
        let transform = arguments.inner("Transform", &["RequestBodyEncoding", "RequestEncodingOptions"])?;
        let mut form = None;
        if let Some(transform) = transform {
            let encoding = transform.one_of("RequestBodyEncoding", &["NONE", "URL_ENCODED"])?;
            let options = transform.inner("RequestEncodingOptions", &["ArrayFormat"])?;
            let format =
                options.map(|options| options.one_of("ArrayFormat", &ArrayFormat::NAMES)).transpose()?;
            let format = format.flatten().map_or(ArrayFormat::default(), ArrayFormat::named);
            form = (encoding == Some("URL_ENCODED")).then_some(format);
        }
        arguments.required("Method")?;
        let method = arguments.one_of("Method", &METHODS)?.unwrap_or_default();
        Ok(Invocation {
            arguments,
            endpoint: arguments.required("ApiEndpoint")?,
            method: method.parse().map_err(|_| arguments.wrong("Method", "an HTTP method"))?,
            connection: connection.ok_or_else(|| {
                arguments.refuse("The field \"InvocationConfig.ConnectionArn\" is required but was missing")
            })?,
            headers: arguments.headers(is_forbidden)?,
            query: query(&arguments)?,
            body: arguments.get("RequestBody"),
            form,
        })
    }

    /// The request, with what the connection adds. What it has of a name takes the place of what the task
    /// has. `region` is whose User-Agent it is.
    fn request(&self, connection: &Connection, region: &str) -> Result<Request<Bytes>, TaskOutcome> {
        let added = &connection.parameters;
        let uri = with_query(self.endpoint, &self.query, &added.query);
        let body = self.body(connection)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        for (name, value) in &added.headers {
            let (name, value) = of_connection(name, value)?;
            headers.insert(name, value);
        }
        if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        }
        let user_agent = HeaderValue::try_from(format!("Amazon|StepFunctions|HttpInvoke|{region}"));
        headers.insert(
            USER_AGENT,
            user_agent.unwrap_or(HeaderValue::from_static("Amazon|StepFunctions|HttpInvoke")),
        );
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-262144"));
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .body(Bytes::from(body))
            .map_err(|_| self.arguments.wrong("ApiEndpoint", "a URL"))?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn body(&self, connection: &Connection) -> Result<String, TaskOutcome> {
        let added = &connection.parameters.body;
        let members = match self.body {
            Some(Value::Object(members)) => (**members).clone(),
            None if !added.is_empty() => Map::default(),
            Some(_) if !added.is_empty() => {
                return Err(runtime(
                    "The RequestBody of the task is no JSON object, so that it cannot be merged with the body parameters of the connection".to_owned(),
                ));
            }
            None => return Ok(String::new()),
            Some(Value::String(text)) => return limited(text.to_string()),
            Some(_) if self.form.is_some() => {
                return Err(self
                    .arguments
                    .refuse("The value for the field 'RequestBody' must be an object to be URL encoded"));
            }
            Some(value) => return limited(value.to_json()),
        };
        let mut members = members;
        for (name, value) in added {
            members.insert(name.as_str().into(), Value::from(value.expose()));
        }
        match self.form {
            Some(format) => encode::form(&members, format, PAYLOAD_BYTES_MAX).ok_or_else(too_large),
            None => limited(Value::from(members).to_json()),
        }
    }
}

fn limited(body: String) -> Result<String, TaskOutcome> {
    if body.len() > PAYLOAD_BYTES_MAX { Err(too_large()) } else { Ok(body) }
}

/// Query parameters: an object, or a text that is a query string, or a list of such.
fn query(arguments: &Arguments<'_>) -> Result<Pairs, TaskOutcome> {
    const NAME: &str = "QueryParameters";
    match arguments.get(NAME) {
        Some(Value::String(text)) => Ok(encode::pairs(text)),
        Some(Value::Array(texts)) => {
            let texts = texts.iter().map(|text| text.as_str().map(encode::pairs));
            let pairs: Option<Vec<Pairs>> = texts.collect();
            pairs.map(|pairs| pairs.concat()).ok_or_else(|| arguments.wrong(NAME, "an object"))
        }
        Some(Value::Object(members)) => {
            let mut pairs = Pairs::new();
            for (name, value) in members.iter() {
                let values = value.as_array().map_or(std::slice::from_ref(value), |values| &**values);
                // What has no text of its own is sent as its JSON.
                let texts = values.iter().filter(|value| !value.is_null());
                let texts = texts.map(|value| scalar(value).unwrap_or_else(|| value.to_json()));
                pairs.extend(texts.map(|text| (name.to_string(), text)));
            }
            Ok(pairs)
        }
        Some(_) => Err(arguments.wrong(NAME, "an object")),
        None => Ok(Pairs::new()),
    }
}

fn with_query(endpoint: &str, given: &Pairs, added: &[(String, Secret)]) -> String {
    let kept = given.iter().filter(|(name, _)| added.iter().all(|(other, _)| other != name));
    let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
    let added = added.iter().map(|(name, value)| (name.as_str(), value.expose()));
    let query = encode::query(kept.chain(added));
    // What stands behind a `#` is never sent.
    let endpoint = endpoint.split('#').next().unwrap_or_default();
    let separator = match (query.is_empty(), endpoint.contains('?')) {
        (true, _) => "",
        (false, false) => "?",
        (false, true) => "&",
    };
    format!("{endpoint}{separator}{query}")
}

fn of_connection(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), TaskOutcome> {
    if FRAMING.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
        return Err(runtime(format!(
            "The connection sets the header '{name}', which belongs to whoever sends the request"
        )));
    }
    header(name, value).map_err(|why| runtime(format!("The connection cannot be used: {why}")))
}

impl Http {
    pub(crate) async fn invoke(&self, parameters: &Value, caller: &Caller) -> Result<Value, TaskOutcome> {
        let invocation = Invocation::of(parameters)?;
        // Whether it may be called is known before anything secret is asked for.
        let plain = Request::builder().uri(invocation.endpoint).body(Bytes::new());
        let plain = plain.map_err(|_| invocation.arguments.wrong("ApiEndpoint", "a URL"))?;
        self.addressed(plain, "ApiEndpoint").map_err(|why| invocation.arguments.refuse(why))?;
        let found = self.settings.connections.connection(invocation.connection, caller).await;
        let connection = found.map_err(TaskOutcome::failed)?;
        let request = invocation.request(&connection, &caller.region)?;
        let answered = self.send(&invocation, request, &connection.authorization).await?;
        result(&answered)
    }

    /// Sends an authorized request; once more with another token where the first is refused.
    async fn send(
        &self,
        invocation: &Invocation<'_>,
        request: Request<Bytes>,
        authorization: &Authorization,
    ) -> Result<Answered, TaskOutcome> {
        let mut refused: Option<Secret> = None;
        loop {
            let mut request = request.clone();
            let mut token = None;
            let (name, value) = match authorization {
                Authorization::Basic { username, password } => {
                    let encoded = STANDARD.encode(format!("{username}:{}", password.expose()));
                    of_connection(AUTHORIZATION.as_str(), &Secret::new(format!("Basic {encoded}")))?
                }
                Authorization::ApiKey { name, value } => of_connection(name, value)?,
                Authorization::OAuth(grant) => {
                    let found = self.token(grant, refused.as_ref()).await.map_err(TaskOutcome::failed)?;
                    of_connection(AUTHORIZATION.as_str(), token.insert(found))?
                }
            };
            request.headers_mut().insert(name, value);
            let (request, connections) =
                self.addressed(request, "ApiEndpoint").map_err(|why| invocation.arguments.refuse(why))?;
            let answered =
                exchange(connections, request, self.timeout).await.map_err(|error| match error {
                    NoAnswer::Broken(why) => TaskOutcome::failed(Failure::new(
                        HTTP_SOCKET,
                        format!("Unable to execute HTTP request: {why}"),
                    )),
                    NoAnswer::TooLarge => too_large(),
                })?;
            // Source: EventBridge user guide, "Authorization methods for connections".
            if matches!(answered.status, 401 | 407) && token.is_some() && refused.is_none() {
                refused = token;
                continue;
            }
            return Ok(answered);
        }
    }
}

/// The result of the task, or its failure.
///
/// The guide does not say what the cause of a status is. Here it is the body, from which people tell what
/// was wrong; the text of the status where there is none.
fn result(answered: &Answered) -> Result<Value, TaskOutcome> {
    if !answered.is_success() {
        let error = format_text!("{HTTP_STATUS_CODE_PREFIX}{}", answered.status);
        return Err(TaskOutcome::failed(Failure::new(error, answered.cause())));
    }
    let content_type = answered.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is_binary = ["image/", "video/", "audio/"].iter().any(|prefix| kind.starts_with(prefix));
    if is_binary || kind == "application/octet-stream" {
        return Err(runtime(format!("The response has the content type {kind}, which is not supported")));
    }
    let is_latin = ["charset=iso-8859-1", "charset=\"iso-8859-1\"", "charset=latin1"];
    let text = if is_latin.iter().any(|charset| content_type.contains(charset)) {
        answered.body.iter().map(|byte| char::from(*byte)).collect()
    } else {
        let text = String::from_utf8(answered.body.clone());
        text.map_err(|_| runtime("The response could not be read as a valid string".to_owned()))?
    };
    Ok(answered.output(&text, str::to_owned))
}
