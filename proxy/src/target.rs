//! Where the API is, and what the front of it verifies.

use std::net::IpAddr;
use std::str::FromStr;

use front::guard::{CONTAINER_HOSTS, is_loopback};
use hyper::Uri;
use hyper::http::uri::{Authority, Scheme};

/// The service that the front of an API verifies signatures for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignAs {
    /// A function URL.
    Lambda,
    /// An API of API Gateway.
    ExecuteApi,
}

impl SignAs {
    /// As scopes of signatures name it.
    pub const fn service(self) -> &'static str {
        match self {
            SignAs::Lambda => "lambda",
            SignAs::ExecuteApi => "execute-api",
        }
    }
}

impl FromStr for SignAs {
    type Err = String;

    fn from_str(text: &str) -> Result<SignAs, String> {
        match text {
            "lambda" => Ok(SignAs::Lambda),
            "execute-api" => Ok(SignAs::ExecuteApi),
            _ => Err(format!("`{text}` is not one of lambda and execute-api")),
        }
    }
}

/// What is said about an API.
#[derive(Clone, Copy, Debug, Default)]
pub struct TargetOptions<'a> {
    /// Its URL: that of the function, of the HTTP API, or of a domain in front of them.
    pub url: &'a str,
    /// What it verifies, where its host does not tell.
    pub sign_as: Option<SignAs>,
    /// Its Region, where its host does not tell or tells wrong.
    pub region: Option<&'a str>,
    /// The Region where neither does.
    pub region_default: Option<&'a str>,
    /// Where to connect to instead of the URL's host, such as an emulator; requests still name that host.
    pub connect: Option<&'a str>,
}

/// Where the API is, and what the front of it verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    authority: Authority,
    /// What stands in front of every path, without a `/` at its end.
    base: String,
    /// Where connections go, where that is elsewhere.
    connect: Option<(Scheme, Authority)>,
    /// What it verifies signatures for.
    pub sign_as: SignAs,
    /// The Region that it verifies signatures for.
    pub region: String,
}

impl Target {
    /// Understands what is said about an API; an error says what is wrong or missing.
    pub fn new(options: &TargetOptions) -> Result<Target, String> {
        let (scheme, authority, base) = url("the URL", options.url)?;
        let connect = match options.connect {
            None => None,
            Some(text) => {
                let (scheme, authority, path) = url("the address to connect to", text)?;
                if !path.is_empty() {
                    return Err(format!("the address to connect to `{text}` has a path"));
                }
                Some((scheme, authority))
            }
        };
        let (way, end) = connect.as_ref().unwrap_or(&(scheme.clone(), authority.clone())).clone();
        if way == Scheme::HTTP && !is_private(end.host()) {
            return Err(format!(
                "requests to {} would carry the session token of your credentials in the clear: use https://",
                end.host()
            ));
        }
        let (service, region) = told_by_host(authority.host()).unzip();
        let sign_as = options.sign_as.or(service).ok_or_else(|| {
            format!(
                "the host {} does not tell what its front verifies: say it with --sign-as lambda (a function \
                 URL) or --sign-as execute-api (API Gateway)",
                authority.host()
            )
        })?;
        let said = options.region.map(str::to_owned).or(region);
        let region = said.or_else(|| options.region_default.map(str::to_owned)).ok_or_else(|| {
            format!(
                "the host {} does not tell its Region: say it with --region or AWS_REGION",
                authority.host()
            )
        })?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if region.is_empty() || !region.bytes().all(is_plain) {
            return Err(format!("`{region}` is no Region: it has lower-case letters, digits and `-` only"));
        }
        Ok(Target { scheme, authority, base, connect, sign_as, region })
    }

    /// The URL that was given.
    pub fn url(&self) -> String {
        format!("{}://{}{}/", self.scheme, self.authority, self.base)
    }

