use std::cell::Cell;

use model::json::{Text, Value};

use super::{Expression, Limits, Outcome};
use crate::Scope;

/// A scope over plain values that counts what it is asked for.
#[derive(Default)]
pub(super) struct Given {
    pub(super) input: Value,
    pub(super) context: Value,
    pub(super) variables: Vec<(&'static str, Value)>,
    pub(super) result: Option<Value>,
    pub(super) error_output: Option<Value>,
    pub(super) contexts: Cell<u32>,
    pub(super) times: Cell<u32>,
    pub(super) draws: Cell<u64>,
}

impl Given {
    pub(super) fn input(text: &str) -> Given {
        Given {
            input: v(text),
            context: v(r#"{"Execution":{"Name":"e1"},"State":{"Name":"S"}}"#),
            ..Given::default()
        }
    }
}

impl Scope for Given {
    fn input(&self) -> &Value {
        &self.input
    }

    fn context(&self) -> Value {
        self.contexts.set(self.contexts.get() + 1);
        self.context.clone()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    fn result(&self) -> Option<&Value> {
        self.result.as_ref()
    }

    fn error_output(&self) -> Option<&Value> {
        self.error_output.as_ref()
    }

    fn now_millis(&self) -> i64 {
        self.times.set(self.times.get() + 1);
        1_720_000_000_123
    }

    fn next_random(&self) -> u64 {
        self.draws.set(self.draws.get() + 1);
        self.draws.get().wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

pub(super) fn v(text: &str) -> Value {
    Value::parse(text).unwrap()
}

/// The outcome as text: JSON, `undefined`, `function`, or `. CODE: message` and `: message` as
/// they follow `threw an error during evaluation`.
pub(super) fn outcome(source: &str, scope: &Given) -> String {
    let expression = match Expression::compile(source) {
        Ok(expression) => expression,
        Err(error) => return format!("refused: {error}"),
    };
    match expression.evaluate(scope, &Limits::default()) {
        Ok(Outcome::Value(value)) => value.to_json(),
        Ok(Outcome::Undefined) => "undefined".to_owned(),
        Ok(Outcome::Function) => "function".to_owned(),
        Err(error) if error.code.is_some() => format!(". {error}"),
        Err(error) => format!(": {error}"),
    }
}

const INPUT: &str = r#"{
    "id": "o-1", "n": 3, "big": 9007199254740993, "one": 1.0, "none": null,
    "items": [{"sku": "a", "price": 2, "tags": ["x"]}, {"sku": "b", "price": 3.5}],
    "deep": {"er": {"list": [1, 2]}}, "text": "{\"a\":[1]}"
}"#;

fn check(source: &str, expected: &str) {
    let mut scope = Given::input(INPUT);
    scope.variables = vec![("total", v("40")), ("list", v("[1,2,3]")), ("customer", v(r#"{"name":"Ada"}"#))];
    assert_eq!(outcome(source, &scope), expected, "{source}");
}

#[test]
fn a_variable_takes_the_place_of_the_function_of_its_name() {
    let mut scope = Given::input(INPUT);
    for source in ["$count([1,2])", "$count($append([1],[2]))"] {
        assert_eq!(outcome(source, &scope), "2", "{source}");
    }
    scope.variables = vec![("count", v("40")), ("exists", v("null")), ("length", v("7")), ("lookup", v("1"))];
    for (source, expected) in [
        ("$count + 2", "42"),
        ("$count", "40"),
        ("$exists", "null"),
        ("$count + $sum([1,2])", "43"),
        ("$replace('aXb', /X/, '-') & $length", r#""a-b7""#),
        ("$map([1,2], function($count){$count})", "[1,2]"),
        ("$count([1])", ". T1006: Attempted to invoke a non-function"),
    ] {
        assert_eq!(outcome(source, &scope), expected, "{source}");
    }
}

#[test]
fn measured_arrays_mean_what_they_mean_without_a_meter() {
    for (source, expected) in [
        ("[1..3]", "[1,2,3]"),
        ("[1..3, 7, 9..10]", "[1,2,3,7,9,10]"),
        ("[5..5]", "[5]"),
        ("[3..1]", "[]"),
        ("[1..$states.input.n]", "[1,2,3]"),
        ("[(1)..(1+1)]", "[1,2]"),
        ("[[1..2][1]..[3..4][0]]", "[2,3]"),
        ("[1..3].($ * 2)", "[2,4,6]"),
        ("$states.input.items.[1..2]", "[[1,2],[1,2]]"),
        ("$map([1..3], function($i) { [1..$i] })", "[[1],[1,2],[1,2,3]]"),
        ("$sum([1..$count($states.input.items)])", "3"),
        ("[1..$states.input.missing]", "[]"),
        ("[1.5..3]", ". T2003: The left side of the range operator (..) must evaluate to an integer"),
        ("[1..'x']", ". T2004: The right side of the range operator (..) must evaluate to an integer"),
        ("[-2..0]", "[-2,-1,0]"),
        ("$count([1..873782])", "873782"),
        ("[$states.input.items.price, $total, [$total], $list]", "[2,3.5,40,[40],1,2,3]"),
        ("[$states.input.missing, $nothing]", "[]"),
        ("[$states.input.items[0]]", r#"[{"sku":"a","price":2,"tags":["x"]}]"#),
        ("[$list[0], $list[$ > 1]]", "[1,2,3]"),
        ("[$total = 40 ? $list : 0]", "[1,2,3]"),
        ("[$list ~> $reverse]", "[3,2,1]"),
        ("$states.input.items.[sku, price]", r#"[["a",2],["b",3.5]]"#),
        ("$states.input.items.{'p': [price]}", r#"[{"p":[2]},{"p":[3.5]}]"#),
        ("[[$list], [$list[]]]", "[[1,2,3],[1,2,3]]"),
        ("$reverse($list)", "[3,2,1]"),
        ("$reverse($nothing)", "undefined"),
        ("$reverse(7)", "[7]"),
        ("$sort([3,1,2])", "[1,2,3]"),
        ("$sort($list, function($a, $b) { $a < $b })", "[3,2,1]"),
        ("$list ~> $sort(function($a, $b) { $a < $b })", "[3,2,1]"),
        ("$sort($nothing)", "undefined"),
        ("$count($shuffle($list))", "3"),
    ] {
        check(source, expected);
    }
}

#[test]
fn arrays_that_are_kept_in_great_number_are_refused() {
    for source in [
        "$map([1..1000], function() { [1..800000] })",
        "$count([1..800000].[1..800000])",
        "[1..2000].{'a': [1..(500000)]}",
        "($b := [1..800000]; $map([1..100000], function() { [$b] }))",
        "($b := [1..800000]; [1..100000].[$b])",
        "($b := [1..800000]; $map([1..100000], function() { $reverse($b) }))",
        "($b := [1..800000]; $map([1..100000], function() { [0, ($b)] }))",
    ] {
        let outcome = outcome(source, &Given::input(INPUT));
        assert!(outcome.contains("exceeded its budget of 6000000000 units of work"), "{source}: {outcome}");
    }
}

#[test]
fn expressions_of_definitions() {
    for (source, expected) in [
        ("$states.input.id", r#""o-1""#),
        ("$states.input.deep.er.list", "[1,2]"),
        ("$states.input.deep.er.missing.more", "undefined"),
        ("$states.input.id.length", "undefined"),
        ("$states.input.items.price", "[2,3.5]"),
        ("$states.input.items.tags", r#"["x"]"#),
        ("$states.input.items.tags[0]", r#""x""#),
        ("$states.input.items[price > 2].sku", r#""b""#),
        ("$states.input.items[price > 2].sku[]", r#"["b"]"#),
        ("$states.input.items[0]", r#"{"sku":"a","price":2,"tags":["x"]}"#),
        ("$states.input.items[-1].sku", r#""b""#),
        ("$count($states.input.items[$.price = 2])", "1"),
        ("$sum($states.input.items.price) + $total", "45.5"),
        ("$states.context.Execution.Name", r#""e1""#),
        ("$states.context.State", r#"{"Name":"S"}"#),
        ("$states.result", "undefined"),
        ("$states.errorOutput.Error", "undefined"),
        ("$states.unknown", "undefined"),
        ("$customer.name", r#""Ada""#),
        ("$list", "[1,2,3]"),
        ("$list[1]", "2"),
        ("$missing", "undefined"),
        ("$missing.field", "undefined"),
        ("$exists($missing) ? 'yes' : 'no'", r#""no""#),
        (
            "{'a': $states.input.deep, 'b': $missing, 'c': [$total]}",
            r#"{"a":{"er":{"list":[1,2]}},"c":[40]}"#,
        ),
        ("$variable := 1", "1"),
        ("($x := $total; $x := $x + 1; $x)", "41"),
        ("($f := function($n) { $n <= 1 ? 1 : $n * $f($n - 1) }; $f(10))", "3628800"),
        ("$map($list, function($v) { $v = 1 ? 'pass' : 'failed' })", r#"["pass","failed","failed"]"#),
        ("$states.input.items ~> $map(function($i) { $i.sku }) ~> $join(',')", r#""a,b""#),
        ("$states.input.items^(>price).sku", r#"["b","a"]"#),
        ("$states.input.items{sku: price}", r#"{"a":2,"b":3.5}"#),
        (
            "$states.input ~> |items|{'price': price * 2}, 'tags'| ~> $lookup('items')",
            r#"[{"sku":"a","price":4},{"sku":"b","price":7}]"#,
        ),
        (
            "$states.input.items@$i.{'s': $i.sku, 'n': $states.input.n}",
            r#"[{"s":"a","n":3},{"s":"b","n":3}]"#,
        ),
        ("$states.input.items.tags.%.sku", r#""a""#),
        ("$contains('hello$world', /^hello\\$/)", "true"),
        ("$contains('hello$world', /^hello$/)", "false"),
        ("$replace('abcab', /a(.)/, '<$1>')", r#""<b>c<b>""#),
        ("/* a comment */ 1 /* another */", "1"),
        ("'3' & 4", r#""34""#),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("1e3", "1000"),
        ("10 / 4", "2.5"),
        ("[]", "[]"),
        ("null", "null"),
    ] {
        check(source, expected);
    }
}

#[test]
fn whole_states_has_the_members_that_are_there() {
    let mut scope = Given::input("[1]");
    scope.context = v("{}");
    assert_eq!(outcome("$states", &scope), r#"{"input":[1],"context":{}}"#);
    scope.result = Some(v("2"));
    scope.error_output = Some(v(r#"{"Error":"E"}"#));
    assert_eq!(
        outcome("$states", &scope),
        r#"{"input":[1],"result":2,"errorOutput":{"Error":"E"},"context":{}}"#
    );
    assert_eq!(outcome("$keys($states)", &scope), r#"["input","result","errorOutput","context"]"#);
    assert_eq!(outcome("($s := $states; $s.result)", &scope), "2");
}

#[test]
fn numbers_keep_their_digits_where_they_only_pass_through() {
    check("$states.input.big", "9007199254740993");
    check("$states.input.one", "1.0");
    check("$states.input.one + 1", "2");
    check("$states.input.n / 2 * 2", "3");
    check("9007199254740992", "9007199254740992");
    check("-0", "0");
}

#[test]
fn unchanged_parts_are_the_payload_itself() {
    let scope = Given::input(INPUT);
    let items = scope.input.get("items").unwrap().as_array().unwrap().clone();
    for source in ["$states.input.items", "{'a': $states.input.items}.a", "$states.input['o-1' = id].items"] {
        let expression = Expression::compile(source).unwrap();
        let Ok(Outcome::Value(Value::Array(found))) = expression.evaluate(&scope, &Limits::default()) else {
            panic!("{source} gives an array");
        };
        assert!(found.ptr_eq(&items), "{source}");
    }
}

#[test]
fn functions_are_told_from_nothing() {
    for source in [
        "$fn := function($x){$x}",
        "function($x){$x}",
        "$uppercase",
        "$partition",
        "$uuid",
        "$substring(?, 1)",
        "/ab/",
        "|a|{}|",
        "$uppercase ~> $lowercase",
    ] {
        check(source, "function");
    }
    check("[function($x){$x}, 1]", "[null,1]");
    check("{'f': $uppercase}", "{}");
    check("($f := function($x){$missing}; $f(1))", "undefined");
}

#[test]
fn errors_read_on_from_the_sentence_of_the_service() {
    for (source, expected) in [
        // Conformance case math_operations_jsonata.math_random_seeded.
        ("$randomSeeded($states.input.n)", ". T1006: Attempted to invoke a non-function"),
        ("$total('x')", ". T1006: Attempted to invoke a non-function"),
        ("$uppercase(1)", ". T0410: Argument 1 of function \"uppercase\" does not match function signature"),
        ("$states.input.id + 1", ". T2001: The left side of the \"+\" operator must evaluate to a number"),
        ("$error('no ' & 'way')", ". D3137: no way"),
        (
            "$toMillis('nope')",
            ". D3110: The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given \"nope\"",
        ),
        ("1 / 0", ". D1001: Number out of range: null"),
    ] {
        check(source, expected);
    }
}

#[test]
fn functions_of_step_functions() {
    for (source, expected) in [
        ("$partition([1,2,3,4], 2)", "[[1,2],[3,4]]"),
        ("$partition([1,2,3], 2.9)", "[[1,2],[3]]"),
        ("$partition([0], 5)", "[[0]]"),
        ("$partition([0], 1)", "[[0]]"),
        ("$partition([], 1)", "[]"),
        ("$partition($missing, 1)", "undefined"),
        ("$partition([1], 0.5)", ": the second argument of $partition must be at least 1, but it is 0"),
        (
            "$partition([1], 'x')",
            ". T0410: Argument 2 of function \"partition\" does not match function signature",
        ),
        ("$range(0, 9, 3)", "[0,3,6,9]"),
        ("$range(0, 10, 3)", "[0,3,6,9]"),
        ("$range(3, -3, -2)", "[3,1,-1,-3]"),
        ("$range(0.9, 4.9, 2.9)", "[0,2,4]"),
        ("$range(1, 1, 1)", "1"),
        ("$range(1, 9, 9)", "1"),
        ("$range(2, 1, 1)", "undefined"),
        ("$range(0, 5, 0)", ": the third argument of $range must not be 0"),
        ("$range(0, 1e9, 1)", ": $range would give more than 873782 items"),
        ("$count($range(1, 873782, 1))", "873782"),
        ("$hash('abc', 'MD5')", r#""900150983cd24fb0d6963f7d28e17f72""#),
        ("$hash('abc', 'SHA-1')", r#""a9993e364706816aba3e25717850c26c9cd0d89d""#),
        ("$substring($hash('abc', 'SHA-256'), 0, 8)", r#""ba7816bf""#),
        ("$length($hash('é', 'SHA-384'))", "96"),
        ("$length($hash('', 'SHA-512'))", "128"),
        (
            "$hash('abc', 'SHA-3')",
            ": $hash does not know the algorithm `SHA-3`; use MD5, SHA-1, SHA-256, SHA-384 or SHA-512",
        ),
        ("$parse($states.input.text)", r#"{"a":[1]}"#),
        ("$parse('-0')", "0"),
        ("$parse('1.1')", "1.1"),
        ("$parse('\"HelloWorld\"')", r#""HelloWorld""#),
        ("$parse('null')", "null"),
        ("$parse($missing)", "undefined"),
        ("$random(42) = $random(42.5)", "true"),
        ("$random(42) = $random(43)", "false"),
        ("$random('x')", ". T0410: Argument 1 of function \"random\" does not match function signature"),
        ("$range := 5", "5"),
        ("($uuid := function() { 'mine' }; $uuid())", r#""mine""#),
        ("$map([3, 4], $range(1, ?, 1))", "[[1,2,3],[1,2,3,4]]"),
    ] {
        check(source, expected);
    }
    let scope = Given::input("{}");
    assert!(outcome("$parse('{')", &scope).starts_with(": $parse was given text that is not JSON: "));
}

#[test]
fn the_scope_is_asked_for_no_more_than_the_evaluation_reaches() {
    for (source, contexts, times, draws) in [
        ("$states.input.id", 0, 0, 0),
        ("$sum($states.input.items.price)", 0, 0, 0),
        ("$states.context.State.Name", 1, 0, 0),
        ("$states.context.State.Name & $states.context.State.Name", 1, 0, 0),
        ("$states.input.n > 5 ? $states.context.State : $uuid()", 0, 0, 2),
        ("false ? $random() : 1", 0, 0, 0),
        ("[$random(), $random()]", 0, 0, 2),
        ("$random(7)", 0, 0, 0),
        ("$shuffle([1,2])", 0, 0, 1),
        ("$now()", 0, 1, 0),
        ("$millis() - $millis()", 0, 1, 0),
        ("$fromMillis(0)", 0, 0, 0),
    ] {
        let scope = Given::input(INPUT);
        outcome(source, &scope);
        assert_eq!(
            (scope.contexts.get(), scope.times.get(), scope.draws.get()),
            (contexts, times, draws),
            "{source}"
        );
    }
}

#[test]
fn time_and_chance_come_from_the_scope() {
    for (source, expected) in [
        ("$now()", r#""2024-07-03T09:46:40.123Z""#),
        ("$millis()", "1720000000123"),
        ("$uuid()", r#""9e3779b9-7f4a-4c15-bc6e-f372fe94f82a""#),
    ] {
        assert_eq!(outcome(source, &Given::input("{}")), expected, "{source}");
    }
    for source in ["$random()", "$shuffle([1..50])", "[$uuid(), $random(), $random()]", "$map([1..3], $uuid)"]
    {
        assert_eq!(outcome(source, &Given::input("{}")), outcome(source, &Given::input("{}")), "{source}");
    }
    assert_eq!(outcome("($r := $random(); $r >= 0 and $r < 1)", &Given::input("{}")), "true");
    assert_eq!(outcome("$uuid() = $uuid()", &Given::input("{}")), "false");
}

#[test]
fn what_the_level_refuses() {
    for (source, expected) in [
        ("$states.input.a ?: 1", "The symbol \":\" cannot be used as a unary operator (at offset 17)"),
        ("$states.input.a ?? 1", "The symbol \"?\" cannot be used as a unary operator (at offset 17)"),
        ("$eval('1')", "the function $eval is not supported (at offset 0)"),
        ("[1].($eval('1'))", "the function $eval is not supported (at offset 5)"),
        ("$", "`$` cannot be used at the top level of an expression; use $states.input (at offset 0)"),
        ("1 + $$", "`$$` cannot be used at the top level of an expression; use $states.input (at offset 4)"),
        ("$.a", "`$` cannot be used at the top level of an expression; use $states.input (at offset 0)"),
        ("field", "the field `field` needs a variable in front of it, such as $states.input (at offset 0)"),
        ("1 + a.b", "the field `a` needs a variable in front of it, such as $states.input (at offset 4)"),
        ("{'a': b}", "the field `b` needs a variable in front of it, such as $states.input (at offset 6)"),
        ("$sum(a)", "the field `a` needs a variable in front of it, such as $states.input (at offset 5)"),
        ("*", "the field `*` needs a variable in front of it, such as $states.input (at offset 0)"),
        ("**.a", "the field `**` needs a variable in front of it, such as $states.input (at offset 0)"),
        ("1 +", "Unexpected end of expression (at offset 3)"),
        ("", "Unexpected end of expression (at offset 0)"),
        ("(1", "Expected \")\" before end of expression (at offset 2)"),
    ] {
        check(source, &format!("refused: {expected}"));
    }
    assert_eq!(Expression::compile("1 ?: 2").unwrap_err().code.as_deref(), Some("S0211"));
}

#[test]
fn the_missing_context_is_undefined_where_it_is_not_refused() {
    for source in [
        "$map([1], function($v) { $ })",
        "$map([1], function($v) { $$ })",
        "$map([1], function($v) { field })",
        "$map([1], function($v) { $.field })",
        "$map([1], function($v) { * })",
        "[1].($$.a)",
        "$list[$$ = 1]",
    ] {
        check(source, "undefined");
    }
    check("$list.($ * 2)", "[2,4,6]");
    check("'$ and $$ in text' & $list[$ = 2]", r#""$ and $$ in text2""#);
}

#[test]
fn variables_are_the_free_ones() {
    for (source, expected) in [
        ("1", ""),
        ("$states.input", ""),
        ("$a + $b + $a", "a b"),
        ("$sum($a)", "a"),
        ("$uuid() & $partition", ""),
        ("$map($a, function($v, $i) { $v + $i + $b })", "a b"),
        ("($x := $a; $x + $y)", "a y"),
        ("($x := $x + 1; $x)", "x"),
        ("($f := function($n) { $n = 0 ? 0 : $f($n - 1) }; $f(3))", ""),
        ("(($x := 1); $x)", "x"),
        ("$a@$i.b[$i.c = $d]", "a d"),
        ("$a#$p.{'p': $p, 'q': $q}", "a q"),
        ("$a[$b]^($c){$d: $e}", "a b c d e"),
        ("$a ~> |$|{'x': $b}|", "a b"),
        ("$café.x", "café"),
    ] {
        let expression = Expression::compile(source).unwrap();
        let found = expression.variables().iter().map(Text::as_str).collect::<Vec<_>>().join(" ");
        assert_eq!(found, expected, "{source}");
    }
}

#[test]
fn members_of_states_that_are_named() {
    for (source, expected) in [
        ("1", ""),
        ("$states.input.a", "input"),
        ("$states.context.a & $states.result[0]", "context result"),
        ("$exists($states.errorOutput)", "errorOutput"),
        ("($s := $states; $s.result.x)", "result"),
        ("$states", "whole"),
        ("$string($states)", "whole"),
    ] {
        let expression = Expression::compile(source).unwrap();
        let found = [
            ("whole", expression.reads_whole_states()),
            ("input", expression.reads_input()),
            ("context", expression.reads_context()),
            ("result", expression.reads_result()),
            ("errorOutput", expression.reads_error_output()),
        ];
        let found =
            found.iter().filter(|(_, named)| *named).map(|(name, _)| *name).collect::<Vec<_>>().join(" ");
        assert_eq!(found, expected, "{source}");
    }
}

#[test]
fn expressions_are_shared_between_threads() {
    fn check<T: Clone + Send + Sync>(_: &T) {}
    check(&Expression::compile("1").unwrap());
}
