//! A Lambda endpoint inside of a test, which remembers every call.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{process, thread};

use model::json::Value;

use crate::http::{Message, read};

/// Functions:
/// * `effect` notes `execution` and `task` of its payload in the ledger, takes a few milliseconds,
///   and answers with its payload;
/// * `callback` keeps `token` of its payload under `id`, for `GET /tokens/<id>`;
/// * any other answers with its payload.
#[derive(Clone)]
pub struct LambdaEndpoint {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    ledger: Vec<Effect>,
    tokens: BTreeMap<String, String>,
}

/// One call of `effect`.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The name of the execution.
    pub execution: String,
    /// The state.
    pub task: String,
    /// When.
    pub at: Instant,
}

/// Longest time that `effect` takes.
const EFFECT_MILLIS_MAX: u64 = 12;

impl LambdaEndpoint {
    /// Starts an endpoint on a free port; it serves until the process ends.
    pub fn start() -> io::Result<LambdaEndpoint> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let endpoint = LambdaEndpoint { address: listener.local_addr()?, kept: Arc::default() };
        let served = endpoint.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let endpoint = served.clone();
                thread::spawn(move || endpoint.serve(&stream));
            }
        });
        Ok(endpoint)
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls of `effect` from number `from` on, in their order.
    pub fn ledger(&self, from: usize) -> Vec<Effect> {
        self.lock().ledger.get(from..).map(<[Effect]>::to_vec).unwrap_or_default()
    }

    /// How many calls of `effect` there were.
    pub fn effects(&self) -> usize {
        self.lock().ledger.len()
    }

    /// Ends when the other side does, or at the first thing that is no HTTP.
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut writer = stream;
        while let Ok(Some(request)) = read(&mut reader) {
            let body = self.answer(&request);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            if writer.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Message) -> String {
        let path = request.line.split(' ').nth(1).unwrap_or_default();
        if let Some(id) = path.strip_prefix("/tokens/") {
            return self.lock().tokens.get(id).cloned().unwrap_or_default();
        }
        let payload = request.json().unwrap_or(Value::Null);
        let member = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        match path.trim_end_matches("/invocations").rsplit('/').next() {
            Some(name) if is_function(name, "effect") => {
                let (execution, task) = (member("execution"), member("task"));
                let number = {
                    let mut kept = self.lock();
                    kept.ledger.push(Effect { execution, task, at: Instant::now() });
                    kept.ledger.len() as u64
                };
                // Different from call to call, so that calls end in another order than they began.
                let millis = number.wrapping_mul(u64::from(process::id()) | 1) % EFFECT_MILLIS_MAX;
                thread::sleep(Duration::from_millis(millis));
            }
            Some(name) if is_function(name, "callback") => {
                self.lock().tokens.insert(member("id"), member("token"));
            }
            _ => {}
        }
        payload.to_json()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A function is named by its name or its ARN, whose colons may be escaped.
fn is_function(named: &str, function: &str) -> bool {
    named.replace("%3A", ":").rsplit(':').next() == Some(function)
}
