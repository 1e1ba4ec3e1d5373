use integrations_http::ConnectionFile;

use super::*;
use crate::Web;

fn local(connections: &str) -> Web {
    let file = ConnectionFile::parse("connections.toml", connections, &|_| None).unwrap();
    Web { allow_local: true, connections: Some(Arc::new(file)) }
}

const ARN: &str = "arn:aws:events:us-east-1:123456789012:connection/Own/1";

#[tokio::test]
async fn a_request_has_its_connection() {
    let (url, received) = served(|_| answer(200, "Content-Type: application/json\r\n", r#"{"a":1}"#)).await;
    let web = local("[connections.Own]\ntype = \"API_KEY\"\nheader = \"x-key\"\nvalue = \"planted\"\n");
    let services = Services::new(Endpoints::default(), Rights::Own, somebody).with_web(web);
    let parameters =
        format!(r#"{{"ApiEndpoint":"{url}/x","Method":"GET","Authentication":{{"ConnectionArn":"{ARN}"}}}}"#);
    let called = call(integration("http:invoke"), &parameters);
    assert_eq!(services.callable("S", &called.resource), Ok(()));
    let answered = services.call(&called, &execution()).await;
    let Answer::Settled(TaskOutcome::Succeeded(output)) = answered else { panic!("{answered:?}") };
    assert_eq!(output.get("ResponseBody").map(Value::to_json).as_deref(), Some(r#"{"a":1}"#));
    assert!(!output.to_json().contains("planted"));
    let request = received.lock().unwrap().join("").to_lowercase();
    assert!(request.contains("x-key: planted\r\n"), "{request}");
    assert!(services.is_repeatable(&called), "a GET");
}

#[tokio::test]
async fn what_is_not_placed_is_not_called() {
    let services = Services::new(Endpoints::default(), Rights::Own, somebody);
    for (rest, advice) in [
        ("http:invoke", "--connections FILE"),
        ("apigateway:invoke", "--endpoint apigateway=aws"),
        ("eks:call", "--endpoint eks=aws"),
        ("eks:runJob.sync", "--endpoint eks=aws"),
    ] {
        let refusal = services.callable("S", &integration(rest)).unwrap_err().to_string();
        assert!(refusal.contains(advice), "{refusal}");
        let answered = services.call(&call(integration(rest), "{}"), &execution()).await;
        let Answer::Settled(TaskOutcome::Failed { failure, .. }) = answered else { panic!("{answered:?}") };
        assert_eq!(failure.error.as_deref(), Some("States.Runtime"));
    }
    let aws = Services::new(Endpoints::default().all(Place::Aws), Rights::Own, somebody);
    for rest in ["http:invoke", "apigateway:invoke.waitForTaskToken", "eks:call", "eks:runJob.sync"] {
        assert_eq!(aws.callable("S", &integration(rest)), Ok(()), "{rest}");
    }
}

#[tokio::test]
async fn an_api_is_called_where_the_emulator_has_it() {
    let (url, received) =
        served(|_| answer(200, "Content-Type: application/json\r\n", r#"{"ok":true}"#)).await;
    let endpoints = Endpoints::default().with("API Gateway", Place::Url(url));
    let services = Services::new(endpoints, Rights::Own, somebody);
    let parameters = r#"{"ApiEndpoint":"abc.execute-api.us-east-1.amazonaws.com","Method":"POST","Stage":"s","Path":"/p","RequestBody":{"b":2},"AuthType":"IAM_ROLE"}"#;
    let answered = services.call(&call(integration("apigateway:invoke"), parameters), &execution()).await;
    let Answer::Settled(TaskOutcome::Succeeded(output)) = answered else { panic!("{answered:?}") };
    assert_eq!(output.get("StatusCode").and_then(Value::as_i64), Some(200));
    let request = received.lock().unwrap().join("");
    assert!(request.starts_with("POST /s/p HTTP/1.1\r\n"), "{request}");
    let request = request.to_lowercase();
    for part in ["host: abc.execute-api.us-east-1.amazonaws.com\r\n", "/us-east-1/execute-api/aws4_request"] {
        assert!(request.contains(part), "{part} is not in {request}");
    }
}
