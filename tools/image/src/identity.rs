//! The build-id of an image: a hash of what is mapped, and of nothing else.
//!
//! The linker's own (`--build-id=sha1`) also covers debugging information, so it changes with a
//! comment or a file's name. This one says whether two images behave alike: the same bytes have the
//! same id, wherever they were built.
//!
//! # Invariants
//!
//! 1. Both files of an image have the same id, and the id is the hash of the mapped file with zeros
//!    in the id's place.

use anyhow::{Context as _, Result, ensure};
use object::{Object as _, ObjectSection as _};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Bytes of an id: what readers of `NT_GNU_BUILD_ID` notes are used to.
pub(crate) const SIZE: usize = 20;

/// Bytes of a note in front of its contents: three words of 32 bits, and the owner, "GNU".
const HEADER: usize = BUILD_ID.len();

/// How the note begins: the sizes of the owner's name and of the id, `NT_GNU_BUILD_ID`, the owner.
const BUILD_ID: &[u8] = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";

/// Writes the id into the linked image and into the one that is mapped.
pub(crate) fn stamp(linked: &Path, mapped: &Path) -> Result<()> {
    let [linked_bytes, mapped_bytes] = [linked, mapped]
        .map(|path| fs::read(path).with_context(|| format!("cannot read {}", path.display())));
    let (mut linked_bytes, mut mapped_bytes) = (linked_bytes?, mapped_bytes?);
    let place = place(&mapped_bytes).with_context(|| format!("{}", mapped.display()))?;
    ensure!(
        self::place(&linked_bytes).is_ok_and(|other| other == place),
        "{} and {} have their notes in different places",
        linked.display(),
        mapped.display()
    );
    let id = id(&mapped_bytes, &place);
    for (path, bytes) in [(linked, &mut linked_bytes), (mapped, &mut mapped_bytes)] {
        bytes[place.clone()].copy_from_slice(&id);
        fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The hash of an image with zeros in the id's place.
fn id(mapped: &[u8], place: &Range<usize>) -> [u8; SIZE] {
    let mut hasher = Sha256::new();
    hasher.update(&mapped[..place.start]);
    hasher.update([0; SIZE]);
    hasher.update(&mapped[place.end..]);
    *hasher.finalize().first_chunk().expect("SHA-256 is longer than an id")
}

/// Where in an image its id is: in the first note.
fn place(image: &[u8]) -> Result<Range<usize>> {
    let elf = object::File::parse(image).context("the image is not readable")?;
    let note = elf.section_by_name(".note").and_then(|note| note.file_range());
    let (start, size) = note.context("the image has no .note; keep it in the linker script")?;
    let start = usize::try_from(start)?;
    let header = image.get(start..start + HEADER).context("the image ends before its notes")?;
    ensure!(
        size >= (HEADER + SIZE) as u64 && header == BUILD_ID,
        "the first note is not a build-id of {SIZE} bytes; compare .note in the linker script"
    );
    Ok(start + HEADER..start + HEADER + SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_depends_on_every_byte_but_its_own() {
        let image = [1; 64];
        let place = 16..16 + SIZE;
        let first = id(&image, &place);
        for at in 0..image.len() {
            let mut other = image;
            other[at] ^= 1;
            assert_eq!(id(&other, &place) == first, place.contains(&at), "byte {at}");
        }
    }
}
