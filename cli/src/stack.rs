//! The CloudFormation stack that is an installation, for all commands about one.

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use ::proxy::sdk;
use aws_config::{Region, SdkConfig};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types::{ResourceStatus, StackEvent, StackResourceSummary};
use model::timestamp::Timestamp;

use crate::args::{StackArgs, When};
use crate::exit::Exit;
use crate::terminal::{Style, printable_line};

/// Between two looks at what CloudFormation does.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks after which what did not begin will not.
const LOOKS_IDLE_MAX: u32 = 30;

/// Pages of a listing that are read at most; each has a hundred entries.
const PAGES_MAX: usize = 50;

/// Why a command ends early.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// What was asked for cannot be done, and nothing was.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into() }
    }
}

/// AWS refused, or failed.
impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure { exit: Exit::Failed, message }
    }
}

/// The way to a stack.
pub struct Cloud {
    /// Region, credentials and the like.
    pub sdk: SdkConfig,
    /// Name of the stack.
    pub name: String,
    /// Style of standard output.
    pub style: Style,
    client: Client,
}

/// A stack as it is.
pub struct Stack {
    /// Its ARN, which means it even when it is deleted.
    pub id: String,
    /// `CREATE_COMPLETE` and the like.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// Values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Name, value and description of its outputs.
    pub outputs: Vec<(String, String, String)>,
    /// When it last changed.
    pub changed: Option<String>,
}

impl Stack {
    /// The value of an output.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.iter().find(|(known, _, _)| known == name).map(|(_, value, _)| value.as_str())
    }

    /// Whether something is being done with it.
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// Whether the last thing that was done with it succeeded.
    pub fn is_good(&self) -> bool {
        matches!(
            self.status.as_str(),
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" | "DELETE_COMPLETE"
        )
    }
}

/// Runs a command; what it fails with is printed.
pub fn command<F>(color: When, run: impl FnOnce(Style) -> F) -> Exit
where
    F: Future<Output = Result<Exit, Failure>>,
{
    let errors = Style::of_stderr(color, &io::stderr());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{}: cannot start: {error}", errors.error("error"));
            return Exit::Failed;
        }
    };
    let ended = runtime.block_on(run(Style::of_stdout(color, &io::stdout())));
    ended.unwrap_or_else(|failure| {
        eprintln!("{}: {}", errors.error("error"), failure.message);
        failure.exit
    })
}

/// The SDK as the command line wants it.
pub async fn configuration(args: &StackArgs) -> SdkConfig {
    let mut loader = sdk::loader();
    if let Some(profile) = &args.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &args.region {
        loader = loader.region(Region::new(region.clone()));
    }
    loader.load().await
}

impl Cloud {
    /// Nothing is asked yet.
    pub async fn new(args: &StackArgs, style: Style) -> Result<Cloud, Failure> {
        let sdk = configuration(args).await;
        if sdk.region().is_none() {
            return Err(Failure::usage("no AWS Region is configured: give --region or set AWS_REGION"));
        }
        let client = Client::new(&sdk);
        Ok(Cloud { sdk, name: args.stack.clone(), style, client })
    }

    /// CloudFormation.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The Region.
    pub fn region(&self) -> &str {
        self.sdk.region().map(Region::as_ref).unwrap_or_default()
    }

    /// The stack of the name; none when there is none.
    pub async fn find(&self) -> Result<Option<Stack>, Failure> {
        self.describe(&self.name).await
    }

    /// The stack of the name, which has to be there.
    pub async fn existing(&self) -> Result<Stack, Failure> {
        let missing = || {
            Failure::usage(format!(
                "there is no stack {} in {}: `stepwright deploy` creates it, --stack and --region say which one \
                 is meant",
                self.name,
                self.region()
            ))
        };
        self.find().await?.ok_or_else(missing)
    }

    async fn describe(&self, name: &str) -> Result<Option<Stack>, Failure> {
        let described = self.client.describe_stacks().stack_name(name).send().await;
        let described = match described {
            Ok(described) => described,
            Err(error) if error.message().is_some_and(|message| message.contains("does not exist")) => {
                return Ok(None);
            }
            Err(error) => return Err(told("the stack cannot be read", &error).into()),
        };
        let Some(stack) = described.stacks.unwrap_or_default().into_iter().next() else { return Ok(None) };
        let parameters = stack.parameters.unwrap_or_default().into_iter();
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        Ok(Some(Stack {
            id: stack.stack_id.unwrap_or_else(|| name.to_owned()),
            status: stack.stack_status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            reason: stack.stack_status_reason,
            parameters: parameters
                .filter_map(|known| Some((known.parameter_key?, known.parameter_value?)))
                .collect(),
            outputs: outputs
                .filter_map(|known| {
                    Some((known.output_key?, known.output_value?, known.description.unwrap_or_default()))
                })
                .collect(),
            changed: stack.last_updated_time.or(stack.creation_time).as_ref().map(|time| clock(time.secs())),
        }))
    }

