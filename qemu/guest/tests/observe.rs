//! The observer on ordinary programs of this machine, against the running kernel's own vDSO.
//!
//! They need the compilers and the busybox that `cargo xtask test` installs.

use liblinux_guest::verdict;
use liblinux_protocol::case::Case;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds a program.
fn build(folder: &Path, name: &str, compiler: &str, arguments: &[&str], source: &str) -> PathBuf {
    let output = folder.join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(source);
    let status = Command::new(compiler)
        .args(arguments)
        .arg("-o")
        .arg(&output)
        .arg(source)
        .env("CGO_ENABLED", "0")
        .status();
    let status = status
        .unwrap_or_else(|error| panic!("{compiler}: {error}; `cargo xtask test` installs it"));
    assert!(status.success(), "{compiler} fails");
    output
}

/// Runs one program and returns the verdict.
fn verdict_on(check: &str, path: &Path, arguments: &str) -> (bool, String) {
    let case = Case::parse(&format!("x\t{check}\t50\t{}{arguments}\n", path.display())).unwrap();
    let mut out = Vec::new();
    let passed = verdict::run(&case, &mut out, &mut || ()).unwrap();
    (passed, String::from_utf8(out).unwrap())
}

/// Runs a program that prints clocks and demands a complete verdict.
fn clocks(path: &Path, resolved: &str, tests: usize) {
    let (passed, verdict) = verdict_on("clocks", path, "");
    assert!(passed, "{verdict}");
    assert!(verdict.contains(resolved), "no {resolved} in\n{verdict}");
    assert!(verdict.contains(&format!("\n    1..{tests}\n")), "{verdict}");
}

#[test]
fn c_programs_of_every_libc() {
    let folder = tempfile::tempdir().unwrap();
    for (compiler, libc) in [("gcc", "glibc"), ("musl-gcc", "musl")] {
        for link in ["-static", "-no-pie"] {
            let name = format!("{libc}{link}");
            let arguments = ["-std=gnu99", "-O2", "-Wall", "-Wextra", "-Werror", link];
            let path = build(folder.path(), &name, compiler, &arguments, "clocks.c");
            clocks(&path, " __vdso_clock_gettime", 12);
        }
    }
}

#[test]
fn go_exits_from_any_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = build(folder.path(), "go", "go", &["build"], "clocks.go");
    for _ in 0..10 {
        clocks(&path, " __vdso_clock_gettime", 5);
    }
}

#[test]
fn rust_with_std() {
    clocks(Path::new(env!("CARGO_BIN_EXE_clocks")), " __vdso_clock_gettime", 5);
}

#[test]
fn busybox_date() {
    let (passed, verdict) = verdict_on("date", Path::new("/bin/busybox"), "\tdate\t+%s");
    assert!(passed, "{verdict}");
    let (passed, verdict) = verdict_on("date", Path::new("/bin/date"), "\t+%s");
    assert!(passed, "{verdict}");
    assert!(verdict.contains("ok 3 date\n"), "{verdict}");
}

#[test]
fn an_image_without_entries_is_skipped() {
    let (passed, verdict) = verdict_on("ktap", Path::new(env!("CARGO_BIN_EXE_stubs")), "");
    assert!(passed, "{verdict}");
    assert!(verdict.contains("\n    ok 1 entries # SKIP the image exports"), "{verdict}");
    assert!(verdict.contains("\n    ok 2 legacy calls are made\n"), "{verdict}");
}

#[test]
fn a_shell_that_becomes_the_program_is_followed() {
    let (passed, verdict) = verdict_on("date", Path::new("/bin/sh"), "\t-c\texec date +%s");
    assert!(passed, "{verdict}");
}

#[test]
fn what_shows_nothing_fails() {
    for (check, path, arguments, why) in [
        ("clocks", "/bin/true", "", "the program printed no clock line"),
        ("date", "/bin/true", "", "the program printed 0 lines, not one"),
        ("date", "/bin/echo", "\t0", "0 is not between"),
        ("ktap", "/bin/true", "", "the program ended before this test"),
        ("clocks", "/bin/false", "", "exited with status 1"),
        ("clocks", "/nonexistent", "", "cannot start /nonexistent"),
        ("clocks", "/bin/sh", "\t-c\tkill -SEGV $$", "killed by SIGSEGV"),
        ("ktap", "/bin/echo", "\t1..1\\nok 1 a", "missing"),
    ] {
        let (passed, verdict) = verdict_on(check, Path::new(path), arguments);
        assert!(!passed && verdict.contains(why), "{path}{arguments}:\n{verdict}");
        assert!(verdict.lines().last().unwrap().starts_with("not ok 1 x"), "{verdict}");
    }
}

#[test]
fn orphans_do_not_hold_up_the_verdict() {
    let (passed, verdict) = verdict_on("date", Path::new("/bin/sh"), "\t-c\tsleep 1000 & date +%s");
    assert!(verdict.contains("ok 3 date\n"), "{verdict}");
    assert!(passed, "{verdict}");
}
