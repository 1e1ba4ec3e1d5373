//! Whatever the expression, an evaluation ends, in bounds, and the same way twice.

use proptest::prelude::*;

use super::tests::{Given, v};
use super::{Expression, Level, Limits, Outcome};

const INPUT: &str =
    r#"{"a": 1, "b": [1, 2, {"c": "x"}], "s": "some text", "o": {"p": null, "q": [[1], [2, 3]]}}"#;

/// Small enough for a test without optimisation; the defaults differ in numbers only.
fn small() -> Limits {
    Limits {
        steps: 20_000,
        regex_steps: 500,
        work: 60_000_000,
        depth: 200,
        string_bytes: 1 << 16,
        array_items: 5_000,
        result_bytes: 1 << 16,
    }
}

/// The message that refuses the expression or ends its evaluation; anything else is printed.
fn failure(source: &str, limits: &Limits) -> String {
    let expression = match Expression::compile(source) {
        Ok(expression) => expression,
        Err(error) => return error.message,
    };
    match expression.evaluate(&Given::input(INPUT), limits) {
        Ok(outcome) => format!("no failure but {outcome:.200?}"),
        Err(error) => error.message,
    }
}

#[test]
fn hostile_expressions_fail_with_a_message() {
    let too_long = "A string would exceed the size limit";
    let too_many = "An array would exceed the size limit";
    let steps = "The evaluation exceeded its budget of";
    let nested = "The expression is nested too deeply";
    let overflow = "Stack overflow";
    for (source, message) in [
        ("[1..1e9]", "The size of the sequence allocated by the range operator"),
        ("[1..9e6]", steps),
        ("$range(1, 1e9, 1)", "$range would give more than"),
        ("[1..4000] ~> $map(function($i) { [1..4000] }) ~> $reduce($append)", steps),
        ("$pad('x', 1e9)", "The size of the string requested by the $pad function"),
        ("$pad('x', 1e6)", too_long),
        ("($f := function($s) { $f($s & $s) }; $f('ab'))", too_long),
        ("($f := function($s) { $f($s & $string($s)) }; $f('ab'))", too_long),
        ("$reduce([1..40], function($s, $i) { $s & $s }, 'ab')", too_long),
        ("($f := function($n) { $f($n + 1) }; $f(0))", steps),
        ("($f := function($n) { 1 + $f($n) }; $f(0))", overflow),
        ("($f := function($n) { [$f($n)] }; $f(0))", overflow),
        ("($f := function($n) { $map([$n], $f) }; $f(0))", overflow),
        ("($f := function() { $g() }; $g := function() { $f() }; $f())", steps),
        ("($y := function($f) { $f($f) }; $y($y))", steps),
        ("[1..4000].[1..4000]", steps),
        ("[1..200].[1..200]", "The result would exceed the size limit"),
        ("[1..4000][$ in [1..4000]]", steps),
        ("($x := [1..4000]; $x.($x.($x)))", too_many),
        ("$distinct([1..4000])", steps),
        ("$reduce([1..4000], $append)", steps),
        ("$match($pad('', 20000, 'a'), /a/)", steps),
        ("$split($pad('', 20000, 'a'), /a/)", steps),
        ("$replace($pad('', 20000, 'a'), /a/, 'b')", steps),
        ("$replace($pad('', 20000, 'a'), 'aaaaa', $pad('', 60000, 'b'))", steps),
        ("$replace($pad('', 900, 'a'), /a/, $pad('', 60000, 'b'))", steps),
        ("$replace($pad('', 900, 'a'), /a/, function() { $pad('', 60000, 'b') })", steps),
        ("$contains($pad('', 40, 'a'), /(a|aa)+$b/)", steps),
        ("$match($pad('', 9000, 'a'), /(a*)*b/)", steps),
        ("$map([1..100], function() { $contains($pad('', 2000, 'a'), /a*a*a*b/) })", steps),
        (
            "($d := function($x, $n) { $n = 0 ? $x : $d({'a': $x, 'b': $x}, $n - 1) }; $d(0, 60))",
            "The result would exceed",
        ),
        (
            "($d := function($x, $n) { $n = 0 ? $x : $d({'a': $x, 'b': $x}, $n - 1) }; $string($d(0, 60)))",
            too_long,
        ),
        ("($d := function($x, $n) { $n = 0 ? $x : $d({'a': $x, 'b': $x}, $n - 1) }; $d(0, 60).**)", too_many),
        ("$parse($pad('', 60000, '['))", "$parse was given text that is not JSON"),
        ("$power(10, 1000)", "The power function has resulted in a value"),
        ("$fromMillis(1e300)", "Number out of range"),
    ] {
        let failure = failure(source, &small());
        assert!(failure.starts_with(message), "{source}: {failure}");
    }
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("-", "1", ""),
        ("{'a':", "1", "}"),
        ("function(){", "1", "}"),
        ("1+", "1", ""),
    ] {
        let source = format!("{}{middle}{}", open.repeat(20_000), close.repeat(20_000));
        let failure = failure(&source, &small());
        assert!(failure.starts_with(nested), "{open}: {failure}");
    }
}

