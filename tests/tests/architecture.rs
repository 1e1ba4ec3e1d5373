//! The declared arrows between crates, compared with the manifests; and the purity of the inner
//! crates, which ARCHITECTURE.md promises.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::json::Value;

/// Bottom to top: a crate may use those before it, never those after it.
const ARROWS: [&str; 19] = [
    "model",
    "aws-wire",
    "query",
    "asl",
    "engine",
    "front",
    "aws-client",
    "ports",
    "ports-aws",
    "ports-embedded",
    "journal",
    "integrations",
    "integrations-http",
    "integrations-aws",
    "driver",
    "service",
    "functions",
    "proxy",
    "cli",
];

/// They measure and test the others, and may use all of them. Nobody uses them.
const OUTSIDE: [&str; 3] = ["bench", "tests", "xtask"];

/// What the inner crates may use beside each other. A new line is a decision: the crate must
/// compute from its arguments alone, on every platform.
const INNER: [(&str, &[&str]); 5] = [
    ("model", &["foldhash", "indexmap", "serde", "serde_json", "smol_str", "thiserror", "unicode-ident"]),
    ("aws-wire", &["base64", "ciborium", "jiff", "roxmltree"]),
    ("query", &["base64", "jlens-core", "md-5", "serde_json", "sha1", "sha2", "thiserror", "unicode-ident"]),
    ("asl", &["saphyr-parser"]),
    ("engine", &["base64", "rmp-serde", "serde", "thiserror"]),
];

/// Who may name a crate of the outer world; everyone else gets what it needs through a trait.
const OUTER: [(&str, &[&str]); 10] = [
    ("aws-sigv4", &["aws-client", "front", "proxy"]),
    (
        "aws-",
        &["aws-client", "cli", "functions", "integrations-aws", "integrations-http", "ports-aws", "proxy"],
    ),
    ("axum", &["cli", "front", "proxy"]),
    ("clap", &["cli"]),
    ("getrandom", &["driver"]),
    ("hyper", &["aws-client", "cli", "front", "functions", "integrations-http", "proxy"]),
    ("indicatif", &["cli"]),
    ("lambda_runtime", &["functions"]),
    ("notify", &["cli"]),
    (
        "tokio",
        &[
            "aws-client",
            "cli",
            "driver",
            "front",
            "functions",
            "integrations",
            "integrations-http",
            "integrations-aws",
            "ports",
            "ports-embedded",
            "proxy",
            "service",
        ],
    ),
];

/// Texts that no source of an inner crate has outside of comments. Clippy refuses the calls; this
/// also finds what a macro or a re-export would hide.
const IMPURE: [&str; 16] = [
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Instant::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "std::process",
    "std::thread",
    "thread_local!",
    "async fn",
    "tokio::",
    "rand::",
    "getrandom",
    "RandomState",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in a folder of the repository")
        .to_owned()
}

/// A package of the workspace.
struct Package {
    name: String,
    folder: PathBuf,
    /// Name and kind (`normal`, `dev`, `build`) of each direct dependency.
    dependencies: Vec<(String, String)>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata = Value::parse(&String::from_utf8_lossy(&output.stdout)).expect("metadata is JSON");
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let package = |package: &Value| Package {
        name: text(package, "name").expect("a package has a name"),
        folder: Path::new(&text(package, "manifest_path").expect("a package has a manifest"))
            .parent()
            .expect("a manifest is in a folder")
            .to_owned(),
        dependencies: package
            .get("dependencies")
            .and_then(Value::as_array)
            .expect("a package has dependencies")
            .iter()
            .map(|dependency| {
                let kind = text(dependency, "kind").unwrap_or_else(|| "normal".to_owned());
                (text(dependency, "name").expect("a dependency has a name"), kind)
            })
            .collect(),
    };
    metadata
        .get("packages")
        .and_then(Value::as_array)
        .expect("metadata has packages")
        .iter()
        .map(package)
        .collect()
}

