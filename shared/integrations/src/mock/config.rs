use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use asl::machine::Machine;
use asl::state::StateKind;
use model::error::Failure;
use model::json::{Location, Spanned, SpannedKind, SpannedMember, Text, Value, parse_spanned};

/// A mock configuration file that passed every check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `StateMachines`, in the order of the file.
    state_machines: Vec<(Text, Vec<TestCase>)>,
}

/// A test case: which states are mocked, and with what.
#[derive(Clone, Debug, PartialEq)]
pub struct TestCase {
    /// The state machine that it belongs to.
    pub state_machine: Text,
    /// Its name.
    pub name: Text,
    /// Responses by state, in the order of the file.
    pub states: Vec<MockedState>,
}

/// A mocked state of a test case.
#[derive(Clone, Debug, PartialEq)]
pub struct MockedState {
    /// The state.
    pub state: Text,
    /// The name of its mocked response.
    pub response: Text,
    /// What it answers, by attempt. In order and without gaps, from attempt 0.
    pub attempts: Arc<[(RangeInclusive<u32>, Response)]>,
    place: Place,
}

/// What a mocked attempt ends with.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// `Return`: the result of the task.
    Return(Value),
    /// `Throw`: the failure of the task.
    Throw(Failure),
}

/// One thing that is wrong with a mock configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong and what to do.
    pub message: String,
    /// JSON Pointer to it; empty for the whole file.
    pub pointer: String,
    /// Line and column, from 1.
    pub location: Location,
}

/// A test case that cannot be picked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No state machine of that name.
    #[error("state machine `{name}` is not in the mock configuration, which has {known}")]
    UnknownStateMachine {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// No test case of that name.
    #[error("test case `{name}` is not in the mock configuration, which has {known}")]
    UnknownTestCase {
        /// The name asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// Several state machines have it.
    #[error("test case `{name}` belongs to several state machines: {machines}; say which one")]
    Ambiguous {
        /// The name asked for.
        name: String,
        /// The state machines that have it.
        machines: String,
    },
}

/// Where something stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    pointer: String,
    location: Location,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location { line, column } = self.location;
        write!(f, "{line}:{column}: {}", self.message)?;
        if self.pointer.is_empty() { Ok(()) } else { write!(f, " (at {})", self.pointer) }
    }
}

impl std::error::Error for ConfigError {}

/// Splits `FILE#TestCase`; the name of a test case has no `#`.
pub fn split_selection(selection: &str) -> Option<(&str, &str)> {
    let (file, test_case) = selection.rsplit_once('#')?;
    (!file.is_empty() && !test_case.is_empty()).then_some((file, test_case))
}

impl Config {
    /// Reads a file; on failure, everything that is wrong with it, in the order of the text.
    ///
    /// Every attempt of a mocked response is given once: ranges that overlap or leave a gap are
    /// refused here and not met by a state that enters one attempt too many. A response without
    /// any attempt is accepted, as Step Functions Local does; it fails the state that uses it.
    pub fn parse(text: &str) -> Result<Config, Vec<ConfigError>> {
        let root = parse_spanned(text).map_err(|error| {
            let message = format!("not JSON: {}", error.message);
            vec![ConfigError { message, pointer: String::new(), location: error.location }]
        })?;
        let mut reader = Reader { text, errors: Vec::new() };
        let config = reader.config(&root);
        reader.errors.sort_by_key(|error| (error.location.line, error.location.column));
        if reader.errors.is_empty() { Ok(config) } else { Err(reader.errors) }
    }

    /// Every test case, in the order of the file.
    pub fn test_cases(&self) -> impl Iterator<Item = &TestCase> {
        self.state_machines.iter().flat_map(|(_, cases)| cases)
    }

    /// The test case `name` of `state_machine`, or of the only state machine that has it.
    pub fn select(&self, state_machine: Option<&str>, name: &str) -> Result<&TestCase, SelectError> {
        if let Some(wanted) = state_machine
            && !self.state_machines.iter().any(|(machine, _)| machine == wanted)
        {
            let known = list(self.state_machines.iter().map(|(machine, _)| machine));
            return Err(SelectError::UnknownStateMachine { name: wanted.to_owned(), known });
        }
        let of_machine = |case: &&TestCase| state_machine.is_none_or(|wanted| case.state_machine == wanted);
        let found: Vec<&TestCase> =
            self.test_cases().filter(of_machine).filter(|case| case.name == name).collect();
        match found.as_slice() {
            [case] => Ok(case),
            [] => {
                let known = list(self.test_cases().filter(of_machine).map(|case| &case.name));
                Err(SelectError::UnknownTestCase { name: name.to_owned(), known })
            }
            several => {
                let machines = list(several.iter().map(|case| &case.state_machine));
                Err(SelectError::Ambiguous { name: name.to_owned(), machines })
            }
        }
    }
}

