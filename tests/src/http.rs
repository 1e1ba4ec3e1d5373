//! Just enough HTTP for tests: a client that can also misbehave, and what a server reads.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use model::json::Value;

/// How long a test waits for bytes.
pub const PATIENCE: Duration = Duration::from_secs(75);
/// Bytes of a body that are read; more is an error.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Lines of a head that are read.
const LINES_MAX: usize = 1_000;

/// A request or an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub line: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The status of an answer; 0 when the line has none.
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        Value::parse(std::str::from_utf8(&self.body).ok()?).ok()
    }

    /// The exception that an answer of the API tells of, without its namespace.
    pub fn code(&self) -> Option<String> {
        let body = self.json()?;
        let named = body.get("__type")?.as_str()?;
        Some(named.rsplit_once('#').map_or(named, |(_, name)| name).to_owned())
    }
}

/// Reads a message; `None` when the other side has ended the connection before one began.
pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut message = Message::default();
    let mut line = String::new();
    for at in 0..LINES_MAX {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return if at == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if at == 0 {
            message.line = text.to_owned();
        } else if let Some((name, value)) = text.split_once(':') {
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        } else if text.is_empty() {
            let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if length > BODY_BYTES_MAX {
                return Err(io::Error::other(format!("a body of {length} bytes")));
            }
            message.body = vec![0; length];
            stream.read_exact(&mut message.body)?;
            return Ok(Some(message));
        }
    }
    Err(io::Error::other("a head without an end"))
}

/// A connection to a server.
pub struct Connection {
    /// What is read from.
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Connection { reader: BufReader::new(stream) })
    }

    /// The socket, to be misused.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.reader.get_mut()
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream().write_all(bytes)
    }

    /// The next answer; `None` when the server has ended the connection.
    pub fn receive(&mut self) -> io::Result<Option<Message>> {
        read(&mut self.reader)
    }

    /// Sends a request and reads the answer.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Message> {
        self.send(request)?;
        self.receive()?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Calls an operation of the API.
    pub fn call(&mut self, operation: &str, request: &Value) -> io::Result<Message> {
        self.exchange(&api_request(operation, request.to_json().as_bytes()))
    }
}

/// A request of the API as SDKs send it, but unsigned.
pub fn api_request(operation: &str, body: &[u8]) -> Vec<u8> {
    let target = format!("X-Amz-Target: AWSStepFunctions.{operation}\r\n");
    post(&format!("{target}Content-Type: application/x-amz-json-1.0\r\n"), body)
}

/// A POST of `body` with these header lines.
pub fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_one_after_the_other() {
        let text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 26\r\nX-A:  b \r\n\r\n{\"__type\":\"a.b#InvalidArn\"}";
        let text = text.replace("26", "27");
        let twice = format!("{text}{text}");
        let mut stream = twice.as_bytes();
        for _ in 0..2 {
            let message = read(&mut stream).unwrap().unwrap();
            assert_eq!((message.status(), message.header("x-a")), (400, Some("b")));
            assert_eq!(message.code().as_deref(), Some("InvalidArn"));
        }
        assert_eq!(read(&mut stream).unwrap(), None);
        assert!(read(&mut &text.as_bytes()[..30]).is_err());
    }
}
