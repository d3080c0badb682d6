//! The modules of the checker point one way: from the bytes of a file to a verdict, with no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules at the top of the crate, each with those that it names.
fn modules() -> BTreeMap<String, BTreeSet<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    for entry in
        fs::read_dir(&source).expect("the sources").map(|entry| entry.expect("an entry").path())
    {
        let name = entry.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        if !["lib", "main"].contains(&name.as_str()) {
            let mut text = String::new();
            read(&entry, &mut text);
            modules.insert(name, named(&text));
        }
    }
    let known: BTreeSet<String> = modules.keys().cloned().collect();
    modules
        .iter_mut()
        .for_each(|(name, used)| used.retain(|other| other != name && known.contains(other)));
    modules
}

/// Adds what is in front of the tests of a file, or of all files of a folder.
fn read(path: &Path, text: &mut String) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder");
        entries.for_each(|entry| read(&entry.expect("an entry").path(), text));
    } else {
        let all = fs::read_to_string(path).expect("a source");
        text.push_str(all.split("#[cfg(test)]").next().unwrap_or_default());
    }
}

/// What stands behind `crate::` in code.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = code.flat_map(|line| line.split("crate::").skip(1));
    names
        .map(|rest| {
            rest.split(|end: char| end != '_' && !end.is_alphanumeric()).next().unwrap_or("").into()
        })
        .collect()
}

#[test]
fn no_module_is_reached_from_what_it_uses() {
    let mut left = modules();
    assert!(
        left.len() > 10 && left["report"].contains("rules"),
        "the modules are not found: {left:?}"
    );
    // Those that use none of the others are taken away until none is.
    while let Some(name) =
        left.iter().find(|(_, used)| used.is_empty()).map(|(name, _)| name.clone())
    {
        left.remove(&name);
        left.values_mut().for_each(|used| used.retain(|other| *other != name));
    }
    assert!(left.is_empty(), "these modules are in circles, or use some that are: {left:#?}");
}
