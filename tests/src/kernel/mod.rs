//! The kernel's source: the judge of every fact in `liblinux-abi` that belongs to the kernel.
//!
//! `cargo xtask boot` and `cargo xtask test` unpack, configure and build the Debian source package
//! in a cache, and lay links to it into `target/kernel`.
//!
//! # Invariants
//!
//! 1. No tree, no verdict: without the source a test fails, it does not pass on nothing.

mod conditional;
pub mod definition;
pub mod header;
pub mod hyperv;
pub mod table;

use liblinux_workspace::Workspace;
use std::path::{Path, PathBuf};

/// A kernel source tree, configured.
#[derive(Clone, Debug)]
pub struct Source {
    root: PathBuf,
    build: PathBuf,
}

impl Source {
    /// The tree that `cargo xtask boot` built the kernel from.
    pub fn cached() -> Self {
        let folder = Workspace::current().kernel();
        let source = Self { root: folder.join("source"), build: folder.join("build") };
        assert!(
            source.root.is_dir() && source.build.is_dir(),
            "{} does not lead to a kernel tree; run `cargo xtask boot` first",
            folder.display()
        );
        source
    }

    /// Where it was configured: `.config` and generated headers.
    pub fn build(&self) -> &Path {
        &self.build
    }

    /// The number that an option of its configuration is set to.
    pub fn config_number(&self, option: &str) -> u32 {
        let config = self.read(self.build.join(".config"));
        let number = config
            .lines()
            .find_map(|line| line.strip_prefix(option)?.strip_prefix('=')?.parse().ok());
        number.unwrap_or_else(|| {
            panic!("{option} is not set to a number in {}", self.build.display())
        })
    }

    /// Its top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the tree.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.root.join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Every C file below a folder of the tree.
    pub fn c_files(&self, folder: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.join(folder)];
        while let Some(folder) = folders.pop() {
            let entries =
                folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            for entry in entries {
                let entry = entry.expect("a folder's entry");
                let path = entry.path();
                if entry.file_type().expect("a file's type").is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "c") {
                    files.push(path);
                }
            }
        }
        files
    }
}
