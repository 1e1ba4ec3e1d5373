//! `eks:call` and `eks:runJob`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// A cluster's members of the parameters.
fn cluster(server: &Server) -> String {
    let authority = STANDARD.encode(&server.authority);
    format!(r#""ClusterName":"c","CertificateAuthority":"{authority}","Endpoint":"{}/""#, server.url)
}

async fn call(server: &Server, more: &str) -> Result<Value, (String, String)> {
    perform(&http(""), "arn:aws:states:::eks:call", &format!("{{{},{more}}}", cluster(server))).await
}

#[tokio::test]
async fn a_call_and_its_result() {
    let server = Server::over_tls(|_| {
        Reply::of("200 OK", "Audit-Id: a\r\nContent-Type: application/json\r\n", r#"{"items":[]}"#)
    })
    .await;
    let more = r#""Method":"GET","Path":"/api/v1/namespaces/default/pods","QueryParameters":{"labelSelector":["job-name=j"]}"#;
    assert_eq!(
        call(&server, more).await.unwrap().to_json(),
        r#"{"Headers":{"Audit-Id":["a"],"Connection":["close"],"Content-Length":["12"],"Content-Type":["application/json"]},"ResponseBody":{"items":[]},"StatusCode":200,"StatusText":"OK"}"#
    );
    let request = server.request();
    assert!(
        request.starts_with("GET /api/v1/namespaces/default/pods?labelSelector=job-name%3Dj HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("authorization: Bearer k8s-aws-v1."), "{request}");
    call(&server, r#""Method":"PATCH","Path":"x","RequestBody":{"a":null}"#).await.unwrap();
    let request = server.received().pop().unwrap();
    assert!(request.contains("content-type: application/merge-patch+json\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"a\":null}"), "{request}");
    call(&server, r#""Method":"POST","Path":"x","RequestBody":"text""#).await.unwrap();
    assert!(server.received().pop().unwrap().ends_with("\r\n\r\ntext"));
}

#[tokio::test]
async fn only_the_given_authority_is_trusted() {
    let server = Server::over_tls(|_| Reply::json("1")).await;
    let other = Server::over_tls(|_| Reply::json("1")).await;
    let parameters =
        format!(r#"{{{},"Method":"GET","Path":"/"}}"#, cluster(&other)).replace(&other.url, &server.url);
    let (error, cause) = perform(&http(""), "arn:aws:states:::eks:call", &parameters).await.unwrap_err();
    assert_eq!(error, "EKS.SdkClientException");
    assert!(cause.contains("certificate"), "{cause}");
    assert_eq!(server.received().len(), 0);
}

#[tokio::test]
async fn failures() {
    let server = Server::over_tls(|_| Reply::of("404 Not Found", "", r#"{"kind":"Status"}"#)).await;
    let expected = ("EKS.404".to_owned(), r#"{"kind":"Status"}"#.to_owned());
    assert_eq!(call(&server, r#""Method":"GET","Path":"/x""#).await, Err(expected));
    let check = async |parameters: &str, why: &str| {
        let (error, cause) = perform(&http(""), "arn:aws:states:::eks:call", parameters).await.unwrap_err();
        assert_eq!((error.as_str(), cause.as_str()), ("Parameters", why), "{parameters}");
    };
    check("{}", "The field \"ClusterName\" is required but was missing").await;
    let with = |authority: &str, endpoint: &str| {
        format!(
            r#"{{"ClusterName":"c","CertificateAuthority":"{authority}","Endpoint":"{endpoint}","Method":"GET","Path":"/"}}"#
        )
    };
    let wrong =
        |why: &str| format!("The value for the field 'CertificateAuthority' must be a certificate: {why}");
    check(&with("?", "https://localhost"), &wrong("it is not in base64")).await;
    check(&with("QUJD", "https://localhost"), &wrong("there is no certificate in it")).await;
    check(&with("QUJD", "http://example.com"), "Endpoint must be a URL that begins with https://").await;
    check(&with("QUJD", "https://a b"), "The value for the field 'Endpoint' must be a URL").await;
    check(&with("QUJD", "https://u:p@example.com"), "Endpoint must not name a user").await;
}

/// The cluster of a job that is `status` when it is asked for.
async fn cluster_of(status: &'static str) -> Server {
    Server::over_tls(move |request| {
        let first = request.lines().next().unwrap();
        match first.split(' ').nth(1).unwrap() {
            path if path.starts_with("/apis/batch/v1/namespaces/n%20s/jobs") => {
                Reply::json(&format!(r#"{{"kind":"Job","metadata":{{"name":"j/1"}},"status":{status}}}"#))
            }
            "/api/v1/namespaces/n%20s/pods?labelSelector=job-name%3Dj%2F1" => Reply::json(
                r#"{"items":[{"metadata":{"name":"p1"},"spec":{"containers":[{"name":"a"},{"name":"b"}]}},{"metadata":{"name":"p2"},"spec":{"containers":[{"name":"a"}]}},7]}"#,
            ),
            "/api/v1/namespaces/n%20s/pods/p1/log?tailLines=6&container=a" => Reply::of("200 OK", "", r#"{"n": 1.50}"#),
            "/api/v1/namespaces/n%20s/pods/p1/log?tailLines=6&container=b" => Reply::of("200 OK", "", "line\n"),
            "/api/v1/namespaces/n%20s/pods/p2/log?tailLines=6&container=a" => Reply::of("400 Bad Request", "", "waiting"),
            path => panic!("{path}"),
        }
    })
    .await
}

fn run(server: &Server, logs: &str) -> Value {
    value(&format!(
        r#"{{{},"Namespace":"n s","Job":{{"kind":"Job"}},"LogOptions":{{"LogParameters":{{"tailLines":["6"]}},{logs}}}}}"#,
        cluster(server)
    ))
}

#[tokio::test]
async fn jobs_are_started_watched_and_deleted() {
    for (status, expected) in [
        ("{}", "Running"),
        (
            r#"{"conditions":[{"type":"Complete","status":"False"},{"type":"Suspended","status":"True"}]}"#,
            "Running",
        ),
        (r#"{"conditions":[{"type":"Failed","status":"True"}]}"#, "Failed"),
        (r#"{"conditions":[{"type":"Complete","status":"True"}]}"#, "Complete"),
    ] {
        let server = cluster_of(status).await;
        let http = http("");
        let parameters = run(&server, r#""RetrieveLogs":false"#);
        let job = http.run_job(&parameters, &caller()).await.unwrap();
        assert_eq!(job.get("kind"), Some(&Value::from("Job")));
        let state = http.poll_job(&parameters, &job, &caller()).await.unwrap();
        assert!(format!("{state:?}").starts_with(expected), "{state:?}");
        http.cancel_job(&parameters, &job, &caller()).await.unwrap();
        let received = server.received();
        let first: Vec<&str> = received.iter().map(|request| request.lines().next().unwrap()).collect();
        assert_eq!(
            first,
            [
                "POST /apis/batch/v1/namespaces/n%20s/jobs HTTP/1.1",
                "GET /apis/batch/v1/namespaces/n%20s/jobs/j%2F1 HTTP/1.1",
                "DELETE /apis/batch/v1/namespaces/n%20s/jobs/j%2F1?propagationPolicy=Background HTTP/1.1",
            ]
        );
        assert!(received[0].ends_with("\r\n\r\n{\"kind\":\"Job\"}"));
    }
}

#[tokio::test]
async fn logs() {
    let server = cluster_of(r#"{"conditions":[{"type":"Complete","status":"True"}]}"#).await;
    for (raw, first) in [("false", r#"{"n":1.5}"#), ("true", r#""{\"n\": 1.50}""#)] {
        let parameters = run(&server, &format!(r#""RetrieveLogs":true,"RawLogs":{raw}"#));
        let started = value(r#"{"metadata":{"name":"j/1"}}"#);
        let state = http("").poll_job(&parameters, &started, &caller()).await.unwrap();
        let JobState::Complete(job) = state else { panic!("{state:?}") };
        let expected = format!(
            r#"{{"pods":{{"p1":{{"containers":{{"a":{{"log":{first}}},"b":{{"log":"line\n"}}}}}},"p2":{{"containers":{{"a":{{"error":"EKS.400","cause":"waiting"}}}}}}}}}}"#
        );
        assert_eq!(job.get("logs").unwrap().to_json(), expected);
    }
}

#[tokio::test]
async fn jobs_that_are_none() {
    let server = Server::over_tls(|_| Reply::json("[]")).await;
    let parameters = run(&server, r#""RetrieveLogs":true"#);
    let http = http("");
    for outcome in [
        http.run_job(&parameters, &caller()).await.map(|_| ()),
        http.poll_job(&parameters, &value("{}"), &caller()).await.map(|_| ()),
        http.poll_job(&parameters, &value(r#"{"metadata":{"name":"j"}}"#), &caller()).await.map(|_| ()),
        http.cancel_job(&parameters, &Value::Null, &caller()).await,
    ] {
        let TaskOutcome::Failed { failure, .. } = outcome.unwrap_err() else { panic!("it failed") };
        assert_eq!(failure.error.as_deref(), Some("EKS.SdkClientException"));
    }
    let check = async |members: &str, why: &str| {
        let parameters = format!(
            r#"{{"ClusterName":"c","CertificateAuthority":"QUJD","Endpoint":"https://localhost"{members}}}"#
        );
        let found = perform(&http, "arn:aws:states:::eks:runJob", &parameters).await;
        assert_eq!(found, Err(("Parameters".to_owned(), why.to_owned())));
    };
    check("", "The field \"Job\" is required but was missing").await;
    check(r#","Job":[]"#, "The value for the field 'Job' must be an object").await;
    check(r#","Job":{},"LogOptions":true"#, "The value for the field 'LogOptions' must be an object").await;
    check(
        r#","Job":{},"LogOptions":{"RetrieveLogs":"true"}"#,
        "The value for the field 'RetrieveLogs' must be a boolean",
    )
    .await;
}

#[test]
fn resources() {
    for (resource, expected) in [
        ("http:invoke", true),
        ("apigateway:invoke", true),
        ("apigateway:invoke.waitForTaskToken", true),
        ("eks:call", true),
        ("eks:runJob", true),
        ("eks:runJob.sync", true),
        ("eks:createCluster", false),
        ("lambda:invoke", false),
    ] {
        let resource = Resource::from_arn(&format!("arn:aws:states:::{resource}").into()).unwrap();
        assert_eq!(Http::performs(&resource), expected, "{resource:?}");
    }
    for (resource, method, expected) in [
        ("http:invoke", "GET", true),
        ("http:invoke", "POST", false),
        ("eks:call", "HEAD", true),
        ("apigateway:invoke", "DELETE", false),
        ("apigateway:invoke", "OPTIONS", true),
        ("lambda:invoke", "GET", false),
    ] {
        let parameters = value(&format!(r#"{{"Method":"{method}"}}"#));
        let call = call_of(&format!("arn:aws:states:::{resource}"), parameters);
        assert_eq!(Http::is_repeatable(&call), expected, "{resource} {method}");
    }
}
