//! What is known of an expression before it is evaluated, and what the level refuses.

use std::collections::HashSet;
use std::sync::OnceLock;

use jlens_core::ast::{Ast, BinaryOp, FallbackOp, Node, NodeKind, Stage};
use jlens_core::reads::Reads;
use model::json::Text;

use super::{CompileError, Level, function, meter};

/// What the text of an expression tells.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Variables that the scope must give, in order of first use.
    pub(super) variables: Vec<Text>,
    /// Ranges: where each begins, where its first operand ends and its second begins, and its end.
    ranges: Vec<[usize; 4]>,
    /// Where items of arrays stand that may be long arrays themselves.
    items: Vec<(usize, usize)>,
    /// Functions of the language that it names, in order of first use. A variable of the same
    /// name takes their place.
    pub(super) functions: Vec<String>,
    /// It uses `$states`.
    pub(super) names_states: bool,
    /// It uses a function whose value depends on the time.
    pub(super) reads_clock: bool,
    /// It uses `$shuffle`, whose generator is seeded once per evaluation.
    pub(super) shuffles: bool,
    /// It uses `$uuid`.
    pub(super) draws_uuid: bool,
    /// It uses `$random`.
    pub(super) draws_random: bool,
    /// It matches regular expressions.
    pub(super) matches_patterns: bool,
    /// Functions it uses whose work is measured, in order of first use.
    pub(super) measured: Vec<&'static str>,
    /// Its result may be a function.
    pub(super) may_give_function: bool,
    /// A variable name that the text does not contain, nor any name that begins with it.
    pub(super) spare_name: String,
    /// Something at its top may read a context, which is then undefined: `$uppercase()`, or `$`
    /// in the body of a function.
    pub(super) may_read_context: bool,
    /// Byte offsets of `$$`, which the level refuses at the top and leaves undefined elsewhere.
    roots: Vec<usize>,
}

/// Whether the language has a function of this name (without `$`).
pub(super) fn is_function(name: &str) -> bool {
    static FUNCTIONS: OnceLock<HashSet<&'static str>> = OnceLock::new();
    FUNCTIONS
        .get_or_init(|| {
            let builtin = jlens_core::function_catalog().into_iter().map(|function| function.name);
            builtin.chain(function::NAMES).collect()
        })
        .contains(name)
}

impl Facts {
    /// Whether it builds arrays in ways that are measured.
    pub(super) fn builds_arrays(&self) -> bool {
        !self.ranges.is_empty() || !self.items.is_empty()
    }

    /// Surveys an expression; fails on the first thing that `level` refuses.
    pub(super) fn of(source: &str, ast: &Ast, reads: &Reads, level: Level) -> Result<Facts, CompileError> {
        let mut spare_name = "__".to_owned();
        while source.contains(&spare_name) {
            spare_name.insert(0, '_');
        }
        let mut survey = Survey {
            source,
            level,
            scopes: vec![Vec::new()],
            facts: Facts { spare_name, ..Facts::default() },
        };
        survey.node(&ast.root, Context::Top)?;
        survey.facts.may_read_context = level == Level::StepFunctions && reads.input().is_some();
        survey.facts.roots.sort_unstable();
        survey.facts.roots.dedup();
        Ok(survey.facts)
    }

    /// The text as it is evaluated. Every `$$` is replaced by a variable that has no value: the
    /// evaluator's own root is the object that holds `$states`. Ranges and items of
    /// arrays become calls of measured functions (see `meter`).
    pub(super) fn rewritten(&self, source: &str) -> String {
        let mut edits: Vec<(usize, usize, String)> = Vec::new();
        for &start in &self.roots {
            edits.push((start, start + "$$".len(), format!("${}", self.spare_name)));
        }
        for range in &self.ranges {
            let [start, lhs_end, rhs_start, end] = *range;
            edits.push((start, start, format!("${}(", meter::range_function(&self.spare_name))));
            edits.push((lhs_end, rhs_start, ",".to_owned()));
            edits.push((end, end, ")".to_owned()));
        }
        for &(start, end) in &self.items {
            edits.push((start, start, format!("${}(", meter::item_function(&self.spare_name))));
            edits.push((end, end, ")".to_owned()));
        }
        // Stable: of ranges that begin together, the outer one was found first.
        edits.sort_by_key(|(start, end, _)| (*start, *end));
        let mut out = String::with_capacity(source.len());
        let mut from = 0;
        for (start, end, text) in edits {
            out.push_str(&source[from..start]);
            out.push_str(&text);
            from = end;
        }
        out.push_str(&source[from..]);
        out
    }
}

/// What `$` and a field name stand for at some place.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    /// Nothing: the top of the expression.
    Top,
    /// Nothing: the body of a function that is defined at the top.
    Body,
    /// The item of a path step, predicate, grouping or sort key.
    Item,
}

struct Survey<'s> {
    source: &'s str,
    level: Level,
    /// Names bound so far, innermost block or function last.
    scopes: Vec<Vec<String>>,
    facts: Facts,
}

