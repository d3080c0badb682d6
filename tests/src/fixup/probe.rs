//! Functions that raise an exception on purpose, each with a fixup for the instruction that does.
//!
//! A probe puts a mark into every register, raises its exception, and at the landing stores all
//! registers as they are. Each is a text of its own with a table of its own, so that tests register
//! one and not the others.
//!
//! # Invariants
//!
//! 1. A probe returns 0 if nothing was raised, and 1 from its landing.
//! 2. What a C function preserves is preserved on both ways out.

#![expect(unsafe_code, reason = "defines functions in assembly and calls them")]

use liblinux_abi::image::fixup::Dso;
use std::arch::global_asm;

/// The registers at a landing, in the order in which they are stored; `rbx` and `rsp` are the
/// probe's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Registers {
    /// The argument, unless the probe says otherwise.
    pub rax: u64,
    /// Trap number.
    pub rdi: u64,
    /// Error code, and above it the signal.
    pub rsi: u64,
    /// Fault address.
    pub rdx: u64,
    /// Where the fault was.
    pub rcx: u64,
    /// `rbp`, `r8` to `r15`.
    pub others: [u64; 9],
}

/// What the probes put into `rdi`, `rsi`, `rdx`, `rcx`, and what into the others.
pub const MARKS: [u64; 4] = [0xd1, 0x51, 0xdd, 0xcc];
/// See [`MARKS`].
pub const OTHERS: [u64; 9] = [0xbb, 8, 9, 10, 11, 12, 13, 14, 15];

/// One probe.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Probe {
    run: extern "C" fn(u64, &mut Registers) -> u64,
    /// The instruction that raises the exception.
    pub fault: u64,
    /// Where its fixup leads.
    pub landing: u64,
    end: u64,
    table: u64,
    name: *const u8,
    name_len: usize,
}

// SAFETY: addresses of code and constants.
unsafe impl Send for Probe {}
// SAFETY: as above.
unsafe impl Sync for Probe {}

unsafe extern "C" {
    static fixup_probes: Probe;
    static fixup_probes_end: Probe;
}

impl Probe {
    /// The probe of that name.
    pub fn named(name: &str) -> &'static Self {
        let first = &raw const fixup_probes;
        let len = ((&raw const fixup_probes_end).addr() - first.addr()) / size_of::<Self>();
        // SAFETY: the probes below are all between the two symbols.
        let probes = unsafe { std::slice::from_raw_parts(first, len) };
        let found = probes.iter().find(|probe| probe.name() == name);
        found.unwrap_or_else(|| panic!("no probe is called {name}"))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        // SAFETY: both come from the probe's own entry.
        let bytes = unsafe { std::slice::from_raw_parts(self.name, self.name_len) };
        std::str::from_utf8(bytes).expect("a name")
    }

    /// Its text and table, to be registered.
    pub fn dso(&self) -> Dso {
        let start = self.start();
        Dso { text_start: start, text_len: self.end - start, table: self.table, count: 1 }
    }

    /// Its first address.
    pub fn start(&self) -> u64 {
        self.run as usize as u64
    }

    /// Raises the exception. The registers at the landing, if it came there.
    pub fn raise(&self, address: u64) -> Option<Registers> {
        let mut found = Registers::default();
        ((self.run)(address, &mut found) == 1).then_some(found)
    }
}

