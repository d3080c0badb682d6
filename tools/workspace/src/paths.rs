//! Where the workspace and its products are.
//!
//! # Invariants
//!
//! 1. Nothing is written outside `target/`, but for the generated files that are checked in (by
//!    `bless` alone) and the cache that `liblinux-boot` keeps.

use crate::{ARCHITECTURE, Line, line};
use std::path::{Path, PathBuf};

/// A checkout of liblinux.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The workspace at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The workspace that this program was built in.
    pub fn current() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        Self::at(root.expect("tools/workspace is two folders below the root"))
    }

    /// Its top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The stripped image of a kernel line, as the kernel maps it.
    pub fn image(&self, line: &Line) -> PathBuf {
        self.images(ARCHITECTURE.name, line).join("vdso64.so")
    }

    /// The image with symbols and debugging information, which the kernel's build takes.
    pub fn debug_image(&self, line: &Line) -> PathBuf {
        self.images(ARCHITECTURE.name, line).join("vdso64.so.dbg")
    }

    /// The updated image, with symbols: see `build::build_updated_image` in `tools/image`.
    pub fn updated_image(&self, line: &Line) -> PathBuf {
        self.images(&format!("{}-updated", ARCHITECTURE.name), line).join("vdso64.so.dbg")
    }

    /// The folder of a line's images: the default line's, or one in that for each other line.
    fn images(&self, name: &str, line: &Line) -> PathBuf {
        let folder = self.root.join("target/vdso").join(name);
        if line == line::DEFAULT { folder } else { folder.join(line.version) }
    }

    /// Links to the source tree of a kernel line (`source`) and to where it was built (`build`),
    /// for tests and benches.
    pub fn kernel(&self, line: &Line) -> PathBuf {
        self.root.join("target/kernel").join(line.version)
    }

    /// The line of a kernel that was built here, the first of [`line::LINES`]: for what serves with
    /// any of them. The default line, if none was.
    pub fn built_line(&self) -> &'static Line {
        let is_built = |line: &&Line| self.kernel(line).join("build").is_dir();
        line::LINES.iter().find(is_built).unwrap_or(line::DEFAULT)
    }

    /// The linker script.
    pub fn linker_script(&self) -> PathBuf {
        self.root.join("linker/x86_64/vdso.lds")
    }

    /// The makefile of the image in a kernel's tree, which has the flags of compiler and linker.
    pub fn image_makefile(&self) -> PathBuf {
        self.root.join("vdso/kbuild/Makefile")
    }

    /// The version script.
    pub fn version_script(&self) -> PathBuf {
        self.root.join("linker/x86_64/vdso.map")
    }

    /// The ABI lock.
    pub fn lock(&self) -> PathBuf {
        self.root.join("linker/x86_64/vdso.abi")
    }

    /// The folder of a kernel line's series.
    pub fn series(&self, line: &Line) -> PathBuf {
        self.root.join("kernel-patch").join(line.version)
    }

    /// The folder of the patches by which a kernel of the line builds the image from its sources,
    /// on top of the series.
    pub fn in_tree(&self, line: &Line) -> PathBuf {
        self.series(line).join("in-tree")
    }

    /// The folder of a kernel line's configuration fragments.
    pub fn kernel_config(&self, line: &Line) -> PathBuf {
        self.root.join("qemu/config").join(line.version)
    }

    /// The folder of the cases.
    pub fn cases(&self) -> PathBuf {
        self.root.join("qemu/cases")
    }

    /// What the boots make of all kernel lines: the guests' programs.
    pub fn boot(&self) -> PathBuf {
        self.root.join("target/boot")
    }

    /// What the boots of a line leave for tests and people: kernels, consoles, verdicts.
    pub fn boots(&self, line: &Line) -> PathBuf {
        self.boot().join(line.version)
    }

    /// The sources of the guest's programs in C and Go.
    pub fn guest_programs(&self) -> PathBuf {
        self.root.join("qemu/guest/programs")
    }

    /// What C programs link with: the headers, the library and its pkg-config file.
    pub fn link_library(&self) -> PathBuf {
        self.root.join("target/client")
    }

    /// The client side.
    pub fn client(&self) -> PathBuf {
        self.root.join("vdso/client")
    }

    /// The series for musl.
    pub fn libc(&self) -> PathBuf {
        self.root.join("vdso/libc")
    }

    /// Where musl is that the series was applied to.
    pub fn built_libc(&self) -> PathBuf {
        self.root.join("target/libc")
    }

    /// Its dynamic loader.
    pub fn libc_loader(&self) -> PathBuf {
        self.built_libc().join("lib/libc.so")
    }

    /// Where the musl is that it was, built from the same source.
    pub fn stock_libc(&self) -> PathBuf {
        self.built_libc().with_extension("stock")
    }

    /// Where programs are that guests run on it.
    pub fn libc_programs(&self) -> PathBuf {
        self.built_libc().with_extension("programs")
    }

    /// Where it is compared with the musl that it was.
    pub fn libc_check(&self) -> PathBuf {
        self.built_libc().with_extension("check")
    }

    /// The compiler that links programs with it.
    pub fn libc_compiler(&self) -> PathBuf {
        self.built_libc().join("bin/liblinux-musl-gcc")
    }
}
