//! `int $0x80`, `vfork`, a fault's handler and the registers that a call keeps, in programs without
//! a C library.

use crate::workbench::{LOADER, assembled, compiled, has_i386, loader, output, system, told};
use std::process::Command;

#[test]
fn a_program_by_int_0x80_does_the_same_as_on_the_kernels_own_abi() {
    let folder = tempfile::tempdir().unwrap();
    let program = assembled("trap", folder.path());
    let here = loader([&program]).output().unwrap();
    assert_eq!(
        (here.status.code(), &here.stdout[..]),
        (Some(9), &b"trap.\n"[..]),
        "{}",
        told(&here)
    );
    if let Ok(there) = Command::new(&program).output() {
        assert_eq!((there.status, there.stdout), (here.status, here.stdout));
    }
}

#[test]
fn the_programs_descriptors_are_those_of_the_caller() {
    let folder = tempfile::tempdir().unwrap();
    let program = assembled("trap", folder.path());
    let script = "exec \"$@\" 1>&-";
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", LOADER]).arg(&program);
    // Its `write` fails, and it says so.
    assert_eq!(command.status().unwrap().code(), Some(77));
}

#[test]
fn a_native_program_that_becomes_the_loader_leaves_no_descriptor() {
    let Some(system) = system() else { return };
    let busybox = system.join("bin/busybox");
    if !has_i386(&busybox) {
        return;
    }
    for _ in 0..20 {
        let mut command = Command::new(&busybox);
        command.args(["sh", "-c", "exec \"$@\"", "sh", LOADER]).arg(&busybox).arg("true");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
    }
}

#[test]
fn a_call_of_the_programs_own_64_bit_code_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let program = assembled("wide", folder.path());
    let output = loader([&program]).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
}

#[test]
fn a_call_keeps_flags_and_registers() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("registers", folder.path());
    let here = output(&mut loader([&program]));
    assert_eq!(here, "0384 calls, 0000 changed\n");
    if has_i386(&program) {
        assert_eq!(here, output(&mut Command::new(&program)));
    }
}