    /// What is signed and what is sent for a request of this path and query: the same unless
    /// connections go elsewhere.
    pub fn uris(&self, path_and_query: &str) -> (String, String) {
        let of = |scheme: &Scheme, authority: &Authority| {
            format!("{scheme}://{authority}{}{path_and_query}", self.base)
        };
        let signed = of(&self.scheme, &self.authority);
        let sent =
            self.connect.as_ref().map_or_else(|| signed.clone(), |(scheme, authority)| of(scheme, authority));
        (signed, sent)
    }

    /// The `Host` that requests name where connections go elsewhere.
    pub fn host(&self) -> Option<&str> {
        self.connect.as_ref().map(|_| self.authority.as_str())
    }
}

fn url(what: &str, text: &str) -> Result<(Scheme, Authority, String), String> {
    let refused =
        || format!("{what} `{text}` cannot be used: it is https://, a host, and maybe a port and a path");
    let parts = text.trim().parse::<Uri>().map_err(|_| refused())?.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(refused()) };
    let is_http = scheme == Scheme::HTTP || scheme == Scheme::HTTPS;
    let (path, query) = parts.path_and_query.as_ref().map_or(("", None), |path| (path.path(), path.query()));
    if !is_http || query.is_some() || authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(refused());
    }
    Ok((scheme, authority, path.trim_end_matches('/').to_owned()))
}

/// Service and Region of a host that AWS gives: `<id>.lambda-url.<region>.on.aws`,
/// `<id>.execute-api.<region>.amazonaws.com` and the like.
///
/// Source: AWS Lambda, "Function URLs"; API Gateway, "REST and HTTP API endpoints" and "Private APIs".
fn told_by_host(host: &str) -> Option<(SignAs, String)> {
    let host = host.to_ascii_lowercase();
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let at = labels.iter().position(|label| matches!(*label, "lambda-url" | "execute-api"))?;
    let ends: &[&str] = match labels[at] {
        "lambda-url" => &["on.aws", "on.amazonwebservices.com.cn"],
        _ => &["amazonaws.com", "amazonaws.com.cn", "api.aws", "vpce.amazonaws.com"],
    };
    let service = if labels[at] == "lambda-url" { SignAs::Lambda } else { SignAs::ExecuteApi };
    let region = labels.get(at + 1).filter(|_| at > 0)?;
    let end = labels[at + 2..].join(".");
    // Emulators keep the names and put an end of their own behind them.
    let is_known = ends.contains(&end.as_str()) || end.ends_with("localhost");
    is_known.then(|| (service, (*region).to_owned()))
}

