//! The files that calls are tried on.
//!
//! `file`, `link` (to it) and `still/` never change, so that what the kernel says about them can be
//! compared. `gone` and `empty/` are there before each call and may be changed or removed by it;
//! `fresh` is not there and may be made.
//!
//! # Invariants
//!
//! 1. [`Folder::reset`] brings about the state above, whatever a call did to `gone`, `empty` and
//!    `fresh`.
//! 2. No legacy call is made here: the kernel may refuse them.

use nix::fcntl::{AT_FDCWD, readlinkat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use std::ffi::{CString, OsString};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Times before this one, in seconds since the epoch, were set by a call; later ones are those of
/// the sweep.
const SET_BEFORE: i64 = 1_000_000_000;

/// What can be seen of a file, but for what differs from one moment to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    name: OsString,
    /// Type, permissions, owner, group, links, device.
    facts: [u64; 5],
    size: Option<u64>,
    /// Access and modification, where a call set them.
    times: [Option<(i64, i64)>; 2],
    /// What is in a file, or where a link leads.
    content: Vec<u8>,
}

impl State {
    fn of(path: &Path) -> io::Result<Self> {
        let data = fs::symlink_metadata(path)?;
        let facts = [
            u64::from(data.mode()),
            data.uid().into(),
            data.gid().into(),
            data.nlink(),
            data.rdev(),
        ];
        let times = [(data.atime(), data.atime_nsec()), (data.mtime(), data.mtime_nsec())];
        let content = if data.is_symlink() {
            readlinkat(AT_FDCWD, path)?.as_bytes().to_vec()
        } else if data.is_file() {
            fs::read(path).or_else(|error| match error.kind() {
                ErrorKind::PermissionDenied => Ok(Vec::new()),
                _ => Err(error),
            })?
        } else {
            Vec::new()
        };
        Ok(Self {
            name: path.file_name().unwrap_or_default().to_owned(),
            facts,
            size: Some(&data).filter(|data| data.is_file()).map(Metadata::len),
            times: times.map(|time| Some(time).filter(|time| time.0 < SET_BEFORE)),
            content,
        })
    }
}

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
        make_folder(&path)?;
        let name = CString::new(path.as_os_str().as_bytes())?;
        let folder = Self { path, name };
        fs::write(folder.path.join("file"), "the image lives in every process\n")?;
        symlinkat("file", AT_FDCWD, &folder.path.join("link"))?;
        make_folder(&folder.path.join("still"))?;
        fs::write(folder.path.join("still/life"), "")?;
        Ok(folder)
    }

    /// Undoes what a call did.
    pub(super) fn reset(&self) -> io::Result<()> {
        for name in ["fresh", "gone", "empty"] {
            let path = self.path.join(name);
            let removed = match fs::symlink_metadata(&path) {
                Ok(entry) if entry.is_dir() => remove(&path, UnlinkatFlags::RemoveDir),
                Ok(_) => remove(&path, UnlinkatFlags::NoRemoveDir),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            };
            removed?;
        }
        fs::write(self.path.join("gone"), "soon\n")?;
        make_folder(&self.path.join("empty"))
    }

    /// What the folder and all that is in it is like, in order of names.
    pub(super) fn state(&self) -> io::Result<Vec<State>> {
        let mut paths = vec![self.path.clone(), self.path.join("still/life")];
        for entry in fs::read_dir(&self.path)? {
            paths.push(entry?.path());
        }
        paths.sort();
        paths.iter().map(|path| State::of(path)).collect()
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    Ok(mkdirat(AT_FDCWD, path, Mode::S_IRWXU | Mode::S_IRWXG | Mode::S_IRWXO)?)
}

fn remove(path: &Path, kind: UnlinkatFlags) -> io::Result<()> {
    Ok(unlinkat(AT_FDCWD, path, kind)?)
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A file that remains in a temporary folder does no harm.
        let _ = fs::remove_dir_all(&self.path);
    }
}
