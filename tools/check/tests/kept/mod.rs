//! Real images that were fetched once: Debian's kernels', which this repository does not hold.

use std::fs;
use std::path::{Path, PathBuf};

/// Where they are kept.
pub(crate) fn folder() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(home).join("liblinux/images")
}

/// A file name for an image that was found in a package or a kernel.
#[allow(dead_code, reason = "the test only reads")]
pub(crate) fn name_of(found: &str) -> String {
    let source = found.split(": ").next().unwrap_or_default();
    let package = Path::new(source).file_name().unwrap_or_default().to_string_lossy();
    let package = package.split('_').next().unwrap_or_default().to_owned();
    let place = found.rsplit(['/', ' ']).next().unwrap_or_default().trim_end_matches(".so");
    format!("{package}.{place}.so")
}

/// All that are kept, by name.
pub(crate) fn images() -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder()).into_iter().flatten().flatten();
    let mut found: Vec<(String, Vec<u8>)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            name.ends_with(".so").then(|| fs::read(entry.path()).ok().map(|bytes| (name, bytes)))?
        })
        .collect();
    found.sort();
    found
}
