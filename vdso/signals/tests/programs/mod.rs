//! The library and the programs of the tests, built once for each test binary.
//!
//! A runtime is a library for `host.c`: it has functions `fault`, and `start` or `install`.

use liblinux_workspace::Workspace;
use liblinux_workspace::signals::Libc;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// A folder with the library and the programs of the tests.
pub(crate) static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("signals");
    let (folder, target) = (all.join(env!("CARGO_CRATE_NAME")), all.join("target"));
    std::fs::create_dir_all(&folder).expect("a folder");
    fill(&folder, &target, Libc::Glibc, "gcc");
    folder
});

/// Builds the library, and the programs that it is tried with, for a libc and by its compiler.
pub(crate) fn fill(folder: &Path, target: &Path, libc: Libc, compiler: &str) {
    let built = libc.build_signals(&Workspace::current(), target).expect("the library");
    std::fs::copy(built, folder.join("liblinux-signals.so")).expect("the library");
    for name in ["a", "b", "c"] {
        compile_by(compiler, folder, &["library.c"], &format!("{name}.so"), &LIBRARY, name);
    }
    compile_by(compiler, folder, &["host.c"], "host", &["-rdynamic", "-ldl"], "");
}

/// Flags of a library.
pub(crate) const LIBRARY: [&str; 2] = ["-shared", "-fPIC"];

/// The class `Nulls`.
pub(crate) fn java() {
    run(Command::new("javac").arg("-d").arg(&*FOLDER).arg(tests().join("Nulls.java")));
}

/// `go.so`.
pub(crate) fn go() {
    let mut go = Command::new("go");
    go.current_dir(&*FOLDER).args(["build", "-buildmode=c-shared", "-o", "go.so"]);
    go.env("CGO_LDFLAGS", "-Wl,--unresolved-symbols=ignore-all").env("GO111MODULE", "off");
    run(go.arg(tests().join("recover.go")));
}

/// `reporter.so` and `throw.so`, which pass on what is not their own.
pub(crate) fn passing() {
    compile(&FOLDER, &["reporter.c"], "reporter.so", &LIBRARY, "");
    let throws = [&LIBRARY[..], &["-fnon-call-exceptions", "-lstdc++"]].concat();
    compile(&FOLDER, &["throw.cpp"], "throw.so", &throws, "");
}

pub(crate) fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

pub(crate) fn compile(folder: &Path, sources: &[&str], to: &str, flags: &[&str], name: &str) {
    compile_by("gcc", folder, sources, to, flags, name);
}

pub(crate) fn compile_by(
    compiler: &str,
    folder: &Path,
    sources: &[&str],
    to: &str,
    flags: &[&str],
    name: &str,
) {
    let mut gcc = Command::new(compiler);
    gcc.current_dir(folder).args(["-O1", "-Wall", "-Wextra", "-Werror"]);
    gcc.arg("-I").arg(tests().join("../../client/include"));
    gcc.arg(format!("-DNAME=\"{name}\"")).args(sources.iter().map(|name| tests().join(name)));
    run(gcc.args(flags).arg("-o").arg(to));
}

#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The output of a program, and how it ended.
pub(crate) fn told(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    format!("{} ({})", text.trim(), output.status)
}

/// A program of the folder, preloaded or not, which ends after five minutes.
pub(crate) fn program(program: &str, arguments: &[&str], is_preloaded: bool) -> Command {
    program_of(&FOLDER, program, arguments, is_preloaded)
}

/// The same of another folder. `timeout` is a program of glibc, so `env` sets the variable behind
/// it.
pub(crate) fn program_of(
    folder: &Path,
    program: &str,
    arguments: &[&str],
    is_preloaded: bool,
) -> Command {
    let mut command = Command::new("timeout");
    command.current_dir(folder).arg("300");
    if is_preloaded {
        let library = folder.join("liblinux-signals.so");
        command.arg("env").arg(format!("LD_PRELOAD={}", library.display()));
    }
    command.arg(program).args(arguments);
    command
}
