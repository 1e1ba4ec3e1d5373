//! Which requests a server on loopback takes up: those that were meant for it.
//!
//! A page in a browser may send requests to loopback, and a name that it controls may be made to
//! lead there. The first carries an `Origin`, the second a `Host` that is not the server's.

use std::net::IpAddr;

use hyper::header::{self, HeaderName};
use hyper::{HeaderMap, Uri};

/// Names under which containers reach the computer that they run on. Nobody can register them:
/// `.internal` is reserved for private use.
pub const CONTAINER_HOSTS: [&str; 2] = ["host.docker.internal", "host.containers.internal"];

/// Who may be talked to under which names.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The address or name that the server was told to listen at.
    pub host: String,
    /// Whether every request proves that it knows a credential. A signature covers the `Host`
    /// header, so that nothing else has to be known of it.
    pub signed: bool,
}

impl Guard {
    /// Whether a request is taken up; else why not.
    pub fn check_request(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), String> {
        // A value that is no text is no name of this server's.
        let values = |name: HeaderName| -> Vec<&str> {
            headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect()
        };
        let mut hosts = values(header::HOST);
        hosts.extend(uri.authority().map(|authority| authority.as_str()));
        self.check(&hosts, &values(header::ORIGIN))
    }

    /// Whether a request with these headers is taken up; else why not.
    ///
    /// `hosts` are the values of every `Host` header, and the authority of the request's target
    /// where it has one; `origins` those of every `Origin` header.
    pub fn check(&self, hosts: &[&str], origins: &[&str]) -> Result<(), String> {
        if hosts.is_empty() {
            return Err("the request has no Host header".to_owned());
        }
        for host in hosts {
            if !self.signed && !self.is_own(host_name(host)) {
                return Err(format!(
                    "the Host `{host}` is not this server's: call it as localhost, as 127.0.0.1 or as {}",
                    self.host
                ));
            }
        }
        for origin in origins {
            let is_same = |host: &&str| {
                origin_authority(origin).is_some_and(|authority| authority.eq_ignore_ascii_case(host))
            };
            let is_loopback = origin_authority(origin).is_some_and(|host| is_loopback(host_name(host)));
            if !is_loopback && !hosts.iter().any(is_same) {
                return Err(format!(
                    "the Origin `{origin}` is not this server's: web pages of others may not call it"
                ));
            }
        }
        Ok(())
    }

    fn is_own(&self, name: &str) -> bool {
        // The SDKs put `sync-` in front of the endpoint's host for StartSyncExecution.
        let names = [Some(name), name.strip_prefix("sync-")];
        names.into_iter().flatten().any(|name| {
            let is_container = CONTAINER_HOSTS.iter().any(|host| host.eq_ignore_ascii_case(name));
            is_loopback(name) || is_container || name.eq_ignore_ascii_case(host_name(&self.host))
        })
    }
}

/// Whether a host is this computer alone: `localhost`, a name below it, or a loopback address.
pub fn is_loopback(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
    host == "localhost"
        || host.ends_with(".localhost")
        || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The host of `host:port`, `[address]:port`, `host`, or of an address of version 6 without brackets.
fn host_name(authority: &str) -> &str {
    if authority.starts_with('[') {
        return authority.find(']').map_or(authority, |end| &authority[..=end]);
    }
    match authority.split_once(':') {
        Some((host, port)) if !port.contains(':') => host,
        _ => authority,
    }
}

/// The authority of an origin; none for `null` and for what is no HTTP origin.
fn origin_authority(origin: &str) -> Option<&str> {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .filter(|rest| !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &Guard, hosts: &[&str], origins: &[&str], expected: bool) {
        let found = guard.check(hosts, origins);
        assert_eq!(found.is_ok(), expected, "{hosts:?} {origins:?}: {found:?}");
    }

    #[test]
    fn hosts() {
        let guard = Guard { host: "127.0.0.1".to_owned(), signed: false };
        for (host, expected) in [
            ("localhost", true),
            ("localhost:8083", true),
            ("LOCALHOST:8083", true),
            ("localhost.:8083", true),
            ("states.localhost:8083", true),
            ("127.0.0.1", true),
            ("127.0.0.1:8083", true),
            ("127.1.2.3:1", true),
            ("[::1]:8083", true),
            ("::1", true),
            ("sync-localhost:8083", true),
            ("sync-127.0.0.1:8083", true),
            ("host.docker.internal:8083", true),
            ("sync-host.docker.internal:8083", true),
            ("host.containers.internal", true),
            ("", false),
            ("example.com", false),
            ("localhost.example.com", false),
            ("127.0.0.1.nip.io", false),
            ("localhost@example.com", false),
            ("192.168.1.2:8083", false),
            ("0.0.0.0:8083", false),
            ("sync-example.com", false),
            ("[::2]:8083", false),
        ] {
            check(&guard, &[host], &[], expected);
        }
        check(&guard, &[], &[], false);
        check(&guard, &["localhost", "example.com"], &[], false);
    }

    #[test]
    fn the_name_that_it_was_told_is_its_own() {
        let guard = Guard { host: "workbench.test".to_owned(), signed: false };
        check(&guard, &["workbench.test:8083"], &[], true);
        check(&guard, &["other.test:8083"], &[], false);
        let signed = Guard { host: "0.0.0.0".to_owned(), signed: true };
        check(&signed, &["other.test:8083"], &[], true);
        check(&signed, &["other.test:8083"], &["https://example.com"], false);
    }

    #[test]
    fn origins() {
        let guard = Guard { host: "127.0.0.1".to_owned(), signed: false };
        for (origin, expected) in [
            ("http://localhost:3000", true),
            ("http://127.0.0.1:8083", true),
            ("https://[::1]:8083", true),
            ("http://app.localhost", true),
            ("null", false),
            ("", false),
            ("https://example.com", false),
            ("http://localhost.example.com", false),
            ("http://localhost/example.com", false),
            ("file://localhost", false),
            ("chrome-extension://localhost", false),
        ] {
            check(&guard, &["127.0.0.1:8083"], &[origin], expected);
        }
        let named = Guard { host: "workbench.test".to_owned(), signed: false };
        check(&named, &["workbench.test:8083"], &["http://workbench.test:8083"], true);
        check(&named, &["workbench.test:8083"], &["http://workbench.test:9"], false);
    }
}
