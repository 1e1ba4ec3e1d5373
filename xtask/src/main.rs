//! `cargo xtask sdk-catalog --models FOLDER [--check]`: makes the catalog of AWS from the models in
//! the folder `data` of botocore, or compares it with the one that is there.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::sdk_catalog;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["sdk-catalog", "--models", models] => make(Path::new(models)),
        ["sdk-catalog", "--models", models, "--check"] => check(Path::new(models)),
        _ => Err("usage: cargo xtask sdk-catalog --models FOLDER [--check]".to_owned()),
    };
    match done {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the catalog stands in the repository.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/aws-wire/catalog")
}

fn make(models: &Path) -> Result<String, String> {
    let made = sdk_catalog::make(models)?;
    for (name, bytes) in made.files() {
        let path = folder().join(name);
        std::fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(made.summary)
}

fn check(models: &Path) -> Result<String, String> {
    let made = sdk_catalog::make(models)?;
    for (name, bytes) in made.files() {
        let path = folder().join(name);
        let there = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        if there != bytes {
            return Err(format!("{} is not what these models give", path.display()));
        }
    }
    Ok(format!("unchanged: {}", made.summary))
}
