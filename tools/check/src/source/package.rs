//! A Debian package of a kernel: an `ar` archive, in it `data.tar`, in it the images as files and
//! the kernel.

use super::folder::is_named_like_one;
use super::unpack::{Budget, format, reader};
use super::{Found, IMAGE_LIMIT, KERNEL_LIMIT, kernel};
use std::io::{Cursor, Read};

/// The images of a package: its files named so, and without these its kernel's.
pub(super) fn images(name: &str, package: &[u8]) -> Result<Vec<Found>, String> {
    let data = member(package, "data.tar").ok_or_else(|| {
        format!("{name} is an archive without data.tar; give a Debian package of a kernel")
    })?;
    let unreadable = |error: std::io::Error| format!("{name}: data.tar: {error}");
    let input: Box<dyn Read + '_> = match format(data) {
        Some(format) => reader(format, data).map_err(unreadable)?,
        None => Box::new(Cursor::new(data)),
    };
    let mut budget = Budget::of(package.len());
    let mut archive = tar::Archive::new(input.take(budget.left()));
    let (mut found, mut kernels) = (Vec::new(), Vec::new());
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path().map_err(unreadable)?.display().to_string();
        let file = path.rsplit('/').next().unwrap_or_default();
        let is_kernel =
            file.starts_with("vmlinu") && (path.contains("boot/") || path.contains("lib/modules/"));
        let limit = if is_kernel { KERNEL_LIMIT } else { IMAGE_LIMIT };
        let is_taken = is_kernel || is_named_like_one(file);
        if !entry.header().entry_type().is_file() || !is_taken || entry.size() > limit {
            continue;
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
        if is_kernel {
            kernels.push((format!("{name}: {path}"), bytes));
        } else if bytes.starts_with(b"\x7fELF") {
            found.push(Found { name: format!("{name}: {path}"), bytes, debug: None });
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    for (name, bytes) in kernels {
        found.extend(kernel::images(&name, bytes, &mut budget)?);
    }
    if found.is_empty() {
        return Err(format!(
            "{name} has neither files vdso*.so nor a kernel in boot/ or lib/modules/"
        ));
    }
    Ok(found)
}

/// The member of an `ar` archive whose name begins so.
fn member<'a>(archive: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    const HEADER: usize = 60;
    let mut at = 8;
    loop {
        let header = archive.get(at..at + HEADER)?;
        let size: usize = std::str::from_utf8(&header[48..58]).ok()?.trim().parse().ok()?;
        let start = at + HEADER;
        let bytes = archive.get(start..start.checked_add(size)?)?;
        if header.starts_with(wanted.as_bytes()) {
            return Some(bytes);
        }
        at = start.checked_add(size.next_multiple_of(2))?;
    }
}
