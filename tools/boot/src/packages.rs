//! Which Debian packages the commands need, and how they get here.
//!
//! Every program that a boot or a test runs, and every file of the system that it reads, comes from
//! a package of these lists, from what they depend on, or from a package that Debian calls
//! essential. `cargo xtask test` runs with a `PATH` that has nothing else ([`crate::declared`]), so
//! an undeclared program is missing on every machine.
//!
//! The kernels' sources are not among them: [`crate::source`] gets these.
//!
//! A package is looked for by a file that it brings, not by its name. A `make` from elsewhere is as
//! good as Debian's, and looking for a file is faster than asking dpkg. Only missing packages are
//! installed ([`crate::apt`]).
//!
//! # Invariants
//!
//! 1. Nothing is installed that was there, and nothing is removed.
//! 2. After `Ok`, every probe of every package of the set is there.

use crate::apt;
use crate::probe::present;
use anyhow::{Result, bail};

/// A package with one thing that it brings: a program on the path, or an absolute file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Debian's name.
    pub name: &'static str,
    /// The file or program that is looked for.
    pub probe: &'static str,
}

const fn package(name: &'static str, probe: &'static str) -> Package {
    Package { name, probe }
}

/// The packages that `boot` needs beside a C compiler and the Rust toolchain.
pub const BOOT: &[Package] = &[
    package("bc", "bc"),
    package("binutils", "ld"),
    package("bison", "bison"),
    package("busybox-static", "/usr/share/doc/busybox-static"),
    package("criu", "/usr/sbin/criu"),
    package("dpkg-dev", "dpkg-source"),
    package("flex", "flex"),
    package("gcc", "gcc"),
    package("golang-go", "go"),
    package("libc6-dev", "/usr/include/stdio.h"),
    package("libelf-dev", "/usr/include/libelf.h"),
    package("make", "make"),
    package("musl-tools", "musl-gcc"),
    package("patch", "patch"),
    package("qemu-system-x86", "qemu-system-x86_64"),
    package("strace", "/usr/bin/strace"),
    package("tcl", "tclsh"),
    package("util-linux", "setpriv"),
    package("xz-utils", "xz"),
];

/// The packages that `test` needs beside those of `boot`.
pub const TEST: &[Package] = &[
    package("apache2-utils", "ab"),
    package("clang", "clang++"),
    package("elfutils", "eu-stack"),
    package("g++", "g++"),
    package("gdb", "gdb"),
    package("git", "git"),
    package("libabsl-dev", "/usr/include/absl/base/config.h"),
    package("libunwind-14", "/usr/lib/llvm-14/lib/libunwind.so.1"),
    package("lld", "ld.lld"),
    package("manpages-dev", "/usr/share/man/man2/open.2.gz"),
    package("mold", "mold"),
    package("mount", "mount"),
    package("openjdk-17-jdk-headless", "javac"),
    package("perl", "perl"),
    package("pkgconf", "pkg-config"),
    package("procps", "kill"),
    package("python3", "python3"),
];

/// The packages that `series` needs beside those of `boot`.
pub const SERIES: &[Package] = &[package("sparse", "sparse")];

/// Installs those of `set` that are missing.
pub fn require(set: &[Package]) -> Result<()> {
    let missing = missing(set);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    eprintln!("missing Debian packages: {}", names.join(" "));
    apt::install(&names)?;
    match self::missing(set).first() {
        None => Ok(()),
        Some(package) => bail!(
            "apt installed {} but `{}` is still not there; see `dpkg -L {0}` and `apt-get install --reinstall {0}`",
            package.name,
            package.probe
        ),
    }
}

/// Those of `set` whose probe is not there.
pub fn missing(set: &[Package]) -> Vec<Package> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    set.iter().filter(|package| !present(package.probe, &path)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_only_what_is_missing() {
        let set = [package("procps", "/proc/self/status"), package("nonesuch", "/nonesuch")];
        assert_eq!(missing(&set), [package("nonesuch", "/nonesuch")]);
    }

    #[test]
    fn the_lists_are_sorted_and_unique() {
        for set in [BOOT, TEST] {
            assert!(set.is_sorted_by(|a, b| a.name < b.name));
        }
    }
}
