//! Where built kernels are kept between runs.
//!
//! A kernel takes minutes to build and depends on nothing that changes with a new image, so it is
//! kept under a name that is made from all of its inputs. The folder is the user's
//! (`$XDG_CACHE_HOME/liblinux`), shared by all checkouts, and guarded by one lock: two builds in
//! one tree would tear each other's objects.
//!
//! # Invariants
//!
//! 1. Two sets of inputs that differ in any byte have different keys; the order and the borders of
//!    inputs count.
//! 2. The holder of a [`Lock`] is alone in the cache. The lock is the kernel's, on an open file: it
//!    ends with its holder, so a stale one cannot remain.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Trees beyond this many are removed, the least recently used first: each takes about 1.5 GB. That
/// is two kernel lines with two configurations each, one that looks for faults, and three more
/// for a series before and after a change.
const TREES_KEPT: usize = 8;

/// The cache's folder.
pub struct Cache {
    root: PathBuf,
}

/// Proof that no other process is in the folder.
pub struct Lock {
    _file: File,
}

impl Cache {
    /// The user's cache, created if need be.
    pub fn open() -> Result<Self> {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
            .context("there is no home folder to cache kernels in; set XDG_CACHE_HOME to an absolute path")?;
        Self::at(&base.join("liblinux"))
    }

    /// The cache in the folder `root`, created if need be.
    pub fn at(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).with_context(|| {
            format!(
                "cannot create the cache {}; set XDG_CACHE_HOME to a folder you can write",
                root.display()
            )
        })?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits, with a message, until no other process is in the cache.
    pub fn lock(&self) -> Result<Lock> {
        lock(&self.root.join("lock"), "the kernel cache")
    }

    /// Removes all but the trees used last; `used` is the one in use now.
    pub fn prune(&self, used: &Path) -> Result<()> {
        // Each run writes this file anew, so its time is that of the last use.
        fs::write(used.join("used"), "")
            .with_context(|| format!("cannot write in {}", used.display()))?;
        let mut trees = Vec::new();
        for entry in fs::read_dir(&self.root)
            .with_context(|| format!("cannot list {}", self.root.display()))?
        {
            let path = entry?.path();
            let is_tree =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("linux-"));
            if is_tree && path.is_dir() {
                let time = fs::metadata(path.join("used")).and_then(|data| data.modified()).ok();
                trees.push((time, path));
            }
        }
        trees.sort();
        let surplus = trees.len().saturating_sub(TREES_KEPT);
        for (_, path) in trees.into_iter().filter(|(_, path)| path != used).take(surplus) {
            eprintln!("removing the old kernel tree {}", path.display());
            remove_tree(&path)?;
        }
        Ok(())
    }
}

/// Locks the file at `path`, with a message while another process holds it.
pub fn lock(path: &Path, what: &str) -> Result<Lock> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting for another run that uses {what} ({})", path.display());
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    Ok(Lock { _file: file })
}

/// The name of what is made from `parts`: each a label and its bytes.
pub fn key<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut hasher = Sha256::new();
    for (label, bytes) in parts {
        for field in [label.as_bytes(), bytes] {
            hasher.update(field.len().to_le_bytes());
            hasher.update(field);
        }
    }
    hex(&hasher.finalize())
}

/// The SHA-256 of a file's bytes.
pub fn hash_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = std::io::Read::read(&mut file, &mut buffer)
            .with_context(|| format!("cannot read {}", path.display()))?;
        if count == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

/// Writes `text` to `path` so that it is there wholly or not at all.
pub fn write_whole(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot create a file in {}", folder.display()))?;
    file.write_all(text.as_bytes())
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    file.persist(path).with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(())
}

/// Removes a folder with all that is in it, if it is there.
pub fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_depends_on_every_byte_and_border() {
        let base = key([("config", &b"A=y"[..]), ("patch", b"one")]);
        assert_eq!(base.len(), 64);
        assert_eq!(base, key([("config", &b"A=y"[..]), ("patch", b"one")]));
        for other in [
            key([("config", &b"A=n"[..]), ("patch", b"one")]),
            key([("config", &b"A=yp"[..]), ("atch", b"one")]),
            key([("config", &b"A=y"[..]), ("patch", b"on"), ("patch", b"e")]),
            key([("patch", &b"one"[..]), ("config", b"A=y")]),
            key([("config", &b"A=y"[..])]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_file_has_the_hash_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_whole(&path, "abc").unwrap();
        // FIPS 180-4's example.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash_file(&path).unwrap(), expected);
    }

    #[test]
    fn the_lock_excludes_and_ends() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let held = cache.lock().unwrap();
        let other = File::open(folder.path().join("lock")).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
    }

    #[test]
    fn prunes_the_least_recently_used() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let trees: Vec<String> = ('a'..='i').map(|letter| format!("linux-{letter}")).collect();
        for name in trees.iter().map(String::as_str).chain(["other"]) {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        // The first is in use, and the third was never used.
        for name in trees.iter().filter(|name| !["linux-a", "linux-c"].contains(&name.as_str())) {
            fs::write(folder.path().join(name).join("used"), "").unwrap();
        }
        fs::write(folder.path().join("linux-file"), "").unwrap();
        cache.prune(&folder.path().join("linux-a")).unwrap();
        let left = |name: &str| folder.path().join(name).exists();
        assert!(!left("linux-c"), "the one that was never used goes");
        assert!(trees.iter().filter(|name| *name != "linux-c").all(|name| left(name)));
        assert!(left("other"));
        assert!(left("linux-file"), "only trees are removed");
    }
}
