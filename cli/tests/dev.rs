//! `stepwright dev` from outside: its start, its requests, its end.

#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{command, stepwright};

const PASS: &str = r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}"#;

/// A server that was started, and what it said up to the empty line at the end.
struct Server {
    child: Child,
    address: String,
    said: String,
}

impl Server {
    fn start(folder: &Path, args: &[&str]) -> Server {
        let mut command = command(["dev", "--port", "0"].iter().chain(args));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STEPWRIGHT_")) {
            command.env_remove(name);
        }
        let mut child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        // The opening ends where the last blank line is: after the call to paste, or the advice.
        while !said.ends_with("\n\n")
            || !(said.contains("aws stepfunctions") || said.contains("No definitions"))
        {
            if out.read_line(&mut said).expect("it can be read") == 0 {
                let mut errors = String::new();
                let _ = child.stderr.take().expect("a pipe").read_to_string(&mut errors);
                panic!("it ended: {said}{errors}");
            }
        }
        // Later lines must find a reader.
        std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
        let address = said
            .lines()
            .find_map(|line| line.trim().strip_prefix("address"))
            .and_then(|url| url.trim().strip_prefix("http://"))
            .expect("it says where it is")
            .to_owned();
        Server { child, address, said }
    }

    fn call(&self, operation: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-Amz-Target: AWSStepFunctions.{operation}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer.split("\r\n\r\n").nth(1).expect("a body");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{answer}: {error}")))
    }

    /// The answer once `is_done` likes it.
    fn until(&self, operation: &str, body: &Value, is_done: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let (_, answer) = self.call(operation, body);
            if is_done(&answer) {
                return answer;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{operation}: {answer}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn arn(&self) -> String {
        let line = self.said.lines().find(|line| line.contains(":stateMachine:")).expect("it has a machine");
        line.split_whitespace().last().expect("the ARN is last").to_owned()
    }

    /// Asks it to end; the exit code, and standard error.
    fn stop(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        let killed = std::process::Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(killed.success());
        let status = self.child.wait().expect("it ends");
        let mut errors = String::new();
        let _ = self.child.stderr.take().expect("a pipe").read_to_string(&mut errors);
        (status.code(), errors)
    }
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("it is written");
    }
    folder
}

#[test]
fn it_serves_what_it_finds_and_ends_when_asked() {
    let folder = folder(&[("hello.asl.json", PASS), ("broken.asl.json", "{}")]);
    let server = Server::start(folder.path(), &["--in-memory"]);
    assert!(
        server.said.contains("created   arn:aws:states:us-east-1:123456789012:stateMachine:hello"),
        "{}",
        server.said
    );
    assert!(server.said.contains("refused   broken"), "{}", server.said);
    assert!(server.said.contains("AWS_ACCESS_KEY_ID=local"), "{}", server.said);

    let (status, started) =
        server.call("StartExecution", &json!({"stateMachineArn": server.arn(), "input": "{\"a\":1}"}));
    assert_eq!(status, 200, "{started}");
    let ended =
        server.until("DescribeExecution", &json!({"executionArn": started["executionArn"]}), |answer| {
            answer["status"] != json!("RUNNING")
        });
    assert_eq!((&ended["status"], &ended["output"]), (&json!("SUCCEEDED"), &json!("{\"a\":1}")));

    let (code, errors) = server.stop();
    assert_eq!(code, Some(0), "{errors}");
    assert!(errors.contains("broken.asl.json:1:1: error["), "{errors}");
}

