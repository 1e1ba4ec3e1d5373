use std::sync::Mutex;

use ports::{SystemClock, memory};

use super::*;

const CONFIG: &str = r#"{
  "StateMachines": {"orders": {"TestCases": {"Happy": {"Pay": "Paid"}, "Sad": {"Pay": "Broke"}}}},
  "MockedResponses": {
    "Paid": {"0": {"Return": {"paid": true}}},
    "Broke": {"0": {"Throw": {"Error": "Broke", "Cause": "no money"}}}
  }
}"#;

/// Keeps what it was called with.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

#[async_trait]
impl Api for Seen {
    async fn call(&self, operation: &str, body: &[u8]) -> Answer {
        let body = String::from_utf8_lossy(body).into_owned();
        self.0.lock().expect("nobody panicked").push(format!("{operation} {body}"));
        Answer { status: 200, body: "{}".to_owned(), error: None, request_id: String::new() }
    }
}

fn selections() -> (Arc<Selections>, Arc<dyn Table>) {
    let table: Arc<dyn Table> = Arc::new(memory::Table::new(Arc::new(SystemClock)));
    let config = Config::parse(CONFIG).expect("it is valid");
    (Arc::new(Selections::new(config, table.clone(), Seeds::From(7))), table)
}

async fn kept(table: &Arc<dyn Table>, execution: &str) -> Option<String> {
    let row = table.get(&Selections::key("orders", execution)).await.expect("it can be read");
    row.map(|row| String::from_utf8(row.body.to_vec()).expect("it is text"))
}

#[tokio::test]
async fn the_test_case_follows_the_arn() {
    let (selections, table) = selections();
    let seen = Arc::new(Seen::default());
    let api = SelectingApi { selections, api: seen.clone() };
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:orders";
    let start = |operation: &'static str, arn: String| {
        let body = format!("{{\"name\":\"e\",\"stateMachineArn\":\"{arn}\",\"input\":\"{{}}\"}}");
        let api = &api;
        async move { api.call(operation, body.as_bytes()).await }
    };
    for (operation, suffix) in [("StartExecution", "#Happy"), ("StartSyncExecution", ":3#Sad")] {
        assert_eq!(start(operation, format!("{arn}{suffix}")).await.status, 200);
        let (plain, test_case) = suffix.split_once('#').expect("it has a test case");
        let call = seen.0.lock().expect("nobody panicked").pop().expect("it was called");
        let body = format!("{{\"name\":\"e\",\"stateMachineArn\":\"{arn}{plain}\",\"input\":\"{{}}\"}}");
        assert_eq!(call, format!("{operation} {body}"));
        assert_eq!(kept(&table, "e").await.as_deref(), Some(test_case));
    }
    // Nothing is selected without a test case, and elsewhere.
    start("StartExecution", arn.to_owned()).await;
    start("DescribeStateMachine", format!("{arn}#Happy")).await;
    let calls = seen.0.lock().expect("nobody panicked").join("\n");
    assert!(
        calls.contains("orders\",") && calls.contains("DescribeStateMachine") && calls.contains("#Happy"),
        "{calls}"
    );
}

#[tokio::test]
async fn an_execution_without_a_name_gets_one() {
    let (selections, table) = selections();
    let body = br#"{"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:orders#Sad"}"#;
    let selected = selections.select(body).await.expect("it is known").expect("it has a test case");
    let selected = Value::parse(&String::from_utf8(selected).expect("it is text")).expect("it is JSON");
    let name = selected.get("name").and_then(Value::as_str).expect("it has a name");
    assert_eq!(kept(&table, name).await.as_deref(), Some("Sad"));
}

#[tokio::test]
async fn unknown_test_cases_are_refused() {
    let (selections, _) = selections();
    let check = async |arn: &str, word: Option<&str>| {
        let body = format!("{{\"stateMachineArn\": \"{arn}\"}}");
        match (selections.select(body.as_bytes()).await, word) {
            (Ok(None), None) => {}
            (Err(answer), Some(word)) => {
                assert_eq!((answer.status, answer.error.as_deref()), (400, Some("ValidationException")));
                assert!(answer.body.contains(word), "{}", answer.body);
            }
            (found, _) => panic!("{arn}: {found:?}"),
        }
    };
    let prefix = "arn:aws:states:us-east-1:123456789012:stateMachine";
    check(&format!("{prefix}:orders#Nope"), Some("test case `Nope` is not in")).await;
    check(&format!("{prefix}:other#Happy"), Some("state machine `other` is not in")).await;
    check(&format!("{prefix}:orders#{}", "x".repeat(1_000)), Some("at most 256 bytes")).await;
    check("nonsense#Happy", None).await;
    check(&format!("{prefix}:orders"), None).await;
    for body in [&b"{"[..], b"[]", b"\xff", b"{\"stateMachineArn\": 1}"] {
        assert_eq!(selections.select(body).await, Ok(None));
    }
}
