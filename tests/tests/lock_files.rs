//! The lock file of each workspace: builds take it as it is (`--locked`), so it must name what the
//! manifests ask for. A new dependency of a crate concerns every workspace that uses the crate.

use liblinux_workspace::Workspace;
use liblinux_workspace::command::{cargo, output};
use std::process::Command;

#[test]
fn each_names_what_the_manifests_ask_for() {
    let workspace = Workspace::current();
    let listed = output(Command::new("git").current_dir(workspace.root()).args([
        "ls-files",
        "-z",
        "--",
        "Cargo.lock",
        "*/Cargo.lock",
    ]))
    .expect("git lists files");
    let mut stale = Vec::new();
    let files: Vec<&str> = listed.split('\0').filter(|file| !file.is_empty()).collect();
    for file in &files {
        let manifest = file.replace("Cargo.lock", "Cargo.toml");
        let mut metadata = cargo(&workspace);
        metadata.args(["metadata", "--locked", "--format-version=1", "--manifest-path", &manifest]);
        if let Err(error) = output(&mut metadata) {
            stale.push(format!("cargo update --workspace --manifest-path {manifest}: {error:#}"));
        }
    }
    assert!(files.len() > 1, "git lists {} lock files", files.len());
    assert!(stale.is_empty(), "lock files to update:\n{}", stale.join("\n"));
}
