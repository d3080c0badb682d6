//! A static program: Debian's busybox, whose shell forks, executes, pipes and handles signals.

use crate::workbench::{has_i386, loader, output, system};
use std::process::Command;

/// Commands whose output depends on nothing but the system calls.
const SCRIPT: &str = include_str!("../work/shell.sh");

#[test]
fn a_shell_script_does_the_same_as_on_the_kernels_own_abi() {
    let Some(system) = system() else { return };
    let busybox = system.join("bin/busybox");
    let run = |mut command: Command| {
        let folder = tempfile::tempdir().unwrap();
        command.args(["sh", "-c", SCRIPT, "sh"]).arg(folder.path()).arg(&busybox);
        command.env_clear().env("TZ", "UTC");
        output(&mut command)
    };
    let here = run(loader([&busybox]));
    assert!(here.contains("status 5") && here.contains("handled\nafter"), "{here}");
    assert!(here.lines().count() > 60, "{here}");
    if has_i386(&busybox) {
        assert_eq!(here, run(Command::new(&busybox)));
    }
}

#[test]
fn a_process_forks_many_times() {
    let Some(system) = system() else { return };
    let script = "i=0; while [ $i -lt 100 ]; do (exit 3) & i=$((i + 1)); done; wait; echo done";
    let here = output(loader([&system.join("bin/busybox")]).args(["sh", "-c", script]));
    assert_eq!(here, "done\n");
}

#[test]
fn its_own_file_is_the_programs() {
    let Some(system) = system() else { return };
    let busybox = system.join("bin/busybox");
    let script = "readlink /proc/self/exe; cat /proc/self/comm";
    let here = output(loader([&busybox]).args(["sh", "-c", script]));
    assert_eq!(here, format!("{}\nbusybox\n", busybox.display()));
}

#[test]
fn a_64_bit_program_is_started_natively() {
    let Some(system) = system() else { return };
    let script = "/bin/readlink /proc/self/exe | sed 's/.*bin/bin/'";
    let here = output(loader([&system.join("bin/busybox")]).args(["sh", "-c", script]));
    assert_eq!(here, "bin/readlink\n");
}
