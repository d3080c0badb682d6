//! Files that commands make: each is written only if it differs from what is there.
//!
//! Cargo, `make` and the linker go by a file's time. A file that is written anew with the same
//! content makes each of them do its work again: one image with a new time, and the runner that has
//! the image inside is compiled once more.
//!
//! # Invariants
//!
//! 1. A file that has its content already keeps its time and its inode.
//! 2. A file at its final path is whole: it is made beside it and renamed.

use anyhow::{Context as _, Result};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The access that a file which is written gets.
const MODE: u32 = 0o644;

/// Moves the file `new` to `place` unless the same bytes are there; then `new` is left for its
/// owner to remove.
pub(crate) fn install(new: &Path, place: &Path) -> Result<()> {
    let bytes = fs::read(new).with_context(|| format!("cannot read {}", new.display()))?;
    if holds(place, &bytes) {
        return Ok(());
    }
    fs::rename(new, place).with_context(|| format!("cannot move {} to {}", new.display(), place.display()))
}

/// Makes `place` a file with these bytes, unless it is one.
pub(crate) fn write(place: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let bytes = bytes.as_ref();
    if holds(place, bytes) {
        return Ok(());
    }
    let write = || -> Result<()> {
        let folder = place.parent().context("it has no folder")?;
        fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(bytes)?;
        new.as_file().set_permissions(fs::Permissions::from_mode(MODE))?;
        new.persist(place)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", place.display()))
}

fn holds(place: &Path, bytes: &[u8]) -> bool {
    fs::read(place).is_ok_and(|present| present == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;
    use crate::{client, fixup_header, image, legacy, run, version_script};
    use std::collections::BTreeMap;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::PathBuf;

    type Step = fn(&Workspace) -> Result<()>;

    /// What `bless` writes, and whether it is written already.
    const GENERATED: [(Step, Step); 3] = [
        (version_script::require_fresh, version_script::write),
        (legacy::require_fresh, legacy::write),
        (fixup_header::require_fresh, fixup_header::write),
    ];

    /// Every file of a folder with what tells whether it was written: inode and time.
    fn times(folder: &Path, found: &mut BTreeMap<PathBuf, (u64, i64, i64)>) {
        let data =
            fs::symlink_metadata(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        if data.is_dir() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                // Scratch folders are those of other tests.
                if !entry.file_name().as_encoded_bytes().starts_with(b".tmp") {
                    times(&entry.path(), found);
                }
            }
        } else {
            found.insert(folder.to_owned(), (data.ino(), data.mtime(), data.mtime_nsec()));
        }
    }

    #[test]
    fn a_command_that_has_nothing_to_do_writes_nothing() {
        let workspace = Workspace::current();
        let root = workspace.root();
        let make = || {
            image::build(&workspace).unwrap();
            image::build_update(&workspace).unwrap();
            client::build(&workspace).unwrap();
            for (require_fresh, write) in GENERATED {
                // A stale file is another test's to report, and no test's to mend.
                require_fresh(&workspace).unwrap();
                write(&workspace).unwrap();
            }
            run::build(&workspace).unwrap()
        };
        let runner = make();
        let look = || {
            let mut found = BTreeMap::new();
            for place in ["target/vdso", "target/client", "linker", "vdso/client/include", "kernel-patch"] {
                times(&root.join(place), &mut found);
            }
            for place in [&workspace.client().join("src/calls.rs"), &workspace.legacy_document(), &runner] {
                times(place, &mut found);
            }
            found
        };
        let before = look();
        assert!(before.contains_key(&workspace.image()) && before.contains_key(&workspace.lock()));
        make();
        let after = look();
        let written: Vec<_> = after.iter().filter(|(path, time)| before.get(*path) != Some(time)).collect();
        assert!(written.is_empty(), "written again with nothing changed: {written:?}");
        assert_eq!(before.len(), after.len(), "files are gone");
    }

    #[test]
    fn what_differs_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (new, place) = (folder.path().join("new"), folder.path().join("deep/place"));
        write(&place, "one").unwrap();
        let inode = fs::metadata(&place).unwrap().ino();
        write(&place, "one").unwrap();
        fs::write(&new, "one").unwrap();
        install(&new, &place).unwrap();
        assert_eq!(fs::metadata(&place).unwrap().ino(), inode);
        write(&place, "two").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"two");
        install(&new, &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"one");
    }
}
