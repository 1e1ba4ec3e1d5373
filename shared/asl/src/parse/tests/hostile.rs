//! Definitions from nowhere: the parser always answers, and says where.

use proptest::prelude::*;

use super::*;

/// Definitions of every state type, as material for mutations.
const SEEDS: [&str; 3] = [
    r#"{"Comment":"orders","StartAt":"Validate","TimeoutSeconds":60,"States":{
    "Validate":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"f","Payload":{"id.$":"$.id","all.$":"States.Array($.a, 'x', 1)"}},"ResultSelector":{"v.$":"$.Payload"},"ResultPath":"$.validated","TimeoutSeconds":10,"HeartbeatSeconds":5,"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":2,"BackoffRate":1.5,"JitterStrategy":"FULL"}],"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":null,"Next":"Sorry"}],"Next":"Decide"},
    "Decide":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.n","NumericGreaterThan":1},{"Not":{"Variable":"$.s","StringMatches":"a*"}}],"Next":"Each"},{"Variable":"$$.Execution.Name","IsPresent":true,"Next":"Pause"}],"Default":"Sorry"},
    "Each":{"Type":"Map","ItemsPath":"$.items","ItemSelector":{"i.$":"$$.Map.Item.Value"},"MaxConcurrency":2,"ItemProcessor":{"ProcessorConfig":{"Mode":"INLINE"},"StartAt":"One","States":{"One":{"Type":"Pass","Result":[1],"End":true}}},"Next":"Pause"},
    "Pause":{"Type":"Wait","Timestamp":"2030-01-01T00:00:00Z","Next":"Both"},
    "Both":{"Type":"Parallel","Branches":[{"StartAt":"L","States":{"L":{"Type":"Succeed"}}},{"StartAt":"R","States":{"R":{"Type":"Pass","Assign":{"v.$":"$.x"},"End":true}}}],"End":true},
    "Sorry":{"Type":"Fail","ErrorPath":"$.e","Cause":"no"}}}"#,
    r#"{"QueryLanguage":"JSONata","StartAt":"Set","States":{
    "Set":{"Type":"Pass","Assign":{"total":"{% $sum($states.input.prices) %}"},"Output":{"n":1,"l":["{% $count([1,2]) %}"]},"Next":"Pick"},
    "Pick":{"Type":"Choice","Choices":[{"Condition":"{% $total > 10 %}","Output":"{% $states.input %}","Next":"All"}],"Default":"All"},
    "All":{"Type":"Map","Items":"{% [1..3] %}","ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Arguments":{"Bucket":"b","Key":"k"},"ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"GIVEN","CSVHeaders":["a"],"MaxItems":5}},"ItemBatcher":{"MaxItemsPerBatch":2,"BatchInput":{"x":1}},"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Arguments":{"Bucket":"b"},"WriterConfig":{"OutputType":"JSON","Transformation":"COMPACT"}},"Label":"all","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"Call","States":{"Call":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:s3:getObject","Arguments":"{% $states.input %}","Credentials":{"RoleArn":"{% 'r' %}"},"TimeoutSeconds":"{% 3 %}","Catch":[{"ErrorEquals":["E"],"Output":"{% $states.errorOutput %}","Next":"Done"}],"Next":"Done"},"Done":{"Type":"Succeed"}}},"End":true}}}"#,
    "StartAt: A\nStates:\n  A: &a\n    Type: Pass\n    Parameters: {x.$: $.x, y: [1, 2.5, true]}\n    Next: B\n  B:\n    Type: Wait\n    Seconds: 3\n    End: true\n",
];

/// Texts that a mutation puts somewhere.
const PIECES: [&str; 16] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    "null",
    "-1",
    "1e400",
    "\"States\"",
    "\"{% %}\"",
    "\"$..*\"",
    "\"States.Format('\"",
    "é",
    "{\"Type\":\"Map\"}",
];

/// Every answer is a machine or a finding that refuses; each finding has its words, its place in
/// the text is inside of the text.
fn answered(source: &str, parsed: &Parsed) {
    let refused = parsed.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(parsed.machine.is_none(), refused, "{source}");
    assert!(parsed.diagnostics.len() <= DIAGNOSTICS_MAX);
    for diagnostic in &parsed.diagnostics {
        assert!(!diagnostic.message.is_empty());
        let span = diagnostic.span.expect("a finding has its place");
        assert!(span.start <= span.end && span.end <= source.len(), "{source}: {diagnostic:?}");
        assert!(diagnostic.line_and_column(source).is_some());
    }
}

