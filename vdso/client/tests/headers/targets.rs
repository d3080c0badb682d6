//! Targets that liblinux is not for: one error that says so, from each header and from the crate.
//! And the headers' licence, which is copied with them.

use crate::compiler::{check, folder, print, run};
use std::path::Path;
use std::process::Command;

/// The headers, by the names under which programs include them.
fn headers() -> Vec<String> {
    let mut names = vec!["liblinux.h".to_owned()];
    for entry in folder("include/liblinux").read_dir().expect("the headers") {
        names.push(format!(
            "liblinux/{}",
            entry.expect("a header").file_name().to_str().expect("ASCII")
        ));
    }
    assert!(names.len() > 8, "{names:?}");
    names
}

#[test]
fn every_header_refuses_other_targets_in_one_line() {
    for header in headers() {
        let program = format!("#include \"{header}\"\n");
        for (compiler, flags) in [
            ("gcc", ["-x", "c", "-m32", "-fsyntax-only"]),
            ("gcc", ["-x", "c", "-mx32", "-fsyntax-only"]),
            ("g++", ["-x", "c++", "-m32", "-fsyntax-only"]),
            // Another architecture, as far as a program can see.
            ("gcc", ["-x", "c", "-U__x86_64__", "-fsyntax-only"]),
        ] {
            let output = run(compiler, &flags, &program);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{header} {flags:?}");
            let complaints: Vec<_> = said
                .lines()
                .filter(|line| line.contains("error:") || line.contains("warning:"))
                .collect();
            assert!(
                matches!(complaints.as_slice(), [one] if one.contains("liblinux is for 64-bit x86-64 Linux programs")),
                "{header} {flags:?}: {said}"
            );
        }
        // And on its own it is whole.
        check("gcc", &["-x", "c"], &program).unwrap_or_else(|why| panic!("{header}: {why}"));
    }
    // The compiler does compile, and its output runs.
    assert_eq!(
        print("gcc", &["-x", "c"], "#include <stdio.h>\nint main(void) { puts(\"x\"); }\n", &[]),
        "x\n"
    );
}

#[test]
fn every_header_has_its_licence() {
    for header in headers() {
        let text = std::fs::read_to_string(folder("include").join(&header)).expect("a header");
        let licensed = text
            .lines()
            .take(2)
            .any(|line| line == "/* SPDX-License-Identifier: GPL-2.0-only OR MIT */");
        assert!(licensed, "{header} does not say its licence in the first two lines");
    }
}

/// The crate's own condition and error, given to the compiler for each target without the rest of
/// the crate, so that no target's library has to be there.
#[test]
fn the_crate_refuses_other_targets() {
    let source = std::fs::read_to_string(folder("src/lib.rs")).expect("the crate");
    let start = source.find("#[cfg(not(all(").expect("the condition");
    let length = source[start..].find(");\n").expect("the end of the error") + 3;
    let scratch = tempfile::tempdir().expect("a folder");
    let file = scratch.path().join("target.rs");
    let alone = format!(
        "#![feature(no_core, rustc_attrs, decl_macro)]\n#![allow(internal_features)]\n#![no_core]\n\
         #[rustc_builtin_macro]\nmacro compile_error($message:expr $(,)?) {{}}\n{}",
        &source[start..start + length]
    );
    std::fs::write(&file, alone).expect("a file");
    let refused = |target: &str| {
        let mut rustc = Command::new("rustc");
        rustc.env("RUSTC_BOOTSTRAP", "1").args([
            "--crate-type=lib",
            "--emit=metadata",
            "--target",
            target,
        ]);
        let output =
            rustc.arg("--out-dir").arg(scratch.path()).arg(&file).output().expect("rustc runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.success(),
            !said.contains("error: liblinux is for"),
            "{target}: {said}"
        );
        !output.status.success()
    };
    for good in [
        "x86_64-unknown-linux-gnu",
        "x86_64-unknown-linux-musl",
        "x86_64-linux-android",
        "x86_64-unknown-none",
    ] {
        assert!(!refused(good), "{good}");
    }
    for wrong in [
        "aarch64-unknown-linux-gnu",
        "i686-unknown-linux-gnu",
        "x86_64-unknown-linux-gnux32",
        "riscv64gc-unknown-linux-gnu",
        "x86_64-unknown-freebsd",
        "x86_64-apple-darwin",
        "x86_64-pc-windows-msvc",
    ] {
        assert!(refused(wrong), "{wrong}");
    }
}

/// The whole crate, for other targets whose library is installed: the error is the only one.
#[test]
fn the_refusal_is_the_only_error() {
    let sysroot =
        Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc runs").stdout;
    let sysroot = String::from_utf8(sysroot).expect("UTF-8");
    for target in ["aarch64-unknown-linux-gnu", "i686-unknown-linux-gnu"] {
        if !Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir() {
            println!(
                "{target}: not looked at; `rustup target add {target}` installs what that takes"
            );
            continue;
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["check", "--offline", "--no-default-features", "--target", target]);
        cargo
            .current_dir(folder(""))
            .arg("--target-dir")
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("targets"));
        let output = cargo.output().expect("cargo runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<_> = said
            .lines()
            .filter(|line| line.starts_with("error") && !line.contains("could not compile"))
            .collect();
        assert!(
            matches!(errors.as_slice(), [one] if one.contains("liblinux is for")),
            "{target}: {said}"
        );
        println!("{target}: one error");
    }
}
