//! The errors of `boot` for bad input, before it starts anything long.

use liblinux_boot::{Options, boot, list_cases};
use liblinux_workspace::{Workspace, line};
use std::fs;
use std::path::PathBuf;

fn root() -> PathBuf {
    Workspace::current().root().to_owned()
}

fn options() -> Options {
    let image = PathBuf::from("/nonexistent/vdso64.so");
    let updated_image = image.clone();
    let line = line::DEFAULT;
    Options {
        root: root(),
        image_debug: image.clone(),
        image,
        updated_image,
        line,
        source: None,
        cases: Vec::new(),
    }
}

fn refusal(options: &Options) -> String {
    format!("{:#}", boot(options).unwrap_err())
}

#[test]
fn an_unknown_case_lists_the_valid_ones() {
    let error = refusal(&Options { cases: vec!["rsut".into()], ..options() });
    assert!(error.contains("no case `rsut`"), "{error}");
    for case in list_cases(&root()).unwrap() {
        assert!(error.contains(&case.name), "{error}");
    }
}

#[test]
fn a_misspelt_key_names_its_file() {
    let root = tempfile::tempdir().unwrap();
    let cases = root.path().join("qemu/cases");
    fs::create_dir_all(&cases).unwrap();
    fs::write(cases.join("odd.toml"), "about = 'x'\nimgae = 'c'\n").unwrap();
    let error = refusal(&Options { root: root.path().to_owned(), ..options() });
    assert!(error.contains("odd.toml") && error.contains("unknown field `imgae`"), "{error}");
}

#[test]
fn a_workspace_without_cases_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("qemu/cases")).unwrap();
    let error = refusal(&Options { root: root.path().to_owned(), ..options() });
    assert!(error.contains("has no case"), "{error}");
}
