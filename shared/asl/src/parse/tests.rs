//! Findings as tables: a definition, then `CODE: message at location` of each. The words are
//! those of the service where its answers are public, and pinned as ours elsewhere.

mod hostile;

use super::*;
use crate::state::{Items, StateKind, WaitUntil};
use crate::template::{Field, Template};

/// A machine around the states, the first of which is `A`.
fn machine(states: &str) -> String {
    format!("{{\"StartAt\": \"A\", \"States\": {{{states}}}}}")
}

fn jsonata(states: &str) -> String {
    format!("{{\"QueryLanguage\": \"JSONata\", \"StartAt\": \"A\", \"States\": {{{states}}}}}")
}

fn check(source: &str, expected: &[&str]) {
    check_with(source, &Options::default(), expected);
}

fn check_with(source: &str, options: &Options, expected: &[&str]) {
    let parsed = parse(source, options);
    let found: Vec<String> = parsed.diagnostics.iter().map(Diagnostic::to_string).collect();
    assert_eq!(found, expected, "{source}");
    let refused = parsed.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(parsed.machine.is_none(), refused, "{source}");
}

const SUCCEED: &str = "\"Z\": {\"Type\": \"Succeed\"}";

#[test]
fn the_top_level() {
    let ok = "\"StartAt\": \"A\", \"States\": {\"A\": {\"Type\": \"Succeed\"}}";
    let table: &[(&str, &[&str])] = &[
        (&format!("{{{ok}, \"Version\": \"1.0\", \"Comment\": \"c\", \"TimeoutSeconds\": 0}}"), &[]),
        ("", &["MISSING_DESCRIPTION: Received a null or empty workflow input. at null"]),
        (" \n", &["SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null"]),
        ("[]", &["SCHEMA_VALIDATION_FAILED: Definition must be a valid JSON object at null"]),
        ("{}", &["SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /"]),
        (
            &format!("{{{ok}, \"startAt\": 1}}"),
            &["SCHEMA_VALIDATION_FAILED: Field 'startAt' is not supported at /"],
        ),
        (
            &format!("{{{ok}, \"Version\": \"2\", \"TimeoutSeconds\": 100000000, \"QueryLanguage\": 5}}"),
            &[
                "SCHEMA_VALIDATION_FAILED: Expected value of type [STRING] at /QueryLanguage",
                "SCHEMA_VALIDATION_FAILED: Value should be one of the following: [1.0] at /Version",
                "SCHEMA_VALIDATION_FAILED: Maximum value is 99999999 at /TimeoutSeconds",
            ],
        ),
        (
            "{\"StartAt\": \"A\", \"States\": {}}",
            &["SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States"],
        ),
        (
            "{\"StartAt\": \"A\", \"States\": {\"A\": 1, \"B\": {}}}",
            &[
                "SCHEMA_VALIDATION_FAILED: Expected value of type Object at /States/A",
                "SCHEMA_VALIDATION_FAILED: These fields are required: [Type] at /States/B",
                "MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B",
            ],
        ),
    ];
    for (source, expected) in table {
        check(source, expected);
    }
}

#[test]
fn syntax_errors_quote_the_source() {
    let parsed = parse("{\"StartAt\" 1}", &Options::default());
    let [finding] = parsed.diagnostics.as_slice() else { panic!("one finding") };
    assert_eq!(finding.code, Code::InvalidJsonDescription);
    assert!(finding.location.as_deref().unwrap().ends_with("line: 1, column: 13]"), "{finding}");
    let place = finding.line_and_column("{\"StartAt\" 1}").unwrap();
    assert_eq!((place.line, place.column), (1, 13));
}

