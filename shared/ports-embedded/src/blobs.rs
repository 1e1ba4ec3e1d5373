//! Blobs: small ones go through the log like rows, large ones are files of their own.
//!
//! A file is `blobs/<number>`: title, its key, the length and the checksum of the blob, then the
//! blob. It gets its name when it is durable, and counts once the log says so: files that it does
//! not name are removed when the store is opened.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;
use ports::BlobError;
use ports::blobs::check_key;
use xxhash_rust::xxh3::xxh3_128;

use crate::codec::{push_bytes, push_number, take_bytes, take_number};
use crate::directory::sync_folder;
use crate::error::Failure;
use crate::key::Space;
use crate::memtable::Write;
use crate::shared::Shared;

/// Marks a blob among the names.
const MARK: u8 = b'b';
/// Larger blobs are files.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// First bytes of a file.
const TITLE: &[u8; 8] = b"STEPWBL1";
/// The longest a header can be.
const HEADER_BYTES_MAX: u64 = 2_048;

/// The blobs of a store.
pub struct Blobs {
    shared: Arc<Shared>,
    folder: PathBuf,
}

/// Where a blob is.
#[derive(PartialEq, Eq)]
enum Place {
    Inline(Bytes),
    File(u64),
}

impl Blobs {
    /// The blobs of a store with this folder for the large ones.
    pub fn new(shared: Arc<Shared>, folder: PathBuf) -> Blobs {
        Blobs { shared, folder }
    }

    /// Removes the files of blobs that were never, or are no longer, named by the log.
    pub fn clean(&self) -> Result<(), Failure> {
        let unavailable =
            |error: std::io::Error| Failure::Unavailable(format!("{}: {error}", self.folder.display()));
        for entry in fs::read_dir(&self.folder).map_err(unavailable)? {
            let path = entry.map_err(unavailable)?.path();
            let number = path
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|name| name.len() == 16)
                .and_then(|name| u64::from_str_radix(name, 16).ok());
            let is_needed = match number {
                None => path.extension().is_none_or(|extension| extension != "new"),
                // One whose head is damaged may be needed: reading it will tell.
                Some(number) => match head(&path) {
                    Some((key, ..)) => self.place(&key)? == Some(Place::File(number)),
                    None => true,
                },
            };
            if !is_needed {
                fs::remove_file(&path).map_err(unavailable)?;
            }
        }
        Ok(())
    }

    fn place(&self, key: &str) -> Result<Option<Place>, Failure> {
        let Some(value) = self.shared.storage.get(Space::Names, &name(key))? else { return Ok(None) };
        let place = match value.split_first() {
            Some((0, _)) => Some(Place::Inline(value.slice(1..))),
            Some((1, mut from)) => take_number(&mut from).filter(|_| from.is_empty()).map(Place::File),
            _ => None,
        };
        place.map(Some).ok_or_else(|| Failure::Damaged(format!("the place of the blob {key} cannot be read")))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016x}"))
    }

    /// Replaces the place of a blob, and removes the file of the one before.
    async fn replace(&self, key: &str, value: Option<Vec<u8>>) -> Result<(), Failure> {
        let before = self.place(key)?;
        let write = Write { space: Space::Names, key: name(key).into(), value: value.map(Bytes::from) };
        self.shared.write(vec![write]).await?;
        if let Some(Place::File(number)) = before {
            // If this fails, or two replace at once, the next opening removes what is left.
            let _ = fs::remove_file(self.path(number));
        }
        Ok(())
    }
}

