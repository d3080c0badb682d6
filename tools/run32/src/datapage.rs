//! The kernel's clock data, brought to where the 32-bit image reads it.
//!
//! The kernel keeps the data in pages below its 64-bit image, far above 4 GiB. The loader moves
//! both, so that the 32-bit image reads a clock as fast as a kernel's own one.
//!
//! The layout of these pages is not an ABI, and the wrong one would give wrong times. So the
//! process's own image says which it is ([`crate::proof`]). Where no layout is right, where the
//! kernel has sealed the mappings, or in a time namespace, all stays where it is. Then the 32-bit
//! image finds a page of zeros, and has its clocks read by the 64-bit image, as for every clock
//! that is not the TSC.
//!
//! # Invariants
//!
//! 1. Data pages and image are moved together or not at all.
//! 2. Nothing in this process reads a clock by the C library after the move, which would call the
//!    image at its old place.

#![expect(unsafe_code, reason = "moves mappings")]

use crate::memory;
use crate::proof;
use crate::status::Failure;
use liblinux_compat::data::{DATA, DATA_AT, ROOM};
use nix::errno::Errno;
use nix::libc;
use std::fs;

/// What is there, for messages.
const WHAT: &str = "the clocks' data";

/// The process's 64-bit image, and the layout by which the 32-bit one reads the clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    /// The address of the image, 0 if there is none.
    pub(crate) image: usize,
    /// The place of the layout in [`DATA`].
    pub(crate) layout: usize,
}

/// The image and the data pages below it, one mapping after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where the data pages begin.
    pub(crate) start: u64,
    /// Where the image begins.
    pub(crate) image: u64,
    /// Where it ends.
    pub(crate) end: u64,
    /// The mappings' starts and ends, the image's first.
    mappings: Vec<(u64, u64)>,
}

impl Block {
    /// The block of the image at this address; none if something else than the kernel has put the
    /// image there, or no data pages are below it.
    pub(crate) fn find(maps: &str, image: u64) -> Option<Self> {
        let mut mappings: Vec<(u64, u64)> = Vec::new();
        for line in maps.lines().rev() {
            let (range, name) = (line.split(' ').next()?, line.rsplit(' ').next()?);
            let (from, to) = range.split_once('-')?;
            let number = |text| u64::from_str_radix(text, 16).ok();
            let mapping = (number(from)?, number(to)?);
            match mappings.last() {
                None if name == "[vdso]" && mapping.0 == image => mappings.push(mapping),
                None => {}
                Some(above) if name.starts_with("[vvar") && mapping.1 == above.0 => {
                    mappings.push(mapping);
                }
                Some(_) => break,
            }
        }
        let (first, last) = (mappings.first()?, mappings.last()?);
        let (start, end) = (last.0, first.1);
        (mappings.len() > 1).then_some(Self { start, image, end, mappings })
    }
}

/// Brings the data, if that can be done; what there is then.
pub(crate) fn bring() -> Result<Clocks, Failure> {
    // SAFETY: has no precondition.
    let image = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    if let Some(block) = Block::find(&maps, image)
        && block.end - block.start <= ROOM.into()
        && let Some(layout) = DATA.iter().position(|data| proof::holds(&block, data))
    {
        let len = (block.end - block.start) as usize;
        memory::take(DATA_AT, len, WHAT)?;
        if moved(&block)? {
            let image = u64::from(DATA_AT) + (image - block.start);
            return Ok(Clocks { image: image as usize, layout });
        }
        memory::give_back(DATA_AT, len)?;
    }
    memory::take(DATA_AT, 1, WHAT)?;
    memory::seal(DATA_AT, 1, false)?;
    Ok(Clocks { image: image as usize, layout: 0 })
}

/// Moves the block; whether the kernel allows that.
fn moved(block: &Block) -> Result<bool, Failure> {
    let place = |address: u64| u64::from(DATA_AT) + (address - block.start);
    for (index, (from, to)) in block.mappings.iter().enumerate() {
        if move_mapping(*from, place(*from), to - from).is_ok() {
            continue;
        }
        for (from, to) in &block.mappings[..index] {
            move_mapping(place(*from), *from, to - from).map_err(|error| {
                Failure::own(format!(
                    "cannot move the kernel's image back to {from:#x}: {}",
                    error.desc()
                ))
            })?;
        }
        return Ok(false);
    }
    Ok(true)
}

/// Moves a mapping to a place that the loader has taken.
fn move_mapping(from: u64, to: u64, len: u64) -> Result<(), Errno> {
    let address =
        |number: u64| std::ptr::with_exposed_provenance_mut::<libc::c_void>(number as usize);
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: nothing calls the image at its old place (invariant 2), and the loader has taken the
    // new one for this.
    let result =
        unsafe { libc::mremap(address(from), len as usize, len as usize, flags, address(to)) };
    if result == libc::MAP_FAILED { Err(Errno::last()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
56000000-56001000 r--p 00000000 00:1f 77                                 /usr/bin/loader
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]
7ffd00100000-7ffd00104000 r--p 00000000 00:00 0                          [vvar]
7ffd00104000-7ffd00106000 r--p 00000000 00:00 0                          [vvar_vclock]
7ffd00106000-7ffd00108000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    #[test]
    fn finds_the_image_with_its_data_pages() {
        let block = Block::find(MAPS, 0x7ffd_0010_6000).unwrap();
        assert_eq!(
            block,
            Block {
                start: 0x7ffd_0010_0000,
                image: 0x7ffd_0010_6000,
                end: 0x7ffd_0010_8000,
                mappings: vec![
                    (0x7ffd_0010_6000, 0x7ffd_0010_8000),
                    (0x7ffd_0010_4000, 0x7ffd_0010_6000),
                    (0x7ffd_0010_0000, 0x7ffd_0010_4000),
                ],
            }
        );
    }

    #[test]
    fn leaves_alone_what_it_does_not_know() {
        // A tool has put another image in place, or there is none.
        assert_eq!(Block::find(MAPS, 0x7ffd_0020_0000), None);
        assert_eq!(Block::find(MAPS, 0), None);
        assert_eq!(Block::find("", 0x7ffd_0010_6000), None);
        // The data is elsewhere.
        let apart = MAPS.replace("7ffd00104000-7ffd00106000", "7ffd00104000-7ffd00105000");
        assert_eq!(Block::find(&apart, 0x7ffd_0010_6000), None);
        let bare = MAPS.replace("[vvar", "[other");
        assert_eq!(Block::find(&bare, 0x7ffd_0010_6000), None);
    }
}
