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

use crate::image::Image;
use liblinux_workspace::{Line, Workspace};
use std::path::{Path, PathBuf};

/// A kernel source tree, configured.
#[derive(Clone, Debug)]
pub struct Source {
    line: &'static Line,
    root: PathBuf,
    build: PathBuf,
}

impl Source {
    /// The tree that `cargo xtask boot` built a kernel from, of the line of [`Image::line`].
    pub fn cached() -> Self {
        Self::of(Image::line())
    }

    /// The tree that `cargo xtask boot` built a line's kernel from.
    pub fn of(line: &'static Line) -> Self {
        Self::present(line).unwrap_or_else(|| {
            panic!(
                "{} does not lead to a kernel tree; run `cargo xtask boot --kernel {}` first",
                Workspace::current().kernel(line).display(),
                line.version
            )
        })
    }

    /// The same, if that kernel was built.
    pub fn present(line: &'static Line) -> Option<Self> {
        let folder = Workspace::current().kernel(line);
        let source = Self { line, root: folder.join("source"), build: folder.join("build") };
        (source.root.is_dir() && source.build.is_dir()).then_some(source)
    }

    /// The kernel's line.
    pub fn line(&self) -> &'static Line {
        self.line
    }

    /// Where it was configured: `.config` and generated headers.
    pub fn build(&self) -> &Path {
        &self.build
    }

    /// The kernel's own 64-bit image.
    pub fn c_image(&self) -> PathBuf {
        self.build.join(self.line.c_image_folder).join("vdso64.so")
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
