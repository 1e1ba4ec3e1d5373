//! One file of a zip archive, of which only the parts that it needs are read.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use miniz_oxide::inflate::decompress_to_vec_with_limit;

/// Bytes in which the end of an archive is found: its last record with the longest comment, and
/// what leads to the longer form of that record.
const TAIL_BYTES: u64 = 22 + 65_535 + 20 + 56;
/// Bytes of a directory: some hundred thousand files.
const DIRECTORY_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A file that does not compress takes a little more in its compressed form.
const OVERHEAD_BYTES: u64 = 16 * 1024;

const END: u32 = 0x0605_4b50;
const END_64_LOCATOR: u32 = 0x0706_4b50;
const END_64: u32 = 0x0606_4b50;
const ENTRY: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;

/// The bytes of an archive.
#[async_trait]
pub trait Archive: Send + Sync {
    /// The last bytes, at most so many, and how many bytes there are in all.
    async fn tail(&self, bytes: u64) -> Result<(Bytes, u64), ReadError>;
    /// These bytes.
    async fn range(&self, range: Range<u64>) -> Result<Bytes, ReadError>;
}

/// Why a file cannot be read out of an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The archive is not there.
    #[error("{0}")]
    Absent(String),
    /// It may not be read.
    #[error("{0}")]
    Forbidden(String),
    /// It cannot be read at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// It is no archive, or not what the pipeline's user thinks.
    #[error("{0}")]
    Unusable(String),
}

fn damaged(what: &str) -> ReadError {
    ReadError::Unusable(format!("the artifact is no zip archive that can be read: {what}"))
}

/// What the directory says of a file.
#[derive(Debug)]
struct Entry {
    flags: u16,
    method: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    offset: u64,
}

/// The file `path`, of at most `bytes_max` bytes.
pub async fn read(archive: &dyn Archive, path: &str, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let (tail, total) = archive.tail(TAIL_BYTES).await?;
    let source = Source { archive, start: total.saturating_sub(tail.len() as u64), tail, total };
    let directory = source.directory().await?;
    let entry = find(&directory, path)?;
    if entry.flags & 1 != 0 {
        return Err(ReadError::Unusable(format!("the file `{path}` in the artifact is encrypted")));
    }
    let too_large =
        || ReadError::Unusable(format!("the file `{path}` in the artifact has more than {bytes_max} bytes"));
    if entry.size > bytes_max || entry.compressed > bytes_max + OVERHEAD_BYTES {
        return Err(too_large());
    }
    let header = source.read(entry.offset, 30).await?;
    let header = Fields(&header);
    if header.u32(0)? != LOCAL {
        return Err(damaged("a file does not begin where the directory says"));
    }
    let data = entry.offset + 30 + u64::from(header.u16(26)?) + u64::from(header.u16(28)?);
    let data = source.read(data, entry.compressed).await?;
    let size = usize::try_from(entry.size).map_err(|_| too_large())?;
    let bytes = match entry.method {
        0 => data.to_vec(),
        // Whatever it says of itself, it does not become larger than that.
        8 => decompress_to_vec_with_limit(&data, size)
            .map_err(|_| damaged(&format!("`{path}` is not compressed as it says")))?,
        method => {
            let message = format!(
                "the file `{path}` in the artifact is compressed by method {method}; store it, or deflate it"
            );
            return Err(ReadError::Unusable(message));
        }
    };
    if bytes.len() != size || crc32fast::hash(&bytes) != entry.crc {
        return Err(damaged(&format!("`{path}` is not what it was")));
    }
    Ok(bytes)
}

/// An archive whose end is at hand.
struct Source<'a> {
    archive: &'a dyn Archive,
    tail: Bytes,
    /// Where the tail begins.
    start: u64,
    total: u64,
}

