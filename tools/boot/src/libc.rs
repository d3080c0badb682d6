//! The musl on which a guest's selftests run.
//!
//! A selftest is compiled once, with the headers of the musl that both were built from, and names
//! its loader by [`LOADER`]. The case says which of the two is there: the one whose system calls
//! come from the image, or the one that it was. So nothing differs but the library.

use liblinux_workspace::Workspace;
use serde::Deserialize;
use std::path::PathBuf;

/// The dynamic loader, by its path in the guest.
pub const LOADER: &str = "/programs/musl/loader";

/// One of the two.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Libc {
    /// Its system calls come from the image.
    Rerouted,
    /// The same source as it was.
    Stock,
}

impl Libc {
    /// Its dynamic loader on this machine, which is the library, too.
    pub(crate) fn loader(self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Rerouted => workspace.libc_loader(),
            Self::Stock => workspace.stock_libc().join("lib/libc.so"),
        }
    }
}
