//! Whose credentials requests are signed with.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use tokio::sync::Mutex;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

/// So long before credentials expire, others are asked for.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);

/// So long nobody is asked again when that failed, or when a refusal made them doubtful.
const RENEW_PAUSE: Duration = Duration::from_secs(10);

/// How long a source of credentials may take: some ask a person or another program.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Credentials, kept until they expire.
pub struct Identity {
    provider: SharedCredentialsProvider,
    held: Mutex<Option<Held>>,
}

struct Held {
    credentials: Credentials,
    since: SystemTime,
    renew_at: Option<SystemTime>,
}

/// Nothing of what it holds.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Why there are none.
#[derive(Debug, PartialEq, Eq)]
pub enum NoCredentials {
    /// Nothing is configured that gives any.
    Missing,
    /// What gives them does not, now.
    Unavailable(String),
}

impl Identity {
    /// Nobody is asked yet.
    pub fn new(provider: SharedCredentialsProvider) -> Identity {
        Identity { provider, held: Mutex::new(None) }
    }

    /// Credentials that are valid at `now`.
    pub async fn credentials(&self, now: SystemTime) -> Result<Credentials, NoCredentials> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref()
            && held.renew_at.is_none_or(|at| now < at)
        {
            return Ok(held.credentials.clone());
        }
        // Sources trace what they sign and are told, session tokens included.
        let loading = self.provider.provide_credentials().with_subscriber(NoSubscriber::new());
        let loaded = tokio::time::timeout(LOAD_TIMEOUT, loading).await;
        let refused = match loaded {
            Ok(Ok(credentials)) => {
                // What is given for less than that is asked for again after a while, not with each request.
                let renew_at =
                    credentials.expiry().map(|at| (at - RENEW_BEFORE).max(now + RENEW_PAUSE).min(at));
                *held = Some(Held { credentials: credentials.clone(), since: now, renew_at });
                return Ok(credentials);
            }
            Ok(Err(CredentialsError::CredentialsNotLoaded(_))) => NoCredentials::Missing,
            Ok(Err(error)) => NoCredentials::Unavailable(innermost(&error)),
            Err(_) => NoCredentials::Unavailable(format!("no answer in {} seconds", LOAD_TIMEOUT.as_secs())),
        };
        match held.as_mut() {
            // Not yet expired: they do until the source is back.
            Some(held) if held.credentials.expiry().is_none_or(|at| now < at) => {
                let expiry = held.credentials.expiry();
                held.renew_at = Some(expiry.map_or(now + RENEW_PAUSE, |at| at.min(now + RENEW_PAUSE)));
                Ok(held.credentials.clone())
            }
            _ => Err(refused),
        }
    }

    /// They were refused: others may be there by now.
    pub async fn doubt(&self, now: SystemTime) {
        if let Some(held) = self.held.lock().await.as_mut()
            && now > held.since + RENEW_PAUSE
        {
            held.renew_at = Some(now);
        }
    }
}

/// The error at the bottom of a chain: the one that says what happened.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use aws_credential_types::provider::future;

    use super::*;

    /// Gives credentials with its count as their id, valid for so many seconds; from the `good`th on
    /// it fails.
    #[derive(Debug)]
    struct Source {
        asked: Arc<AtomicU64>,
        valid_seconds: Option<u64>,
        good: u64,
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let count = self.asked.fetch_add(1, Ordering::Relaxed);
            future::ProvideCredentials::ready(if count < self.good {
                let expiry = self.valid_seconds.map(at);
                Ok(Credentials::new(count.to_string(), "hunter2", None, expiry, "test"))
            } else {
                Err(CredentialsError::provider_error("the source is gone"))
            })
        }
    }

    /// What is held at each of these times: the number of the credentials, or none.
    async fn check(valid_seconds: Option<u64>, good: u64, times: &[(u64, Option<&str>)]) {
        let source = Source { asked: Arc::default(), valid_seconds, good };
        let identity = Identity::new(SharedCredentialsProvider::new(source));
        for (seconds, expected) in times {
            let found = identity.credentials(at(*seconds)).await;
            let id = found.as_ref().ok().map(Credentials::access_key_id);
            assert_eq!(id, *expected, "at {seconds}: {found:?}");
        }
    }

    #[tokio::test]
    async fn credentials_are_renewed_before_they_expire() {
        check(None, 9, &[(0, Some("0")), (1_000_000, Some("0"))]).await;
        check(Some(3_600), 9, &[(0, Some("0")), (3_299, Some("0")), (3_300, Some("1"))]).await;
        // Given for less than the margin: not asked for with every request.
        check(Some(60), 9, &[(0, Some("0")), (5, Some("0")), (10, Some("1"))]).await;
    }

    #[tokio::test]
    async fn a_source_that_fails_is_forgiven_until_they_expire() {
        check(Some(3_600), 1, &[(0, Some("0")), (3_300, Some("0")), (3_599, Some("0")), (3_600, None)]).await;
        check(None, 0, &[(0, None)]).await;
    }

    #[tokio::test]
    async fn doubtful_ones_are_asked_for_again() {
        let source = Source { asked: Arc::default(), valid_seconds: None, good: 9 };
        let asked = source.asked.clone();
        let identity = Identity::new(SharedCredentialsProvider::new(source));
        for (doubted, expected) in [(0, 1), (10, 1), (11, 2), (12, 2)] {
            identity.credentials(at(doubted)).await.unwrap();
            identity.doubt(at(doubted)).await;
            identity.credentials(at(doubted)).await.unwrap();
            assert_eq!(asked.load(Ordering::Relaxed), expected, "{doubted}");
        }
    }
}
