//! Everything that can be wrong before an execution starts: the definition, the input, the mock
//! configuration, names, and tasks that nothing can perform.

use std::path::Path;
use std::sync::Arc;

use asl::Severity;
use asl::machine::Machine;
use engine::Execution;
use integrations::mock::{Config, Mocks, TestCase, split_selection};
use integrations::{NotCallable, Tasks};
use integrations_aws::{Rights, Services};
use model::arn::{Arn, Home, Resource};
use model::json::{Span, Text, Value};
use model::limits::PAYLOAD_BYTES_MAX;
use model::name::check_name;
use model::timestamp::Timestamp;

use crate::args::RunArgs;
use crate::check::finding;
use crate::excerpt::{self, Level, Note};
use crate::exit::Exit;
use crate::identity::own;
use crate::source::{self, InputArg, Source, name_from};
use crate::tasks::{endpoints, web};
use crate::terminal::Style;
use crate::uuid::uuid;

/// An execution that is ready to start.
pub struct Prepared {
    /// The definition's text.
    pub source: Source,
    /// The definition.
    pub machine: Machine,
    /// The execution's input.
    pub input: Value,
    /// Who performs its tasks.
    pub tasks: Arc<dyn Tasks>,
    /// Who it is. The time of its start is set when it starts.
    pub execution: Execution,
    /// What is odd but no reason not to run.
    pub warnings: String,
}

/// A run that does not start.
pub struct Refused {
    /// The exit code.
    pub exit: Exit,
    /// Why, ending with a line feed.
    pub message: String,
}

/// Reads and checks what the command line names.
pub fn prepare(args: &RunArgs, style: Style) -> Result<Prepared, Refused> {
    let usage = |message: String| Refused {
        exit: Exit::Usage,
        message: format!("{}: {message}\n", style.error("error")),
    };
    if args.file.as_os_str() == "-" && args.input.as_deref() == Some("-") {
        return Err(usage("the definition and the input cannot both come from standard input".to_owned()));
    }
    let source = source::read_definition(&args.file).map_err(|error| usage(error.to_string()))?;
    let (machine, mut warnings) = definition(&source, args, style)?;
    for name in source::unused_substitutions(&args.definition, &[&source]) {
        let warning = style.warning("warning");
        warnings.push_str(&format!("{warning}: substitution `{name}` does not occur in `{}`\n", source.name));
    }
    let input = input(args, style, &usage)?;
    let mock = args.mock.as_deref().map(|mock| MockFile::read(mock, style)).transpose()?;
    let test_case = mock.as_ref().map(|mock| mock.select(args, &machine, style)).transpose()?;

    let state_machine = match (&args.state_machine, test_case) {
        (Some(name), _) => name.clone(),
        (None, Some(test_case)) => test_case.state_machine.to_string(),
        (None, None) => name_from(&args.file),
    };
    let execution = execution(args, &state_machine).map_err(usage)?;
    let tasks = tasks(args, test_case).map_err(usage)?;
    integrations::callable(&machine, tasks.as_ref())
        .map_err(|refused| not_callable(&refused, &machine, &source, style))?;
    Ok(Prepared { source, machine, input, tasks, execution, warnings })
}

/// The machine, and its warnings as text.
fn definition(source: &Source, args: &RunArgs, style: Style) -> Result<(Machine, String), Refused> {
    let parsed = source::parse(source, &args.definition);
    let show = |severity: Option<Severity>| -> String {
        let wanted =
            parsed.diagnostics.iter().filter(|found| severity.is_none_or(|only| found.severity == only));
        wanted.map(|found| finding(&source.name, &source.text, found, style)).collect()
    };
    match parsed.machine {
        Some(ref machine) => Ok((machine.clone(), show(Some(Severity::Warning)))),
        None => Err(Refused { exit: Exit::InvalidDefinition, message: show(None) }),
    }
}

fn input(args: &RunArgs, style: Style, usage: &impl Fn(String) -> Refused) -> Result<Value, Refused> {
    let Some(arg) = &args.input else { return Ok(Value::object()) };
    let (name, text) = InputArg::of(arg).read().map_err(|error| usage(error.to_string()))?;
    let value = Value::parse(&text).map_err(|error| {
        let message = format!("the input is not JSON: {}", error.message);
        let hint = match InputArg::of(arg) {
            InputArg::Inline(path) if Path::new(&path).is_file() => {
                vec![format!("to read the file `{path}`, write `--input @{path}`")]
            }
            _ => Vec::new(),
        };
        let span = Span { start: error.offset, end: error.offset };
        let note = Note {
            level: Level::Error,
            code: None,
            message: &message,
            label: "",
            span: Some(span),
            footer: &hint,
        };
        Refused { exit: Exit::Usage, message: excerpt::render(&name, &text, &note, style) }
    })?;
    match value.json_len() {
        fits if fits <= PAYLOAD_BYTES_MAX => Ok(value),
        bytes => Err(usage(format!("the input has {bytes} bytes, more than {PAYLOAD_BYTES_MAX}"))),
    }
}

/// A mock configuration file that was read.
struct MockFile {
    name: String,
    config: Config,
    test_case: Option<String>,
}

