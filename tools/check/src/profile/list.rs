//! All profiles.

use super::{Places, Profile, Scope, Stage};
use crate::machine::{ARM, ARM64, I386, Machine, RISCV64, X32, X86_64};
use crate::verdict::Severity;
use liblinux_abi::image::export;

/// Any vDSO: what all readers agree on, and nothing about who built it.
pub const ANY: Profile = Profile {
    name: "any",
    title: "any vDSO",
    scope: Scope::Any,
    machine: None,
    stage: Stage::Built,
    soname: None,
    versions: &[],
    wanted: &[],
    known: &[],
    places: Places {
        script: "the linker script",
        versions: "the version script",
        source: "the image's sources",
        build: "link and strip the image anew",
        unstripped: "the unstripped image",
        bless: "write the lock anew with --write-lock",
    },
};

/// The image of this workspace.
pub static LIBLINUX: Profile = Profile {
    name: "liblinux",
    title: "liblinux",
    scope: Scope::Liblinux,
    machine: Some(&X86_64),
    stage: Stage::Mapped,
    soname: Some(export::SONAME),
    versions: &[export::VERSION],
    wanted: X86_NAMES,
    known: &[],
    places: Places {
        script: "linker/x86_64/vdso.lds",
        versions: "linker/x86_64/vdso.map",
        source: "vdso/image",
        build: "build the image anew with `cargo xtask image`",
        unstripped: "vdso64.so.dbg",
        bless: "run `cargo xtask bless` and commit linker/x86_64/vdso.abi",
    },
};

const X86_NAMES: &[&str] = &[
    "__vdso_clock_gettime",
    "__vdso_gettimeofday",
    "__vdso_time",
    "__vdso_getcpu",
    "__vdso_clock_getres",
    "__vdso_getrandom",
];

const I386_NAMES: &[&str] = &[
    "__kernel_vsyscall",
    "__vdso_clock_gettime",
    "__vdso_clock_gettime64",
    "__vdso_gettimeofday",
    "__vdso_time",
    "__vdso_clock_getres",
];

const ARM64_NAMES: &[&str] = &[
    "__kernel_clock_gettime",
    "__kernel_gettimeofday",
    "__kernel_clock_getres",
    "__kernel_getrandom",
];

const ARM_NAMES: &[&str] =
    &["__vdso_clock_gettime", "__vdso_clock_gettime64", "__vdso_gettimeofday"];

const RISCV_NAMES: &[&str] = &[
    "__vdso_clock_gettime",
    "__vdso_gettimeofday",
    "__vdso_clock_getres",
    "__vdso_getcpu",
    "__vdso_flush_icache",
];

/// A profile of Linux's own images for a machine, and the folder of its sources.
const fn linux(
    name: &'static str,
    title: &'static str,
    machine: &'static Machine,
    soname: &'static str,
    versions: &'static [&'static str],
    wanted: &'static [&'static str],
    places: (&'static str, &'static str),
) -> Profile {
    let (script, source) = places;
    Profile {
        name,
        title,
        scope: Scope::Linux,
        machine: Some(machine),
        stage: Stage::Mapped,
        soname: Some(soname),
        versions,
        wanted,
        known: &[],
        places: Places {
            script,
            versions: script,
            source,
            build: "build the kernel's vDSO anew with `make vdso_prepare` or `make`",
            unstripped: "the unstripped image (*.so.dbg of the build folder)",
            bless: ANY.places.bless,
        },
    }
}

/// The same image as it leaves the linker or `objcopy`, in front of `vdso2c`.
const fn built(profile: Profile, name: &'static str, title: &'static str) -> Profile {
    Profile { name, title, stage: Stage::Built, ..profile }
}

const LINUX_X86_64: Profile = linux(
    "linux-x86-64",
    "Linux, x86-64",
    &X86_64,
    "linux-vdso.so.1",
    &["LINUX_2.6"],
    X86_NAMES,
    ("arch/x86/entry/vdso/ (vdso-layout.lds.S, vdso.lds.S)", "arch/x86/entry/vdso/"),
);

