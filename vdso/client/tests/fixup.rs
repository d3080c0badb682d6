//! Exception fixups by the signal handler, on this kernel. Dispositions are a process's, so each test has a child of its own.

#![expect(unsafe_code, reason = "forks, faults, and installs signal handlers")]

use liblinux::fixup::{Dso, Entry, Fixups, Registration};
use liblinux::{Vdso, fixup, probe};
use liblinux_tests::image::Image;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork, getpid};
use std::arch::{asm, naked_asm};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

const PAGE: usize = liblinux_abi::layout::PAGE_SIZE;

static VDSO: LazyLock<Vdso> = LazyLock::new(|| {
    // SAFETY: mapped for good, as its headers say.
    unsafe { Vdso::at(Image::load().base()) }.expect("our image is fit")
});

/// Runs `body` in a child; how the child ended. A child that returns has status 0, one that panics 101.
fn child(body: impl FnOnce()) -> WaitStatus {
    LazyLock::force(&VDSO);
    // SAFETY: the child runs `body`, writes at most a panic's message, and ends.
    match unsafe { fork() }.expect("a child") {
        ForkResult::Parent { child } => waitpid(child, None).expect("its end"),
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: ends the child without the harness's exit handlers.
            let _ = unsafe { VDSO.exit_group(if result.is_ok() { 0 } else { 101 }) };
            unreachable!("exit_group returned");
        }
    }
}

#[track_caller]
fn passes(body: impl FnOnce()) {
    let status = child(body);
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

#[track_caller]
fn dies(signal: Signal, body: impl FnOnce()) {
    let status = child(body);
    assert!(matches!(status, WaitStatus::Signaled(_, of, _) if of == signal), "{status:?}");
}

fn register() -> Registration<'static> {
    let fixups = Fixups::of_process(&VDSO).expect("fixups");
    fixups.register_own().expect("a registration")
}

fn pages(count: usize, protection: ProtFlags) -> NonNull<u8> {
    let length = NonZeroUsize::new(count * PAGE).expect("not empty");
    // SAFETY: a new mapping.
    unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE) }.expect("memory").cast()
}

#[test]
fn probes_report_every_kind_of_bad_address() {
    passes(|| {
        let _registration = register();
        let nothing = pages(1, ProtFlags::PROT_NONE).as_ptr();
        let read_only = pages(1, ProtFlags::PROT_READ).as_ptr();
        let unmapped = pages(1, ProtFlags::PROT_READ).as_ptr();
        // SAFETY: nobody uses it.
        unsafe { munmap(NonNull::new(unmapped.cast()).expect("not null"), PAGE) }.expect("unmapped");
        let file = tempfile::tempfile().expect("a file");
        let length = NonZeroUsize::new(PAGE).expect("not zero");
        // SAFETY: a new mapping, of a file without any bytes.
        let past_end = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, &file, 0) };
        let past_end = past_end.expect("a mapping").as_ptr().cast::<u8>();

        for (kind, address) in [
            ("PROT_NONE", nothing),
            ("unmapped", unmapped),
            ("past the end", past_end),
            ("null", 8 as *mut u8),
        ] {
            let fault = probe::read::<u32>(address.cast()).expect_err(kind);
            assert_eq!((fault.trap, fault.address), (14, address.addr() as u64), "{kind}");
            assert_eq!(fault.error_code & 2, 0, "{kind}: a read");
            assert!(probe::read::<[u8; 3]>(address.cast()).is_err(), "{kind}");
        }
        // Not canonical: a general protection fault, which has no address.
        let fault = probe::read::<u64>((1_usize << 62) as *const u64).expect_err("not canonical");
        assert_eq!((fault.trap, fault.address), (13, 0));
        assert_eq!(probe::read::<u16>(read_only.cast()), Ok(0));
        // SAFETY: nobody uses these pages.
        let fault = unsafe { probe::write(read_only.cast(), 7_u16) }.expect_err("read-only");
        assert_eq!((fault.trap, fault.address, fault.error_code & 3), (14, read_only.addr() as u64, 3));
        // SAFETY: ours.
        assert_eq!(unsafe { probe::write(&raw mut *Box::new(1_u128), 2) }, Ok(()));
    });
}