impl MockFile {
    /// Reads `FILE` or `FILE#TEST_CASE`.
    fn read(arg: &str, style: Style) -> Result<MockFile, Refused> {
        let refuse = |message: String| Refused { exit: Exit::Usage, message };
        // A file whose own name has a `#` is meant as it is.
        let selection = split_selection(arg).filter(|_| !Path::new(arg).is_file());
        let (file, test_case) = match selection {
            Some((file, test_case)) => (file, Some(test_case.to_owned())),
            None => (arg, None),
        };
        let text = source::read_text(Path::new(file))
            .map_err(|error| refuse(format!("{}: {error}\n", style.error("error"))))?;
        let config = Config::parse(&text)
            .map_err(|errors| refuse(errors.iter().map(|error| format!("{file}:{error}\n")).collect()))?;
        Ok(MockFile { name: file.to_owned(), config, test_case })
    }

    fn select(&self, args: &RunArgs, machine: &Machine, style: Style) -> Result<&TestCase, Refused> {
        let refuse = |message: String| Refused {
            exit: Exit::Usage,
            message: format!("{}: {}: {message}\n", style.error("error"), self.name),
        };
        let wanted = args.state_machine.as_deref();
        let test_case = match &self.test_case {
            Some(name) => self.config.select(wanted, name).map_err(|error| refuse(error.to_string()))?,
            None => {
                let of_machine = |case: &&TestCase| wanted.is_none_or(|wanted| case.state_machine == wanted);
                let cases: Vec<&TestCase> = self.config.test_cases().filter(of_machine).collect();
                match cases[..] {
                    [only] => only,
                    [] => return Err(refuse("there is no test case for this state machine".to_owned())),
                    ref several => {
                        let names: Vec<String> =
                            several.iter().map(|case| format!("{}#{}", self.name, case.name)).collect();
                        let message = format!("several test cases; say which one: {}", names.join(", "));
                        return Err(refuse(message));
                    }
                }
            }
        };
        test_case.check(machine).map_err(|errors| Refused {
            exit: Exit::Usage,
            message: errors.iter().map(|error| format!("{}:{error}\n", self.name)).collect(),
        })?;
        Ok(test_case)
    }
}

/// Mocks in front of services. Nothing is connected before the first is called.
fn tasks(args: &RunArgs, test_case: Option<&TestCase>) -> Result<Arc<dyn Tasks>, String> {
    let given = args.endpoints.iter().map(String::as_str);
    let endpoints = endpoints(given, args.lambda_endpoint.as_deref())?;
    let web = web(args.connections.as_deref(), args.allow_local_http)?;
    let services: Arc<dyn Tasks> = Arc::new(
        Services::new(endpoints.clone(), Rights::Own, move || Box::pin(own(endpoints.clone(), None)))
            .with_web(web),
    );
    Ok(match test_case {
        Some(test_case) => Arc::new(Mocks::new(test_case, services)),
        None => services,
    })
}

fn not_callable(refused: &[NotCallable], machine: &Machine, source: &Source, style: Style) -> Refused {
    let message = refused
        .iter()
        .map(|refused| {
            let place = machine.state_named(&refused.state).map(|state| &machine.state(state).place);
            let footer = [format!("help: {}", refused.advice)];
            let note = Note {
                level: Level::Error,
                code: None,
                message: &format!("state `{}` cannot call `{}`", refused.state, refused.resource),
                label: "",
                span: place.map(|place| place.span),
                footer: &footer,
            };
            excerpt::render(&source.name, &source.text, &note, style)
        })
        .collect();
    Refused { exit: Exit::Usage, message }
}

fn execution(args: &RunArgs, state_machine: &str) -> Result<Execution, String> {
    let named =
        |what: &str, name: &str| check_name(name).map_err(|error| format!("the name of the {what} {error}"));
    named("state machine", state_machine)?;
    let mut seeds = session_ids(args.seed);
    let name = match &args.name {
        Some(name) => {
            named("execution", name)?;
            name.clone()
        }
        None => uuid(&mut seeds)?,
    };
    let home = Home::new("aws", args.region.as_str(), args.account.as_str());
    let state_machine = Text::from(state_machine);
    let name = Text::from(name);
    let arn = |resource| {
        let text = Arn { home: home.clone(), resource }.to_string();
        Arn::parse(&text).map(|_| Text::from(text)).map_err(|error| error.to_string())
    };
    let resource = if args.definition.express {
        let id = Text::from(uuid(&mut seeds)?);
        Resource::ExpressExecution {
            state_machine: state_machine.clone(),
            label: None,
            name: name.clone(),
            id,
        }
    } else {
        Resource::Execution { state_machine: state_machine.clone(), name: name.clone() }
    };
    let role_arn =
        args.role_arn.clone().unwrap_or_else(|| format!("arn:aws:iam::{}:role/stepwright", args.account));
    Ok(Execution {
        arn: arn(resource)?,
        name,
        role_arn: role_arn.into(),
        state_machine_arn: arn(Resource::StateMachine { name: state_machine.clone() })?,
        state_machine_name: state_machine,
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        region: args.region.as_str().into(),
        started_at: Timestamp::EPOCH,
        synchronous: false,
    })
}

/// Numbers for names; with a seed, others than those of the execution's steps.
fn session_ids(seed: Option<u64>) -> driver::Seeds {
    seed.map_or(driver::Seeds::System, |seed| driver::Seeds::From(!seed))
}
