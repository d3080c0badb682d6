//! Puts an image where a kernel build takes it in.
//!
//! The kernel's make decides by modification time whether the image is new, and a build that sees a
//! half-written file fails in ways that do not name the cause. So the copy is skipped when the
//! bytes are equal, and otherwise appears all at once under its name. One fact of the kernel goes
//! into it on the way: the tick (`layout::TICK`). This module does not judge the image:
//! `liblinux-check` does that before, and the kernel's own `vdso2c` after.
//!
//! # Invariants
//!
//! 1. After `Ok`, the file at `place` has exactly the bytes of `image`, but for the tick.
//! 2. A file with the right bytes is not touched: its modification time stays, and make rebuilds
//!    nothing.
//! 3. `place` never holds part of an image, whenever this process is killed.

use crate::layout;
use anyhow::{Context as _, Result, ensure};
use liblinux_abi::image::layout::TICK;
use liblinux_abi::kernel::clock::tick_nsec;
use liblinux_workspace::Line;
use std::fs;
use std::io::Write as _;
use std::path::Path;

/// What [`embed`] found and did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedded {
    /// The bytes were there already; nothing was written.
    Unchanged,
    /// The image was copied; the next make takes it in.
    Replaced,
}

/// Writes the tick of a kernel with this `CONFIG_HZ` into an image.
pub fn set_tick(image: &mut [u8], hz: u32) -> Result<()> {
    ensure!(hz > 0, "a kernel has no CONFIG_HZ of 0");
    let tick =
        image.get_mut(TICK..).and_then(|rest| rest.first_chunk_mut()).with_context(|| {
            format!("the image ends before its tick at {TICK:#x}; run `cargo xtask image`")
        })?;
    *tick = tick_nsec(hz).to_le_bytes();
    Ok(())
}

/// Makes the file at `place` equal to `image` for a kernel of this line with this `CONFIG_HZ`,
/// creating its folder if need be.
///
/// An image that is empty or not an ELF file is refused, so that a cut-short build of the image is
/// named here and not by a kernel tool minutes later. So is one for another kernel line.
pub fn embed(image: &Path, place: &Path, line: &Line, hz: u32) -> Result<Embedded> {
    let mut bytes = fs::read(image).with_context(|| {
        format!("cannot read the image {}; `cargo xtask image` makes it", image.display())
    })?;
    ensure!(
        bytes.starts_with(b"\x7fELF"),
        "{} is not an ELF file ({} bytes), so no kernel can map it; remove it and run `cargo xtask image`",
        image.display(),
        bytes.len()
    );
    layout::require(&bytes, line).with_context(|| format!("{}", image.display()))?;
    set_tick(&mut bytes, hz)?;
    put(&bytes, place)
}

/// Makes the file at `place` have these bytes.
fn put(bytes: &[u8], place: &Path) -> Result<Embedded> {
    if fs::read(place).is_ok_and(|present| present == bytes) {
        return Ok(Embedded::Unchanged);
    }
    let folder = place.parent().with_context(|| format!("{} names no file", place.display()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot create a file in {}", folder.display()))?;
    file.write_all(bytes).with_context(|| format!("cannot write in {}", folder.display()))?;
    file.persist(place).with_context(|| format!("cannot replace {}", place.display()))?;
    Ok(Embedded::Replaced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::{Workspace, line};

    #[test]
    fn replaces_only_other_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("tree/deep/vdso64.so");
        assert_eq!(put(b"one", &place).unwrap(), Embedded::Replaced);
        let written = fs::metadata(&place).unwrap().modified().unwrap();
        assert_eq!(put(b"one", &place).unwrap(), Embedded::Unchanged);
        assert_eq!(fs::metadata(&place).unwrap().modified().unwrap(), written);
        assert_eq!(put(b"two", &place).unwrap(), Embedded::Replaced);
        assert_eq!(fs::read(&place).unwrap(), b"two");
        // Nothing but the image is left behind.
        assert_eq!(fs::read_dir(place.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_image_gets_the_tick_of_its_kernel() {
        let folder = tempfile::tempdir().unwrap();
        for line in line::LINES {
            let image = crate::build::build(&Workspace::current(), line).unwrap();
            let place = folder.path().join(line.version);
            assert_eq!(embed(&image, &place, line, 300).unwrap(), Embedded::Replaced);
            let mut expected = fs::read(&image).unwrap();
            expected[TICK..TICK + 4].copy_from_slice(&3_333_333_u32.to_le_bytes());
            assert!(fs::read(&place).unwrap() == expected, "{}", line.version);
            assert_eq!(embed(&image, &place, line, 300).unwrap(), Embedded::Unchanged);
        }
    }

    #[test]
    fn refuses_what_is_no_image_of_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let place = folder.path().join("place");
        let refusal = |image: &Path, line| {
            format!("{:#}", embed(image, &place, line, 250).expect_err("it is refused"))
        };
        assert!(refusal(&image, line::DEFAULT).contains("cargo xtask image"));
        fs::write(&image, b"").unwrap();
        assert!(refusal(&image, line::DEFAULT).contains("not an ELF file"));
        fs::write(&image, b"\x7fELF").unwrap();
        assert!(refusal(&image, line::DEFAULT).contains("the image cannot be read"));
        let image = crate::build::build(&Workspace::current(), line::DEFAULT).unwrap();
        for other in line::LINES.iter().filter(|line| *line != line::DEFAULT) {
            let why = refusal(&image, other);
            assert!(
                why.contains(&format!("is for the data pages of Linux {}", line::DEFAULT.version)),
                "{why}"
            );
        }
        assert!(set_tick(&mut [0; 16], 250).unwrap_err().to_string().contains("before its tick"));
        assert!(!place.exists());
    }
}
