//! Definitions of cases, parsed as the API parses them.

use asl::machine::Machine;
use asl::{Options, Parsed, parse};
use model::status::StateMachineType;

/// Parses a definition.
pub fn parsed(text: &str, machine_type: StateMachineType) -> Parsed {
    parse(text, &Options { machine_type, ..Options::default() })
}

/// The machine that a recorded execution ran; the error is the refusal.
pub fn machine(text: &str, express: bool) -> Result<Machine, String> {
    let machine_type = if express { StateMachineType::Express } else { StateMachineType::Standard };
    let parsed = parsed(text, machine_type);
    let refusal = parsed.refusal();
    parsed.machine.ok_or_else(|| refusal.unwrap_or_else(|| "the definition was refused".to_owned()))
}
