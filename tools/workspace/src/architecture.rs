//! Architectures: what the tools know of the machines that there is an image for.
//!
//! An architecture is data. Its image's code stands in `vdso/image/src/arch/NAME`, its facts in
//! `vdso/abi/src/arch/NAME`, its linker script and lock in `linker/NAME`.

/// An architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Its name, as Rust has it and as its folders are named.
    pub name: &'static str,
    /// What programs and the image are compiled for.
    pub triple: &'static str,
    /// Its emulation in `ld -m`.
    pub emulation: &'static str,
    /// `e_machine` of its ELF files.
    pub elf_machine: u16,
    /// Its folder in the kernel's source.
    pub kernel_folder: &'static str,
    /// What `make` calls the kernel that boots, in the folder `boot` of [`Self::kernel_folder`].
    pub kernel_image: &'static str,
    /// QEMU's emulator of whole machines.
    pub emulator: &'static str,
    /// The machine that it emulates.
    pub machine: &'static str,
    /// glibc's loader.
    pub loader: &'static str,
    /// The library that glibc loads when a thread is cancelled.
    pub unwinder: &'static str,
    /// Where glibc's loader looks without configuration.
    pub glibc_folders: &'static [&'static str],
    /// Where musl's does.
    pub musl_folders: &'static [&'static str],
    /// The file in which musl's finds other folders.
    pub musl_path: &'static str,
}

/// 64-bit x86.
pub const X86_64: Architecture = Architecture {
    name: "x86_64",
    triple: "x86_64-unknown-linux-gnu",
    emulation: "elf_x86_64",
    // EM_X86_64
    elf_machine: 62,
    kernel_folder: "arch/x86",
    kernel_image: "bzImage",
    emulator: "qemu-system-x86_64",
    machine: "q35",
    loader: "/lib64/ld-linux-x86-64.so.2",
    unwinder: "/lib/x86_64-linux-gnu/libgcc_s.so.1",
    glibc_folders: &[
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
    ],
    musl_folders: &["/lib/x86_64-linux-musl", "/usr/lib/x86_64-linux-musl", "/usr/lib/musl/lib"],
    musl_path: "/etc/ld-musl-x86_64.path",
};

/// The architecture that the tools build for.
pub const ARCHITECTURE: &Architecture = &X86_64;
