//! Landings that are functions: they see all registers of an exception, and resume or decline.
//!
//! The kernel, or the handler, has put the registers into a [`Frame`] on the thread's own stack. A
//! landing that [`frame_landing!`](crate::frame_landing!) makes keeps the vector registers as well,
//! calls the function, and ends as it says. [`Verdict::Resume`] gives the thread all registers that
//! the frame has by then, whichever the function has changed. [`Verdict::Decline`] leaves the
//! exception to the others of this process: their handler is called, or the process ends, as if
//! there had been no fixup.
//!
//! The function runs where the fault was, in the midst of some other function. So it is under the
//! rules of signal handlers: it takes no lock that the interrupted code may hold.
//!
//! # A text with a handler of its own
//!
//! Code that is made at run time has a landing for all of it, whose function takes a cookie as
//! well: that of `frame_landing! { fn landing(cookie) => on_fault }`. [`stub`] is the code that
//! leads there, with the cookie. An [`Arena`](super::Arena) that has it as its stub is a text whose
//! faults are all calls of that function, whichever other libraries handle signals:
//!
//! ```no_run
//! use core::ffi::c_void;
//! use liblinux::fixup::frame::{Frame, Verdict, stub};
//! use liblinux::fixup::{Arena, FRAME, Fixups, Stubs};
//! use liblinux::{Vdso, frame_landing};
//!
//! frame_landing! { fn landing(cookie) => on_fault }
//!
//! fn on_fault(frame: &mut Frame, cookie: *mut c_void) -> Verdict {
//!     # let (mend, is_mine) = (|_: &mut Frame| {}, |_: *mut c_void, _: u64| true);
//!     match frame.signal {
//!         11 if is_mine(cookie, frame.address) => mend(frame), // SIGSEGV
//!         7 => frame.ip += 3, // SIGBUS: the file is shorter than its mapping
//!         _ => return Verdict::Decline,
//!     }
//!     Verdict::Resume
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (vdso, heap) = (Vdso::find()?, core::ptr::null_mut::<c_void>());
//! let code = stub(landing as *const (), heap);
//! let stubs = Stubs { code: &code, landing: 0, flags: FRAME };
//! // SAFETY: the landing resumes or declines.
//! let arena = unsafe { Arena::reserve(Fixups::of_process(&vdso)?, 1 << 20, 4096, stubs) }?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is different without a kernel that has frames
//!
//! A signal handler stands in for it. There a landing declines by raising another exception, of the
//! same signal, which the handler turns into the declined one. Under a shadow stack there are no
//! such landings: a fault is the signal that it was.
//!
//! # Invariants
//!
//! 1. What the landing executes between the frame and the function's end changes no memory above
//!    the stack pointer, and no register that the frame or the vector state below it does not have.

#![expect(unsafe_code, reason = "reads a register of the processor")]

use crate::Vdso;
use core::arch::{asm, x86_64};
use core::ffi::c_void;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
pub use liblinux_abi::image::fixup::Frame;

/// How a landing ends.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The thread continues with the registers of the frame.
    Resume = 0,
    /// The exception is not this landing's: its signal comes.
    Decline = 1,
}

/// What landings need to know: see [`frame_landing!`](crate::frame_landing!), which alone uses it.
#[doc(hidden)]
#[repr(C)]
#[derive(Debug)]
pub struct Ends {
    resume: AtomicUsize,
    decline: AtomicUsize,
    mask: AtomicU64,
    size: AtomicU64,
}

/// The facts of this process, once it has joined a registry.
#[doc(hidden)]
pub static ENDS: Ends = Ends {
    resume: AtomicUsize::new(0),
    decline: AtomicUsize::new(0),
    mask: AtomicU64::new(0),
    size: AtomicU64::new(0),
};

/// The parts of the vector state that functions may change: x87, SSE, AVX, AVX-512, and the general
/// registers of APX.
const KEPT: u64 = 0xe7 | 1 << 19;

