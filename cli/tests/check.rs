//! `stepwright check` from outside: forms of the report, exit codes, bad files.

mod support;

use serde_json::Value;
use support::{Ran, stepwright, stepwright_with};

const CLEAN: &str = "examples/map-over-items/machine.asl.json";
const BROKEN: &str = "cli/tests/cases/broken.asl.json";
const WARNS: &str = "cli/tests/cases/warns.asl.yaml";

fn report(args: &[&str]) -> Ran {
    stepwright(["check"].iter().chain(args))
}

#[test]
fn a_clean_definition_says_so() {
    let ran = report(&[CLEAN]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(0), "1 definition checked, nothing found\n"),
        "{}",
        ran.stderr
    );
}

#[test]
fn actions_that_no_service_has_are_found() {
    let ran = report(&["cli/tests/cases/no-action.asl.json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let found = "The resource provided arn:aws:states:::aws-sdk:sqs:sendMesage is not recognized.";
    assert!(ran.stdout.contains(found), "{}", ran.stdout);
    let ran = report(&["cli/tests/cases/services.asl.json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

#[test]
fn findings_stand_with_their_excerpt() {
    let ran = report(&[BROKEN, WARNS]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    insta::assert_snapshot!("text", ran.stdout);
}

#[test]
fn a_terminal_is_shown_boxes() {
    let ran = report(&["--color", "always", BROKEN]);
    assert!(ran.stdout.contains('╭') && ran.stdout.contains("\u{1b}["), "{}", ran.stdout);
}

#[test]
fn json_has_every_finding_with_its_place() {
    let ran = report(&["--format", "json", BROKEN, WARNS]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    insta::assert_snapshot!("json", ran.stdout);
}

#[test]
fn sarif_has_what_the_standard_requires() {
    let ran = report(&["--format", "sarif", BROKEN, WARNS]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    insta::assert_snapshot!("sarif", ran.stdout);

    let log: Value = serde_json::from_str(&ran.stdout).expect("SARIF is JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules are an array");
    let results = run["results"].as_array().expect("results are an array");
    assert!(!results.is_empty());
    for result in results {
        let index = result["ruleIndex"].as_u64().and_then(|at| usize::try_from(at).ok()).expect("an index");
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(matches!(result["level"].as_str(), Some("error" | "warning")), "{result}");
        assert!(result["message"]["text"].is_string(), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].is_string(), "{result}");
        if let Some(region) = place.get("region") {
            let at = |name: &str| region[name].as_u64().filter(|&n| n > 0).expect("places count from 1");
            assert!((at("startLine"), at("startColumn")) <= (at("endLine"), at("endColumn")), "{region}");
        }
    }
}

#[test]
fn a_clean_sarif_log_has_no_results() {
    let ran = report(&["--format", "sarif", CLEAN]);
    let log: Value = serde_json::from_str(&ran.stdout).expect("SARIF is JSON");
    assert_eq!((ran.code, &log["runs"][0]["results"]), (Some(0), &Value::Array(Vec::new())));
}

#[test]
fn warnings_fail_only_when_denied() {
    assert_eq!(report(&[WARNS]).code, Some(0));
    assert_eq!(report(&["--deny-warnings", WARNS]).code, Some(1));
}

#[test]
fn standard_input_is_json_or_yaml() {
    let check = |text: &str, code: i32| {
        let ran = stepwright_with(["check", "-"], text.as_bytes());
        assert_eq!(ran.code, Some(code), "{text}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    check(r#"{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}"#, 0);
    check("StartAt: A\nStates:\n  A:\n    Type: Succeed\n", 0);
    assert!(check("{", 1).starts_with("<stdin>:1:"));
    assert!(check("", 1).contains("MISSING_DESCRIPTION"));
}

#[test]
fn express_machines_support_less() {
    let callback = "examples/approval-callback/machine.asl.json";
    assert_eq!(report(&[callback]).code, Some(0));
    let ran = report(&["--express", callback]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("waitForTaskToken"), "{}", ran.stdout);
}

#[test]
fn substitutions_must_be_known_and_used() {
    let polling = "examples/polling-job/machine.asl.yaml";
    let ran = report(&[polling, "--substitution", "JobName=nightly"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    let ran = report(&[polling, "--substitution", "Jobname=nightly"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stderr.contains("substitution `Jobname` occurs in no definition"), "{}", ran.stderr);
    assert_eq!(report(&[polling, "--substitution", "nightly"]).code, Some(2));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let binary = folder.path().join("latin1.asl.json");
    std::fs::write(&binary, b"{\n\"Comment\": \"caf\xe9\"}").expect("it can be written");
    let binary = binary.to_str().expect("temporary paths are UTF-8");
    for (file, expected) in [
        ("nowhere.asl.json", "cannot read `nowhere.asl.json`: there is no such file"),
        ("examples", "cannot read `examples`: it is a directory"),
        (binary, "it is not UTF-8 (byte 0xe9 at offset 17, line 2)"),
    ] {
        let ran = report(&[CLEAN, file]);
        assert_eq!(ran.code, Some(2), "{file}");
        assert!(ran.stderr.contains(expected), "{file}: {}", ran.stderr);
        assert!(ran.stdout.contains("1 definition checked"), "the others are still checked: {}", ran.stdout);
    }
    let ran = report(&["-", "-"]);
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(2), "error: standard input (`-`) can be read only once\n")
    );
    assert_eq!(report(&[]).code, Some(2));
}
