//! `stepwright deploy`, `status`, `logs` and `destroy` against an emulator of AWS, with a small template.
//! `scripts/ministack.sh` installs the emulator; without it the tests are left out, except under CI.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, thread};

use support::{Ran, command, root, stepwright};

const NEEDED: &str = ".tools/ministack/stamp";

/// How long the emulator may take to start, on a machine with much else to do.
const STARTED_WITHIN: Duration = Duration::from_secs(60);

/// A running emulator, which ends with this process: it listens to a pipe from it.
struct Emulator {
    url: String,
    _process: Child,
}

fn emulator() -> Option<Emulator> {
    if !root().join(NEEDED).exists() {
        let message = format!("{NEEDED} is not there: run scripts/ministack.sh");
        assert!(std::env::var_os("CI").is_none(), "{message}");
        println!("skipped: {message}");
        return None;
    }
    for _ in 0..3 {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = free.local_addr().expect("it has an address").port();
        drop(free);
        let mut process = Command::new(root().join(".tools/ministack/bin/python"))
            .arg("shared/ports-aws/tests/emulators/ministack_until_eof.py")
            .current_dir(root())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_HOST", "localhost")
            // Their listeners would be reachable from elsewhere.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("LOG_LEVEL", "ERROR")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let until = Instant::now() + STARTED_WITHIN;
        while Instant::now() < until && process.try_wait().expect("it can be asked").is_none() {
            if answers(port) {
                return Some(Emulator { url: format!("http://127.0.0.1:{port}"), _process: process });
            }
            thread::sleep(Duration::from_millis(50));
        }
        // It may have ended by itself.
        let _ = process.kill();
        let _ = process.wait();
    }
    panic!("the emulator does not start");
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0; 5];
    stream
        .write_all(b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"HTTP/"
}

impl Emulator {
    /// An operation of CloudWatch Logs.
    fn log(&self, operation: &str, body: &str) {
        // The credential of a signature says which Region is meant.
        let scope = "Credential=test/20250101/eu-west-1/logs/aws4_request";
        let authorization =
            format!("Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let json = "Content-Type: application/x-amz-json-1.1";
        let headers = format!("{json}\r\n{authorization}\r\nX-Amz-Target: Logs_20140328.{operation}\r\n");
        let answer = self.ask("POST", "/", &headers, body);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{operation}: {answer}");
    }

    /// The answer to a request.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let address = self.url.strip_prefix("http://").expect("it is one");
        let mut stream = TcpStream::connect(address).expect("it listens");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        let length = body.len();
        let request = format!("{head}{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it is answered");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Runs a command about its one stack.
    fn run(&self, at: &Path, arguments: &[&str]) -> Ran {
        let mut command = command(arguments);
        command
            .args(["--stack", "flows", "--region", "eu-west-1", "--color", "never"])
            .current_dir(at)
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .stdin(Stdio::null());
        let output = command.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("the binary writes UTF-8");
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

fn check(ran: &Ran, code: i32, words: &[&str]) {
    let all = format!("{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, Some(code), "{all}");
    for words in words {
        assert!(all.contains(words), "{words}: {all}");
    }
}

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Waits:
    Type: Number
    Default: 30
  RetainData:
    Type: String
    Default: 'false'
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: !Ref Waits
      Tags: [{Key: retained, Value: !Ref RetainData}]
  Bucket:
    Type: AWS::S3::Bucket
  EchoLogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: /flows/echo
  EchoFunction:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      CodeUri: dist/functions.zip
Outputs:
  QueueUrl:
    Description: What waits
    Value: !Ref Queue
  BucketName:
    Value: !Ref Bucket
";

/// A zip with one stored file. Source: APPNOTE.TXT of the ZIP format.
fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let crc = content.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    });
    let length = u32::try_from(content.len()).expect("it is short");
    let mut common = Vec::new();
    // Version, flags, method, time, date; then checksum and lengths.
    for number in [20_u16, 0, 0, 0, 0x21] {
        common.extend(number.to_le_bytes());
    }
    for number in [!crc, length, length] {
        common.extend(number.to_le_bytes());
    }
    common.extend(u16::try_from(name.len()).expect("it is short").to_le_bytes());
    common.extend([0, 0]);
    let local = [b"PK\x03\x04", common.as_slice(), name.as_bytes(), content].concat();
    let central = [
        b"PK\x01\x02\x14\x03",
        common.as_slice(),
        &[0; 6],
        &(0o100_644_u32 << 16).to_le_bytes(),
        &[0; 4],
        name.as_bytes(),
    ]
    .concat();
    let mut end = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    for part in [&central, &local] {
        end.extend(u32::try_from(part.len()).expect("it is short").to_le_bytes());
    }
    end.extend([0, 0]);
    [local, central, end].concat()
}

/// A folder with template and zip.
fn installation() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let at = folder.path().to_owned();
    fs::create_dir(at.join("dist")).expect("a folder can be made");
    fs::write(at.join("flows.yaml"), TEMPLATE).expect("it can be written");
    let code = b"def handler(event, context):\n    return event\n";
    fs::write(at.join("dist/functions.zip"), zip("index.py", code)).expect("it can be written");
    (folder, at)
}

