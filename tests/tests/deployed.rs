//! The installation on an emulator of AWS, deployed by SAM from the unmodified template: `deployed/` has
//! what is done there, in Python, since its users' tools are. Left out, and told of, where what it
//! needs is not installed (`make emulators clients sam`); under CI it must be there.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::binaries;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The last line of a script that found nothing wrong tells how many checks it made.
fn check(script: &str, name: &str, checks_min: usize, more: &[&str]) {
    let needed = [".tools/sam/bin/sam", ".tools/ministack/bin/python", ".tools/clients/python/bin/python"];
    if let Some(missing) = needed.iter().find(|path| !root().join(path).exists()) {
        let message = format!("{missing} is not installed: run make emulators clients sam");
        assert!(std::env::var_os("CI").is_none(), "{message}");
        println!("skipped: {message}");
        return;
    }
    let binaries = binaries::build(&["functions", "proxy", "cli"]).unwrap();
    let ran = Command::new(root().join(needed[2]))
        .arg(root().join("tests/deployed").join(script))
        .arg(binaries)
        .args(more)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let told = stdout.lines().last().unwrap_or_default();
    let passed = told.strip_prefix(name).and_then(|told| told.strip_prefix(": "));
    let passed = passed.and_then(|told| told.strip_suffix(" passed, 0 failed")?.parse::<usize>().ok());
    assert!(
        ran.status.success() && passed.is_some_and(|passed| passed >= checks_min),
        "{:?}\n{stdout}\n{stderr}",
        ran.status
    );
    println!("{told}");
}

#[test]
fn the_template_works_from_deploy_to_delete() {
    check("end_to_end.py", "end to end", 68, &[]);
}

#[test]
fn faults_lose_nothing_and_repeat_nothing() {
    check("faults.py", "faults", 38, &[]);
}

#[test]
fn tasks_call_services() {
    check("services.py", "services", 190, &[]);
}

#[test]
fn histories_are_those_of_memory() {
    let corpus = root().join("../shared/conformance");
    if !corpus.exists() {
        println!("skipped: there is no corpus at {}", corpus.display());
        return;
    }
    check("histories.py", "histories", 50, &[corpus.to_str().unwrap()]);
}
