//! A thread that a checkpoint finds inside a landing: it has faulted, has its registers in a frame
//! on its stack, and waits in a system call before it resumes.

use crate::Way;
use anyhow::{Context, Result};
use liblinux::fixup::Fixups;
use liblinux::fixup::frame::{Frame, Verdict};
use liblinux::frame_landing;
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_guest::jit::{LANDED, Loader};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use std::io::{PipeWriter, Write as _};
use std::num::NonZeroUsize;
use std::os::fd::IntoRawFd as _;
use std::ptr::{NonNull, with_exposed_provenance_mut};
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};

const PAGE: NonZeroUsize = NonZeroUsize::new(PAGE_SIZE).unwrap();

/// How the landing waits: the call, and the pipe.
static WAIT: OnceLock<(Way, u64)> = OnceLock::new();

frame_landing! {
    /// Where the thread's load lands.
    fn landing => on_fault
}

/// Waits for a byte, then mends the fault.
fn on_fault(frame: &mut Frame) -> Verdict {
    let Some(&(way, reader)) = WAIT.get() else { return Verdict::Decline };
    let mut byte = 0_u8;
    let buffer = (&raw mut byte).expose_provenance() as u64;
    let place = with_exposed_provenance_mut::<u8>(frame.address as usize);
    let Some(page) = NonNull::new(place.cast()) else { return Verdict::Decline };
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    let read = way.call("read", [reader, buffer, 1, 0, 0, 0]);
    // SAFETY: the page that the thread loads from.
    if read != 1 || unsafe { mprotect(page, PAGE.get(), access) }.is_err() {
        return Verdict::Decline;
    }
    // SAFETY: it can be written now, and no reference leads there.
    unsafe { place.write(LANDED) };
    Verdict::Resume
}

/// The thread.
pub(crate) struct Landed {
    thread: JoinHandle<u8>,
    pipe: PipeWriter,
}

impl Landed {
    /// Starts it; none where landings get no frames.
    pub(crate) fn start(way: Way, fixups: &Fixups<'_>) -> Result<Option<Self>> {
        let Some(loader) = Loader::register(fixups, landing)? else { return Ok(None) };
        let (reader, pipe) = std::io::pipe()?;
        let reader = u64::try_from(reader.into_raw_fd())?;
        WAIT.set((way, reader)).ok().context("one thread lands")?;
        // SAFETY: new memory.
        let page =
            unsafe { mmap_anonymous(None, PAGE, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }?;
        let address = page.as_ptr().expose_provenance() as u64;
        Ok(Some(Self { thread: thread::spawn(move || loader.load(address)), pipe }))
    }

    /// Lets it resume; the report's line with what it loaded.
    pub(crate) fn resume(mut self) -> Result<String> {
        self.pipe.write_all(b"x")?;
        let value = self.thread.join().map_err(|_| anyhow::anyhow!("the load panicked"))?;
        Ok(format!("landing {value}\n"))
    }
}
