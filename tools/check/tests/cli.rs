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
    assert!(
        out.contains("not judged: same-code: the unstripped image (FILE.dbg) is missing"),
        "{out}"
    );
    assert!(!out.contains("not judged: syscall-sites"), "code is judged without symbols: {out}");
}

#[test]
fn strict_refuses_what_was_not_judged() {
    let directory = tempfile::tempdir().expect("a directory");
    let (alone, lock) = (directory.path().join("vdso64.so"), directory.path().join("vdso.abi"));
    std::fs::write(&alone, &Specimen::good().image.bytes).expect("write the image");
    std::fs::write(&lock, Specimen::good().lock.to_string()).expect("write the lock");
    let strict = Path::new("--strict");
    let (status, out, _) = run(&[&alone, strict]);
    assert_eq!(status, 1, "{out}");
    assert!(
        out.contains("not judged: abi-lock") && out.contains("refused: --strict wants"),
        "{out}"
    );
    let (status, out, _) = run(&[&specimen::path(), strict, Path::new("--lock"), &lock]);
    assert_eq!(status, 0, "{out}");
}

#[test]
fn readers_prints_what_each_reader_finds() {
    let (status, out, _) = run(&[&specimen::path(), Path::new("--readers")]);
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("glibc (2.36): loads\n  __vdso_clock_gettime "), "{out}");
    assert!(!out.contains("absent: ") && !out.contains("harmed: "), "{out}");

    let mut broken = Specimen::good().image;
    let dynamic = broken.segment(goblin::elf::program_header::PT_DYNAMIC);
    broken.put32(dynamic + specimen::segment::FLAGS, 6);
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vdso64.so");
    std::fs::write(&path, &broken.bytes).expect("write the image");
    let (status, out, _) = run(&[&path, Path::new("--readers")]);
    assert_eq!(status, 1, "{out}");
    assert!(out.contains("harmed: glibc: it crashes: it writes addresses"), "{out}");
    assert!(!out.contains("harmed: musl"), "{out}");

    broken.put16(18, 8); // A machine without a vDSO that is known here.
    std::fs::write(&path, &broken.bytes).expect("write the image");
    let (status, _, err) = run(&[&path, Path::new("--readers")]);
    assert!(status == 2 && err.contains("no reader is known"), "{status} {err}");
}

/// Status and standard error with standard output closed, full or a pipe without a reader.
fn run_into(redirection: &str, file: &Path) -> (Option<i32>, String) {
    let script = format!("\"$0\" \"$1\" --verbose {redirection}; echo \"status $?\" >&2");
    let output = Command::new("bash")
        .args(["-c", &script, env!("CARGO_BIN_EXE_liblinux-check")])
        .arg(file)
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let status = text.lines().last().and_then(|line| line.strip_prefix("status ")?.parse().ok());
    (status, text)
}

#[test]
fn output_that_cannot_be_written_is_no_panic() {
    let good = specimen::path();
    for (redirection, wanted, says) in [
        (">&-", 0, ""),
        ("> /dev/full", 2, "error: the verdict cannot be written"),
        ("2>&- > /dev/full", 2, ""),
    ] {
        let (status, text) = run_into(redirection, &good);
        assert_eq!(status, Some(wanted), "{redirection}: {text}");
        assert!(text.contains(says) && !text.contains("panicked"), "{redirection}: {text}");
    }
}

#[test]
fn a_pipe_whose_reader_is_gone_is_no_panic() {
    let script = "{ sleep 0.3; \"$0\" \"$1\" --verbose; } | true; exit ${PIPESTATUS[0]}";
    let output = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_liblinux-check")])
        .arg(specimen::path())
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.is_empty(), "{:?}: {text}", output.status);
}

