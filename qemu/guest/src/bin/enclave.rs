//! Calls `__vdso_sgx_enter_enclave` without an enclave, and looks at what it reports.
//!
//! A processor without SGX raises #UD at `enclu`, one with it raises #GP or #PF for the enclave
//! that does not exist. Both arrive through the image's exception table, as an exception inside an
//! enclave would: this needs the kernel whose image it is.
//!
//! Prints KTAP: one line per promise of `arch/x86/include/uapi/asm/sgx.h`, and of the image where
//! it promises more.
//!
//! # Invariants
//!
//! 1. An exception that is not reported but delivered ends the program in the middle of its list,
//!    which is a failure.

#![expect(unsafe_code, reason = "calls an address, with bad pointers")]

use anyhow::{Context, Result};
use liblinux_abi::arch::x86_64::sgx::{EENTER, EEXIT, ERESUME, EnclaveRun};
use liblinux_abi::image::export::SGX_ENTER_ENCLAVE;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::errno::{EFAULT, EINVAL};
use liblinux_guest::image::Image;
use liblinux_guest::ktap::Ktap;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use procfs::process::Process;
use std::arch::x86_64::__cpuid_count;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;

/// `vdso_sgx_enter_enclave_t`.
type Enter = extern "C" fn(u64, u64, u64, u32, u64, u64, *mut EnclaveRun) -> i64;

/// What a check found, if it is not what it should be.
type Finding = std::result::Result<(), String>;

/// One promise, kept by the function or not.
type Check = fn(Enter) -> Finding;

const CHECKS: &[(&str, Check)] = &[
    ("other functions are refused", other_functions),
    ("reserved bytes are refused", reserved_bytes),
    ("exceptions are reported", exceptions),
    ("the handler decides what is returned", handler_results),
    ("the handler may enter again", handler_enters_again),
    ("bad run structures are no crash", bad_structures),
];

/// What is passed through in `r8` and `r9`.
const PASSED: [u64; 2] = [0x1_0000_0008, 0x1_0000_0009];

/// What the handler was called with: six registers, run structure, and the function recorded there.
static CALLS: Mutex<Vec<([u64; 6], usize, u32)>> = Mutex::new(Vec::new());
/// What the handler returns, last first.
static RESULTS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

extern "C" fn handler(
    rdi: u64,
    rsi: u64,
    rdx: u64,
    rsp: u64,
    r8: u64,
    r9: u64,
    run: *mut EnclaveRun,
) -> i32 {
    // SAFETY: the run structure of one of the checks below, which is only used from here now.
    let function = unsafe { (*run).function };
    let (Ok(mut calls), Ok(mut results)) = (CALLS.lock(), RESULTS.lock()) else { return -1 };
    calls.push(([rdi, rsi, rdx, rsp, r8, r9], run.addr(), function));
    results.pop().unwrap_or(-1000)
}

