//! The models' own cases of endpoints.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, in its helpers too")]

use std::path::Path;

use aws_wire::catalog::{Service, catalog};
use aws_wire::endpoint::{Endpoint, Parameters, Scheme, resolve};
use serde_json::Value;

const LEFT_OUT: [(&str, &str); 1] =
    [("sms-voice", "it has the name of pinpoint-sms-voice, which is the one that Step Functions knows")];

/// The cases call services as botocore does.
fn service(name: &str) -> Option<&'static Service> {
    let manifest = include_str!("../../shared/aws-wire/catalog/sdk-catalog.txt");
    let line = manifest.lines().find(|line| line.split(' ').nth(1) == Some(name))?;
    catalog().service(line.split(' ').next()?)
}

fn parameters(case: &Value) -> Parameters {
    let mut parameters = Parameters::default();
    for (name, value) in case["params"].as_object().unwrap() {
        let name = name.clone();
        match value {
            Value::String(text) => parameters.text(name, text.as_str()),
            Value::Bool(boolean) => parameters.boolean(name, *boolean),
            Value::Array(texts) => {
                parameters.texts(name, texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect())
            }
            other => panic!("{other} is no parameter"),
        };
    }
    parameters
}

fn expected(case: &Value) -> Result<Endpoint, String> {
    if let Some(error) = case["error"].as_str() {
        return Err(error.to_owned());
    }
    let text = |of: &Value, name: &str| of[name].as_str().map(str::to_owned);
    let schemes = case["auth"].as_array().into_iter().flatten().map(|scheme| Scheme {
        name: text(scheme, "name").unwrap_or_default(),
        signing_name: text(scheme, "signingName"),
        signing_region: text(scheme, "signingRegion"),
        disable_double_encoding: scheme["disableDoubleEncoding"] == true,
    });
    let headers = case["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, values)| (name.clone(), values[0].as_str().unwrap().to_owned()));
    Ok(Endpoint { url: text(case, "url").unwrap(), schemes: schemes.collect(), headers: headers.collect() })
}

#[test]
fn endpoints_are_where_the_models_say() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/aws-protocol-tests/endpoints.json");
    let Ok(text) = std::fs::read(&data) else {
        println!("skipped: there are no cases at {}", data.display());
        return;
    };
    let cases: Value = serde_json::from_slice(&text).unwrap();
    let (mut passed, mut with_false, mut left_out, mut failed) = (0, 0, 0, Vec::new());
    for (name, cases) in cases.as_object().unwrap() {
        for (number, case) in cases.as_array().unwrap().iter().enumerate() {
            let Some(service) = service(name) else {
                assert!(LEFT_OUT.iter().any(|(service, _)| service == name), "there is no service {name}");
                left_out += 1;
                continue;
            };
            let (mut parameters, expected) = (parameters(case), expected(case));
            let mut found = resolve(catalog(), service, &parameters);
            if found != expected && case["params"].get("UseArnRegion").is_none() {
                // The data leave out what is false, which for this one is not the same as absent.
                parameters.boolean("UseArnRegion", false);
                found = resolve(catalog(), service, &parameters);
                with_false += 1;
            }
            if found == expected {
                passed += 1;
            } else {
                failed.push(format!("{name} {number} {}: {found:?} instead of {expected:?}", case["params"]));
            }
        }
    }
    for (service, reason) in LEFT_OUT {
        println!("left out: {service}: {reason}");
    }
    println!(
        "{passed} passed ({with_false} with UseArnRegion false), {} failed, {left_out} left out",
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(passed > 7_700);
}
