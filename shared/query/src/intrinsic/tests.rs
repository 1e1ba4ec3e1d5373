use std::cell::Cell;

use model::json::Value;
use proptest::prelude::*;

use super::*;

struct Fixed {
    input: Value,
    drawn: Cell<u64>,
}

impl Fixed {
    fn new(input: &str) -> Fixed {
        Fixed { input: Value::parse(input).unwrap(), drawn: Cell::new(0) }
    }
}

impl Scope for Fixed {
    fn input(&self) -> &Value {
        &self.input
    }

    fn context(&self) -> Value {
        Value::parse(r#"{"Execution":{"Name":"run"},"StateMachine":{"Id":"arn","Name":"m"}}"#).unwrap()
    }

    fn variable(&self, name: &str) -> Option<Value> {
        (name == "x").then(|| Value::from(7_i64))
    }

    fn now_millis(&self) -> i64 {
        0
    }

    fn next_random(&self) -> u64 {
        self.drawn.set(self.drawn.get() + 1);
        self.drawn.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// `expected` is the value as JSON, or the error in words.
fn check(text: &str, input: &str, expected: &str) {
    let expression = Expression::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(expression.source(), text);
    match expression.eval(&Fixed::new(input)) {
        Ok(value) => match Value::parse(expected) {
            Ok(expected) => assert_eq!(value.to_json(), expected.to_json(), "{text}"),
            Err(_) => panic!("{text} gave {value}, not {expected}"),
        },
        Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
    }
}

/// Calls `name` with `arguments`, a JSON array, through paths.
fn check_data(name: &str, arguments: &str, expected: &str) {
    let count = Value::parse(arguments).unwrap().as_array().unwrap().len();
    let paths: Vec<String> = (0..count).map(|i| format!("$[{i}]")).collect();
    check(&format!("States.{name}({})", paths.join(", ")), arguments, expected);
}

#[test]
fn paths_and_variables_are_expressions() {
    check("$.a", r#"{"a":1}"#, "1");
    check("$$.Execution.Name", "{}", "\"run\"");
    check("$x", "{}", "7");
    check("$.b", "{}", "$.b: No results for path: $['b']");
    check("$y", "{}", "$y: variable $y is not assigned");
    check("States.Array($.b)", "{}", "$.b: No results for path: $['b']");
}

#[test]
fn arguments_are_read_as_written() {
    check("States.Array()", "{}", "[]");
    check(
        " States.Array( 'a' ,1,-2.5, 1e2 ,true,false,null,$.l[0:2],$x,States.Array($$.Execution.Name)) \n",
        r#"{"l":[1,2,3]}"#,
        r#"["a",1,-2.5,100.0,true,false,null,[1,2],7,["run"]]"#,
    );
    check(r"States.Array('it\'s', '\\n', '\{\}', '{}')", "{}", r#"["it's","\\n","{}","{}"]"#);
    check(
        "States.Array($['a,b)'], $.l[?(@.t == 'x,)')].n)",
        r#"{"a,b)":1,"l":[{"t":"x,)","n":2}]}"#,
        "[1,[2]]",
    );
    check("States.StringSplit('Hello\nWorld', '\n')", "{}", r#"["Hello","World"]"#);
    check(
        r"States.Array('a\n')",
        "{}",
        r"open escape in the literal 'a\n' of States.Array('a\n'); only \', \{, \} and \\ are escapes",
    );
}

#[test]
fn refused_texts() {
    let table = [
        (
            "a",
            "expected a path that starts with $, or an intrinsic function such as States.Array() (at offset 0)",
        ),
        ("States.Foo()", "there is no intrinsic function \"States.Foo\" (at offset 0)"),
        ("States.array()", "there is no intrinsic function \"States.array\" (at offset 0)"),
        ("States.Array", "expected ( after States.Array (at offset 12)"),
        (
            "States.Array(",
            "expected an argument: a path, a call, a number, true, false, null or a text in single quotes (at offset 13)",
        ),
        ("States.Array(1 2)", "expected , or ) in the arguments of States.Array (at offset 15)"),
        (
            "States.Array(\"a\")",
            "expected an argument: a path, a call, a number, true, false, null or a text in single quotes (at offset 13)",
        ),
        ("States.Array('a)", "a text is not closed with ' (at offset 13)"),
        ("States.Array(nil)", "unexpected word \"nil\"; a text stands in single quotes (at offset 13)"),
        ("States.Array(1-2)", "1-2 is not a number (at offset 13)"),
        ("States.Array($.)", "a name is missing after the dot (at offset 15)"),
        ("States.Array() x", "unexpected text after the call (at offset 15)"),
        ("States.UUID(1)", "States.UUID takes 0 arguments, not more (at offset 12)"),
        ("States.Format()", "States.Format takes at least 1 argument, not 0 (at offset 0)"),
        ("States.MathAdd(1)", "States.MathAdd takes 2 arguments, not 1 (at offset 0)"),
        ("States.MathRandom(1)", "States.MathRandom takes 2 to 3 arguments, not 1 (at offset 0)"),
        ("States.ArrayLength($.a, $.b)", "States.ArrayLength takes 1 argument, not more (at offset 24)"),
        (
            "States.MathAdd('1', 2)",
            "argument 1 of States.MathAdd must be a number, not string (at offset 15)",
        ),
    ];
    for (text, expected) in table {
        match Expression::parse(text) {
            Ok(expression) => panic!("{text} was parsed as {expression:?}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
        }
    }
}

#[test]
fn nesting_has_a_limit() {
    let nested = |n: usize| format!("{}1{}", "States.Array(".repeat(n), ")".repeat(n));
    assert!(Expression::parse(&nested(NESTING_MAX)).is_ok());
    assert!(Expression::parse(&nested(NESTING_MAX + 1)).is_err());
    assert!(Expression::parse(&nested(100_000)).is_err());
}

#[test]
fn format() {
    check("States.Format('a {}.', $.v)", r#"{"v":null}"#, "\"a null.\"");
    check("States.Format('{}{}', 1, 1.1)", "{}", "\"11.1\"");
    check("States.Format('fst={}', $.v)", r#"{"v":{"Arg1":1,"Arg2":[]}}"#, "\"fst={Arg1=1, Arg2=[]}\"");
    check("States.Format('m={}', $$.StateMachine)", "{}", "\"m={Id=arn, Name=m}\"");
    check(r"States.Format('\{\} {} {\}', 1)", "{}", "\"{} 1 {}\"");
    check("States.Format('{\"a\": {}}', 1)", "{}", "\"{\\\"a\\\": 1}\"");
    check(
        "States.Format($.t, 'x')",
        r#"{"t":"{}\\{}"}"#,
        "States.Format: the template has 2 {}, but 1 values follow it",
    );
    check("States.Format($.t, 'x', 'y')", r#"{"t":"{}\\{}"}"#, "\"x\\\\y\"");
    check("States.Format('a')", "{}", "\"a\"");
    check("States.Format('{}')", "{}", "States.Format: the template has 1 {}, but 0 values follow it");
    check("States.Format($.t)", r#"{"t":1}"#, "States.Format: argument 1 must be a string, not number");
}

#[test]
fn json() {
    check_data("StringToJson", r#"[""]"#, "null");
    check_data("StringToJson", r#"[" \n"]"#, "null");
    check_data("StringToJson", r#"["-0"]"#, "0");
    check_data("StringToJson", r#"["{\"a\": [1.0]}"]"#, r#"{"a":[1.0]}"#);
    check_data("JsonToString", r#"[{"a":[1, null, "x\""]}]"#, r#""{\"a\":[1,null,\"x\\\"\"]}""#);
    check_data(
        "JsonMerge",
        r#"[{"a":{"x":1},"b":2},{"a":{"y":1},"c":3},false]"#,
        r#"{"a":{"y":1},"b":2,"c":3}"#,
    );
    check_data(
        "JsonMerge",
        "[{},{},true]",
        "States.JsonMerge: argument 3 must be false; only shallow merging is supported",
    );
    check_data("JsonMerge", "[{},[],false]", "States.JsonMerge: argument 2 must be an object, not array");
    let broken = Expression::parse("States.StringToJson('{')").unwrap().eval(&Fixed::new("{}")).unwrap_err();
    assert!(broken.to_string().starts_with("States.StringToJson: the text is not JSON: "), "{broken}");
}

#[test]
fn arrays() {
    check_data("ArrayContains", "[[[1,2,3],2],[1,2,3]]", "true");
    check_data("ArrayContains", r#"[[{"1":2,"2":[]}],{"2":[],"1":2}]"#, "true");
    check_data("ArrayContains", "[[],null]", "false");
    check_data("ArrayContains", "[1,1]", "States.ArrayContains: argument 1 must be an array, not number");
    check_data("ArrayGetItem", "[[1,2,3],2]", "3");
    check_data("ArrayGetItem", "[[1],1]", "States.ArrayGetItem: there is no item 1 in an array of 1 items");
    check_data("ArrayGetItem", "[[1],-1]", "States.ArrayGetItem: there is no item -1 in an array of 1 items");
    check_data("ArrayLength", "[[1,[2,3]]]", "2");
    check_data("ArrayPartition", "[[],3]", "[]");
    check_data("ArrayPartition", "[[0,1,2],2]", "[[0,1],[2]]");
    check_data("ArrayPartition", "[[0,1,2],1.5]", "[[0,1],[2]]");
    check_data(
        "ArrayPartition",
        "[[0],0]",
        "States.ArrayPartition: the chunk size must be greater than 0, not 0",
    );
    check_data(
        "ArrayPartition",
        "[[0],-3]",
        "States.ArrayPartition: the chunk size must be greater than 0, not -3",
    );
    check_data("ArrayRange", "[0,9,3]", "[0,3,6,9]");
    check_data("ArrayRange", "[0,10,3]", "[0,3,6,9]");
    check_data("ArrayRange", "[0.5,3.2,1]", "[1,2,3]");
    check_data("ArrayRange", "[5,1,-2]", "[5,3,1]");
    check_data("ArrayRange", "[1,5,-1]", "[]");
    check_data("ArrayRange", "[4,4,-7]", "[4]");
    check_data("ArrayRange", "[1,9,0.4]", "States.ArrayRange: the step must not be 0");
    check_data("ArrayRange", "[1,1001,1]", "States.ArrayRange: the range has 1001 items, more than 1000");
    check_data(
        "ArrayRange",
        "[-9223372036854775808,9223372036854775807,1]",
        "States.ArrayRange: the range has 18446744073709551616 items, more than 1000",
    );
    check_data(
        "ArrayUnique",
        r#"[[null,null,true,false,true,1,1.0,1.1,0,"a","a",[],[],[null],{"a":1,"b":2},{"b":2,"a":1},{"a":1,"b":1}]]"#,
        r#"[null,true,false,1,1.1,0,"a",[],[null],{"a":1,"b":2},{"a":1,"b":1}]"#,
    );
}

#[test]
fn numbers() {
    for (a, b, sum) in [
        ("1.49", "1.5", "3"),
        ("-1.5", "0", "-1"),
        ("-1.51", "0", "-2"),
        ("0.5", "0", "1"),
        ("-0.5", "0", "0"),
        ("2.5", "0", "3"),
        ("0.49999999999999994", "0", "0"),
        ("2147483646", "1", "2147483647"),
        ("-2147483648", "0", "-2147483648"),
        (
            "2147483647",
            "1",
            "States.MathAdd: the sum 2147483648 is not in the range -2147483648 to 2147483647",
        ),
        ("1e300", "1", "States.MathAdd: 1e300 is not in the range -2147483648 to 2147483647"),
        (
            "99999999999999999999",
            "1",
            "States.MathAdd: 99999999999999999999 is not in the range -2147483648 to 2147483647",
        ),
    ] {
        check_data(
            "MathAdd",
            &format!("[{a},{b}]"),
            &sum.replace("1e300", &Value::parse("1e300").unwrap().to_json()),
        );
    }
    check_data("MathRandom", "[3,4]", "3");
    check_data("MathRandom", "[-99999,-99998,17]", "-99999");
    check_data("MathRandom", "[4,4]", "States.MathRandom: the start 4 must be less than the end 4");
    check_data("MathRandom", "[1,2,\"x\"]", "States.MathRandom: argument 3 must be a number, not string");
}

#[test]
fn random_numbers_come_from_the_seed_or_the_scope() {
    let seeded = Expression::parse("States.MathRandom(0, 1000000, 3)").unwrap();
    let scope = Fixed::new("{}");
    assert_eq!(seeded.eval(&scope), seeded.eval(&scope));
    assert_eq!(scope.drawn.get(), 0);
    let free = Expression::parse("States.MathRandom(0, 1000000)").unwrap();
    assert_ne!(free.eval(&scope), free.eval(&scope));
    assert_eq!(scope.drawn.get(), 2);
    let uuid = Expression::parse("States.UUID()").unwrap().eval(&Fixed::new("{}")).unwrap();
    assert_eq!(uuid.to_json(), "\"9e3779b9-7f4a-4c15-bc6e-f372fe94f82a\"");
}

#[test]
fn encodings() {
    check_data("Base64Encode", r#"["Data to encode"]"#, "\"RGF0YSB0byBlbmNvZGU=\"");
    check_data("Base64Encode", r#"[""]"#, "\"\"");
    check_data("Base64Decode", r#"["RGF0YSB0byBlbmNvZGU="]"#, "\"Data to encode\"");
    check_data("Base64Decode", r#"["RGF0YSB0byBlbmNvZGU"]"#, "\"Data to encode\"");
    check_data("Base64Decode", r#"["/w=="]"#, "\"\u{fffd}\"");
    check_data("Hash", r#"["input data","MD5"]"#, "\"812f45842bc6d66ee14572ce20db8e86\"");
    check_data("Hash", r#"["input data","SHA-1"]"#, "\"aaff4a450a104cd177d28d18d74485e8cae074b7\"");
    check_data(
        "Hash",
        r#"["input data","SHA-256"]"#,
        "\"b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3\"",
    );
    check_data(
        "Hash",
        r#"["","SHA-512"]"#,
        "\"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e\"",
    );
    check_data(
        "Hash",
        r#"["x","SHA1"]"#,
        "States.Hash: the algorithm must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512, not \"SHA1\"",
    );
    check_data("Hash", r#"[1,"MD5"]"#, "States.Hash: argument 1 must be a string, not number");
    let long = |n: usize| format!("[\"{}\"]", "é".repeat(n));
    check_data(
        "Base64Encode",
        &long(10_001),
        "States.Base64Encode: the text is longer than 10000 characters",
    );
    let longest = Expression::parse("States.Base64Encode($[0])").unwrap();
    assert!(longest.eval(&Fixed::new(&long(10_000))).is_ok());
}

#[test]
fn splits() {
    check_data("StringSplit", r#"[" ",","]"#, r#"[" "]"#);
    check_data("StringSplit", r#"[", , ,",","]"#, r#"[" "," "]"#);
    check_data("StringSplit", r#"[",,,,",","]"#, "[]");
    check_data("StringSplit", r#"["This.is+a,test=string",".+,="]"#, r#"["This","is","a","test","string"]"#);
    check_data("StringSplit", r#"["aéb","é"]"#, r#"["a","b"]"#);
    check_data("StringSplit", r#"["ab",""]"#, r#"["ab"]"#);
}

#[test]
fn calls_that_multiply_a_value_are_refused() {
    let big = format!("[\"{}\"]", "x".repeat(200_000));
    let many = format!("States.Format('{}'{})", "{}".repeat(100), ", $[0]".repeat(100));
    check(&many, &big, "States.Format: the arguments are larger than 4194304 bytes together");
    let nested = format!("States.JsonToString(States.Array({}$))", "$, ".repeat(20));
    check(&nested, &big, "States.Array: the arguments are larger than 4194304 bytes together");
}

#[test]
fn walks_the_paths_in_order() {
    let mut seen = Vec::new();
    let text = "States.Format('{}{}', $a.b, States.Array($.c, 1, $$.d[?(@.x == 'y')]))";
    Expression::parse(text).unwrap().walk_paths(|path| seen.push(path.source().to_owned()));
    assert_eq!(seen, ["$a.b", "$.c", "$$.d[?(@.x == 'y')]"]);
    let mut count = 0;
    Expression::parse("$x").unwrap().walk_paths(|_| count += 1);
    assert_eq!(count, 1);
}

#[test]
fn functions_know_their_names() {
    for name in ["States.Array", "States.UUID", "States.StringToJson", "States.MathRandom"] {
        assert_eq!(Function::named(name).map(Function::name), Some(name));
    }
    assert_eq!(Function::named("States."), None);
}

/// Text made of what calls are made of, so that much of it parses.
fn call_like() -> impl Strategy<Value = String> {
    let call = prop::sample::select(vec![
        "Array",
        "ArrayContains",
        "ArrayGetItem",
        "ArrayLength",
        "ArrayPartition",
        "ArrayRange",
        "ArrayUnique",
        "Base64Decode",
        "Base64Encode",
        "Format",
        "Hash",
        "JsonMerge",
        "JsonToString",
        "MathAdd",
        "MathRandom",
        "StringSplit",
        "StringToJson",
        "UUID",
    ]);
    let leaf = prop::sample::select(vec![
        "$",
        "$.a",
        "$.b[*]",
        "$x",
        "$$.Execution",
        "1",
        "-1.5",
        "1e300",
        "0",
        "true",
        "false",
        "null",
        "'{}'",
        "'a{}'",
        "'SHA-1'",
        r"'\\'",
        r"'\'",
        "''",
        "'[1]'",
        "'é'",
        "",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, move |inner| {
        (call.clone(), prop::collection::vec(inner, 0..4))
            .prop_map(|(name, arguments)| format!("States.{name}({})", arguments.join(", ")))
    })
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,40}", call in "States\\.[A-Za-z0-9]{0,12}\\(\\PC{0,30}\\)?") {
        for text in [text, call] {
            let _ = Expression::parse(&text).map(|expression| expression.eval(&Fixed::new("{}")));
        }
    }

    #[test]
    fn call_like_text_never_panics_and_gives_the_same_again(text in call_like()) {
        if let Ok(expression) = Expression::parse(&text) {
            prop_assert_eq!(expression.source(), text.as_str());
            let input = r#"{"a":{"k":[1]},"b":[1,2,"x"]}"#;
            prop_assert_eq!(expression.eval(&Fixed::new(input)), expression.eval(&Fixed::new(input)));
        }
    }

    #[test]
    fn base64_round_trips(text in "\\PC{0,200}") {
        let input = Value::from(vec![Value::from(text.as_str())]).to_json();
        let both = Expression::parse("States.Base64Decode(States.Base64Encode($[0]))").unwrap();
        prop_assert_eq!(both.eval(&Fixed::new(&input)), Ok(Value::from(text.as_str())));
    }

    #[test]
    fn random_numbers_stay_in_their_range(start in any::<i32>(), end in any::<i32>(), seed in any::<i64>()) {
        let input = format!("[{start},{end},{seed}]");
        let random = Expression::parse("States.MathRandom($[0], $[1], $[2])").unwrap();
        match random.eval(&Fixed::new(&input)) {
            Ok(n) => prop_assert!((i64::from(start)..i64::from(end)).contains(&n.as_i64().unwrap())),
            Err(_) => prop_assert!(start >= end),
        }
    }
}