#[test]
fn an_installation_comes_changes_and_goes() {
    let Some(emulator) = emulator() else { return };
    let (_folder, at) = installation();
    let deploy = |more: &[&str]| {
        emulator.run(&at, &[["deploy", "--template", "flows.yaml"].as_slice(), more].concat())
    };
    check(&emulator.run(&at, &["status"]), 2, &["there is no stack flows in eu-west-1", "stepwright deploy"]);
    // Nobody can be asked here.
    check(&deploy(&[]), 2, &["create ", "EchoFunction", "AWS::Lambda::Function", "say --yes"]);
    let created = deploy(&["--yes", "--parameter", "Waits=31", "--parameter", "RetainData=true"]);
    check(&created, 0, &["CREATE_COMPLETE", "deployed", "QueueUrl", "What waits"]);
    check(&deploy(&["--yes"]), 0, &["no changes"]);
    let shown = emulator.run(&at, &["status"]);
    check(&shown, 0, &["stack flows in eu-west-1: CREATE_COMPLETE", "messages about executions: 0 waiting"]);
    check(&deploy(&["--yes", "--parameter", "Waits=32"]), 0, &["change ", "Queue", "UPDATE_COMPLETE"]);
    check(&deploy(&["--parameter", "Wait=1"]), 2, &["no parameter `Wait`", "Waits, RetainData"]);

    check(&emulator.run(&at, &["logs", "--function", "api"]), 2, &["no function `api`; it has echo"]);
    let group = "\"logGroupName\":\"/flows/echo\",\"logStreamName\":\"s\"";
    emulator.log("CreateLogStream", &format!("{{{group}}}"));
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_millis();
    let events = format!(
        "[{{\"timestamp\":{},\"message\":\"long ago\"}},{{\"timestamp\":{millis},\"message\":\"now\\u001b\"}}]",
        millis - 1_800_000
    );
    emulator.log("PutLogEvents", &format!("{{{group},\"logEvents\":{events}}}"));
    check(&emulator.run(&at, &["logs", "--since", "1h"]), 0, &["echo long ago\n", "echo now\\u{1b}\n"]);
    let recent = emulator.run(&at, &["logs", "--function", "echo"]);
    check(&recent, 0, &["echo now"]);
    assert!(!recent.stdout.contains("long ago"), "{}", recent.stdout);
    check(&emulator.run(&at, &["proxy"]), 2, &["no output Url"]);

    check(&emulator.run(&at, &["destroy"]), 2, &["kept: the table", "say --yes"]);
    let bucket = shown.stdout.lines().find_map(|line| line.strip_prefix("BucketName"));
    let object = format!("/{}/an/object", bucket.expect("it is an output").trim());
    assert!(emulator.ask("PUT", &object, "", "").starts_with("HTTP/1.1 200 "), "{object}");
    let destroyed = emulator.run(&at, &["destroy", "--yes", "--delete-data"]);
    check(&destroyed, 0, &["all executions", "UPDATE_COMPLETE", "deleted"]);
    assert!(emulator.ask("GET", &object, "", "").starts_with("HTTP/1.1 404 "), "{object}");
    check(&emulator.run(&at, &["destroy", "--yes"]), 2, &["there is no stack"]);
}

#[test]
fn what_is_missing_is_said() {
    let (_folder, at) = installation();
    fs::remove_file(at.join("dist/functions.zip")).expect("it is there");
    let template = at.join("flows.yaml");
    let template = template.to_str().expect("it is UTF-8");
    let dist = at.join("dist");
    let ran = stepwright(["deploy", "--template", template, "--dist", dist.to_str().expect("it is UTF-8")]);
    check(&ran, 2, &["functions.zip is missing", "make dist"]);
    check(&stepwright(["deploy", "--template", "no-such.yaml"]), 2, &["no-such.yaml cannot be read"]);
    check(&stepwright(["logs", "--since", "soon"]), 2, &["a number and s, m, h or d"]);
    let proxy = ["proxy", "--url", "https://flows.example.com", "--region", "eu-west-1"];
    check(&stepwright(proxy), 2, &["--sign-as lambda"]);
    let open = ["proxy", "--url", "https://a.lambda-url.eu-west-1.on.aws", "--listen", "0.0.0.0:0"];
    check(&stepwright(open), 2, &["can be reached by others"]);
}