const LINUX_X32: Profile = linux(
    "linux-x32",
    "Linux, x32",
    &X32,
    "linux-vdso.so.1",
    &["LINUX_2.6"],
    X86_NAMES,
    ("arch/x86/entry/vdso/ (vdso-layout.lds.S, vdsox32.lds.S)", "arch/x86/entry/vdso/"),
);

const LINUX_I386: Profile = linux(
    "linux-i386",
    "Linux, i386",
    &I386,
    "linux-gate.so.1",
    &["LINUX_2.6", "LINUX_2.5"],
    I386_NAMES,
    ("arch/x86/entry/vdso/ (vdso-layout.lds.S, vdso32.lds.S)", "arch/x86/entry/vdso/vdso32/"),
);

/// The arm kernels of today link with `--hash-style=gnu` alone, and discard `.eh_frame`.
const ARM_KNOWN: &[(&str, Severity)] = &[
    ("sysv-hash", Severity::Warning),
    ("sysv-hash-count", Severity::Warning),
    ("reader-musl", Severity::Warning),
    ("reader-losses", Severity::Warning),
    ("eh-frame-hdr", Severity::Note),
    ("unwind-entries", Severity::Note),
    ("unwind-functions", Severity::Note),
];

const LINUX_ARM64: Profile = Profile {
    known: ARM_KNOWN,
    ..linux(
        "linux-arm64",
        "Linux, arm64",
        &ARM64,
        "linux-vdso.so.1",
        &["LINUX_2.6.39"],
        ARM64_NAMES,
        ("arch/arm64/kernel/vdso/vdso.lds.S", "arch/arm64/kernel/vdso/"),
    )
};

const LINUX_ARM: Profile = Profile {
    known: ARM_KNOWN,
    ..linux(
        "linux-arm",
        "Linux, arm",
        &ARM,
        "linux-vdso.so.1",
        &["LINUX_2.6"],
        ARM_NAMES,
        ("arch/arm/vdso/vdso.lds.S", "arch/arm/vdso/"),
    )
};

/// RISC-V kernels of today link with `--hash-style=gnu` alone, too.
const RISCV_KNOWN: &[(&str, Severity)] = &[
    ("sysv-hash", Severity::Warning),
    ("sysv-hash-count", Severity::Warning),
    ("reader-musl", Severity::Warning),
    ("reader-losses", Severity::Warning),
];

const LINUX_RISCV64: Profile = Profile {
    known: RISCV_KNOWN,
    ..linux(
        "linux-riscv64",
        "Linux, riscv64",
        &RISCV64,
        "linux-vdso.so.1",
        &["LINUX_4.15"],
        RISCV_NAMES,
        ("arch/riscv/kernel/vdso/vdso.lds.S", "arch/riscv/kernel/vdso/"),
    )
};

/// Every profile.
pub static PROFILES: &[Profile] = &[
    ANY,
    LINUX_X86_64,
    built(LINUX_X86_64, "linux-x86-64-build", "Linux, x86-64, before vdso2c"),
    LINUX_I386,
    built(LINUX_I386, "linux-i386-build", "Linux, i386, before vdso2c"),
    LINUX_X32,
    built(LINUX_X32, "linux-x32-build", "Linux, x32, before vdso2c"),
    LINUX_ARM64,
    built(LINUX_ARM64, "linux-arm64-build", "Linux, arm64, before it is padded"),
    LINUX_ARM,
    built(LINUX_ARM, "linux-arm-build", "Linux, arm, before it is padded"),
    LINUX_RISCV64,
    built(LINUX_RISCV64, "linux-riscv64-build", "Linux, riscv64, before it is padded"),
    LIBLINUX,
    built(LIBLINUX, "liblinux-build", "liblinux, before vdso2c"),
];

/// The profile of that name.
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        assert_eq!(names.len(), PROFILES.len());
        assert_eq!(find("liblinux"), Some(&LIBLINUX));
    }
}
