//! The same on Debian's musl. Java, Go and C++ are not here for it: the libraries are those in C.

use crate::programs::{FOLDER, LIBRARY, compile_by, fill, program_of, run, told};
use crate::{AGAIN, EXAMPLES, ORDERS, has_crashed, steps_in};
use liblinux_workspace::signals::{Libc, MUSL_COMPILER};
use liblinux_workspace::skip::skip;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

const LINKED: [&str; 3] = ["-L.", "-Wl,-rpath,$ORIGIN", "-l:liblinux-signals.so"];

/// The library and the programs for musl, if its compiler is here.
static PLACE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = FOLDER.join("musl");
    std::fs::create_dir_all(&folder).expect("a folder");
    Libc::Musl.is_here().then(|| {
        fill(&folder, &FOLDER.with_file_name("target"), Libc::Musl, MUSL_COMPILER);
        folder
    })
});

/// The folder; none, and a word of it, without musl's compiler.
fn folder() -> Option<&'static Path> {
    if PLACE.is_none() {
        skip("musl-gcc is missing: cargo xtask packages");
    }
    PLACE.as_deref()
}

fn build(folder: &Path, sources: &[&str], to: &str, flags: &[&str]) {
    compile_by(MUSL_COMPILER, folder, sources, to, flags, "");
}

/// The handlers that ran in the steps of a program.
fn host(folder: &Path, name: &str, steps: &[&str], is_preloaded: bool) -> String {
    let output = program_of(folder, name, steps, is_preloaded).output().expect("it starts");
    told(&output).replace(" (exit status: 0)", "")
}

#[test]
fn musl_is_all_that_the_library_for_it_needs() {
    let Some(folder) = folder() else { return };
    let library = folder.join("liblinux-signals.so");
    let dynamic = run(Command::new("readelf").arg("-dW").arg(&library));
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    assert!(needed.len() == 1 && needed[0].ends_with("[libc.so]"), "{needed:?}");
    assert!(dynamic.contains("NODELETE"), "it is never unloaded: {dynamic}");
}

#[test]
fn a_fault_on_musl_is_for_the_library_whose_text_or_code_it_was_in() {
    let Some(folder) = folder() else { return };
    // A program for fixed addresses was moved by none, and has its headers elsewhere.
    build(folder, &["host.c"], "fixed", &["-rdynamic", "-no-pie"]);
    let installs = ["careless:./a.so", "careful:./b.so", "careless:./c.so"];
    let faults = ["fault:./a.so", "fault:./b.so", "fault:./c.so", "made:./b.so", "send"];
    let mut wrong = 0;
    for order in ORDERS {
        let steps = steps_in(order, &installs, &faults);
        let wanted = format!("a b c b {}", ["a", "b", "c"][order[2]]);
        for program in ["./host", "./fixed"] {
            assert_eq!(host(folder, program, &steps, true), wanted, "{program} {steps:?}");
            wrong += usize::from(host(folder, program, &steps, false) != wanted);
        }
    }
    assert_eq!(wrong, 12, "without the library, a library gets faults that are not its own");
}

#[test]
fn a_library_on_musl_takes_no_handler_away_but_its_own() {
    let Some(folder) = folder() else { return };
    let steps = [
        "careful:./a.so",
        "careful:./b.so",
        "careless:./c.so",
        "back:./b.so",
        "send",
        "fault:./a.so",
        "back:./c.so",
        "send",
        "fork",
        "fault:./a.so",
    ];
    assert_eq!(host(folder, "./host", &steps, true), "c a a a");
    let steps = ["careful:./a.so", "careful:./b.so", "fault:./b.so", "host"];
    for is_preloaded in [false, true] {
        let told = host(folder, "./host", &steps, is_preloaded);
        assert!(has_crashed(&told), "{told}");
    }
}

#[test]
fn links_on_musl_come_and_go_while_signals_do() {
    let Some(folder) = folder() else { return };
    build(folder, &["storm.c"], "storm", &LINKED);
    build(folder, &["plugin.c"], "plugin.so", &[&LIBRARY[..], &LINKED].concat());
    let said = run(&mut program_of(folder, "./storm", &["./plugin.so", "500"], false));
    let numbers: Vec<u64> = said.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(numbers.len() == 2 && numbers[0] == numbers[1], "{said}");
}

/// musl's `pthread_exit` runs the thread's cleanup functions, and unwinds no frame: the chain
/// cannot see that the thread has left the handler.
#[test]
fn a_thread_of_musl_that_ends_in_a_link_keeps_its_library() {
    let Some(folder) = folder() else { return };
    build(folder, &["leave.c"], "leave", &LINKED);
    let said = run(&mut program_of(folder, "./leave", &[], false));
    let wanted = "exits: busy, cleaned\nis cancelled: busy, cleaned\njumps: busy\n\
                  jumps as it said: removed\nends: busy";
    assert_eq!(said, wanted);
}

#[test]
fn a_handler_on_musl_that_faults_ends_the_process_or_has_its_link() {
    let Some(folder) = folder() else { return };
    build(folder, &["again.c"], "again", &LINKED);
    assert_eq!(run(&mut program_of(folder, "./again", &[], false)), AGAIN);
}

#[test]
fn the_examples_share_signals_on_musl() {
    let Some(folder) = folder() else { return };
    build(folder, &[&format!("{EXAMPLES}/signals.c")], "example", &LINKED);
    let said = run(&mut program_of(folder, "./example", &[], false));
    assert_eq!(said, "counted 10, taken 5, left to the handler before 5");
    let flags = [&["-O0"][..], &LINKED].concat();
    build(folder, &[&format!("{EXAMPLES}/crash_reporter.c")], "reporter", &flags);
    let said = told(&program_of(folder, "./reporter", &[], false).output().expect("it starts"));
    assert!(said.contains("4 pages came, and no crash was reported"), "{said}");
    assert!(said.contains("crash: signal 11, address 0x8\nat crash_reporter+0x"), "{said}");
}
