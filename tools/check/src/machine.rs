//! The machines that images are for, and the sizes that the two classes of ELF files give to their
//! tables.

use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_RISCV, EM_X86_64};

/// The class of an ELF file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `ELFCLASS32`.
    Elf32 = 1,
    /// `ELFCLASS64`.
    Elf64 = 2,
}

/// How code is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// As x86 code of that many bits.
    X86(u32),
    /// As arm64's.
    A64,
    /// Not at all: rules of code do not judge this machine.
    Unknown,
}

/// A machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name.
    pub name: &'static str,
    /// `e_machine`.
    pub number: u16,
    /// The class of its files.
    pub class: Class,
    /// The bits that `e_flags` may have.
    pub flags: u32,
    /// How its code is decoded.
    pub code: Code,
}

impl Class {
    /// Bytes of the ELF header.
    pub const fn header(self) -> u64 {
        if matches!(self, Self::Elf64) { 64 } else { 52 }
    }

    /// Bytes of a program header.
    pub const fn segment(self) -> u64 {
        if matches!(self, Self::Elf64) { 56 } else { 32 }
    }

    /// Bytes of a section header.
    pub const fn section(self) -> u64 {
        if matches!(self, Self::Elf64) { 64 } else { 40 }
    }

    /// Bytes of a symbol.
    pub const fn symbol(self) -> u64 {
        if matches!(self, Self::Elf64) { 24 } else { 16 }
    }

    /// Bytes of an address, and half those of a dynamic entry.
    pub const fn word(self) -> u64 {
        if matches!(self, Self::Elf64) { 8 } else { 4 }
    }
}

const fn machine(name: &'static str, number: u16, class: Class, flags: u32, code: Code) -> Machine {
    Machine { name, number, class, flags, code }
}

/// 64-bit x86.
pub static X86_64: Machine = machine("x86-64", EM_X86_64, Class::Elf64, 0, Code::X86(64));
/// 64-bit x86 with 32-bit pointers.
pub static X32: Machine = machine("x32", EM_X86_64, Class::Elf32, 0, Code::X86(64));
/// 32-bit x86.
pub static I386: Machine = machine("i386", EM_386, Class::Elf32, 0, Code::X86(32));
/// 64-bit Arm.
pub static ARM64: Machine = machine("arm64", EM_AARCH64, Class::Elf64, 0, Code::A64);
/// 32-bit Arm; the flags say EABI 5, and soft or hard floats.
pub static ARM: Machine = machine("arm", EM_ARM, Class::Elf32, 0x0500_0600, Code::Unknown);
/// 64-bit RISC-V; the flags say compressed instructions and the size of floats.
pub static RISCV64: Machine = machine("riscv64", EM_RISCV, Class::Elf64, 0x1f, Code::Unknown);
