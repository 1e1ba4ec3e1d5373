//! Tokens of client credentials: RFC 6749, section 4.4.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use front::Secret;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Method, Request};
use model::error::Failure;
use model::json::{Text, Value};
use tokio::time::Instant;

use crate::Http;
use crate::connection::{Fault, OAuth};
use crate::encode;
use crate::exchange::{NoAnswer, exchange};

/// How long a token is used that does not say how long it is good for.
const VALID_DEFAULT: Duration = Duration::from_secs(5 * 60);
/// The longest that a token is used.
const VALID_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// So long before it expires, another is asked for.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// Grants whose tokens are kept.
const GRANTS_MAX: usize = 256;

/// Tokens by their grant: whoever has its secret may have its token.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<Vec<(OAuth, Slot)>>);

/// One task asks for a token, the others wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

#[derive(Clone)]
struct Token {
    /// The header `Authorization`.
    authorization: Secret,
    until: Instant,
}

impl Tokens {
    fn slot(&self, grant: &OAuth) -> Slot {
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = grants.iter().find(|(known, _)| known == grant) {
            return slot.clone();
        }
        if grants.len() >= GRANTS_MAX {
            grants.clear();
        }
        let slot = Slot::default();
        grants.push((grant.clone(), slot.clone()));
        slot
    }
}

impl Http {
    /// The header `Authorization` for a grant: one that is known, unless it is `refused`.
    pub(crate) async fn token(&self, grant: &OAuth, refused: Option<&Secret>) -> Result<Secret, Failure> {
        let slot = self.tokens.slot(grant);
        let mut held = slot.lock().await;
        if let Some(token) = held.as_ref()
            && token.until > Instant::now()
            && refused != Some(&token.authorization)
        {
            return Ok(token.authorization.clone());
        }
        let token = self.ask_for_token(grant).await.map_err(|why| {
            Fault::InvalidConnectionState.because(format!("The connection could not be authorized: {why}."))
        })?;
        *held = Some(token.clone());
        Ok(token.authorization)
    }

    async fn ask_for_token(&self, grant: &OAuth) -> Result<Token, String> {
        let request = request(grant)?;
        let (request, connections) = self.addressed(request, "the authorization endpoint")?;
        let answered = exchange(connections, request, self.timeout).await.map_err(|error| match error {
            NoAnswer::Broken(why) => why,
            NoAnswer::TooLarge => "the answer of the authorization endpoint is too large".to_owned(),
        })?;
        if !answered.is_success() {
            return Err(format!("the authorization endpoint answers with status {}", answered.status));
        }
        token(&answered.text())
            .ok_or_else(|| "the answer of the authorization endpoint has no access_token".to_owned())
    }
}

/// The request for a token. Parameters are a form, or JSON where the grant's `Content-Type` says so; of a
/// GET they are in the query.
fn request(grant: &OAuth) -> Result<Request<Bytes>, String> {
    let method = match grant.method.as_str() {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        _ => return Err("its method is none of GET, POST and PUT".to_owned()),
    };
    let own = [
        ("grant_type", "client_credentials"),
        ("client_id", &grant.client_id),
        ("client_secret", grant.client_secret.expose()),
    ];
    let more = || grant.parameters.body.iter().map(|(name, value)| (name.as_str(), value.expose()));
    let own = own.into_iter().filter(|(name, _)| more().all(|(other, _)| other != *name));
    let members: Vec<(&str, &str)> = own.chain(more()).collect();
    let mut query: Vec<(&str, &str)> =
        grant.parameters.query.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    let is_json = grant.parameters.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type") && value.expose().to_ascii_lowercase().contains("json")
    });
    let body = if method == Method::GET {
        query.extend(members);
        String::new()
    } else if is_json {
        members
            .into_iter()
            .map(|(name, value)| (Text::from(name), Value::from(value)))
            .collect::<Value>()
            .to_json()
    } else {
        encode::query(members)
    };
    let separator = match (query.is_empty(), grant.endpoint.contains('?')) {
        (true, _) => "",
        (false, false) => "?",
        (false, true) => "&",
    };
    let uri = format!("{}{separator}{}", grant.endpoint, encode::query(query));
    let mut request = Request::builder().method(method).uri(uri);
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let mut request = request.body(Bytes::from(body)).map_err(|_| "its endpoint is no URL".to_owned())?;
    for (name, value) in &grant.parameters.headers {
        let (name, value) = header(name, value)?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// A header that is never shown. The error has no value either.
pub(crate) fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || format!("the header '{name}' has a name or a value that HTTP does not allow");
    let found = HeaderName::try_from(name).map_err(|_| wrong())?;
    let mut value = HeaderValue::try_from(value.expose()).map_err(|_| wrong())?;
    value.set_sensitive(true);
    Ok((found, value))
}

fn token(answer: &str) -> Option<Token> {
    let answer = Value::parse(answer).ok()?;
    let access_token = answer.get("access_token")?.as_str().filter(|token| !token.is_empty())?;
    let kind = answer.get("token_type").and_then(Value::as_str).unwrap_or("Bearer");
    let kind = if kind.eq_ignore_ascii_case("bearer") { "Bearer" } else { kind };
    let expires_in = answer.get("expires_in");
    let seconds = expires_in.and_then(Value::as_f64).or_else(|| expires_in?.as_str()?.parse().ok());
    let seconds =
        seconds.filter(|seconds| *seconds >= 0.0).map(|seconds| seconds.min(VALID_MAX.as_secs_f64()));
    let valid = seconds.map_or(VALID_DEFAULT, Duration::from_secs_f64);
    // One that is given for less than the margin is used for half of its time.
    let used = valid.saturating_sub(RENEW_BEFORE).max(valid / 2);
    Some(Token { authorization: Secret::new(format!("{kind} {access_token}")), until: Instant::now() + used })
}
