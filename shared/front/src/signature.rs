//! Signature Version 4: whether a request was signed with the credential that the server demands.
//!
//! Source: AWS Identity and Access Management, "Create a signed AWS API request" and
//! "Troubleshoot Signature Version 4 signing". Names of errors are those of the JSON services.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use hyper::HeaderMap;
use hyper::http::request::Parts;
use model::timestamp::{Instant, Timestamp};
use sha2::{Digest, Sha256};

use crate::{Answer, Credential};

/// How far the clocks of client and server may be apart.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a request says about its signature.
#[derive(Debug)]
pub struct Claim {
    access_key_id: String,
    /// `YYYYMMDD`
    date: String,
    region: String,
    service: String,
    signed_headers: Vec<String>,
    signature: String,
    /// `YYYYMMDDTHHMMSSZ`
    time: String,
}

/// Checks signatures against one credential.
#[derive(Clone, Debug)]
pub struct Verifier {
    /// What requests must be signed with.
    pub credential: Credential,
    /// The Region that they must be signed for.
    pub region: String,
    /// The service that they must be signed for, as scopes name it: `states`.
    pub service: &'static str,
}

impl Claim {
    /// Reads the `Authorization` header. Answers what the service answers to a request without
    /// one, and to one that is incomplete.
    pub fn read(headers: &HeaderMap) -> Result<Claim, Answer> {
        let Some(authorization) = only(headers, "authorization")? else {
            return Err(Answer::failure(
                403,
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        };
        let Some(rest) = authorization.strip_prefix(ALGORITHM).filter(|rest| rest.starts_with([' ', ',']))
        else {
            return Err(incomplete(&format!("Authorization header requires the algorithm {ALGORITHM}")));
        };
        let parameter = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            parts
                .find_map(|part| part.strip_prefix(name)?.strip_prefix('=').filter(|value| !value.is_empty()))
        };
        let parameters = ["Credential", "SignedHeaders", "Signature"].map(|name| (name, parameter(name)));
        let [(_, Some(credential)), (_, Some(signed_headers)), (_, Some(signature))] = parameters else {
            let missing: Vec<String> = parameters
                .iter()
                .filter(|(_, value)| value.is_none())
                .map(|(name, _)| format!("Authorization header requires '{name}' parameter."))
                .collect();
            return Err(incomplete(&missing.join(" ")));
        };
        let scope: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = scope[..] else {
            return Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/aws4_request",
            ));
        };
        let Some(time) = only(headers, "x-amz-date")? else {
            return Err(incomplete("Authorization header requires existence of a 'X-Amz-Date' header."));
        };
        let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_owned).collect();
        for needed in ["host", "x-amz-date"] {
            if !signed_headers.iter().any(|name| name == needed) {
                return Err(invalid(&format!(
                    "'{needed}' must be a 'SignedHeader' in the AWS Authorization."
                )));
            }
        }
        // What decides about the call, besides the body, must be signed where it is present.
        for needed in ["x-amz-target", "x-amz-security-token"] {
            if headers.contains_key(needed) && !signed_headers.iter().any(|name| name == needed) {
                return Err(invalid(&format!(
                    "'{needed}' must be a 'SignedHeader' in the AWS Authorization."
                )));
            }
        }
        Ok(Claim {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers,
            signature: signature.to_owned(),
            time: time.to_owned(),
        })
    }
}

