use super::*;
use std::arch::naked_asm;
use std::sync::Mutex;

/// Keeps invariant 2 among the tests.
static ALONE: Mutex<()> = Mutex::new(());

/// Returns its sixth argument.
#[unsafe(naked)]
extern "C" fn well_behaved() {
    naked_asm!("mov rax, r9", "mov ecx, 0", "mov r10d, 0", "mov r11d, 0", "ret")
}

/// Returns with every register changed, the stack pointer too.
#[unsafe(naked)]
extern "C" fn vandal() {
    naked_asm!(
        "pop rcx",
        "sub rsp, 64",
        "not rdi",
        "not rsi",
        "not rdx",
        "not r8",
        "not r9",
        "not rbx",
        "not rbp",
        "not r12",
        "not r13",
        "not r14",
        "not r15",
        "pxor xmm0, xmm0",
        "psrldq xmm7, 8",
        "pslldq xmm15, 8",
        "cmp esp, esp",
        "std",
        "jmp rcx",
    )
}

fn observe(entry: extern "C" fn()) -> Frame {
    let _alone = ALONE.lock().unwrap();
    let mut frame = Frame::new([1, 2, 3, 4, 5, 6]);
    // SAFETY: both functions above return and touch registers only; the lock keeps other threads
    // out.
    unsafe { call(entry as usize, &mut frame) };
    frame
}

#[test]
fn a_well_behaved_function_preserves_all() {
    let frame = observe(well_behaved);
    assert_eq!(frame.result, 6);
    assert_eq!(frame.clobbered().count(), 0);
}

#[test]
fn every_clobbered_register_is_named() {
    let names: Vec<_> = observe(vandal).clobbered().collect();
    let integers =
        ["rdi", "rsi", "rdx", "r8", "r9", "rbx", "rbp", "r12", "r13", "r14", "r15", "rsp"];
    let flags = ["status flags", "direction flag"];
    let vectors = ["vector register 0", "vector register 7", "vector register 15"];
    assert_eq!(names, [integers.as_slice(), &flags, &vectors].concat());
}

#[test]
fn the_bare_instruction_reaches_the_kernel() {
    let getpid = liblinux_abi::syscall::find("getpid").unwrap().number;
    // SAFETY: getpid changes nothing.
    let pid = unsafe { syscall(getpid, [0; 6]) };
    assert_eq!(pid, i64::from(std::process::id()));
}
