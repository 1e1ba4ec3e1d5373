//! The log: batches of writes, one behind the other, in segments.
//!
//! A segment is `log/<number>.log`: a header of 36 bytes (title, format, its number, the number of
//! its first batch, checksum), then frames. A frame is a header of 24 bytes (length of the batch,
//! its number, its checksum, checksum of the header), then the batch: writes as
//! [`push_write`] makes them. Batches are numbered from 1 without gaps across all segments.
//!
//! Behind the last batch stand zeros that the log has not reached yet; the end of a segment that the
//! log has left is cut off there.
//!
//! **What a crash may leave.** A batch is acknowledged once it is synced, and the next is written
//! behind it. So only the last batch of the last segment may be torn: it ends too early, or some
//! sector of it was never written and reads as zeros. Everything else that does not match its
//! checksum is damage, and is reported: the store does not open with a part of what it had.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::codec::{push_bytes, take_bytes};
use crate::directory::{Closed, sync_folder};
use crate::error::OpenError;
use crate::key::Space;
use crate::memtable::Write;

const TITLE: &[u8; 8] = b"STEPWLOG";
const FORMAT: u32 = 1;
/// Bytes of the header of a segment.
pub const SEGMENT_HEADER: usize = 36;
/// Bytes of the header of a frame.
pub const FRAME_HEADER: usize = 24;
/// Longest batch.
const BATCH_BYTES_MAX: usize = 1 << 30;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Zeros that are written ahead of the log, so that a sync need not write the length of the file:
/// it takes half the time then.
const RESERVE: usize = 256 * 1024;
/// Longer frames take their time anyway, and writing twice would cost more than it saves.
const RESERVING_MAX: usize = 32 * 1024;

/// Marks the removal of a key.
const REMOVED: u8 = 0x80;

/// Appends a write to a batch.
pub fn push_write(batch: &mut Vec<u8>, write: &Write) {
    match &write.value {
        None => {
            batch.push(write.space.number() | REMOVED);
            push_bytes(batch, &write.key);
        }
        Some(value) => {
            batch.push(write.space.number());
            push_bytes(batch, &write.key);
            push_bytes(batch, value);
        }
    }
}

fn take_write(batch: &Bytes, from: &mut &[u8]) -> Option<Write> {
    let (mark, rest) = from.split_first()?;
    *from = rest;
    let space = Space::of(mark & !REMOVED)?;
    let mut bytes = || -> Option<Bytes> {
        let count = take_bytes(from)?.len();
        let end = batch.len() - from.len();
        Some(batch.slice(end - count..end))
    };
    let key = bytes()?;
    let value = if mark & REMOVED == 0 { Some(bytes()?) } else { None };
    Some(Write { space, key, value })
}

/// What the log is written to: a file, or in tests one that fails.
pub trait Medium: Send {
    /// Appends all of it.
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    /// Writes zeros behind what was appended, and goes on at `bytes`, before them.
    fn reserve(&mut self, bytes: u64) -> std::io::Result<()>;
    /// Makes what was appended durable.
    fn sync(&mut self) -> std::io::Result<()>;
    /// Cuts it off behind so many bytes, and goes on there.
    fn truncate(&mut self, bytes: u64) -> std::io::Result<()>;
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write_all(bytes)
    }

    fn reserve(&mut self, bytes: u64) -> std::io::Result<()> {
        self.write_all(&[0; RESERVE])?;
        self.seek(SeekFrom::Start(bytes)).map(|_| ())
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, bytes: u64) -> std::io::Result<()> {
        self.set_len(bytes)?;
        self.seek(SeekFrom::Start(bytes)).map(|_| ())
    }
}

/// Turns the file of a new segment into what is written to.
pub type OpenMedium = dyn Fn(File) -> Box<dyn Medium> + Send + Sync;

/// Why a batch was not appended.
#[derive(Debug)]
pub enum AppendError {
    /// Nothing is left of it; the next may succeed.
    Refused(std::io::Error),
    /// The log cannot go on.
    Broken(std::io::Error),
}

/// The end of the log.
pub struct Log {
    folder: PathBuf,
    open: Box<OpenMedium>,
    medium: Box<dyn Medium>,
    segment: u64,
    bytes: u64,
    /// Length of the file, with the zeros behind the log.
    reserved: u64,
    next: u64,
    dirty: bool,
}

