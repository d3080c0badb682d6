//! Programs that do not run: the message, and the exit status of `env(1)`.

use crate::workbench::{LOADER, loader, system, told};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

fn refused(command: &mut Command, status: i32, words: &[&str]) {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{}", told(&output));
    assert!(output.stdout.is_empty(), "{}", told(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("liblinux-run32: "), "{said}");
    words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
}

fn executable(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_program_that_is_missing_or_no_program() {
    let folder = tempfile::tempdir().unwrap();
    refused(&mut loader(["/nonesuch"]), 127, &["/nonesuch", "no such file"]);
    refused(&mut loader(["nonesuch-program"]), 127, &["on the PATH"]);
    refused(&mut loader(["/"]), 126, &["directory"]);
    let text = folder.path().join("text");
    fs::write(&text, b"hello").unwrap();
    refused(&mut loader([&text]), 126, &["chmod +x"]);
    executable(&text, b"hello");
    refused(&mut loader([&text]), 126, &["neither a program (ELF) nor a script"]);
    refused(&mut loader([LOADER]), 126, &["x86-64", "start it itself"]);
    refused(&mut Command::new(LOADER), 125, &["no PROGRAM", "--help"]);
}

#[test]
fn a_program_of_another_machine() {
    let Some(system) = system() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(system.join("bin/busybox")).unwrap();
    let other = folder.path().join("other");
    bytes[18] = 40;
    executable(&other, &bytes);
    refused(&mut loader([&other]), 126, &["a program for ARM", "for i386"]);
    bytes[18] = 3;
    executable(&other, &bytes[..60]);
    refused(&mut loader([&other]), 126, &["program headers"]);
}

#[test]
fn a_program_whose_interpreter_is_missing() {
    let Some(system) = system() else { return };
    if Path::new("/lib/ld-linux.so.2").exists() {
        return;
    }
    let words = ["/lib/ld-linux.so.2", "libc6:i386", "--prefix"];
    refused(&mut loader([system.join("bin/bash")]), 127, &words);
}

#[test]
fn an_address_space_that_is_limited() {
    let Some(system) = system() else { return };
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -v 4000000; exec \"$@\"", "bash", LOADER]);
    refused(command.arg(system.join("bin/busybox")), 125, &["below 4 GiB", "ulimit -v"]);
}

#[test]
fn a_program_that_wants_addresses_in_use() {
    let Some(system) = system() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(system.join("bin/busybox")).unwrap();
    // The first segment that is mapped gets the loader's place.
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut header = word(&bytes, 28) as usize;
    while word(&bytes, header) != 1 {
        header += 32;
    }
    for (at, value) in [(8, 0x5600_0000_u32), (12, 0x5600_0000), (16, 0x1000), (20, 0x1000)] {
        bytes[header + at..header + at + 4].copy_from_slice(&value.to_le_bytes());
    }
    for next in 1..8 {
        let next = header + 32 * next;
        if word(&bytes, next) == 1 {
            bytes[next] = 0;
        }
    }
    let moved = folder.path().join("moved");
    executable(&moved, &bytes);
    refused(&mut loader([&moved]), 125, &["in use", "position-independent"]);
}

#[test]
fn help_says_what_it_is() {
    let output = Command::new(LOADER).arg("--help").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(String::from_utf8_lossy(&output.stdout).contains("--prefix"));
}
