//! Connections: how many, how long, and how they end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::guard::is_loopback;

/// What a listener allows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// How long the head of a request may take, and how long a connection may rest before it.
    pub head_timeout: Duration,
    /// How long requests may take to end once the server does.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: 4_096,
            head_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Bytes of a request's head that are read at most.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Headers of a request at most.
const HEADERS_MAX: usize = 100;

/// After an accept that failed for want of something, such as file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens at an address or a name. An error says what to do; without a credential that callers
/// have to sign with, an address that others can reach is one.
pub async fn bind(host: &str, port: u16, has_credential: bool) -> Result<(TcpListener, SocketAddr), String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let refused = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} of {host} is in use: end the other server, or choose another port (0 takes any free one)"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("port {port} of {host} may not be used by you: choose one above 1023")
        }
        io::ErrorKind::AddrNotAvailable => format!("{host} is no address of this computer"),
        _ => format!("cannot listen at {host}, port {port}: {error}"),
    };
    let listener = TcpListener::bind((host, port)).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    if !has_credential && !is_loopback(&address.ip().to_string()) {
        return Err(format!(
            "{host} is {}, which others can reach: give a credential, or listen at 127.0.0.1",
            address.ip()
        ));
    }
    Ok((listener, address))
}

/// Host and port of `127.0.0.1:8083`, `[::1]:8083` or `localhost:8083`.
pub fn address(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
}

/// Why a server without a credential does not listen at an address that others can reach.
pub fn demand_credential(option: &str, host: &str) -> String {
    format!(
        "{option} {host} can be reached by others, who could run anything here: give a credential that \
         requests must be signed with, in STEPWRIGHT_ACCESS_KEY_ID and STEPWRIGHT_SECRET_ACCESS_KEY, \
         or listen at 127.0.0.1"
    )
}

/// Serves until `stopping` becomes true and what was begun has ended, or `drain_timeout` has passed.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stopping: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut stopped = std::pin::pin!(stopped(stopping.clone()));
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                let router = router.clone();
                let stopping = stopping.clone();
                connections.spawn(async move {
                    connection(stream, router, limits, stopping).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_timeout, all).await.is_err() {
        tracing::warn!("requests that did not end were cut off");
    }
}

/// Ends when the server does. A sender that is gone has nothing more to say: that is the end, too.
pub async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

async fn connection(stream: TcpStream, router: Router, limits: Limits, stopping: watch::Receiver<bool>) {
    // Answers are small and must not wait for one another.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(true);
    let mut connection =
        std::pin::pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stopped(stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}
