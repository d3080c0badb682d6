//! What the documents say, where it can be checked: the map of folders, links, the code that is
//! shown, and the width of comments.

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
    let listed = output(Command::new("git").current_dir(root()).args(["ls-files", "-z"]))
        .expect("git lists files");
    let files: Vec<String> =
        listed.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect();
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

/// Columns that a line of a comment may take.
const COMMENT_WIDTH: usize = 100;

/// Columns from one tab stop to the next, in C and assembly.
const TAB: usize = 8;

/// The text of a line that is a comment and nothing else, without its marks. `is_inside` says
/// whether a block comment is open in front of the line.
fn comment<'a>(file: &str, line: &'a str, is_inside: bool) -> Option<&'a str> {
    let text = line.trim();
    let slashes = text.trim_start_matches('/').trim_start_matches('!');
    if text.starts_with("//") {
        return Some(slashes.trim());
    }
    let is_block = !file.ends_with(".rs") && (is_inside || text.starts_with("/*"));
    is_block.then(|| {
        text.trim_start_matches("/*").trim_start_matches('*').trim_end_matches("*/").trim()
    })
}

/// Whether a text can be broken between two words: not a code span, one word such as a URL, or a
/// row of a table.
fn is_breakable(text: &str) -> bool {
    let text = text.trim_start_matches("- ").trim_end_matches(['.', ',', ':', ';']);
    let is_span = text.len() > 1
        && text.starts_with('`')
        && text.ends_with('`')
        && text.matches('`').count() == 2;
    text.contains(' ') && !is_span && !text.starts_with('|')
}

/// The lines of a file's comments that are too wide, by number; and how many lines of comments
/// there are.
fn wide_comments(file: &str, text: &str) -> (Vec<usize>, usize) {
    let (mut is_inside, mut is_code, mut wide, mut count) = (false, false, Vec::new(), 0);
    for (line, number) in text.lines().zip(1..) {
        let found = comment(file, line, is_inside);
        // Code in a block comment's line may open the next one.
        is_inside = match (line.rfind("/*"), line.rfind("*/")) {
            (Some(open), close) => close.is_none_or(|close| close < open),
            (None, Some(_)) => false,
            (None, None) => is_inside,
        };
        let Some(found) = found else {
            is_code = false;
            continue;
        };
        count += 1;
        // A fenced example is code.
        is_code ^= found.starts_with("```");
        let columns =
            line.chars().fold(0, |at, c| if c == '\t' { at / TAB * TAB + TAB } else { at + 1 });
        if columns > COMMENT_WIDTH && !is_code && is_breakable(found) {
            wide.push(number);
        }
    }
    (wide, count)
}

/// The contents of the fenced block of a text that a line starts, `language` behind the fence.
fn block<'a>(text: &'a str, heading: &str, language: &str) -> &'a str {
    let (_, section) =
        text.split_once(heading).unwrap_or_else(|| panic!("the document has no `{heading}`"));
    let (_, rest) =
        section.split_once(&format!("```{language}\n")).expect("the section has a block");
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
    let map = mapped(block(&readme, "## Find your way", "text"));
    let mut folders = BTreeSet::new();
    for file in tracked() {
        let parts: Vec<&str> = file.split('/').collect();
        if parts.len() > 1 && !parts[0].starts_with('.') {
            folders.insert(parts[0].to_owned());
            // Where a folder's parts are listed, all of them are.
            if parts.len() > 2
                && map.iter().any(|known| known.starts_with(&format!("{}/", parts[0])))
            {
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
        for link in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
        {
            let path = link.split('#').next().unwrap_or_default();
            if path.contains("://") || path.is_empty() {
                continue;
            }
            count += 1;
            assert!(
                root().join(&folder).join(path).exists(),
                "{file} links to {link}, which is not there"
            );
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

#[test]
fn comments_are_at_most_100_columns_wide() {
    let has_comments = |file: &String| {
        [".rs", ".c", ".cpp", ".h", ".s", ".S", ".lds"].iter().any(|end| file.ends_with(end))
    };
    let (mut wide, mut count) = (Vec::new(), 0);
    for file in tracked().into_iter().filter(has_comments) {
        let text = std::fs::read_to_string(root().join(&file)).expect("a source");
        let (lines, comments) = wide_comments(&file, &text);
        wide.extend(lines.into_iter().map(|line| format!("{file}:{line}")));
        count += comments;
    }
    assert!(count > 1000, "only {count} lines of comments were found");
    let shown = wide.iter().take(20).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(
        wide.is_empty(),
        "{} lines of comments are wider than {COMMENT_WIDTH} columns:\n{shown}",
        wide.len()
    );
}

#[test]
fn what_can_be_broken_in_a_comment_is_told_from_what_cannot() {
    let (words, path) = ("word ".repeat(25), "a/".repeat(60));
    for (file, text, wanted) in [
        ("a.rs", format!("    /// {words}"), vec![1]),
        ("a.rs", format!("let a = 1; // {words}"), vec![]),
        ("a.rs", format!("//! `{words}`."), vec![]),
        ("a.rs", format!("// https://{path}"), vec![]),
        ("a.rs", format!("/// ```\n/// {words}\n/// ```\n/// {words}"), vec![4]),
        ("a.h", format!("/* a\n * {words}\n */\nint {words};"), vec![2]),
        ("a.h", format!("\t\t\t/* {} */", "word ".repeat(15)), vec![1]),
    ] {
        assert_eq!(wide_comments(file, &text).0, wanted, "{text}");
    }
}
