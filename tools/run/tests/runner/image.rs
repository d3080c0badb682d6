//! Images with which the runner runs no program.

use crate::workbench::{Workbench, end, succeed};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The runner's complaint about an image; it must not have run a program.
fn complaint(bench: &Workbench, image: &Path) -> String {
    let touched = bench.path("touched");
    let mut command = Command::new(env!("CARGO_BIN_EXE_liblinux-run"));
    command.arg("--image").arg(image).arg("touch").arg(&touched);
    let (status, output, errors) = end(&mut command);
    assert_eq!((status, output.as_str(), touched.exists()), (125, "", false), "{errors}");
    assert!(errors.starts_with("liblinux-run: "), "{errors}");
    errors
}

#[test]
fn unusable_images_are_refused_with_the_reason() {
    let bench = Workbench::new();
    let good = fs::read(Workbench::image()).unwrap();
    let file = bench.path("image.so");
    let written = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        complaint(&bench, &file)
    };
    assert!(written(b"").contains("empty"));
    assert!(written(b"#!/bin/sh\n").contains("not an ELF file"));
    assert!(written(&good[..good.len() / 2]).contains("refused: "));
    assert!(written(&good[..100]).contains("refused: "));

    let patched = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    // e_ident[EI_CLASS] and e_machine
    assert!(written(&patched(4, 1)).contains("another architecture"));
    assert!(written(&patched(18, 0xb7)).contains("another architecture"));
    // The first program header's p_flags: writable as well.
    let refusal = written(&patched(64 + 4, 7));
    assert!(
        refusal.contains("the checker refuses it") && refusal.contains("because "),
        "{refusal}"
    );

    assert!(complaint(&bench, &bench.path("none")).contains("cargo xtask image"));
    assert!(complaint(&bench, &bench.path("")).contains("Is a directory"));
    let program = bench.assemble("exit32", 32);
    assert!(complaint(&bench, &program).contains("another architecture"));
}

#[test]
fn without_an_image_the_program_says_where_to_get_one() {
    // This build has none embedded: the variable that embeds one is for builds that are installed.
    let (status, _, errors) = end(Command::new(env!("CARGO_BIN_EXE_liblinux-run")).arg("true"));
    assert!(status == 0 || (status == 125 && errors.contains("--image FILE")), "{status} {errors}");
}

#[test]
fn verbose_says_what_was_mapped_where() {
    let bench = Workbench::new();
    let (status, output, errors) = end(bench.runner().args(["-v", "cat", "/proc/self/maps"]));
    assert_eq!(status, 0);
    let build_id = succeed(Command::new("readelf").arg("-n").arg(Workbench::image()));
    let build_id =
        build_id.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).unwrap();
    let line = errors.lines().next().unwrap();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    let address = line.split(" at 0x").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
    assert!(line.contains(build_id), "{line}");
    for function in ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"] {
        assert!(line.contains(&format!(" {function}")), "{line}");
    }
    let mapping = output.lines().find(|line| line.starts_with(&format!("{address}-"))).unwrap();
    assert!(mapping.contains("r-xp") && mapping.contains("liblinux-vdso"), "{mapping}");
    // Nothing of it can be written.
    let writable = output
        .lines()
        .filter(|line| line.contains("liblinux-vdso"))
        .any(|line| line.contains("rw"));
    assert!(!writable, "{output}");
}