#[test]
fn executions_outlive_the_server() {
    let wait = r#"{"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 1, "End": true}}}"#;
    let folder = folder(&[("wait.asl.json", wait)]);
    let server = Server::start(folder.path(), &[]);
    assert!(server.said.contains("created"), "{}", server.said);
    let (_, started) = server.call("StartExecution", &json!({"stateMachineArn": server.arn()}));
    assert_eq!(server.stop().0, Some(0));

    let server = Server::start(folder.path(), &[]);
    assert!(server.said.contains("unchanged"), "{}", server.said);
    let ended =
        server.until("DescribeExecution", &json!({"executionArn": started["executionArn"]}), |answer| {
            answer["status"] != json!("RUNNING")
        });
    assert_eq!(ended["status"], json!("SUCCEEDED"), "{ended}");
    // The folder is another server's while it runs.
    let second = command(["dev", "--port", "0"]).current_dir(folder.path()).output().expect("it ends");
    let errors = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{errors}");
    assert!(errors.contains("in use"), "{errors}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn changed_files_are_loaded_again() {
    let folder = folder(&[("hello.asl.json", PASS)]);
    let server = Server::start(folder.path(), &["--in-memory", "."]);
    let arn = json!({"stateMachineArn": server.arn()});
    let changed = PASS.replace("Pass", "Succeed").replace(", \"End\": true", "");
    std::fs::write(folder.path().join("hello.asl.json"), &changed).expect("it is written");
    let described =
        server.until("DescribeStateMachine", &arn, |answer| answer["definition"] == json!(changed));
    assert_eq!(described["name"], json!("hello"));
    std::fs::write(folder.path().join("new.asl.json"), PASS).expect("it is written");
    server.until("ListStateMachines", &json!({}), |answer| {
        answer["stateMachines"].as_array().is_some_and(|machines| machines.len() == 2)
    });
    server.stop();
}

#[test]
fn mocks_follow_the_test_case() {
    let root = support::root().join("examples/map-over-items");
    let definition = std::fs::read_to_string(root.join("machine.asl.json")).expect("it is there");
    let folder = folder(&[("map-over-items.asl.json", &definition)]);
    let mocks: Value =
        serde_json::from_str(&std::fs::read_to_string(root.join("mocks.json")).expect("it is there"))
            .expect("JSON");
    let (name, machine) = mocks["StateMachines"].as_object().and_then(|all| all.iter().next()).expect("one");
    let case = machine["TestCases"].as_object().and_then(|all| all.keys().next()).expect("one");
    let input = std::fs::read_to_string(root.join("input.json")).expect("it is there");
    let mock = root.join("mocks.json").display().to_string();
    let server = Server::start(folder.path(), &["--in-memory", "--time-scale", "100", "--mock", &mock]);
    let arn = server.arn();
    assert!(arn.ends_with(name.as_str()), "{arn} {name}");
    let (status, started) =
        server.call("StartExecution", &json!({"stateMachineArn": format!("{arn}#{case}"), "input": input}));
    assert_eq!(status, 200, "{started}");
    let ended =
        server.until("DescribeExecution", &json!({"executionArn": started["executionArn"]}), |answer| {
            answer["status"] != json!("RUNNING")
        });
    assert_eq!(ended["status"], json!("SUCCEEDED"), "{ended}");
    let (status, refused) = server.call("StartExecution", &json!({"stateMachineArn": format!("{arn}#Nope")}));
    assert_eq!((status, &refused["__type"]), (400, &json!("ValidationException")));
    server.stop();
}

#[test]
fn what_cannot_start_says_why() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has an address").port().to_string();
    let check = |args: &[&str], word: &str| {
        let ran = stepwright(["dev", "--in-memory"].iter().chain(args));
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word) && !ran.stderr.contains("hunter2"), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}");
    };
    check(&["--port", &port], "is in use");
    check(&["--host", "0.0.0.0"], "can be reached by others");
    check(&["--config", "none.toml"], "there is no such file");
    check(&["--secret-access-key", "hunter2"], "no access key id");
    check(&["--lambda-endpoint", "ftp://x", "--port", "0"], "is no URL");
    check(&["--mock", "Cargo.toml", "--port", "0"], "Cargo.toml:1:");
    let folder = folder(&[("stepwright.toml", "[dev]\nprot = 1\n")]);
    let file = folder.path().join("stepwright.toml").display().to_string();
    check(
        &["--config", &file],
        "stepwright.toml:2:1: error: `prot` is no key of [dev]; did you mean `port`?",
    );
}
