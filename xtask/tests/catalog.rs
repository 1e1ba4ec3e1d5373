//! The catalog in the repository is what the models give, byte for byte.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use xtask::sdk_catalog;

/// The models that come with the pinned boto3 (`make clients`).
fn models(root: &Path) -> Option<PathBuf> {
    let python = fs::read_dir(root.join(".tools/clients/python/lib")).ok()?;
    let found = python.map(|python| python.unwrap().path().join("site-packages/botocore/data"));
    found.into_iter().find(|data| data.exists())
}

#[test]
fn the_catalog_is_what_the_models_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let Some(models) = models(&root) else {
        assert!(std::env::var_os("CI").is_none(), "boto3 is not installed: run make clients");
        println!("skipped: boto3 is not installed: run make clients");
        return;
    };
    let made = sdk_catalog::make(&models).unwrap();
    for (name, bytes) in made.files() {
        let there = fs::read(root.join("shared/aws-wire/catalog").join(name)).unwrap();
        assert!(there == bytes, "{name} is not what the models give: run make sdk-catalog");
    }
    // Services that ARNs name, and all operations, in less than the archive of a function notices.
    assert!(made.catalog.len() <= 4_000_000, "{} bytes", made.catalog.len());
}
