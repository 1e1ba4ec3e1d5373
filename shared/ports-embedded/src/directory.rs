//! The directory of a store: its lock, its format, and the two small files that say where the log
//! begins and ends.
//!
//! | file | holds |
//! | --- | --- |
//! | `lock` | the lock, and the number of the process that holds it |
//! | `format` | what the directory is, and its format; written last when it is made |
//! | `manifest` | up to which batch the sorted files hold everything, and how often it was opened |
//! | `closed` | where the log ended when the store was closed; gone while it is open |
//! | `log/` | segments of the log, see [`crate::log`] |
//! | `rows/`, `entries/`, `messages/`, `names/` | sorted files, see [`crate::storage`] |
//! | `blobs/` | blobs too large for the log |

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use xxhash_rust::xxh3::xxh3_64;

use crate::error::OpenError;

/// Format of the directory that this version reads and writes.
pub const FORMAT: u32 = 2;

/// First line of the file `format`.
const TITLE: &str = "stepwright store";

/// What a directory without a store may hold all the same: an attempt to make one was cut short.
const BEGINNINGS: [&str; 3] = ["lock", "manifest", "manifest.new"];

/// An open directory. The lock goes with it.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    lock: Mutex<Option<File>>,
}

impl Directory {
    /// Locks a directory and makes it a store if it is empty or missing.
    pub fn open(path: &Path) -> Result<Directory, OpenError> {
        fs::create_dir_all(path).map_err(OpenError::io(path))?;
        let lock = lock(path)?;
        let directory = Directory { path: path.to_owned(), lock: Mutex::new(Some(lock)) };
        directory.check_format()?;
        Ok(directory)
    }

    /// Unlocks it: others may open it from now on.
    pub fn release(&self) {
        drop(self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take());
    }

    /// A file or folder of it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A folder of it, made if need be.
    pub fn folder(&self, name: &str) -> Result<PathBuf, OpenError> {
        let path = self.at(name);
        if !path.is_dir() {
            fs::create_dir(&path).and_then(|()| sync_folder(&self.path)).map_err(OpenError::io(&path))?;
        }
        Ok(path)
    }

    fn check_format(&self) -> Result<(), OpenError> {
        let path = self.at("format");
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return self.create(&path),
            Err(error) => return Err(OpenError::Io { file: path, error }),
        };
        let found = text
            .strip_prefix(TITLE)
            .and_then(|rest| rest.strip_prefix("\nformat "))
            .and_then(|rest| rest.strip_suffix('\n'))
            .and_then(|number| number.parse().ok());
        match found {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(OpenError::Format { directory: self.path.clone(), found, supported: FORMAT }),
            None => Err(OpenError::damaged(&path, "it does not say which format the store has")),
        }
    }

    fn create(&self, format: &Path) -> Result<(), OpenError> {
        for entry in fs::read_dir(&self.path).map_err(OpenError::io(&self.path))? {
            let name = entry.map_err(OpenError::io(&self.path))?.file_name();
            match name.to_str() {
                Some(name) if BEGINNINGS.contains(&name) || name == "format.new" => {}
                Some("log" | "rows" | "entries" | "messages" | "names" | "blobs") => {
                    return Err(OpenError::damaged(format, "it is missing"));
                }
                _ => return Err(OpenError::Foreign(self.path.clone())),
            }
        }
        self.write_manifest(&Manifest::default()).map_err(OpenError::io(&self.at("manifest")))?;
        let text = format!("{TITLE}\nformat {FORMAT}\n");
        self.replace("format", text.as_bytes()).map_err(OpenError::io(format))
    }

    /// The manifest.
    pub fn manifest(&self) -> Result<Manifest, OpenError> {
        let path = self.at("manifest");
        let text = fs::read(&path).map_err(OpenError::io(&path))?;
        let [flushed, opened] =
            signed_numbers(&text).ok_or_else(|| OpenError::damaged(&path, "its checksum does not match"))?;
        Ok(Manifest { flushed, opened })
    }

    /// Replaces the manifest; durable when it returns.
    pub fn write_manifest(&self, manifest: &Manifest) -> std::io::Result<()> {
        self.replace("manifest", &sign([manifest.flushed, manifest.opened]))
    }

    /// Where the log ended when the store was closed, if it was.
    pub fn closed(&self) -> Result<Option<Closed>, OpenError> {
        let path = self.at("closed");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::Io { file: path, error }),
        };
        let [segment, bytes, next] =
            signed_numbers(&text).ok_or_else(|| OpenError::damaged(&path, "its checksum does not match"))?;
        Ok(Some(Closed { segment, bytes, next }))
    }

    /// Says that the store is closed; durable when it returns.
    pub fn write_closed(&self, closed: &Closed) -> std::io::Result<()> {
        self.replace("closed", &sign([closed.segment, closed.bytes, closed.next]))
    }

    /// Says that the store is open; durable when it returns.
    pub fn remove_closed(&self) -> Result<(), OpenError> {
        let path = self.at("closed");
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&self.path).map_err(OpenError::io(&path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(OpenError::Io { file: path, error }),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let fresh = self.at(&format!("{name}.new"));
        let mut file = File::create(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, self.at(name))?;
        sync_folder(&self.path)
    }
}