impl Verifier {
    /// Whether the request, with this body, was signed with the credential at about `now`.
    pub fn verify(&self, claim: &Claim, parts: &Parts, body: &[u8], now: SystemTime) -> Result<(), Answer> {
        let unknown = || {
            Answer::failure(
                403,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        };
        if !same(&claim.access_key_id, &self.credential.access_key_id) {
            return Err(unknown());
        }
        let token = only(&parts.headers, "x-amz-security-token")?;
        let token_fits = match (token, &self.credential.session_token) {
            (None, None) => true,
            (Some(token), Some(expected)) => same(token, expected.expose()),
            _ => false,
        };
        if !token_fits {
            return Err(unknown());
        }
        if claim.service != self.service {
            let message = format!("Credential should be scoped to correct service: '{}'.", self.service);
            return Err(invalid(&message));
        }
        if claim.region != self.region {
            return Err(invalid("Credential should be scoped to a valid region."));
        }
        let Some(time) = signing_time(&claim.time) else {
            return Err(incomplete(
                "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601",
            ));
        };
        if !claim.time.starts_with(&claim.date) || claim.date.len() != 8 {
            return Err(invalid(&format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'.",
                claim.date,
                &claim.time[..8],
                claim.time
            )));
        }
        check_skew(time, now, &claim.time)?;

        let scope = format!("{}/{}/{}/aws4_request", claim.date, claim.region, claim.service);
        let canonical = canonical_request(claim, parts, body)?;
        let to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{}", claim.time, hex_sha256(canonical.as_bytes()));
        let secret = self.credential.secret_access_key.expose();
        let key = generate_signing_key(secret, time, &claim.region, &claim.service);
        if same(&calculate_signature(key, to_sign.as_bytes()), &claim.signature) {
            return Ok(());
        }
        Err(invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        ))
    }
}

fn check_skew(time: SystemTime, now: SystemTime, written: &str) -> Result<(), Answer> {
    let basic = |time: SystemTime| {
        let millis = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let text = Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)).to_string();
        text.split('.').next().unwrap_or_default().replace(['-', ':'], "") + "Z"
    };
    let (early, late) = (now - SKEW, now + SKEW);
    if time < early {
        let message = format!(
            "Signature expired: {written} is now earlier than {} ({} - 5 min.)",
            basic(early),
            basic(now)
        );
        return Err(invalid(&message));
    }
    if time > late {
        let message = format!(
            "Signature not yet current: {written} is still later than {} ({} + 5 min.)",
            basic(late),
            basic(now)
        );
        return Err(invalid(&message));
    }
    Ok(())
}

/// The canonical request. The payload's hash is that of the body as it arrived, whatever the
/// client says about it.
fn canonical_request(claim: &Claim, parts: &Parts, body: &[u8]) -> Result<String, Answer> {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(out, "{}\n{}", parts.method, canonical_path(parts.uri.path()));
    let _ = writeln!(out, "{}", canonical_query(parts.uri.query().unwrap_or_default()));
    for name in &claim.signed_headers {
        let mut values = Vec::new();
        for value in parts.headers.get_all(name.as_str()) {
            let value = value.to_str().map_err(|_| invalid(&format!("the header '{name}' is not ASCII")))?;
            values.push(value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "));
        }
        if values.is_empty() {
            return Err(invalid(&format!(
                "'{name}' is a 'SignedHeader', but the request has no such header"
            )));
        }
        let _ = writeln!(out, "{name}:{}", values.join(","));
    }
    let _ = write!(out, "\n{}\n{}", claim.signed_headers.join(";"), hex_sha256(body));
    Ok(out)
}

/// The path, encoded a second time, as every service but S3 has it.
fn canonical_path(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
        let _ = if is_plain { write!(out, "{}", char::from(byte)) } else { write!(out, "%{byte:02X}") };
    }
    out
}

/// The parameters in order; their encoding is the client's.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// The one value of a header; several, or bytes that are no text, are refused.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Answer> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            value.to_str().map(Some).map_err(|_| incomplete(&format!("the header '{name}' is not ASCII")))
        }
        _ => Err(incomplete(&format!("the header '{name}' is given more than once"))),
    }
}

/// `YYYYMMDDTHHMMSSZ`
fn signing_time(text: &str) -> Option<SystemTime> {
    let shape = text.len() == 16
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let part = |from: usize, to: usize| &text[from..to];
    let extended = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        part(13, 15)
    );
    let seconds = Instant::parse_rfc3339(&extended).ok()?.epoch_seconds();
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Equality that takes as long wherever the texts differ. Their hashes are compared, so that
/// neither length nor content shows in the time.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (Sha256::digest(one.as_bytes()), Sha256::digest(other.as_bytes()));
    let difference = one.iter().zip(other.iter()).fold(0, |found, (a, b)| found | (a ^ b));
    std::hint::black_box(difference) == 0
}

