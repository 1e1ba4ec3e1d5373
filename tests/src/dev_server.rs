//! `stepwright dev` as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::binaries;
use crate::http::Connection;

/// A running server. It is killed with its value.
pub struct DevServer {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From the start of the process to its word that it listens.
    pub came_up_in: Duration,
}

/// How long a start may take: a debug build on a busy machine, with a log to be read.
const START_MAX: Duration = Duration::from_secs(60);

impl DevServer {
    /// Starts a server in the folder `at` on a free port; `arguments` follow `dev`. The error says
    /// what it printed instead of its address.
    pub fn start(at: &Path, arguments: &[&str]) -> Result<DevServer, String> {
        let binary = binary()?;
        let begun = Instant::now();
        let mut child = Command::new(&binary)
            .args(["dev", "--port", "0", "--no-watch", "--log", "warn"])
            .args(arguments)
            .current_dir(at)
            .env_remove("STEPWRIGHT_DATA")
            // Calls of functions go to an endpoint in the test; nothing is to be asked for more.
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "local")
            .env("AWS_SECRET_ACCESS_KEY", "local")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", binary.display()))?;
        let stdout = child.stdout.take().ok_or("the server has no standard output")?;
        let (found, told) = mpsc::channel();
        // Reads on after the address: a full pipe would stop the server.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = found.send(line);
            }
        });
        let mut printed = String::new();
        loop {
            let left = START_MAX.saturating_sub(begun.elapsed());
            let Ok(line) = told.recv_timeout(left) else {
                let _ = child.kill();
                let status = child.wait();
                return Err(format!("no address from the server ({status:?}), it printed: {printed}"));
            };
            if let Some(address) = address_in(&line) {
                return Ok(DevServer { child, address, came_up_in: begun.elapsed() });
            }
            printed.push_str(&line);
            printed.push('\n');
        }
    }

    /// Where it listens, as clients want it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it with SIGKILL, at once.
    pub fn kill(mut self) -> Result<(), String> {
        self.child.kill().map_err(|error| format!("the server cannot be killed: {error}"))?;
        self.child.wait().map(|_| ()).map_err(|error| format!("the server does not end: {error}"))
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Whether it answers GET /health with 200.
    pub fn is_healthy(&self) -> bool {
        let answer = Connection::open(self.address).and_then(|mut connection| {
            connection.exchange(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        });
        answer.is_ok_and(|answer| answer.status() == 200)
    }

    /// Memory that it occupies, in bytes; nothing where the system does not tell.
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(kilobytes * 1024)
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    rest.split(|c: char| c.is_whitespace() || c == '/').next()?.parse().ok()
}

/// The binary: what `STEPWRIGHT_BIN` names, else the one beside the running test, which a run of
/// the whole workspace has built; built here when there is none.
fn binary() -> Result<PathBuf, String> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    BINARY.get_or_init(find_binary).clone()
}

fn find_binary() -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os("STEPWRIGHT_BIN") {
        return Ok(named.into());
    }
    let name = format!("stepwright{}", std::env::consts::EXE_SUFFIX);
    let binary = binaries::folder()?.join(&name);
    if binary.is_file() {
        return Ok(binary);
    }
    Ok(binaries::build(&["cli"])?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found() {
        let found = |line| address_in(line).map(|address| address.to_string());
        assert_eq!(found("  address   http://127.0.0.1:8083"), Some("127.0.0.1:8083".to_owned()));
        assert_eq!(found("see http://127.0.0.1:1/health now"), Some("127.0.0.1:1".to_owned()));
        assert_eq!(found("Stepwright 0.1.0"), None);
    }
}
