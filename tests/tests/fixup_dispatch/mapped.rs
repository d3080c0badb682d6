//! Code that is mapped at run time: fetched from pages that go and come, and interrupted without a
//! stack.

use crate::{ENOENT, PAGE_FAULT, apart, map_apart, protect, unmap};
use liblinux_abi::image::fixup::Dso;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_tests::fixup::handler;
use liblinux_tests::fixup::{Area, map};
use nix::libc;
use nix::sys::mman::ProtFlags;

/// Code in pages of its own: a load from `rdi` with a fixup that returns what is in `rdi`, the trap
/// number.
struct Mapped {
    pages: u64,
    dso: Dso,
}

/// How many pages.
const PAGES: usize = 3;

/// Where the load is: in the last page, behind 16 bytes of nothing.
const LOAD: u64 = 2 * PAGE_SIZE as u64 + 16;

impl Mapped {
    fn new() -> Self {
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let pages = map_apart(PAGES * PAGE_SIZE, access, apart());
        // Near the text: 32 bits have to reach it.
        let table = map_apart(PAGE_SIZE, access, apart());
        write(pages + LOAD, &[0x48, 0x8b, 0x07, 0xc3]); // mov rax, [rdi]; ret
        write(pages + LOAD + 8, &[0x48, 0x89, 0xf8, 0xc3]); // mov rax, rdi; ret
        // The middle page is covered whole, for code that is fetched from it.
        entry(table, pages + PAGE_SIZE as u64, PAGE_SIZE as u32, pages + LOAD + 8);
        entry(table + 16, pages + LOAD, 3, pages + LOAD + 8);
        protect(pages, PAGES * PAGE_SIZE, ProtFlags::PROT_READ | ProtFlags::PROT_EXEC);
        let dso = Dso { text_start: pages, text_len: (PAGES * PAGE_SIZE) as u64, table, count: 2 };
        Self { pages, dso }
    }

    /// Calls what is at an offset of the pages.
    fn call(&self, offset: u64, argument: u64) -> u64 {
        // SAFETY: there is a function, or a fault that has a fixup or a handler behind that ends
        // the call.
        let function = unsafe {
            std::mem::transmute::<usize, extern "C" fn(u64) -> u64>((self.pages + offset) as usize)
        };
        function(argument)
    }
}

/// Where [`without_a_stack`](Mapped::without_a_stack) puts its code.
const SPIN: u64 = LOAD + 64;

