//! Which objects a series touches.

use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder that is built as a whole: its Makefiles make images of its objects, and check them.
const VDSO: &str = "arch/x86/entry/vdso/";

/// Folders whose files a kernel does not contain.
const ELSEWHERE: [&str; 4] = ["Documentation/", "tools/", "arch/x86/tools/", "samples/"];

/// The option for which files that the series adds are compiled.
const OF_ADDED: &str = "CONFIG_X86_VDSO_FIXUP=y";

/// The sources that a series touches.
#[derive(Debug, Default)]
pub struct Touched {
    sources: BTreeSet<String>,
    added: BTreeSet<String>,
}

impl Touched {
    /// Of patches.
    pub fn by(patches: &[PathBuf]) -> Result<Self> {
        let mut touched = Self::default();
        for patch in patches {
            let text = fs::read_to_string(patch)
                .with_context(|| format!("cannot read {}", patch.display()))?;
            touched.add(&text);
        }
        Ok(touched)
    }

    fn add(&mut self, patch: &str) {
        let mut is_new = false;
        for line in patch.lines() {
            if let Some(old) = line.strip_prefix("--- ") {
                is_new = old == "/dev/null";
            }
            let Some(path) = line.strip_prefix("+++ b/") else { continue };
            let is_source = path.ends_with(".c") || path.ends_with(".S");
            if !is_source || ELSEWHERE.iter().any(|folder| path.starts_with(folder)) {
                continue;
            }
            self.sources.insert(path.to_owned());
            if is_new {
                self.added.insert(path.to_owned());
            }
        }
    }

    /// What make is asked for in a tree that has some of the patches, for a kernel of `config`.
    pub fn targets(&self, tree: &Path, architecture: &str, config: &str) -> Vec<String> {
        let has_added = config.lines().any(|line| line == OF_ADDED);
        let is_made = |path: &&String| {
            let is_of_64_bits = path.trim_end_matches(".c").ends_with("_64");
            !path.starts_with(VDSO)
                && tree.join(path).is_file()
                && (has_added || !self.added.contains(*path))
                && (architecture == "x86_64" || !is_of_64_bits)
        };
        let objects = self.sources.iter().filter(is_made).map(|path| {
            let stem = path.trim_end_matches(['c', 'S']);
            format!("{stem}o")
        });
        objects.chain([VDSO.to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "--- a/mm/mremap.c\n+++ b/mm/mremap.c\n--- /dev/null\n+++ b/mm/vdso_fixup.c\n\
        --- a/arch/x86/kernel/process_64.c\n+++ b/arch/x86/kernel/process_64.c\n\
        --- a/arch/x86/entry/vdso/vma.c\n+++ b/arch/x86/entry/vdso/vma.c\n\
        --- a/tools/testing/x.c\n+++ b/tools/testing/x.c\n--- a/mm/Makefile\n+++ b/mm/Makefile\n";

    #[test]
    fn objects_are_those_that_the_configuration_has() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["mm/mremap.c", "mm/vdso_fixup.c", "arch/x86/kernel/process_64.c"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut touched = Touched::default();
        touched.add(PATCH);
        let targets =
            |architecture, config| touched.targets(folder.path(), architecture, config).join(" ");
        let all = "arch/x86/kernel/process_64.o mm/mremap.o mm/vdso_fixup.o arch/x86/entry/vdso/";
        assert_eq!(targets("x86_64", OF_ADDED), all);
        assert_eq!(targets("i386", ""), "mm/mremap.o arch/x86/entry/vdso/");
        fs::remove_file(folder.path().join("mm/mremap.c")).unwrap();
        assert_eq!(targets("i386", ""), "arch/x86/entry/vdso/");
    }
}
