//! Every libc and runtime finds the image, by it the standard functions, and what they answer is
//! right.
//!
//! A program is held up as it prints, by a pipe that is full; its memory then has the addresses
//! that its libc resolved. They must be those that the image was built with, and none may be the
//! kernel's own vDSO's.

use crate::workbench::Workbench;
use liblinux_guest::image::Image;
use liblinux_guest::observer::functions_held;
use liblinux_workspace::Workspace;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use procfs::process::{MMapPath, Process};
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _, pipe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a program may take to resolve its functions.
const LIMIT: Duration = Duration::from_secs(30);

const GLIBC: &[&str] = &[
    "__vdso_clock_getres",
    "__vdso_clock_gettime",
    "__vdso_getcpu",
    "__vdso_gettimeofday",
    "__vdso_time",
];
/// Looks a function up when it is called first; `getcpu` comes after what fills its small buffer.
const MUSL: &[&str] = &["__vdso_clock_gettime"];
const GO: &[&str] = &["__vdso_clock_gettime", "__vdso_gettimeofday"];

/// Runs a program that prints what it read of the clocks, and demands that it has resolved these
/// functions of the image.
fn resolves(bench: &Workbench, program: &Path, arguments: &[&str], functions: &[&str]) {
    let (mut reader, mut writer) = pipe().unwrap();
    let flags = OFlag::from_bits_retain(fcntl(&writer, FcntlArg::F_GETFL).unwrap());
    fcntl(&writer, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
    let mut filled = 0;
    loop {
        match writer.write(&[b'\n'; 4096]) {
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    fcntl(&writer, FcntlArg::F_SETFL(flags)).unwrap();
    let mut command = bench.runner();
    command.arg(program).args(arguments).stdout(writer);
    let mut child = command.spawn().unwrap();
    // The command holds the pipe open.
    drop(command);

    let name = program.display();
    let wanted: BTreeSet<String> = functions.iter().map(|&name| name.to_owned()).collect();
    let built = fs::read(Workbench::image()).unwrap();
    let process = Process::new(child.id().cast_signed()).unwrap();
    let deadline = Instant::now() + LIMIT;
    let mut held = BTreeSet::new();
    while !held.is_superset(&wanted) {
        assert!(Instant::now() < deadline, "{name} holds {held:?}, not all of {wanted:?}");
        std::thread::sleep(Duration::from_millis(5));
        // As long as it is the runner, or has no memory yet, there is nothing to see.
        let (Ok(Some(image)), Some(kernel)) = (Image::of(&process), kernels_vdso(&process)) else {
            continue;
        };
        if image.offset("__vdso_openat").is_some() {
            let built = Image::parse(&built, image.address).unwrap();
            held = functions_held(&process, &built).unwrap_or_default();
            assert!(
                kernel.offset("__vdso_clock_gettime").is_some(),
                "this kernel has no clocks of its own"
            );
            let outside = functions_held(&process, &kernel).unwrap_or_default();
            assert!(outside.is_empty(), "{name} goes to the kernel's vDSO for {outside:?}");
        }
    }
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed).unwrap();
    // The programs compare each reading with bare system calls.
    assert!(
        child.wait().unwrap().success(),
        "{name}: {}",
        String::from_utf8_lossy(&printed[filled..])
    );
    assert!(printed.len() > filled, "{name} printed nothing");
}

/// The kernel's own vDSO in a process, which is called that in its memory map.
fn kernels_vdso(process: &Process) -> Option<Image> {
    let maps = process.maps().ok()?;
    let vdso = maps.iter().find(|map| map.pathname == MMapPath::Vdso)?;
    Image::at(process, vdso.address.0).ok()
}

fn source(name: &str) -> PathBuf {
    Workspace::current().guest_programs().join(name)
}

#[test]
fn c_programs_of_every_libc_linked_in_every_way() {
    let bench = Workbench::new();
    for (compiler, functions) in [("gcc", GLIBC), ("musl-gcc", MUSL)] {
        for link in ["-pie", "-no-pie", "-static", "-static-pie"] {
            let program = bench.compile(
                &format!("{compiler}{link}"),
                &source("clocks.c"),
                compiler,
                &["-O2", "-fPIE", link],
            );
            resolves(&bench, &program, &[], functions);
        }
    }
}

#[test]
fn go() {
    let bench = Workbench::new();
    let program = bench.compile("go-clocks", &source("clocks.go"), "go", &["build"]);
    resolves(&bench, &program, &[], GO);
}

#[test]
fn rust_with_std() {
    let bench = Workbench::new();
    let program = bench.build("instants", "instants.rs", "rustc", &["-O"]);
    resolves(&bench, &program, &[], GLIBC);
}

#[test]
fn busybox() {
    resolves(
        &Workbench::new(),
        Path::new("/bin/busybox"),
        &["date", "+%s"],
        &["__vdso_clock_gettime"],
    );
}