impl Mapped {
    /// Adds a function that exchanges its stack for address 16 and waits there for ever, with a
    /// fixup that returns.
    fn without_a_stack(mut self) -> Self {
        let spin = self.pages + SPIN;
        protect(self.pages, PAGES * PAGE_SIZE, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
        write(spin, &[0x48, 0x89, 0xe0, 0xbc, 0x10, 0, 0, 0]); // mov rax, rsp; mov esp, 16
        write(spin + 8, &[0xf3, 0x90, 0xeb, 0xfc]); // pause; jmp to the pause
        write(spin + 12, &[0x48, 0x89, 0xc4, 0xc3]); // mov rsp, rax; ret
        protect(self.pages, PAGES * PAGE_SIZE, ProtFlags::PROT_READ | ProtFlags::PROT_EXEC);
        entry(self.dso.table + 32, spin + 8, 4, spin + 12);
        self.dso.count = 3;
        self
    }
}

/// Writes an entry of a table, where its fields are relative to their own addresses.
fn entry(at: u64, start: u64, len: u32, landing: u64) {
    let relative = |field: u64, target: u64| (target.wrapping_sub(field) as u32).to_le_bytes();
    let fields = [relative(at, start), len.to_le_bytes(), relative(at + 8, landing), [0; 4]];
    write(at, &fields.concat());
}

/// Writes to the test's own memory.
fn write(address: u64, bytes: &[u8]) {
    let target: *mut u8 = std::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: the caller mapped it, writable, and no other code uses it.
    unsafe { target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

#[test]
fn code_that_cannot_be_fetched_has_a_fixup_like_any_other() {
    let area = Area::new(1);
    let mapped = Mapped::new();
    assert_eq!(area.register(&mapped.dso), 0);
    handler::set_area(area.address);
    for access in [ProtFlags::PROT_NONE, ProtFlags::PROT_READ] {
        protect(mapped.pages + PAGE_SIZE as u64, PAGE_SIZE, access);
        assert_eq!(mapped.call(PAGE_SIZE as u64 + 100, 7), PAGE_FAULT, "{access:?}");
    }
}

#[test]
fn what_took_the_place_of_a_text_never_lands() {
    let area = Area::new(1);
    let (elsewhere, mapped) = (Mapped::new(), Mapped::new());
    assert_eq!(area.register(&mapped.dso), 0);
    handler::set_area(area.address);
    assert_eq!(mapped.call(LOAD, 64), PAGE_FAULT, "while the text is there");

    // Gone: the call itself faults, at an address that is registered.
    unmap(mapped.pages, PAGES * PAGE_SIZE);
    assert_eq!(area.lookup(mapped.pages + LOAD), Err(ENOENT), "the text is gone");
    handler::resume_at(elsewhere.pages + LOAD + 8);
    mapped.call(LOAD, 64);
    let seen = handler::seen().expect("the handler behind");
    assert_eq!(
        (seen.rip, seen.dispatched, seen.is_untouched),
        (mapped.pages + LOAD, 0, true),
        "{seen:?}"
    );

    // Something else at the same place, with another first instruction and the same fault.
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
    map_apart(PAGES * PAGE_SIZE, access, mapped.pages);
    write(mapped.pages, &[0x90]);
    write(mapped.pages + LOAD, &[0x48, 0x8b, 0x07, 0xc3]);
    handler::resume_at(elsewhere.pages + LOAD + 8);
    mapped.call(LOAD, 64);
    let seen = handler::seen().expect("the handler behind");
    assert_eq!((seen.rip, seen.dispatched), (mapped.pages + LOAD, 0), "{seen:?}");

    // The new text may be registered: the stale one makes way.
    write(mapped.pages + LOAD + 8, &[0x48, 0x89, 0xf8, 0xc3]);
    assert_eq!(area.register(&mapped.dso), 0, "in place of the stale one");
    assert_eq!(mapped.call(LOAD, 64), PAGE_FAULT, "again");

    // A table that was unmapped has no entries.
    unmap(mapped.dso.table, PAGE_SIZE);
    handler::resume_at(elsewhere.pages + LOAD + 8);
    mapped.call(LOAD, 64);
    assert_eq!(handler::seen().expect("the handler behind").dispatched, 0);
}

/// Runs the handlers of SIGSEGV on an alternate stack, and lets an alarm come soon whose handler
/// stays on the thread's.
fn alarm_on_the_threads_stack() {
    extern "C" fn ignore(_: libc::c_int) {}
    let size = 16 * PAGE_SIZE;
    let memory = map(size, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE);
    let memory = std::ptr::with_exposed_provenance_mut(memory as usize);
    let stack = libc::stack_t { ss_sp: memory, ss_flags: 0, ss_size: size };
    // SAFETY: memory that stays mapped, for handlers of this thread.
    assert_eq!(unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) }, 0);
    // SAFETY: all zeros is a valid value of the C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: asks for the action.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, std::ptr::null(), &raw mut action) }, 0);
    action.sa_flags |= libc::SA_ONSTACK;
    // SAFETY: the same handler, with another flag.
    let status = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) };
    assert_eq!(status, 0);
    action.sa_sigaction = (ignore as extern "C" fn(_)) as usize;
    action.sa_flags = 0;
    // SAFETY: the handler does nothing.
    let status = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(status, 0);
    let soon = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
    let once =
        libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: soon };
    // SAFETY: sets a timer, whose signal has a handler.
    let status =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const once, std::ptr::null_mut()) };
    assert_eq!(status, 0);
}

/// The kernel cannot write the frame of another signal, and raises SIGSEGV with the number of an
/// exception long ago.
#[test]
fn a_frame_that_cannot_be_written_is_not_an_exception() {
    const SI_KERNEL: libc::c_int = 0x80;
    for (before, trap) in [(64, 14), (1 << 60, 13)] {
        let in_a_child = move || {
            let area = Area::new(1);
            let mapped = Mapped::new().without_a_stack();
            assert_eq!(area.register(&mapped.dso), 0);
            handler::set_area(area.address);
            assert_eq!(mapped.call(LOAD, before), trap, "an exception that lands");
            handler::resume_at(mapped.pages + SPIN + 12);
            alarm_on_the_threads_stack();
            mapped.call(SPIN, 0);
            let seen = handler::seen().expect("it was taken for an exception");
            assert_eq!(
                (seen.signal, seen.code, seen.trap),
                (libc::SIGSEGV, SI_KERNEL, trap),
                "{seen:?}"
            );
            assert_eq!((seen.dispatched, seen.is_untouched), (0, true), "{seen:?}");
            // A general protection fault still lands, on this stack.
            assert_eq!(mapped.call(LOAD, 1 << 60), 13);
        };
        // SAFETY: the child runs the closure, writes at most a panic's message, and ends.
        match unsafe { nix::unistd::fork() }.expect("a child") {
            nix::unistd::ForkResult::Child => {
                let result = std::panic::catch_unwind(in_a_child);
                // SAFETY: ends the child without the harness's exit handlers.
                unsafe { libc::_exit(if result.is_ok() { 0 } else { 101 }) };
            }
            nix::unistd::ForkResult::Parent { child } => {
                let end = nix::sys::wait::waitpid(child, None).expect("its end");
                assert_eq!(
                    end,
                    nix::sys::wait::WaitStatus::Exited(child, 0),
                    "after exception {trap}"
                );
            }
        }
    }
}
