//! The partitions of AWS: which one a Region belongs to, and what its hosts end with.

use model::json;

use super::Value;
use crate::catalog::Catalog;

/// The partition that Regions belong to which none claims.
const DEFAULT: &str = "aws";

/// The partition of a Region: the one that lists it, else the one whose pattern it has, else AWS's first.
pub(super) fn of_region(catalog: &Catalog, region: &str) -> Value {
    let partitions = catalog.partitions();
    let listed = partitions.iter().find(|partition| partition.regions.iter().any(|known| known == region));
    let alike = || partitions.iter().find(|partition| partition.is_like_its_own(region));
    let default = || partitions.iter().find(|partition| partition.id == DEFAULT);
    listed.or_else(alike).or_else(default).map_or(Value::Absent, Partition::value)
}

/// A partition.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    id: String,
    /// What the names of its Regions begin with, before a place and a number.
    beginnings: Vec<String>,
    regions: Vec<String>,
    dns_suffix: String,
    dual_stack_dns_suffix: String,
    implicit_global_region: String,
    supports_fips: bool,
    supports_dual_stack: bool,
}

impl Partition {
    /// All partitions, from the models' text.
    pub fn all(text: &str) -> Vec<Partition> {
        let parsed = json::parse(text).unwrap_or_default();
        let list = parsed.get("partitions").and_then(json::Value::as_array);
        list.into_iter().flat_map(|list| list.iter()).map(Partition::of).collect()
    }

    fn of(value: &json::Value) -> Partition {
        let text = |of: Option<&json::Value>, name: &str| {
            of.and_then(|of| of.get(name)?.as_str()).unwrap_or_default().to_owned()
        };
        let outputs = value.get("outputs");
        let flag = |name: &str| outputs.and_then(|of| of.get(name)?.as_bool()) == Some(true);
        let regions = value.get("regions").and_then(json::Value::as_object);
        Partition {
            id: text(Some(value), "id"),
            beginnings: beginnings(&text(Some(value), "regionRegex")),
            regions: regions
                .into_iter()
                .flat_map(|regions| regions.keys())
                .map(ToString::to_string)
                .collect(),
            dns_suffix: text(outputs, "dnsSuffix"),
            dual_stack_dns_suffix: text(outputs, "dualStackDnsSuffix"),
            implicit_global_region: text(outputs, "implicitGlobalRegion"),
            supports_fips: flag("supportsFIPS"),
            supports_dual_stack: flag("supportsDualStack"),
        }
    }

    fn is_like_its_own(&self, region: &str) -> bool {
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        self.beginnings.iter().any(|beginning| {
            let place = region.strip_prefix(beginning.as_str()).and_then(|rest| rest.strip_prefix('-'));
            let parts = place.and_then(|place| place.split_once('-'));
            parts.is_some_and(|(place, number)| is_word(place) && is_number(number))
        })
    }

    fn value(&self) -> Value {
        Value::Record(vec![
            ("name", Value::Text(self.id.clone())),
            ("dnsSuffix", Value::Text(self.dns_suffix.clone())),
            ("dualStackDnsSuffix", Value::Text(self.dual_stack_dns_suffix.clone())),
            ("implicitGlobalRegion", Value::Text(self.implicit_global_region.clone())),
            ("supportsFIPS", Value::Boolean(self.supports_fips)),
            ("supportsDualStack", Value::Boolean(self.supports_dual_stack)),
        ])
    }
}

/// The patterns of Regions are all of the form `^(us|eu)\-\w+\-\d+$`, of which this is `us` and `eu`.
fn beginnings(pattern: &str) -> Vec<String> {
    let beginning = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix(r"\-\w+\-\d+$"));
    let beginning = beginning.unwrap_or_default().replace(r"\-", "-");
    match beginning.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((before, several)) => several.split('|').map(|one| format!("{before}{one}")).collect(),
        None if beginning.is_empty() => Vec::new(),
        None => vec![beginning],
    }
}
