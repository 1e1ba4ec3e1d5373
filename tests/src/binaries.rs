//! Programs of the workspace, for tests that start them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that cargo puts programs into, in the profile of the running test.
pub fn folder() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| format!("the test does not know itself: {error}"))?;
    let folder = test.parent().and_then(Path::parent).ok_or("the test is in no folder of cargo's")?;
    Ok(folder.to_owned())
}

/// Set by who has built the programs together with the tests: cargo would build them once more, since
/// what is below them has other features without the tests.
const BUILT: &str = "STEPWRIGHT_BUILT";

/// Builds the programs of packages, where they are not up to date, and says in which folder they are.
pub fn build(packages: &[&str]) -> Result<PathBuf, String> {
    let folder = folder()?;
    if std::env::var_os(BUILT).is_some() {
        return Ok(folder);
    }
    let target = folder.parent().ok_or("cargo's folder has no parent")?;
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--target-dir"]).arg(target);
    build.args(packages.iter().flat_map(|package| ["--package", package]));
    if folder.file_name().is_some_and(|name| name == "release") {
        build.arg("--release");
    }
    match build.current_dir(env!("CARGO_MANIFEST_DIR")).status() {
        Ok(status) if status.success() => Ok(folder),
        built => Err(format!("{packages:?} were not built: {built:?}")),
    }
}