#[test]
fn transitions() {
    let table: &[(&str, &[&str])] = &[
        (
            "\"A\": {\"Type\": \"Pass\", \"Next\": \"C\"}, \"B\": {\"Type\": \"Pass\", \"End\": true}",
            &[
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: C at /States/A/Next",
                "MISSING_TRANSITION_TARGET: State \"B\" is not reachable. at /States/B",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\", \"Next\": \"NOPE\"}",
            &[
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: NOPE at /States/A/Next",
                "MISSING_END_STATE: Workflow has no terminal state at null",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\", \"Next\": \"B\"}, \"B\": {\"Type\": \"Pass\", \"Next\": \"A\"}, \
             \"C\": {\"Type\": \"Pass\", \"Next\": \"A\"}",
            &["MISSING_END_STATE: Workflow has no terminal state at null"],
        ),
        (
            "\"A\": {\"Type\": \"Choice\", \"Choices\": [{\"Variable\": \"$.x\", \"IsPresent\": true, \"Next\": \"P\"}], \
             \"Default\": \"Q\"}, \"Z\": {\"Type\": \"Succeed\"}",
            &[
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: Q at /States/A/Default",
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: P at /States/A/Choices[0]/Next",
                "MISSING_TRANSITION_TARGET: State \"Z\" is not reachable. at /States/Z",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\", \"End\": true, \"Next\": \"Z\"}, \"Z\": {\"Type\": \"Succeed\"}",
            &[
                "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [Next, End] at /States/A",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\"}",
            &[
                "SCHEMA_VALIDATION_FAILED: This object should have only one of the following fields: [Next, End] \
                 at /States/A",
            ],
        ),
        // Only the top level must end: an inner scope may loop.
        (
            "\"A\": {\"Type\": \"Map\", \"End\": true, \"ItemProcessor\": {\"StartAt\": \"B\", \"States\": \
             {\"B\": {\"Type\": \"Pass\", \"Next\": \"B\"}}}}",
            &[],
        ),
        (
            "\"A\": {\"Type\": \"Parallel\", \"End\": true, \"Branches\": [{\"StartAt\": \"X\", \"States\": \
             {\"A\": {\"Type\": \"Succeed\"}}}]}",
            &[
                "DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A/Branches[0]/States/A",
                "MISSING_TRANSITION_TARGET: Missing 'Next' target: X at /States/A/Branches[0]/StartAt",
                "MISSING_TRANSITION_TARGET: State \"A\" is not reachable. at /States/A/Branches[0]/States/A",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Succeed\"}, \"A\": {\"Type\": \"Succeed\"}",
            &["DUPLICATE_STATE_NAME: Duplicate State name: A at /States/A"],
        ),
    ];
    for (states, expected) in table {
        check(&machine(states), expected);
    }
}

#[test]
fn fields_of_a_state() {
    let table: &[(&str, &[&str])] = &[
        (
            "\"A\": {\"Type\": \"Nope\", \"End\": true}",
            &[
                "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, \
                 Succeed, Fail, Choice, Parallel, Map] at /States/A/Type",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\", \"End\": true, \"TimeoutSeconds\": 5, \"Retry\": [], \"Output\": 1}",
            &[
                "SCHEMA_VALIDATION_FAILED: Field 'TimeoutSeconds' is not supported at /States/A",
                "SCHEMA_VALIDATION_FAILED: Field 'Retry' is not supported at /States/A",
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Output' is only \
                 supported for the 'JSONata' QueryLanguage at /States/A",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\", \"QueryLanguage\": \"jsonata\", \"InputPath\": \"$.a\", \"End\": true}",
            &[
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field 'InputPath' is only \
                 supported for the 'JSONPath' QueryLanguage at /States/A",
                "SCHEMA_VALIDATION_FAILED: Value should be one of the following: [JSONPath, JSONata] \
                 at /States/A/QueryLanguage",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Wait\", \"End\": true}",
            &[
                "SCHEMA_VALIDATION_FAILED: This object should have only one of the following fields: [SecondsPath, \
                 Seconds, TimestampPath, Timestamp] at /States/A",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Wait\", \"Seconds\": -1, \"Timestamp\": \"tomorrow\", \"End\": true}",
            &[
                "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [SecondsPath, Seconds, \
                 TimestampPath, Timestamp] at /States/A",
                "SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/A/Seconds",
                "SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp at /States/A/Timestamp",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Wait\", \"Seconds\": \"$.n\", \"End\": true}",
            &[
                "SCHEMA_VALIDATION_FAILED: Expected value of type Integer at /States/A/Seconds",
                "NO_PATH: Field value looks like a path, but field name does not end with 'Path'. at /States/A/Seconds",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\", \"End\": true, \"OutputPath\": \"Test\", \"ResultPath\": \"$.a[*]\"}",
            &[
                "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/ResultPath",
                "SCHEMA_VALIDATION_FAILED: Value must be a valid JSONPath. at /States/A/OutputPath",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Pass\", \"End\": true, \"Parameters\": {\"x.$\": \"foo\", \"y\": \"$.y\"}, \
             \"Result\": [\"$.z\"]}",
            &[
                "SCHEMA_VALIDATION_FAILED: The value for the field 'x.$' must be a valid JSONPath or a valid \
                 intrinsic function call at /States/A/Parameters",
                "NO_DOLLAR: No '.$' on a field that appears to be a JSONPath or Intrinsic Function. \
                 at /States/A/Parameters/y",
                "PASS_RESULT_IS_STATIC: Attempt to use a path in the result of a pass state. at /States/A/Result[0]",
            ],
        ),
        (
            "\"A\": {\"Type\": \"Fail\", \"Error\": \"e\", \"ErrorPath\": \"$.e\", \"CausePath\": \"States.Nope()\"}",
            &[
                "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [Error, ErrorPath] \
                 at /States/A",
                "SCHEMA_VALIDATION_FAILED: Value must be a valid JSONPath or a valid intrinsic function call \
                 at /States/A/CausePath",
            ],
        ),
    ];
    for (states, expected) in table {
        check(&machine(states), expected);
    }
    check(
        &jsonata(
            "\"A\": {\"Type\": \"Pass\", \"QueryLanguage\": \"JSONPath\", \"Output\": 1, \"End\": true}",
        ),
        &[
            "SCHEMA_VALIDATION_FAILED: 'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state \
             machine at /States/A",
        ],
    );
}

#[test]
fn tasks() {
    let task = |fields: &str| machine(&format!("\"A\": {{\"Type\": \"Task\", \"End\": true, {fields}}}"));
    let lambda = "\"Resource\": \"arn:aws:lambda:us-east-1:123456789012:function:f\"";
    let table: &[(&str, &[&str])] = &[
        (lambda, &[]),
        (
            "\"Comment\": \"\"",
            &["SCHEMA_VALIDATION_FAILED: These fields are required: [Resource] at /States/A"],
        ),
        (
            "\"Resource\": \"${Function}\"",
            &["SCHEMA_VALIDATION_FAILED: Value is not a valid resource ARN at /States/A/Resource"],
        ),
        (
            "\"Resource\": \"arn:aws:states:::sqs:sendMessage\"",
            &["SCHEMA_VALIDATION_FAILED: Parameters field is required for resource ARN: \
                 arn:aws:states:::sqs:sendMessage at /States/A"],
        ),
        (
            "\"Resource\": \"arn:aws:states:::sqs:sendMessage\", \"Parameters\": {\"QueueUrl.$\": \"$.q\"}",
            &["SCHEMA_VALIDATION_FAILED: The field 'MessageBody' is required but was missing \
                 at /States/A/Parameters"],
        ),
        (
            &format!(
                "{lambda}, \"TimeoutSeconds\": 5, \"HeartbeatSeconds\": 5, \"TimeoutSecondsPath\": \"$.t\""
            ),
            &[
                "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [TimeoutSeconds, \
                 TimeoutSecondsPath] at /States/A",
            ],
        ),
        (
            &format!("{lambda}, \"TimeoutSeconds\": 5, \"HeartbeatSeconds\": 5"),
            &["SCHEMA_VALIDATION_FAILED: HeartbeatSeconds must be smaller than TimeoutSeconds at /States/A"],
        ),
        (
            "\"Resource\": \"arn:aws:states:us-east-1:123456789012:activity:a\", \"Credentials\": {\"RoleArn\": \"r\"}",
            &["SCHEMA_VALIDATION_FAILED: The field 'Credentials' is not supported for activities \
                 at /States/A/Credentials"],
        ),
        (
            &format!(
                "{lambda}, \"Retry\": [{{\"ErrorEquals\": [\"States.ALL\", \"E\"], \"MaxAttempts\": -1, \
                 \"BackoffRate\": 0.5, \"JitterStrategy\": \"SOME\"}}, {{\"ErrorEquals\": [], \"Next\": \"A\"}}, {{}}]"
            ),
            &[
                "SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and at end of list \
                 at /States/A/Retry[0]/ErrorEquals",
                "SCHEMA_VALIDATION_FAILED: Minimum value is 0 at /States/A/Retry[0]/MaxAttempts",
                "SCHEMA_VALIDATION_FAILED: Minimum value is 1.0 at /States/A/Retry[0]/BackoffRate",
                "SCHEMA_VALIDATION_FAILED: Value should be one of the following: [NONE, FULL] \
                 at /States/A/Retry[0]/JitterStrategy",
                "SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported at /States/A/Retry[1]",
                "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/A/Retry[1]/ErrorEquals",
                "SCHEMA_VALIDATION_FAILED: These fields are required: [ErrorEquals] at /States/A/Retry[2]",
            ],
        ),
        (
            &format!("{lambda}, \"Catch\": [{{\"ErrorEquals\": [\"E\"], \"ResultPath\": \"x\"}}]"),
            &[
                "SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /States/A/Catch[0]",
                "SCHEMA_VALIDATION_FAILED: Value must be a valid JSONPath. at /States/A/Catch[0]/ResultPath",
            ],
        ),
    ];
    for (fields, expected) in table {
        check(&task(fields), expected);
    }
}

#[test]
fn express_machines_support_less() {
    let express = Options { machine_type: StateMachineType::Express, ..Options::default() };
    let source = machine(
        "\"A\": {\"Type\": \"Map\", \"End\": true, \"ItemProcessor\": {\"ProcessorConfig\": {\"Mode\": \
         \"DISTRIBUTED\", \"ExecutionType\": \"STANDARD\"}, \"StartAt\": \"B\", \"States\": {\"B\": {\"Type\": \
         \"Succeed\"}}}}",
    );
    check(&source, &[]);
    check_with(
        &source,
        &express,
        &[
            "SCHEMA_VALIDATION_FAILED: The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' \
             state machines at /States/A/ItemProcessor/ProcessorConfig/Mode",
        ],
    );
    // The children of a distributed Map may be Express inside of a Standard machine.
    let child = machine(
        "\"A\": {\"Type\": \"Map\", \"End\": true, \"ItemProcessor\": {\"ProcessorConfig\": {\"Mode\": \
         \"DISTRIBUTED\", \"ExecutionType\": \"EXPRESS\"}, \"StartAt\": \"B\", \"States\": {\"B\": {\"Type\": \
         \"Task\", \"End\": true, \"Resource\": \"arn:aws:states:us-east-1:123456789012:activity:a\"}}}}",
    );
    check(
        &child,
        &["SCHEMA_VALIDATION_FAILED: Express state machine does not support Activity ARN \
             at /States/A/ItemProcessor/States/B/Resource"],
    );
}

#[test]
fn choices() {
    let choice = |rule: &str| {
        machine(&format!(
            "\"A\": {{\"Type\": \"Choice\", \"Choices\": [{rule}], \"Default\": \"Z\"}}, {SUCCEED}"
        ))
    };
    let table: &[(&str, &[&str])] = &[
        (
            "{\"And\": [{\"Variable\": \"$.x\", \"IsNull\": true}, {\"Not\": {\"Variable\": \"$v\", \
             \"NumericLessThanPath\": \"$$.Map.Item.Index\"}}], \"Next\": \"Z\"}",
            &[],
        ),
        ("", &["SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/A/Choices"]),
        (
            "{\"Next\": \"Z\"}",
            &[
                "SCHEMA_VALIDATION_FAILED: The object must have only one of the following fields, [And, Or, Not, \
                 Variable, Condition] at /States/A/Choices[0]",
            ],
        ),
        (
            "{\"Not\": {\"Variable\": \"x\", \"IsNull\": \"yes\", \"Next\": \"Z\"}}",
            &[
                "SCHEMA_VALIDATION_FAILED: These fields are required: [Next] at /States/A/Choices[0]",
                "SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported at /States/A/Choices[0]/Not",
                "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path: Reference path didn't start with '$' \
                 at /States/A/Choices[0]/Not/Variable",
                "SCHEMA_VALIDATION_FAILED: Expected value of type Boolean at /States/A/Choices[0]/Not/IsNull",
            ],
        ),
        (
            "{\"Condition\": true, \"Next\": \"Z\"}",
            &[
                "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Condition' is only \
                 supported for the 'JSONata' QueryLanguage at /States/A/Choices[0]",
                "SCHEMA_VALIDATION_FAILED: The object must have only one of the following fields, [And, Or, Not, \
                 Variable, Condition] at /States/A/Choices[0]",
            ],
        ),
        (
            "{\"Variable\": \"$.t\", \"TimestampEquals\": \"noon\", \"Next\": \"Z\"}",
            &["SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp \
                 at /States/A/Choices[0]/TimestampEquals"],
        ),
    ];
    for (rule, expected) in table {
        check(&choice(rule), expected);
    }
}

#[test]
fn maps() {
    let processor = "\"ItemProcessor\": {\"StartAt\": \"B\", \"States\": {\"B\": {\"Type\": \"Succeed\"}}}";
    let map = |fields: &str| machine(&format!("\"A\": {{\"Type\": \"Map\", \"End\": true, {fields}}}"));
    let reader = |config: &str| {
        format!(
            "{processor}, \"ItemReader\": {{\"Resource\": \"arn:aws:states:::s3:getObject\", \"ReaderConfig\": \
             {{{config}}}}}"
        )
    };
    let table: &[(String, &[&str])] = &[
        (processor.to_owned(), &[]),
        (
            "\"Comment\": \"\"".to_owned(),
            &[
                "SCHEMA_VALIDATION_FAILED: This object should have only one of the following fields: \
                 [ItemProcessor, Iterator] at /States/A",
            ],
        ),
        (
            "\"Iterator\": {\"QueryLanguage\": \"JSONata\", \"StartAt\": \"B\", \"States\": {\"B\": {\"Type\": \
             \"Succeed\"}}}"
                .to_owned(),
            &["SCHEMA_VALIDATION_FAILED: Field 'QueryLanguage' is not supported at /States/A/Iterator"],
        ),
        (
            format!("{processor}, \"MaxConcurrencyPath\": \"$$.x\", \"ToleratedFailurePercentage\": 101"),
            &[
                "SCHEMA_VALIDATION_FAILED: Value is not a Reference Path at /States/A/MaxConcurrencyPath",
                "SCHEMA_VALIDATION_FAILED: Maximum value is 100.0 at /States/A/ToleratedFailurePercentage",
            ],
        ),
        (
            reader("\"InputType\": \"CSV\", \"MaxItems\": 1, \"MaxItemsPath\": \"$.n\""),
            &[
                "SCHEMA_VALIDATION_FAILED: The field 'CSVHeaderLocation' is required \
                 at /States/A/ItemReader/ReaderConfig",
                "SCHEMA_VALIDATION_FAILED: There should only be one of the following fields: [MaxItems, \
                 MaxItemsPath] at /States/A/ItemReader/ReaderConfig",
            ],
        ),
        (
            reader("\"CSVHeaderLocation\": \"GIVEN\", \"InputType\": \"XML\""),
            &[
                "SCHEMA_VALIDATION_FAILED: Value should be one of the following: [CSV, JSON, JSONL, PARQUET, \
                 MANIFEST] at /States/A/ItemReader/ReaderConfig/InputType",
                "SCHEMA_VALIDATION_FAILED: These fields are required: [CSVHeaders] \
                 at /States/A/ItemReader/ReaderConfig",
            ],
        ),
        (
            format!("{processor}, \"ResultWriter\": {{}}, \"Label\": \"a b\""),
            &[
                "INVALID_LABEL_NAME: Label name 'a b' has ' ' (U+0020) at position 2, where no white space may stand \
                 at /States/A/Label",
                "SCHEMA_VALIDATION_FAILED: Value cannot be empty at /States/A/ResultWriter",
            ],
        ),
    ];
    for (fields, expected) in table {
        check(&map(fields), expected);
    }
}

#[test]
fn jsonata_expressions() {
    let pass = |output: &str| {
        jsonata(&format!("\"A\": {{\"Type\": \"Pass\", \"End\": true, \"Output\": {output}}}"))
    };
    let table: &[(&str, &[&str])] = &[
        ("\"{% $states.input %}\"", &[]),
        ("\" {% a literal, for it has outer spaces %} \"", &[]),
        (
            "{\"v\": \"{% 1\"}",
            &[
                "SCHEMA_VALIDATION_FAILED: JSONata string must start with {% and end with %} at /States/A/Output/v",
            ],
        ),
        (
            "[\"{% $states.errorOutput %}\", \"{% $states.result %}\"]",
            &[
                "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.errorOutput' does not exist. at /States/A/Output[0]",
                "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.result' does not exist. at /States/A/Output[1]",
            ],
        ),
    ];
    for (output, expected) in table {
        check(&pass(output), expected);
    }
    let refused = |output: &str| {
        let parsed = parse(&pass(output), &Options::default());
        assert_eq!(parsed.diagnostics.len(), 1, "{output}");
        assert_eq!(parsed.diagnostics[0].location.as_deref(), Some("/States/A/Output/v"), "{output}");
        parsed.diagnostics[0].code
    };
    assert_eq!(refused("{\"v\": \"{% 1 + %}\"}"), Code::InvalidJsonataExpression);
    assert_eq!(refused("{\"v\": \"{% phone %}\"}"), Code::UnsupportedJsonataExpression);
}

#[test]
fn variables() {
    let pass = |assign: &str, more: &str| {
        machine(&format!("\"A\": {{\"Type\": \"Pass\", \"Assign\": {assign}, {more}}}, {SUCCEED}"))
    };
    let next = "\"Next\": \"Z\"";
    check(&pass("{\"a1\": 1, \"größe.$\": \"$.x\"}", next), &[]);
    check(
        &pass("{\"states\": 1, \"a-b\": 2}", next),
        &[
            "RESERVED_VARIABLE_NAME: Cannot assign to reserved variable '$states'. at /States/A/Assign/states",
            "INVALID_VARIABLE_NAME: Invalid variable name 'a-b': the variable name contains invalid characters. \
             at /States/A/Assign/a-b",
        ],
    );
    let inner = |catch: &str, config: &str| {
        format!(
            "\"P\": {{\"Type\": \"Map\", \"Next\": \"Z\", {catch} \"ItemProcessor\": {{{config} \"StartAt\": \"B\", \
             \"States\": {{\"B\": {{\"Type\": \"Pass\", \"Assign\": {{\"v\": 1}}, \"End\": true}}}}}}}}, {SUCCEED}"
        )
    };
    let before = "\"A\": {\"Type\": \"Pass\", \"Assign\": {\"v\": 0}, \"Next\": \"P\"}, ";
    check(
        &machine(&format!("{before}{}", inner("", ""))),
        &["SCHEMA_VALIDATION_FAILED: Variable 'v' is already assigned in an outer scope \
             at /States/P/ItemProcessor/States/B/Assign/v"],
    );
    // A distributed Map sees no variables from outside.
    let config = "\"ProcessorConfig\": {\"Mode\": \"DISTRIBUTED\", \"ExecutionType\": \"STANDARD\"},";
    check(&machine(&format!("{before}{}", inner("", config))), &[]);
    // What is assigned when the inner scope is over is no conflict.
    let catch = "\"Catch\": [{\"ErrorEquals\": [\"E\"], \"Assign\": {\"v\": 2}, \"Next\": \"Z\"}],";
    check(&machine(&inner(catch, "")).replace("\"StartAt\": \"A\"", "\"StartAt\": \"P\""), &[]);
}

#[test]
fn nesting_has_an_end() {
    let mut states = "\"S\": {\"Type\": \"Succeed\"}".to_owned();
    for depth in 0..40 {
        let start = if depth == 0 { "S".to_owned() } else { format!("M{}", depth - 1) };
        states = format!(
            "\"M{depth}\": {{\"Type\": \"Map\", \"End\": true, \"ItemProcessor\": {{\"StartAt\": \"{start}\", \
             \"States\": {{{states}}}}}}}"
        );
    }
    let source = machine(&states).replace("\"StartAt\": \"A\"", "\"StartAt\": \"M39\"");
    let parsed = parse(&source, &Options::default());
    let codes: Vec<Code> = parsed.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::TooDeeplyNested]);
}

#[test]
fn a_machine_has_everything_typed() {
    let source = jsonata(
        "\"A\": {\"Type\": \"Map\", \"Items\": [1, \"{% 2 %}\"], \"Next\": \"W\", \"ItemProcessor\": {\"StartAt\": \
         \"B\", \"States\": {\"B\": {\"Type\": \"Pass\", \"Output\": {\"fixed\": [1, {\"a\": null}], \"made\": \
         \"{% $states.input %}\"}, \"End\": true}}}}, \"W\": {\"Type\": \"Wait\", \"Seconds\": \"{% 1 %}\", \"End\": true}",
    );
    let machine = parse(&source, &Options::default()).machine.unwrap();
    assert_eq!((machine.scopes.len(), machine.states.len()), (2, 3));
    let state = |name: &str| machine.state(machine.state_named(name).unwrap());
    let StateKind::Map(map) = &state("A").kind else { panic!("a Map") };
    assert!(matches!(&map.items, Items::Template(Template::Array(items)) if items.len() == 2));
    let StateKind::Pass(pass) = &state("B").kind else { panic!("a Pass") };
    let Some(Template::Object(members)) = &pass.flow.output else {
        panic!("an object with something to compute")
    };
    assert!(matches!(&members[0].1, Template::Static(value) if value.to_json() == "[1,{\"a\":null}]"));
    assert!(matches!(&members[1].1, Template::Query(_)));
    assert!(
        matches!(&state("W").kind, StateKind::Wait(wait) if matches!(wait.until, WaitUntil::Seconds(Field::Query(_))))
    );
    let place = &state("B").place;
    assert_eq!(place.location, "/States/A/ItemProcessor/States/B");
    assert!(source[place.span.start..place.span.end].starts_with("{\"Type\": \"Pass\""));
}

#[test]
fn one_state_leads_to_placeholders() {
    let parsed = parse_state("{\"Type\": \"Pass\", \"Next\": \"Elsewhere\"}", &Options::default());
    let machine = parsed.machine.unwrap();
    assert_eq!(machine.state(machine.scope(Machine::ROOT).start_at).name, SINGLE_STATE_NAME);
    let elsewhere = machine.state_named("Elsewhere").unwrap();
    assert!(matches!(machine.state(elsewhere).kind, StateKind::Succeed(_)));
    let empty = parse_state("{\"Type\": \"Parallel\", \"Branches\": [], \"End\": true}", &Options::default());
    assert_eq!(
        empty.refusal().unwrap(),
        "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Value cannot be empty at \
         /States/StateName/Branches'"
    );
}

#[test]
fn yaml_and_substitutions() {
    let source = "StartAt: A\nStates:\n  A:\n    Type: Wait\n    Seconds: ${Pause}\n    Next: ${Nope}\n";
    let options = Options {
        format: Format::Auto,
        substitutions: Some([("Pause".to_owned(), 5_i64.into())].into()),
        ..Options::default()
    };
    let parsed = parse(source, &options);
    let finding = &parsed.diagnostics[0];
    assert_eq!(
        finding.to_string(),
        "SCHEMA_VALIDATION_FAILED: ${Nope} is not among the substitutions at /States/A/Next"
    );
    let place = finding.line_and_column(source).unwrap();
    assert_eq!((place.line, place.column), (6, 11));
    check_with(&source.replace("Next: ${Nope}", "End: true"), &options, &[]);
}