impl TestCase {
    /// Checks the test case against the definition that it mocks: every state that it names is
    /// a Task state of it. The error is never empty.
    pub fn check(&self, machine: &Machine) -> Result<(), Vec<ConfigError>> {
        let errors: Vec<ConfigError> = self
            .states
            .iter()
            .filter_map(|mocked| {
                let state = machine.state_named(&mocked.state).map(|id| machine.state(id));
                let message = match state.map(|state| &state.kind) {
                    Some(StateKind::Task(_)) => return None,
                    Some(kind) => format!(
                        "state `{}` is a {} state; only Task states have mocked responses",
                        mocked.state,
                        kind.type_name()
                    ),
                    None => {
                        let tasks = machine.states.iter().filter(|s| matches!(s.kind, StateKind::Task(_)));
                        let known = list(tasks.map(|state| &state.name));
                        format!(
                            "state `{}` is not in the definition, whose Task states are {known}",
                            mocked.state
                        )
                    }
                };
                Some(mocked.place.error(message))
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

impl Place {
    fn error(&self, message: String) -> ConfigError {
        ConfigError { message, pointer: self.pointer.clone(), location: self.location }
    }
}

/// `` `A`, `B` `` or `none`.
fn list<'a>(names: impl Iterator<Item = &'a Text>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A JSON node with the pointer that leads to it.
struct Node<'a> {
    pointer: String,
    node: &'a Spanned,
}

impl<'a> Node<'a> {
    fn member(&self, member: &'a SpannedMember) -> Node<'a> {
        let token = member.name.replace('~', "~0").replace('/', "~1");
        Node { pointer: format!("{}/{token}", self.pointer), node: &member.value }
    }
}

type Attempts = Arc<[(RangeInclusive<u32>, Response)]>;

struct Reader<'t> {
    text: &'t str,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn place(&self, pointer: &str, offset: usize) -> Place {
        Place { pointer: pointer.to_owned(), location: Location::of(self.text, offset) }
    }

    fn error(&mut self, pointer: &str, offset: usize, message: impl Into<String>) {
        let error = self.place(pointer, offset).error(message.into());
        self.errors.push(error);
    }

    /// The members of an object; a repeated name is an error, since only one of them would count.
    fn members<'a>(&mut self, node: &Node<'a>, what: &str) -> Vec<(&'a SpannedMember, Node<'a>)> {
        let SpannedKind::Object(members) = &node.node.kind else {
            let found = node.node.to_value();
            let message = format!("{what} must be an object, not {}", found.type_name());
            self.error(&node.pointer, node.node.span.start, message);
            return Vec::new();
        };
        for (at, member) in members.iter().enumerate() {
            if members[..at].iter().any(|earlier| earlier.name == member.name) {
                let pointer = node.member(member).pointer;
                self.error(&pointer, member.name_span.start, format!("`{}` is given twice", member.name));
            }
        }
        members.iter().map(|member| (member, node.member(member))).collect()
    }

    fn config(&mut self, root: &Spanned) -> Config {
        let root = Node { pointer: String::new(), node: root };
        let members = self.members(&root, "a mock configuration");
        let mut find = |name: &str| {
            let found = members.iter().find(|(member, _)| member.name == name);
            if found.is_none() && matches!(root.node.kind, SpannedKind::Object(_)) {
                self.error("", root.node.span.start, format!("`{name}` is missing"));
            }
            found.map(|(_, node)| node)
        };
        let (state_machines, responses) = (find("StateMachines"), find("MockedResponses"));
        let responses = responses.map(|node| self.responses(node)).unwrap_or_default();
        let state_machines = state_machines.map(|node| self.state_machines(node, &responses));
        Config { state_machines: state_machines.unwrap_or_default() }
    }

    fn responses(&mut self, node: &Node<'_>) -> Vec<(Text, Attempts)> {
        let members = self.members(node, "`MockedResponses`");
        members.into_iter().map(|(member, node)| (member.name.clone(), self.attempts(&node))).collect()
    }

    fn attempts(&mut self, node: &Node<'_>) -> Attempts {
        let mut attempts = Vec::new();
        for (member, node) in self.members(node, "a mocked response") {
            let range = attempt_range(&member.name);
            if range.is_none() {
                let message = format!(
                    "`{}` names no attempts; write a number such as `0`, or a range such as `1-2`",
                    member.name
                );
                self.error(&node.pointer, member.name_span.start, message);
            }
            let response = self.response(&node);
            if let (Some(range), Some(response)) = (range, response) {
                attempts.push((range, response, self.place(&node.pointer, member.name_span.start)));
            }
        }
        // Anything that failed above would only be reported again as a gap.
        if self.errors.is_empty() {
            attempts.sort_by_key(|(range, ..)| *range.start());
            self.check_contiguous(&attempts);
        }
        attempts.into_iter().map(|(range, response, _)| (range, response)).collect()
    }

    fn check_contiguous(&mut self, attempts: &[(RangeInclusive<u32>, Response, Place)]) {
        let mut next = 0u64;
        for (range, _, place) in attempts {
            let start = u64::from(*range.start());
            if start < next {
                self.errors.push(place.error(format!("attempt {start} is mocked twice")));
            } else if start > next {
                let missing =
                    if start - next == 1 { next.to_string() } else { format!("{next}-{}", start - 1) };
                let message = format!("attempt {missing} is missing; attempts are counted from 0");
                self.errors.push(place.error(message));
            }
            next = next.max(u64::from(*range.end()) + 1);
        }
    }

    fn response(&mut self, node: &Node<'_>) -> Option<Response> {
        let errors_before = self.errors.len();
        let members = self.members(node, "the response to an attempt");
        match members.as_slice() {
            [(member, node)] if member.name == "Return" => Some(Response::Return(node.node.to_value())),
            [(member, node)] if member.name == "Throw" => self.throw(node).map(Response::Throw),
            _ => {
                if self.errors.len() == errors_before {
                    let message = "the response to an attempt has one member, either `Return` or `Throw`";
                    self.error(&node.pointer, node.node.span.start, message);
                }
                None
            }
        }
    }

    fn throw(&mut self, node: &Node<'_>) -> Option<Failure> {
        let errors_before = self.errors.len();
        let mut failure = Failure::default();
        for (member, member_node) in self.members(node, "`Throw`") {
            let slot = match member.name.as_str() {
                "Error" => &mut failure.error,
                "Cause" => &mut failure.cause,
                other => {
                    let message = format!("`Throw` has `Error` and `Cause`, not `{other}`");
                    self.error(&member_node.pointer, member.name_span.start, message);
                    continue;
                }
            };
            match &member_node.node.kind {
                SpannedKind::String(text) => *slot = Some(text.clone()),
                _ => {
                    let message = format!("`{}` must be a string", member.name);
                    self.error(&member_node.pointer, member_node.node.span.start, message);
                }
            }
        }
        if self.errors.len() == errors_before && failure.error.is_none() {
            self.error(&node.pointer, node.node.span.start, "`Throw` needs an `Error`");
        }
        (self.errors.len() == errors_before).then_some(failure)
    }

    fn state_machines(
        &mut self,
        node: &Node<'_>,
        responses: &[(Text, Attempts)],
    ) -> Vec<(Text, Vec<TestCase>)> {
        let mut machines = Vec::new();
        for (machine, node) in self.members(node, "`StateMachines`") {
            let members = self.members(&node, "a state machine");
            let Some((_, cases)) = members.iter().find(|(member, _)| member.name == "TestCases") else {
                if matches!(node.node.kind, SpannedKind::Object(_)) {
                    self.error(&node.pointer, node.node.span.start, "`TestCases` is missing");
                }
                continue;
            };
            let cases = self.members(cases, "`TestCases`").into_iter().map(|(case, node)| TestCase {
                state_machine: machine.name.clone(),
                name: case.name.clone(),
                states: self.states(&node, responses),
            });
            let cases = cases.collect();
            machines.push((machine.name.clone(), cases));
        }
        machines
    }

    fn states(&mut self, node: &Node<'_>, responses: &[(Text, Attempts)]) -> Vec<MockedState> {
        let mut states = Vec::new();
        for (member, node) in self.members(node, "a test case") {
            let SpannedKind::String(response) = &node.node.kind else {
                let message = format!("state `{}` needs the name of a mocked response", member.name);
                self.error(&node.pointer, node.node.span.start, message);
                continue;
            };
            let Some((_, attempts)) = responses.iter().find(|(name, _)| name == response) else {
                let known = list(responses.iter().map(|(name, _)| name));
                let message = format!("`{response}` is not in `MockedResponses`, which has {known}");
                self.error(&node.pointer, node.node.span.start, message);
                continue;
            };
            states.push(MockedState {
                state: member.name.clone(),
                response: response.clone(),
                attempts: attempts.clone(),
                place: self.place(&node.pointer, member.name_span.start),
            });
        }
        states
    }
}

/// `"0"` or `"1-2"`.
fn attempt_range(key: &str) -> Option<RangeInclusive<u32>> {
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if plain { digits.parse::<u32>().ok() } else { None }
    };
    match key.split_once('-') {
        None => number(key).map(|attempt| attempt..=attempt),
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(first..=last)
        }
    }
}
