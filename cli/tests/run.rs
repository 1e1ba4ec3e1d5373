//! `stepwright run` from outside: exit codes, what goes to which stream, errors before and after
//! the start, the history, Ctrl-C.

mod support;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Ran, command, stepwright, stepwright_with};

/// Runs a definition that is given as text.
fn run(definition: &Value, args: &[&str]) -> Ran {
    stepwright_with(["run", "-"].iter().chain(args), definition.to_string().as_bytes())
}

fn one_state(state: Value) -> Value {
    json!({"StartAt": "Only", "States": {"Only": state}})
}

fn pass(result: Value) -> Value {
    one_state(json!({"Type": "Pass", "Result": result, "End": true}))
}

#[test]
fn each_outcome_has_its_exit_code() {
    let check = |definition: &Value, args: &[&str], code: i32, word: &str| {
        let ran = run(definition, args);
        assert_eq!(ran.code, Some(code), "{definition}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{definition}: {}", ran.stderr);
        assert_eq!(ran.stdout.is_empty(), code != 0, "only a success has an output: {}", ran.stdout);
    };
    let wait = |seconds: u32| one_state(json!({"Type": "Wait", "Seconds": seconds, "End": true}));
    let mut limited = wait(600);
    limited["TimeoutSeconds"] = json!(5);
    check(&pass(json!(1)), &[], 0, "SUCCEEDED in");
    check(&one_state(json!({"Type": "Fail", "Error": "Mine", "Cause": "so"})), &[], 1, "FAILED in");
    check(&pass(json!(1)), &["--input", "{"], 2, "the input is not JSON");
    check(&json!({}), &[], 3, "error[");
    check(&limited, &["--fast-forward"], 4, "TIMED_OUT in 5.0 s");
    check(&wait(600), &["--time-limit", "1"], 5, "ABORTED in");
}

#[test]
fn the_output_alone_goes_to_standard_output() {
    for quiet in [&[][..], &["--quiet"]] {
        let ran = run(&pass(json!({"a": [1, 2]})), quiet);
        assert_eq!(ran.stdout, "{\n  \"a\": [1, 2]\n}\n");
        assert_eq!(ran.stderr.is_empty(), !quiet.is_empty(), "{}", ran.stderr);
    }
}