#[async_trait]
impl ports::Blobs for Blobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        check_key(key)?;
        let value = match bytes.len() <= INLINE_BYTES_MAX {
            true => [&[0], &bytes[..]].concat(),
            false => {
                let number = self.shared.number();
                let (path, owned) = (self.path(number), key.to_owned());
                let written = blocking(move || write(&path, &owned, &bytes)).await?;
                written.map_err(|error| {
                    BlobError::Unavailable(format!("{}: {error}", self.path(number).display()))
                })?;
                let mut value = vec![1];
                push_number(&mut value, number);
                value
            }
        };
        Ok(self.replace(key, Some(value)).await?)
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, BlobError> {
        let mut place = self.place(key)?;
        loop {
            let number = match &place {
                None => return Ok(None),
                Some(Place::Inline(bytes)) => return Ok(Some(bytes.clone())),
                Some(Place::File(number)) => *number,
            };
            let (path, owned) = (self.path(number), key.to_owned());
            match blocking(move || read(&path, &owned)).await? {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(reason) => {
                    // It may have been replaced meanwhile.
                    let now = self.place(key)?;
                    if now == place {
                        return Err(BlobError::Damaged(format!(
                            "{key}: {}: {reason}",
                            self.path(number).display()
                        )));
                    }
                    place = now;
                }
            }
        }
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.place(key)? {
            None => Ok(()),
            Some(_) => Ok(self.replace(key, None).await?),
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Text>, BlobError> {
        let from = after.filter(|after| *after >= prefix).unwrap_or(prefix);
        let mut keys = Vec::new();
        if limit > 0 {
            self.shared.names(MARK, from.as_bytes(), |key, _| {
                if !key.starts_with(prefix.as_bytes()) {
                    return Ok(false);
                }
                if Some(key) != after.map(str::as_bytes) {
                    let key = std::str::from_utf8(key);
                    let key =
                        key.map_err(|_| Failure::Damaged("the key of a blob cannot be read".to_owned()))?;
                    keys.push(Text::from(key));
                }
                Ok(keys.len() < limit)
            })?;
        }
        Ok(keys)
    }
}

fn name(key: &str) -> Vec<u8> {
    [&[MARK], key.as_bytes()].concat()
}

/// Files are written and read off the threads that everything else runs on.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, BlobError> {
    let done = tokio::task::spawn_blocking(run).await;
    done.map_err(|error| BlobError::Unavailable(format!("the file was left alone: {error}")))
}

fn write(path: &Path, key: &str, blob: &[u8]) -> std::io::Result<()> {
    let mut header = TITLE.to_vec();
    push_bytes(&mut header, key.as_bytes());
    push_number(&mut header, blob.len() as u64);
    header.extend_from_slice(&xxh3_128(blob).to_le_bytes());
    let fresh = path.with_extension("new");
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(&header)?;
        file.write_all(blob)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        sync_folder(path.parent().unwrap_or(path))
    });
    if written.is_err() {
        // Room for others; if that fails, too, the next opening removes it.
        let _ = fs::remove_file(&fresh);
    }
    written
}

fn read(path: &Path, key: &str) -> Result<Bytes, String> {
    let file = fs::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "the file is missing".to_owned(),
        _ => error.to_string(),
    })?;
    let file = Bytes::from(file);
    let mut from = &file[..];
    let (found, bytes, checksum) = take_header(&mut from).ok_or("the head of the file cannot be read")?;
    let blob = file.slice(file.len() - from.len()..);
    if found != key {
        return Err(format!("the file is that of {found}"));
    }
    if blob.len() as u64 != bytes {
        return Err(format!("the file has {} bytes of {bytes}", blob.len()));
    }
    if xxh3_128(&blob) != checksum {
        return Err("the file does not match its checksum".to_owned());
    }
    Ok(blob)
}

fn head(path: &Path) -> Option<(String, u64, u128)> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(HEADER_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    take_header(&mut &bytes[..])
}

fn take_header(from: &mut &[u8]) -> Option<(String, u64, u128)> {
    let (title, rest) = from.split_first_chunk::<8>()?;
    *from = rest;
    if title != TITLE {
        return None;
    }
    let key = String::from_utf8(take_bytes(from)?.to_vec()).ok()?;
    let bytes = take_number(from)?;
    let (checksum, rest) = from.split_first_chunk::<16>()?;
    *from = rest;
    Some((key, bytes, u128::from_le_bytes(*checksum)))
}
