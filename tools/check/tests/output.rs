//! What programs read: JSON by its schema, SARIF, JUnit; and the options that judge nothing.

#[path = "specimen/mod.rs"]
mod specimen;

use serde_json::Value;
use specimen::Specimen;
use std::path::Path;
use std::process::Command;

const SCHEMA: &str = include_str!("../report.schema.json");

/// Exit status and standard output.
fn run(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_liblinux-check"))
        .args(arguments)
        .output()
        .expect("the checker runs");
    let text = String::from_utf8(output.stdout).expect("text");
    (output.status.code().expect("no signal"), text)
}

/// Runs the checker on an image whose dynamic table is writable and whose SONAME is hostile.
fn run_on_broken(format: &str) -> (i32, String) {
    let mut broken = Specimen::good().image;
    broken.put32(broken.segment(2) + specimen::segment::FLAGS, 6);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a<b&\x1b.so");
    std::fs::write(&path, broken.bytes).expect("write the image");
    run(&["--format", format, path.to_str().expect("text")])
}

/// Whether a value is as a schema says: types, required fields, constants, choices, items.
fn matches(schema: &Value, root: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#')).ok_or("no such definition")?;
        return matches(target, root, value);
    }
    let wrong = |what: &str| Err(format!("{value} {what}"));
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if schema.get("type").is_some_and(|wanted| wanted != kind) {
        return wrong("has another type");
    }
    if schema.get("const").is_some_and(|wanted| wanted != value) {
        return wrong("is another constant");
    }
    if let Some(Value::Array(choices)) = schema.get("enum")
        && !choices.contains(value)
    {
        return wrong("is none of the choices");
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, field) in value.as_object().into_iter().flatten() {
        let known = properties.and_then(|known| known.get(name));
        matches(known.ok_or(format!("{name} is not in the schema"))?, root, field)?;
    }
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if value.get(name.as_str().unwrap_or_default()).is_none() {
            return wrong(&format!("lacks {name}"));
        }
    }
    let mut items = value.as_array().into_iter().flatten();
    items.try_for_each(|item| matches(&schema["items"], root, item))
}

#[test]
fn json_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let (status, text) = run_on_broken("json");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(matches(&schema, &schema, &report), Ok(()));
    assert_eq!((status, &report["images"][0]["good"]), (1, &Value::Bool(false)));
    let findings = report["images"][0]["findings"].as_array().expect("findings");
    // The writable table is one cause; that its flags are not R is a consequence.
    let finding = &findings[0];
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        (&finding["rule"], &finding["severity"]),
        (&"read-only-dynamic".into(), &"error".into())
    );
    assert_eq!(finding["consequences"][0]["rule"], "segment-fields");
    // A report that differs from the schema is seen.
    let mut other = report.clone();
    other["images"][0]["findings"][0]["severity"] = "fatal".into();
    assert!(matches(&schema, &schema, &other).is_err());
    other = report;
    other["images"][0].as_object_mut().expect("an object").remove("profile");
    assert!(matches(&schema, &schema, &other).is_err());
}

#[test]
fn sarif_names_rule_level_and_file() {
    let (status, text) = run_on_broken("sarif");
    let log: Value = serde_json::from_str(&text).expect("JSON");
    let result = &log["runs"][0]["results"][0];
    assert_eq!((status, &log["version"], &result["level"]), (1, &"2.1.0".into(), &"error".into()));
    let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert!(place.as_str().expect("a path").ends_with("a%3Cb%26%1B.so"), "{place}");
    let known = log["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    assert!(known.iter().any(|rule| rule["id"] == result["ruleId"]));
}

#[test]
fn junit_counts_failures_and_escapes_names() {
    let (_, text) = run_on_broken("junit");
    assert!(text.contains("a&lt;b&amp;\\u{1b}.so"), "{text}");
    // Two rules about the dynamic table, and those of glibc and of two unwinders under it.
    assert!(text.contains("failures=\"5\""), "{text}");
    let cases = text.matches("<testcase ").count();
    assert!(text.contains(&format!("tests=\"{cases}\"")), "{cases} cases: {text}");
    assert_eq!(text.matches("<failure ").count(), 5);
}

#[test]
fn rules_are_listed_and_explained() {
    let (status, text) = run(&["--list"]);
    assert_eq!(status, 0);
    for (rule, _) in liblinux_check::rules() {
        assert!(text.contains(rule.name), "{} is not listed", rule.name);
        let (status, text) = run(&["--explain", rule.name]);
        assert!(status == 0 && text.contains(rule.because), "{text}");
    }
    assert_eq!(run(&["--explain", "no-such-rule"]).0, 2);
}

#[test]
fn the_picture_shows_sections_and_exports() {
    let directory = tempfile::tempdir().expect("a directory");
    let picture = directory.path().join("layout.svg");
    let image = specimen::path();
    let (status, _) =
        run(&["--svg", picture.to_str().expect("text"), image.to_str().expect("text")]);
    let svg = std::fs::read_to_string(&picture).expect("the picture");
    assert_eq!(status, 0);
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains(" .text</text>") && svg.contains(" __vdso_read</text>"));
}

#[test]
fn a_profile_changes_what_is_judged() {
    let path = specimen::path();
    let image = path.to_str().expect("text");
    let (status, text) = run(&["--profile", "any", "--format", "json", image]);
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((status, &report["images"][0]["profile"]), (0, &"any".into()), "{text}");
    assert!(report["images"][0]["rules"].as_u64() < Some(100));
    assert_eq!(run(&["--profile", "no-such-profile", image]).0, 2);
    assert!(Path::new(image).exists());
}
