//! Kernel images: `vmlinux`, `bzImage`, `zImage`, `Image`, EFI zboot, and each of these compressed.
//!
//! # Invariants
//!
//! 1. At most [`LAYERS`] layers are unpacked: a compressed file of a kernel that unpacks itself.

use super::unpack::{Budget, Format, format, unpack};
use super::{Found, carve};

/// Layers of compression.
const LAYERS: usize = 3;

/// How often a payload is looked for whose place no header tells.
const ATTEMPTS: usize = 64;

/// Whether a file may hold a kernel: it is compressed, or begins as kernels do.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    let is_boot_sector = bytes.get(0x202..0x206) == Some(b"HdrS");
    let is_arm = bytes.get(0x24..0x28) == Some(&[0x18, 0x28, 0x6f, 0x01]);
    format(bytes).is_some() || bytes.starts_with(b"MZ") || is_boot_sector || is_arm
}

/// The images of a kernel, which may unpack to what the budget still has.
pub(super) fn images(
    name: &str,
    bytes: Vec<u8>,
    budget: &mut Budget,
) -> Result<Vec<Found>, String> {
    let mut layer = bytes;
    for _ in 0..=LAYERS {
        let found = carve::images(name, &layer)?;
        if !found.is_empty() {
            return Ok(found);
        }
        let inner = inner(&layer, budget).map_err(|error| format!("{name}: {error}"))?;
        let Some(inner) = inner else { break };
        layer = inner;
    }
    Err(format!(
        "{name} holds no vDSO: it is not an image, a kernel (vmlinux, bzImage, Image, also compressed) or a Debian package of one"
    ))
}

/// What the layer unpacks to.
fn inner(layer: &[u8], budget: &mut Budget) -> Result<Option<Vec<u8>>, String> {
    let payload = declared(layer).unwrap_or(layer);
    if let Some(format) = format(payload) {
        let bytes = unpack(format, payload, budget)?;
        return Ok(Some(bytes).filter(|bytes| bytes.len() > payload.len() / 2));
    }
    searched(layer, budget)
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(word.iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte)))
}

/// The payload that the headers of x86's boot protocol or of EFI zboot tell.
fn declared(layer: &[u8]) -> Option<&[u8]> {
    let (start, len) = if layer.get(0x202..0x206) == Some(b"HdrS") {
        let setup = match layer[0x1f1] {
            0 => 4,
            sectors => usize::from(sectors),
        };
        ((setup + 1) * 512 + word(layer, 0x248)?, word(layer, 0x24c)?)
    } else if layer.get(4..8) == Some(b"zimg") {
        (word(layer, 8)?, word(layer, 12)?)
    } else {
        return None;
    };
    layer.get(start..start.checked_add(len)?)
}

/// What the first payload gives that unpacks to something large: 32-bit Arm tells its place
/// nowhere.
fn searched(layer: &[u8], budget: &mut Budget) -> Result<Option<Vec<u8>>, String> {
    let mut attempts = 0;
    for at in 0..layer.len() {
        let Some(format) = format(&layer[at..]) else { continue };
        // Three bytes are found by chance.
        if format == Format::Lzma && !is_lzma(&layer[at..]) {
            continue;
        }
        attempts += 1;
        let bytes = unpack(format, &layer[at..], budget)?;
        if bytes.len() > layer.len() / 2 && bytes.len() > 1 << 20 {
            return Ok(Some(bytes));
        }
        if attempts == ATTEMPTS {
            break;
        }
    }
    Ok(None)
}

/// Whether the 13 bytes of an LZMA header are as the kernel's build writes them: a dictionary of a
/// power of two.
fn is_lzma(bytes: &[u8]) -> bool {
    word(bytes, 1).is_some_and(usize::is_power_of_two)
}
