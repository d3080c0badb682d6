//! What a 32-bit program finds in its process beside itself: the shim, and the 32-bit image.

#![expect(unsafe_code, reason = "reads the auxiliary vector and asks the kernel")]

use crate::arguments::{NAME, NAMED, PREFIX};
use crate::datapage;
use crate::memory;
use crate::status::Failure;
use liblinux::{Call, Vdso};
use liblinux_compat::data::DATA;
use liblinux_compat::facts::{BASE, FACTS_SIZE, Facts, GATE_AT, Head};
use nix::libc;
use object::{Object as _, ObjectSymbol as _};
use std::path::Path;

/// The shim.
const SHIM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shim.bin"));
/// The 32-bit image, for each layout of the kernel's data pages.
const GATES: [&[u8]; DATA.len()] = [
    include_bytes!(concat!(env!("OUT_DIR"), "/linux-gate-7.3.so.1")),
    include_bytes!(concat!(env!("OUT_DIR"), "/linux-gate-6.12.so.1")),
];
/// Where the strings are that the facts name.
const STRINGS_AT: u32 = BASE + 0x9_0000;

/// Where the program finds what it needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System {
    /// The 32-bit image.
    pub(crate) gate: u32,
    /// `__kernel_vsyscall` in it.
    pub(crate) vsyscall: u32,
    /// Where the loader jumps to.
    pub(crate) start: u32,
}

/// Maps all of it.
pub(crate) fn map(program: &Path, prefix: Option<&Path>) -> Result<System, Failure> {
    require_segment_bases()?;
    let head = head();
    let text = BASE + FACTS_SIZE as u32;
    memory::take(BASE, FACTS_SIZE, "the shim's facts")?;
    memory::take(text, SHIM.len(), "the shim")?;
    memory::put(text, SHIM);
    memory::seal(text, SHIM.len(), true)?;
    let clocks = datapage::bring()?;
    let [vsyscall, sigreturn, rt_sigreturn] = gate(GATES[clocks.layout], BASE + head.enter)?;
    let mut facts = Facts {
        kernel_sigreturn: sigreturn,
        kernel_rt_sigreturn: rt_sigreturn,
        ..entries(&head, clocks.image)
    };
    if has_gate_of_its_own() {
        require_dispatch()?;
        (facts.dispatch_start, facts.dispatch_size) = (facts.entries_start, facts.entries_size);
    }
    strings(&mut facts, program, prefix)?;
    // SAFETY: the structure consists of integers without gaps.
    let bytes =
        unsafe { std::slice::from_raw_parts((&raw const facts).cast::<u8>(), size_of::<Facts>()) };
    memory::put(BASE, bytes);
    memory::seal(BASE, FACTS_SIZE, false)?;
    Ok(System { gate: GATE_AT, vsyscall, start: BASE + head.start })
}

/// The offsets at the shim's start.
fn head() -> Head {
    let word = |index: usize| {
        let at = index * 4;
        u32::from_le_bytes([SHIM[at], SHIM[at + 1], SHIM[at + 2], SHIM[at + 3]])
    };
    Head {
        enter: word(0),
        start: word(1),
        syscall: word(2),
        clone: word(3),
        sigreturn: word(4),
        entries_end: word(5),
    }
}

/// The 64-bit entries: those of our image, where the process has it, or the shim's. Clocks are read
/// by any image.
fn entries(head: &Head, image: usize) -> Facts {
    // SAFETY: the kernel's image, or that of a tool in its place.
    let vdso = unsafe { Vdso::at(image) };
    let clock = vdso.as_ref().ok().and_then(|vdso| vdso.symbol("__vdso_clock_gettime"));
    let clock_gettime = clock.unwrap_or(0) as u64;
    if let Ok(vdso) = &vdso
        && let (Some(syscall), Some(clone), Some(sigreturn)) =
            (vdso.symbol("__vdso_syscall"), vdso.entry(Call::clone), vdso.entry(Call::rt_sigreturn))
    {
        return Facts {
            syscall: syscall as u64,
            clone: clone as u64,
            sigreturn: sigreturn as u64,
            entries_start: vdso.base() as u64,
            entries_size: vdso.size() as u64,
            clock_gettime,
            ..Facts::default()
        };
    }
    let at = |offset: u32| u64::from(BASE + offset);
    Facts {
        syscall: at(head.syscall),
        clone: at(head.clone),
        sigreturn: at(head.sigreturn),
        entries_start: at(head.syscall),
        entries_size: u64::from(head.entries_end - head.syscall),
        clock_gettime,
        ..Facts::default()
    }
}

