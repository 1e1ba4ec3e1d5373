//! Connections to services: TLS by rustls, HTTP/1.1 and 2, kept while they are used.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use front::guard::is_loopback;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, Uri};
use hyper_rustls::builderstates::WantsSchemes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
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

/// Whether a host may be reached at an address. Asked with the name and each address that it resolves
/// to, at the moment when a connection is opened: a name that leads elsewhere by then is of no use.
pub type AddressFilter = fn(&str, IpAddr) -> bool;

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
        Connections::filtered(|_, _| true)
    }

    /// The same, to addresses that `allowed` lets through alone.
    pub fn filtered(allowed: AddressFilter) -> Result<Connections, String> {
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|error| format!("no certificates of authorities are found on this system: {error}"))?;
        Ok(Connections::of(tls, allowed))
    }

    /// Connections to whoever has a certificate of one of these authorities (PEM), and of no other.
    pub fn pinned(authorities: &[u8], allowed: AddressFilter) -> Result<Connections, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            let certificate = certificate.map_err(|error| format!("it is no certificate in PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("it is no certificate: {error}"))?;
        }
        if roots.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Connections::of(HttpsConnectorBuilder::new().with_tls_config(config), allowed))
    }

    fn of(tls: HttpsConnectorBuilder<WantsSchemes>, allowed: AddressFilter) -> Connections {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { system: GaiResolver::new(), allowed });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = tls.https_or_http().enable_http1().enable_http2().wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http2_keep_alive_interval(KEEP_ALIVE.0)
            .http2_keep_alive_timeout(KEEP_ALIVE.1)
            .build(Timed { connector, allowed });
        Connections(pool)
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
struct Timed<C> {
    connector: C,
    allowed: AddressFilter,
}

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
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // An address that is written as such is not resolved.
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse()
            && !(self.allowed)(host, address)
        {
            let refused = refused(host);
            return Box::pin(async move { Err(refused.into()) });
        }
        let opening = self.connector.call(uri);
        Box::pin(async move {
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
            tokio::time::timeout(CONNECT_TIMEOUT, opening).await.map_err(|_| late())?
        })
    }
}

/// Resolves names; those below `localhost` to this computer, which not every system does.
#[derive(Clone)]
struct Resolver {
    system: GaiResolver,
    allowed: AddressFilter,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (host, allowed) = (name.as_str().to_owned(), self.allowed);
        let found = (!is_loopback(&host)).then(|| self.system.call(name));
        Box::pin(async move {
            let own = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            let found: Vec<SocketAddr> = match found {
                Some(found) => found.await?.collect(),
                None => own.map(|address| SocketAddr::new(address, 0)).to_vec(),
            };
            let count = found.len();
            let found: Vec<SocketAddr> =
                found.into_iter().filter(|address| allowed(&host, address.ip())).collect();
            if found.is_empty() && count > 0 {
                return Err(refused(&host));
            }
            Ok(found.into_iter())
        })
    }
}

/// A host whose addresses are all out of bounds.
fn refused(host: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{host} is at an address that is not called"))
}