#[test]
fn a_copy_stops_where_the_memory_ends() {
    passes(|| {
        let _registration = register();
        let two = pages(2, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).as_ptr();
        let second = two.wrapping_add(PAGE);
        // SAFETY: nobody uses it.
        unsafe { munmap(NonNull::new(second.cast()).expect("not null"), PAGE) }.expect("unmapped");
        let source = [5_u8; 64];
        // SAFETY: the part that is there is ours.
        let fault =
            unsafe { probe::copy(second.wrapping_sub(10), source.as_ptr(), 64) }.expect_err("the end");
        assert_eq!((fault.address, fault.error_code & 2), (second.addr() as u64, 2));
        assert_eq!(
            probe::read::<[u8; 12]>(second.wrapping_sub(12).cast()),
            Ok([0, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5])
        );
        let mut target = [0_u8; 64];
        // SAFETY: ours.
        let fault =
            unsafe { probe::copy(target.as_mut_ptr(), second.wrapping_sub(10), 64) }.expect_err("the end");
        assert_eq!((fault.address, target[9], target[10]), (second.addr() as u64, 5, 0));
    });
}

/// Divides; the number of the exception if that trapped.
fn divide(dividend: u64, divisor: u64) -> Result<u64, u64> {
    let (quotient, trap): (u64, u64);
    // SAFETY: a division; if it traps, the fixup goes on behind it with four registers changed, all of them outputs.
    unsafe {
        asm!(
            "2: div {divisor}",
            "3: xor edi, edi",
            "4:",
            fixup!("2b" .. "3b" => "4b"),
            divisor = in(reg) divisor,
            inout("rax") dividend => quotient,
            inout("rdx") 0_u64 => _,
            out("rdi") trap,
            out("rsi") _,
            out("rcx") _,
        );
    }
    if trap == 0 && divisor != 0 { Ok(quotient) } else { Err(trap) }
}

/// Executes an undefined instruction; whether the landing was reached with all registers as they were.
fn undefined() -> bool {
    let (before, after): (u64, u64);
    // SAFETY: the instruction traps, and the fixup goes on behind it with no register changed.
    unsafe {
        asm!(
            "mov {before}, rsp",
            "mov rdi, 1",
            "mov rsi, 2",
            "mov rdx, 3",
            "mov rcx, 4",
            "2: ud2",
            "3: xor ecx, ecx",
            "4: lea rdi, [rdi + 2 * rsi]",
            "lea rdi, [rdi + 4 * rdx]",
            "lea {after}, [rdi + 8 * rcx]",
            fixup!(plain "2b" .. "3b" => "4b"),
            before = out(reg) before,
            after = out(reg) after,
            out("rdi") _, out("rsi") _, out("rdx") _, out("rcx") _,
        );
    }
    before != 0 && after == 1 + 4 + 12 + 32
}

#[test]
fn labels_in_assembly_become_entries() {
    passes(|| {
        let _registration = register();
        assert_eq!(divide(42, 6), Ok(7));
        assert_eq!(divide(42, 0), Err(0), "#DE is number 0");
        assert!(undefined());
    });
    // Without a registration, it is what it always was.
    dies(Signal::SIGFPE, || assert_eq!(divide(1, 0), Ok(0)));
}

#[test]
fn a_registration_ends_and_comes_again() {
    passes(|| {
        let registration = register();
        let fixups = *registration.fixups();
        assert!(!fixups.by_kernel(), "this kernel consults no areas");
        let ip = probe::read::<u8>(8 as *const u8).expect_err("nothing is there").ip;
        assert_eq!(fixups.lookup(ip).unwrap().unwrap().text_start, registration.text_start());
        let again = fixups.register_own().unwrap_err();
        assert_eq!(again.name(), Some("EEXIST"));
        drop(registration);
        assert_eq!(fixups.lookup(ip), Ok(None));
        let _registration = fixups.register_own().unwrap();
        assert!(probe::read::<u8>(8 as *const u8).is_err());
    });
}

#[test]
fn all_of_a_process_share_one_area() {
    passes(|| {
        let first = Fixups::of_process(&VDSO).unwrap();
        let second = Fixups::of_process(&VDSO).unwrap();
        assert_eq!(first.area(), second.area());
        let _registration = second.register_own().unwrap();
        assert_eq!(first.register_own().unwrap_err().name(), Some("EEXIST"));
        // A child has what its parent had, and a handler for it.
        passes(|| assert!(probe::read::<u8>(8 as *const u8).is_err()));
    });
}