fn parse_all(source: &str) {
    for format in [Format::Json, Format::Yaml, Format::Auto] {
        let options = Options { format, ..Options::default() };
        answered(source, &parse(source, &options));
        answered(source, &parse_state(source, &options));
    }
    let substituting = Options {
        format: Format::Auto,
        substitutions: Some([("x".to_owned(), 1_i64.into())].into()),
        ..Options::default()
    };
    answered(source, &parse(source, &substituting));
}

#[test]
fn the_seeds_are_machines() {
    for seed in SEEDS {
        check_with(seed, &Options { format: Format::Auto, ..Options::default() }, &[]);
    }
}

#[test]
fn every_cut_is_answered() {
    for seed in SEEDS {
        for end in (0..seed.len()).filter(|end| seed.is_char_boundary(*end)).step_by(7) {
            parse_all(&seed[..end]);
        }
    }
}

#[test]
fn size_and_depth_have_an_end() {
    let parameters = |levels: usize| {
        let deep = format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
        machine(&format!("\"A\": {{\"Type\": \"Pass\", \"End\": true, \"Parameters\": {deep}}}"))
    };
    // Three levels are around the parameters.
    check(&parameters(NESTING_MAX - 3), &[]);
    check(
        &parameters(NESTING_MAX - 2),
        &["TOO_DEEPLY_NESTED: Document nesting depth exceeds the maximum allowed (400) at null"],
    );
    parse_all(&parameters(900));
    let nested = format!("{}{{}}{}", "{\"Not\":".repeat(390), "}".repeat(390));
    parse_all(&machine(&format!("\"A\": {{\"Type\": \"Choice\", \"Choices\": [{nested}]}}")));
    parse_all(&"[".repeat(100_000));
    parse_all(&"{\"a\":".repeat(100_000));
    check(
        &" ".repeat(1_048_577),
        &["SCHEMA_VALIDATION_FAILED: Definition has 1048577 bytes, more than the limit of 1048576 at null"],
    );
}

/// Findings in a large definition neither multiply its size nor are they without end.
#[test]
fn many_findings_are_cut() {
    let states: Vec<String> =
        (0..5_000).map(|i| format!("\"S{i}\": {{\"Type\": \"Pass\", \"Next\": \"{i}\"}}")).collect();
    let parsed = parse(&machine(&states.join(",")), &Options::default());
    assert_eq!(parsed.diagnostics.len(), DIAGNOSTICS_MAX);
    assert!(parsed.machine.is_none());
}

#[derive(Clone, Debug)]
enum Mutation {
    Cut(usize, usize),
    Insert(usize, usize),
    Swap(usize, usize, usize),
    Replace(usize, char),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (0..10_000usize, 1..40usize).prop_map(|(at, len)| Mutation::Cut(at, len)),
        (0..10_000usize, 0..PIECES.len()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (0..10_000usize, 0..10_000usize, 1..30usize).prop_map(|(a, b, len)| Mutation::Swap(a, b, len)),
        (0..10_000usize, any::<char>()).prop_map(|(at, c)| Mutation::Replace(at, c)),
    ]
}

fn mutate(text: &mut Vec<char>, mutation: &Mutation) {
    if text.is_empty() {
        return;
    }
    let chars = text.len();
    let place = |at: usize| at % chars;
    match mutation {
        Mutation::Cut(at, len) => {
            let start = place(*at);
            let end = (start + len).min(text.len());
            text.drain(start..end);
        }
        Mutation::Insert(at, piece) => {
            let at = place(*at);
            text.splice(at..at, PIECES[*piece].chars());
        }
        Mutation::Swap(a, b, len) => {
            for i in 0..*len {
                let (a, b) = (place(a + i), place(b + i));
                text.swap(a, b);
            }
        }
        Mutation::Replace(at, c) => {
            let at = place(*at);
            text[at] = *c;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_text_is_answered(source in "\\PC{0,80}") {
        parse_all(&source);
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        parse_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn mutated_definitions_are_answered(
        seed in 0..SEEDS.len(),
        mutations in proptest::collection::vec(mutation(), 1..6),
    ) {
        let mut text: Vec<char> = SEEDS[seed].chars().collect();
        for mutation in &mutations {
            mutate(&mut text, mutation);
        }
        parse_all(&text.into_iter().collect::<String>());
    }
}
