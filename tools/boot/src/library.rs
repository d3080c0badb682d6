//! The libraries of a program as its loader lists them, and the source of one that is missing.
//!
//! # Invariants
//!
//! 1. A package is named only if dpkg has the file or apt has a package of that name.

use std::path::PathBuf;
use std::process::Command;

/// The words of glibc's loader and of musl's in front of the name of a library that is not there.
const ABSENT: [&str; 2] =
    ["error while loading shared libraries: ", "Error loading shared library "];

/// The contents of a loader's list: the files that it found, and the names that it did not find.
pub(crate) fn listed(said: &str) -> (Vec<PathBuf>, Vec<String>) {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for line in said.lines().map(str::trim) {
        if let Some((_, rest)) = ABSENT.iter().find_map(|words| line.split_once(words)) {
            missing.extend(rest.split_once(": ").map(|(name, _)| name.to_owned()));
            continue;
        }
        let (name, place) = line.split_once(" => ").unwrap_or((line, line));
        if place == "not found" {
            missing.push(name.to_owned());
        } else if let Some((path, _)) =
            place.rsplit_once(" (0x").filter(|(path, _)| path.starts_with('/'))
        {
            found.push(PathBuf::from(path));
        }
    }
    missing.dedup();
    (found, missing)
}

/// The way to get a library that is missing.
pub(crate) fn source(library: &str) -> String {
    let succeeds =
        |command: &mut Command| command.output().ok().filter(|output| output.status.success());
    if let Some(output) =
        succeeds(Command::new("dpkg-query").arg("--search").arg(format!("*/{library}")))
    {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some((package, path)) = text.lines().next().and_then(|line| line.split_once(": ")) {
            return format!(
                "{package} has it as {path}, where the loader does not look: name that folder in LD_LIBRARY_PATH"
            );
        }
    }
    for package in packages(library) {
        if succeeds(Command::new("apt-cache").args(["show", "--no-all-versions", &package]))
            .is_some()
        {
            return format!("`sudo apt-get install {package}` brings it");
        }
    }
    format!(
        "if it is the user's own, name its folder in LD_LIBRARY_PATH; else `apt-file search {library}` names its package"
    )
}

/// The names that Debian's policy (8.1) gives the package of a library: `libssl.so.3` is in
/// `libssl3`.
fn packages(library: &str) -> Vec<String> {
    let Some((name, version)) = library.split_once(".so.") else { return Vec::new() };
    let name = name.to_lowercase().replace('_', "-");
    let separator = if name.ends_with(|last: char| last.is_ascii_digit()) { "-" } else { "" };
    let package = format!("{name}{separator}{version}");
    vec![package.clone(), format!("{package}t64"), format!("{name}-{version}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn reads_the_lists_of_both_loaders() {
        let glibc = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibx.so.1 => not found\n\
                     \tlibc.so.6 => /lib/a b/libc.so.6 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let (found, missing) = listed(glibc);
        assert_eq!(
            found,
            [Path::new("/lib/a b/libc.so.6"), Path::new("/lib64/ld-linux-x86-64.so.2")]
        );
        assert_eq!(missing, ["libx.so.1"]);
        let absent = "/a: error while loading shared libraries: liby.so.3: cannot open shared object file: No such\n";
        assert_eq!(listed(absent).1, ["liby.so.3"]);
        let musl = "\t/lib/ld-musl-x86_64.so.1 (0x7f)\nError loading shared library libx.so: No such file (needed by a)\n";
        assert_eq!(listed(musl).1, ["libx.so"]);
    }

    #[test]
    fn names_the_package_of_a_library() {
        assert_eq!(packages("libssl.so.3")[0], "libssl3");
        assert_eq!(packages("libglib-2.0.so.0")[0], "libglib-2.0-0");
        assert_eq!(packages("libICE.so.6")[0], "libice6");
        assert!(packages("libx.so").is_empty());
        assert!(source("libnonesuch.so.77").contains("apt-file search libnonesuch.so.77"));
    }
}
