//! A worker that waits in accept, read or a futex and is called off: no polling, no pipe to wake
//! it, no time-out, and no connection that was taken and is lost.
//!
//! ```text
//! cargo build --release --package liblinux --examples
//! cargo xtask run -- target/release/examples/cancel
//! ```

#![expect(unsafe_code, reason = "installs a signal handler, and makes system calls")]

use liblinux::cancel::Cancel;
use liblinux::{Call, Errno, Vdso};
use std::error::Error;
use std::fs::read_dir;
use std::os::fd::AsRawFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

static WORKER: Cancel = Cancel::new();
static WORD: AtomicU32 = AtomicU32::new(0);

/// Its default is to do nothing.
const SIGURG: i32 = 23;
/// Waits while a word has a value.
const FUTEX_WAIT: usize = 0;

/// Makes calls that nothing but a cancel ends, and says so before each.
fn work(vdso: &Vdso, listener: usize, silent: usize, begins: &SyncSender<()>) -> Result<(), Errno> {
    // SAFETY: the program uses the signal for nothing else.
    unsafe { WORKER.enter(vdso, SIGURG) }?;
    let mut byte = 0_u8;
    let (byte, word) = ((&raw mut byte).expose_provenance(), WORD.as_ptr().expose_provenance());
    for (name, call, arguments) in [
        ("accept", Call::accept, [listener, 0, 0, 0, 0, 0]),
        ("read", Call::read, [silent, byte, 1, 0, 0, 0]),
        ("futex", Call::futex, [word, FUTEX_WAIT, 0, 0, 0, 0]),
    ] {
        // It is there as long as this thread is.
        let _ = begins.send(());
        // SAFETY: the descriptors are open, the byte and the word are there.
        match unsafe { WORKER.call(call, arguments) } {
            Err(Errno::ECANCELED) => println!("{name}: called off"),
            other => println!("{name}: not called off: {other:?}"),
        }
        WORKER.reset();
    }
    WORKER.leave();
    Ok(())
}

fn open_descriptors() -> Result<usize, std::io::Error> {
    Ok(read_dir("/proc/self/fd")?.count())
}

fn main() -> Result<(), Box<dyn Error>> {
    let vdso = Vdso::find()?;
    let name = format!("liblinux-cancel-{}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    let (silent, _other) = UnixStream::pair()?;
    let before = open_descriptors()?;
    let (begins, begun) = sync_channel(0);
    let descriptors = [listener.as_raw_fd(), silent.as_raw_fd()].map(|number| number as usize);
    thread::scope(|scope| {
        let begins = begins;
        let worker = scope.spawn({
            let vdso = &vdso;
            move || work(vdso, descriptors[0], descriptors[1], &begins)
        });
        for () in begun {
            // The worker may be about to call, or wait already: it is the same. An error says that
            // it was fast, and has ended by now.
            let _ = WORKER.cancel();
        }
        worker.join().expect("it does not panic")
    })
    .map_err(|error| format!("{error}: run this with `cargo xtask run --`"))?;
    println!("descriptors lost: {}", open_descriptors()? - before);
    Ok(())
}