/// Texts of one page, each with a table of one entry behind its code.
struct Texts {
    start: *mut u8,
    count: usize,
}

impl Texts {
    fn new(count: usize) -> Self {
        let start = pages(count, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).as_ptr();
        let texts = Self { start, count };
        for number in 0..count {
            // The entry covers the first 8 bytes and lands behind them. Fields are relative to their own addresses.
            let offset = -(PAGE as i32 / 2);
            let entry = Entry { start: offset, len: 8, landing: offset, flags: 0 };
            // SAFETY: ours, and aligned.
            unsafe { texts.table(number).write(entry) };
        }
        texts
    }

    fn table(&self, number: usize) -> *mut Entry {
        self.start.wrapping_add(number * PAGE + PAGE / 2).cast()
    }

    fn dso(&self, number: usize) -> Dso {
        let text_start = self.start.wrapping_add(number * PAGE).addr() as u64;
        Dso { text_start, text_len: PAGE as u64, table: self.table(number).addr() as u64, count: 1 }
    }
}

#[test]
fn a_full_registry_grows() {
    passes(|| {
        let registration = register();
        let fixups = *registration.fixups();
        let before = fixups.area();
        let texts = Texts::new(700);
        for number in 0..texts.count {
            // SAFETY: nothing is executed there.
            unsafe { fixups.register(&texts.dso(number)) }
                .unwrap_or_else(|error| panic!("number {number}: {error}"));
        }
        assert_ne!(fixups.area(), before);
        for number in 0..texts.count {
            let text = texts.dso(number).text_start;
            assert_eq!(fixups.lookup(text + 7).unwrap().unwrap().landing, text + 8, "number {number}");
            assert_eq!(fixups.lookup(text + 8), Ok(None));
        }
        assert!(probe::read::<u8>(8 as *const u8).is_err(), "the handler follows");
        // Whoever comes now finds the new area.
        assert_eq!(Fixups::of_process(&VDSO).unwrap().area(), fixups.area());
    });
}

#[test]
fn threads_fault_while_the_registry_moves() {
    passes(|| {
        let registration = register();
        let fixups = *registration.fixups();
        let before = fixups.area();
        let (stop, faults) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(SeqCst) {
                        assert!(probe::read::<u64>(std::ptr::without_provenance::<u64>(8)).is_err());
                        faults.fetch_add(1, SeqCst);
                    }
                });
            }
            let texts = Texts::new(400);
            for _ in 0..3 {
                for number in 0..texts.count {
                    // SAFETY: nothing is executed there.
                    unsafe { fixups.register(&texts.dso(number)) }.unwrap();
                }
                for number in 0..texts.count {
                    fixups.unregister(texts.dso(number).text_start).unwrap();
                }
                let seen = faults.load(SeqCst);
                while faults.load(SeqCst) == seen {
                    std::thread::yield_now();
                }
            }
            stop.store(true, SeqCst);
        });
        assert_ne!(fixups.area(), before, "the registry moved");
    });
}

#[test]
fn a_pinned_thread_recovers_from_faults() {
    passes(|| {
        let registration = register();
        VDSO.pin_origin().expect("a kernel with Syscall User Dispatch");
        // The handler returns by the image, too.
        let caught = (0..3).filter(|_| probe::read::<u8>(8 as *const u8).is_err()).count();
        let fixups = *registration.fixups();
        drop(registration);
        let again = fixups.register_own();
        let is_good = caught == 3 && again.is_ok() && probe::read::<u8>(8 as *const u8).is_err();
        // SAFETY: ends the child; a panic's message would be written by the libc, and trip.
        let _ = unsafe { VDSO.exit_group(if is_good { 0 } else { 1 }) };
    });
}

