//! What the documents say, where it can be checked: the map of folders, links, and the code that is shown.

use liblinux_workspace::Workspace;
use liblinux_workspace::command::output;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Workspace::current().root().to_owned()
}

/// The files that git tracks, with paths from the top folder.
fn tracked() -> Vec<String> {
    let listed =
        output(Command::new("git").current_dir(root()).args(["ls-files", "-z"])).expect("git lists files");
    let files: Vec<String> = listed.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect();
    assert!(files.len() > 100, "git lists {} files: is this a checkout?", files.len());
    files
}

/// Every document, with its text.
fn documents() -> Vec<(String, String)> {
    let files = tracked().into_iter().filter(|file| file.ends_with(".md"));
    files
        .map(|file| {
            let text = std::fs::read_to_string(root().join(&file)).expect("a document");
            (file, text)
        })
        .collect()
}

/// The contents of the fenced block of a text that a line starts, `language` behind the fence.
fn block<'a>(text: &'a str, heading: &str, language: &str) -> &'a str {
    let (_, section) = text.split_once(heading).unwrap_or_else(|| panic!("the document has no `{heading}`"));
    let (_, rest) = section.split_once(&format!("```{language}\n")).expect("the section has a block");
    rest.split_once("```").expect("the block ends").0
}

/// The folders that the README's map names, with paths from the top folder.
fn mapped(map: &str) -> BTreeSet<String> {
    let mut parent = String::new();
    let mut folders = BTreeSet::new();
    for line in map.lines() {
        let name = line.split_whitespace().next().expect("a line of the map names a folder");
        if line.starts_with(' ') {
            folders.insert(format!("{parent}/{name}"));
        } else {
            name.clone_into(&mut parent);
            folders.insert(parent.clone());
        }
    }
    folders
}

#[test]
fn the_map_is_the_folders() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let map = mapped(block(&readme, "## Find your way", ""));
    let mut folders = BTreeSet::new();
    for file in tracked() {
        let parts: Vec<&str> = file.split('/').collect();
        if parts.len() > 1 && !parts[0].starts_with('.') {
            folders.insert(parts[0].to_owned());
            // Where a folder's parts are listed, all of them are.
            if parts.len() > 2 && map.iter().any(|known| known.starts_with(&format!("{}/", parts[0]))) {
                folders.insert(parts[..2].join("/"));
            }
        }
    }
    assert_eq!(map, folders, "the map under `Find your way` (left) and the folders (right) differ");
}

#[test]
fn links_lead_to_files() {
    let mut count = 0;
    for (file, text) in documents() {
        let folder = Path::new(&file).parent().expect("a document is in a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let path = link.split('#').next().unwrap_or_default();
            if path.contains("://") || path.is_empty() {
                continue;
            }
            count += 1;
            assert!(root().join(&folder).join(path).exists(), "{file} links to {link}, which is not there");
        }
    }
    assert!(count > 10, "only {count} links were followed");
}

#[test]
fn the_c_of_the_readme_runs() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("ten.c"), folder.path().join("ten"));
    std::fs::write(&source, block(&readme, "## Ten lines of C", "c")).expect("a file");
    let mut gcc = Command::new("gcc");
    gcc.args(["-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(&source);
    gcc.arg("-I").arg(Workspace::current().client().join("include"));
    output(&mut gcc).expect("the C of the README compiles");
    // The kernel's own image has no such entry, and the program shows how to ask.
    assert!(output(&mut Command::new(&program)).expect("it runs").contains("descriptor"));
}
