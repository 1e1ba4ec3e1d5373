//! The catalog of AWS from botocore's models.
//!
//! [`model`] makes a service's blob, from the records of `shapes`; [`rules`] holds the endpoint rules
//! of all services; here they become one file and a list that people can read the changes of.

pub mod model;
mod reads;
pub mod rules;
mod shapes;
mod token;
pub mod write;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use aws_wire::catalog::format::{ENTRY_BYTES, HEADER_BYTES, MAGIC};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use model::Model;
use rules::{Result, Rules};
use write::Bytes;

/// What is made.
#[derive(Debug)]
pub struct Made {
    /// The catalog.
    pub catalog: Vec<u8>,
    /// A line for each service: its name, botocore's name of it, its protocol, how many operations it
    /// has, and what its blob adds up to.
    pub manifest: String,
    /// What was made, in a sentence.
    pub summary: String,
}

impl Made {
    /// The files, by their names.
    pub fn files(&self) -> [(&'static str, &[u8]); 2] {
        [("sdk-catalog.bin", &self.catalog), ("sdk-catalog.txt", self.manifest.as_bytes())]
    }
}

/// Two models have one name; this one is left out.
const SECOND_OF_ITS_NAME: &str = "sms-voice";

/// Makes the catalog from botocore's folder `data`.
pub fn make(models: &Path) -> Result<Made> {
    let mut rules = Rules::default();
    let mut services: BTreeMap<String, (Model, Vec<u8>)> = BTreeMap::new();
    let mut folders_of: BTreeMap<String, String> = BTreeMap::new();
    for folder in folders(models)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == SECOND_OF_ITS_NAME {
            continue;
        }
        let newest =
            folders(&folder)?.into_iter().rfind(|version| version.join("service-2.json.gz").exists());
        let Some(newest) = newest else { continue };
        let made = service(&newest, &mut rules).map_err(|error| format!("{}: {error}", newest.display()))?;
        folders_of.insert(made.0.key.clone(), name);
        if let Some((other, _)) = services.insert(made.0.key.clone(), made) {
            return Err(format!("two services are called {}", other.key));
        }
    }
    if services.is_empty() {
        return Err(format!("{} has no models", models.display()));
    }
    let partitions = read(&models.join("partitions.json"))?;
    let partitions: Value = serde_json::from_slice(&partitions).map_err(|error| error.to_string())?;

    let mut manifest = format!("botocore {}\n", version(models)?);
    let mut operations = 0;
    for (key, (model, blob)) in &services {
        operations += model.operation_count;
        let sum = &hex(&Sha256::digest(blob))[..16];
        let folder = &folders_of[key];
        manifest += &format!("{key} {folder} {} {} {sum}\n", model.protocol_name(), model.operation_count);
    }
    let catalog = container(&services, &rules.bytes, &partitions.to_string());
    let summary = format!("{} services, {operations} operations, {} bytes", services.len(), catalog.len());
    Ok(Made { catalog, manifest, summary })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn service(folder: &Path, rules: &mut Rules) -> Result<(Model, Vec<u8>)> {
    let model = Model::new(unpacked(&folder.join("service-2.json.gz"))?)?;
    let rule_set = rules.add(&unpacked(&folder.join("endpoint-rule-set-1.json.gz"))?)?;
    let blob = model.blob(Some(rule_set))?;
    Ok((model, blob))
}

fn container(services: &BTreeMap<String, (Model, Vec<u8>)>, rules: &[u8], partitions: &str) -> Vec<u8> {
    let keys: usize = services.keys().map(String::len).sum();
    let blobs: usize = services.values().map(|(_, blob)| blob.len()).sum();
    let mut key_at = HEADER_BYTES + services.len() * ENTRY_BYTES;
    let mut blob_at = key_at + keys;
    let rules_at = blob_at + blobs;
    let mut bytes = Bytes(MAGIC.to_vec());
    bytes.u32(services.len());
    bytes.u32(rules_at).u32(rules.len()).u32(rules_at + rules.len()).u32(partitions.len());
    for (key, (_, blob)) in services {
        bytes.u32(blob_at).u32(blob.len()).u32(key_at).u32(key.len());
        key_at += key.len();
        blob_at += blob.len();
    }
    for key in services.keys() {
        bytes.0.extend(key.as_bytes());
    }
    for (_, blob) in services.values() {
        bytes.0.extend(blob);
    }
    bytes.0.extend(rules);
    bytes.0.extend(partitions.as_bytes());
    bytes.0
}

/// The version of botocore whose data these are, as its package says beside them.
fn version(models: &Path) -> Result<String> {
    let init = read(&models.join("../__init__.py"))?;
    let init = String::from_utf8_lossy(&init);
    let version = init.lines().find_map(|line| line.strip_prefix("__version__ = '")?.strip_suffix('\''));
    version.map(str::to_owned).ok_or_else(|| "botocore does not say which version it is".to_owned())
}

/// Folders in a folder, by name.
fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of).map_err(|error| format!("{}: {error}", of.display()))?;
    let mut folders: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn unpacked(path: &Path) -> Result<Value> {
    let packed = fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}
