//! Every folder of `examples/` runs through the real binary and ends as its `expected.json` says.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{root, stepwright};

fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).expect("there are examples");
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.expect("it can be listed").path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn json_file(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn machine(folder: &Path) -> PathBuf {
    ["machine.asl.json", "machine.asl.yaml"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{} has no machine", folder.display()))
}

fn options(folder: &Path) -> Vec<String> {
    let path = folder.join("options.json");
    if !path.exists() {
        return Vec::new();
    }
    serde_json::from_value(json_file(&path)).expect("options are an array of strings")
}

#[test]
fn every_test_case_ends_as_expected() {
    let folders = folders();
    assert!(folders.len() >= 8, "examples are missing: {folders:?}");
    for folder in folders {
        let expected = json_file(&folder.join("expected.json"));
        let mocked = json_file(&folder.join("mocks.json"));
        let machines = mocked["StateMachines"].as_object().expect("StateMachines is an object");
        let cases: Vec<&String> = machines
            .values()
            .flat_map(|machine| machine["TestCases"].as_object().expect("TestCases is an object").keys())
            .collect();
        let expected = expected.as_object().expect("expectations are an object");
        assert_eq!(cases, expected.keys().collect::<Vec<_>>(), "{}", folder.display());
        for (case, expected) in expected {
            check(&folder, case, expected);
        }
    }
}

fn check(folder: &Path, case: &str, expected: &Value) {
    let context = format!("{} #{case}", folder.display());
    let mut args: Vec<String> = vec![
        "run".into(),
        machine(folder).display().to_string(),
        "--input".into(),
        format!("@{}", folder.join("input.json").display()),
        "--mock".into(),
        format!("{}#{case}", folder.join("mocks.json").display()),
        "--fast-forward".into(),
    ];
    args.extend(options(folder));
    let json_args = || args.iter().cloned().chain(["--format".into(), "json".into()]);

    let ran = stepwright(json_args());
    let described: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{context}: {}", ran.stderr));
    let members = ["status", "output", "error", "cause"];
    let outcome: Value = members
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), described.get(*name)?.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(&outcome, expected, "{context}\n{}", ran.stderr);

    let ran = stepwright(&args);
    if expected["status"] == json!("SUCCEEDED") {
        let output: Value =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{context}: {}", ran.stderr));
        assert_eq!((ran.code, &output), (Some(0), &expected["output"]), "{context}");
    } else {
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{context}");
    }
}

#[test]
fn every_definition_is_clean() {
    let mut args = vec!["check".to_owned(), "--deny-warnings".to_owned()];
    for folder in folders() {
        args.push(machine(&folder).display().to_string());
    }
    let ran = stepwright(args);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn every_folder_is_in_the_list() {
    let readme = fs::read_to_string(root().join("examples/README.md")).expect("the list is there");
    for folder in folders() {
        let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        assert!(readme.contains(&format!("| `{name}` |")), "examples/README.md does not list {name}");
    }
}
