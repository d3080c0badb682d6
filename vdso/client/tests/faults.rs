//! C programs and their faults, by the client's headers: probes, the signal mask, and code that is
//! made at run time.

use liblinux_tests::image::Image;
use std::path::Path;
use std::process::Command;

/// The programs, and how many tests each has.
const PROGRAMS: [(&str, u32); 3] = [("faults", 4), ("arena", 3), ("frames", 9)];

/// Compiles each program and runs it on the image.
fn passes(name: &str, compiler: &str, flags: &[&str]) {
    PROGRAMS.iter().for_each(|(program, tests)| one_passes(program, *tests, name, compiler, flags));
}

fn one_passes(source: &str, tests: u32, name: &str, compiler: &str, flags: &[&str]) {
    let client = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{source}-{name}"));
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Werror"]).args(flags).arg("-I").arg(client.join("include"));
    command.arg(client.join("tests").join(source).with_extension("c")).arg("-o").arg(&program);
    let output = command.output().unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new(&program).arg(Image::path()).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let expected = format!("{tests} tests, 0 failed\n");
    assert!(
        output.status.success() && said == expected,
        "{source}, {name}: {}: {said}",
        output.status
    );
}

#[test]
fn c_programs_recover_from_faults_at_every_level_of_optimisation() {
    passes("0", "gcc", &["-O0", "-std=gnu11"]);
    passes("2", "gcc", &["-O2", "-std=gnu17"]);
    passes("static", "gcc", &["-O2", "-static"]);
}

#[test]
fn programs_in_cxx_do_so_too() {
    passes("cxx", "g++", &["-x", "c++", "-O2", "-std=gnu++11"]);
}

#[test]
fn the_headers_compile_in_every_dialect() {
    let dialects: [(&str, &[&str]); 5] = [
        ("gcc", &["-x", "c", "-std=c99", "-pedantic"]),
        ("gcc", &["-x", "c", "-std=gnu17", "-ffreestanding", "-mgeneral-regs-only"]),
        ("gcc", &["-x", "c", "-O2", "-masm=intel"]),
        ("g++", &["-x", "c++", "-std=c++11", "-pedantic"]),
        ("musl-gcc", &["-x", "c", "-std=gnu11"]),
    ];
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    for header in ["probe.h", "arena.h", "registry.h", "pages.h", "frame.h"] {
        for (compiler, flags) in dialects {
            let source = include.join("liblinux").join(header);
            let mut command = Command::new(compiler);
            command.args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"]).args(flags);
            command.arg("-include").arg(&source).arg("/dev/null");
            let output = command.output().unwrap_or_else(|error| panic!("{compiler}: {error}"));
            let complaints = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{header}, {compiler} {flags:?}: {complaints}");
        }
    }
}
