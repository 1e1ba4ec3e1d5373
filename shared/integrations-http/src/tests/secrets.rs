//! Nothing that is secret is shown: not in results, failures, `Debug` or what libraries trace.

use std::io;
use std::sync::Mutex;

use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// What was traced.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<Vec<u8>>>);

impl io::Write for Traced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Traced {
    type Writer = Traced;

    fn make_writer(&self) -> Traced {
        self.clone()
    }
}

const TEXTS: [&str; 3] = [
    r#"
    [connections.Own]
    type = "BASIC"
    username = "planted-user"
    password = "planted-password"
    headers = { a = "planted-header" }
    query = { b = "planted-query" }
    body = { c = "planted-body" }
    "#,
    CONNECTION,
    r#"
    [connections.Own]
    type = "OAUTH_CLIENT_CREDENTIALS"
    authorization-endpoint = "LOGIN/planted-path"
    client-id = "planted-id"
    client-secret = "planted-client-secret"
    oauth-headers = { a = "planted-header" }
    oauth-query = { b = "planted-query" }
    oauth-body = { c = "planted-body" }
    "#,
];

#[tokio::test]
async fn nothing_that_is_secret_is_shown() {
    let traced = Traced::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(traced.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("begun");

    let mut shown = Vec::new();
    let login =
        Server::replying(vec![Reply::json(r#"{"access_token":"planted-token","expires_in":1}"#)]).await;
    let closed_login = Server::replying(vec![Reply::of("400 X", "", "planted")]).await;
    let secure = Server::over_tls(|_| Reply::json("1")).await;
    let replies = [
        Reply::json("{}"),
        Reply::of("401 Unauthorized", "", "no"),
        Reply::of("302 Found", "location: http://169.254.169.254/\r\n", ""),
        Reply::of("200 OK", "content-type: image/png\r\n", "x"),
        Reply::of("200 OK", "", &"1".repeat(300_000)),
        Reply::Bytes(Vec::new()),
        Reply::Bytes(b"nonsense\r\n\r\n".to_vec()),
    ];
    for text in TEXTS {
        for login in [&login, &closed_login] {
            let text = text.replace("LOGIN", &login.url);
            let http = http(&text);
            let connection = http.settings.connections.connection(ARN, &caller()).await.unwrap();
            shown.push(format!("{http:?} {connection:?}"));
            let mut urls = vec![secure.url.clone(), "https://169.254.169.254".to_owned()];
            for reply in &replies {
                urls.push(Server::replying(vec![reply.clone()]).await.url);
            }
            for url in urls {
                for body in ["{}", r#""text""#] {
                    let result = invoke(&http, "POST", &url, &format!(r#""RequestBody":{body}"#)).await;
                    shown.push(format!("{result:?}"));
                }
            }
        }
    }
    // Signatures and tokens of clusters.
    let api = Server::replying(replies.to_vec()).await;
    let hosts = Hosts::default().with_gateways(api.url.as_str());
    let emulated = Http::new(Settings { allow_local: true, hosts, connections: connections("") });
    for _ in &replies {
        let parameters =
            r#"{"ApiEndpoint":"a.execute-api.eu-west-1.amazonaws.com","Method":"GET","AuthType":"IAM_ROLE"}"#;
        shown.push(format!(
            "{:?}",
            perform(&emulated, "arn:aws:states:::apigateway:invoke", parameters).await
        ));
    }
    shown.push(String::from_utf8(traced.0.lock().unwrap().clone()).unwrap());
    assert!(shown.last().unwrap().contains("begun"));
    for shown in shown {
        let basic = "cGxhbnRlZC11c2VyOnBsYW50ZWQtcGFzc3dvcmQ";
        for secret in ["planted", basic, "k8s-aws-v1", "Signature="] {
            assert!(!shown.contains(secret), "{secret} is shown: {shown}");
        }
    }
}
