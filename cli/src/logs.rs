//! `stepwright logs`: the logs of an installation's functions.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudformation::types::StackResourceSummary;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use model::timestamp::Timestamp;

use crate::args::{LogsArgs, When};
use crate::exit::Exit;
use crate::stack::{self, Cloud, Failure, told};
use crate::terminal::{Style, printable};

/// Between two looks for new lines.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A line is found up to so long after the time that it bears.
const LATE_MILLIS_MAX: i64 = 60_000;

/// Lines of one look at one function that are kept in memory; the rest comes with the next look.
const LINES_MAX: usize = 10_000;

/// Runs the command.
pub fn logs(args: &LogsArgs, color: When) -> Exit {
    stack::command(color, async |style| {
        let cloud = Cloud::new(&args.stack, style).await?;
        cloud.existing().await?;
        let groups = chosen(groups(&cloud.resources().await?), &args.functions)?;
        let client = Client::new(&cloud.sdk);
        let since = now() - i64::try_from(args.since.as_millis()).unwrap_or(i64::MAX);
        let mut readers: Vec<Reader> =
            groups.into_iter().map(|(function, group)| Reader::new(function, group, since)).collect();
        loop {
            let mut lines = Vec::new();
            let mut is_complete = true;
            for reader in &mut readers {
                is_complete &= reader.read(&client, args.filter.as_deref(), &mut lines).await?;
            }
            lines.sort_by_key(|line| line.millis);
            if print(&lines, style).is_err() {
                // Whoever read them has gone.
                return Ok(Exit::Success);
            }
            if is_complete {
                if !args.follow {
                    return Ok(Exit::Success);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    })
}

/// Functions and their log groups: the group that the stack declares for a function, else the one that
/// Lambda makes.
fn groups(resources: &[StackResourceSummary]) -> BTreeMap<String, String> {
    let of = |kind: &'static str| {
        resources.iter().filter_map(move |resource| {
            let is_kind = resource.resource_type.as_deref() == Some(kind);
            let names = (resource.logical_resource_id.as_deref()?, resource.physical_resource_id.as_deref()?);
            is_kind.then_some(names)
        })
    };
    of("AWS::Lambda::Function")
        .map(|(logical, physical)| {
            let base = logical.strip_suffix("Function").filter(|base| !base.is_empty()).unwrap_or(logical);
            let declared = format!("{base}LogGroup");
            let group = of("AWS::Logs::LogGroup").find(|(name, _)| *name == declared);
            let group =
                group.map_or_else(|| format!("/aws/lambda/{physical}"), |(_, group)| group.to_owned());
            (kebab(base), group)
        })
        .collect()
}

/// `StepDriver` as handlers are named: `step-driver`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Those that are asked for; all when nobody asks.
fn chosen(
    mut groups: BTreeMap<String, String>,
    functions: &[String],
) -> Result<BTreeMap<String, String>, Failure> {
    let names: Vec<&str> = groups.keys().map(String::as_str).collect();
    if names.is_empty() {
        return Err(Failure::usage("the stack has no functions"));
    }
    if let Some(unknown) = functions.iter().find(|name| !groups.contains_key(*name)) {
        let names = names.join(", ");
        return Err(Failure::usage(format!("the stack has no function `{unknown}`; it has {names}")));
    }
    groups.retain(|name, _| functions.is_empty() || functions.contains(name));
    Ok(groups)
}

struct Line {
    millis: i64,
    function: String,
    text: String,
}

/// Reads one log group from where it was left.
struct Reader {
    function: String,
    group: String,
    since: i64,
    /// Lines that were found at this time or later, by their ids.
    seen: BTreeMap<String, i64>,
    /// Where a look was interrupted.
    token: Option<String>,
}

impl Reader {
    fn new(function: String, group: String, since: i64) -> Reader {
        Reader { function, group, since, seen: BTreeMap::new(), token: None }
    }

    /// Adds the lines that are new; whether these are all for now.
    async fn read(
        &mut self,
        client: &Client,
        filter: Option<&str>,
        lines: &mut Vec<Line>,
    ) -> Result<bool, Failure> {
        let mut count = 0;
        loop {
            let asked = client
                .filter_log_events()
                .log_group_name(&self.group)
                .start_time(self.since)
                .set_filter_pattern(filter.map(str::to_owned))
                .set_next_token(self.token.take());
            let page = match asked.send().await {
                Ok(page) => page,
                // A function that never ran has no log.
                Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(true),
                Err(error) => {
                    return Err(told(&format!("the log {} cannot be read", self.group), &error).into());
                }
            };
            for event in page.events.unwrap_or_default() {
                let (Some(millis), Some(id)) = (event.timestamp, event.event_id) else { continue };
                if self.seen.insert(id, millis).is_none() {
                    let text = event.message.unwrap_or_default();
                    lines.push(Line { millis, function: self.function.clone(), text });
                    count += 1;
                }
            }
            self.token = page.next_token;
            if self.token.is_none() {
                break;
            }
            if count >= LINES_MAX {
                return Ok(false);
            }
        }
        // What may still come late is looked for again, and known by its id.
        let latest = self.seen.values().max().copied().unwrap_or(self.since);
        self.since = self.since.max(latest.min(now()) - LATE_MILLIS_MAX);
        self.seen.retain(|_, millis| *millis >= self.since);
        Ok(true)
    }
}

fn print(lines: &[Line], style: Style) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        let time = Timestamp::from_millis(line.millis).to_string();
        let function = style.bold(&line.function);
        writeln!(out, "{} {function} {}", style.dim(&time), printable(line.text.trim_end()))?;
    }
    out.flush()
}

fn now() -> i64 {
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::ResourceStatus;

    use super::*;

    fn resource(kind: &str, logical: &str, physical: &str) -> StackResourceSummary {
        StackResourceSummary::builder()
            .resource_type(kind)
            .logical_resource_id(logical)
            .physical_resource_id(physical)
            .resource_status(ResourceStatus::CreateComplete)
            .last_updated_timestamp(aws_sdk_cloudformation::primitives::DateTime::from_secs(0))
            .build()
    }

    fn known() -> BTreeMap<String, String> {
        groups(&[
            resource("AWS::Lambda::Function", "StepDriverFunction", "s-StepDriver-1"),
            resource("AWS::Lambda::Function", "ApiFunction", "s-Api-1"),
            resource("AWS::Lambda::Function", "Function", "s-F-1"),
            resource("AWS::Logs::LogGroup", "ApiLogGroup", "s-ApiLogGroup-2"),
            resource("AWS::Logs::LogGroup", "HttpApiLogGroup", "/aws/vendedlogs/s"),
            resource("AWS::DynamoDB::Table", "Table", "t"),
        ])
    }

    #[test]
    fn functions_have_the_groups_that_the_stack_declares() {
        let found = known();
        let found: Vec<_> = found.iter().map(|(name, group)| (name.as_str(), group.as_str())).collect();
        assert_eq!(
            found,
            [
                ("api", "s-ApiLogGroup-2"),
                ("function", "/aws/lambda/s-F-1"),
                ("step-driver", "/aws/lambda/s-StepDriver-1"),
            ]
        );
    }

    #[test]
    fn functions_are_chosen_by_name() {
        let check = |functions: &[&str], expected: Option<usize>| {
            let functions: Vec<String> = functions.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(chosen(known(), &functions).ok().map(|found| found.len()), expected, "{functions:?}");
        };
        check(&[], Some(3));
        check(&["api"], Some(1));
        check(&["api", "step-driver"], Some(2));
        check(&["api", "driver"], None);
        assert!(chosen(BTreeMap::new(), &[]).is_err());
    }
}
