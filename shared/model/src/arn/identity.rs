//! ARNs as identities: keys of maps and of stored rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Arn, ArnError, Home, Resource};
use crate::json::{Text, Value, format_text};

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $($kind:pat_param)|+) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "Text", into = "Text")]
        pub struct $name(Text);

        impl $name {
            /// Checks that the text is an ARN of this kind; [`ArnError::Kind`] when it is one of
            /// another kind.
            pub fn parse(text: &str) -> Result<$name, ArnError> {
                $name::try_from(Text::new(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The ARN taken apart.
            pub fn arn(&self) -> Arn {
                Arn::parse(&self.0).expect("checked when it was made")
            }
        }

        impl TryFrom<Arn> for $name {
            type Error = ArnError;

            fn try_from(arn: Arn) -> Result<$name, ArnError> {
                // The parts of an `Arn` are open to all, so they are checked here.
                $name::parse(&arn.to_string())
            }
        }

        impl TryFrom<Text> for $name {
            type Error = ArnError;

            fn try_from(text: Text) -> Result<$name, ArnError> {
                match Arn::parse(&text)?.resource {
                    // Texts and ARNs correspond one to one, so this is what would be printed.
                    $($kind)|+ => Ok($name(text)),
                    other => Err(ArnError::Kind(other.type_name().into())),
                }
            }
        }

        impl From<$name> for Text {
            fn from(arn: $name) -> Text {
                arn.0
            }
        }

        impl From<$name> for Value {
            fn from(arn: $name) -> Value {
                arn.0.into()
            }
        }

        impl FromStr for $name {
            type Err = ArnError;

            fn from_str(text: &str) -> Result<$name, ArnError> {
                $name::parse(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

identity! {
    /// A state machine itself: not a version, an alias or a Map's.
    StateMachineArn, Resource::StateMachine { .. }
}

identity! {
    /// An execution of any type, also a child of a distributed Map.
    ExecutionArn, Resource::Execution { .. } | Resource::MapExecution { .. } | Resource::ExpressExecution { .. }
}

identity! {
    /// A run of a distributed Map.
    MapRunArn, Resource::MapRun { .. }
}

identity! {
    /// An activity.
    ActivityArn, Resource::Activity { .. }
}

impl StateMachineArn {
    /// The state machine `name`, which must follow [`crate::name::check_name`].
    pub fn new(home: &Home, name: &str) -> Result<StateMachineArn, ArnError> {
        StateMachineArn::parse(&format!("{home}:stateMachine:{name}"))
    }

    /// A Standard execution of this state machine.
    pub fn execution(&self, name: &str) -> Result<ExecutionArn, ArnError> {
        let (home, state_machine) = self.parts();
        ExecutionArn::parse(&format!("{home}:execution:{state_machine}:{name}"))
    }

    /// An Express execution of this state machine; `id` makes it unique.
    pub fn express_execution(&self, name: &str, id: &str) -> Result<ExecutionArn, ArnError> {
        let (home, state_machine) = self.parts();
        ExecutionArn::parse(&format!("{home}:express:{state_machine}:{name}:{id}"))
    }

    /// A Standard child execution of the distributed Map with this label.
    pub fn map_execution(&self, label: &str, name: &str) -> Result<ExecutionArn, ArnError> {
        let (home, state_machine) = self.parts();
        ExecutionArn::parse(&format!("{home}:execution:{state_machine}/{label}:{name}"))
    }

    /// An Express child execution of the distributed Map with this label; `id` makes it unique.
    pub fn express_map_execution(&self, label: &str, name: &str, id: &str) -> Result<ExecutionArn, ArnError> {
        let (home, state_machine) = self.parts();
        ExecutionArn::parse(&format!("{home}:express:{state_machine}/{label}:{name}:{id}"))
    }

    /// A run of the distributed Map with this label; `id` makes it unique.
    pub fn map_run(&self, label: &str, id: &str) -> Result<MapRunArn, ArnError> {
        let (home, state_machine) = self.parts();
        MapRunArn::parse(&format!("{home}:mapRun:{state_machine}/{label}:{id}"))
    }

    fn parts(&self) -> (Home, Text) {
        let Arn { home, resource } = self.arn();
        (home, resource.state_machine().cloned().unwrap_or_default())
    }
}

impl ExecutionArn {
    /// The state machine that is executed; for a child of a distributed Map, the one that holds
    /// the Map.
    pub fn state_machine(&self) -> StateMachineArn {
        state_machine_of(&self.0)
    }

    /// Name of the execution.
    pub fn name(&self) -> Text {
        match self.arn().resource {
            Resource::Execution { name, .. }
            | Resource::MapExecution { name, .. }
            | Resource::ExpressExecution { name, .. } => name,
            // The other kinds are refused when an `ExecutionArn` is made.
            _ => Text::default(),
        }
    }

    /// Whether this is an Express execution.
    pub fn is_express(&self) -> bool {
        matches!(self.arn().resource, Resource::ExpressExecution { .. })
    }
}

impl MapRunArn {
    /// The state machine that holds the Map.
    pub fn state_machine(&self) -> StateMachineArn {
        state_machine_of(&self.0)
    }

    /// Label of the Map state.
    pub fn label(&self) -> Text {
        self.arn().resource.label().cloned().unwrap_or_default()
    }
}

impl ActivityArn {
    /// The activity `name`, which must follow [`crate::name::check_name`].
    pub fn new(home: &Home, name: &str) -> Result<ActivityArn, ArnError> {
        ActivityArn::parse(&format!("{home}:activity:{name}"))
    }
}

/// Of an ARN whose name is that of a state machine, perhaps with a label: that of an execution or
/// a Map Run.
fn state_machine_of(arn: &str) -> StateMachineArn {
    let mut colons = arn.match_indices(':').map(|(at, _)| at);
    let (home, kind) = (colons.nth(4).unwrap_or_default(), colons.next().unwrap_or_default());
    let name = arn[kind..].trim_start_matches(':').split([':', '/']).next().unwrap_or_default();
    StateMachineArn(format_text!("{}:stateMachine:{name}", &arn[..home]))
}
