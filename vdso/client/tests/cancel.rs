//! Threads that are called off, in Rust and in C.

#![expect(unsafe_code, reason = "makes system calls, and installs handlers")]

use liblinux::cancel::Cancel;
use liblinux::{Call, Errno, Vdso};
use liblinux_tests::image::Image;
use nix::libc;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

static VDSO: LazyLock<Vdso> = LazyLock::new(|| {
    // SAFETY: mapped for good, as its headers say.
    unsafe { Vdso::at(Image::load().base()) }.expect("our image is fit")
});

/// How long a thread may take that is called off.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls off each of `rounds` calls of a thread that has entered; their results.
fn called_off(
    cancel: &'static Cancel,
    rounds: usize,
    call: impl Fn() -> Result<usize, Errno> + Send + 'static,
) -> Vec<Result<usize, Errno>> {
    let (begins, begun) = sync_channel(0);
    let (ends, ended) = sync_channel(1);
    let thread = std::thread::spawn(move || {
        // SAFETY: the tests use the signal for nothing else.
        unsafe { cancel.enter(&VDSO, libc::SIGURG) }.expect("cancellable calls");
        for _ in 0..rounds {
            begins.send(()).expect("the test waits");
            ends.send(call()).expect("the test waits");
            cancel.reset();
        }
        cancel.leave();
    });
    let mut results = Vec::new();
    for _ in 0..rounds {
        begun.recv().expect("the thread lives");
        cancel.cancel().expect("the thread lives");
        results.push(ended.recv_timeout(PATIENCE).expect("a cancel is lost"));
    }
    thread.join().expect("it ends");
    results
}

fn pipe() -> [libc::c_int; 2] {
    let mut ends = [0; 2];
    // SAFETY: two descriptors.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    ends
}

fn read_byte(cancel: &Cancel, descriptor: libc::c_int) -> Result<usize, Errno> {
    let mut byte = 0_u8;
    let place = (&raw mut byte).expose_provenance();
    // SAFETY: reads a byte into the variable, by a thread that has entered.
    unsafe { cancel.call(Call::read, [descriptor as usize, place, 1, 0, 0, 0]) }
}

#[test]
fn a_read_is_called_off_again_and_again() {
    static CANCEL: Cancel = Cancel::new();
    let [from, _to] = pipe();
    let results = called_off(&CANCEL, 50, move || read_byte(&CANCEL, from));
    assert_eq!(results, vec![Err(Errno::ECANCELED); 50]);
    assert_eq!(CANCEL.cancel(), Err(Errno::ESRCH), "the thread has left");
}

static HANDLED: AtomicU32 = AtomicU32::new(0);
static INNER: Cancel = Cancel::new();

/// A handler that is called off in a call of its own, within the call that it interrupted.
extern "C" fn reads_too(descriptor: libc::c_int) {
    assert_ne!(descriptor, 0);
    let from = INNER_PIPE.load(SeqCst);
    let result = read_byte(&INNER, from.cast_signed());
    assert_eq!(result, Err(Errno::ECANCELED));
    HANDLED.fetch_add(1, SeqCst);
}

static INNER_PIPE: AtomicU32 = AtomicU32::new(0);

#[test]
fn the_call_that_a_handler_interrupted_is_called_off_as_well() {
    let [from, _to] = pipe();
    INNER_PIPE.store(from.cast_unsigned(), SeqCst);
    // SA_RESTART, so the outer call waits on when the handler returns.
    // SAFETY: the handler makes system calls alone.
    unsafe { libc::signal(libc::SIGUSR2, (reads_too as *const ()).addr()) };
    let results = called_off(&INNER, 20, move || {
        // SAFETY: this thread has a handler for it.
        let sent = unsafe { libc::raise(libc::SIGUSR2) };
        assert_eq!(sent, 0);
        read_byte(&INNER, from)
    });
    assert_eq!(results, vec![Err(Errno::ECANCELED); 20]);
    assert_eq!(HANDLED.load(SeqCst), 20);
}

