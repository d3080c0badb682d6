//! The configurations in which a series has to build.
//!
//! One kernel is built whole. Of the others the objects are compiled that the series touches, since
//! a patch breaks those first: an `allyesconfig` takes hours.

use anyhow::{Context as _, Result};

/// Where a configuration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// This file of `qemu/config/VERSION`, behind the small one.
    Fragment(&'static str),
    /// This target of kconfig.
    Target(&'static str),
}

/// A configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Its name.
    pub name: &'static str,
    /// What it tells apart.
    pub about: &'static str,
    /// Where it begins.
    pub base: Base,
    /// Lines that replace those of the base.
    pub lines: &'static str,
    /// `ARCH` of make.
    pub architecture: &'static str,
    /// More words for make.
    pub words: &'static [&'static str],
    /// Whether the whole kernel is built.
    pub is_whole: bool,
}

const SMALL: Configuration = Configuration {
    name: "small",
    about: "the kernel that boots in QEMU, whole",
    base: Base::Fragment("smoke"),
    lines: "",
    architecture: "x86_64",
    words: &[],
    is_whole: true,
};

const fn variant(name: &'static str, about: &'static str, lines: &'static str) -> Configuration {
    Configuration { name, about, lines, is_whole: false, ..SMALL }
}

const fn target(name: &'static str, about: &'static str) -> Configuration {
    Configuration { name, about, base: Base::Target(name), is_whole: false, ..SMALL }
}

const fn checked(
    name: &'static str,
    about: &'static str,
    words: &'static [&'static str],
) -> Configuration {
    Configuration { name, about, words, is_whole: false, ..SMALL }
}

/// All of them.
pub const CONFIGURATIONS: &[Configuration] = &[
    SMALL,
    target("allmodconfig", "everything, as modules where that can be; warnings are errors"),
    target("allyesconfig", "everything, built in; warnings are errors"),
    Configuration {
        name: "i386",
        about: "a 32-bit kernel",
        architecture: "i386",
        ..target("defconfig", "")
    },
    variant("x32", "with the x32 ABI and its image", "CONFIG_X86_X32_ABI=y\n"),
    variant(
        "no-compat",
        "without 32-bit programs",
        "# CONFIG_IA32_EMULATION is not set\n# CONFIG_UID16 is not set\n",
    ),
    variant(
        "no-checkpoint",
        "without checkpoint and restore",
        "# CONFIG_CHECKPOINT_RESTORE is not set\n# CONFIG_MEM_SOFT_DIRTY is not set\n",
    ),
    variant(
        "up",
        "for one processor",
        "# CONFIG_SMP is not set\nCONFIG_NR_CPUS=1\n# CONFIG_X86_USER_SHADOW_STACK is not set\n",
    ),
    variant(
        "no-fixup",
        "with the second image, and without fixups",
        "# CONFIG_X86_VDSO_FIXUP is not set\n",
    ),
    Configuration {
        base: Base::Fragment("debug"),
        ..variant("kasan", "with KASAN and lockdep", "")
    },
    variant(
        "kcsan",
        "with KCSAN",
        "CONFIG_DEBUG_KERNEL=y\nCONFIG_KCSAN=y\nCONFIG_KCSAN_SELFTEST=n\n",
    ),
    checked("w1", "with more of gcc's warnings (W=1)", &["W=1"]),
    checked("sparse", "with sparse (C=2)", &["C=2"]),
];

/// The configurations of these names, all if there are none.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Configuration>> {
    if names.is_empty() {
        return Ok(CONFIGURATIONS.iter().collect());
    }
    names.iter().map(|name| find(name)).collect()
}

fn find(name: &str) -> Result<&'static Configuration> {
    CONFIGURATIONS.iter().find(|configuration| configuration.name == name).with_context(|| {
        let known: Vec<&str> =
            CONFIGURATIONS.iter().map(|configuration| configuration.name).collect();
        format!("`{name}` is not a configuration; the configurations are: {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_an_unknown_one_lists_them() {
        for configuration in CONFIGURATIONS {
            let same = CONFIGURATIONS.iter().filter(|other| other.name == configuration.name);
            assert_eq!(same.count(), 1, "{}", configuration.name);
            assert!(!configuration.about.is_empty(), "{}", configuration.name);
        }
        let error = chosen(&["sparc".into()]).unwrap_err().to_string();
        assert!(error.contains("`sparc`") && error.contains("allmodconfig"), "{error}");
    }
}
