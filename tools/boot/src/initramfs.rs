//! The guest's file system: a newc cpio archive, written without privileges.
//!
//! The kernel unpacks it before it starts `/init`, so owners and device nodes are only numbers in
//! headers and need no privilege here. Dynamic programs bring their loader and libraries along,
//! found by reading the files. `ldd` would execute them, and knows only the host's own libc.
//!
//! # Invariants
//!
//! 1. The same contents give the same bytes: entries are sorted, times and owners are 0, inode
//!    numbers count up.
//! 2. A file's folder comes before it.
//! 3. Every library that a program of the archive needs, directly or not, is in it, but for the
//!    vDSO.

use crate::elf;
use anyhow::{Context, Result, ensure};
use cpio::newc;
use liblinux_abi::image::export::SONAME;
use liblinux_workspace::ARCHITECTURE;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const FOLDER: u32 = 0o040755;
const REGULAR_FILE: u32 = 0o100000;
const CHARACTER_DEVICE: u32 = 0o020600;

/// The folder of a program that lies apart.
const APART: &str = "/apart";

/// The contents, by absolute path in the guest.
#[derive(Default)]
pub struct Initramfs {
    entries: BTreeMap<String, Entry>,
}

enum Entry {
    Folder,
    File { bytes: Vec<u8>, mode: u32 },
    Symlink(String),
    CharacterDevice { major: u32, minor: u32 },
}

impl Initramfs {
    /// The folders that init mounts on, and the console that the kernel opens for it.
    pub fn new() -> Self {
        let mut archive = Self::default();
        for folder in ["/dev", "/proc", "/sys", "/tmp"] {
            archive.insert(folder, Entry::Folder);
        }
        archive.insert("/dev/console", Entry::CharacterDevice { major: 5, minor: 1 });
        archive
    }

    /// Adds a data file.
    pub fn text(&mut self, path: &str, text: &str) {
        self.bytes(path, text.as_bytes());
    }

    /// The same of bytes.
    pub fn bytes(&mut self, path: &str, bytes: &[u8]) {
        self.insert(path, Entry::File { bytes: bytes.to_vec(), mode: REGULAR_FILE | 0o644 });
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) {
        self.insert(path, Entry::Symlink(target.to_owned()));
    }

    /// Adds the host's program `file` with its loader and libraries.
    pub fn program(&mut self, path: &str, file: &Path) -> Result<()> {
        self.file(path, file)?;
        let needs = elf::needs(file)?;
        let Some(interpreter) = needs.interpreter else {
            ensure!(
                needs.libraries.is_empty(),
                "{} needs libraries but names no loader, so it cannot run",
                file.display()
            );
            return Ok(());
        };
        self.file(&interpreter, Path::new(&interpreter))
            .with_context(|| format!("{} asks for the loader {interpreter}", file.display()))?;
        // The folders of the libcs must not mix: in glibc's, `libc.so` is a text for the linker.
        let is_musl = interpreter.contains("ld-musl");
        let folders = if is_musl { ARCHITECTURE.musl_folders } else { ARCHITECTURE.glibc_folders };
        let mut wanted = needs.libraries;
        while let Some(name) = wanted.pop() {
            if name == SONAME {
                continue; // The kernel brings it.
            }
            let library = library(&name, folders).with_context(|| {
                format!(
                    "{} needs {name}, which is in none of {}",
                    file.display(),
                    folders.join(", ")
                )
            })?;
            let path = library.to_string_lossy().into_owned();
            if !self.entries.contains_key(&path) {
                self.file(&path, &library)?;
                wanted.extend(elf::needs(&library)?.libraries);
            }
        }
        Ok(())
    }

