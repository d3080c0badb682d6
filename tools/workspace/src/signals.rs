//! `liblinux-signals.so`, the library of `vdso/signals`, for each libc.

use crate::Workspace;
use crate::command::{cargo, run};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler of musl's programs, of Debian's musl-tools.
pub const MUSL_COMPILER: &str = "musl-gcc";

/// A libc that the library is loaded beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libc {
    /// Of the Rust toolchain, with its std.
    Glibc,
    /// Without std, which the toolchain has for glibc alone.
    Musl,
}

impl Libc {
    /// Builds the library, with what cargo makes in `target`; its path.
    ///
    /// # Errors
    ///
    /// It cannot be compiled, or the libc's linker is missing.
    pub fn build_signals(self, workspace: &Workspace, target: &Path) -> Result<PathBuf> {
        let is_musl = self == Self::Musl;
        let target = if is_musl { target.join("musl") } else { target.to_owned() };
        let mut build = cargo(workspace);
        build.env_remove("CARGO_ENCODED_RUSTFLAGS");
        build.args(["rustc", "--quiet", "--locked", "--release", "--lib"]);
        build.args(["--package", "liblinux-signals", "--target-dir"]).arg(&target);
        if is_musl {
            build.args(["--no-default-features", "--config=profile.release.panic=\"abort\"", "--"]);
            build.arg(format!("-Clinker={MUSL_COMPILER}")).arg("-Clink-arg=-lc");
            // Frames of `core` name the function by which std unwinds. Here nothing unwinds.
            build.arg("-Clink-arg=-Wl,--defsym=rust_eh_personality=0");
        }
        run(&mut build)
            .with_context(|| format!("liblinux-signals.so for {self:?} cannot be built"))?;
        Ok(target.join("release/libliblinux_signals.so"))
    }

    /// Whether this machine can link programs with it.
    pub fn is_here(self) -> bool {
        self == Self::Glibc || Command::new(MUSL_COMPILER).arg("--version").output().is_ok()
    }
}
