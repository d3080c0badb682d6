//! A test of all commands: with nothing to do, they write nothing.

use crate::run;
use liblinux_mkimage::{build, stub};
use liblinux_workspace::{Workspace, line};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Every file of a folder with what tells whether it was written: inode and time.
fn times(folder: &Path, found: &mut BTreeMap<PathBuf, (u64, i64, i64)>) {
    let data = fs::symlink_metadata(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    if data.is_dir() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            // Scratch folders are those of other tests.
            if !entry.file_name().as_encoded_bytes().starts_with(b".tmp") {
                times(&entry.path(), found);
            }
        }
    } else {
        found.insert(folder.to_owned(), (data.ino(), data.mtime(), data.mtime_nsec()));
    }
}

#[test]
fn a_command_that_has_nothing_to_do_writes_nothing() {
    let workspace = Workspace::current();
    let root = workspace.root();
    let make = || {
        for line in line::LINES {
            build::build(&workspace, line).unwrap();
            build::build_updated_image(&workspace, line).unwrap();
        }
        stub::build(&workspace).unwrap();
        // A stale file is reported by another test, and mended by none.
        liblinux_generate::require_fresh(&workspace).unwrap();
        liblinux_generate::write(&workspace).unwrap();
        run::build(&workspace).unwrap()
    };
    let runner = make();
    let look = || {
        let mut found = BTreeMap::new();
        for place in
            ["target/vdso", "target/client", "linker", "vdso/client/include", "kernel-patch"]
        {
            times(&root.join(place), &mut found);
        }
        for place in
            [&workspace.client().join("src/calls.rs"), &root.join("vdso/abi/legacy.md"), &runner]
        {
            times(place, &mut found);
        }
        found
    };
    let before = look();
    assert!(
        before.contains_key(&workspace.image(line::DEFAULT))
            && before.contains_key(&workspace.lock())
    );
    make();
    let after = look();
    let written: Vec<_> =
        after.iter().filter(|(path, time)| before.get(*path) != Some(time)).collect();
    assert!(written.is_empty(), "written again with nothing changed: {written:?}");
    assert_eq!(before.len(), after.len(), "files are gone");
}
