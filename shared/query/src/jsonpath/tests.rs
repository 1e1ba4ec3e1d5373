use model::json::Value;
use proptest::prelude::*;

use super::*;

const BOOKS: &str = r#"{
    "users": [{"year": 1997, "status": 0}, {"year": 1998, "status": 1}],
    "delivery-partner": "UQS", "ключ": {"日本": 1}, "a b": {"'": 1}, "null": null,
    "items": [10, 20, 30, 40], "deep": {"x": {"a": [1, 2]}, "y": [{"a": 3}]}
}"#;

fn v(json: &str) -> Value {
    Value::parse(json).unwrap()
}

/// `expected` is the value as JSON, or the error in words.
fn check(path: &str, input: &str, expected: &str) {
    let path = Path::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    match path.eval_on(&v(input)) {
        Ok(value) => assert_eq!(value.to_json(), v(expected).to_json(), "{}", path.source()),
        Err(error) => assert_eq!(error.to_string(), expected, "{}", path.source()),
    }
}

#[test]
fn names_and_indexes() {
    let check = |path, expected| check(path, BOOKS, expected);
    check("$.users[0].year", "1997");
    check("$['users'][1]['status']", "1");
    check("$[\"users\"][-1].year", "1998");
    check("$.[ 'users' ].[ 0 ].year", "1997");
    check(" $.delivery-partner\n", "\"UQS\"");
    check("$.ключ.日本", "1");
    check("$['a b']", r#"{"'":1}"#);
    check("$['a b']['\\'']", "1");
    check("$['a b'][''']", "1");
    check("$.null", "null");
    check(
        "$['users','nothing','null']",
        r#"{"users":[{"year":1997,"status":0},{"year":1998,"status":1}],"null":null}"#,
    );
}

#[test]
fn a_backslash_in_quotes_is_itself() {
    check(r#"$['Test\""Name"']"#, r#"{"Test\\\"\"Name\"":1}"#, "1");
    check(r"$['a\\b']", r#"{"a\\\\b":1}"#, "1");
    check(r"$['a\']", r#"{"a\\":1}"#, "1");
    check(r"$['it\'s']", r#"{"it's":1}"#, "1");
}

#[test]
fn indefinite_paths_give_arrays() {
    let check = |path, expected| check(path, BOOKS, expected);
    check("$.users[*].year", "[1997,1998]");
    check("$.users.*.year", "[1997,1998]");
    check("$.deep.x[*]", "[[1,2]]");
    check("$.items[1:]", "[20,30,40]");
    check("$.items[:1]", "[10]");
    check("$.items[1:3]", "[20,30]");
    check("$.items[-1:]", "[40]");
    check("$.items[:-1]", "[10,20,30]");
    check("$.items[3:1]", "[]");
    check("$.items[0,-1,9]", "[10,40]");
    check("$.deep..a", "[[1,2],3]");
    check("$.deep..a[*]", "[1,2]");
    check("$.deep..[0]", "[1,{\"a\":3}]");
    check("$.deep..*", r#"[{"a":[1,2]},[{"a":3}],[1,2],1,2,{"a":3},3]"#);
    check("$..['year','none']", r#"[{"year":1997},{"year":1998}]"#);
    check("$.users[*]['year','none']", r#"[{"year":1997},{"year":1998}]"#);
}

#[test]
fn indefinite_paths_over_what_is_missing_give_an_empty_array() {
    for path in [
        "$[*]",
        "$.items[*]",
        "$.items[1:]",
        "$.items[:1]",
        "$.item.items[1:5].itemValue",
        "$..x",
        "$.x[?(@.a)]",
        "$.x[0,1]",
        "$.x.y[*].z",
    ] {
        check(path, "{}", "[]");
        check(path, "[]", "[]");
    }
}

#[test]
fn missing_places_are_told_as_the_service_tells_them() {
    check("$.a", "{}", "No results for path: $['a']");
    check("$.a.b", r#"{"a":{}}"#, "No results for path: $['a']['b']");
    check("$.no.such.path", "{}", "Missing property in path $['no']");
    check("$.a.no.b", r#"{"a":{}}"#, "Missing property in path $['a']['no']");
    check("$.a.b", r#"{"a":1}"#, "Property ['b'] not found in path $['a']");
    check("$.a.b", r#"{"a":null}"#, "Property ['b'] not found in path $['a']");
    check("$.a", "[1]", "Property ['a'] not found in path $");
    check("$.a[9]", r#"{"a":[1]}"#, "No results for path: $['a'][9]");
    check("$.a[-2].b", r#"{"a":[1]}"#, "No results for path: $['a'][-2]['b']");
    check("$.a[0]", r#"{"a":null}"#, "The path $['a'] is null");
    check(
        "$.a[0]",
        r#"{"a":{"b":[1,"x"]}}"#,
        "Filter: [0] can only be applied to arrays. Current context is: {b=[1, x]}",
    );
    check("$['a', 'b'].v", r#"{"a":1}"#, "Multi properties can only be used as path leafs: $['a', 'b']");
}

#[test]
fn filters() {
    let check = |filter: &str, expected| {
        let input = r#"{"n":2,"l":[
            {"i":1,"n":1,"s":"a","k":true,"o":{"p":[5]}},
            {"i":2,"n":2.0,"s":"b","k":false,"o":null},
            {"i":3,"n":"3","s":"/eggs/like"},
            {"i":4,"n":{}}, 5, null]}"#;
        check(&format!("$.l[?({filter})].i"), input, expected);
    };
    check("@.n == 1", "[1]");
    check("@.n == '1'", "[1]");
    check("@.n==2", "[2]");
    check("@.n == 3", "[3]");
    check("1 == @['n']", "[1]");
    check("@.n != 1", "[2,3]");
    check("@.n != x", "[1,2,3]");
    check("@.n > 1", "[2,3]");
    check("@.n >= 1 && @.n < 2", "[1]");
    check("@.n<=1||@.s=='b'", "[1,2]");
    check("@.s == b", "[2]");
    check("@.s == /eggs/like", "[3]");
    check("@.s > 'a'", "[2]");
    check("@.k", "[1,2]");
    check("!@.k", "[3,4]");
    check("!(@.k)", "[3,4]");
    check("!@.o", "[2,3,4]");
    check("@.k == true", "[1]");
    check("@.k == 'FALSE'", "[2]");
    check("@.k != nonsense", "[1,2]");
    check("@.o == null", "[2]");
    check("@.o != null", "[1]");
    check("@.o.p[0] == 5", "[1]");
    check("@.n == $.n", "[2]");
    check("(@.n == 1 || @.n == 2) && !(@.k == true)", "[2]");
    check("@.n == {}", "[]");
    check("@.missing != 1", "[]");
}

#[test]
fn filters_look_at_objects_as_a_whole_and_never_at_bare_scalars() {
    check("$.users[?(@.status == 0)]", BOOKS, r#"[{"year":1997,"status":0}]"#);
    check("$.[?(@.year < 1998)].name", r#"[{"year":1997,"name":"x"},{"year":1998,"name":"y"}]"#, "[\"x\"]");
    check("$.a[?(@.b == 1)]", r#"{"a":{"b":1}}"#, r#"[{"b":1}]"#);
    check("$.a[?(@ == 1)]", r#"{"a":[1,2]}"#, "[]");
    check("$.a[?(@)]", r#"{"a":[1,{}]}"#, "[{}]");
    check("$..[?(@.b)].b", r#"{"a":[{"b":1},{"c":{"b":2}}]}"#, "[1,2]");
    check("$.jar[?(@.a >= 5)]", r#"{"jar":[{"a":1},{"a":5},{"a":2},{"a":7}]}"#, r#"[{"a":5},{"a":7}]"#);
}

#[test]
fn refused_texts() {
    let table = [
        ("", "a path starts with $ (at offset 0)"),
        ("a.b", "a path starts with $ (at offset 0)"),
        ("$.", "a name is missing after the dot (at offset 2)"),
        ("$..", "a name is missing after the dot (at offset 3)"),
        ("$...a", "a name is missing after the dot (at offset 3)"),
        ("$a-b", "unexpected '-' in a path; a segment starts with . or [ (at offset 2)"),
        ("$.a b", "white space in a path; write a name with white space as ['my name'] (at offset 3)"),
        (
            "$.a.length()",
            "functions such as length() are not supported in a path; write a member of that name as ['length()'] (at offset 4)",
        ),
        ("$[0", "expected ] (at offset 3)"),
        ("$['a", "a name is not closed with '] (at offset 3)"),
        ("$['a',]", "expected a name in ' (at offset 6)"),
        ("$[a]", "a bracket holds a quoted name, an index, a slice, * or a filter ?(…) (at offset 2)"),
        ("$[0:4:2]", "a slice has no step here; write [from:to] (at offset 5)"),
        ("$[99999999999999999999]", "an index is an integer of 64 bits (at offset 2)"),
        ("$[-]", "an index is an integer of 64 bits (at offset 2)"),
        ("$[?(@.a =~ /x/)]", "filtering by regular expression is not supported (at offset 8)"),
        (
            "$[?(@.a in ['x'])]",
            "expected == != < <= > >= && || or ) in a filter; operators that are words are not supported (at offset 8)",
        ),
        ("$[?(@.a == @..b)]", "the path @..b in a filter must name one place (at offset 11)"),
        ("$[?(@.a == ['x'])]", "a list cannot stand in a filter (at offset 11)"),
        ("$[?(1)]", "a literal stands alone in a filter; compare it with a path (at offset 5)"),
        ("$[?(@[?(@.a)])]", "a filter cannot stand in another filter (at offset 6)"),
        ("$[?(@.a == 'x]", "a text in a filter is not closed with ' (at offset 12)"),
    ];
    for (text, expected) in table {
        match Path::parse(text) {
            Ok(path) => panic!("{text} was parsed as {path:?}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
        }
    }
}

#[test]
fn roots() {
    let table = [
        ("$", Root::Input, "$"),
        ("$.a", Root::Input, "$.a"),
        ("$$", Root::Context, "$"),
        ("$$.Execution.Input", Root::Context, "$.Execution.Input"),
        ("$$['Execution']", Root::Context, "$['Execution']"),
        ("$answer", Root::Variable("answer".into()), "$"),
        ("$x1_é.a[0]", Root::Variable("x1_é".into()), "$.a[0]"),
    ];
    for (text, root, from_root) in table {
        let path = Path::parse(text).unwrap();
        assert_eq!((path.root(), path.source_from_root().as_str()), (&root, from_root), "{text}");
    }
}

#[test]
fn definite_and_reference_paths() {
    let table = [
        ("$", true, true),
        ("$$.a['b'][0]", true, true),
        ("$name.a", true, true),
        ("$.a[-1]", true, false),
        ("$['a','b']", true, false),
        ("$.a[*]", false, false),
        ("$.a[0:1]", false, false),
        ("$.a[0,1]", false, false),
        ("$..a", false, false),
        ("$.a[?(@.b)]", false, false),
    ];
    for (text, definite, reference) in table {
        let path = Path::parse(text).unwrap();
        assert_eq!((path.is_definite(), path.is_reference()), (definite, reference), "{text}");
    }
}

#[test]
fn values_are_shared() {
    let input = v(r#"{"a":{"b":[1,2,3]}}"#);
    let found = Path::parse("$.a.b").unwrap().eval_on(&input).unwrap();
    let inner = input.get("a").and_then(|a| a.get("b")).and_then(Value::as_array).unwrap();
    assert!(found.as_array().unwrap().ptr_eq(inner));
}

#[test]
fn searches_end_by_their_budget() {
    let leaf: Value = (0..100_i64).map(Value::from).collect();
    let wide: Value = (0..1_000).map(|_| leaf.clone()).collect();
    let small = Path::parse("$..*").unwrap().eval_on(&wide).unwrap();
    assert_eq!(small.as_array().unwrap().len(), 101_000);
    let deep = (0..900).fold(Value::from(1_i64), |inner, _| vec![inner].into());
    for path in ["$..*..*..*", "$..[*][*]..[0]..*", "$..[0]..[0]..[0]"] {
        let result = Path::parse(path).unwrap().eval_on(&deep);
        assert_eq!(result, Err(PathError::TooMuchWork { steps_max: STEPS_MAX }), "{path}");
    }
}

#[test]
fn hostile_nesting_is_refused() {
    let deep = |n: usize| format!("$[?({}@.a{})]", "(".repeat(n), ")".repeat(n));
    assert!(Path::parse(&deep(30)).is_ok());
    assert!(Path::parse(&deep(100_000)).is_err());
    assert!(Path::parse(&format!("$[?({}@.a)]", "!".repeat(100_000))).is_err());
    assert!(Path::parse(&format!("$[?{}", "(!".repeat(100_000))).is_err());
    assert!(Path::parse(&format!("${}", ".a".repeat(SEGMENTS_MAX))).is_ok());
    assert!(Path::parse(&format!("${}", ".a".repeat(SEGMENTS_MAX + 2))).is_err());
    assert!(Path::parse(&format!("$['{}", "' ".repeat(50_000))).is_err());
}

/// Text made of what paths are made of, so that much of it parses.
fn path_like() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "$",
        "$$",
        "$x",
        ".",
        "..",
        "*",
        "[",
        "]",
        "a",
        "b",
        "['a']",
        "[0]",
        "[-1]",
        "[1:]",
        "[:1]",
        "[0,1]",
        "[*]",
        "['a','b']",
        "[?(",
        ")]",
        "@",
        "@.a",
        "==",
        "!=",
        "<",
        "&&",
        "||",
        "!",
        "(",
        ")",
        "'",
        "\"",
        "\\",
        " ",
        "1",
        "é",
        "null",
        "[?(@.a == 1)]",
        "[?(@.b)]",
    ]);
    prop::collection::vec(token, 0..12).prop_map(|tokens| format!("${}", tokens.concat()))
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,40}") {
        let _ = Path::parse(&text).map(|path| path.eval_on(&v(BOOKS)));
        let _ = ReferencePath::parse(&text);
    }

    #[test]
    fn path_like_text_never_panics_and_keeps_its_source(text in path_like()) {
        match Path::parse(&text) {
            Ok(path) => {
                prop_assert_eq!(path.source(), text.as_str());
                prop_assert_eq!(&Path::parse(path.source()).unwrap(), &path);
                let found = path.eval_on(&v(r#"[{"a":[1,{"b":null}]},{"a":{"b":1}},2]"#));
                if let (Ok(found), false) = (&found, path.is_definite()) {
                    prop_assert!(found.as_array().is_some());
                }
                let _ = ReferencePath::parse(&text).map(|path| path.set(&v(BOOKS), Value::Null));
            }
            Err(error) => prop_assert!(error.offset <= text.len()),
        }
    }

    /// What is set is found again, and a place that cannot be found is said to be missing.
    #[test]
    fn what_is_set_is_found(names in prop::collection::vec("[a-z '\"\\\\é.-]{1,6}", 1..5)) {
        let text: String = names.iter().map(|name| format!("['{name}']")).collect();
        let Ok(path) = ReferencePath::parse(&format!("${text}")) else { return Ok(()) };
        let made = path.set(&Value::object(), v("[7]")).unwrap();
        prop_assert_eq!(Path::parse(path.source()).unwrap().eval_on(&made), Ok(v("[7]")));
        prop_assert!(Path::parse(path.source()).unwrap().eval_on(&Value::object()).is_err());
    }
}
