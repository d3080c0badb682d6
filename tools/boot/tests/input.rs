//! What `boot` says to bad input, before it starts anything long.

use std::fs;
use std::path::{Path, PathBuf};

use liblinux_boot::{Options, boot, list_cases};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn options() -> Options {
    let image = PathBuf::from("/nonexistent/vdso64.so");
    let updated_image = image.clone();
    let kernel = "6.12".into();
    Options { root: root(), image_debug: image.clone(), image, updated_image, kernel, cases: Vec::new() }
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
fn an_unknown_kernel_lists_the_valid_ones() {
    let error = refusal(&Options { kernel: "2.6".into(), ..options() });
    assert!(error.contains("no kernel `2.6`") && error.contains("6.12"), "{error}");
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