    /// Everything that the stack consists of.
    pub async fn resources(&self) -> Result<Vec<StackResourceSummary>, Failure> {
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let page =
                self.client.list_stack_resources().stack_name(&self.name).set_next_token(token).send().await;
            let page = page.map_err(|error| told("the stack's resources cannot be listed", &error))?;
            found.extend(page.stack_resource_summaries.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// What has happened to a stack so far, so that [`Cloud::follow`] tells the rest.
    pub async fn history(&self, stack: &str) -> Result<HashSet<String>, Failure> {
        let events = self.new_events(stack, &HashSet::new()).await?;
        Ok(events.into_iter().filter_map(|event| event.event_id).collect())
    }

    /// Events that are not known, in their order.
    async fn new_events(&self, stack: &str, known: &HashSet<String>) -> Result<Vec<StackEvent>, Failure> {
        let mut found: Vec<StackEvent> = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let page =
                self.client.describe_stack_events().stack_name(stack).set_next_token(token).send().await;
            let page = match page {
                Ok(page) => page,
                Err(error) if error.message().is_some_and(|message| message.contains("does not exist")) => {
                    break;
                }
                Err(error) => return Err(told("the stack's events cannot be read", &error).into()),
            };
            let events = page.stack_events.unwrap_or_default();
            let count = events.len();
            let is_new = |event: &StackEvent| event.event_id.as_ref().is_some_and(|id| !known.contains(id));
            let fresh: Vec<StackEvent> = events.into_iter().filter(is_new).collect();
            // The latest come first: behind a known one there are no others.
            let ended = fresh.len() < count;
            found.extend(fresh);
            token = page.next_token;
            if ended || token.is_none() {
                break;
            }
        }
        found.reverse();
        Ok(found)
    }

    /// Shows what happens to a stack until nothing more does; none when it is gone. Also gives the
    /// names of what was kept.
    pub async fn follow(
        &self,
        stack: &str,
        mut known: HashSet<String>,
    ) -> Result<(Option<Stack>, Vec<String>), Failure> {
        let mut kept = Vec::new();
        // Until something happens to the stack itself, its status is still that of before.
        let mut has_begun = false;
        for looks in 0_u32.. {
            let had_begun = has_begun || looks >= LOOKS_IDLE_MAX;
            // Looked at first, so that no event is missed at the end.
            let now = self.describe(stack).await?;
            for event in self.new_events(stack, &known).await? {
                println!("{}", self.line(&event));
                if event.resource_status == Some(ResourceStatus::DeleteSkipped) {
                    let kind = event.resource_type.as_deref().unwrap_or_default();
                    let id = event.physical_resource_id.as_deref().unwrap_or_default();
                    kept.push(format!("{kind} {id}"));
                }
                has_begun |= event.physical_resource_id.as_deref() == Some(stack);
                known.extend(event.event_id);
            }
            match now {
                Some(now) if now.is_busy() || !had_begun => tokio::time::sleep(LOOK_EVERY).await,
                now => return Ok((now, kept)),
            }
        }
        Ok((None, kept))
    }

    fn line(&self, event: &StackEvent) -> String {
        let time = event.timestamp.as_ref().map(|time| clock(time.secs())).unwrap_or_default();
        let status = event.resource_status.as_ref().map(ResourceStatus::as_str).unwrap_or_default();
        let padded = format!("{status:<28}");
        let padded = match status {
            failed if failed.ends_with("FAILED") => self.style.error(&padded),
            rolled if rolled.contains("ROLLBACK") => self.style.warning(&padded),
            done if done.ends_with("COMPLETE") => self.style.success(&padded),
            _ => padded,
        };
        let name = event.logical_resource_id.as_deref().unwrap_or_default();
        let kind = event.resource_type.as_deref().unwrap_or_default();
        let reason =
            event.resource_status_reason.as_deref().map(|reason| format!("  {}", printable_line(reason)));
        format!(
            "{}  {padded}{name}  {}{}",
            self.style.dim(&time),
            self.style.dim(kind),
            reason.unwrap_or_default()
        )
    }

    /// Prints the outputs.
    pub fn print_outputs(&self, stack: &Stack) {
        let width = stack.outputs.iter().map(|(name, _, _)| name.len()).max().unwrap_or_default();
        let mut outputs: Vec<_> = stack.outputs.iter().collect();
        outputs.sort();
        for (name, value, description) in outputs {
            let description = printable_line(description);
            println!("{name:<width$}  {}  {}", printable_line(value), self.style.dim(&description));
        }
    }

    /// Whether somebody says yes; an error where nobody can be asked.
    pub fn confirm(&self, question: &str, yes: bool) -> Result<bool, Failure> {
        if yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::usage("nobody can be asked here: say --yes to go on"));
        }
        print!("{question} [y/N] ");
        // Who cannot see the question can still answer it.
        let _ = io::stdout().flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.map_err(|error| Failure::usage(format!("the answer cannot be read: {error}")))?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}

/// What AWS said, or what became of the request.
pub fn told<E, R>(what: &str, error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{what}: {message} ({code})"),
        (Some(code), None) => format!("{what}: {code}"),
        _ => {
            let mut innermost: &dyn std::error::Error = error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            format!("{what}: {innermost}")
        }
    }
}

/// Seconds of the epoch, for people.
pub fn clock(seconds: i64) -> String {
    Timestamp::from_millis(seconds.saturating_mul(1_000)).to_string()
}
