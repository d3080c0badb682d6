//! `wasm [COUNT]`: WebAssembly in Wasmtime, whose traps are landings and not signals.
//!
//! Wasmtime compiles no check of an index or a divisor: the processor's exception is the check. Its
//! usual build installs handlers of SIGSEGV, SIGILL and SIGFPE for that, which are the whole
//! process's. Here it has a platform of this program's ([`platform`]), which installs none: the
//! compiled code has one fixup, and a trap lands in a function that tells Wasmtime
//! ([`text`]). So the program's own handler of SIGSEGV gets what it would have got without
//! Wasmtime, the faults of its own functions that Wasm calls among them.
//!
//! `src/traps.wat` was compiled when the program was built, so there is no compiler in it. It traps
//! COUNT times at the end, 1,000 if that is missing, and says how long one takes.

#![expect(unsafe_code, reason = "loads compiled code, and handles a signal")]

mod platform;
mod text;

use liblinux::Vdso;
use liblinux::fixup::Fixups;
use std::arch::asm;
use std::error::Error;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;
use wasmtime::{Engine, Func, Instance, Module, Store, Trap};

static CODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/traps.cwasm"));

/// Faults that the program's handler was called for.
static HANDLED: AtomicU32 = AtomicU32::new(0);

/// The program's handler: the load that faulted, of three bytes, has loaded -1.
extern "C" fn on_fault(_signal: i32, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    HANDLED.fetch_add(1, Relaxed);
    // SAFETY: the kernel gave it to this handler.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    context.uc_mcontext.gregs[libc::REG_RIP as usize] += 3;
    context.uc_mcontext.gregs[libc::REG_RAX as usize] = -1;
}

/// The function of the host that Wasm calls: a load from an address that may have no memory.
fn peek(address: i64) -> i64 {
    let value;
    // SAFETY: loads, or the handler steps over it.
    unsafe { asm!("mov rax, [rdi]", in("rdi") address, out("rax") value) };
    value
}

fn install() -> std::io::Result<()> {
    // SAFETY: a structure of integers.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = (on_fault as *const ()).addr();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler takes what SA_SIGINFO gives; one load of this program may fault.
    match unsafe { libc::sigaction(libc::SIGSEGV, &action, null_mut()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// A call of an export, and what came of it.
fn call(store: &mut Store<()>, instance: &Instance, name: &str, argument: i64) -> String {
    let function = instance.get_typed_func::<i64, i64>(&mut *store, name);
    match function.and_then(|function| function.call(store, argument)) {
        Ok(value) => format!("{value}"),
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(trap) => format!("trap: {trap}"),
            None => format!("{error:#}"),
        },
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: u32 = match std::env::args().nth(1) {
        Some(count) => count.parse().map_err(|_| format!("usage: wasm [COUNT], not `{count}`"))?,
        None => 1_000,
    };
    install()?;
    let vdso = platform::set_vdso(Vdso::find()?);
    let is_kernels = Fixups::of_process(vdso)?.by_kernel();
    if vdso.symbol("__vdso_fixup_resume").is_none() {
        return Err("the image has no landings with frames: it is of Linux 6.12 or older".into());
    }
    let engine = Engine::default();
    // SAFETY: compiled by the same version when this program was built.
    let module = unsafe { Module::deserialize(&engine, CODE) }?;
    let mut store = Store::new(&engine, ());
    let peek = Func::wrap(&mut store, peek);
    let instance = Instance::new(&mut store, &module, &[peek.into()])?;
    for (name, argument) in [
        ("load", 65_532),
        ("load", 65_536),
        ("divide", 6),
        ("divide", 0),
        ("refuse", 0),
        ("recurse", 0),
        ("ask", 8),
    ] {
        println!("{name} {argument}: {}", call(&mut store, &instance, name, argument));
    }
    let before = text::landed();
    let divide = instance.get_typed_func::<i64, i64>(&mut store, "divide")?;
    let start = Instant::now();
    let trapped = (0..count).filter(|_| divide.call(&mut store, 0).is_err()).count();
    let each = start.elapsed() / count.max(1);
    let (handled, landed) = (HANDLED.load(Relaxed), text::landed() - before);
    println!("the program's handler ran {handled} times, for what was the program's");
    println!("{trapped} of {count} divisions by zero trapped, {landed} of them by a landing");
    let by = if is_kernels { "the kernel" } else { "a handler" };
    eprintln!("each took {each:?}, by {by}");
    if trapped != count as usize || landed != count || handled != 1 {
        return Err("a trap was not Wasmtime's, or a fault not the program's".into());
    }
    Ok(())
}
