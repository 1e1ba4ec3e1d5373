//! What people see while an execution runs: a tree that moves on a terminal, a line for each
//! state that ends elsewhere.

use console::truncate_str;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::history::HistoryEvent;
use model::timestamp::Timestamp;

use super::duration;
use super::tree::{Change, Node, NodeId, NodeKind, Phase, Tree};
use crate::terminal::{Style, printable_line};

/// Lines that the moving part takes at most.
const LIVE_LINES_MAX: usize = 20;

/// Children of a node that a finished tree shows at most.
const CHILDREN_SHOWN_MAX: usize = 12;

/// Progress of an execution on standard error.
pub struct Progress<'m> {
    tree: Tree<'m>,
    display: Display,
    style: Style,
    /// Top-level nodes whose lines stand for good.
    settled: usize,
    spin: usize,
}

enum Display {
    /// `--quiet`
    Silent,
    /// Not a terminal.
    Lines,
    /// A terminal.
    Live(ProgressBar),
}

impl<'m> Progress<'m> {
    /// Progress in the style of standard error.
    pub fn new(tree: Tree<'m>, style: Style, quiet: bool) -> Progress<'m> {
        let display = match (quiet, style.graphics) {
            (true, _) => Display::Silent,
            (false, false) => Display::Lines,
            (false, true) => {
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
                // The template is a constant without keys that could be wrong.
                if let Ok(plain) = ProgressStyle::with_template("{msg}") {
                    bar.set_style(plain);
                }
                Display::Live(bar)
            }
        };
        Progress { tree, display, style, settled: 0, spin: 0 }
    }

    /// Whether [`Progress::tick`] changes anything.
    pub fn is_live(&self) -> bool {
        matches!(self.display, Display::Live(_))
    }

    /// The tree.
    pub fn into_tree(self) -> Tree<'m> {
        self.tree
    }

    /// Takes an event in and shows what it changed.
    pub fn event(&mut self, event: &HistoryEvent) {
        let change = self.tree.apply(event);
        match &self.display {
            Display::Silent => {}
            Display::Lines => {
                if let Some(line) = change.and_then(|change| self.plain_line(change)) {
                    eprintln!("{line}");
                }
            }
            Display::Live(bar) => {
                let settled = self.settled;
                while let Some(&root) = self.tree.roots.get(self.settled)
                    && self.tree.node(root).phase != Phase::Running
                {
                    let mut lines = Vec::new();
                    self.draw(root, 0, None, &mut lines);
                    bar.println(lines.join("\n"));
                    self.settled += 1;
                }
                if self.settled > settled {
                    // What stands for good must not also be moving.
                    self.tick(event.timestamp);
                }
            }
        }
    }

    /// Redraws the moving part.
    pub fn tick(&mut self, now: Timestamp) {
        let Display::Live(bar) = &self.display else { return };
        self.spin += 1;
        let mut lines = Vec::new();
        for &root in self.tree.roots.iter().skip(self.settled) {
            self.draw(root, 0, Some(now), &mut lines);
        }
        if lines.len() > LIVE_LINES_MAX {
            let more = lines.len() - LIVE_LINES_MAX + 1;
            lines.truncate(LIVE_LINES_MAX - 1);
            lines.push(self.style.dim(&format!("  … {more} more")));
        }
        bar.set_message(lines.join("\n"));
    }

    /// Takes the moving part away.
    pub fn finish(&mut self) {
        if let Display::Live(bar) = &self.display {
            bar.finish_and_clear();
        }
    }

    fn plain_line(&self, change: Change) -> Option<String> {
        let (id, word) = match change {
            Change::AttemptFailed(id) => (id, "attempt failed"),
            Change::AttemptedAgain(id) => (id, "again"),
            Change::Ended(id) => {
                let word = match self.tree.node(id).phase {
                    Phase::Running => return None,
                    Phase::Succeeded => "succeeded",
                    Phase::Caught => "caught",
                    Phase::Failed => "failed",
                    Phase::Aborted => "aborted",
                };
                (id, word)
            }
        };
        let node = self.tree.node(id);
        let facts = self.facts(node, node.ended);
        Some(format!("{word:<14} {}  ({facts}){}", printable_line(&self.tree.path(id)), reason(node)))
    }

    /// The lines of a node and of what it holds; `now` while it is still moving.
    fn draw(&self, id: NodeId, level: usize, now: Option<Timestamp>, lines: &mut Vec<String>) {
        let node = self.tree.node(id);
        let name = match node.kind {
            NodeKind::State(state) => printable_line(&self.tree.machine().state(state).name),
            NodeKind::Iteration(index) => format!("[{index}]"),
        };
        let symbol = match node.phase {
            Phase::Running => self.style.bold(["⠋", "⠙", "⠸", "⠴", "⠦", "⠇"][self.spin % 6]),
            Phase::Succeeded => self.style.success("✔"),
            Phase::Caught => self.style.warning("↷"),
            Phase::Failed => self.style.error("✘"),
            Phase::Aborted => self.style.dim("■"),
        };
        let facts = self.style.dim(&self.facts(node, node.ended.or(now)));
        let line =
            format!("{}{symbol} {name}  {facts}{}", "  ".repeat(level), self.style.warning(&reason(node)));
        let width = console::Term::stderr().size_checked().map_or(100, |(_, columns)| usize::from(columns));
        lines.push(truncate_str(&line, width.saturating_sub(1), "…").into_owned());

        // What matters first: while it runs the newest, afterwards what did not go well.
        let is_of_interest = |child: &&NodeId| match now {
            Some(_) => self.tree.node(**child).phase == Phase::Running,
            None => self.tree.node(**child).phase != Phase::Succeeded,
        };
        let all = &node.children;
        let few = all.len() <= CHILDREN_SHOWN_MAX;
        let shown: Vec<NodeId> = all
            .iter()
            .filter(|child| few || is_of_interest(child))
            .take(CHILDREN_SHOWN_MAX)
            .copied()
            .collect();
        for &child in &shown {
            self.draw(child, level + 1, now, lines);
        }
        if shown.len() < all.len() {
            let rest = format!("{}… {} more", "  ".repeat(level + 1), all.len() - shown.len());
            lines.push(self.style.dim(&rest));
        }
    }

    /// Type, attempts, iterations and duration.
    fn facts(&self, node: &Node, until: Option<Timestamp>) -> String {
        let mut facts = Vec::new();
        if let NodeKind::State(state) = node.kind {
            facts.push(self.tree.machine().state(state).kind.type_name().to_owned());
        }
        if node.items > 0 {
            let done = node.children.iter().filter(|&&child| self.tree.node(child).phase == Phase::Succeeded);
            facts.push(format!("{} of {} items", done.count(), node.items));
        }
        if node.attempts > 1 || (node.attempts == 1 && node.failure.is_some()) {
            facts.push(format!("attempt {}", node.attempts));
        }
        facts.extend(until.map(|until| duration::show(until.millis_since(node.started))));
        facts.join(", ")
    }
}

/// `: Error`, while a failure stands.
fn reason(node: &Node) -> String {
    let error = node.failure.as_ref().and_then(|failure| failure.error.as_deref());
    error.map(|error| format!(": {}", printable_line(error))).unwrap_or_default()
}