impl Log {
    /// Begins a segment.
    pub fn create(folder: &Path, open: Box<OpenMedium>, segment: u64, next: u64) -> std::io::Result<Log> {
        let medium = create_segment(folder, &*open, segment, next)?;
        let folder = folder.to_owned();
        let bytes = SEGMENT_HEADER as u64;
        Ok(Log { folder, open, medium, segment, bytes, reserved: bytes, next, dirty: false })
    }

    /// Appends a batch: `frame` is [`FRAME_HEADER`] bytes that are filled here, and its writes.
    pub fn append(&mut self, frame: &mut [u8]) -> Result<(), AppendError> {
        seal(frame, self.segment, self.next);
        let appended = self.medium.append(frame);
        if let Err(error) = appended {
            // What was written of it must go: the next batch has the same number.
            return match self.cut() {
                Ok(()) => Err(AppendError::Refused(error)),
                Err(_) => Err(AppendError::Broken(error)),
            };
        }
        self.bytes += frame.len() as u64;
        self.next += 1;
        self.dirty = true;
        if self.bytes > self.reserved {
            self.reserved = self.bytes;
            if frame.len() <= RESERVING_MAX {
                match self.medium.reserve(self.bytes) {
                    Ok(()) => self.reserved += RESERVE as u64,
                    // Without room for it the log goes on as it is.
                    Err(_) => self.cut().map_err(AppendError::Broken)?,
                }
            }
        }
        Ok(())
    }

    /// Cuts off everything behind the log.
    fn cut(&mut self) -> std::io::Result<()> {
        self.medium.truncate(self.bytes)?;
        self.reserved = self.bytes;
        self.dirty = true;
        Ok(())
    }

    /// Makes everything that was appended durable. After an error nothing is known of it, and
    /// trying again would not tell.
    pub fn sync(&mut self) -> std::io::Result<bool> {
        if !self.dirty {
            return Ok(false);
        }
        self.medium.sync()?;
        self.dirty = false;
        Ok(true)
    }

    /// Goes on in a new segment; what was written is durable then.
    pub fn rotate(&mut self) -> Result<(), AppendError> {
        self.finish().map_err(AppendError::Broken)?;
        let segment = self.segment + 1;
        self.medium =
            create_segment(&self.folder, &*self.open, segment, self.next).map_err(AppendError::Refused)?;
        self.segment = segment;
        self.bytes = SEGMENT_HEADER as u64;
        self.reserved = self.bytes;
        Ok(())
    }

    /// Number of the segment that is written to.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Number of the last batch, 0 before the first.
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    /// Ends the segment where the log ends, and makes it durable. Where that is.
    pub fn finish(&mut self) -> std::io::Result<Closed> {
        if self.reserved > self.bytes {
            self.cut()?;
        }
        self.sync()?;
        Ok(self.end())
    }

    fn end(&self) -> Closed {
        Closed { segment: self.segment, bytes: self.bytes, next: self.next }
    }
}

fn create_segment(
    folder: &Path,
    open: &OpenMedium,
    segment: u64,
    next: u64,
) -> std::io::Result<Box<dyn Medium>> {
    let path = segment_path(folder, segment);
    // One that a failed attempt left behind holds nothing yet.
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
    let mut medium = open(file);
    let written = medium
        .append(&segment_header(segment, next))
        .and_then(|()| medium.sync())
        .and_then(|()| sync_folder(folder));
    match written {
        Ok(()) => Ok(medium),
        Err(error) => {
            drop(medium);
            // Half a header at the end of the log is what a crash leaves, too: no harm if it stays.
            let _ = fs::remove_file(&path);
            Err(error)
        }
    }
}

fn segment_header(segment: u64, next: u64) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(TITLE);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[12..20].copy_from_slice(&segment.to_le_bytes());
    header[20..28].copy_from_slice(&next.to_le_bytes());
    let checksum = xxh3_64(&header[..28]);
    header[28..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Fills the header of a frame.
fn seal(frame: &mut [u8], segment: u64, number: u64) {
    let (header, batch) = frame.split_at_mut(FRAME_HEADER);
    header[..4].copy_from_slice(&u32::try_from(batch.len()).unwrap_or(u32::MAX).to_le_bytes());
    header[4..12].copy_from_slice(&number.to_le_bytes());
    header[12..20].copy_from_slice(&xxh3_64(batch).to_le_bytes());
    let checksum = header_checksum(&header[..20], segment);
    header[20..].copy_from_slice(&checksum.to_le_bytes());
}

fn header_checksum(header: &[u8], segment: u64) -> u32 {
    (xxh3_64(header) ^ segment.wrapping_mul(0x9E37_79B9_7F4A_7C15)) as u32
}

/// Path of a segment.
pub fn segment_path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:012}.log"))
}