/// What is said of the whole store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Batches up to this one are in the sorted files.
    pub flushed: u64,
    /// How often the store was opened.
    pub opened: u64,
}

/// The end of the log of a store that was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Last segment.
    pub segment: u64,
    /// Its length.
    pub bytes: u64,
    /// Number of the batch that would come next.
    pub next: u64,
}

/// Makes what was created, renamed or removed in a folder durable.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    match cfg!(windows) {
        true => Ok(()),
        false => File::open(path)?.sync_all(),
    }
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("lock");
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(OpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(OpenError::Locked { directory: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(OpenError::Io { file: path, error }),
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(pid.as_bytes()))
        .map_err(OpenError::io(&path))?;
    Ok(file)
}

/// Numbers and their checksum, as a line of text.
fn sign<const COUNT: usize>(numbers: [u64; COUNT]) -> Vec<u8> {
    let mut line: String = numbers.map(|number| format!("{number} ")).concat();
    line += &format!("{:016x}\n", xxh3_64(line.as_bytes()));
    line.into_bytes()
}

fn signed_numbers<const COUNT: usize>(line: &[u8]) -> Option<[u64; COUNT]> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(' ');
    let mut numbers = [0; COUNT];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    (sign(numbers) == line.as_bytes()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_holder_and_says_who() {
        let folder = tempfile::tempdir().unwrap();
        let held = Directory::open(folder.path()).unwrap();
        let error = Directory::open(folder.path()).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, OpenError::Locked { holder, .. } if holder == Some(std::process::id())));
        assert!(message.contains(&folder.path().display().to_string()), "{message}");
        drop(held);
        Directory::open(folder.path()).unwrap();
    }

    #[test]
    fn another_format_is_refused_with_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        drop(Directory::open(folder.path()).unwrap());
        fs::write(folder.path().join("format"), format!("{TITLE}\nformat 7\n")).unwrap();
        let message = Directory::open(folder.path()).unwrap_err().to_string();
        assert!(message.contains("format 7") && message.contains(&format!("format {FORMAT}")), "{message}");
        fs::write(folder.path().join("format"), "something else").unwrap();
        assert!(matches!(Directory::open(folder.path()), Err(OpenError::Damaged { .. })));
    }

    #[test]
    fn a_folder_with_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        assert!(matches!(Directory::open(folder.path()), Err(OpenError::Foreign(_))));
    }

    #[test]
    fn a_changed_number_is_noticed() {
        let line = sign([12, 345]);
        assert_eq!(signed_numbers(&line), Some([12, 345]));
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            assert_eq!(signed_numbers::<2>(&changed), None, "byte {at}");
            assert_eq!(signed_numbers::<2>(&line[..at]), None, "cut at {at}");
        }
    }
}