/// What the predecessor saw: the signal, the fault's address, the interrupted instruction, and its own signal mask.
static SEEN: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// A handler that was there before: notes what it is given, and steps over the instruction.
extern "C" fn predecessor(signal: i32, info: *mut nix::libc::siginfo_t, context: *mut std::ffi::c_void) {
    let context = context.cast::<nix::libc::ucontext_t>();
    SEEN[0].store(signal as u64, SeqCst);
    // SAFETY: the kernel's information about the signal.
    let info = unsafe { &*info };
    // SAFETY: of a fault, which has an address.
    SEEN[1].store(unsafe { info.si_addr() }.addr() as u64, SeqCst);
    let rip = nix::libc::REG_RIP as usize;
    // SAFETY: the kernel's context.
    let ip = unsafe { &mut (*context).uc_mcontext.gregs[rip] };
    SEEN[2].store(*ip as u64, SeqCst);
    *ip += 2;
    let mut mask = 0_u64;
    // SAFETY: asks for the mask, which has 8 bytes.
    let _ = unsafe { VDSO.rt_sigprocmask(0, std::ptr::null_mut(), (&raw mut mask).cast(), 8) };
    SEEN[3].store(mask, SeqCst);
}

/// Reads through a null pointer, by an instruction of two bytes.
#[unsafe(naked)]
extern "C" fn fault() {
    naked_asm!("xor eax, eax", "mov al, [rax]", "ret")
}

fn install(handler: SigHandler, flags: SaFlags, mask: SigSet) {
    for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE] {
        // SAFETY: the handler is one of the above.
        unsafe { sigaction(signal, &SigAction::new(handler, flags, mask)) }.expect("a disposition");
    }
}

#[test]
fn the_handler_before_gets_what_is_nobodys_as_if_we_were_not_there() {
    passes(|| {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGUSR2);
        install(SigHandler::SigAction(predecessor), SaFlags::SA_SIGINFO, mask);
        fault();
        let alone: Vec<u64> = SEEN.iter().map(|word| word.swap(0, SeqCst)).collect();
        assert_eq!(alone[..2], [11, 0]);
        assert_eq!(alone[3], 1 << (Signal::SIGUSR2 as u32 - 1) | 1 << (Signal::SIGSEGV as u32 - 1));
        let _registration = register();
        fault();
        let behind: Vec<u64> = SEEN.iter().map(|word| word.swap(0, SeqCst)).collect();
        assert_eq!(alone, behind);
        // And what is ours does not reach it.
        assert!(probe::read::<u8>(8 as *const u8).is_err());
        assert_eq!(SEEN[0].load(SeqCst), 0);
        // It is asked again, not once.
        fault();
        assert_eq!(SEEN[0].load(SeqCst), 11);
    });
}

#[test]
fn a_handler_for_one_signal_is_called_once() {
    dies(Signal::SIGSEGV, || {
        install(
            SigHandler::SigAction(predecessor),
            SaFlags::SA_SIGINFO | SaFlags::SA_RESETHAND | SaFlags::SA_NODEFER,
            SigSet::empty(),
        );
        let _registration = register();
        fault();
        assert_eq!((SEEN[0].load(SeqCst), SEEN[3].load(SeqCst)), (11, 0));
        fault();
    });
}

#[test]
fn without_a_handler_before_a_fault_kills_as_ever() {
    for handler in [SigHandler::SigDfl, SigHandler::SigIgn] {
        dies(Signal::SIGSEGV, || {
            install(handler, SaFlags::empty(), SigSet::empty());
            let _registration = register();
            fault();
        });
    }
    // Faults that are ours go on being ours until then.
    passes(|| {
        install(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        let _registration = register();
        assert!(probe::read::<u8>(8 as *const u8).is_err());
    });
}

#[test]
fn signals_that_somebody_sent_are_not_faults() {
    let send = || {
        let _registration = register();
        for signal in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL] {
            kill(getpid(), signal).expect("a signal");
        }
        assert!(probe::read::<u8>(8 as *const u8).is_err());
    };
    passes(|| {
        install(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        send();
    });
    dies(Signal::SIGSEGV, || {
        install(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        send();
    });
}

#[test]
fn a_kernels_own_image_has_no_fixups() {
    let vdso = Vdso::find().expect("this kernel has a vDSO").or_syscall();
    if vdso.symbol("__vdso_fixup_query").is_none() {
        assert_eq!(Fixups::of_process(&vdso).unwrap_err(), liblinux::Errno::NO_ENTRY);
    }
}