impl Ends {
    /// Finds the functions of the image. Without them, nothing registers a table with frames.
    pub(super) fn find(&self, vdso: &Vdso) {
        let (mask, size) = vector_state();
        self.mask.store(mask, Relaxed);
        self.size.store(size, Relaxed);
        self.resume.store(vdso.symbol("__vdso_fixup_resume").unwrap_or(0), Relaxed);
        self.decline.store(vdso.symbol("__vdso_fixup_decline").unwrap_or(0), Relaxed);
    }
}

/// Which parts of the vector state a landing keeps, and the bytes that takes; zeros where the
/// processor or the kernel has no `xsave`.
fn vector_state() -> (u64, u64) {
    const OSXSAVE: u32 = 1 << 27;
    if x86_64::__cpuid(1).ecx & OSXSAVE == 0 {
        return (0, 0);
    }
    let (low, high): (u32, u32);
    // SAFETY: reads a register, which the processor has.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    let enabled = u64::from(low) | u64::from(high) << 32;
    (enabled & KEPT, x86_64::__cpuid_count(13, 0).ebx.into())
}

/// Bytes of the code that leads to a landing with a cookie.
pub const STUB: usize = 24;

/// The code that leads to a landing with a cookie, wherever it is: for the
/// [`Stubs`](super::Stubs) of an arena.
pub fn stub(landing: *const (), cookie: *mut c_void) -> [u8; STUB] {
    let mut code = [0; STUB];
    code[..2].copy_from_slice(&[0x48, 0xbe]); // mov rsi, cookie
    code[2..10].copy_from_slice(&cookie.expose_provenance().to_le_bytes());
    code[10..12].copy_from_slice(&[0xff, 0x25]); // jmp [rip]
    code[16..].copy_from_slice(&landing.expose_provenance().to_le_bytes());
    code
}

