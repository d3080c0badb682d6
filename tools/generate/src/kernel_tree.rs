//! The image's sources as they stand in a kernel's tree, and the patch of the series that adds
//! them.
//!
//! The kernel's build makes the image from a folder of its own. Every file there is a file of this
//! workspace, byte for byte, but for its name. The patch has a message and hunks by hand (for
//! `MAINTAINERS`) in front of the first of these files; everything behind is made here.
//!
//! # Invariants
//!
//! 1. A file of the folder is in the patch and in [`files`], or in neither.

use anyhow::{Context as _, Result, ensure};
use liblinux_workspace::{Workspace, product};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder in a kernel's tree.
pub const FOLDER: &str = "arch/x86/entry/vdso/rust";

/// The patch that adds the folder, below `kernel-patch`.
const PATCH: &str = "7.3/in-tree/0001-x86-vdso-Add-the-sources-of-a-64-bit-image-in-Rust.patch";

/// Where each file, or each folder with all below it, comes from, and its name in [`FOLDER`].
const PLACES: &[(&str, &str)] = &[
    ("linker/x86_64/vdso.lds", "vdso64-rust.lds.S"),
    ("linker/x86_64/vdso.map", "vdso.map"),
    ("vdso/abi/src", "abi/src"),
    ("vdso/fixup/src", "fixup/src"),
    ("vdso/image/src", "image/src"),
    ("vdso/kbuild/Makefile", "Makefile"),
    ("vdso/kbuild/layout.c", "layout.c"),
];

/// Every file of the folder, by its name there.
pub fn files(workspace: &Workspace) -> Result<BTreeMap<PathBuf, String>> {
    let mut found = BTreeMap::new();
    for (from, to) in PLACES {
        let from = workspace.root().join(from);
        let names = if from.is_dir() { files_below(&from)? } else { vec![PathBuf::new()] };
        ensure!(!names.is_empty(), "{} has no files", from.display());
        for name in names {
            // Joining an empty name would end the path with a slash.
            let join = |folder: &Path| folder.components().chain(name.components()).collect();
            let path: PathBuf = join(&from);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            found.insert(join(Path::new(to)), text);
        }
    }
    Ok(found)
}

/// The files below a folder, relative to it, in order.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        let entries =
            fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                left.push(path);
            } else {
                found.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Writes the patch if it is not what it should be.
pub fn write(workspace: &Workspace) -> Result<()> {
    product::write(&path(workspace), patch(workspace)?)
}

/// Fails if the patch is not what the sources ask for.
pub fn require_fresh(workspace: &Workspace) -> Result<()> {
    let path = path(workspace);
    ensure!(
        fs::read_to_string(&path).unwrap_or_default() == patch(workspace)?,
        "{} does not have the sources as they are now; run `cargo xtask bless`",
        path.display()
    );
    Ok(())
}

fn path(workspace: &Workspace) -> PathBuf {
    workspace.root().join("kernel-patch").join(PATCH)
}

/// The patch as it should be: its text up to the folder's files, and these.
fn patch(workspace: &Workspace) -> Result<String> {
    let path = path(workspace);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(with_files(&text, &files(workspace)?))
}

fn with_files(text: &str, files: &BTreeMap<PathBuf, String>) -> String {
    let first = format!("diff --git a/{FOLDER}/");
    let by_hand = text.find(&first).map_or(text, |at| &text[..at]);
    let mut patch = by_hand.to_owned();
    for (name, text) in files {
        let name = format!("{FOLDER}/{}", name.display());
        let count = text.lines().count();
        writeln!(patch, "diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null")
            .and_then(|()| writeln!(patch, "+++ b/{name}\n@@ -0,0 +1,{count} @@"))
            .and_then(|()| text.lines().try_for_each(|line| writeln!(patch, "+{line}")))
            .expect("a String takes everything");
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_has_the_sources_as_they_are() {
        require_fresh(&Workspace::current()).unwrap();
    }

    /// As the kernel wants it: the first line says the licence.
    #[test]
    fn each_file_says_its_licence() {
        let files = files(&Workspace::current()).unwrap();
        for (name, text) in &files {
            let mut top = text.lines().take(2);
            assert!(
                top.any(|line| line.contains("SPDX-License-Identifier: GPL-2.0-only OR MIT")),
                "begin {} with `// SPDX-License-Identifier: GPL-2.0-only OR MIT`",
                name.display()
            );
            assert!(text.ends_with('\n') && !text.contains('\r'), "{}", name.display());
        }
        assert!(files.len() > PLACES.len());
    }

    /// As root, rustc replaces whatever `-o` names by a regular file, `/dev/null` of a probe too.
    #[test]
    fn no_probe_names_an_output_file() {
        let workspace = Workspace::current();
        let patches = files_below(path(&workspace).parent().unwrap()).unwrap();
        let folder = workspace.root().join("kernel-patch/7.3/in-tree");
        let mut seen = 0;
        for name in patches {
            let text = fs::read_to_string(folder.join(&name)).unwrap();
            for line in text.lines().filter(|line| line.contains("$(success,")) {
                assert!(!line.contains(" -o "), "{}: {line}", name.display());
                seen += usize::from(line.contains("$(RUSTC)"));
            }
        }
        assert!(seen > 0, "the series has no probe for the compiler");
    }

    #[test]
    fn what_is_by_hand_stays() {
        let old = format!(
            "From 0\n\nWhy\n---\n\ndiff --git a/MAINTAINERS b/MAINTAINERS\n+X\n\
             diff --git a/{FOLDER}/old b/{FOLDER}/old\n+old\n"
        );
        let files = BTreeMap::from([(PathBuf::from("a/b"), "one\ntwo\n".to_owned())]);
        let new = with_files(&old, &files);
        assert!(
            new.starts_with("From 0\n\nWhy\n---\n\ndiff --git a/MAINTAINERS b/MAINTAINERS\n+X\n")
        );
        assert!(new.ends_with("+++ b/arch/x86/entry/vdso/rust/a/b\n@@ -0,0 +1,2 @@\n+one\n+two\n"));
        assert!(!new.contains("old"));
        assert_eq!(with_files(&new, &files), new);
    }
}
