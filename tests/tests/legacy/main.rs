//! Legacy calls where time and signals decide: the function beside the kernel's own call, which is
//! the oracle.
//!
//! The sweep (`stubs`) compares every call by its arguments; here calls block, are interrupted,
//! stopped and restarted, and times run. Each experiment is done twice, in children of their own:
//! through the entry and by the number.
//!
//! # Invariants
//!
//! 1. A child makes system calls and touches shared memory, and nothing else: the tests' process
//!    has other threads.
//! 2. What is compared does not depend on how busy the machine is, within a few tenths of a second.

#![expect(unsafe_code, reason = "makes system calls")]

mod child;
mod directory;
mod file_times;
mod kept;
mod waits;

use liblinux_abi::syscall::find;
use liblinux_tests::arch::landing::resume_faults;
use liblinux_tests::image::Image;
use nix::errno::Errno;
use std::sync::LazyLock;

static IMAGE: LazyLock<Image> = LazyLock::new(|| {
    let image = Image::load();
    resume_faults(&image);
    image
});

/// A system call to be made one way or the other.
#[derive(Clone, Copy, Debug)]
struct Function {
    number: u32,
    /// The address of the image's entry; none for the bare call.
    entry: Option<usize>,
}

impl Function {
    /// The call by the image's function, and by its number.
    fn both(name: &str) -> [Self; 2] {
        let call = find(name).unwrap_or_else(|| panic!("no row for {name}"));
        let bare = Self { number: call.number, entry: None };
        [Self { entry: Some(IMAGE.require(call.symbol)), ..bare }, bare]
    }

    /// The bare call.
    fn bare(name: &str) -> Self {
        Self::both(name)[1]
    }

    /// Makes the call; what the kernel returns.
    ///
    /// # Safety
    ///
    /// The call must be one that Rust can live with.
    unsafe fn call(self, arguments: [usize; 6]) -> isize {
        let [a, b, c, d, e, f] = arguments;
        let Some(entry) = self.entry else {
            // SAFETY: the caller's contract.
            let result = unsafe { nix::libc::syscall(i64::from(self.number), a, b, c, d, e, f) };
            return if result == -1 { -(Errno::last_raw() as isize) } else { result as isize };
        };
        type Entry = extern "C" fn(usize, usize, usize, usize, usize, usize) -> isize;
        // SAFETY: an entry takes its arguments in up to six registers.
        let entry = unsafe { std::mem::transmute::<usize, Entry>(entry) };
        entry(a, b, c, d, e, f)
    }
}