/// Makes a landing of a function `fn(&mut Frame) -> Verdict`, for a [`fixup!`](crate::fixup!) of
/// the kind `frame` or an entry with the flag [`FRAME`](super::FRAME).
///
/// The first name is that of the landing, which can only be used by its address: as operand
/// `landing = sym NAME` of assembly with the line `fixup!(frame "2b" .. "3b" => "{landing}")`. The
/// program has to have joined the registry ([`Fixups::of_process`](super::Fixups::of_process)) by
/// this copy of the crate.
///
/// With `fn NAME(cookie)` the function is a `fn(&mut Frame, *mut c_void) -> Verdict`, and the
/// landing is reached by the code that [`stub`](crate::fixup::frame::stub) makes.
///
/// ```no_run
/// use liblinux::fixup::frame::{Frame, Verdict};
/// use liblinux::{fixup, frame_landing};
///
/// frame_landing! {
///     /// Steps over a load of three bytes, which loads 0.
///     fn landing => skip
/// }
///
/// fn skip(frame: &mut Frame) -> Verdict {
///     if frame.signal != 11 {
///         return Verdict::Decline;
///     }
///     frame.ip += 3;
///     frame.rax = 0;
///     Verdict::Resume
/// }
///
/// fn load(pointer: *const u64) -> u64 {
///     let value;
///     // SAFETY: loads, or lands and loads nothing.
///     unsafe {
///         core::arch::asm!(
///             "2: mov rax, [rdi]",
///             "3:",
///             fixup!(frame "2b" .. "3b" => "{landing}"),
///             landing = sym landing,
///             in("rdi") pointer,
///             out("rax") value,
///         );
///     }
///     value
/// }
/// ```
#[macro_export]
macro_rules! frame_landing {
    ($(#[$meta:meta])* $visibility:vis fn $name:ident => $function:path) => {
        $crate::frame_landing!(@ $(#[$meta])* $visibility $name {
            extern "C" fn land(frame: &mut $crate::fixup::frame::Frame) -> $crate::fixup::frame::Verdict {
                let function: fn(&mut $crate::fixup::frame::Frame) -> $crate::fixup::frame::Verdict =
                    $function;
                function(frame)
            }
        });
    };
    ($(#[$meta:meta])* $visibility:vis fn $name:ident(cookie) => $function:path) => {
        $crate::frame_landing!(@ $(#[$meta])* $visibility $name {
            extern "C" fn land(
                frame: &mut $crate::fixup::frame::Frame,
                cookie: *mut ::core::ffi::c_void,
            ) -> $crate::fixup::frame::Verdict {
                let function: fn(
                    &mut $crate::fixup::frame::Frame,
                    *mut ::core::ffi::c_void,
                ) -> $crate::fixup::frame::Verdict = $function;
                function(frame, cookie)
            }
        });
    };
    (@ $(#[$meta:meta])* $visibility:vis $name:ident { $land:item }) => {
        $(#[$meta])*
        #[unsafe(naked)]
        $visibility extern "C" fn $name() {
            $land
            ::core::arch::naked_asm!(
                ".macro liblinux_saved register, offset",
                "    .cfi_escape 0x10, \\register, 3, 0x73, ((\\offset) & 0x7f) | 0x80, (\\offset) >> 7",
                ".endm",
                ".cfi_startproc",
                ".cfi_signal_frame",
                // The frame is at rsp: the stack pointer and the address of the instruction in it.
                ".cfi_escape 0x0f, 4, 0x77, 0x98, 0x01, 0x06",
                ".cfi_escape 0x10, 16, 3, 0x77, 0x80, 0x01",
                ".cfi_escape 0x10, 3, 2, 0x77, 40",
                "mov rbx, rdi",
                // The frame is at rbx. A cookie is in rsi, which stays as it is until the call.
                ".cfi_escape 0x0f, 4, 0x73, 0x98, 0x01, 0x06",
                ".cfi_escape 0x10, 16, 3, 0x73, 0x80, 0x01",
                "liblinux_saved 15, 0",
                "liblinux_saved 14, 8",
                "liblinux_saved 13, 16",
                "liblinux_saved 12, 24",
                "liblinux_saved 6, 32",
                "liblinux_saved 3, 40",
                "liblinux_saved 11, 48",
                "liblinux_saved 10, 56",
                "liblinux_saved 9, 64",
                "liblinux_saved 8, 72",
                "liblinux_saved 0, 80",
                "liblinux_saved 2, 88",
                "liblinux_saved 1, 96",
                "liblinux_saved 4, 104",
                "liblinux_saved 5, 112",
                "lea rbp, [rip + {ends}]",
                "mov rcx, [rbp + 24]",
                "test rcx, rcx",
                "jz 3f",
                "sub rsp, rcx",
                "and rsp, -64",
                "xor eax, eax",
                ".irp offset, 512, 520, 528, 536, 544, 552, 560, 568",
                "    mov [rsp + \\offset], rax",
                ".endr",
                "mov eax, [rbp + 16]",
                "mov edx, [rbp + 20]",
                "xsave64 [rsp]",
                "jmp 4f",
                "3: sub rsp, 512",
                "fxsave64 [rsp]",
                // As a function may find it.
                "4: fninit",
                "push 0x1f80",
                "ldmxcsr [rsp]",
                "pop rax",
                "mov rdi, rbx",
                "call {land}",
                "mov r12d, eax",
                "cmp qword ptr [rbp + 24], 0",
                "jz 5f",
                "mov eax, [rbp + 16]",
                "mov edx, [rbp + 20]",
                "xrstor64 [rsp]",
                "jmp 6f",
                "5: fxrstor64 [rsp]",
                "6: mov rdi, rbx",
                "test r12d, r12d",
                "jnz 7f",
                "jmp [rbp]",
                "7: jmp [rbp + 8]",
                ".cfi_endproc",
                ".purgem liblinux_saved",
                ends = sym $crate::fixup::frame::ENDS,
                land = sym land,
            )
        }
    };
}
