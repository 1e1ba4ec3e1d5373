//! The proxy as a server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_client::{Connections, Identity};
use aws_config::SdkConfig;
use front::Credential;
use front::guard::Guard;
use front::listen::{self, Limits};
use front::signature::Verifier;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::relay::{Relay, router};
use crate::target::Target;

/// What a proxy is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the API is.
    pub target: Target,
    /// Address or name to listen at.
    pub host: String,
    /// Port; 0 for any.
    pub port: u16,
    /// What requests must be signed with; demanded where others can reach the proxy.
    pub credential: Option<Credential>,
    /// How long requests may take to end once the proxy does.
    pub drain_timeout: Duration,
}

/// A proxy that listens.
pub struct Proxy {
    /// Where.
    pub address: SocketAddr,
    listener: TcpListener,
    relay: Arc<Relay>,
    limits: Limits,
    stopping: watch::Receiver<bool>,
}

impl Proxy {
    /// Listens. Credentials come from `sdk`, and are asked for with the first request. An error says
    /// what to do.
    pub async fn open(
        settings: Settings,
        sdk: &SdkConfig,
        stopping: watch::Receiver<bool>,
    ) -> Result<Proxy, String> {
        let Settings { target, host, port, credential, drain_timeout } = settings;
        let provider = sdk.credentials_provider().ok_or("no source of AWS credentials is configured")?;
        let (listener, address) = listen::bind(&host, port, credential.is_some()).await?;
        let guard = Guard { host, signed: credential.is_some() };
        // Clients know nothing of what is in front of the API.
        let verifier = credential.map(|credential| Verifier {
            credential,
            region: target.region.clone(),
            service: "states",
        });
        let client = Connections::new()?;
        let relay = Relay::new(target, Identity::new(provider), client, guard, verifier, stopping.clone());
        let limits = Limits { drain_timeout, ..Limits::default() };
        Ok(Proxy { address, listener, relay: Arc::new(relay), limits, stopping })
    }

    /// Serves until it is told to end and what was begun has ended.
    pub async fn serve(self) {
        listen::serve(self.listener, router(self.relay), self.limits, self.stopping).await;
    }
}