impl Source<'_> {
    async fn read(&self, at: u64, bytes: u64) -> Result<Bytes, ReadError> {
        let end = at.checked_add(bytes).filter(|end| *end <= self.total);
        let end = end.ok_or_else(|| damaged("it ends too early"))?;
        let inside = at.checked_sub(self.start).zip(end.checked_sub(self.start));
        if let Some((from, to)) =
            inside.and_then(|(from, to)| Some((usize::try_from(from).ok()?, usize::try_from(to).ok()?)))
            && to <= self.tail.len()
        {
            return Ok(self.tail.slice(from..to));
        }
        if bytes == 0 {
            return Ok(Bytes::new());
        }
        let found = self.archive.range(at..end).await?;
        if found.len() as u64 != bytes {
            return Err(damaged("it is not as long as it was"));
        }
        Ok(found)
    }

    /// The directory: an entry for each file.
    async fn directory(&self) -> Result<Bytes, ReadError> {
        let end = self.end().ok_or_else(|| damaged("it has no end"))?;
        let fields = Fields(&self.tail[end..]);
        let (mut bytes, mut at) = (u64::from(fields.u32(12)?), u64::from(fields.u32(16)?));
        if bytes == u64::from(u32::MAX) || at == u64::from(u32::MAX) || fields.u16(10)? == u16::MAX {
            let locator = end.checked_sub(20).map(|start| Fields(&self.tail[start..end]));
            if let Some(locator) = locator
                && locator.u32(0)? == END_64_LOCATOR
            {
                let record = self.read(locator.u64(8)?, 56).await?;
                let record = Fields(&record);
                if record.u32(0)? != END_64 {
                    return Err(damaged("its end is not where it says"));
                }
                (bytes, at) = (record.u64(40)?, record.u64(48)?);
            }
        }
        if bytes > DIRECTORY_BYTES_MAX {
            let message =
                format!("the directory of the artifact has {bytes} bytes, more than {DIRECTORY_BYTES_MAX}");
            return Err(ReadError::Unusable(message));
        }
        self.read(at, bytes).await
    }

    /// Where the last record begins: as near to the end as there is one whose comment fits.
    fn end(&self) -> Option<usize> {
        let last = self.tail.len().checked_sub(22)?;
        (0..=last).rev().find(|start| {
            let fields = Fields(&self.tail[*start..]);
            let comment = fields.u16(20).map(usize::from);
            fields.u32(0) == Ok(END) && comment.is_ok_and(|comment| start + 22 + comment == self.tail.len())
        })
    }
}

fn find(directory: &[u8], path: &str) -> Result<Entry, ReadError> {
    let wanted = plain(path);
    let mut rest = directory;
    while !rest.is_empty() {
        let fields = Fields(rest);
        if fields.u32(0)? != ENTRY {
            return Err(damaged("its directory cannot be read"));
        }
        let (name, extra, comment) =
            (usize::from(fields.u16(28)?), usize::from(fields.u16(30)?), usize::from(fields.u16(32)?));
        let short = || damaged("its directory ends too early");
        let found = rest.get(46..46 + name).ok_or_else(short)?;
        if plain(&String::from_utf8_lossy(found)) == wanted {
            let extra = rest.get(46 + name..46 + name + extra).ok_or_else(short)?;
            return entry(fields, extra);
        }
        rest = rest.get(46 + name + extra + comment..).ok_or_else(short)?;
    }
    Err(ReadError::Unusable(format!("the artifact has no file `{path}`")))
}

fn entry(fields: Fields<'_>, extra: &[u8]) -> Result<Entry, ReadError> {
    let mut entry = Entry {
        flags: fields.u16(8)?,
        method: fields.u16(10)?,
        crc: fields.u32(16)?,
        compressed: fields.u32(20)?.into(),
        size: fields.u32(24)?.into(),
        offset: fields.u32(42)?.into(),
    };
    // What does not fit into 32 bits stands in an extra field, in this order.
    let mut rest = extra;
    while rest.len() >= 4 {
        let (id, bytes) = (Fields(rest).u16(0)?, usize::from(Fields(rest).u16(2)?));
        let body = rest.get(4..4 + bytes).ok_or_else(|| damaged("an extra field ends too early"))?;
        if id == 1 {
            let mut at = 0;
            for value in [&mut entry.size, &mut entry.compressed, &mut entry.offset] {
                if *value == u64::from(u32::MAX) {
                    *value = Fields(body).u64(at)?;
                    at += 8;
                }
            }
        }
        rest = &rest[4 + bytes..];
    }
    Ok(entry)
}

/// A path as archives have it: with `/`, from the root.
fn plain(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.trim_start_matches("./").trim_start_matches('/');
    path.to_owned()
}

/// Numbers, little end first.
#[derive(Clone, Copy)]
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(self, at: usize) -> Result<[u8; N], ReadError> {
        let found = self.0.get(at..at + N).and_then(|bytes| bytes.try_into().ok());
        found.ok_or_else(|| damaged("it ends too early"))
    }

    fn u16(self, at: usize) -> Result<u16, ReadError> {
        Ok(u16::from_le_bytes(self.bytes(at)?))
    }

    fn u32(self, at: usize) -> Result<u32, ReadError> {
        Ok(u32::from_le_bytes(self.bytes(at)?))
    }

    fn u64(self, at: usize) -> Result<u64, ReadError> {
        Ok(u64::from_le_bytes(self.bytes(at)?))
    }
}

/// Archives for tests.
#[cfg(test)]
pub mod fixture {
    use super::*;

    /// An archive in memory.
    pub struct Held(pub Vec<u8>);

    #[async_trait]
    impl Archive for Held {
        async fn tail(&self, bytes: u64) -> Result<(Bytes, u64), ReadError> {
            let start = self.0.len().saturating_sub(bytes as usize);
            Ok((self.0[start..].to_vec().into(), self.0.len() as u64))
        }

