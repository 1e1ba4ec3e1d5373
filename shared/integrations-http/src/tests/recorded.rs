//! The recorded executions of `apigateway:invoke`: what was answered then is answered again.

use std::fs;
use std::path::Path;

use super::*;

#[tokio::test]
async fn recorded_results() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/execution/services");
    let Ok(entries) = fs::read_dir(folder) else {
        eprintln!("skipped: there is no ../shared/conformance beside the repository");
        return;
    };
    let mut count = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // As the corpus spells it.
        if name.starts_with("apigetway_task_service.") {
            let case = value(&fs::read_to_string(&path).unwrap());
            for task in case.get("tasks").and_then(Value::as_array).unwrap().iter() {
                check(&name, task).await;
                count += 1;
            }
        }
    }
    assert_eq!(count, 8);
}

async fn check(name: &str, task: &Value) {
    let result = task.get("results").and_then(|results| results.as_array()?.first()).unwrap();
    let (reply, expected) = match result.get("output") {
        Some(output) => answered(output),
        None => {
            let text = |name: &str| result.get(name).unwrap().as_str().unwrap().to_owned();
            let status = text("error").strip_prefix("ApiGateway.").unwrap().to_owned();
            let reply = Reply::of(&format!("{status} Forbidden"), "", &text("cause"));
            (reply, Err((text("error"), text("cause"))))
        }
    };
    let server = Server::replying(vec![reply]).await;
    let parameters = task.get("parameters").unwrap();
    let hosts = Hosts::default().with_gateways(server.url.as_str());
    let http = Http::new(Settings { allow_local: false, hosts, connections: connections("") });
    let found = perform(&http, "arn:aws:states:::apigateway:invoke", &parameters.to_json()).await;
    assert_eq!(found.map(|output| output.to_json()), expected, "{name}");

    let text = |name: &str| parameters.get(name).unwrap().as_str().unwrap().to_owned();
    let request = server.request();
    let first = format!("{} /{}/{} HTTP/1.1\r\n", text("Method"), text("Stage"), text("Path"));
    assert!(request.starts_with(&first), "{name}: {request}");
    assert!(request.contains(&format!("host: {}\r\n", text("ApiEndpoint"))), "{name}: {request}");
    let body = parameters.get("RequestBody").filter(|body| !body.is_null()).map(Value::to_json);
    assert!(request.ends_with(&format!("\r\n\r\n{}", body.unwrap_or_default())), "{name}: {request}");
}

/// An answer that has this output, and the text of the output. Where the recording has a placeholder for
/// a header's values, its name is the value.
fn answered(output: &Value) -> (Reply, Result<String, (String, String)>) {
    let mut headers = String::new();
    let mut recorded =
        output.as_object().unwrap().iter().map(|(n, v)| (n.clone(), v.clone())).collect::<Vec<_>>();
    let mut length = 0;
    for (name, value) in &mut recorded {
        if name == "Headers" {
            let filled = value.as_object().unwrap().iter().map(|(name, values)| {
                let values =
                    if values.as_array().is_some() { values.clone() } else { vec![values.clone()].into() };
                for value in values.as_array().unwrap().iter() {
                    let value = value.as_str().unwrap();
                    headers.push_str(&format!("{name}: {value}\r\n"));
                    if name == "Content-Length" {
                        length = value.parse().unwrap();
                    }
                }
                (name.clone(), values)
            });
            *value = filled.collect();
        }
    }
    // It was written with spaces that are not in the recording.
    let body = output.get("ResponseBody").unwrap().to_json();
    let bytes = format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body:length$}").into_bytes();
    (Reply::Bytes(bytes), Ok(recorded.into_iter().collect::<Value>().to_json()))
}
