//! A server that answers what it is told to.

use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What a request is answered with. A connection ends with its answer.
#[derive(Clone)]
pub enum Reply {
    Bytes(Vec<u8>),
    /// These bytes, then nothing more.
    Hang(Vec<u8>),
    /// These bytes, and a part again and again.
    Endless(Vec<u8>, Vec<u8>),
}

impl Reply {
    pub fn of(status: &str, headers: &str, body: &str) -> Reply {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
        Reply::Bytes([head.as_bytes(), body.as_bytes()].concat())
    }

    pub fn json(body: &str) -> Reply {
        Reply::of("200 OK", "content-type: application/json\r\n", body)
    }
}

pub struct Server {
    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub url: String,
    pub port: u16,
    /// Certificate, in PEM.
    pub authority: String,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Each request gets the next answer, the last one again and again.
    pub async fn replying(replies: Vec<Reply>) -> Server {
        let next = Mutex::new(0);
        Server::start(None, move |_| {
            let mut next = next.lock().unwrap();
            let reply = replies[(*next).min(replies.len() - 1)].clone();
            *next += 1;
            reply
        })
        .await
    }

    /// Answers what a function says to the text of a request.
    pub async fn answering(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
        Server::start(None, answer).await
    }

    /// The same over TLS, with a certificate for `localhost` that nobody knows.
    pub async fn over_tls(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Server { authority: made.cert.pem(), ..Server::start(Some(acceptor), answer).await }
    }

    async fn start(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let received = Arc::new(Mutex::new(Vec::new()));
        let (into, answer) = (received.clone(), Arc::new(answer));
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let (tls, into, answer) = (tls.clone(), into.clone(), answer.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => {
                            if let Ok(connection) = tls.accept(connection).await {
                                serve(connection, &into, &*answer).await;
                            }
                        }
                        None => serve(connection, &into, &*answer).await,
                    }
                });
            }
        });
        Server { url, port, authority: String::new(), received }
    }

    /// The requests so far, as text.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    /// The only request.
    pub fn request(&self) -> String {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:#?}");
        received[0].clone()
    }
}

async fn serve(
    mut connection: impl AsyncRead + AsyncWrite + Unpin,
    into: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str) -> Reply + Send + Sync),
) {
    let mut request = Vec::new();
    let mut part = vec![0; 65_536];
    loop {
        let count = connection.read(&mut part).await.unwrap_or_default();
        request.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if count == 0 && text.is_empty() {
            return;
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if count == 0 || body.len() >= length {
            break;
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let reply = answer(&request);
    into.lock().unwrap().push(request);
    // Whoever is answered may have gone.
    let _ = match reply {
        Reply::Bytes(bytes) => connection.write_all(&bytes).await,
        Reply::Hang(bytes) => {
            let _ = connection.write_all(&bytes).await;
            std::future::pending().await
        }
        Reply::Endless(bytes, part) => {
            let mut sent = connection.write_all(&bytes).await;
            while sent.is_ok() {
                sent = connection.write_all(&part).await;
            }
            sent
        }
    };
    let _ = connection.shutdown().await;
}