/// The verdict on a file and its unstripped twin, reached with less than half a gigabyte of memory.
fn run_in_little_memory(image: &[u8], debug: Option<&[u8]>) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vdso64.so");
    std::fs::write(&path, image).expect("write the image");
    if let Some(debug) = debug {
        std::fs::write(directory.path().join("vdso64.so.dbg"), debug)
            .expect("write the unstripped image");
    }
    let output = Command::new("bash")
        .args(["-c", "ulimit -v 500000; exec \"$0\" \"$1\"", env!("CARGO_BIN_EXE_liblinux-check")])
        .arg(&path)
        .output()
        .expect("bash runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn functions_that_overlap_a_thousand_times_take_no_memory() {
    let good = Specimen::good();
    let mut debug = good.debug.clone();
    let text = good.image.view().text().expect("text");
    let place = debug.bytes.len().next_multiple_of(8);
    debug.bytes.resize(place + 24 * 4000, 0);
    for (index, at) in (place..debug.bytes.len()).step_by(24).enumerate().skip(1) {
        debug.bytes[at + specimen::symbol::INFO] = 2;
        debug.put16(at + specimen::symbol::SECTION, 5);
        debug.put64(at + specimen::symbol::VALUE, text.start + index as u64);
        debug.put64(at + specimen::symbol::SIZE, text.end - text.start - index as u64);
    }
    let header = debug.section(".symtab");
    debug.put64(header + specimen::section::OFFSET, place as u64);
    debug.put64(header + specimen::section::SIZE, 24 * 4000);
    let (status, out) = run_in_little_memory(&good.image.bytes, Some(&debug.bytes));
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("the functions overlap"), "{out}");
}

#[test]
fn sections_by_the_thousand_are_not_read() {
    let mut image = Specimen::good().image;
    let place = image.bytes.len();
    image.bytes.resize(place + 64 * 60_000, 1);
    image.put64(40, place as u64);
    image.put16(60, 60_000);
    let (status, out) = run_in_little_memory(&image.bytes, None);
    assert_eq!(status, Some(1), "{out}");
    assert!(out.contains("there are 60000 section headers"), "{out}");
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sparse");
    let file = std::fs::File::create(&path).expect("create the file");
    file.set_len(3 << 30).expect("make it sparse");
    // With less memory than the file has bytes.
    let output = Command::new("bash")
        .args(["-c", "ulimit -v 500000; exec \"$0\" \"$1\"", env!("CARGO_BIN_EXE_liblinux-check")])
        .arg(&path)
        .output()
        .expect("bash runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("has 3221225472 bytes, more than the"), "{text}");
}

#[test]
fn names_of_the_image_never_reach_the_terminal_raw() {
    let mut broken = Specimen::good();
    for (what, at) in [
        ("a symbol", broken.image.contents(".dynstr") + 1),
        ("a section", broken.image.contents(".shstrtab") + 2),
        ("the SONAME", broken.image.find(".dynstr", b"linux-vdso")),
    ] {
        let mut file = broken.image.clone();
        file.put(at, b"\x1b[2J");
        let (status, out, err) = run_on(&file.bytes);
        assert_eq!(status, 1, "{what}: {out}");
        assert!(!out.contains('\x1b') && !err.contains('\x1b'), "{what}: {out:?}");
    }
    // In the unstripped image's names, too.
    let name = broken.debug.compiled();
    broken.debug.rename_local(&name, "\x1b[2Jpanic");
    let report = broken.check().to_string();
    assert!(!report.contains('\x1b'), "{report:?}");
}

#[test]
fn refusal_says_what_why_and_what_to_do() {
    let mut broken = Specimen::good();
    broken.image.put32(broken.image.segment(2) + specimen::segment::FLAGS, 6);
    let (status, out, _) = run_on(&broken.image.bytes);
    assert_eq!(status, 1, "{out}");
    for part in
        ["refused: read-only-dynamic: the PT_DYNAMIC is writable", "because glibc", "to do: give"]
    {
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
            "not judged: sysv-hash: the file is not a 64-bit little-endian x86-64 ELF",
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
        ("No such file", run(&[&absent])),
        ("is a directory without an image", run(&[directory.path()])),
        ("not a regular file", run(&[Path::new("/dev/null")])),
        ("the file is empty", run_on(b"")),
        ("not an ELF file", run_on(b"#!/bin/sh\necho an image\n")),
        ("the ELF header", run_on(&Specimen::good().image.bytes[..40])),
        ("cargo xtask bless", run(&[&specimen::path(), Path::new("--lock"), &absent])),
        (
            "line 1: expected",
            run(&[&specimen::path(), Path::new("--lock"), Path::new(env!("CARGO_MANIFEST_PATH"))]),
        ),
        (
            "not an ELF file",
            run(&[&specimen::path(), Path::new("--debug"), Path::new(env!("CARGO_MANIFEST_PATH"))]),
        ),
    ];
    for (what, (status, out, err)) in cases {
        assert_eq!((status, out.as_str()), (2, ""), "{what}: {err}");
        assert!(err.starts_with("error: ") && err.contains(what), "{what:?} is missing in {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
}
