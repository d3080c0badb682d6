//! The choices of a run.

use crate::bootable::Origin;
use liblinux_workspace::Line;
use std::path::PathBuf;

/// The images, the kernel line and the cases of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workspace.
    pub root: PathBuf,
    /// The image as it is mapped: `vdso64.so`.
    pub image: PathBuf,
    /// The image with its symbols, which the kernel build takes in: `vdso64.so.dbg`.
    pub image_debug: PathBuf,
    /// An update of it, with symbols.
    pub updated_image: PathBuf,
    /// The kernel line.
    pub line: &'static Line,
    /// The kernel's source, if it is not to be that of Debian's package.
    pub source: Option<PathBuf>,
    /// Names of cases; the default ones if there are none.
    pub cases: Vec<String>,
}

impl Options {
    /// What the kernels are made of.
    pub(crate) fn origin(&self) -> Origin<'_> {
        Origin { root: &self.root, line: self.line, source: self.source.as_deref() }
    }
}
