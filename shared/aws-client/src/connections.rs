//! Connections to services: TLS by rustls, HTTP/1.1 and 2, kept while they are used.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use front::guard::is_loopback;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

/// To open a connection, with all that belongs to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection is kept without requests. A function's process stands still between its
/// calls, and what it held for longer is likely gone.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// How often a connection with requests under way is asked whether it is still there, and how long
/// it may take to say so.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(10));

/// Connections that are kept.
const IDLE_CONNECTIONS_MAX: usize = 32;

/// Sends requests. Connections are opened with the first one.
pub struct Connections(Pool<Timed<HttpsConnector<HttpConnector<Resolver>>>, Full<Bytes>>);

/// Why there is no answer.
#[derive(Debug)]
pub enum SendError {
    /// No connection, or it broke.
    Broken(legacy::Error),
    /// None in time.
    Late(Duration),
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SendError::Broken(error) => f.write_str(&crate::identity::innermost(error)),
            SendError::Late(timeout) => write!(f, "no answer in {} seconds", timeout.as_secs()),
        }
    }
}

impl Connections {
    /// Reads the certificates that the system trusts; without any, only `http://` can be reached.
    pub fn new() -> Result<Connections, String> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|error| format!("no certificates of authorities are found on this system: {error}"))?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http2_keep_alive_interval(KEEP_ALIVE.0)
            .http2_keep_alive_timeout(KEEP_ALIVE.1)
            .build(Timed(tls));
        Ok(Connections(pool))
    }

    /// Sends a request; the answer's body is still to come. Without a `timeout` it waits for as long
    /// as the connection stands.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        timeout: Option<Duration>,
    ) -> Result<Response<Incoming>, SendError> {
        let answer = self.0.request(request);
        let answer = match timeout {
            None => answer.await,
            Some(timeout) => {
                tokio::time::timeout(timeout, answer).await.map_err(|_| SendError::Late(timeout))?
            }
        };
        answer.map_err(SendError::Broken)
    }
}

/// Opens connections within [`CONNECT_TIMEOUT`], the TLS handshake included.
#[derive(Clone)]
struct Timed<C>(C);

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Opening = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Response = Stream, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = Stream;
    type Error = C::Error;
    type Future = Opening;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let opening = self.0.call(uri);
        Box::pin(async move {
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            tokio::time::timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| late())?
        })
    }
}

/// Resolves names; those below `localhost` to this computer, which not every system does.
#[derive(Clone)]
struct Resolver(GaiResolver);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        if is_loopback(name.as_str()) {
            let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let own = own.map(|address| SocketAddr::new(address, 0));
            return Box::pin(async move { Ok(Vec::from(own).into_iter()) });
        }
        let found = self.0.call(name);
        Box::pin(async move { Ok(found.await?.collect::<Vec<_>>().into_iter()) })
    }
}
