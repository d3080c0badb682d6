//! `SYSCALL_DEFINEn(name, type, parameter, ...)`: the prototypes of system calls.

use super::Source;
use super::conditional::Conditions;
use std::collections::HashMap;

/// Folders with definitions that x86-64 uses.
const FOLDERS: [&str; 10] = [
    "arch/x86",
    "block",
    "drivers/char",
    "fs",
    "io_uring",
    "ipc",
    "kernel",
    "mm",
    "net",
    "security",
];

/// Every definition in the tree: per name the declarations of its parameters.
///
/// A name may be defined several times for several architectures; then the definitions that the
/// tree's configuration leaves out are dropped.
pub fn definitions(source: &Source) -> HashMap<String, Vec<Vec<String>>> {
    let config = source.read(source.build().join(".config"));
    let mut found: HashMap<String, Vec<(bool, Vec<String>)>> = HashMap::new();
    for file in FOLDERS.iter().flat_map(|folder| source.c_files(folder)) {
        let text = source.read(&file);
        for (name, is_left_out, parameters) in definitions_in(&text, &config) {
            found.entry(name).or_default().push((is_left_out, parameters));
        }
    }
    let choose = |all: Vec<(bool, Vec<String>)>| {
        let kept: Vec<_> = all
            .iter()
            .filter(|(is_left_out, _)| !is_left_out)
            .map(|(_, one)| one.clone())
            .collect();
        let mut chosen =
            if kept.is_empty() { all.into_iter().map(|(_, one)| one).collect() } else { kept };
        chosen.dedup();
        chosen
    };
    found.into_iter().map(|(name, all)| (name, choose(all))).collect()
}

/// The definitions in one file, and whether the configuration leaves them out.
fn definitions_in(text: &str, config: &str) -> Vec<(String, bool, Vec<String>)> {
    let mut conditions = Conditions::new(config);
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, next) = rest.split_once('\n').unwrap_or((rest, ""));
        conditions.line(line);
        if let Some(arguments) = line.strip_prefix("SYSCALL_DEFINE").and_then(|_| arguments(rest)) {
            let mut words = arguments.split(',').map(normalise);
            let name = words.next().unwrap_or_default();
            let words: Vec<_> = words.collect();
            let parameters = words.chunks(2).map(|pair| normalise(&pair.join(" "))).collect();
            found.push((name, conditions.leave_out(), parameters));
        }
        rest = next;
    }
    found
}

/// What stands between the first parentheses, without comments.
fn arguments(text: &str) -> Option<String> {
    let (_, text) = text.split_once('(')?;
    let (mut text, _) = text.split_once(")\n")?;
    let mut plain = String::new();
    while let Some((before, comment)) = text.split_once("/*") {
        plain.push_str(before);
        text = comment.split_once("*/")?.1;
    }
    plain.push_str(text);
    Some(plain)
}

/// One spelling for each declaration: no `__user`, single blanks, stars at the name.
pub fn normalise(declaration: &str) -> String {
    let spaced = declaration.replace('*', " * ");
    let words = spaced.split_whitespace().filter(|word| *word != "__user");
    words.collect::<Vec<_>>().join(" ").replace("* ", "*")
}
