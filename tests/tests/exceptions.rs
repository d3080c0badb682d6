//! Which signals of which codes exceptions raise: `abi::exception` against the kernel's source.
//!
//! The judge is every place where the kernel asks for a fixup before it raises a signal
//! (`fixup_vdso_exception`).

use liblinux_abi::arch::x86_64::exception::{SI_KERNEL, SIGNALS, raises};
use liblinux_tests::kernel::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Signal, code, exception.
type Row = (u32, u32, u64);

/// Exceptions that 64-bit code cannot raise: `bound` does not exist there, a coprocessor's segment
/// overrun ended with the 80386, and a failed `iret` is one of 32-bit kernels. (`into` does not
/// exist either, but `int $4` raises an overflow.)
const NOT_IN_64_BIT_CODE: [&str; 3] = ["X86_TRAP_BR", "X86_TRAP_OLD_MF", "X86_TRAP_IRET"];

/// The numbers behind names that headers define.
fn numbers(source: &Source) -> BTreeMap<String, u64> {
    let headers = [
        "arch/x86/include/asm/trapnr.h",
        "include/uapi/asm-generic/siginfo.h",
        "arch/x86/include/uapi/asm/signal.h",
    ];
    let mut numbers = BTreeMap::new();
    for header in headers {
        for line in source.read(header).lines() {
            let mut words = line.trim_start_matches('#').split_whitespace();
            if words.next() != Some("define") {
                continue;
            }
            if let (Some(name), Some(value)) = (words.next(), words.next()) {
                let parsed = value
                    .strip_prefix("0x")
                    .map_or_else(|| value.parse(), |hex| u64::from_str_radix(hex, 16));
                if let Ok(number) = parsed {
                    numbers.insert(name.to_owned(), number);
                }
            }
        }
    }
    numbers
}

/// The arguments of every call of a function, or of its definition.
fn calls<'a>(text: &'a str, function: &str) -> Vec<Vec<&'a str>> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(&format!("{function}(")) {
        let inside = &text[at + function.len() + 1..];
        let (mut depth, mut start, mut arguments) = (0, 0, Vec::new());
        for (index, byte) in inside.bytes().enumerate() {
            match byte {
                b'(' => depth += 1,
                b',' if depth == 0 => {
                    arguments.push(inside[start..index].trim());
                    start = index + 1;
                }
                b')' if depth == 0 => {
                    arguments.push(inside[start..index].trim());
                    break;
                }
                b')' => depth -= 1,
                _ => {}
            }
        }
        found.push(arguments);
    }
    found
}

/// The body of a function.
fn body<'a>(text: &'a str, head: &str) -> &'a str {
    let start = text.find(head).unwrap_or_else(|| panic!("no {head} in the kernel's source"));
    let text = &text[start..];
    &text[..text.find("\n}").expect("a function ends")]
}

/// The words that start with a prefix.
fn words<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with(prefix)).collect()
}

/// What the kernel's source says.
fn judge(source: &Source) -> BTreeSet<Row> {
    let numbers = numbers(source);
    let number = |name: &str| *numbers.get(name).unwrap_or_else(|| panic!("no number for {name}"));
    let (traps, fault) =
        (source.read("arch/x86/kernel/traps.c"), source.read("arch/x86/mm/fault.c"));
    let mut rows = BTreeSet::new();
    let mut row = |signal: &str, code: &str, trap: &str| {
        if !NOT_IN_64_BIT_CODE.contains(&trap) && signal != "SIGTRAP" {
            let code = if code == "0" { number("SI_KERNEL") } else { number(code) };
            rows.insert((number(signal) as u32, code as u32, number(trap)));
        }
    };
    // Both call `do_trap_no_signal`, which asks.
    assert!(body(&traps, "\ndo_trap_no_signal(").contains("fixup_vdso_exception("));
    for arguments in calls(&traps, "do_error_trap") {
        if let [_, _, _, trap, signal, code, _] = arguments[..]
            && trap.starts_with("X86_TRAP_")
        {
            row(signal, code, trap);
        }
    }
    for arguments in calls(&traps, "do_trap") {
        if let [trap, signal, _, _, _, code, _] = arguments[..]
            && trap.starts_with("X86_TRAP_")
        {
            row(signal, code, trap);
        }
    }
    // Where it stands in front of a signal: general protection faults, floating point, page faults,
    // and their SIGBUS.
    let asks = calls(&traps, "fixup_vdso_exception");
    let asked: Vec<_> = asks.iter().map(|arguments| arguments[1]).collect();
    assert_eq!(asked, ["trapnr", "X86_TRAP_GP", "trapnr"], "other callers than this test knows");
    row("SIGSEGV", "0", "X86_TRAP_GP");
    let math = body(&traps, "math_error(struct pt_regs");
    assert!(math.contains("fixup_vdso_exception(") && math.contains("SIGFPE"));
    let codes = source.read("arch/x86/kernel/fpu/core.c");
    for code in words(body(&codes, "int fpu__exception_code("), "FPE_") {
        for arguments in calls(&traps, "math_error") {
            if let [_, trap] = arguments[..]
                && trap.starts_with("X86_TRAP_")
            {
                row("SIGFPE", code, trap);
            }
        }
    }
    let asks = calls(&fault, "fixup_vdso_exception");
    let asked: Vec<_> = asks.iter().filter_map(|arguments| arguments.get(1)).collect();
    assert_eq!(asked, [&"X86_TRAP_PF"; 2], "other callers than this test knows");
    for code in words(&fault, "SEGV_") {
        row("SIGSEGV", code, "X86_TRAP_PF");
    }
    let bus = body(&fault, "\ndo_sigbus(");
    assert!(bus.contains("fixup_vdso_exception("));
    for arguments in calls(bus, "force_sig_fault") {
        row(arguments[0], arguments[1], "X86_TRAP_PF");
    }
    // Where landings may decline, one function raises the signals of page faults.
    for arguments in calls(bus, "force_sig_page_fault") {
        row(arguments[3], arguments[4], "X86_TRAP_PF");
    }
    rows
}

#[test]
fn what_is_taken_for_an_exception_is_what_the_kernel_asks_fixups_for() {
    let judge = judge(&Source::cached());
    assert!(judge.len() > 15, "the source was not understood: {judge:?}");
    let mut ours = BTreeSet::new();
    for signal in 0..=64 {
        for code in -64..=256_i32 {
            for trap in 0..=256 {
                if raises(signal, code.cast_unsigned(), trap) {
                    ours.insert((signal, code.cast_unsigned(), trap));
                }
            }
        }
    }
    assert_eq!(ours, judge);
    let signals: BTreeSet<_> = ours.iter().map(|(signal, ..)| *signal).collect();
    assert_eq!(signals, BTreeSet::from(SIGNALS));
    assert!(ours.iter().any(|(_, code, _)| *code == SI_KERNEL));
}