fn package(name: &str) -> Package {
    packages().into_iter().find(|package| package.name == name).unwrap_or_else(|| panic!("no package {name}"))
}

/// Every Rust file below a folder, sorted.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_package_is_declared() {
    let found: BTreeSet<String> = packages().into_iter().map(|package| package.name).collect();
    let declared: BTreeSet<String> = ARROWS.iter().chain(&OUTSIDE).map(|name| (*name).to_owned()).collect();
    assert_eq!(
        found, declared,
        "a new crate needs its place in the arrows, and a paragraph in ARCHITECTURE.md"
    );
}

#[test]
fn arrows_point_down() {
    for package in packages().iter().filter(|package| !OUTSIDE.contains(&package.name.as_str())) {
        let place = ARROWS.iter().position(|name| *name == package.name).expect("every package is declared");
        for (dependency, kind) in &package.dependencies {
            assert!(!OUTSIDE.contains(&dependency.as_str()), "{} uses {dependency}", package.name);
            if let Some(below) = ARROWS.iter().position(|name| name == dependency) {
                assert!(below < place, "{} must not use {dependency} ({kind})", package.name);
            }
        }
    }
}

#[test]
fn inner_crates_use_what_is_allowed() {
    for (name, allowed) in INNER {
        let found: BTreeSet<String> = package(name)
            .dependencies
            .into_iter()
            .filter(|(dependency, kind)| kind != "dev" && !ARROWS.contains(&dependency.as_str()))
            .map(|(dependency, _)| dependency)
            .collect();
        let allowed: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let new: Vec<&String> = found.difference(&allowed).collect();
        assert!(new.is_empty(), "{name} uses {new:?}, which the list in this file does not allow");
    }
}

#[test]
fn the_outer_world_is_named_in_few_places() {
    for package in packages().iter().filter(|package| !OUTSIDE.contains(&package.name.as_str())) {
        for (dependency, kind) in package.dependencies.iter().filter(|(_, kind)| kind != "dev") {
            let rule = OUTER.iter().find(|(prefix, _)| dependency.starts_with(prefix));
            if let Some((_, users)) = rule {
                assert!(
                    users.contains(&package.name.as_str()),
                    "{} must not use {dependency} ({kind})",
                    package.name
                );
            }
        }
    }
}

#[test]
fn clippy_refuses_impure_calls_in_every_inner_crate() {
    for (name, _) in INNER {
        let path = package(name).folder.join("clippy.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for refused in [
            "std::time::SystemTime::now",
            "std::time::Instant::now",
            "std::thread::spawn",
            "std::env::var",
            "std::fs::File",
            "std::net::TcpStream",
        ] {
            assert!(
                text.contains(&format!("{{ path = \"{refused}\", reason = \"")),
                "{}: {refused}",
                path.display()
            );
        }
    }
}

#[test]
fn inner_sources_name_nothing_impure() {
    for (name, _) in INNER {
        for path in sources(&package(name).folder.join("src")) {
            let text = fs::read_to_string(&path).expect("it can be read");
            for (at, line) in text.lines().enumerate() {
                // A map's seed is random so that nobody can choose keys that collide; its order is
                // that of insertion, so nothing shows the seed.
                let code = line.split("//").next().unwrap_or_default();
                let code = code.replace("foldhash::fast::RandomState", "");
                let found = IMPURE.iter().find(|needle| names(&code, needle));
                assert!(found.is_none(), "{}:{}: {found:?}", path.display(), at + 1);
            }
        }
    }
}

/// Whether `needle` stands in `code` and is not the end of a longer word.
fn names(code: &str, needle: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(needle).any(|(at, _)| !code[..at].ends_with(is_word))
}

#[test]
fn impure_names_are_found_as_words() {
    for (code, needle, expected) in [
        ("use std::fs;", "std::fs", true),
        ("Operand::Path", "rand::", false),
        ("rand::random()", "rand::", true),
        ("(rand::random())", "rand::", true),
        ("let brand = 1", "rand::", false),
    ] {
        assert_eq!(names(code, needle), expected, "{code}");
    }
}
