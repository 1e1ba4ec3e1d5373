//! An emulator per test binary, on a port of its own. It ends with the test's process, whose end of
//! a pipe it listens to, so that no panic and no kill leaves one behind.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use ports::{Condition, Index, IndexKey, IndexQuery, IndexRow, Key, Order, Row, Table};
use ports_aws::Timeouts;

/// A running emulator.
pub struct Emulator {
    port: u16,
    _process: Child,
}

/// How long an emulator may take to start, on a machine with much else to do.
const STARTED_WITHIN: Duration = Duration::from_secs(60);

impl Emulator {
    /// Starts the emulator that `command` makes for a port, once it answers a GET of `path`; or says
    /// why the tests are left out: `needed` is not installed. Under CI it must be.
    pub fn start(needed: &str, path: &str, command: impl Fn(u16) -> Command) -> Option<Emulator> {
        if !root().join(needed).exists() {
            let message = format!("{needed} is not installed: run scripts/ministack.sh");
            assert!(std::env::var_os("CI").is_none(), "{message}");
            println!("skipped: {message}");
            return None;
        }
        // Another process may take the port before the emulator does.
        for _ in 0..3 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut process = command(port)
                .current_dir(root())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let until = Instant::now() + STARTED_WITHIN;
            while Instant::now() < until && process.try_wait().unwrap().is_none() {
                if answers(port, path) {
                    return Some(Emulator { port, _process: process });
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            // It may have ended by itself.
            let _ = process.kill();
            process.wait().unwrap();
        }
        panic!("the emulator {needed} does not start");
    }

    /// The configuration of clients to it.
    pub fn sdk(&self) -> SdkConfig {
        let credentials = Credentials::new("test", "test", None, None, "test");
        ports_aws::config::of_environment()
            .to_builder()
            .endpoint_url(format!("http://127.0.0.1:{}", self.port))
            .region(Region::from_static("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }
}

/// Emulators on a busy machine answer late at times.
pub fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(5),
        attempt: Duration::from_secs(30),
        blob_attempt: Duration::from_secs(60),
    }
}

/// Entries whose places are too long for a key are found, each once, in both directions.
pub async fn long_entries_are_found(table: &dyn Table) {
    let long = |first: &str, bytes: usize| format!("{first}{}", "\0".repeat(bytes - first.len()));
    let sorts = [long("a", 500), long("b", 1_023), long("b", 1_024), long("c", 600)];
    let rows = sorts.map(|sort| {
        let key = Key::new(format!("{}{}", &sort[..1], "k".repeat(1_500)), sort.len().to_string());
        let entry = IndexKey { index: Index::First, partition: "long".into(), sort: sort.into() };
        Row { indexes: vec![entry], ..Row::new(key, 1, "") }
    });
    for row in &rows {
        table.put(row.clone(), Condition::Absent).await.unwrap();
        assert_eq!(table.get(&row.key).await.unwrap().as_ref(), Some(row));
    }
    let sort = |row: &Row| row.indexes[0].sort.clone();
    for (from, to) in [(0, 3), (1, 2), (2, 3), (0, 0)] {
        for (order, limit) in [(Order::Ascending, 1), (Order::Descending, 1), (Order::Ascending, 3)] {
            let mut query = IndexQuery {
                index: Index::First,
                partition: "long".into(),
                from: sort(&rows[from]),
                to: sort(&rows[to]),
                order,
                after: None,
                limit,
            };
            let mut found = Vec::new();
            loop {
                let page = table.query_index(&query).await.unwrap();
                query.after = page.rows.last().map(|row| row.position.clone());
                found.extend(page.rows);
                if !page.more {
                    break;
                }
            }
            // Those that share a place have no order that the port knows.
            found.sort_by(|a, b| a.position.cmp(&b.position));
            let expected: Vec<IndexRow> =
                rows[from..=to].iter().map(|row| IndexRow::of(row, &row.indexes[0])).collect();
            assert_eq!(found, expected, "{from} to {to}, {order:?}, {limit} at a time");
        }
    }
}

/// A name that nothing else has.
pub fn fresh(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn answers(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = [0; 5];
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"HTTP/"
}
