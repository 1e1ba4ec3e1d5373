//! HTTP on loopback.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What answers carry.
pub type Body = Full<Bytes>;

/// A server on a free port. It ends with its value, and so do its connections.
pub struct Server {
    address: SocketAddr,
    _accepting: JoinSet<()>,
}

impl Server {
    /// Serves what `handle` answers to a request and its body.
    pub async fn start<H, F>(handle: H) -> Result<Server, String>
    where
        H: Fn(Parts, Bytes) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let failed = |error: std::io::Error| format!("nothing can be served on loopback: {error}");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // Without it an answer may wait for an acknowledgement that waits for more of it.
                let _ = stream.set_nodelay(true);
                let handle = handle.clone();
                let service = service_fn(move |request| respond(handle.clone(), request));
                // Whoever asked sees what went wrong.
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move { drop(serving.await) });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Server { address, _accepting: accepting })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn respond<H, F>(handle: H, request: Request<Incoming>) -> Result<Response<Body>, Infallible>
where
    H: Fn(Parts, Bytes) -> F,
    F: Future<Output = Response<Body>>,
{
    let (parts, body) = request.into_parts();
    Ok(match body.collect().await {
        Ok(body) => handle(parts, body.to_bytes()).await,
        Err(error) => answer(StatusCode::BAD_REQUEST, "text/plain", error.to_string()),
    })
}

/// An answer of this type.
pub fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    answer
}
