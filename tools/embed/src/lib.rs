//! Puts an image where a kernel build takes it in.
//!
//! The kernel's make decides by modification time whether the image is new, and a build that sees a half-written
//! file fails in ways that do not name the cause. So the copy is skipped when the bytes are equal, and otherwise
//! appears all at once under its name. Whether the image is a good one is not judged here: `liblinux-check` does
//! that before, and the kernel's own `vdso2c` after.
//!
//! # Invariants
//!
//! 1. After `Ok`, the file at `place` has exactly the bytes of `image`.
//! 2. A file with the right bytes is not touched: its modification time stays, and make rebuilds nothing.
//! 3. `place` never holds part of an image, whenever we are killed.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// What [`embed`] found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedded {
    /// The bytes were there already; nothing was written.
    Unchanged,
    /// The image was copied; the next make takes it in.
    Replaced,
}

/// Makes the file at `place` equal to `image`, creating its folder if need be.
///
/// An image that is empty or no ELF file is refused, so that a cut-short build of the image is named here and not
/// by a kernel tool minutes later.
pub fn embed(image: &Path, place: &Path) -> Result<Embedded> {
    let bytes = fs::read(image).with_context(|| {
        format!("cannot read the image {}; `cargo xtask image` makes it", image.display())
    })?;
    ensure!(
        bytes.starts_with(b"\x7fELF"),
        "{} is not an ELF file ({} bytes), so no kernel can map it; remove it and run `cargo xtask image`",
        image.display(),
        bytes.len()
    );
    if fs::read(place).is_ok_and(|present| present == bytes) {
        return Ok(Embedded::Unchanged);
    }
    let folder = place.parent().with_context(|| format!("{} names no file", place.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot create a file in {}", folder.display()))?;
    file.write_all(&bytes).with_context(|| format!("cannot write in {}", folder.display()))?;
    file.persist(place).with_context(|| format!("cannot replace {}", place.display()))?;
    Ok(Embedded::Replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_other_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let place = folder.path().join("tree/deep/vdso64.so");
        fs::write(&image, b"\x7fELF one").unwrap();

        assert_eq!(embed(&image, &place).unwrap(), Embedded::Replaced);
        let written = fs::metadata(&place).unwrap().modified().unwrap();
        assert_eq!(embed(&image, &place).unwrap(), Embedded::Unchanged);
        assert_eq!(fs::metadata(&place).unwrap().modified().unwrap(), written);

        fs::write(&image, b"\x7fELF two").unwrap();
        assert_eq!(embed(&image, &place).unwrap(), Embedded::Replaced);
        assert_eq!(fs::read(&place).unwrap(), b"\x7fELF two");
        // Nothing but the image is left behind.
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn refuses_what_is_no_image() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let place = folder.path().join("place");
        assert!(embed(&image, &place).unwrap_err().to_string().contains("cargo xtask image"));
        fs::write(&image, b"").unwrap();
        assert!(embed(&image, &place).unwrap_err().to_string().contains("not an ELF file"));
        assert!(!place.exists());
    }
}