#[test]
fn without_a_terminal_each_state_has_a_line() {
    let folder = "examples/map-over-items";
    let ran = stepwright([
        "run",
        &format!("{folder}/machine.asl.json"),
        "--input",
        &format!("@{folder}/input.json"),
        "--mock",
        &format!("{folder}/mocks.json"),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stderr.lines().map(|line| line.split("  (").next().unwrap_or(line)).collect();
    let expected = [
        "succeeded      MakeThumbnails[0] > Resize",
        "succeeded      MakeThumbnails[0]",
        "succeeded      MakeThumbnails[1] > Resize",
        "succeeded      MakeThumbnails[1]",
        "attempt failed MakeThumbnails[2] > Resize",
        "caught         MakeThumbnails[2] > Resize",
        "succeeded      MakeThumbnails[2] > Skip",
        "succeeded      MakeThumbnails[2]",
        "succeeded      MakeThumbnails[3] > Resize",
        "succeeded      MakeThumbnails[3]",
        "succeeded      MakeThumbnails",
        "succeeded      Summarize",
    ];
    assert_eq!(&lines[..expected.len()], expected, "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn a_failure_names_the_state_and_shows_it() {
    let ran = stepwright([
        "run",
        "cli/tests/cases/nested-failure.asl.json",
        "--mock",
        "cli/tests/cases/nested-failure.mocks.json",
        "--input",
        "{\"seats\": [\"12A\"]}",
        "--quiet",
        "--fast-forward",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    insta::assert_snapshot!("nested_failure", ran.stderr);
}

#[test]
fn json_describes_the_execution_however_it_ended() {
    let args =
        ["--format", "json", "--name", "e1", "--state-machine", "m", "--account", "111111111111", "--quiet"];
    let ran = run(&one_state(json!({"Type": "Fail", "Error": "Mine", "Cause": "so"})), &args);
    let mut described: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    for date in ["startDate", "stopDate"] {
        assert!(described[date].take().is_number(), "{date}");
    }
    let expected = json!({
        "executionArn": "arn:aws:states:us-east-1:111111111111:execution:m:e1",
        "stateMachineArn": "arn:aws:states:us-east-1:111111111111:stateMachine:m",
        "name": "e1", "status": "FAILED", "startDate": null, "stopDate": null, "input": {},
        "error": "Mine", "cause": "so", "failedState": "Only",
    });
    assert_eq!((ran.code, described), (Some(1), expected));
}

#[test]
fn inputs_come_from_text_files_and_standard_input() {
    let definition = "cli/tests/cases/identity.asl.json";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("in.json");
    std::fs::write(&file, "[3]").expect("it can be written");
    let at_file = format!("@{}", file.display());
    for (input, stdin, expected) in
        [("1", "", "1\n"), ("-2.50", "", "-2.5\n"), (&at_file, "", "[3]\n"), ("-", "4", "4\n")]
    {
        let ran = stepwright_with(["run", definition, "--quiet", "--input", input], stdin.as_bytes());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), expected), "{input}: {}", ran.stderr);
    }
    assert_eq!(stepwright(["run", definition, "--quiet"]).stdout, "{}\n", "no input is an empty object");
}

#[test]
fn what_cannot_be_used_is_said_before_the_start() {
    let definition = "cli/tests/cases/identity.asl.json";
    let large = format!("\"{}\"", "x".repeat(262_143));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let large_file = folder.path().join("large.json");
    std::fs::write(&large_file, large).expect("it can be written");
    let large_file = format!("@{}", large_file.display());
    let check = |args: &[&str], expected: &str| {
        let ran = stepwright(["run"].iter().chain(args));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
    };
    check(&["nowhere.json"], "cannot read `nowhere.json`: there is no such file");
    check(&[definition, "--input", "{\"a\": tru}"], "--input:1:10: error: the input is not JSON");
    check(&[definition, "--input", definition], "write `--input @cli/tests/cases/identity.asl.json`");
    check(&[definition, "--input", &large_file], "the input has 262145 bytes, more than 262144");
    check(&["-", "--input", "-"], "cannot both come from standard input");
    check(&[definition, "--name", "a b"], "the name of the execution has");
    check(&[definition, "--state-machine", ""], "the name of the state machine is empty");
    check(&[definition, "--account", "12"], "an account is 12 digits");
    check(&[definition, "--time-limit", "0"], "--time-limit");
    check(&[definition, "--history", "nowhere/h.json"], "cannot write the history to `nowhere/h.json`");
    check(&[definition, "--lambda-endpoint", "localhost:3001"], "begins with http:// or https://, nor `aws`");
    check(&[definition, "--endpoint", "localhost:3001"], "begins with http:// or https://, nor `aws`");
    check(&[definition, "--endpoint", "dynamo=aws"], "did you mean `dynamodb`?");
    check(&[definition, "--connections", "nowhere.toml"], "cannot read `nowhere.toml`");
    check(&[definition, "--connections", "cli/tests/cases/connections.toml"], "connections.toml:4:");
    check(&["cli/tests/cases/services.asl.json"], "say where sqs is: --endpoint sqs=URL");
    check(&[definition, "--mock", "nowhere.json"], "cannot read `nowhere.json`");
    check(&[definition, "--mock", "examples/map-over-items/mocks.json#Nope"], "test case `Nope`");
    check(&[definition, "--mock", "examples/map-over-items/mocks.json"], "Resize");
    check(&[definition, "--mock", "examples/approval-callback/mocks.json"], "say which one");
    check(&[definition, "--mock", definition], "StateMachines");
}

#[test]
fn tasks_that_nothing_can_perform_stop_the_run_before_it_starts() {
    let definition = json!({"StartAt": "First", "States": {
        "First": {"Type": "Pass", "Next": "Store"},
        "Store": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {"TableName": "t", "Item": {"id": {"S": "1"}}}, "Next": "Tell"},
        "Tell": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": {"TopicArn": "t", "Message": "m"}, "End": true},
    }});
    let ran = run(&definition, &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    for expected in [
        "state `Store` cannot call `arn:aws:states:::dynamodb:putItem`",
        "state `Tell` cannot call `arn:aws:states:::sns:publish`",
        "  = help: ",
        "--mock",
    ] {
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("succeeded"), "nothing ran: {}", ran.stderr);
}

#[test]
fn an_invalid_definition_shows_all_that_is_wrong() {
    let ran = stepwright(["run", "cli/tests/cases/broken.asl.json"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.matches("error[").count() > 1, "{}", ran.stderr);
}

#[test]
fn the_history_is_that_of_get_execution_history() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("history.json");
    let path = file.to_str().expect("temporary paths are UTF-8");
    let ran =
        run(&one_state(json!({"Type": "Fail", "Error": "Mine"})), &["--history", path, "--input", "[1]"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let history: Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("it was written")).expect("it is JSON");
    let mut events = history["events"].as_array().expect("events are an array").clone();
    for event in &mut events {
        assert!(event["timestamp"].take().is_number());
    }
    let included = json!({"truncated": false});
    assert_eq!(
        Value::Array(events),
        json!([
            {"timestamp": null, "id": 1, "previousEventId": 0, "type": "ExecutionStarted", "executionStartedEventDetails":
                {"input": "[1]", "inputDetails": included, "roleArn": "arn:aws:iam::123456789012:role/stepwright"}},
            {"timestamp": null, "id": 2, "previousEventId": 0, "type": "FailStateEntered",
                "stateEnteredEventDetails": {"name": "Only", "input": "[1]", "inputDetails": included}},
            {"timestamp": null, "id": 3, "previousEventId": 2, "type": "ExecutionFailed",
                "executionFailedEventDetails": {"error": "Mine"}},
        ])
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let definition = one_state(json!({"Type": "Pass", "Parameters": {
        "id.$": "States.UUID()", "name.$": "$$.Execution.Name", "n.$": "States.MathRandom(0, 1000000)",
    }, "End": true}));
    let output = |args: &[&str]| run(&definition, args).stdout;
    assert_eq!(output(&["--seed", "7"]), output(&["--seed", "7"]));
    assert_ne!(output(&["--seed", "7"]), output(&["--seed", "8"]));
    assert_ne!(output(&[]), output(&[]));
}

#[test]
fn the_context_object_shows_the_names_that_were_given() {
    let definition = one_state(json!({"Type": "Pass", "Parameters": {
        "execution.$": "$$.Execution.Id", "role.$": "$$.Execution.RoleArn", "machine.$": "$$.StateMachine.Name",
    }, "End": true}));
    let args = ["--name", "n", "--state-machine", "m", "--region", "eu-west-3", "--account", "000000000001"];
    let ran = run(&definition, &[&args[..], &["--role-arn", "arn:aws:iam::000000000001:role/r"]].concat());
    let output: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.stderr));
    assert_eq!(
        output,
        json!({
            "execution": "arn:aws:states:eu-west-3:000000000001:execution:m:n",
            "role": "arn:aws:iam::000000000001:role/r",
            "machine": "m",
        })
    );
    let ran = run(&definition, &[&args[..], &["--express"]].concat());
    assert!(ran.stdout.contains("arn:aws:states:eu-west-3:000000000001:express:m:n:"), "{}", ran.stdout);
}

#[test]
fn an_endless_loop_can_be_stopped() {
    let definition = json!({"StartAt": "Loop", "States": {"Loop": {"Type": "Pass", "Next": "Again"},
        "Again": {"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": true, "Next": "Done"}],
            "Default": "Loop"},
        "Done": {"Type": "Succeed"}}});
    let ran = run(&definition, &["--express", "--time-limit", "1", "--quiet"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(5), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("--time-limit of 1 s"), "{}", ran.stderr);
}

#[test]
#[cfg(unix)]
fn ctrl_c_aborts_the_execution() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let definition = folder.path().join("wait.json");
    let history = folder.path().join("history.json");
    let states = json!({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Long"},
        "Long": {"Type": "Wait", "Seconds": 600, "End": true}}});
    std::fs::write(&definition, states.to_string()).expect("it can be written");
    let args = [Path::new("run"), &definition, Path::new("--history"), &history];
    let mut child =
        command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    // The line of the first state shows that the execution has begun and signals are handled.
    let mut stderr = child.stderr.take().expect("standard error is a pipe");
    let mut seen = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !seen.contains(&b'\n') {
        let mut byte = [0];
        assert!(Instant::now() < deadline && stderr.read(&mut byte).expect("it can be read") == 1);
        seen.push(byte[0]);
    }
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(signalled.success());
    let output = child.wait_with_output().expect("the binary ends");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("it is UTF-8");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0), "{rest}");
    assert!(rest.contains("interrupted by Ctrl-C") && rest.contains("while `Long` was running"), "{rest}");
    let history = std::fs::read_to_string(&history).expect("it was written");
    assert!(history.contains("\"ExecutionAborted\""), "{history}");
}