/// Name, flags of the fixup, what comes before the instruction, the instruction, what makes the
/// processor's state what it was.
macro_rules! probes {
    ($($name:literal $flags:literal [$($setup:literal),*] $fault:literal [$($cleanup:literal),*];)+) => {
        global_asm!(
            ".pushsection .data.rel.ro.fixup_probes, \"aw\", @progbits",
            ".balign 8",
            ".globl fixup_probes",
            "fixup_probes:",
            ".popsection",
            $(concat!(
                ".pushsection .text.fixup_probes, \"ax\", @progbits\n",
                ".balign 16\n",
                "20: push rbx\n push rbp\n push r12\n push r13\n push r14\n push r15\n",
                "mov rbx, rsi\n mov rax, rdi\n mov edi, 0xd1\n mov esi, 0x51\n mov edx, 0xdd\n mov ecx, 0xcc\n",
                "mov ebp, 0xbb\n mov r8d, 8\n mov r9d, 9\n mov r10d, 10\n mov r11d, 11\n",
                "mov r12d, 12\n mov r13d, 13\n mov r14d, 14\n mov r15d, 15\n",
                $($setup, "\n",)*
                "21: ", $fault, "\n",
                "22: nop\n",
                $($cleanup, "\n",)*
                "xor eax, eax\n jmp 24f\n",
                "23:\n",
                $($cleanup, "\n",)*
                "mov [rbx], rax\n mov [rbx + 8], rdi\n mov [rbx + 16], rsi\n mov [rbx + 24], rdx\n",
                "mov [rbx + 32], rcx\n mov [rbx + 40], rbp\n mov [rbx + 48], r8\n mov [rbx + 56], r9\n",
                "mov [rbx + 64], r10\n mov [rbx + 72], r11\n mov [rbx + 80], r12\n mov [rbx + 88], r13\n",
                "mov [rbx + 96], r14\n mov [rbx + 104], r15\n mov eax, 1\n",
                "24: pop r15\n pop r14\n pop r13\n pop r12\n pop rbp\n pop rbx\n ret\n",
                "25:\n",
                ".popsection\n",
                ".pushsection .rodata.fixup_probes, \"a\", @progbits\n",
                ".balign 4\n",
                // Up to and including the instruction behind: where a trap, not a fault, would be
                // reported.
                "26: .long 21b - .\n .long 23b - 21b - 1\n .long 23b - .\n .long ", $flags, "\n",
                "27: .ascii \"", $name, "\"\n",
                "28:\n",
                ".popsection\n",
                ".pushsection .data.rel.ro.fixup_probes, \"aw\", @progbits\n",
                ".quad 20b, 21b, 23b, 25b, 26b, 27b, 28b - 27b\n",
                ".popsection\n",
            ),)+
            ".pushsection .data.rel.ro.fixup_probes, \"aw\", @progbits",
            ".globl fixup_probes_end",
            "fixup_probes_end:",
            ".popsection",
        );
    };
}

probes! {
    "load" 0 [] "mov r10, [rax]" [];
    "plain load" 1 [] "mov r10, [rax]" [];
    "store" 0 [] "mov [rax], r10" [];
    "stack" 0 ["mov rbp, rax"] "mov r10, [rbp]" ["mov ebp, 0xbb"];
    "undefined" 0 [] "ud2" [];
    "division by zero" 0 ["xor ecx, ecx", "xor edx, edx"] "div ecx" [];
    "division overflow" 0 ["mov ecx, -1", "cdq"] "idiv ecx" [];
    "x87" 0 ["fninit", "push 0x37b", "fldcw [rsp]", "pop r10", "mov r10d, 10", "fld1", "fldz", "fdivp st(1), st"] "fwait" ["fninit"];
    "sse" 0 ["push 0x1d80", "ldmxcsr [rsp]", "pop r10", "mov r10d, 10", "xorps xmm0, xmm0", "cvtsi2ss xmm1, r10d"] "divss xmm1, xmm0" ["push 0x1f80", "ldmxcsr [rsp]", "lea rsp, [rsp + 8]"];
    "alignment" 0 ["pushfq", "or dword ptr [rsp], 0x40000", "popfq"] "mov r10, [rax + 1]" ["pushfq", "and dword ptr [rsp], 0xfffbffff", "popfq"];
    "privileged" 0 [] "hlt" [];
    "selector" 0 ["mov eax, 0xfff3"] "mov ds, eax" [];
    "breakpoint" 0 [] "int3" [];
    "debug" 0 [] ".byte 0xf1" [];
    "loop" 0 [] "21: pause\ncmp dword ptr [rax], 0\nje 21b" [];
}