fn main() -> ExitCode {
    match run(&mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("enclave: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(out: &mut dyn Write) -> Result<bool> {
    let image = Image::of(&Process::myself()?)?.context("the kernel gave this process no image")?;
    let offset = image
        .offset(SGX_ENTER_ENCLAVE)
        .with_context(|| format!("the image has no {SGX_ENTER_ENCLAVE}"))?;
    let address = usize::try_from(image.address + offset)?;
    // SAFETY: the image's function of that name has this type.
    let enter = unsafe { std::mem::transmute::<usize, Enter>(address) };
    let mut list = Ktap::begin(out)?;
    list.plan(CHECKS.len())?;
    for (name, check) in CHECKS {
        list.test(name, &check(enter).into())?;
    }
    Ok(list.failures() == 0)
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Finding {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?}, not {wanted:?}")) }
}

fn structure(user_handler: u64) -> EnclaveRun {
    EnclaveRun {
        tcs: 0,
        function: 0,
        exception_vector: 99,
        exception_error_code: 99,
        exception_addr: 99,
        user_handler,
        user_data: 0,
        reserved: [0; 216],
    }
}

fn with_handler() -> EnclaveRun {
    structure((handler as *const ()).expose_provenance() as u64)
}

fn call(enter: Enter, function: u32, run: *mut EnclaveRun) -> i64 {
    enter(1, 2, 3, function, PASSED[0], PASSED[1], run)
}

/// Whether the processor can enter enclaves (CPUID leaf 7, EBX bit 2).
fn has_sgx() -> bool {
    __cpuid_count(7, 0).ebx & 4 != 0
}

/// Whether `enclu` raises this exception: #UD without SGX, #GP or #PF with it.
fn is_expected(vector: u64) -> bool {
    if has_sgx() { matches!(vector, 6 | 13 | 14) } else { vector == 6 }
}

fn other_functions(enter: Enter) -> Finding {
    for function in [0, 1, EEXIT, 5, 0x8000_0002, u32::MAX] {
        let mut run = with_handler();
        equal(
            &format!("function {function}"),
            call(enter, function, &raw mut run),
            -EINVAL as i64,
        )?;
        equal("the recorded exception", run.exception_vector, 99)?;
        equal("a bad structure with it", call(enter, function, null_mut()), -EINVAL as i64)?;
    }
    Ok(())
}

fn reserved_bytes(enter: Enter) -> Finding {
    for byte in [0, 1, 100, 215] {
        let mut run = with_handler();
        run.reserved[byte] = 1;
        equal(&format!("reserved byte {byte}"), call(enter, EENTER, &raw mut run), -EINVAL as i64)?;
        equal("the recorded exception", run.exception_vector, 99)?;
    }
    Ok(())
}

fn exceptions(enter: Enter) -> Finding {
    for function in [EENTER, ERESUME] {
        let mut run = structure(0);
        equal("the result", call(enter, function, &raw mut run), 0)?;
        equal("the recorded function", run.function, function)?;
        if !is_expected(run.exception_vector.into()) {
            return Err(format!("exception {} from function {function}", run.exception_vector));
        }
        if !has_sgx() {
            equal(
                "error code and address",
                (run.exception_error_code, run.exception_addr),
                (0, 0),
            )?;
        }
    }
    Ok(())
}

/// Calls with a handler that returns `results`, first first; the result and what the handler saw.
fn handled(enter: Enter, results: &[i32]) -> std::result::Result<(i64, Vec<u32>), String> {
    *RESULTS.lock().map_err(|error| error.to_string())? = results.iter().rev().copied().collect();
    CALLS.lock().map_err(|error| error.to_string())?.clear();
    let mut run = with_handler();
    let run = &raw mut run;
    let result = call(enter, EENTER, run);
    let calls = CALLS.lock().map_err(|error| error.to_string())?;
    for ([rdi, _, _, rsp, r8, r9], structure, _) in calls.iter() {
        equal("the handler's run structure", *structure, run.addr())?;
        equal("what passed through", [*r8, *r9], PASSED)?;
        if !is_expected(*rdi) {
            return Err(format!("the handler was called with exception {rdi}"));
        }
        // The function has two words on the stack, below this frame; the structure is in this
        // frame.
        if !rsp.is_multiple_of(8) || rsp.abs_diff(run.addr() as u64) > 4096 {
            return Err(format!("the handler was called with stack pointer {rsp:#x}"));
        }
    }
    Ok((result, calls.iter().map(|(_, _, function)| *function).collect()))
}

fn handler_results(enter: Enter) -> Finding {
    for result in [0, -1, -5, i32::MIN] {
        equal("result and calls", handled(enter, &[result])?, (result.into(), vec![EENTER]))?;
    }
    Ok(())
}

fn handler_enters_again(enter: Enter) -> Finding {
    equal("resumed", handled(enter, &[3, 0])?, (0, vec![EENTER, ERESUME]))?;
    equal(
        "several times",
        handled(enter, &[2, 3, 2, -7])?,
        (-7, vec![EENTER, EENTER, ERESUME, EENTER]),
    )?;
    for other in [1, 4, 5, i32::MAX] {
        equal("with another function", handled(enter, &[other])?, (-EINVAL as i64, vec![EENTER]))?;
    }
    Ok(())
}

fn bad_structures(enter: Enter) -> Finding {
    let size = NonZeroUsize::new(2 * PAGE_SIZE).ok_or("no pages")?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let pages = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE) };
    let pages = pages.map_err(|error| error.to_string())?;
    let first = pages.cast::<u8>().as_ptr();
    let second = NonNull::new(first.wrapping_add(PAGE_SIZE)).ok_or("no second page")?;
    // SAFETY: no other code uses the page.
    unsafe { mprotect(second.cast(), PAGE_SIZE, ProtFlags::PROT_NONE) }
        .map_err(|error| error.to_string())?;
    let nowhere = [0, PAGE_SIZE - 1, 1 << 63, 0x0000_8000_0000_0000, 0xffff_8880_0000_0000];
    let nowhere = nowhere.map(std::ptr::with_exposed_provenance_mut::<u8>);
    let across = [0, 1, 8, 40, 47, 48, 255].map(|left| first.wrapping_add(PAGE_SIZE - left));
    for (function, run) in [EENTER, ERESUME].into_iter().flat_map(|function| {
        nowhere.into_iter().chain(across).map(move |run| (function, run.cast::<EnclaveRun>()))
    }) {
        equal(&format!("{run:?}"), call(enter, function, run), -EFAULT as i64)?;
    }
    // What is readable but cannot record the exception. A page of zeros is a structure without a
    // handler. SAFETY: no other code uses the page.
    unsafe { mprotect(pages, PAGE_SIZE, ProtFlags::PROT_READ) }
        .map_err(|error| error.to_string())?;
    equal("a structure that is read-only", call(enter, EENTER, first.cast()), -EFAULT as i64)
}