/// Removes the segments up to one: the sorted files have what they hold.
pub fn remove_segments(folder: &Path, up_to: u64) -> std::io::Result<()> {
    for segment in segments(folder).map_err(|error| std::io::Error::other(error.to_string()))? {
        if segment <= up_to {
            fs::remove_file(segment_path(folder, segment))?;
        }
    }
    Ok(())
}

fn segments(folder: &Path) -> Result<Vec<u64>, OpenError> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(OpenError::io(folder))? {
        let path = entry.map_err(OpenError::io(folder))?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
            let digits = name.strip_suffix(".log")?;
            (digits.len() == 12).then(|| digits.parse().ok()).flatten()
        });
        match number {
            Some(number) => segments.push(number),
            None => return Err(OpenError::damaged(&path, "the log has no such file")),
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// What a log held.
#[derive(Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Number of the last segment, 0 when there is none.
    pub segment: u64,
    /// Number of the batch that comes next.
    pub next: u64,
    /// How many segments there are.
    pub segments: usize,
}

/// Reads the log and hands over the writes of every batch behind `flushed`, in order. A torn last
/// batch is cut off.
pub fn replay(
    folder: &Path,
    flushed: u64,
    closed: Option<&Closed>,
    mut apply: impl FnMut(Write),
) -> Result<Replayed, OpenError> {
    let segments = segments(folder)?;
    let mut next = None;
    let mut end = None;
    for (place, segment) in segments.iter().enumerate() {
        let path = segment_path(folder, *segment);
        let is_last = place + 1 == segments.len();
        if place > 0 && segments[place - 1] + 1 != *segment {
            return Err(OpenError::damaged(&segment_path(folder, segment - 1), "it is missing"));
        }
        let bytes = Bytes::from(fs::read(&path).map_err(OpenError::io(&path))?);
        let mut reader = Reader { path: &path, bytes, at: 0, segment: *segment };
        let Some(first) = reader.header(is_last && closed.is_none())? else {
            // Its creation was cut short; nothing was written to it.
            fs::remove_file(&path).map_err(OpenError::io(&path))?;
            break;
        };
        let expected = match next {
            Some(next) => first == next,
            None => first <= flushed + 1,
        };
        if !expected {
            let reason = format!("it begins with batch {first}, and batches before it are missing");
            return Err(OpenError::damaged(&path, reason));
        }
        let mut number = first;
        while let Some(batch) = reader.frame(number, is_last && closed.is_none())? {
            if number > flushed {
                let mut from = &batch[..];
                while !from.is_empty() {
                    let write = take_write(&batch, &mut from).ok_or_else(|| {
                        OpenError::damaged(&path, format!("batch {number} holds something else than writes"))
                    })?;
                    apply(write);
                }
            }
            number += 1;
        }
        next = Some(number);
        end = Some(Closed { segment: *segment, bytes: reader.at as u64, next: number });
    }
    if let Some(closed) = closed
        && end.as_ref() != Some(closed)
    {
        let path = segment_path(folder, closed.segment);
        let reason =
            format!("the log ended with batch {} when it was closed, and does not now", closed.next - 1);
        return Err(OpenError::damaged(&path, reason));
    }
    let next = next.unwrap_or(flushed + 1);
    if next <= flushed {
        let reason = format!("it ends before batch {flushed}, which was written");
        return Err(OpenError::damaged(folder, reason));
    }
    let segment = end.map_or(0, |end| end.segment);
    Ok(Replayed { segment, next, segments: segments.len() })
}

/// Reads one segment.
struct Reader<'a> {
    path: &'a Path,
    bytes: Bytes,
    at: usize,
    segment: u64,
}

