//! Fixups in C and C++ by every compiler and linker, in the modes that people use: they compile
//! without a warning, link, and land.

use liblinux_workspace::{Workspace, line};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The linkers, by the names that `-fuse-ld=` takes.
const LINKERS: [&str; 4] = ["bfd", "gold", "lld", "mold"];

/// Names, the compiler's flags, and its flags as it links.
const MODES: [(&str, &str, &str); 6] = [
    ("plain", "-O0", ""),
    ("fast", "-O2 -fPIC", ""),
    ("intel", "-O2 -masm=intel", ""),
    ("sections", "-O2 -ffunction-sections -fdata-sections", "-Wl,--gc-sections"),
    ("strict", "-O1 -pedantic", ""),
    ("together", "-O2", "-r"),
];

/// Link-time optimisation needs a linker that knows the compiler: each has one or more.
const OPTIMISED: [(&str, &str); 5] =
    [("gcc", "bfd"), ("gcc", "gold"), ("g++", "mold"), ("clang", "lld"), ("clang++", "lld")];

/// The image of `cargo xtask image`.
fn image() -> PathBuf {
    Workspace::current().image(line::DEFAULT)
}

fn client() -> PathBuf {
    Workspace::current().client()
}

/// The oldest and the strictest dialect of a compiler's language, and the option that says which
/// language it is.
fn dialects(compiler: &str) -> (&'static str, &'static str) {
    if compiler.ends_with("++") { ("-std=c++98", "-xc++") } else { ("-std=c99", "-xc") }
}

fn succeeds(command: &mut Command) {
    let Output { status, stderr, .. } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
}

/// A compiler that takes every warning for an error.
fn compiler(name: &str, flags: &str) -> Command {
    let mut command = Command::new(name);
    command.args(["-Wall", "-Wextra", "-Werror"]).args(flags.split_whitespace());
    command.arg("-I").arg(client().join("include")).current_dir(client().join("tests/guard"));
    command
}

/// Compiles a file; the object.
fn compile(name: &str, flags: &str, source: &str, folder: &Path) -> PathBuf {
    let object = folder.join(source).with_extension("o");
    let (oldest, language) = dialects(name);
    let mut command = compiler(name, flags);
    if flags.contains("-pedantic") {
        command.arg(oldest);
    }
    succeeds(command.args([language, "-c", source, "-o"]).arg(&object));
    object
}

/// Links with every linker that is given, and runs each program.
fn link_and_run(name: &str, flags: &str, objects: &[PathBuf], linkers: &[&str], folder: &Path) {
    for linker in linkers {
        let program = folder.join(linker);
        let mut command = compiler(name, flags);
        succeeds(command.arg(format!("-fuse-ld={linker}")).args(objects).arg("-o").arg(&program));
        let mut command = Command::new(env!("CARGO_BIN_EXE_liblinux-run"));
        succeeds(command.arg("--image").arg(image()).arg("--").arg(&program));
    }
}

fn folder(names: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linkers").join(names.join("-"));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Two files with the same functions, in every mode and by every linker.
fn all_modes(name: &str) {
    for (mode, flags, link_flags) in MODES {
        let folder = folder(&[name, mode]);
        let objects = ["first.c", "second.c"].map(|source| compile(name, flags, source, &folder));
        if link_flags != "-r" {
            link_and_run(name, &format!("{flags} {link_flags}"), &objects, &LINKERS, &folder);
            continue;
        }
        // Gold cannot do this with sections that are linked to others.
        for linker in LINKERS.into_iter().filter(|linker| *linker != "gold") {
            let both = folder.join(format!("{linker}.o"));
            let mut command = compiler(name, flags);
            succeeds(
                command
                    .args(["-r", "-nostdlib", &format!("-fuse-ld={linker}")])
                    .args(&objects)
                    .arg("-o")
                    .arg(&both),
            );
            link_and_run(name, flags, &[both], &[linker], &folder);
        }
    }
    for (compiler, linker) in OPTIMISED.into_iter().filter(|(compiler, _)| *compiler == name) {
        let folder = folder(&[name, "optimised", linker]);
        let objects =
            ["first.c", "second.c"].map(|source| compile(compiler, "-O2 -flto", source, &folder));
        link_and_run(compiler, "-O2 -flto", &objects, &[linker], &folder);
    }
}

#[test]
fn fixups_of_gcc_land() {
    all_modes("gcc");
}

#[test]
fn fixups_of_gxx_land() {
    all_modes("g++");
}

#[test]
fn fixups_of_clang_land() {
    all_modes("clang");
}

#[test]
fn fixups_of_clangxx_land() {
    all_modes("clang++");
}

#[test]
fn fixups_of_rust_land() {
    let folder = folder(&["rust"]);
    // The compiler's own choice is bfd.
    for linker in ["gold", "lld"] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(client()).args([
            "rustc",
            "--quiet",
            "--locked",
            "--example",
            "divide",
            "--target-dir",
        ]);
        succeeds(cargo.arg(&folder).arg("--").arg(format!("-Clink-arg=-fuse-ld={linker}")));
        let mut run = Command::new(env!("CARGO_BIN_EXE_liblinux-run"));
        run.arg("--image").arg(image()).arg("--").arg(folder.join("debug/examples/divide"));
        let output = run.output().expect("the runner runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("42 / 0 cannot be divided"),
            "{linker}: {output:?}"
        );
    }
}

#[test]
fn several_executable_segments_are_several_texts_or_one() {
    for crosses in [false, true] {
        let flags = if crosses { "-O2 -fno-pie -DCROSSES" } else { "-O2 -fno-pie" };
        let folder = folder(&["segments", if crosses { "cross" } else { "apart" }]);
        let object = compile("gcc", flags, "segments.c", &folder);
        let flags = format!("{flags} -no-pie -Wl,--section-start=.hot=0x10000000");
        link_and_run("gcc", &flags, &[object], &["bfd", "lld"], &folder);
    }
}