/// Whether a name or an address leads nowhere beyond this computer and its own network.
fn is_private(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_address = match bare.parse() {
        Ok(IpAddr::V4(address)) => address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_unique_local(),
        // Of one label, such as the name of a container: nobody can register it.
        Err(_) => !host.contains('.'),
    };
    is_loopback(host) || is_address || CONTAINER_HOSTS.contains(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> TargetOptions<'_> {
        TargetOptions { url, ..TargetOptions::default() }
    }

    #[test]
    fn hosts_tell_what_is_verified() {
        let check = |url: &str, expected: (SignAs, &str)| {
            let found = Target::new(&of(url)).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((found.sign_as, found.region.as_str()), expected, "{url}");
        };
        check("https://abc.lambda-url.eu-west-1.on.aws/", (SignAs::Lambda, "eu-west-1"));
        check("https://abc.lambda-url.eu-west-1.on.aws", (SignAs::Lambda, "eu-west-1"));
        check("https://ABC.Lambda-URL.EU-west-1.on.AWS", (SignAs::Lambda, "eu-west-1"));
        check("https://abc.execute-api.us-east-2.amazonaws.com/prod", (SignAs::ExecuteApi, "us-east-2"));
        check("https://abc.execute-api.cn-north-1.amazonaws.com.cn", (SignAs::ExecuteApi, "cn-north-1"));
        check("https://abc.execute-api.eu-west-1.api.aws", (SignAs::ExecuteApi, "eu-west-1"));
        check("https://vpce-1-2.execute-api.us-east-1.vpce.amazonaws.com", (SignAs::ExecuteApi, "us-east-1"));
        check("http://abc.lambda-url.us-east-1.localhost:4566", (SignAs::Lambda, "us-east-1"));
    }

    #[test]
    fn what_is_said_comes_before_what_the_host_tells() {
        let aws = "https://abc.lambda-url.eu-west-1.on.aws";
        let check = |options: TargetOptions, expected: (SignAs, &str)| {
            let found = Target::new(&options).unwrap_or_else(|error| panic!("{options:?}: {error}"));
            assert_eq!((found.sign_as, found.region.as_str()), expected, "{options:?}");
        };
        let said = Some(SignAs::ExecuteApi);
        check(TargetOptions { sign_as: said, ..of(aws) }, (SignAs::ExecuteApi, "eu-west-1"));
        check(
            TargetOptions { region: Some("r-1"), region_default: Some("r-2"), ..of(aws) },
            (SignAs::Lambda, "r-1"),
        );
        check(TargetOptions { region_default: Some("r-2"), ..of(aws) }, (SignAs::Lambda, "eu-west-1"));
        let own = "https://flows.example.com";
        check(
            TargetOptions { sign_as: said, region_default: Some("r-2"), ..of(own) },
            (SignAs::ExecuteApi, "r-2"),
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let check = |options: TargetOptions, words: &str| {
            let error = Target::new(&options).expect_err(options.url);
            assert!(error.contains(words), "{options:?}: {error}");
        };
        for url in [
            "",
            "flows",
            "ftp://example.com",
            "https://",
            "https://a?b=c",
            "https://u:p@example.com",
            "https://a b",
        ] {
            check(of(url), "cannot be used");
        }
        let own = TargetOptions { sign_as: Some(SignAs::Lambda), ..of("https://flows.example.com") };
        check(own, "does not tell its Region");
        check(TargetOptions { region: Some("us east"), ..own }, "is no Region");
        check(TargetOptions { region: Some("r"), ..of("https://flows.example.com") }, "--sign-as");
        check(of("https://lambda-url.eu-west-1.on.aws"), "--sign-as");
        check(of("https://abc.lambda-url.eu-west-1.on.aws.example.com"), "--sign-as");
        check(of("http://abc.lambda-url.eu-west-1.on.aws"), "in the clear");
        let local = TargetOptions { region: Some("r"), ..own };
        check(TargetOptions { connect: Some("http://example.com"), ..local }, "in the clear");
        check(TargetOptions { connect: Some("http://localhost/x"), ..local }, "has a path");
        for url in ["http://127.0.0.1:1", "http://emulator:4566", "http://172.17.0.1", "http://[fd00::1]:1"] {
            assert!(Target::new(&TargetOptions { url, ..local }).is_ok(), "{url}");
        }
    }

    #[test]
    fn paths_go_behind_the_base() {
        let check = |url: &str, connect: Option<&str>, expected: (&str, &str)| {
            let options =
                TargetOptions { connect, region: Some("r"), sign_as: Some(SignAs::Lambda), ..of(url) };
            let target = Target::new(&options).unwrap();
            let (signed, sent) = target.uris("/executions/a?b=c");
            assert_eq!((signed.as_str(), sent.as_str()), expected, "{url}");
            assert_eq!(target.host().is_some(), connect.is_some());
        };
        let path = "https://a.test/executions/a?b=c";
        check("https://a.test", None, (path, path));
        check("https://a.test/", None, (path, path));
        check(
            "https://a.test/prod/",
            None,
            ("https://a.test/prod/executions/a?b=c", "https://a.test/prod/executions/a?b=c"),
        );
        check(
            "https://a.test",
            Some("http://127.0.0.1:4566"),
            (path, "http://127.0.0.1:4566/executions/a?b=c"),
        );
    }
}