#[test]
fn the_default_limits_stand_where_the_service_stops() {
    for (source, passes) in [
        ("$count([1..873782])", true),
        ("$count([1..873783])", false),
        ("$length($pad('x', 4194304))", true),
        ("$length($pad('x', 8388608))", false),
        ("($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(100))", true),
        ("($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(200))", false),
    ] {
        let outcome = Expression::compile(source).unwrap().evaluate(&Given::input("{}"), &Limits::default());
        assert_eq!(outcome.is_ok(), passes, "{source}: {outcome:.200?}");
    }
}

#[test]
fn long_texts_pass() {
    let mut scope = Given::input("{}");
    let long = "ab ".repeat(3_500_000);
    scope.input = model::json::Value::from(long.as_str());
    for source in [
        "$states.input",
        "$length($states.input)",
        "$contains($states.input, 'abc')",
        "$contains($states.input, /c/)",
    ] {
        let outcome = Expression::compile(source).unwrap().evaluate(&scope, &Limits::default());
        assert!(outcome.is_ok(), "{source}: {outcome:.200?}");
    }
    for source in [
        "$uppercase($states.input)",
        "$states.input & 'x'",
        "$string([$states.input])",
        "$split($states.input, ' ')",
    ] {
        let outcome = Expression::compile(source).unwrap().evaluate(&scope, &Limits::default());
        assert!(outcome.is_err(), "{source}: {outcome:.200?}");
    }
    let compiled = Expression::compile(&format!("'{long}'")).unwrap();
    assert!(compiled.evaluate(&scope, &Limits::default()).is_ok());
}

/// The measured functions give what the plain ones give.
#[test]
fn measuring_changes_no_result() {
    for source in [
        "$append([1], 2)",
        "$append($missing, [1])",
        "$append(1, $missing)",
        "$reduce([[1], [2, 3]], $append)",
        "$distinct([1, 2, 1, {'a': 1}, {'a': 1}])",
        "$distinct('x')",
        "$distinct($missing)",
        "$match('a1b22', /[0-9]+/)",
        "$match('a1b22', /[0-9]+/, 1)",
        "$match('a1b22', /[0-9]+/, 0)",
        "$match('a1b22', /[0-9]+/, -1)",
        "$match('a1', /z/)",
        "$match($missing, /a/)",
        "$match('ab', 'a')",
        "$split('a, b,c', ',')",
        "$split('a, b,c', /, */)",
        "$split('a, b,c', /, */, 2)",
        "$split('a b', /,/)",
        "$split('abc', '')",
        "$split('a b', $missing)",
        "$split('a b', 1)",
        "$split(' ')",
        "$match(/a/)",
        "$split('text', $append)",
        "$map(['a b', 'c'], $split(?, ' '))",
        "'a,b' ~> $split(',') ~> $distinct",
        "['a b'].$split(' ')",
        "$replace('abcabc', 'b', '<$0>')",
        "$replace('abcabc', 'b', '', 1)",
        "$replace('abcabc', 'b', 'x', 0)",
        "$replace('abcabc', 'b', 'x', -1)",
        "$replace('abcabc', '', 'x')",
        "$replace('abcabc', /(b)(c)/, '$2$1$$')",
        "$replace('abcabc', /B/i, 'x', 1)",
        "$replace('abcabc', /b/, function($m) { $uppercase($m.match) & $m.start })",
        "$replace('abcabc', /b/, function($m) { 1 })",
        "$replace('abc', /b/, $missing)",
        "$replace('abc', 'b', function() { 'x' })",
        "$replace($missing, 'b', 'x')",
        "$replace('abc', $missing, 'x')",
        "$replace('abc', /x*/, 'y')",
        "$replace(1, 'b', 'x')",
        "$replace('abc', /z/, 'y')",
        "($matcher := function($s) { {'match': 'b', 'start': 1, 'end': 2, 'groups': [], 'next': function() { $missing }} }; $split('abc', $matcher))",
        "($length := function($x) { 7 }; $split('a b', / /) ~> $count() + $length(1))",
    ] {
        assert_eq!(
            at(source, Level::StepFunctions, &Limits::default()),
            at(source, Level::Permissive, &Limits::default()),
            "{source}"
        );
    }
}