/// Maps the 32-bit image; the addresses of its three functions.
fn gate(gate: &[u8], enter: u32) -> Result<[u32; 3], Failure> {
    let mut image = gate.to_vec();
    let file = object::File::parse(gate)
        .map_err(|error| Failure::own(format!("the 32-bit image is broken: {error}")))?;
    let symbol = |name: &str| {
        let symbol = file.dynamic_symbols().find(|symbol| symbol.name() == Ok(name));
        symbol
            .map(|symbol| symbol.address() as u32)
            .ok_or_else(|| Failure::own(format!("the 32-bit image lacks {name}")))
    };
    let names = ["__kernel_vsyscall", "__kernel_sigreturn", "__kernel_rt_sigreturn"];
    let [vsyscall, sigreturn, rt_sigreturn] = names.map(symbol);
    let (vsyscall, sigreturn, rt_sigreturn) = (vsyscall?, sigreturn?, rt_sigreturn?);
    // The far jump's address follows its first byte.
    let at = vsyscall as usize + 1;
    image[at..at + 4].copy_from_slice(&enter.to_le_bytes());
    memory::take(GATE_AT, image.len(), "the 32-bit image")?;
    memory::put(GATE_AT, &image);
    memory::seal(GATE_AT, image.len(), true)?;
    Ok([vsyscall, sigreturn, rt_sigreturn].map(|offset| GATE_AT + offset))
}

/// Puts the strings of the facts into memory below 4 GiB.
fn strings(facts: &mut Facts, program: &Path, prefix: Option<&Path>) -> Result<(), Failure> {
    let mut words: Vec<Vec<u8>> = vec![NAME.into()];
    if let Some(prefix) = prefix {
        words.push(PREFIX.into());
        words.push(prefix.as_os_str().as_encoded_bytes().to_vec());
    }
    words.push(NAMED.into());
    let mut all: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let program = program.as_os_str().as_encoded_bytes();
    all.extend([program, b"/proc/self/exe"]);
    let mut next = STRINGS_AT + 8 * words.len() as u32;
    let mut text = Vec::new();
    let mut places = Vec::new();
    for string in all {
        places.push(u64::from(next));
        text.extend_from_slice(string);
        text.push(0);
        next += string.len() as u32 + 1;
    }
    let table: Vec<u8> =
        places[..words.len()].iter().flat_map(|place| place.to_le_bytes()).collect();
    let len = table.len() + text.len();
    memory::take(STRINGS_AT, len, "the names of the program and the loader")?;
    memory::put(STRINGS_AT, &table);
    memory::put(STRINGS_AT + table.len() as u32, &text);
    memory::seal(STRINGS_AT, len, false)?;
    (facts.words, facts.words_len) = (STRINGS_AT.into(), words.len() as u64);
    (facts.program, facts.program_len) = (places[words.len()], program.len() as u64);
    facts.loader = places[words.len() + 1];
    Ok(())
}

/// Whether this kernel has a gate for `int $0x80`. Its own vDSO for 32-bit programs comes with it,
/// and with that this file. Without `/proc` a gate is taken for granted.
fn has_gate_of_its_own() -> bool {
    Path::new("/proc/sys/abi/vsyscall32").exists() || !Path::new("/proc/sys").exists()
}

/// Fails if the kernel cannot turn `int $0x80` into a signal.
fn require_dispatch() -> Result<(), Failure> {
    const PR_SET_SYSCALL_USER_DISPATCH: i32 = 59;
    const OFF: u64 = 0;
    let none: u64 = 0;
    // SAFETY: asks for what is so.
    if unsafe { libc::prctl(PR_SET_SYSCALL_USER_DISPATCH, OFF, none, none, none) } == 0 {
        return Ok(());
    }
    Err(Failure::own(
        "this kernel has no Syscall User Dispatch (Linux 5.11), so `int $0x80` would go to the kernel",
    ))
}

/// Fails if programs may not set the bases of `fs` and `gs`.
fn require_segment_bases() -> Result<(), Failure> {
    const HWCAP2_FSGSBASE: u64 = 1 << 1;
    // SAFETY: has no precondition.
    if unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_FSGSBASE != 0 {
        return Ok(());
    }
    Err(Failure::own(
        "this processor or kernel does not let programs set the base of a segment (FSGSBASE, Linux 5.9)",
    ))
}