        async fn range(&self, range: Range<u64>) -> Result<Bytes, ReadError> {
            Ok(self.0[range.start as usize..range.end as usize].to_vec().into())
        }
    }

    /// An archive of deflated files.
    pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let data = miniz_oxide::deflate::compress_to_vec(content, 6);
            let offset = out.len() as u32;
            let common = |out: &mut Vec<u8>| {
                out.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
                out.extend(crc32fast::hash(content).to_le_bytes());
                out.extend((data.len() as u32).to_le_bytes());
                out.extend((content.len() as u32).to_le_bytes());
                out.extend((name.len() as u16).to_le_bytes());
                out.extend(0_u16.to_le_bytes());
            };
            out.extend(LOCAL.to_le_bytes());
            common(&mut out);
            out.extend(name.as_bytes());
            out.extend(&data);
            directory.extend(ENTRY.to_le_bytes());
            directory.extend([20, 0]);
            common(&mut directory);
            directory.extend([0; 10]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let (at, bytes, count) = (out.len() as u32, directory.len() as u32, files.len() as u16);
        out.extend(directory);
        out.extend(END.to_le_bytes());
        out.extend([0; 4]);
        out.extend(count.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(bytes.to_le_bytes());
        out.extend(at.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{Held, zip};
    use super::*;

    async fn check(bytes: Vec<u8>, path: &str, expected: Result<&[u8], &str>) {
        let found = read(&Held(bytes), path, 1_000).await;
        match expected {
            Ok(expected) => assert_eq!(found.as_deref(), Ok(expected), "{path}"),
            Err(expected) => {
                let said = found.unwrap_err().to_string();
                assert!(said.contains(expected), "{path}: {said}");
            }
        }
    }

    /// The archive with a number written over what the directory says of its last file.
    fn patched(mut bytes: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
        let entry = bytes.windows(4).rposition(|window| window == ENTRY.to_le_bytes()).unwrap();
        bytes[entry + at..entry + at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    #[tokio::test]
    async fn files_are_found_by_their_paths() {
        let archive = || zip(&[("a.json", b"{}"), ("in/b.json", b"[1, 2]"), ("empty", b"")]);
        check(archive(), "a.json", Ok(b"{}")).await;
        check(archive(), "./in/b.json", Ok(b"[1, 2]")).await;
        check(archive(), "/in\\b.json", Ok(b"[1, 2]")).await;
        check(archive(), "empty", Ok(b"")).await;
        check(archive(), "b.json", Err("the artifact has no file `b.json`")).await;
        // Far from the end, so that its parts are asked for one by one.
        let filler: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        check(zip(&[("a.json", b"{}"), ("filler", &filler)]), "a.json", Ok(b"{}")).await;
    }

    #[tokio::test]
    async fn a_comment_does_not_hide_the_end() {
        let mut archive = zip(&[("a.json", b"{}")]);
        let length = archive.len();
        archive[length - 2..].copy_from_slice(&5_u16.to_le_bytes());
        archive.extend(b"hello");
        check(archive, "a.json", Ok(b"{}")).await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said() {
        check(Vec::new(), "a", Err("it has no end")).await;
        check(b"this is no archive, but a text".to_vec(), "a", Err("it has no end")).await;
        let archive = || zip(&[("a", b"hello hello hello hello")]);
        check(archive()[1..].to_vec(), "a", Err("its directory cannot be read")).await;
        check(patched(archive(), 16, 7), "a", Err("is not what it was")).await;
        check(patched(archive(), 8, 0x0008_0001), "a", Err("is encrypted")).await;
        check(patched(archive(), 8, 0x000c_0000), "a", Err("method 12")).await;
        check(patched(archive(), 42, 9), "a", Err("does not begin where")).await;
        check(patched(archive(), 20, 900), "a", Err("ends too early")).await;
    }

    #[tokio::test]
    async fn a_file_is_never_larger_than_allowed() {
        let large = vec![b' '; 1_001];
        check(zip(&[("a", &large)]), "a", Err("more than 1000 bytes")).await;
        // It says that it is small: what comes out of it tells.
        let bomb = patched(zip(&[("a", &vec![b' '; 1_000_000])]), 24, 10);
        check(bomb, "a", Err("is not compressed as it says")).await;
    }

    #[tokio::test]
    async fn no_bytes_make_it_panic() {
        let archive = zip(&[("a.json", b"{}"), ("b", b"hello hello")]);
        for at in 0..archive.len() {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut changed = archive.clone();
                changed[at] = byte;
                let _ = read(&Held(changed), "b", 1_000).await;
            }
            let _ = read(&Held(archive[..at].to_vec()), "b", 1_000).await;
        }
    }
}
