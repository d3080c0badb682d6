//! `jit [--forget]`: a compiler at run time whose code faults and recovers.
//!
//! It compiles expressions in postfix notation: numbers, `x`, `+ - * /`, and `@`, which loads from
//! an address. Nothing is checked in the compiled code: a division that cannot be done and an
//! address where nothing is are traps, which become errors with the place in the expression.
//!
//! The code is in an arena, so that a program that forgets to have its memory covered finds out
//! under every kernel. With `--forget` this one maps memory on top of its code, does not say so,
//! and ends with SIGSEGV.

#![expect(unsafe_code, reason = "makes code, and calls it")]

use liblinux::fixup::{Arena, Fixups, Stubs};
use liblinux::{Errno, Vdso};
use std::error::Error;
use std::fmt;

/// Bytes that memory is committed by.
const GRANULE: usize = 4096;
/// Bytes of the arena.
const SIZE: usize = 16 * GRANULE;
// `asm/mman.h`.
const PROT_READ_WRITE: u64 = 3;
const PROT_READ_EXEC: u64 = 5;
const PROT_READ_WRITE_EXEC: u64 = 7;
const MAP_PRIVATE_FIXED_ANONYMOUS: u64 = 0x32;

/// Where code is entered, and where it lands. It is not covered, so its own faults are the
/// program's.
///
/// `extern "C" fn(x: i64, outcome: *mut Outcome, code: usize) -> u64`
const STUBS: [u8; 40] = [
    0x55, // push rbp
    0x48, 0x89, 0xe5, // mov rbp, rsp: the landing finds the frame by it
    0x49, 0x89, 0xf0, // mov r8, rsi
    0x49, 0x89, 0xf9, // mov r9, rdi
    0xff, 0xd2, // call rdx
    0x31, 0xc0, // xor eax, eax
    0x5d, 0xc3, // pop rbp; ret
    // LANDING
    0x49, 0x89, 0x78, 0x08, // mov [r8 + 8], rdi: the exception
    0x49, 0x89, 0x50, 0x10, // mov [r8 + 16], rdx: the address of a page fault
    0x49, 0x89, 0x48, 0x18, // mov [r8 + 24], rcx: the instruction
    0x48, 0x89, 0xec, 0x5d, // mov rsp, rbp; pop rbp
    0xb8, 1, 0, 0, 0,    // mov eax, 1
    0xc3, // ret
    0x90, 0x90,
];

/// Offset of the landing in them.
const LANDING: usize = 16;

/// The outcome of compiled code.
#[derive(Default)]
#[repr(C)]
struct Outcome {
    value: i64,
    exception: u64,
    address: u64,
    ip: usize,
}

/// A trap in compiled code.
struct Trap {
    exception: u64,
    address: u64,
    /// Which word of the expression it was.
    word: String,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exception {
            0 => write!(f, "trap at `{}`: this cannot be divided", self.word),
            14 => write!(f, "trap at `{}`: nothing is at {:#x}", self.word, self.address),
            number => write!(f, "trap at `{}`: exception {number}", self.word),
        }
    }
}

/// The machine code of one word. Values are on the stack.
fn encode(word: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let operation: &[u8] = match word {
        "x" => &[0x41, 0x51],                                     // push r9
        "+" => &[0x59, 0x58, 0x48, 0x01, 0xc8, 0x50], // pop rcx; pop rax; add rax, rcx; push rax
        "-" => &[0x59, 0x58, 0x48, 0x29, 0xc8, 0x50], // ... sub rax, rcx ...
        "*" => &[0x59, 0x58, 0x48, 0x0f, 0xaf, 0xc1, 0x50], // ... imul rax, rcx ...
        "/" => &[0x59, 0x58, 0x48, 0x99, 0x48, 0xf7, 0xf9, 0x50], // ... cqo; idiv rcx ...
        "@" => &[0x58, 0x48, 0x8b, 0x00, 0x50],       // pop rax; mov rax, [rax]; push rax
        number => {
            let value: i64 = number.parse().map_err(|error| format!("`{number}`: {error}"))?;
            // mov rax, value; push rax
            return Ok([&[0x48, 0xb8][..], &value.to_le_bytes(), &[0x50]].concat());
        }
    };
    Ok(operation.to_vec())
}

/// A compiled expression: where it is, and where each word's code ends.
struct Function<'a> {
    arena: &'a Arena<'a>,
    start: usize,
    words: Vec<(usize, String)>,
}

