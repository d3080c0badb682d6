//! Limits are for the programs: no limit ends the tracer, and no limit of a program changes.

use crate::workbench::{OPEN_PATH, UNPRIVILEGED, Workbench, end, is_root, sh, succeed};
use liblinux_workspace::skip::skip;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// The kernel's name of the image's mapping.
const NAME: &str = "/memfd:liblinux-vdso (deleted)\n";

/// A command under limits; its words are to be added.
fn under(limits: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits}; exec \"$@\""), "sh"]);
    command
}

/// A runner under limits; the program is to be added.
fn limited(limits: &str, runner: &Command) -> Command {
    let mut command = under(limits);
    command.arg(runner.get_program()).args(runner.get_args());
    command
}

/// Whether a limit can be raised here; the present test is skipped if not.
fn may_raise() -> bool {
    let may = end(&mut sh(Command::new("env"), "ulimit -t 99 && ulimit -t unlimited")).0 == 0;
    if !may {
        skip("root has no capability here to raise limits (CAP_SYS_RESOURCE)");
    }
    may
}

/// Starts a hundred programs at a time, in a process of their own, until a program has the kernel's
/// vDSO or many have started. Says which vDSO the last one had.
fn busy(whereabouts: &Path) -> String {
    format!(
        "for i in $(seq 250); do
            sh -c 'for j in $(seq 100); do /bin/true; done'
            last=$({}) || break
            [ $i = 60 ] && [ $(id -u) = 0 ] && break
        done
        echo \"$last\"; exit 7",
        whereabouts.display()
    )
}

#[test]
fn a_small_stack_is_the_programs_alone() {
    let bench = Workbench::new();
    let program = bench.assemble("exit64", 64);
    // Half of it has to do for the arguments and the environment.
    let mut command = limited("ulimit -s 16", &bench.runner());
    let command = command.env_clear().env("PATH", "/usr/bin:/bin").arg("--verbose").arg(&program);
    let (status, _, errors) = end(command);
    assert!(
        status == 7 && errors.contains("image ") && errors.lines().count() == 1,
        "{status} {errors}"
    );
}

#[test]
fn limits_reach_the_program_as_they_were() {
    let bench = Workbench::new();
    for limits in
        ["ulimit -s 512", "ulimit -t 99", "ulimit -St 9", "ulimit -v 900000; ulimit -d 800000"]
    {
        let words = ["cat", "/proc/self/limits"];
        let with = succeed(limited(limits, &bench.runner()).args(words));
        assert_eq!(with, succeed(under(limits).args(words)), "{limits}");
    }
}

#[test]
fn the_end_of_its_processor_time_ends_the_tracer_and_no_program() {
    let bench = Workbench::new();
    if !is_root() {
        return;
    }
    let busy = busy(&bench.whereabouts());
    let mut command = limited("ulimit -t 1", &bench.unprivileged());
    command.uid(UNPRIVILEGED).gid(UNPRIVILEGED).current_dir("/").env("PATH", OPEN_PATH);
    command.args(["sh", "-c", &busy]);
    let (status, output, errors) = end(&mut command);
    assert_eq!((status, output.as_str()), (7, "[vdso]\n"), "{errors}");
    assert!(errors.contains("`ulimit -t`") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn root_takes_what_the_tracer_needs() {
    let bench = Workbench::new();
    // In a container root may lack the capability for it (CAP_SYS_RESOURCE).
    if !is_root() || !may_raise() {
        return;
    }
    let busy = busy(&bench.whereabouts());
    let mut command = sh(limited("ulimit -t 1", &bench.runner()), busy);
    assert_eq!(end(&mut command), (7, NAME.into(), String::new()));
}