impl Survey<'_> {
    fn node(&mut self, node: &Node, context: Context) -> Result<(), CompileError> {
        jlens_core::stack::grow(|| self.kind(node, context))?;
        for stage in node.attrs.stages.iter().chain(&node.attrs.predicate) {
            self.stage(stage)?;
        }
        // A path's own grouping comes after its steps and sees what they bound.
        if !matches!(node.kind, NodeKind::Path { .. }) {
            self.group(node)?;
        }
        Ok(())
    }

    fn kind(&mut self, node: &Node, context: Context) -> Result<(), CompileError> {
        match &node.kind {
            NodeKind::Path { steps, .. } => self.path(node, steps, context),
            NodeKind::Name { name } => self.field(&format!("`{name}`"), node, context),
            NodeKind::Wildcard => self.field("`*`", node, context),
            NodeKind::Descendant => self.field("`**`", node, context),
            NodeKind::Parent { .. } => self.field("`%`", node, context),
            NodeKind::Variable { name } => {
                // Anywhere but as the name of a call, a function is a value.
                self.facts.may_give_function |= is_function(name) && !self.is_bound(name);
                self.variable(name, node, context)
            }
            NodeKind::Fallback { op, lhs, rhs } => {
                self.fallback(*op, node)?;
                self.node(lhs, context)?;
                self.node(rhs, context)
            }
            NodeKind::Block { exprs, .. } => {
                self.scopes.push(Vec::new());
                exprs.iter().try_for_each(|expr| self.node(expr, context))?;
                self.scopes.pop();
                Ok(())
            }
            NodeKind::Bind { lhs, rhs } => self.bind(lhs, rhs, context),
            NodeKind::Function { procedure, args } => {
                match &procedure.kind {
                    NodeKind::Variable { name } if procedure.attrs.predicate.is_empty() => {
                        self.variable(name, procedure, context)?;
                    }
                    _ => self.node(procedure, context)?,
                }
                args.iter().try_for_each(|arg| self.node(arg, context))
            }
            NodeKind::Partial { procedure, args } => {
                self.facts.may_give_function = true;
                self.node(procedure, context)?;
                args.iter().try_for_each(|arg| self.node(arg, context))
            }
            NodeKind::Lambda(lambda) => {
                // Thunks are the parser's, around calls in tail position.
                self.facts.may_give_function |= !lambda.thunk;
                let context = if context == Context::Top && !lambda.thunk { Context::Body } else { context };
                self.scopes.push(lambda.params.clone());
                self.node(&lambda.body, context)?;
                self.scopes.pop();
                Ok(())
            }
            NodeKind::Transform(transform) => {
                self.facts.may_give_function = true;
                self.node(&transform.pattern, Context::Item)?;
                self.node(&transform.update, Context::Item)?;
                transform.delete.iter().try_for_each(|delete| self.node(delete, Context::Item))
            }
            NodeKind::Regex { .. } => {
                self.facts.may_give_function = true;
                self.facts.matches_patterns = true;
                Ok(())
            }
            NodeKind::Sort { terms } => {
                terms.iter().try_for_each(|term| self.node(&term.expr, Context::Item))
            }
            NodeKind::Binary { lhs, rhs, op } => {
                if *op == BinaryOp::Range {
                    self.range(node, lhs, rhs);
                }
                self.node(lhs, context)?;
                self.node(rhs, context)
            }
            NodeKind::Apply { lhs, rhs } => {
                self.node(lhs, context)?;
                self.node(rhs, context)
            }
            NodeKind::Negate { expr } => self.node(expr, context),
            NodeKind::Array { items } => items.iter().try_for_each(|item| {
                self.item(item);
                self.node(item, context)
            }),
            NodeKind::Object { pairs } => pairs.iter().try_for_each(|(key, value)| {
                self.node(key, context)?;
                self.node(value, context)
            }),
            NodeKind::Condition { condition, then, otherwise } => {
                self.node(condition, context)?;
                self.node(then, context)?;
                otherwise.iter().try_for_each(|otherwise| self.node(otherwise, context))
            }
            NodeKind::String { .. }
            | NodeKind::Number { .. }
            | NodeKind::Bool { .. }
            | NodeKind::Null
            | NodeKind::Placeholder
            | NodeKind::Error { .. } => Ok(()),
        }
    }

    /// Notes where an item of an array stands whose value may be a long array: it is copied into
    /// the one around it.
    fn item(&mut self, item: &Node) {
        let may_be_long = matches!(
            item.kind,
            NodeKind::Path { .. }
                | NodeKind::Variable { .. }
                | NodeKind::Function { .. }
                | NodeKind::Block { .. }
                | NodeKind::Condition { .. }
                | NodeKind::Apply { .. }
        );
        if self.level == Level::StepFunctions && may_be_long {
            self.facts.items.push((item.span.start, item.span.end));
        }
    }

    /// Notes where a range and its operands stand.
    fn range(&mut self, node: &Node, lhs: &Node, rhs: &Node) {
        let between = self.source.get(lhs.span.end..rhs.span.start).map(str::trim);
        if self.level == Level::StepFunctions && between == Some("..") {
            self.facts.ranges.push([node.span.start, lhs.span.end, rhs.span.start, node.span.end]);
        }
    }

    /// The first step stands in the path's context, every other in an item of the one before.
    fn path(&mut self, node: &Node, steps: &[Node], context: Context) -> Result<(), CompileError> {
        self.scopes.push(Vec::new());
        for (index, step) in steps.iter().enumerate() {
            self.node(step, if index == 0 { context } else { Context::Item })?;
            self.bind_names([step.attrs.focus.clone(), step.attrs.index.clone()].into_iter().flatten());
        }
        self.group(node)?;
        self.scopes.pop();
        Ok(())
    }

    fn stage(&mut self, stage: &Stage) -> Result<(), CompileError> {
        match stage {
            Stage::Filter { expr, .. } => self.node(expr, Context::Item),
            Stage::Index { var, .. } => {
                self.bind_names([var.clone()]);
                Ok(())
            }
        }
    }

    fn group(&mut self, node: &Node) -> Result<(), CompileError> {
        node.attrs.group.iter().flat_map(|group| &group.pairs).try_for_each(|(key, value)| {
            self.node(key, Context::Item)?;
            self.node(value, Context::Item)
        })
    }

    fn bind(&mut self, lhs: &Node, rhs: &Node, context: Context) -> Result<(), CompileError> {
        let NodeKind::Variable { name } = &lhs.kind else { return self.node(rhs, context) };
        // A function can call itself by the name it is bound to; any other value is evaluated
        // before the name exists.
        if matches!(rhs.kind, NodeKind::Lambda(_)) {
            self.bind_names([name.clone()]);
            return self.node(rhs, context);
        }
        self.node(rhs, context)?;
        self.bind_names([name.clone()]);
        Ok(())
    }

    fn bind_names(&mut self, names: impl IntoIterator<Item = String>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(names);
        }
    }

    fn is_bound(&self, name: &str) -> bool {
        self.scopes.iter().flatten().any(|bound| bound == name)
    }

    fn variable(&mut self, name: &str, node: &Node, context: Context) -> Result<(), CompileError> {
        if name.is_empty() || name == "$" {
            return self.context_variable(name, node, context);
        }
        if self.is_bound(name) {
            return Ok(());
        }
        let step_functions = self.level == Level::StepFunctions;
        let facts = &mut self.facts;
        if let Some(measured) = meter::NAMES.into_iter().find(|measured| step_functions && *measured == name)
            && !facts.measured.contains(&measured)
        {
            facts.measured.push(measured);
        }
        if step_functions && is_function(name) && !facts.functions.iter().any(|known| known == name) {
            facts.functions.push(name.to_owned());
        }
        match name {
            "eval" if step_functions => {
                return Err(CompileError::of_level("the function $eval is not supported", node.span.start));
            }
            "states" if step_functions => facts.names_states = true,
            "now" | "millis" => facts.reads_clock = true,
            "toMillis" => {
                // A picture is matched through a pattern, and may leave the date to today.
                facts.reads_clock = true;
                facts.matches_patterns = true;
            }
            "shuffle" => facts.shuffles = true,
            "uuid" if step_functions => facts.draws_uuid = true,
            "random" => {
                facts.draws_random = step_functions;
                facts.shuffles |= !step_functions;
            }
            "eval" => (facts.reads_clock, facts.shuffles, facts.matches_patterns) = (true, true, true),
            name => {
                if !is_function(name) && !facts.variables.iter().any(|known| known == name) {
                    facts.variables.push(name.into());
                }
            }
        }
        Ok(())
    }

    /// `$` (an empty name) and `$$` (named `$`).
    fn context_variable(&mut self, name: &str, node: &Node, context: Context) -> Result<(), CompileError> {
        if self.level == Level::Permissive || (name.is_empty() && context == Context::Item) {
            return Ok(());
        }
        let written = format!("${name}");
        if context == Context::Top {
            return Err(CompileError::of_level(
                format!("`{written}` cannot be used at the top level of an expression; use $states.input"),
                node.span.start,
            ));
        }
        if name == "$" && self.source[node.span.start..].starts_with("$$") {
            self.facts.roots.push(node.span.start);
        }
        Ok(())
    }

    /// A field name (or what selects fields) as the first step of a path.
    fn field(&self, what: &str, node: &Node, context: Context) -> Result<(), CompileError> {
        if self.level == Level::Permissive || context != Context::Top {
            return Ok(());
        }
        Err(CompileError::of_level(
            format!("the field {what} needs a variable in front of it, such as $states.input"),
            node.span.start,
        ))
    }

    fn fallback(&self, op: FallbackOp, node: &Node) -> Result<(), CompileError> {
        if self.level == Level::Permissive {
            return Ok(());
        }
        // The language level has no such operators: it reads `?` and fails at what follows.
        let symbol = match op {
            FallbackOp::Default => ":",
            FallbackOp::Coalesce => "?",
        };
        Err(CompileError {
            code: Some("S0211".to_owned()),
            message: format!("The symbol \"{symbol}\" cannot be used as a unary operator"),
            offset: node.pos.saturating_sub(1),
        })
    }
}
