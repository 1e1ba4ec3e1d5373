use asl::state::Pass;

use crate::failure::Raised;
use crate::interpreter::Interpreter;
use crate::scope::StateScope;
use crate::snapshot::FrameId;

pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, pass: &Pass) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    let (output, assigned) = if scope.is_jsonata() {
        scope.pass_on(&pass.flow, pass.flow.output.as_ref(), &pass.flow.assign)?
    } else {
        let effective = scope.effective_input(&pass.flow)?;
        let result = match &pass.result {
            Some(result) => result.clone(),
            None => scope.with_input(&effective).arguments(&pass.flow)?,
        };
        scope.leave(&pass.flow, &result)?
    };
    i.exit(id, output, assigned, pass.transition);
    Ok(())
}
