//! The files that calls are tried on.
//!
//! `file`, `link` (to it) and `still/` never change, so that what the kernel says about them can be compared. `gone` and
//! `empty/` are there before each call and may be changed or removed by it; `fresh` is not there and may be made.
//!
//! # Invariants
//!
//! 1. [`Folder::reset`] brings about the state above, whatever a call did to `gone`, `empty` and `fresh`.

use std::ffi::CString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A folder of the sweep's own; removed when dropped.
pub(super) struct Folder {
    path: PathBuf,
    /// The same, for `chdir`.
    pub(super) name: CString,
}

impl Folder {
    /// Makes it inside `place`.
    pub(super) fn new(place: &Path) -> io::Result<Self> {
        let path = place.join(format!("liblinux-sweep-{}", std::process::id()));
        fs::create_dir(&path)?;
        let name = CString::new(path.as_os_str().as_bytes())?;
        let folder = Self { path, name };
        fs::write(folder.path.join("file"), "the image lives in every process\n")?;
        symlink("file", folder.path.join("link"))?;
        fs::create_dir(folder.path.join("still"))?;
        fs::write(folder.path.join("still/life"), "")?;
        Ok(folder)
    }

    /// Undoes what a call did.
    pub(super) fn reset(&self) -> io::Result<()> {
        for name in ["fresh", "gone", "empty"] {
            let path = self.path.join(name);
            let removed = match fs::symlink_metadata(&path) {
                Ok(entry) if entry.is_dir() => fs::remove_dir(&path),
                Ok(_) => fs::remove_file(&path),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            removed?;
        }
        fs::write(self.path.join("gone"), "soon\n")?;
        fs::create_dir(self.path.join("empty"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in a temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.path);
    }
}
