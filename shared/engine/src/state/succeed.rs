use asl::state::{Succeed, Transition};

use crate::failure::Raised;
use crate::interpreter::Interpreter;
use crate::scope::StateScope;
use crate::snapshot::FrameId;

pub(crate) fn begin(i: &mut Interpreter<'_>, id: FrameId, succeed: &Succeed) -> Result<(), Raised> {
    let raw = i.frame(id).input.clone();
    let scope = StateScope::of(i, id, &raw);
    let effective = scope.effective_input(&succeed.flow)?;
    let flow = &succeed.flow;
    let (output, assigned) =
        scope.with_input(&effective).pass_on(flow, flow.output.as_ref(), &flow.assign)?;
    i.exit(id, output, assigned, Transition::End);
    Ok(())
}
