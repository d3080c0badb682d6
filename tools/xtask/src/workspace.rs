//! Where the workspace and its products are.
//!
//! # Invariants
//!
//! 1. Nothing is written outside `target/`, but for the generated files that are checked in (by `bless` alone) and the
//!    cache that `liblinux-boot` keeps.

use std::path::{Path, PathBuf};

/// A checkout of liblinux.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace at `root`.
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The workspace that this program was built in.
    pub(crate) fn current() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        Self::at(root.expect("tools/xtask is two folders below the root"))
    }

    /// Its top folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The stripped image, as the kernel maps it.
    pub(crate) fn image(&self) -> PathBuf {
        self.root.join("target/vdso/x86_64/vdso64.so")
    }

    /// The image with symbols and debugging information, which the kernel's build takes.
    pub(crate) fn debug_image(&self) -> PathBuf {
        self.root.join("target/vdso/x86_64/vdso64.so.dbg")
    }

    /// What [`Workspace::debug_image`] becomes in an update: see `image::build_update`.
    pub(crate) fn updated_image(&self) -> PathBuf {
        self.root.join("target/vdso/x86_64-update/vdso64.so.dbg")
    }

    /// Links to the kernel's source tree (`source`) and to where it was built (`build`), for tests and benches.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.root.join("target/kernel")
    }

    /// The version script.
    pub(crate) fn version_script(&self) -> PathBuf {
        self.root.join("linker/vdso.map")
    }

    /// Which calls are legacy, and why, for people.
    pub(crate) fn legacy_document(&self) -> PathBuf {
        self.root.join("vdso/abi/legacy.md")
    }

    /// The C header of exception fixups.
    pub(crate) fn fixup_header(&self) -> PathBuf {
        self.root.join("vdso/client/include/liblinux/fixup.h")
    }

    /// The ABI lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("linker/vdso.abi")
    }

    /// The client side.
    pub(crate) fn client(&self) -> PathBuf {
        self.root.join("vdso/client")
    }
}