/// Compiles an expression to a granule of the arena.
fn compile<'a>(
    arena: &'a Arena<'a>,
    granule: usize,
    text: &str,
) -> Result<Function<'a>, Box<dyn Error>> {
    let (mut code, mut words) = (vec![], vec![]);
    let (start, at) = (arena.address() + granule * GRANULE, granule * GRANULE);
    let mut depth = 0;
    for word in text.split_whitespace() {
        let (takes, gives) = match word {
            "+" | "-" | "*" | "/" => (2, 1),
            "@" => (1, 1),
            _ => (0, 1),
        };
        depth = usize::checked_sub(depth, takes).ok_or(format!("`{word}` lacks a value"))? + gives;
        code.extend(encode(word)?);
        words.push((start + code.len(), word.to_owned()));
    }
    code.extend([0x58, 0x49, 0x89, 0x00, 0xc3]); // pop rax; mov [r8], rax; ret
    if code.len() > GRANULE || depth != 1 {
        return Err("an expression fits a granule and has one value".into());
    }
    // SAFETY: nothing is in this granule yet.
    unsafe { arena.commit(at..at + GRANULE, PROT_READ_WRITE) }?;
    // SAFETY: the memory is new, writable and large enough.
    unsafe { (start as *mut u8).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    // Protection may change at any time.
    // SAFETY: the same memory.
    unsafe { arena.fixups().vdso().mprotect(start as u64, GRANULE, PROT_READ_EXEC) }?;
    Ok(Function { arena, start, words })
}

impl Function<'_> {
    fn call(&self, x: i64) -> Result<i64, Trap> {
        type Enter = extern "C" fn(i64, *mut Outcome, usize) -> u64;
        let mut outcome = Outcome::default();
        // SAFETY: the first stub has this type.
        let enter = unsafe { std::mem::transmute::<usize, Enter>(self.arena.stubs()) };
        if enter(x, &raw mut outcome, self.start) == 0 {
            return Ok(outcome.value);
        }
        let word = self.words.iter().find(|(end, _)| outcome.ip < *end);
        let word = word.map_or_else(|| "the end".to_owned(), |(_, word)| word.clone());
        Err(Trap { exception: outcome.exception, address: outcome.address, word })
    }
}

/// Maps on top of the arena without a word to it, writes a function there, and calls that.
fn forget(arena: &Arena<'_>) -> Result<(), Box<dyn Error>> {
    let function = compile(arena, 8, "8 @")?;
    let size = GRANULE as u64;
    arena.uncover(8 * GRANULE..9 * GRANULE)?;
    let vdso = arena.fixups().vdso();
    let flags = MAP_PRIVATE_FIXED_ANONYMOUS;
    // SAFETY: the granule, whose code does not run.
    unsafe { vdso.mmap(function.start as u64, size, PROT_READ_WRITE_EXEC, flags, -1, 0) }?;
    let code = [encode("8")?, encode("@")?, vec![0xc3]].concat();
    // SAFETY: the memory is new, writable and large enough.
    unsafe { (function.start as *mut u8).copy_from_nonoverlapping(code.as_ptr(), code.len()) };
    // Here `arena.cover(8 * GRANULE..9 * GRANULE)?` is missing.
    match function.call(0) {
        Err(trap) => println!("forgotten: {trap}"),
        Ok(value) => println!("forgotten: {value}"),
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let vdso = Vdso::find()?;
    let fixups = Fixups::of_process(&vdso)?;
    let stubs = Stubs { code: &STUBS, landing: LANDING, flags: 0 };
    // SAFETY: the landing leaves the frame that the entry made, and its caller gets an error.
    let arena = unsafe { Arena::reserve(fixups, SIZE, GRANULE, stubs) }
        .map_err(|error: Errno| format!("cannot reserve memory for code: {error}"))?;
    match std::env::args().nth(1).as_deref() {
        None => {}
        Some("--forget") => return forget(&arena),
        Some(other) => return Err(format!("usage: jit [--forget], not `{other}`").into()),
    }
    let here = 42_i64;
    let expressions = [
        ("x 6 *", 7),
        ("100 x /", 0),
        ("x -1 /", i64::MIN),
        ("x @ 1 +", &raw const here as i64),
        ("x @", 8),
    ];
    for (granule, (text, x)) in expressions.into_iter().enumerate() {
        match compile(&arena, granule, text)?.call(x) {
            Ok(value) => println!("{text}: {value}"),
            Err(trap) => println!("{text}: {trap}"),
        }
    }
    Ok(())
}
