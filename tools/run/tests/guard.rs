//! Programs and libraries in C that register themselves: when their exit and their unloading end
//! that, with each libc.

use liblinux_workspace::{Workspace, line};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Compiles and links; the product.
fn build(compiler: &str, name: &str, arguments: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guard");
    std::fs::create_dir_all(&folder).expect("a folder");
    let product = folder.join(name);
    let client = Workspace::current().client();
    let mut command = Command::new(compiler);
    command.args([
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-prio-ctor-dtor",
        "-pthread",
        "-Wl,--no-as-needed",
    ]);
    command.arg("-I").arg(client.join("include")).current_dir(client.join("tests/guard"));
    command.arg("-o").arg(&product).args(arguments).arg(format!("-Wl,-rpath,{}", folder.display()));
    let output = command.output().unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(
        output.status.success(),
        "{compiler} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    product
}

/// The image of `cargo xtask image`.
fn image() -> PathBuf {
    Workspace::current().image(line::DEFAULT)
}

/// Runs a program with the image.
fn run(program: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liblinux-run"));
    command
        .arg("--image")
        .arg(image())
        .arg("--")
        .arg(program)
        .args(arguments)
        .output()
        .expect("the runner runs")
}

/// Ten exits while threads fault; a destructor of 50 ms comes after those of the DSO that has the
/// fixups.
fn exits(program: &Path, arguments: &[&str]) {
    for round in 1..=10 {
        let Output { status, stderr, .. } = run(program, arguments);
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{program:?} {arguments:?}, round {round}: {status}: {stderr}");
    }
}

/// The exits of a program, and of a program with a library, by this compiler.
fn all_exits(compiler: &str) {
    let name = |what: &str| format!("{compiler}-{what}");
    let slow = build(compiler, &name("slow.so"), &["-shared", "-fPIC", "slow.c"]);
    let slow = slow.to_str().expect("a name");
    let library = ["-shared", "-fPIC", "prober.c", slow];
    let library = build(compiler, &name("prober.so"), &library);
    let library = library.to_str().expect("a name");
    exits(&build(compiler, &name("program"), &["exit.c", "prober.c", slow]), &[]);
    exits(&build(compiler, &name("static"), &["-static", "exit.c", "prober.c", "slow.c"]), &[]);
    exits(&build(compiler, &name("linked"), &["exit.c", library, slow]), &[]);
    exits(&build(compiler, &name("loads"), &["exit.c"]), &[library]);
}

#[test]
fn threads_fault_until_a_program_of_glibc_has_exited() {
    all_exits("gcc");
}

#[test]
fn threads_fault_until_a_program_of_musl_has_exited() {
    all_exits("musl-gcc");
}

/// Loads and unloads a library; how many rows the registry has with it, and without.
fn reload(library: &Path, times: u32) -> String {
    let program = build("gcc", "reload", &["reload.c"]);
    let output = run(&program, &[library.to_str().expect("a name"), &times.to_string()]);
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn unloading_a_library_ends_its_registration() {
    for (name, option) in
        [("unloaded.so", "-DDYNAMIC"), ("static-tls.so", "-DSTATIC_THREAD_STORAGE")]
    {
        let library = build("gcc", name, &["-shared", "-fPIC", option, "prober.c"]);
        assert_eq!(reload(&library, 300), "1 0\n", "{name}");
    }
}

/// Without thread-local storage a library cannot tell whether it can be unloaded. Its registration
/// stays until the library is loaded again.
#[test]
fn a_library_that_leaves_its_registration_can_be_loaded_again() {
    let flags = ["-shared", "-fPIC", "-fdata-sections", "-Wl,--gc-sections", "prober.c"];
    let library = build("gcc", "without-tls.so", &flags);
    assert_eq!(reload(&library, 300), "1 1\n");
}
