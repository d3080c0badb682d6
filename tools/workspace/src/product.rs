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

/// Moves the file `new` to `place` unless the same bytes are there; the caller removes a `new`
/// that was not moved.
pub fn install(new: &Path, place: &Path) -> Result<()> {
    let bytes = fs::read(new).with_context(|| format!("cannot read {}", new.display()))?;
    if holds(place, &bytes) {
        return Ok(());
    }
    fs::rename(new, place)
        .with_context(|| format!("cannot move {} to {}", new.display(), place.display()))
}

/// Makes `place` a file with these bytes, unless it is one.
pub fn write(place: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
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
    use std::os::unix::fs::MetadataExt as _;

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
