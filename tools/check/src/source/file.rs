//! A file or standard input, by its first bytes: an image, a kernel, a package.

use super::unpack::Budget;
use super::{DEBUG_LIMIT, Found, IMAGE_LIMIT, KERNEL_LIMIT, folder, kernel, package};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a `.deb` begins with.
const PACKAGE: &[u8] = b"!<arch>\n";

/// The images of a file or a folder.
pub(super) fn at(path: &Path) -> Result<Vec<Found>, String> {
    if path.is_dir() {
        return folder::images(path);
    }
    let name = path.display().to_string();
    let bytes = read(path, KERNEL_LIMIT)?;
    let debug = if is_image(&bytes) { debug_of(path)? } else { None };
    images_in(&name, bytes, debug)
}

/// The images of standard input.
pub(super) fn standard_input() -> Result<Vec<Found>, String> {
    let name = "standard input";
    let mut bytes = Vec::new();
    let input = std::io::stdin().lock().take(KERNEL_LIMIT + 1);
    within(input, &mut bytes, KERNEL_LIMIT).map_err(|error| format!("{name}: {error}"))?;
    images_in(name, bytes, None)
}

/// An image that is a file of its own.
fn image(name: &str, bytes: Vec<u8>, debug: Option<Vec<u8>>) -> Result<Found, String> {
    let len = bytes.len() as u64;
    if len > IMAGE_LIMIT {
        return Err(format!(
            "{name} has {len} bytes, more than the {IMAGE_LIMIT} that an image can have; give the path of a vDSO image"
        ));
    }
    Ok(Found { name: name.to_owned(), bytes, debug })
}

/// The images of a file's bytes: the image that they are, or those that they hold. `debug` is the
/// unstripped twin of an image.
pub fn images_in(name: &str, bytes: Vec<u8>, debug: Option<Vec<u8>>) -> Result<Vec<Found>, String> {
    if is_image(&bytes) {
        return Ok(vec![image(name, bytes, debug)?]);
    }
    if bytes.starts_with(PACKAGE) {
        return package::images(name, &bytes);
    }
    let mut budget = Budget::of(bytes.len());
    kernel::images(name, bytes, &mut budget)
}

/// Whether this is to be judged as it is: an ELF file of the size of an image, or what is too small
/// to be a kernel, about which the checker says why it is none.
fn is_image(bytes: &[u8]) -> bool {
    let is_elf = bytes.starts_with(b"\x7fELF");
    let is_large = bytes.len() as u64 > IMAGE_LIMIT;
    !is_large && (is_elf || !kernel::is_packed(bytes) && !bytes.starts_with(PACKAGE))
}

/// The unstripped image beside an image.
pub(super) fn debug_of(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let beside = debug_beside(path);
    if beside.exists() { read(&beside, DEBUG_LIMIT).map(Some) } else { Ok(None) }
}

/// The path of the unstripped image that belongs to `file`.
pub fn debug_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".dbg");
    PathBuf::from(name)
}

/// The bytes of a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", path.display());
    // Before it is opened: opening a FIFO waits for a writer.
    let kind = path.metadata().map_err(unreadable)?;
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "not a regular file" };
        return Err(format!("{} is {what}; give the path of a vDSO image", path.display()));
    }
    let too_large = |len: u64| {
        format!(
            "{} has {len} bytes, more than the {limit} that such a file can have; give the path of a vDSO image",
            path.display()
        )
    };
    // A file can grow, or not tell its size: the length is asked first and measured then.
    if kind.len() > limit {
        return Err(too_large(kind.len()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?.take(limit + 1);
    within(file, &mut bytes, limit).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(bytes)
}

/// Reads all, and refuses more than `limit` bytes.
fn within(mut input: impl Read, bytes: &mut Vec<u8>, limit: u64) -> Result<(), String> {
    input.read_to_end(bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > limit {
        return Err(format!("there are more than the {limit} bytes that such a file can have"));
    }
    Ok(())
}