/// The outcome at a level, with `$states` as a plain variable where the level has none.
fn at(source: &str, level: Level, limits: &Limits) -> String {
    let mut scope = Given::input(INPUT);
    if level == Level::Permissive {
        let states = [("input", scope.input.clone()), ("context", scope.context.clone())];
        scope.variables.push(("states", states.into_iter().collect()));
    }
    let expression = match Expression::compile_at(source, level) {
        Ok(expression) => expression,
        Err(error) => return error.to_string(),
    };
    let outcome = match level {
        Level::StepFunctions => expression.evaluate(&scope, limits),
        Level::Permissive => expression.evaluate_on(None, &scope, limits),
    };
    match outcome {
        Ok(Outcome::Value(value)) => value.to_json(),
        Ok(Outcome::Undefined | Outcome::Function) => "nothing".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("$states.input".to_owned()),
        Just("$states.input.b".to_owned()),
        Just("$states.input.o.q".to_owned()),
        Just("$states.input.s".to_owned()),
        Just("$states.context".to_owned()),
        Just("$v".to_owned()),
        Just("$f".to_owned()),
        Just("'tex\u{e9}t'".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("/t(e|x)?/".to_owned()),
        Just("$append".to_owned()),
        Just("$string".to_owned()),
        Just("[]".to_owned()),
        (-3_i32..5_000).prop_map(|n| n.to_string()),
        Just("1.5".to_owned()),
    ];
    let function = prop::sample::select(vec![
        "sum",
        "count",
        "string",
        "length",
        "map",
        "filter",
        "reduce",
        "sort",
        "join",
        "split",
        "replace",
        "match",
        "append",
        "distinct",
        "keys",
        "lookup",
        "merge",
        "spread",
        "each",
        "sift",
        "zip",
        "reverse",
        "partition",
        "range",
        "hash",
        "parse",
        "pad",
        "substring",
        "number",
        "boolean",
        "not",
        "type",
        "single",
        "contains",
        "formatNumber",
        "formatInteger",
        "fromMillis",
        "toMillis",
        "base64encode",
        "encodeUrl",
        "clone",
        "round",
        "power",
        "max",
        "trim",
        "f",
    ]);
    leaf.prop_recursive(6, 40, 4, move |inner| {
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "&", "=", "!=", "<", ">=", "in", "and", "or", "~>", "..",
        ]);
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(a, op, b)| match op {
                ".." => format!("[{a}..{b}]"),
                op => format!("({a} {op} {b})"),
            }),
            (function.clone(), prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(name, args)| format!("${name}({})", args.join(","))),
            inner.clone().prop_map(|body| format!("function($v, $w) {{ {body} }}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("($f := function($v) {{ {a} }}; {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("($v := {a}; {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}).({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})[{b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a})^({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}){{'k': {b}}}")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} ~> |**|{{'n': {b}}}|)")),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{'x': {a}, 'y': {b}}}")),
            inner.clone().prop_map(|a| format!("({a}).**")),
            inner.clone().prop_map(|a| format!("({a}).*.%")),
            inner.prop_map(|a| format!("({a})@$v#$w.($v)")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_compiles_or_is_refused_inside_itself(source in "(?s).{0,60}") {
        if let Err(error) = Expression::compile(&source) {
            prop_assert!(error.offset <= source.len());
        }
    }

    #[test]
    fn any_symbols_compile_or_are_refused(source in r"[$a-c0-2 .\[\](){}+*/%&=<>?:;,'|~^@#!-]{0,40}") {
        if let Ok(expression) = Expression::compile(&source) {
            let _ = expression.evaluate(&Given::input(INPUT), &small());
        }
    }

    /// Nothing that is put around an expression shows in its outcome, and an outcome repeats.
    #[test]
    fn the_wrapped_expression_is_the_expression(source in expression()) {
        let wrapped = at(&source, Level::StepFunctions, &small());
        prop_assert_eq!(&wrapped, &at(&source, Level::StepFunctions, &small()));
        // The wrapping takes steps and depth of its own, and the added functions are missing from
        // plain JSONata.
        let limited = |outcome: &str| ["exceed", "Stack overflow"].iter().any(|part| outcome.contains(part));
        let added = ["$partition", "$range", "$hash", "$parse"].iter().any(|name| source.contains(name));
        let plain = at(&source, Level::Permissive, &small());
        if !limited(&wrapped) && !limited(&plain) && !added {
            prop_assert_eq!(wrapped, plain);
        }
    }

    #[test]
    fn payloads_come_back_as_they_are(value in any_json()) {
        let scope = Given { input: value.clone(), ..Given::default() };
        for source in ["$states.input", "$lookup($states, 'input')", "($x := $states.input; $x)"] {
            let outcome = Expression::compile(source).unwrap().evaluate(&scope, &Limits::default());
            prop_assert_eq!(outcome, Ok(Outcome::Value(value.clone())));
        }
    }
}

fn any_json() -> impl Strategy<Value = model::json::Value> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        (-1_000_000_i64..1_000_000).prop_map(|n| n.to_string()),
        Just("0.25".to_owned()),
        "[a-zé\u{1F600} ]{0,30}".prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map("[a-d]{1,3}", inner, 0..4).prop_map(|members| {
                let members =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect::<Vec<_>>();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
    .prop_map(|text| v(&text))
}
