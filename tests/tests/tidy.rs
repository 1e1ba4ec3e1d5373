//! Rules of the repository that no other tool checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::json::Value;

/// Past so many lines a file holds a second concept.
const LINES_MAX: usize = 700;

/// The registry that dependencies come from, as lock files name it.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in a folder of the repository")
        .to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Files with this extension, without build products and hidden folders, sorted.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("it can be listed").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if name.ends_with(extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no {extension} files");
    found
}

fn manifests() -> Vec<PathBuf> {
    let workspace = root().join("Cargo.toml");
    files("Cargo.toml").into_iter().filter(|path| *path != workspace).collect()
}

fn is_in(path: &Path, folder: &str) -> bool {
    path.components().any(|part| part.as_os_str() == folder)
}

#[test]
fn files_hold_one_concept() {
    for path in files(".rs").iter().filter(|path| is_in(path, "src")) {
        let lines = read(path).lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines, more than {LINES_MAX}", path.display());
    }
}

#[test]
fn crates_open_with_what_they_are() {
    for manifest in manifests() {
        let src = manifest.with_file_name("src");
        let roots: Vec<PathBuf> = ["lib.rs", "main.rs"]
            .map(|name| src.join(name))
            .into_iter()
            .filter(|path| path.exists())
            .collect();
        assert!(!roots.is_empty(), "{} has no root", src.display());
        for path in roots {
            assert!(read(&path).starts_with("//! "), "{} does not say what the crate is", path.display());
        }
    }
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, so that this file does not find itself.
    let refused = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("dbg", "!("),
        concat!("#[", "ignore"),
        concat!("#[", "allow("),
        concat!("#![", "allow("),
        concat!("FIX", "ME"),
    ];
    for path in files(".rs") {
        let text = read(&path);
        for needle in refused {
            assert!(!text.contains(needle), "{} has {needle}", path.display());
        }
    }
}

#[test]
fn crates_follow_the_workspace() {
    for path in manifests() {
        let text = read(&path);
        let folder =
            path.parent().and_then(Path::file_name).expect("a manifest is in a folder").to_string_lossy();
        assert!(
            text.contains(&format!("name = \"{folder}\"\n")),
            "{} is not named after its folder",
            path.display()
        );
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{} does not take the workspace's lints",
            path.display()
        );
        for inherited in ["version", "edition", "rust-version", "license", "publish"] {
            let line = format!("\n{inherited}.workspace = true\n");
            assert!(text.contains(&line), "{} has its own {inherited}", path.display());
        }
    }
}

/// Targets that are written as `make NAME` in code.
fn named_targets(text: &str) -> BTreeSet<String> {
    let is_name = |c: &char| c.is_ascii_lowercase() || *c == '-';
    text.match_indices("make ")
        .filter(|(at, _)| text[..*at].ends_with(['`', '\n']) || text[..*at].ends_with("step "))
        .map(|(at, found)| text[at + found.len()..].chars().take_while(is_name).collect::<String>())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn make_targets_that_are_named_exist() {
    let makefile = read("Makefile");
    let targets: BTreeSet<String> = makefile
        .lines()
        .filter_map(|line| line.strip_prefix(".PHONY:"))
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect();
    for target in &targets {
        let rule = format!("\n{target}:");
        assert!(makefile.contains(&rule), "Makefile declares {target} without a rule");
    }
    for document in ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", ".ci/run"] {
        let named = named_targets(&read(document));
        let unknown: Vec<&String> = named.difference(&targets).collect();
        assert!(unknown.is_empty(), "{document} names {unknown:?}, which the Makefile does not have");
    }
    let readme = named_targets(&read("README.md"));
    assert!(readme.contains("run") && readme.contains("test"), "the README shows how to run and to test");
}

#[test]
fn links_lead_somewhere() {
    for path in files(".md") {
        let text = read(&path);
        let folder = path.parent().expect("a file is in a folder");
        for (at, _) in text.match_indices("](") {
            let target: String = text[at + 2..].chars().take_while(|c| *c != ')' && *c != '#').collect();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            assert!(folder.join(&target).exists(), "{} links to {target}", path.display());
        }
    }
}

#[test]
fn the_changelog_has_a_place_for_what_comes() {
    assert!(read("CHANGELOG.md").contains("\n## Unreleased\n"));
}

#[test]
fn dependencies_come_from_one_registry() {
    let lock = read("Cargo.lock");
    let sources: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert!(!sources.is_empty(), "the lock file has no sources");
    for source in sources {
        assert_eq!(source.trim_matches('"'), REGISTRY);
    }
}

#[test]
fn dependencies_have_licences_that_deny_toml_allows() {
    let deny = read("deny.toml");
    let list =
        deny.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("deny.toml has a list");
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    assert!(allowed.contains("MIT"), "{allowed:?}");

    let host = command("rustc", &["-vV"]);
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let metadata =
        command(env!("CARGO"), &["metadata", "--format-version", "1", "--locked", "--filter-platform", host]);
    let metadata = Value::parse(&metadata).expect("metadata is JSON");
    let packages = metadata.get("packages").and_then(Value::as_array).expect("metadata has packages");
    for package in packages.iter() {
        let text = |name| package.get(name).and_then(Value::as_str).unwrap_or_default();
        assert!(
            is_allowed(text("license"), &allowed),
            "{} has the licence `{}`",
            text("name"),
            text("license")
        );
    }
}

/// Whether an SPDX expression can be met: one side of every `OR`, both sides of every `AND`. In
/// the old form `A/B`, a slash is an `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let expression = expression.replace('/', " OR ");
    let terms = split_outside(&expression, " AND ");
    if terms.len() > 1 {
        return terms.iter().all(|term| is_allowed(term, allowed));
    }
    let choices = split_outside(&expression, " OR ");
    if choices.len() > 1 {
        return choices.iter().any(|choice| is_allowed(choice, allowed));
    }
    let term = expression.trim();
    match term.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed.contains(term),
    }
}

/// Splits at an operator that stands in no parentheses.
fn split_outside<'a>(text: &'a str, operator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(operator) {
        let before = &text[start..at];
        if before.matches('(').count() == before.matches(')').count() {
            parts.push(before);
            start = at + operator.len();
        }
    }
    parts.push(&text[start..]);
    parts
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]);
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("", false),
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

fn command(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(root()).output().expect("it runs");
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it writes UTF-8")
}
