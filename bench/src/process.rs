//! Memory, disk, and processes beside this one.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A directory for the data of a measurement, which goes with its value. It stands beside the
/// binaries, which are on a disk; the directory for temporary files may be in memory, where a sync
/// costs nothing.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// An empty directory.
    pub fn new(name: &str) -> Result<Scratch, String> {
        let own = std::env::current_exe().map_err(|error| format!("own path is unknown: {error}"))?;
        let path = own.with_file_name(format!("bench-data-{name}-{}", std::process::id()));
        let failed = |error| format!("{} cannot be used: {error}", path.display());
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(failed)?;
        }
        std::fs::create_dir_all(&path).map_err(failed)?;
        Ok(Scratch { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("{} is left behind: {error}", self.path.display());
        }
    }
}

/// A binary built beside this one.
pub fn sibling(name: &str) -> Result<PathBuf, String> {
    built(own()?.with_file_name(name))
}

/// A binary built as it runs on Lambda: in cargo's profile of that name.
pub fn of_lambda(name: &str) -> Result<PathBuf, String> {
    let own = own()?;
    let target = own.ancestors().nth(2).ok_or("own path has no folder above")?;
    built(target.join("lambda").join(name))
}

fn own() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("own path is unknown: {error}"))
}

fn built(program: PathBuf) -> Result<PathBuf, String> {
    let path = program.with_extension(std::env::consts::EXE_EXTENSION);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built; run `make bench`", path.display())) }
}

/// A process that prints lines. It is killed with its value, at once and as a crash would.
pub struct Talking {
    child: Child,
    lines: mpsc::Receiver<String>,
    began: Instant,
    name: String,
}

impl Talking {
    /// Starts `binary` in a directory. What it says to standard error is shown.
    pub fn start(
        binary: &Path,
        arguments: &[impl AsRef<OsStr>],
        directory: &Path,
    ) -> Result<Talking, String> {
        let began = Instant::now();
        let mut child = Command::new(binary)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", binary.display()))?;
        let stdout = child.stdout.take().ok_or("a process without standard output")?;
        let (found, lines) = mpsc::channel();
        // Reads on when nobody listens: a full pipe would stop the process.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = found.send(line);
            }
        });
        let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Talking { child, lines, began, name })
    }

    /// The first line that `find` makes something of.
    pub fn wait_for<T>(
        &mut self,
        what: &str,
        patience: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        let until = Instant::now() + patience;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(format!("`{}` did not say {what} in {patience:?}", self.name));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().map_err(|error| error.to_string())?;
                    return Err(format!("`{}` did not say {what} and ended with {status}", self.name));
                }
            }
        }
    }

    /// The number in the line `name number`.
    pub fn number(&mut self, name: &str, patience: Duration) -> Result<f64, String> {
        self.wait_for(name, patience, |line| {
            let (found, number) = line.split_once(' ')?;
            if found == name { number.parse().ok() } else { None }
        })
    }

    /// Since it was started.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Memory that this process occupies, in bytes.
pub fn resident_bytes() -> Result<u64, String> {
    Ok(memory("self")?.resident_bytes)
}

/// Memory that a process occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Now, in bytes.
    pub resident_bytes: u64,
    /// At most since it was started, in bytes.
    pub peak_bytes: u64,
}

/// The memory of a process, by its number.
pub fn memory(process: &str) -> Result<Memory, String> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path)
        .map_err(|error| format!("the system does not tell how much memory is in use: {path}: {error}"))?;
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes: Option<u64> =
            line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
        Ok::<u64, String>(kilobytes.ok_or_else(|| format!("{path} has no {name}"))? * 1024)
    };
    Ok(Memory { resident_bytes: bytes("VmRSS:")?, peak_bytes: bytes("VmHWM:")? })
}

/// CPU that this thread has used. Where the system does not tell: time.
pub fn thread_cpu() -> Duration {
    #[cfg(unix)]
    {
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let (seconds, nanoseconds) = (u64::try_from(used.tv_sec), u32::try_from(used.tv_nsec));
        Duration::new(seconds.unwrap_or_default(), nanoseconds.unwrap_or_default())
    }
    #[cfg(not(unix))]
    {
        static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        BEGAN.get_or_init(Instant::now).elapsed()
    }
}

/// What the files of a directory take on the disk, in bytes. What goes away meanwhile is left out.
pub fn disk_bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        Ok(metadata) => allocated(&metadata),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(unix)]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.blocks() * 512
}

#[cfg(not(unix))]
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_is_counted_and_goes() {
        let scratch = Scratch::new("counted").expect("a directory");
        std::fs::create_dir(scratch.path().join("inner")).expect("it is made");
        let empty = disk_bytes(scratch.path());
        std::fs::write(scratch.path().join("inner/file"), vec![7; 100_000]).expect("it is written");
        std::fs::File::open(scratch.path().join("inner/file"))
            .and_then(|file| file.sync_all())
            .expect("it is synced");
        let grown = disk_bytes(scratch.path()) - empty;
        assert!((100_000..120_000).contains(&grown), "{grown}");
        let path = scratch.path().to_owned();
        drop(scratch);
        assert!(!path.exists());
    }
}
