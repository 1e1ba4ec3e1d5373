use model::json::Text;

/// A location longer than this is cut in the middle: a hostile definition must not multiply
/// the length of its path by the number of its findings.
const LOCATION_BYTES_MAX: usize = 4096;

/// Where a node stands in the definition. A chain towards the root that lives on the stack:
/// it becomes text only when something is wrong there.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    parent: Option<&'p At<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Member(&'p str),
    Element(usize),
}

impl<'p> At<'p> {
    pub(super) fn root() -> At<'static> {
        At { parent: None, step: Step::Root }
    }

    pub(super) fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    pub(super) fn member(&'p self, name: &'p str) -> At<'p> {
        At { parent: Some(self), step: Step::Member(name) }
    }

    pub(super) fn element(&'p self, index: usize) -> At<'p> {
        At { parent: Some(self), step: Step::Element(index) }
    }

    /// `/`, `/States/A/Choices[0]/Next`: as the service writes it.
    pub(super) fn location(&self) -> Text {
        let mut steps = Vec::new();
        let mut at = Some(self);
        while let Some(here) = at {
            steps.push(here.step);
            at = here.parent;
        }
        let mut out = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::Root => {}
                Step::Member(name) => {
                    out.push('/');
                    out.push_str(name);
                }
                Step::Element(index) => out.push_str(&format!("[{index}]")),
            }
        }
        if out.is_empty() {
            out.push('/');
        }
        shorten(out, LOCATION_BYTES_MAX).into()
    }
}

/// `text`, with its middle left out when it has more than `bytes_max` bytes.
pub(super) fn shorten(text: String, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text;
    }
    let mut head = bytes_max / 2;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - bytes_max / 2;
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}…{}", &text[..head], &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_read_as_the_service_writes_them() {
        let root = At::root();
        assert_eq!(root.location(), "/");
        let states = root.member("States");
        let state = states.member("A");
        let choices = state.member("Choices");
        let choice = choices.element(2);
        assert_eq!(choice.member("Next").location(), "/States/A/Choices[2]/Next");
    }

    #[test]
    fn a_long_location_loses_its_middle() {
        let name = "é".repeat(10_000);
        let root = At::root();
        let location = root.member(&name).location();
        assert!(
            location.len() <= LOCATION_BYTES_MAX + 4 && location.starts_with("/é") && location.contains('…')
        );
    }
}
