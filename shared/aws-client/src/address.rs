//! Where a request goes: the models' rules, or an address that was configured instead.

use std::collections::HashMap;

use aws_wire::catalog::{Member, Operation, catalog};
use aws_wire::endpoint::{self, Endpoint, Parameters, Scheme};
use aws_wire::node::Node;
use aws_wire::protocol::Request;

/// Where services are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the models' rules say.
    Aws,
    /// At this address.
    Url(String),
}

/// Where each service is, as it is configured. Of those that are not, nothing is known: nobody calls
/// AWS itself who has not been told to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// All services that have no place of their own.
    all: Option<Place>,
    /// One, by its id as variables have it: `CLOUDWATCH_LOGS`.
    services: HashMap<String, Place>,
    /// FIPS endpoints.
    fips: bool,
    /// Endpoints that have IPv6 addresses too.
    dual_stack: bool,
}

/// What the variables of services begin with.
const VARIABLE: &str = "AWS_ENDPOINT_URL";

impl Endpoints {
    /// What the variables of the SDKs say: `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`,
    /// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS`, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`.
    pub fn from_variables(variables: impl Iterator<Item = (String, String)>) -> Endpoints {
        let mut endpoints = Endpoints::default();
        let mut ignored = false;
        for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
            let is_true = value.eq_ignore_ascii_case("true");
            match name.as_str() {
                VARIABLE => endpoints.all = Some(Place::Url(value)),
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" => ignored = is_true,
                "AWS_USE_FIPS_ENDPOINT" => endpoints.fips = is_true,
                "AWS_USE_DUALSTACK_ENDPOINT" => endpoints.dual_stack = is_true,
                name => {
                    if let Some(service) = name.strip_prefix(VARIABLE).and_then(|rest| rest.strip_prefix('_'))
                    {
                        endpoints.services.insert(service.to_owned(), Place::Url(value));
                    }
                }
            }
        }
        if ignored {
            (endpoints.all, endpoints.services) = (None, HashMap::new());
        }
        endpoints
    }

    /// A place for all services that have none of their own.
    pub fn all(mut self, place: Place) -> Endpoints {
        self.all = Some(place);
        self
    }

    /// All services that have no place are on AWS itself.
    pub fn or_aws(mut self) -> Endpoints {
        self.all.get_or_insert(Place::Aws);
        self
    }

    /// A place for a service, by its id: `DynamoDB`, `CloudWatch Logs`.
    pub fn with(mut self, service_id: &str, place: Place) -> Endpoints {
        self.services.insert(variable_of(service_id), place);
        self
    }

    /// Where a service is, if that is known.
    pub fn place(&self, service_id: &str) -> Option<&Place> {
        self.services.get(&variable_of(service_id)).or(self.all.as_ref())
    }

    /// Whether a service has a place that is its own.
    pub fn has_own(&self, service_id: &str) -> bool {
        self.services.contains_key(&variable_of(service_id))
    }

    /// The address that is configured for a service.
    pub fn of(&self, service_id: &str) -> Option<&str> {
        match self.place(service_id)? {
            Place::Aws => None,
            Place::Url(url) => Some(url),
        }
    }

    /// Whether any service is on AWS itself.
    pub fn reaches_aws(&self) -> bool {
        self.services.values().chain(&self.all).any(|place| *place == Place::Aws)
    }
}

/// A service as variables have it.
fn variable_of(service_id: &str) -> String {
    service_id.to_uppercase().replace([' ', '-'], "_")
}

/// Where a request goes, and what its signature names.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// Scheme and host, with a port.
    pub origin: String,
    /// What stands before every path, without a `/` at its end.
    pub base: String,
    /// The service in the signature's scope.
    pub signing_name: String,
    /// The Region in the signature's scope.
    pub signing_region: String,
    /// Whether the path is signed as it is sent.
    pub path_as_it_is: bool,
    /// Headers that the request has to carry.
    pub headers: Vec<(String, String)>,
}

/// Finds where a request goes. The error is a sentence for whoever wrote the arguments.
pub fn address(
    endpoints: &Endpoints,
    operation: &Operation,
    input: &Node,
    request: &Request,
    region: &str,
) -> Result<Address, String> {
    let service = operation.service();
    let configured = endpoints.of(service.service_id);
    if !endpoint::is_label(region) {
        return Err(format!("{region:?} is no Region"));
    }
    let mut parameters = Parameters::default();
    parameters.text("Region", region);
    parameters.boolean("UseFIPS", endpoints.fips).boolean("UseDualStack", endpoints.dual_stack);
    if let Some(url) = configured {
        // An address that is configured answers for all of them.
        parameters.text("Endpoint", url.trim_end_matches('/')).boolean("ForcePathStyle", true);
    }
    for (name, context) in operation.static_context() {
        parameters.context(name, context);
    }
    for (name, text) in input.members().iter().filter_map(of_context) {
        parameters.text(name, text);
    }
    let found = match (endpoint::resolve(catalog(), service, &parameters), configured) {
        (Ok(found), _) => found,
        // Rules that know nothing of other addresses. S3's do, and without its bucket a request would
        // be to another.
        (Err(_), Some(url)) if service.key != "s3" => {
            Endpoint { url: url.trim_end_matches('/').to_owned(), schemes: Vec::new(), headers: Vec::new() }
        }
        (Err(error), _) => return Err(error),
    };
    let scheme = scheme(&found.schemes)?;
    let (origin, base) = split(&found.url).ok_or_else(|| format!("{} is no address", found.url))?;
    // Rules put arguments into hosts, and not all of them ask whether they can stand there.
    let is_host =
        |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if configured.is_none() && !origin.split_once("://").is_some_and(|(_, host)| is_host(host)) {
        return Err(format!("{:?} is no address", found.url));
    }
    let prefix = request.host_prefix.as_deref().filter(|_| configured.is_none()).unwrap_or_default();
    let origin = match origin.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{prefix}{host}"),
        None => origin.to_owned(),
    };
    Ok(Address {
        origin,
        base: base.to_owned(),
        signing_name: scheme.signing_name.unwrap_or_else(|| service.signing_name.to_owned()),
        signing_region: scheme.signing_region.unwrap_or_else(|| region.to_owned()),
        path_as_it_is: scheme.disable_double_encoding || service.signing_name == "s3",
        headers: found.headers,
    })
}

/// A member that is a parameter of the rules.
fn of_context((member, node): &(Member, Node)) -> Option<(&'static str, String)> {
    Some((member.context_param?, node.text()?.to_owned()))
}

/// The first way to sign that is known here.
fn scheme(schemes: &[Scheme]) -> Result<Scheme, String> {
    if schemes.is_empty() {
        return Ok(Scheme::default());
    }
    let known = schemes.iter().find(|scheme| scheme.name == "sigv4");
    known.cloned().ok_or_else(|| {
        let names: Vec<&str> = schemes.iter().map(|scheme| scheme.name.as_str()).collect();
        format!("requests there are signed with {}, which is not supported", names.join(" or "))
    })
}

/// Scheme and host, and the path behind them.
fn split(url: &str) -> Option<(&str, &str)> {
    let host = url.find("://")? + 3;
    let end = url[host..].find('/').map_or(url.len(), |slash| host + slash);
    Some((&url[..end], url[end..].trim_end_matches('/')))
}
