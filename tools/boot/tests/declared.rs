//! Every program that the sources start by name is one that a fresh machine has, too.

use liblinux_boot::declared;
use liblinux_boot::packages::{BOOT, TEST};
use liblinux_workspace::skip::skip;
use liblinux_workspace::{ARCHITECTURE, Workspace};
use std::fs;
use std::path::{Path, PathBuf};

/// The calls that start a program by the name in their first string.
const STARTS: [&str; 2] = ["Command::new(\"", "job::supervised("];

/// Looked for, and not needed.
const OPTIONAL: &str = "sudo";

/// Rust sources below `folder`; those of guests, which have programs of their own, are left out.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let skipped = ["target", "qemu", ".git"].iter().any(|skipped| name == *skipped);
        if path.is_dir() && !skipped {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The program that the call at the beginning of `text` starts: its last argument.
fn program(text: &str) -> Option<&str> {
    let call = text.split(')').next()?.trim_end_matches([',', ' ', '\n']);
    match call.rsplit([',', '(']).next()?.trim() {
        "ARCHITECTURE.emulator" => Some(ARCHITECTURE.emulator),
        last => last.strip_prefix('"')?.strip_suffix('"'),
    }
}

#[test]
fn every_program_that_the_sources_name_is_declared() {
    let root = Workspace::current().root().to_owned();
    let target = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let Some(folder) = declared::folder(&target.path().join("path"), &[BOOT, TEST], &path).unwrap()
    else {
        return skip("this system has no dpkg, so packages have other names");
    };
    let mut files = Vec::new();
    sources(&root, &mut files);
    let (mut seen, mut undeclared) = (0, Vec::new());
    for file in files.iter().filter(|file| !file.ends_with("tests/declared.rs")) {
        let text = fs::read_to_string(file).unwrap();
        for start in STARTS {
            for (at, _) in text.match_indices(start) {
                let Some(name) = program(&text[at..]) else { continue };
                seen += 1;
                let known = if name.starts_with('/') {
                    declared::has(&[BOOT, TEST], Path::new(name)).unwrap()
                        || name.starts_with("/proc/")
                } else if name.starts_with("./") {
                    true // It came with the sources in the folder that it runs in.
                } else {
                    folder.join(name).is_file()
                };
                if !known && name != OPTIONAL {
                    undeclared.push(format!("{}: {name}", file.display()));
                }
            }
        }
    }
    assert!(seen > 20, "only {seen} programs were found: the search is broken");
    assert_eq!(undeclared, [""; 0], "declare their packages in tools/boot/src/packages.rs");
}
