//! The command line on good, bad and absent files.

#[path = "specimen/mod.rs"]
mod specimen;

use specimen::Specimen;
use std::path::Path;
use std::process::Command;

/// Exit status, standard output, standard error.
fn run(arguments: &[&Path]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_liblinux-check"))
        .args(arguments)
        .output()
        .expect("the checker runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("no signal"), text(&output.stdout), text(&output.stderr))
}

/// Runs the checker on a file of these bytes.
fn run_on(bytes: &[u8]) -> (i32, String, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vdso64.so");
    std::fs::write(&path, bytes).expect("write the file");
    run(&[&path])
}

#[test]
fn good_image() {
    let directory = tempfile::tempdir().expect("a directory");
    let lock = directory.path().join("vdso.abi");
    std::fs::write(&lock, Specimen::good().lock.to_string()).expect("write the lock");
    let (status, out, err) = run(&[&specimen::path(), Path::new("--lock"), &lock]);
    assert_eq!((status, err.as_str()), (0, ""), "{out}");
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.contains("0 refused, 0 not judged"), "{out}");
}

#[test]
fn verbose_lists_what_holds() {
    let (status, out, _) = run(&[&specimen::path(), Path::new("--verbose")]);
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("holds: one-load\n"), "{out}");
    assert!(out.contains("not judged: abi-lock"), "{out}");
}

#[test]
fn without_the_unstripped_image_rules_are_visibly_not_judged() {
    let (status, out, _) = run_on(&Specimen::good().image.bytes);
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("not judged: syscall-sites: there is no unstripped image (FILE.dbg)"), "{out}");
}

#[test]
fn refusal_says_what_why_and_what_to_do() {
    let mut broken = Specimen::good();
    broken.image.put32(broken.image.segment(2) + specimen::segment::FLAGS, 6);
    let (status, out, _) = run_on(&broken.image.bytes);
    assert_eq!(status, 1, "{out}");
    for part in ["refused: read-only-dynamic: the PT_DYNAMIC is writable", "because glibc", "to do: give"] {
        assert!(out.contains(part), "{part:?} is missing in {out}");
    }
}

#[test]
fn readable_but_foreign_files_are_refused() {
    let good = Specimen::good().image;
    let with = |change: fn(&mut specimen::File)| {
        let mut file = good.clone();
        change(&mut file);
        run_on(&file.bytes)
    };
    for (what, (status, out, _)) in [
        ("the class is 1", with(|file| file.bytes[4] = 1)),
        ("the byte order is 2", with(|file| file.bytes[5] = 2)),
        ("e_machine is 183", with(|file| file.put16(18, 183))),
        (
            "not judged: sysv-hash: the file is no 64-bit little-endian x86-64 ELF",
            with(|file| file.put16(18, 183)),
        ),
        ("reaches beyond the file", with(|file| file.bytes.truncate(5000))),
        ("the section headers cannot be read", with(|file| file.bytes.truncate(5000))),
    ] {
        assert_eq!(status, 1, "{what}: {out}");
        assert!(out.contains(what), "{what:?} is missing in {out}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let absent = directory.path().join("absent");
    let cases = [
        ("run `cargo xtask image`", run(&[&absent])),
        ("is a directory", run(&[directory.path()])),
        ("no regular file", run(&[Path::new("/dev/null")])),
        ("the file is empty", run_on(b"")),
        ("no ELF file", run_on(b"#!/bin/sh\necho an image\n")),
        ("the ELF header", run_on(&Specimen::good().image.bytes[..40])),
        ("cargo xtask bless", run(&[&specimen::path(), Path::new("--lock"), &absent])),
        (
            "line 1: expected",
            run(&[&specimen::path(), Path::new("--lock"), Path::new(env!("CARGO_MANIFEST_PATH"))]),
        ),
        (
            "no ELF file",
            run(&[&specimen::path(), Path::new("--debug"), Path::new(env!("CARGO_MANIFEST_PATH"))]),
        ),
    ];
    for (what, (status, out, err)) in cases {
        assert_eq!((status, out.as_str()), (2, ""), "{what}: {err}");
        assert!(err.starts_with("error: ") && err.contains(what), "{what:?} is missing in {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}
