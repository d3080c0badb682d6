//! Which profile an image has, told by its own bytes.
//!
//! # Invariants
//!
//! 1. liblinux is told by names that it alone has, wherever they are in the file, so that no broken
//!    table makes it another vDSO, which fewer rules judge.

use super::{ANY, PROFILES, Profile, Stage};
use crate::image::Image;
use crate::view::notes::{LINUX, notes};
use liblinux_abi::image::export::FIXUPS;
use liblinux_abi::image::layout::PAGE_SIZE;

/// How many of liblinux's own names a file has to hold: one may be broken.
const OWN_NAMES: usize = 3;

/// The profile of an image.
pub fn detect(image: &Image<'_>) -> &'static Profile {
    let is_padded = image.bytes.len().is_multiple_of(PAGE_SIZE);
    if is_liblinux(image.bytes) {
        // Where a file ends within a page for any other reason, that is wrong with it.
        let is_built = !is_padded && ends_as_objcopy_does(image);
        let stage = if is_built { Stage::Built } else { Stage::Mapped };
        return by(|profile| profile.is_liblinux() && profile.stage == stage);
    }
    let is_linux = notes(image).is_ok_and(|all| all.iter().any(|note| note.owner == LINUX));
    if !is_linux {
        return by(|profile| *profile == ANY);
    }
    let is_built = !is_padded || image.has_symtab();
    let stage = if is_built { Stage::Built } else { Stage::Mapped };
    by(|profile| {
        !profile.is_liblinux()
            && profile.stage == stage
            && profile.machine.is_some_and(|machine| image.is_for(machine))
    })
}

/// The first profile that fits; any vDSO if none does.
fn by(fits: impl Fn(&Profile) -> bool) -> &'static Profile {
    PROFILES.iter().find(|profile| fits(profile)).unwrap_or(&PROFILES[0])
}

fn is_liblinux(bytes: &[u8]) -> bool {
    let is_own = |name: &[u8]| FIXUPS.iter().any(|own| own.as_bytes() == name);
    bytes.split(|byte| *byte == 0).filter(|name| is_own(name)).count() >= OWN_NAMES
}

/// Whether the file ends with its section headers, which `objcopy` writes last.
fn ends_as_objcopy_does(image: &Image<'_>) -> bool {
    let headers = image.class().section() * u64::from(image.header.e_shnum);
    image.header.e_shoff.checked_add(headers) == Some(image.bytes.len() as u64)
}