impl Reader<'_> {
    /// The number of the first batch; `None` when the header is torn and may be.
    fn header(&mut self, may_be_torn: bool) -> Result<Option<u64>, OpenError> {
        let header = self.bytes.get(..SEGMENT_HEADER);
        let first = header.map(|header| u64::from_le_bytes(eight(&header[20..28])));
        match (header, first) {
            (Some(header), Some(first)) if header == segment_header(self.segment, first) => {
                self.at = SEGMENT_HEADER;
                Ok(Some(first))
            }
            _ if may_be_torn && self.is_torn(SEGMENT_HEADER) => Ok(None),
            _ => Err(OpenError::damaged(self.path, "its header does not match its checksum")),
        }
    }

    /// The next batch; `None` at the end, where a torn one is cut off if there may be one.
    fn frame(&mut self, number: u64, may_be_torn: bool) -> Result<Option<Bytes>, OpenError> {
        let rest = self.bytes.slice(self.at..);
        if rest.is_empty() {
            return Ok(None);
        }
        let (bytes, reason) = match rest.split_first_chunk::<FRAME_HEADER>() {
            None => (FRAME_HEADER, "ends within its header"),
            Some((header, batch)) => {
                let bytes = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
                let checksum = u32::from_le_bytes([header[20], header[21], header[22], header[23]]);
                if checksum != header_checksum(&header[..20], self.segment)
                    || u64::from_le_bytes(eight(&header[4..12])) != number
                    || bytes > BATCH_BYTES_MAX
                {
                    (FRAME_HEADER, "does not match the checksum of its header")
                } else if batch.len() < bytes {
                    (FRAME_HEADER + bytes, "ends too early")
                } else if xxh3_64(&batch[..bytes]) != u64::from_le_bytes(eight(&header[12..20])) {
                    (FRAME_HEADER + bytes, "does not match its checksum")
                } else {
                    self.at += FRAME_HEADER + bytes;
                    return Ok(Some(rest.slice(FRAME_HEADER..FRAME_HEADER + bytes)));
                }
            }
        };
        if may_be_torn && self.is_torn(bytes) {
            let file = OpenOptions::new().write(true).open(self.path).map_err(OpenError::io(self.path))?;
            file.set_len(self.at as u64).and_then(|()| file.sync_all()).map_err(OpenError::io(self.path))?;
            return Ok(None);
        }
        Err(OpenError::damaged(self.path, format!("batch {number}, at byte {}, {reason}", self.at)))
    }

    /// Whether what stands here looks like `bytes` bytes of which not all were written.
    fn is_torn(&self, bytes: usize) -> bool {
        let end = self.at + bytes;
        if end > self.bytes.len() {
            return true;
        }
        let mut at = self.at;
        while at < end {
            let sector_end = (at / SECTOR + 1) * SECTOR;
            let sector = &self.bytes[at..sector_end.min(self.bytes.len())];
            if sector.iter().all(|byte| *byte == 0) {
                return true;
            }
            at = sector_end;
        }
        false
    }
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(bytes);
    eight
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Box<OpenMedium> {
        Box::new(|file| Box::new(file))
    }

    fn write(number: u64) -> Write {
        let value = Bytes::from(format!("value {number} ").repeat(usize::try_from(number).unwrap() * 7 + 1));
        Write { space: Space::Rows, key: Bytes::from(format!("key {number}\0\x01a")), value: Some(value) }
    }

    fn append(log: &mut Log, write: &Write) {
        let mut frame = vec![0; FRAME_HEADER];
        push_write(&mut frame, write);
        log.append(&mut frame).unwrap();
    }

    fn read(
        folder: &Path,
        flushed: u64,
        closed: Option<&Closed>,
    ) -> Result<(Vec<Write>, Replayed), OpenError> {
        let mut writes = Vec::new();
        let replayed = replay(folder, flushed, closed, |write| writes.push(write))?;
        Ok((writes, replayed))
    }

    fn filled(folder: &Path) -> Closed {
        let mut log = Log::create(folder, file(), 1, 1).unwrap();
        for number in 1..=12 {
            append(&mut log, &write(number));
            if number % 5 == 0 {
                log.rotate().unwrap();
            }
        }
        log.finish().unwrap()
    }

    #[test]
    fn what_is_appended_is_replayed_behind_what_is_flushed() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        let expected: Vec<Write> = (1..=12).map(write).collect();
        let (writes, replayed) = read(folder.path(), 0, None).unwrap();
        assert_eq!((writes, replayed), (expected.clone(), Replayed { segment: 3, next: 13, segments: 3 }));
        assert_eq!(read(folder.path(), 7, None).unwrap().0, expected[7..]);
        remove_segments(folder.path(), 1).unwrap();
        assert_eq!(read(folder.path(), 5, None).unwrap().0, expected[5..]);
        let error = read(folder.path(), 4, None).unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
    }

    #[test]
    fn a_cut_at_the_end_loses_whole_batches_from_the_end_only() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        let last = segment_path(folder.path(), 3);
        let whole = fs::read(&last).unwrap();
        let expected: Vec<Write> = (1..=12).map(write).collect();
        assert!(whole.len() > 2 * SECTOR);
        for bytes in (0..whole.len()).filter(|bytes| bytes % 5 == 0 || bytes % SECTOR == 0) {
            // Sectors that were never written read as zeros.
            for zeros in [0, 700].into_iter().filter(|zeros| *zeros == 0 || bytes % SECTOR == 0) {
                let mut cut = whole[..bytes].to_vec();
                cut.resize(bytes + zeros, 0);
                fs::write(&last, &cut).unwrap();
                let (writes, _) = read(folder.path(), 0, None).unwrap();
                assert!(writes.len() >= 10 && writes[..] == expected[..writes.len()], "cut at {bytes}");
                // What is left is whole: it reads the same once more.
                assert_eq!(read(folder.path(), 0, None).unwrap().0, writes);
            }
        }
    }

    #[test]
    fn a_changed_byte_is_damage_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        for segment in 1..=3 {
            let path = segment_path(folder.path(), segment);
            let whole = fs::read(&path).unwrap();
            for at in (0..whole.len()).filter(|at| at % 5 == 0 || *at < 80) {
                let mut changed = whole.clone();
                changed[at] ^= 0x10;
                fs::write(&path, &changed).unwrap();
                let error = read(folder.path(), 0, None).unwrap_err();
                assert!(
                    matches!(&error, OpenError::Damaged { file, .. } if *file == path),
                    "segment {segment}, byte {at}: {error}"
                );
            }
            fs::write(&path, &whole).unwrap();
        }
    }

    #[test]
    fn after_an_orderly_end_every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let closed = filled(folder.path());
        assert_eq!(read(folder.path(), 0, Some(&closed)).unwrap().0.len(), 12);
        let last = segment_path(folder.path(), 3);
        let whole = fs::read(&last).unwrap();
        for bytes in 0..whole.len() {
            fs::write(&last, &whole[..bytes]).unwrap();
            assert!(read(folder.path(), 0, Some(&closed)).is_err(), "cut at {bytes}");
        }
        fs::remove_file(&last).unwrap();
        assert!(read(folder.path(), 0, Some(&closed)).is_err());
    }

    #[test]
    fn a_log_that_was_not_finished_ends_in_zeros_and_goes_on_without_them() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::create(folder.path(), file(), 1, 1).unwrap();
        for number in 1..=3 {
            append(&mut log, &write(number));
        }
        log.sync().unwrap();
        let bytes = log.bytes();
        drop(log);
        let path = segment_path(folder.path(), 1);
        let whole = fs::read(&path).unwrap();
        assert!(
            whole.len() as u64 > bytes && whole.len() <= SEGMENT_HEADER + RESERVE + 100,
            "{}",
            whole.len()
        );
        // A batch of which the middle was not written.
        let mut torn = whole.clone();
        let at = usize::try_from(bytes).unwrap();
        let mut frame = vec![0; FRAME_HEADER];
        push_write(&mut frame, &write(60));
        seal(&mut frame, 1, 4);
        assert!(frame.len() > 4 * SECTOR);
        torn[at..at + frame.len()].copy_from_slice(&frame);
        torn[2 * SECTOR..3 * SECTOR].fill(0);
        for bytes in [torn, whole] {
            fs::write(&path, bytes).unwrap();
            let (writes, replayed) = read(folder.path(), 0, None).unwrap();
            assert_eq!(
                (writes, replayed),
                ((1..=3).map(write).collect(), Replayed { segment: 1, next: 4, segments: 1 })
            );
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), bytes);
    }

    #[test]
    fn a_missing_segment_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path());
        fs::remove_file(segment_path(folder.path(), 2)).unwrap();
        assert!(matches!(read(folder.path(), 0, None), Err(OpenError::Damaged { .. })));
    }
}