fn invalid(message: &str) -> Answer {
    Answer::failure(403, "InvalidSignatureException", message)
}

fn incomplete(message: &str) -> Answer {
    Answer::failure(403, "IncompleteSignatureException", message)
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;
    use hyper::Request;

    use super::*;
    use crate::Secret;

    const BODY: &[u8] = b"{\"stateMachineArn\": \"a\"}";

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    /// How a request is signed.
    #[derive(Clone)]
    struct Signed {
        secret: &'static str,
        token: Option<&'static str>,
        region: &'static str,
        service: &'static str,
        age_seconds: i64,
        uri: &'static str,
    }

    const GOOD: Signed = Signed {
        secret: "hunter2",
        token: None,
        region: "us-east-1",
        service: "states",
        age_seconds: 0,
        uri: "/",
    };

    fn signed(how: &Signed) -> Parts {
        let headers = [
            ("host", "127.0.0.1:8083"),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", "AWSStepFunctions.StartExecution"),
            ("x-spaces", "  a   b  "),
        ];
        let identity =
            Credentials::new("AKIDEXAMPLE", how.secret, how.token.map(str::to_owned), None, "test").into();
        let age = Duration::from_secs(how.age_seconds.unsigned_abs());
        let time = if how.age_seconds < 0 { now() + age } else { now() - age };
        let params = SigningParams::builder()
            .identity(&identity)
            .region(how.region)
            .name(how.service)
            .time(time)
            .settings(SigningSettings::default())
            .build()
            .expect("everything is given");
        let uri = format!("http://127.0.0.1:8083{}", how.uri);
        let request = SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(BODY));
        let (instructions, _) =
            sign(request.expect("it can be signed"), &params.into()).expect("it is signed").into_parts();
        let mut request = headers
            .iter()
            .fold(Request::post(how.uri), |request, (name, value)| request.header(*name, *value))
            .body(())
            .expect("it is a request");
        instructions.apply_to_request_http1x(&mut request);
        request.into_parts().0
    }

    fn verifier(token: Option<&str>) -> Verifier {
        let credential = Credential {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: Secret::new("hunter2"),
            session_token: token.map(Secret::new),
        };
        Verifier { credential, region: "us-east-1".to_owned(), service: "states" }
    }

    fn verify(verifier: &Verifier, parts: &Parts, body: &[u8]) -> Result<(), Answer> {
        verifier.verify(&Claim::read(&parts.headers)?, parts, body, now())
    }

    fn check(parts: &Parts, body: &[u8], expected: Option<(&str, &str)>) {
        let found = verify(&verifier(None), parts, body);
        match (found, expected) {
            (Ok(()), None) => {}
            (Err(answer), Some((error, words))) => {
                assert_eq!((answer.status, answer.error.as_deref()), (403, Some(error)), "{}", answer.body);
                assert!(answer.body.contains(words), "{}", answer.body);
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    const MISMATCH: Option<(&str, &str)> =
        Some(("InvalidSignatureException", "does not match the signature you provided"));

    #[test]
    fn signatures_are_those_of_the_sdk() {
        check(&signed(&GOOD), BODY, None);
        check(&signed(&Signed { uri: "/?b=2&a=1", ..GOOD }), BODY, None);
        check(&signed(&Signed { uri: "/a%20b/", ..GOOD }), BODY, None);
        check(&signed(&Signed { secret: "other", ..GOOD }), BODY, MISMATCH);
        check(&signed(&GOOD), b"{}", MISMATCH);
    }

    #[test]
    fn what_was_signed_cannot_be_changed() {
        let changed = |name: &'static str, value: &'static str| {
            let mut parts = signed(&GOOD);
            parts.headers.insert(name, value.parse().expect("it is a value"));
            parts
        };
        check(&changed("x-amz-target", "AWSStepFunctions.DeleteStateMachine"), BODY, MISMATCH);
        check(&changed("host", "example.com"), BODY, MISMATCH);
        check(&changed("x-amz-date", "20231114T221321Z"), BODY, MISMATCH);
        check(&changed("x-other", "not signed, and does not matter"), BODY, None);
        let mut twice = signed(&GOOD);
        twice.headers.append("x-amz-target", "AWSStepFunctions.DeleteStateMachine".parse().expect("a value"));
        check(&twice, BODY, MISMATCH);
        let mut gone = signed(&GOOD);
        gone.headers.remove("x-spaces");
        check(&gone, BODY, Some(("InvalidSignatureException", "no such header")));
    }

    #[test]
    fn clocks_may_differ_by_five_minutes() {
        let at = |age_seconds| signed(&Signed { age_seconds, ..GOOD });
        check(&at(299), BODY, None);
        check(&at(-299), BODY, None);
        let expired = "Signature expired: 20231114T220819Z is now earlier than 20231114T220820Z (20231114T221320Z - 5 min.)";
        check(&at(301), BODY, Some(("InvalidSignatureException", expired)));
        check(&at(-301), BODY, Some(("InvalidSignatureException", "Signature not yet current")));
    }

    #[test]
    fn the_scope_is_that_of_the_server() {
        let region = signed(&Signed { region: "eu-west-1", ..GOOD });
        check(&region, BODY, Some(("InvalidSignatureException", "scoped to a valid region")));
        let service = signed(&Signed { service: "lambda", ..GOOD });
        check(&service, BODY, Some(("InvalidSignatureException", "correct service: 'states'")));
    }

    #[test]
    fn session_tokens_are_the_configured_one() {
        let with = signed(&Signed { token: Some("t"), ..GOOD });
        assert_eq!(verify(&verifier(Some("t")), &with, BODY), Ok(()));
        for (verifier, parts) in
            [(verifier(None), &with), (verifier(Some("u")), &with), (verifier(Some("t")), &signed(&GOOD))]
        {
            let answer = verify(&verifier, parts, BODY).expect_err("it is refused");
            assert_eq!(answer.error.as_deref(), Some("UnrecognizedClientException"));
        }
    }

    #[test]
    fn broken_headers_are_told() {
        let with = |authorization: &str| {
            let mut parts = signed(&GOOD);
            parts.headers.insert("authorization", authorization.parse().expect("it is a value"));
            parts
        };
        let scope = "20231114/us-east-1/states/aws4_request";
        let incomplete = "IncompleteSignatureException";
        check(&with("Basic YTpi"), BODY, Some((incomplete, "the algorithm AWS4-HMAC-SHA256")));
        check(
            &with("AWS4-HMAC-SHA256 Credential=x"),
            BODY,
            Some((incomplete, "requires 'SignedHeaders' parameter.")),
        );
        check(
            &with("AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0"),
            BODY,
            Some((incomplete, "exactly 5 slash-delimited elements")),
        );
        let headers = |names: &str| {
            with(&format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature=0"
            ))
        };
        let invalid = "InvalidSignatureException";
        check(&headers("x-amz-date"), BODY, Some((invalid, "'host' must be a 'SignedHeader'")));
        check(&headers("host"), BODY, Some((invalid, "'x-amz-date' must be a 'SignedHeader'")));
        check(&headers("host;x-amz-date"), BODY, Some((invalid, "'x-amz-target' must be a 'SignedHeader'")));
        check(&headers("host;x-amz-date;x-amz-target"), BODY, MISMATCH);
        let other = format!(
            "AWS4-HMAC-SHA256 Credential=OTHER/{scope}, SignedHeaders=host;x-amz-date;x-amz-target, Signature=0"
        );
        check(
            &with(&other),
            BODY,
            Some(("UnrecognizedClientException", "security token included in the request is invalid")),
        );
        let mut undated = signed(&GOOD);
        undated.headers.remove("x-amz-date");
        check(&undated, BODY, Some((incomplete, "X-Amz-Date")));
        let mut odd = signed(&GOOD);
        odd.headers.insert(
            "x-amz-date",
            "é0231114T22132Z".parse().unwrap_or_else(|_| "x".parse().expect("a value")),
        );
        check(&odd, BODY, Some((incomplete, "")));
        let mut none = signed(&GOOD);
        none.headers.remove("authorization");
        check(&none, BODY, Some(("MissingAuthenticationTokenException", "Missing Authentication Token")));
    }
}
