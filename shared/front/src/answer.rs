//! What is answered.

use axum::body::Body;
use axum::response::Response;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, StatusCode};

/// The protocol of the API.
pub const AWS_JSON: &str = "application/x-amz-json-1.0";

/// What a call is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// Name of the exception, of a call that failed.
    pub error: Option<String>,
    /// What `x-amzn-RequestId` says; where it is empty, nobody has made one.
    pub request_id: String,
}

impl Answer {
    /// A failure as AWS JSON 1.0 has them.
    pub fn failure(status: u16, error: &str, message: &str) -> Answer {
        let mut body = String::from("{\"__type\":");
        model::json::write_string(&mut body, error);
        body.push_str(",\"message\":");
        model::json::write_string(&mut body, message);
        body.push('}');
        Answer { status, body, error: Some(error.to_owned()), request_id: String::new() }
    }

    /// The answer as a client of the API wants it. Where what is left of a body is not waited for,
    /// the connection ends with it.
    pub fn respond(self) -> Response {
        let must_close = matches!(self.status, 408 | 413);
        let mut response = response(self.status, AWS_JSON, self.body);
        let headers = response.headers_mut();
        if !self.request_id.is_empty()
            && let Ok(id) = HeaderValue::from_str(&self.request_id)
        {
            headers.insert("x-amzn-requestid", id);
        }
        if must_close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// An answer of JSON to who does not speak the API's protocol; `allow` names the methods that there are.
pub fn refusal(status: u16, error: &str, message: &str, allow: Option<&'static str>) -> Response {
    let mut response = response(status, "application/json", Answer::failure(status, error, message).body);
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}

/// An answer of text.
pub fn response(status: u16, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    no_page(headers);
    response
}

/// Nothing here is a page: whatever a browser is made to load must not become one.
pub fn no_page(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
