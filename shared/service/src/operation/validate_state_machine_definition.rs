//! ValidateStateMachineDefinition.

use asl::{Diagnostic, Severity};
use model::json::{Text, Value};
use model::limits::DIAGNOSTICS_MAX;
use model::status::{
    ValidateStateMachineDefinitionResultCode as ResultCode, ValidateStateMachineDefinitionSeverity as Floor,
};

use super::create_state_machine::DEFINITION;
use crate::configuration;
use crate::error::ApiError;
use crate::service::Inner;
use crate::wire::{Answer, Rule, read, words};

const SEVERITY: Rule = words(Floor::WORDS);

pub(super) async fn run(service: &Inner, body: &Value) -> Result<Value, ApiError> {
    let (definition, machine_type, floor, asked) = read(body, |members| {
        (
            members.required_text("definition", &DEFINITION),
            configuration::machine_type(members),
            members.word("severity", &SEVERITY).unwrap_or(Floor::Error),
            members.integer("maxResults", 0..=DIAGNOSTICS_MAX as i64),
        )
    })?;
    let asked = asked.and_then(|asked| usize::try_from(asked).ok());
    let max_results = asked.filter(|asked| *asked > 0).unwrap_or(DIAGNOSTICS_MAX);
    let diagnostics = service.parse(&definition, machine_type).diagnostics;
    let failed = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let wanted = |diagnostic: &&Diagnostic| floor == Floor::Warning || diagnostic.severity == Severity::Error;
    let count = diagnostics.iter().filter(wanted).count();
    let result = if failed { ResultCode::Fail } else { ResultCode::Ok };
    let answer = Answer::new()
        .with("result", Text::new_static(result.as_str()))
        .with(
            "diagnostics",
            diagnostics.iter().filter(wanted).take(max_results).map(shown).collect::<Value>(),
        )
        .with("truncated", count > max_results);
    Ok(answer.into())
}

fn shown(diagnostic: &Diagnostic) -> Value {
    Answer::new()
        .with("severity", Text::new_static(diagnostic.severity.as_str()))
        .with("code", Text::new_static(diagnostic.code.as_str()))
        .with("message", diagnostic.message.as_str())
        .with_some("location", diagnostic.location.clone())
        .into()
}
