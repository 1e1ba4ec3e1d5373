//! What the front's own answers mean: those that the API behind it never gave. Clients of the API
//! understand AWS JSON alone, and people want to know what to do.

use front::Answer;
use model::json::Value;

use crate::target::{SignAs, Target};

/// A refusal of the front.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// HTTP status.
    pub status: u16,
    /// The header `x-amzn-ErrorType`.
    pub error_type: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// Whether an answer is the API's: an error in AWS JSON, or one of its plain REST routes.
pub fn is_of_api(body: &[u8]) -> bool {
    let Some(body) = parsed(body) else { return false };
    let has = |name: &str| body.get(name).and_then(Value::as_str).is_some();
    has("__type") || (has("error") && has("message"))
}

fn parsed(body: &[u8]) -> Option<Value> {
    Value::parse(std::str::from_utf8(body).ok()?).ok()
}

/// What the client is answered instead.
pub fn translate(refusal: &Refusal, target: &Target) -> Answer {
    let said = said(refusal.body);
    // `AccessDeniedException:http://…` is the same error.
    let named = refusal.error_type.and_then(|name| name.split(':').next()).filter(|name| !name.is_empty());
    let (url, service, region) = (target.url(), target.sign_as.service(), &target.region);
    let (error, message) = match refusal.status {
        401 | 403 => {
            let permission = match target.sign_as {
                SignAs::Lambda => {
                    "lambda:InvokeFunctionUrl and lambda:InvokeFunction on the function of the API"
                }
                SignAs::ExecuteApi => "execute-api:Invoke on the API",
            };
            let message = format!(
                "{url} refuses the proxy's credentials: {said}. Their policies have to allow {permission}, and \
                 the signature has to be for `{service}` in {region}"
            );
            (named.unwrap_or("AccessDeniedException"), message)
        }
        404 => (
            named.unwrap_or("ResourceNotFoundException"),
            format!("there is no API at {url}: {said}. Does its stack still exist?"),
        ),
        413 => (
            "RequestEntityTooLargeException",
            format!("the request is larger than the front of {url} takes: {said}"),
        ),
        // Known to every SDK as one to be repeated later.
        429 => ("ThrottlingException", format!("{url} takes no more requests at the moment: {said}")),
        502..=504 => ("ServiceUnavailableException", format!("the API behind {url} does not answer: {said}")),
        500.. => ("InternalFailure", format!("the API behind {url} failed: {said}")),
        status => (
            named.unwrap_or("ValidationException"),
            format!("{url} refuses the request with status {status}: {said}"),
        ),
    };
    Answer::failure(refusal.status, error, &message)
}

/// The words of a front, without the full stop at their end; fronts write them in several ways.
fn said(body: &[u8]) -> String {
    const CHARS_MAX: usize = 1_000;
    let text = match parsed(body) {
        Some(body) => {
            let found = ["message", "Message"].iter().find_map(|name| body.get(name).and_then(Value::as_str));
            found.unwrap_or_default().to_owned()
        }
        None => String::from_utf8_lossy(body).into_owned(),
    };
    let text: String = text.trim().trim_end_matches('.').chars().take(CHARS_MAX).collect();
    if text.is_empty() { "it does not say why".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetOptions;

    fn target(url: &str) -> Target {
        Target::new(&TargetOptions { url, ..TargetOptions::default() }).unwrap()
    }

    #[test]
    fn answers_of_the_api_are_known() {
        for (body, expected) in [
            (r#"{"__type":"ExecutionDoesNotExist","message":"x"}"#, true),
            (r#"{"error":"NotFound","message":"x"}"#, true),
            (r#"{"Message":"Forbidden"}"#, false),
            (r#"{"message":"Forbidden"}"#, false),
            (r#"{"__type":1}"#, false),
            ("<html>", false),
            ("", false),
        ] {
            assert_eq!(is_of_api(body.as_bytes()), expected, "{body}");
        }
        assert!(!is_of_api(b"\xff"));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let check = |url: &str, refusal: Refusal, error: &str, words: &[&str]| {
            let answer = translate(&refusal, &target(url));
            assert_eq!((answer.status, answer.error.as_deref()), (refusal.status, Some(error)));
            for words in words {
                assert!(answer.body.contains(words), "{words}: {}", answer.body);
            }
        };
        let function = "https://abc.lambda-url.eu-west-1.on.aws/";
        let api = "https://abc.execute-api.us-east-2.amazonaws.com/";
        let of = |status, body: &'static str| Refusal { status, error_type: None, body: body.as_bytes() };
        check(
            function,
            of(403, r#"{"Message":"Forbidden. For troubleshooting, see the documentation."}"#),
            "AccessDeniedException",
            &[
                "documentation. Their policies",
                "lambda:InvokeFunctionUrl and lambda:InvokeFunction",
                "`lambda` in eu-west-1",
            ],
        );
        check(
            api,
            of(403, r#"{"message":"Forbidden"}"#),
            "AccessDeniedException",
            &["execute-api:Invoke", "us-east-2"],
        );
        let expired = Refusal {
            error_type: Some("ExpiredTokenException:http://x"),
            ..of(403, r#"{"message":"The security token included in the request is expired"}"#)
        };
        check(function, expired, "ExpiredTokenException", &["token included in the request is expired"]);
        check(function, of(404, ""), "ResourceNotFoundException", &["it does not say why"]);
        check(function, of(413, "x"), "RequestEntityTooLargeException", &["larger than"]);
        check(
            function,
            of(429, r#"{"Reason":"x","message":"Rate Exceeded."}"#),
            "ThrottlingException",
            &["Rate Exceeded"],
        );
        check(
            function,
            of(502, "Internal Server Error"),
            "ServiceUnavailableException",
            &["Internal Server Error"],
        );
        check(api, of(503, r#"{"message":"Service Unavailable"}"#), "ServiceUnavailableException", &[]);
        check(api, of(500, "[]"), "InternalFailure", &["does not say why"]);
        check(api, of(400, "{"), "ValidationException", &["status 400: {"]);
    }
}
