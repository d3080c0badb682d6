//! A folder: of a kernel's build, of `/lib/modules`, of images gathered by hand.
//!
//! # Invariants
//!
//! 1. Symbolic links are not followed, and no deeper than [`DEPTH`]: so every walk ends.

use super::file::{debug_of, read};
use super::{Found, IMAGE_LIMIT};
use std::path::{Path, PathBuf};

/// How deep folders are searched: `arch/x86/entry/vdso` of a build is four.
const DEPTH: usize = 8;

/// The images in a folder: ELF files whose name begins with `vdso` or `linux-` and ends with
/// `.so`.
pub(super) fn images(folder: &Path) -> Result<Vec<Found>, String> {
    let mut paths = Vec::new();
    search(folder, DEPTH, &mut paths)?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let bytes = read(&path, IMAGE_LIMIT)?;
        if bytes.starts_with(b"\x7fELF") {
            let debug = debug_of(&path)?;
            found.push(Found { name: path.display().to_string(), bytes, debug });
        }
    }
    if found.is_empty() {
        return Err(format!(
            "{} is a directory without an image; its images are files vdso*.so",
            folder.display()
        ));
    }
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in folder.read_dir().map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() && depth > 0 {
            search(&entry.path(), depth - 1, found)?;
        } else if kind.is_file() && is_named_like_one(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    Ok(())
}

/// Whether a file is named as kernels name their images.
pub(super) fn is_named_like_one(name: &str) -> bool {
    (name.starts_with("vdso") || name.starts_with("linux-")) && name.ends_with(".so")
}