    /// Adds the program `path` of another system, in the host's folder `root`. Its loader and its
    /// libraries lie apart from those of other programs, and a script of its name starts it by
    /// them.
    pub fn apart(&mut self, path: &str, root: &Path) -> Result<()> {
        let program = root.join(path.trim_start_matches('/'));
        let needs = elf::needs(&program)?;
        let folders = ARCHITECTURE.glibc_folders.iter();
        let folders: Vec<PathBuf> =
            folders.map(|folder| root.join(folder.trim_start_matches('/'))).collect();
        let folders: Vec<&str> = folders.iter().filter_map(|folder| folder.to_str()).collect();
        let loader = needs.interpreter.context("a program of another system has a loader")?;
        let loader = loader.rsplit('/').next().unwrap_or_default().to_owned();
        let (mut wanted, mut found) = (needs.libraries, BTreeSet::new());
        wanted.push(loader.clone());
        while let Some(name) = wanted.pop() {
            if name == SONAME || !found.insert(name.clone()) {
                continue;
            }
            let library = library(&name, &folders)
                .with_context(|| format!("{} has no {name} for {path}", root.display()))?;
            self.file(&format!("{APART}/{name}"), &library)?;
            wanted.extend(elf::needs(&library)?.libraries);
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        self.file(&format!("{APART}/{name}"), &program)?;
        let script = format!(
            "#!/bin/sh\nexec {APART}/{loader} --library-path {APART} {APART}/{name} \"$@\"\n"
        );
        self.insert(path, Entry::File { bytes: script.into_bytes(), mode: REGULAR_FILE | 0o755 });
        Ok(())
    }

    /// The archive's bytes.
    pub fn archive(&self) -> Result<Vec<u8>> {
        let mut archive = Vec::new();
        for (inode, (path, entry)) in (1..).zip(&self.entries) {
            let builder = newc::Builder::new(path.trim_start_matches('/')).ino(inode);
            let (builder, bytes) = match entry {
                Entry::Folder => (builder.mode(FOLDER).nlink(2), &[][..]),
                Entry::File { bytes, mode } => (builder.mode(*mode), bytes.as_slice()),
                Entry::Symlink(target) => (builder.mode(0o120777), target.as_bytes()),
                Entry::CharacterDevice { major, minor } => {
                    (builder.mode(CHARACTER_DEVICE).rdev_major(*major).rdev_minor(*minor), &[][..])
                }
            };
            let size = u32::try_from(bytes.len())
                .with_context(|| format!("{path} is too large for an initramfs"))?;
            let mut writer = builder.write(&mut archive, size);
            std::io::Write::write_all(&mut writer, bytes).context("cannot write the initramfs")?;
            writer.finish().context("cannot write the initramfs")?;
        }
        newc::trailer(&mut archive).context("cannot write the initramfs")?;
        Ok(archive)
    }

    /// Adds the host's `file`, which every user may execute.
    pub fn file(&mut self, path: &str, file: &Path) -> Result<()> {
        self.copy(path, file, 0o755)
    }

    /// Adds the host's `file` with these permissions.
    pub fn copy(&mut self, path: &str, file: &Path, permissions: u32) -> Result<()> {
        let bytes = fs::read(file)
            .with_context(|| format!("cannot read {} for the guest", file.display()))?;
        self.insert(path, Entry::File { bytes, mode: REGULAR_FILE | permissions });
        Ok(())
    }

    /// Adds a folder.
    pub fn folder(&mut self, path: &str) {
        self.insert(path, Entry::Folder);
    }

    /// Whether something of that name is in it.
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// The bytes of all its files.
    pub fn size(&self) -> u64 {
        let size = |entry: &Entry| {
            if let Entry::File { bytes, .. } = entry { bytes.len() as u64 } else { 0 }
        };
        self.entries.values().map(size).sum()
    }

    fn insert(&mut self, path: &str, entry: Entry) {
        debug_assert!(path.starts_with('/'));
        for (end, _) in path.match_indices('/').filter(|(end, _)| *end > 0) {
            self.entries.entry(path[..end].to_owned()).or_insert(Entry::Folder);
        }
        self.entries.insert(path.to_owned(), entry);
    }
}

fn library(name: &str, folders: &[&str]) -> Option<PathBuf> {
    folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(archive: &[u8]) -> Vec<(String, u32, u32)> {
        let mut rest = archive;
        let mut list = Vec::new();
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            let entry = reader.entry();
            if entry.is_trailer() {
                return list;
            }
            assert_eq!((entry.uid(), entry.gid(), entry.mtime()), (0, 0, 0));
            list.push((entry.name().to_owned(), entry.mode(), entry.file_size()));
            rest = reader.finish().unwrap();
        }
    }

    #[test]
    fn the_same_contents_give_the_same_bytes() {
        let make = |names: [&str; 2]| {
            let mut archive = Initramfs::new();
            names.iter().for_each(|name| archive.text(name, "x"));
            archive.archive().unwrap()
        };
        assert_eq!(make(["/a/b", "/case"]), make(["/case", "/a/b"]));
    }

    #[test]
    fn folders_come_first() {
        let mut archive = Initramfs::new();
        archive.text("/a/b/c", "text");
        archive.symlink("/a/link", "b/c");
        let list = listing(&archive.archive().unwrap());
        let names: Vec<&str> = list.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(
            names,
            ["a", "a/b", "a/b/c", "a/link", "dev", "dev/console", "proc", "sys", "tmp"]
        );
        assert_eq!(list[2], ("a/b/c".to_owned(), 0o100644, 4));
        assert_eq!(list[3], ("a/link".to_owned(), 0o120777, 3));
        assert_eq!(list[5].1, CHARACTER_DEVICE);
    }

    #[test]
    fn a_dynamic_program_brings_its_loader_and_libraries() {
        let mut archive = Initramfs::new();
        archive.program("/bin/test", &std::env::current_exe().unwrap()).unwrap();
        let list = listing(&archive.archive().unwrap());
        for name in ["bin/test", "lib64/ld-linux-x86-64.so.2", "lib/x86_64-linux-gnu/libc.so.6"] {
            assert!(
                list.iter().any(|(path, mode, _)| path == name && *mode == 0o100755),
                "no {name}"
            );
        }
    }

    #[test]
    fn a_program_of_another_system_has_its_libraries_for_itself() {
        let mut archive = Initramfs::new();
        archive.apart("/usr/bin/env", Path::new("/")).unwrap();
        let list = listing(&archive.archive().unwrap());
        for name in ["usr/bin/env", "apart/env", "apart/ld-linux-x86-64.so.2", "apart/libc.so.6"] {
            assert!(
                list.iter().any(|(path, mode, _)| path == name && *mode == 0o100755),
                "no {name}"
            );
        }
        let nowhere = tempfile::tempdir().unwrap();
        assert!(Initramfs::new().apart("/usr/bin/env", nowhere.path()).is_err());
    }
}
