//! PID namespaces: in the `/proc` of another one, the tracee's number may be another process's.

use crate::workbench::{Workbench, end, is_root};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Starts processes in a namespace that has a `/proc`, and in one within it, where `/proc` stays, a
/// program under the runner: its process has a number there that one of them has outside. All are
/// one program at the same addresses.
const NESTED: &str = r#"
mount -t proc proc /proc
for number in 1 2 3 4 5 6 7 8 9; do
	"$BYSTANDER" "$FILE" <"$PIPE" >"$OUTPUT.$number" &
done
exec 9>"$PIPE"
for number in 1 2 3 4 5 6 7 8 9; do
	until [ -s "$OUTPUT.$number" ]; do sleep 0.05; done
done
unshare --pid --fork sh -ec '
	env true; env true; env true
	"$@" "$BYSTANDER" "$FILE" </dev/null
' sh "$@" 9>&-
exec 9>&-
wait
"#;

fn bystander(bench: &Workbench) -> PathBuf {
    bench.build("bystander", "bystander.c", "gcc", &["-O2", "-Wall", "-Werror"])
}

/// Runs a script in namespaces of its own, with the runner as its arguments; its output.
fn inside(bench: &Workbench, file: &Path, script: &str) -> String {
    let runner = bench.runner();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "setarch", "-R", "sh", "-ec", script, "sh"]);
    command.arg(runner.get_program()).args(runner.get_args());
    command.env("BYSTANDER", bystander(bench)).env("FILE", file);
    command.env("OUTPUT", bench.path("output")).env("PIPE", bench.path("pipe"));
    nix::unistd::mkfifo(&bench.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (status, output, errors) = end(&mut command);
    assert_eq!((status, errors.as_str()), (0, ""), "{output}");
    output
}

#[test]
fn a_process_with_the_same_number_elsewhere_is_left_alone() {
    let bench = Workbench::new();
    if !is_root() {
        return;
    }
    let file = bench.path("file");
    fs::write(&file, "as it was\n").unwrap();
    let output = inside(&bench, &file, NESTED);
    let outside =
        (1..10).map(|name| fs::read_to_string(bench.path(&format!("output.{name}"))).unwrap());
    let outside: Vec<String> = outside.collect();
    assert!(outside.iter().all(|said| said.starts_with("ready\nkernel ")), "{outside:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "as it was\n");
    let number = output.strip_prefix("ready\nimage ").unwrap_or_else(|| panic!("{output}"));
    assert!(
        outside.contains(&format!("ready\nkernel {number}")),
        "no process has the number {number}: {outside:?}"
    );
}

#[test]
fn without_proc_a_program_has_the_image() {
    let bench = Workbench::new();
    if !is_root() {
        return;
    }
    let file = bench.path("file");
    fs::write(&file, "text").unwrap();
    let script = r#"umount -l /proc; "$@" "$BYSTANDER" "$FILE" </dev/null"#;
    let output = inside(&bench, &file, script);
    assert!(output.starts_with("ready\nimage "), "{output}");
}
