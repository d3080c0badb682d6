//! Kernel lines: the versions of Linux that there is a series, a configuration and a source for.
//!
//! A line is data. Its series stands in `kernel-patch/VERSION`, its configuration in
//! `qemu/config/VERSION`.
//!
//! # Invariants
//!
//! 1. Versions are unique, and the first line is the default of every command.
//! 2. A line's base is a patch level of its version.

use anyhow::{Context as _, Result};

/// A kernel line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its version, as `--kernel` takes it and as its folders are named.
    pub version: &'static str,
    /// The patch level that its series was made for.
    pub base: &'static str,
    /// Debian's package of its source.
    pub package: &'static str,
    /// The tarball that the package brings.
    pub tarball: &'static str,
    /// The suite of Debian that has the package.
    pub suite: &'static str,
    /// The folder in which a kernel's build makes its own 64-bit image, `vdso64.so`.
    pub c_image_folder: &'static str,
    /// The option of its configuration that names the file with the project's image.
    pub image_option: &'static str,
    /// The target that make names when the kernel's own checks refuse that file.
    pub image_target: &'static str,
    /// The boot parameter that chooses the image, by `c` or `rust`.
    pub parameter: &'static str,
    /// Packages whose programs are too old for it in Debian 12, and the suites whose are not.
    pub newer: &'static [(&'static str, &'static str)],
    /// Seconds that a first build of the small kernel takes on two idle processors.
    pub build_s: u64,
    /// Lines that make prints in a first build of the small kernel.
    pub build_lines: u64,
}

/// Every line, the default one first.
pub const LINES: &[Line] = &[
    Line {
        version: "7.3",
        base: "7.3.4",
        package: "linux-source-7.3",
        tarball: "/usr/src/linux-source-7.3.tar.xz",
        suite: "trixie-backports",
        c_image_folder: "arch/x86/entry/vdso/vdso64",
        image_option: "CONFIG_X86_VDSO64_RUST_IMAGE",
        image_target: "vdso64-rust",
        parameter: "vdso64",
        newer: &[("criu", "trixie")],
        build_s: 266,
        build_lines: 2725,
    },
    Line {
        version: "6.12",
        base: "6.12.117",
        package: "linux-source-6.12",
        tarball: "/usr/src/linux-source-6.12.tar.xz",
        suite: "bookworm-security",
        c_image_folder: "arch/x86/entry/vdso",
        image_option: "CONFIG_X86_VDSO64_PREBUILT_IMAGE",
        image_target: "vdso64-prebuilt",
        parameter: "vdso64_image",
        newer: &[],
        build_s: 264,
        build_lines: 2673,
    },
];

/// The line that commands take unless another is asked for.
pub const DEFAULT: &Line = &LINES[0];

/// The line of that version.
pub fn find(version: &str) -> Result<&'static Line> {
    let line = LINES.iter().find(|line| line.version == version);
    line.with_context(|| {
        let known: Vec<&str> = LINES.iter().map(|line| line.version).collect();
        format!("`{version}` is not a kernel here; the kernels are: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_unique() {
        for line in LINES {
            assert_eq!(LINES.iter().filter(|other| other.version == line.version).count(), 1);
            assert_eq!(find(line.version).unwrap(), line);
            assert!(line.tarball.contains(line.package), "{line:?}");
            assert!(line.base.starts_with(&format!("{}.", line.version)), "{line:?}");
        }
    }

    #[test]
    fn an_unknown_kernel_lists_the_valid_ones() {
        let error = find("2.6").unwrap_err().to_string();
        assert!(
            error.contains("`2.6` is not a kernel") && error.contains(DEFAULT.version),
            "{error}"
        );
    }
}
