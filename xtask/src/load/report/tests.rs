//! Results as files and as text, and the schema that describes them.

use serde_json::Value;

use super::*;
use crate::load::fixture;

/// What of JSON Schema our schema uses: `$ref` to `$defs`, `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`,
/// `minimum`. Anything else in it is a mistake of the schema, told here.
fn validate(root: &Value, schema: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else { return };
    for (rule, wanted) in rules {
        let good = match rule.as_str() {
            "$schema" | "$id" | "title" | "description" | "$defs" | "additionalProperties" => true,
            "$ref" => {
                let name = wanted.as_str().and_then(|text| text.strip_prefix("#/$defs/")).unwrap();
                validate(root, &root["$defs"][name], value, path, wrong);
                true
            }
            "type" => types(wanted).iter().any(|name| is_a(value, name)),
            "enum" => wanted.as_array().unwrap().contains(value),
            "const" => wanted == value,
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "required" => {
                wanted.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some())
            }
            "properties" => {
                for (key, schema) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        validate(root, schema, value, &format!("{path}/{key}"), wrong);
                    }
                }
                let closed = rules.get("additionalProperties") == Some(&Value::Bool(false));
                let known = |key: &String| wanted.get(key).is_some();
                !closed || value.as_object().is_none_or(|object| object.keys().all(known))
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(root, wanted, item, &format!("{path}/{index}"), wrong);
                }
                true
            }
            _ => panic!("the schema uses {rule}, which is not checked here"),
        };
        if !good {
            wrong.push(format!("{path}: {rule} {wanted} does not hold for {}", short(value)));
        }
    }
}

fn types(wanted: &Value) -> Vec<&str> {
    match wanted {
        Value::String(one) => vec![one],
        several => several.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect(),
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("no type is called {name}"),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../schema/loadtest.schema.json")).unwrap()
}

#[track_caller]
fn mistakes(document: &Value) -> Vec<String> {
    let schema = schema();
    let mut wrong = Vec::new();
    validate(&schema, &schema, document, "", &mut wrong);
    wrong
}

fn document() -> Value {
    let report = Report::new(None, vec![fixture::outcome(), fixture::outcome()]);
    let verdicts = judge(&asserts::parse("p99<2ms").unwrap()[0], &report.subjects());
    serde_json::from_str(&json::json(&report, &verdicts).unwrap()).unwrap()
}

#[test]
fn a_full_result_is_as_the_schema_says() {
    assert_eq!(mistakes(&document()), Vec::<String>::new());
}

#[test]
fn the_schema_notices_what_is_wrong() {
    let changed = |change: fn(&mut Value)| {
        let mut document = document();
        change(&mut document);
        mistakes(&document).len()
    };
    assert_eq!(changed(|d| d["format"] = 1.into()), 1);
    assert_eq!(changed(|d| d["results"][0]["checks"]["lost"] = (-1).into()), 1);
    assert_eq!(changed(|d| d["results"][1]["series"][3]["p50_us"] = "fast".into()), 1);
    assert_eq!(changed(|d| _ = d["results"][0].as_object_mut().unwrap().remove("latency")), 1);
    assert_eq!(changed(|d| d["results"][0]["invented"] = 1.into()), 1);
    assert_eq!(changed(|d| _ = d.as_object_mut().unwrap().remove("host")), 1);
}

#[track_caller]
fn verdicts(text: &str, change: fn(&mut Outcome)) -> Vec<(Option<f64>, bool)> {
    let mut changed = fixture::outcome();
    change(&mut changed);
    let mut relay = fixture::outcome();
    relay.peer = "relay".to_owned();
    relay.checks.lost = 1_000;
    let report = Report::new(None, vec![fixture::outcome(), changed, fixture::outcome(), relay]);
    let checks = asserts::parse(text).unwrap();
    let found = checks.iter().flat_map(|check| judge(check, &report.subjects()));
    found.map(|verdict| (verdict.value, verdict.holds)).collect()
}

#[test]
fn assertions_are_about_the_broker_and_not_its_yardstick() {
    assert_eq!(verdicts("lost==0", |_| {}), [(Some(0.0), true)]);
}

#[test]
fn times_are_medians_and_counts_are_those_of_each_run() {
    let slow = |outcome: &mut Outcome| outcome.latency.as_mut().unwrap().p99_us = 1e6;
    assert!(verdicts("p99<500ms", slow)[0].1);
    assert_eq!(verdicts("lost==0", |outcome| outcome.checks.lost = 7), [(Some(7.0), false)]);
}

#[test]
fn what_was_not_measured_does_not_hold() {
    assert_eq!(verdicts("join_time<1", |_| {}), [(None, false)]);
}

#[test]
fn one_run_is_shown_in_full_within_80_columns() {
    let text = text::text(&Report::new(None, vec![fixture::outcome()]), &[], Some(80));
    for wanted in [
        "from intended",
        "from sent (raw)",
        "p99.99",
        "skipped",
        "Nothing lost",
        "connects  ",
        "generator late by",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in\n{text}");
    }
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= 80, "{longest} columns:\n{text}");
}

#[test]
fn several_runs_are_one_table() {
    let mut bad = fixture::outcome();
    bad.checks.lost = 3;
    bad.limited_by_generator = Some("it was late".to_owned());
    let text = text::text(&Report::new(None, vec![fixture::outcome(), bad]), &[], Some(80));
    assert!(text.contains("NO") && text.contains("run 2") && text.contains("3 lost"), "{text}");
    assert!(text.contains("the generator was the limit: it was late"), "{text}");
    let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(longest <= 80, "{longest} columns:\n{text}");
}

#[test]
fn arguments_are_quoted_where_a_shell_needs_it() {
    for (arg, want) in [("--size", "--size"), ("p99<2ms", "'p99<2ms'"), ("", "''"), ("a'b", "'a'\\''b'")] {
        assert_eq!(quoted(arg.to_owned()), want);
    }
}

#[test]
fn files_without_a_directory_are_refused_before_anything_runs() {
    let args = OutputArgs { json: Some("/no/such/place/x.json".into()), ..OutputArgs::default() };
    assert!(args.prepare().unwrap_err().to_string().contains("no such directory"));
    let args = OutputArgs { asserts: vec!["p98<1ms".to_owned()], ..OutputArgs::default() };
    assert!(format!("{:#}", args.prepare().unwrap_err()).contains("did you mean p9"));
    let args = OutputArgs { baseline: Some("never-saved".to_owned()), ..OutputArgs::default() };
    assert!(args.prepare().unwrap_err().to_string().contains("no baseline is called never-saved"));
}
