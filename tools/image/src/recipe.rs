//! The image's recipe: the flags of compiler, linker and objcopy, from the makefile by which the
//! kernel's build makes the image, too.
//!
//! The makefile has the reason for each flag. Only lines that set one of the variables named here,
//! or add to it, are read, and of these only the words that are the same everywhere: those with a
//! `$` are places in the kernel's trees.
//!
//! # Invariants
//!
//! 1. Each list has at least one word, or reading fails.

use anyhow::{Context as _, Result, ensure};
use liblinux_workspace::Workspace;
use std::fs;

/// The compiler's flags.
const COMPILER: &str = "rust-flags-y";

/// The linker's options that only this image has.
const LINKER: &str = "VDSO_LDFLAGS_64-rust";

/// The flags of `objcopy` that make the mapped file from the linked one.
const STRIP: &str = "objcopy-flags-y";

/// The linker's options for every image: `VDSO_LDFLAGS` of the kernel's
/// `arch/x86/entry/vdso/common/Makefile.include`.
const EVERY_IMAGE: &[&str] = &[
    "-shared",
    "--hash-style=both",
    "--build-id=sha1",
    "--no-undefined",
    "--eh-frame-hdr",
    "-Bsymbolic",
    "-z",
    "noexecstack",
];

/// The flags that are the same wherever the image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// For the compiler, for each crate.
    pub(crate) compiler: Vec<String>,
    /// For the linker.
    pub(crate) linker: Vec<String>,
    /// For `objcopy`.
    pub(crate) strip: Vec<String>,
}

impl Recipe {
    /// The recipe in the makefile.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let path = workspace.image_makefile();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let compiler = words(text, COMPILER)?;
        let mut linker: Vec<String> = EVERY_IMAGE.iter().map(|&word| word.to_owned()).collect();
        linker.extend(words(text, LINKER)?);
        Ok(Self { compiler, linker, strip: words(text, STRIP)? })
    }
}

/// The words that are added to a variable.
fn words(text: &str, variable: &str) -> Result<Vec<String>> {
    let added = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(variable)?.trim_start();
        rest.strip_prefix("+=").or_else(|| rest.strip_prefix(":="))
    });
    let words = added.flat_map(str::split_whitespace).filter(|word| !word.contains('$'));
    let words: Vec<String> = words.map(str::to_owned).collect();
    ensure!(!words.is_empty(), "there is no line `{variable} += FLAG`, so the image has no recipe");
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::ARCHITECTURE;

    #[test]
    fn words_are_read_but_places_in_a_tree() {
        let text = "rust-flags-y += -Ca=b\n# why\nrust-flags-y += -Cc -Cd\nrust-flags-y-not += x\n\
             VDSO_LDFLAGS_64-rust := -z one=1\nVDSO_LDFLAGS_64-rust += --a=$(src) --two\n\
             objcopy-flags-y := -S\n";
        let recipe = Recipe::parse(text).unwrap();
        assert_eq!(recipe.compiler, ["-Ca=b", "-Cc", "-Cd"]);
        assert_eq!(recipe.linker[..EVERY_IMAGE.len()], *EVERY_IMAGE);
        assert_eq!(recipe.linker[EVERY_IMAGE.len()..], ["-z", "one=1", "--two"]);
        assert_eq!(recipe.strip, ["-S"]);
    }

    #[test]
    fn the_makefile_is_for_this_architecture() {
        let recipe = Recipe::read(&Workspace::current()).unwrap();
        assert!(recipe.compiler.contains(&format!("--target={}", ARCHITECTURE.triple)));
        let emulation = ["-m", ARCHITECTURE.emulation];
        assert!(recipe.linker.windows(2).any(|words| words == emulation), "{recipe:?}");
    }

    #[test]
    fn a_makefile_without_flags_is_refused() {
        let error = Recipe::parse("obj-y += layout.o\n").unwrap_err().to_string();
        assert!(error.contains("rust-flags-y"), "{error}");
    }
}
