//! Looks for what a package brings.

use std::ffi::OsStr;
use std::path::Path;

/// Whether a program is on `path`, or a file of an absolute name there.
pub(crate) fn present(probe: &str, path: &OsStr) -> bool {
    if probe.starts_with('/') {
        return Path::new(probe).exists();
    }
    std::env::split_paths(path).any(|folder| folder.join(probe).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn looks_for_programs_and_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("flex"), "").unwrap();
        assert!(present("flex", folder.path().as_os_str()));
        assert!(!present("bison", folder.path().as_os_str()));
        assert!(present("/proc/self/status", OsStr::new("")));
        assert!(!present("/proc/self/no such file", OsStr::new("")));
    }
}
