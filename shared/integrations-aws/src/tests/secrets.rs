//! Secrets are planted, and looked for in everything that anybody can see.

use std::fmt::{Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::span;

use super::*;
use crate::Roles;

/// What is planted: of one's own credentials, and of those of roles.
const SECRETS: [&str; 4] =
    ["planted-own-secret", "planted/own+token=", "planted-role-secret", "planted/role+token="];

/// Everything that is traced, at any level.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<String>>);

impl Traced {
    fn fields(&self, name: &str, record: impl FnOnce(&mut dyn Visit)) {
        let mut line = Line(name.to_owned());
        record(&mut line);
        let mut all = self.0.lock().unwrap();
        all.push_str(&line.0);
        all.push('\n');
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl tracing::Subscriber for Traced {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.fields(span.metadata().name(), |line| span.record(line));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        self.fields("", |line| values.record(line));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.fields(event.metadata().target(), |line| event.record(line));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// A service that does as the table's name says; one that finds a signature wrong says what it has seen.
fn account(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let repeated = |head: &str| head.replace(['"', '\r', '\n'], " ");
    match () {
        () if body.contains("role%2Fclosed") => {
            let seen = repeated(head);
            let message = format!("the canonical string should have been '{seen}'");
            let error =
                format!("<Error><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error>");
            answer(403, "", &format!("<ErrorResponse>{error}</ErrorResponse>"))
        }
        () if body.contains("role%2Fbroken") => {
            answer(200, "", "<a><SecretAccessKey>planted-role-secret</SecretAccessKey><b></a>")
        }
        () if body.contains("role%2Fundated") => answer(
            200,
            "",
            "<a><AssumeRoleResult><Credentials><AccessKeyId>K</AccessKeyId><SecretAccessKey>planted-role-secret</SecretAccessKey><SessionToken>planted/role+token=</SessionToken><Expiration>soon</Expiration></Credentials></AssumeRoleResult></a>",
        ),
        () if body.contains("Action=AssumeRole") => answer(
            200,
            "",
            "<a><AssumeRoleResult><Credentials><AccessKeyId>K</AccessKeyId><SecretAccessKey>planted-role-secret</SecretAccessKey><SessionToken>planted/role+token=</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></a>",
        ),
        () if body.contains("refused") => {
            let body =
                format!(r#"{{"__type":"InvalidSignatureException","message":"seen: {}"}}"#, repeated(head));
            answer(403, "", &body)
        }
        () if body.contains("cut") => "HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{".to_owned(),
        () if body.contains("broken") => answer(200, "", "<html>"),
        () if body.contains("closed") => String::new(),
        () => answer(200, "", r#"{"Item":{"id":{"S":"1"}}}"#),
    }
}

#[tokio::test]
async fn no_secret_is_told() {
    let traced = Traced::default();
    let _guard = tracing::subscriber::set_default(traced.clone());
    tracing::trace!(canary = 7, "this is seen");
    let (url, received) = served(account).await;
    let own = Credentials::new("AKID", SECRETS[0], Some(SECRETS[1].to_owned()), None, "test");
    let identity = Identity::new(SharedCredentialsProvider::new(own));
    let caller = Caller { identity: Arc::new(identity), region: "us-east-1".to_owned() };
    let roles = Roles { external_id: "x".into(), allowed: vec!["*".into()] };
    let endpoints = Endpoints::default().all(Place::Url(url));
    let mut seen = format!("{caller:?} {endpoints:?} {roles:?}\n");
    for rights in [Rights::Own, Rights::StateMachines(roles)] {
        let caller = caller.clone();
        let find = move || -> Finding { Box::pin(std::future::ready(caller.clone())) };
        let services = Services::new(endpoints.clone(), rights.clone(), find);
        for table in ["good", "refused", "cut", "broken", "closed"] {
            for (rest, role) in [
                ("aws-sdk:dynamodb:getItem", "open"),
                ("dynamodb:getItem", "open"),
                ("aws-sdk:dynamodb:getItem", "closed"),
                ("aws-sdk:dynamodb:getItem", "broken"),
                ("aws-sdk:dynamodb:getItem", "undated"),
            ] {
                let parameters = format!(r#"{{"TableName":"{table}","Key":{{"id":{{"S":"1"}}}}}}"#);
                let call = Call {
                    role_arn: Some(format!("arn:aws:iam::123456789012:role/{role}").into()),
                    ..call(integration(rest), &parameters)
                };
                let execution =
                    Execution { role_arn: "arn:aws:iam::123456789012:role/m".into(), ..execution() };
                writeln!(seen, "{:?}", services.call(&call, &execution).await).unwrap();
            }
        }
    }
    let sent = received.lock().unwrap().join("\n");
    for shown in [SECRETS[1], SECRETS[3], "Signature="] {
        assert!(sent.contains(shown), "{shown} was sent, so that it could be told");
    }
    for part in [
        "InvalidSignatureException",
        "canonical string",
        "Unable to unmarshall",
        "Unable to execute",
        "\"1\"",
    ] {
        assert!(seen.contains(part), "{part} is not in {seen}");
    }
    let traced = traced.0.lock().unwrap();
    assert!(traced.contains("canary=7"), "what is traced is seen");
    let signatures = sent.split("Signature=").skip(1).map(|rest| rest.split(['\r', '\n']).next().unwrap());
    for secret in SECRETS.into_iter().chain(signatures) {
        for (what, text) in [("what is traced", &*traced), ("outcomes", &seen)] {
            let at = text.find(secret).map(|at| &text[at.saturating_sub(200)..at]);
            assert_eq!(at, None, "{secret} is in {what}");
        }
    }
}

/// A source of credentials that traces what it is told, as libraries do.
#[derive(Debug)]
struct Talkative;

impl aws_credential_types::provider::ProvideCredentials for Talkative {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        aws_credential_types::provider::future::ProvideCredentials::new(async {
            tracing::info!("{}", SECRETS[0]);
            tokio::task::yield_now().await;
            tracing::trace!(token = SECRETS[1]);
            Ok(Credentials::new("AKID", SECRETS[0], Some(SECRETS[1].to_owned()), None, "test"))
        })
    }
}

#[tokio::test]
async fn sources_of_credentials_are_not_traced() {
    let traced = Traced::default();
    let _guard = tracing::subscriber::set_default(traced.clone());
    let identity = Identity::new(SharedCredentialsProvider::new(Talkative));
    identity.credentials(std::time::SystemTime::now()).await.unwrap();
    tracing::trace!("after it");
    let traced = traced.0.lock().unwrap();
    assert!(traced.contains("after it") && !traced.contains("planted"), "{traced}");
}
