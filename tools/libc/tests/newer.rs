//! A source package that the series was not made for: nothing is built, and what was there stays.

use liblinux_boot::cache::Cache;
use liblinux_boot::source_package::{self, SourcePackage};
use liblinux_workspace::Workspace;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of musl that a patch of the series changes.
const CHANGED: &str = "src/thread/x86_64/syscall_cp.s";

/// Makes a source package of Debian's tree, as if a newer musl had rewritten that file; its
/// description.
fn newer(package: &SourcePackage, folder: &Path) -> PathBuf {
    let tree = folder.join("musl");
    package.unpack(&tree).expect("Debian's package is whole");
    fs::write(tree.join(CHANGED), "/* rewritten */\n").expect("a file of the tree");
    fs::write(tree.join("debian/source/format"), "3.0 (native)\n").expect("a file of the tree");
    let changelog = "musl (9.9) unstable; urgency=low\n\n  * Newer.\n\n \
                     -- A <a@example.org>  Sat, 28 Nov 2026 09:00:00 +0000\n";
    fs::write(tree.join("debian/changelog"), changelog).expect("a file of the tree");
    let mut command = Command::new("dpkg-source");
    let said = command.current_dir(folder).args(["--build", "musl"]).output().expect("dpkg-dev");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    folder.join("musl_9.9.dsc")
}

/// Names and contents of what a build may change.
fn state(workspace: &Workspace, cache: &Cache) -> (Option<String>, Vec<String>) {
    let entries = fs::read_dir(cache.root()).expect("the cache").flatten();
    let mut builds: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("libc-"))
        .collect();
    builds.sort();
    (fs::read_to_string(workspace.built_libc().join("key")).ok(), builds)
}

#[test]
fn a_patch_that_does_not_apply_leaves_all_as_it_was() {
    let cache = Cache::open().expect("a cache");
    let package = match source_package::get("musl", &cache) {
        Ok(package) => package,
        Err(why) => {
            return println!("skipped: a_patch_that_does_not_apply_leaves_all_as_it_was: {why:#}");
        }
    };
    let workspace = Workspace::current();
    let folder = tempfile::tempdir().expect("a folder");
    let description = newer(&package, folder.path());
    let before = state(&workspace, &cache);
    let error = liblinux_libc::build(&workspace, Some(&description)).expect_err("it is refused");
    let error = format!("{error:#}");
    for part in ["0004-", "does not apply to musl 9.9", CHANGED, "rebase it"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert_eq!(state(&workspace, &cache), before);
}