#[test]
fn a_signal_of_another_origin_does_nothing() {
    static CANCEL: Cancel = Cancel::new();
    // SAFETY: the tests use the signal for nothing else.
    unsafe { CANCEL.enter(&VDSO, libc::SIGURG) }.expect("cancellable calls");
    // SAFETY: this thread has a handler for it.
    assert_eq!(unsafe { libc::raise(libc::SIGURG) }, 0);
    assert!(!CANCEL.is_cancelled());
    let [from, to] = pipe();
    // SAFETY: writes a byte.
    assert_eq!(unsafe { libc::write(to, [1_u8].as_ptr().cast(), 1) }, 1);
    assert_eq!(read_byte(&CANCEL, from), Ok(1));
    CANCEL.leave();
}

#[test]
fn an_image_without_cancellable_calls_says_so() {
    static CANCEL: Cancel = Cancel::new();
    let none = Vdso::none().or_syscall();
    // SAFETY: refused before a handler is installed.
    assert_eq!(unsafe { CANCEL.enter(&none, libc::SIGURG) }, Err(Errno::NO_ENTRY));
    assert_eq!(read_byte(&CANCEL, 0), Err(Errno::NO_ENTRY));
    assert_eq!(Cancel::window(&none), None);
    let window = Cancel::window(&VDSO).expect("a window");
    assert!(window.start < window.call && window.call < window.end && window.end < window.exit);
}

/// `cancel.c`, which says what was lost.
fn storm_program(compiler: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cancel-{compiler}"));
    let mut command = Command::new(compiler);
    command.args(["-O2", "-pthread", "-Wall", "-Wextra", "-Werror", "-I"]);
    command.arg(folder.join("include")).arg(folder.join("tests/cancel.c")).arg("-o").arg(&program);
    assert!(command.status().expect("the compiler runs").success());
    program
}

/// Rounds, and what was lost in them, as the program says it.
type Losses = [u64; 4];

/// Runs storms side by side, so that one uses the processor while others wait; the sums.
fn storm(program: &Path, subject: &Path, storms: u64, rounds: u64) -> Losses {
    let mut children = Vec::new();
    for _ in 0..storms {
        let mut command = Command::new(program);
        command.arg(subject).arg(rounds.to_string()).stdout(Stdio::piped());
        children.push(command.spawn().expect("it runs"));
    }
    let mut sums = Losses::default();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{}: {said}", output.status);
        let words = said.split([' ', ',']).filter_map(|word| word.parse().ok());
        let numbers: Vec<u64> = words.collect();
        assert_eq!(numbers.len(), sums.len(), "{said}");
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number;
        }
    }
    sums
}

#[test]
fn a_storm_loses_nothing() {
    for compiler in ["gcc", "musl-gcc"] {
        let lost = storm(&storm_program(compiler), &Image::path(), 1, 400);
        assert_eq!(lost, [400, 0, 0, 0], "{compiler}");
    }
}

/// A million races on each way to call a thread off; the controls show that the storm finds losses.
/// Long: `cargo test -p liblinux --release --test cancel -- --ignored --nocapture`.
#[test]
#[ignore = "hours long"]
fn a_million_races_lose_nothing() {
    const STORMS: u64 = 4;
    const ROUNDS: u64 = 250_000;
    let [glibc, musl] = ["gcc", "musl-gcc"].map(storm_program);
    let of = |name: &str, program: &Path, subject: &Path| {
        let lost = storm(program, subject, STORMS, ROUNDS);
        let [races, descriptors, bytes, cancels] = lost;
        println!(
            "{name}: {races} races, lost {descriptors} descriptors, {bytes} bytes, {cancels} cancels"
        );
        lost
    };
    let lost = of("cancellable calls", &glibc, &Image::path());
    let pthread = Path::new("pthread");
    let controls = [
        of("pthread_cancel of glibc", &glibc, pthread),
        of("pthread_cancel of musl", &musl, pthread),
        of("a flag and a signal", &glibc, Path::new("flag")),
    ];
    assert_eq!(lost, [STORMS * ROUNDS, 0, 0, 0]);
    let found = controls.iter().any(|lost| lost[1..].iter().any(|count| *count > 0));
    assert!(found, "the storm finds no loss where there are some");
}
