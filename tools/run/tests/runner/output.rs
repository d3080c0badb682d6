//! Standard error: it belongs to the programs, and the runner's messages appear there as long as a
//! program has it.

use crate::workbench::{Workbench, end, sh, succeed};
use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

#[test]
fn who_reads_it_sees_its_end_when_the_program_closes_it() {
    let bench = Workbench::new();
    for verbose in [&[][..], &["--verbose"]] {
        let mut command = bench.runner();
        command.args(verbose);
        command.args(["bash", "-c", "echo said >&2; exec 2>&-; read -t 30 line; exit $line"]);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = String::new();
        // Until it has ended: the program is still there, and waits for a line.
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(errors.ends_with("said\n"), "{errors}");
        assert_eq!(child.try_wait().unwrap(), None, "the program has ended");
        child.stdin.take().unwrap().write_all(b"9\n").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(9));
    }
}

#[test]
fn messages_go_to_the_first_one_and_to_no_other_file() {
    let bench = Workbench::new();
    let (file, whereabouts) = (bench.path("file"), bench.whereabouts());
    let mut runner = bench.runner();
    runner.arg("--verbose");
    let (file_name, program) = (file.display(), whereabouts.display());
    // While a program's own standard error is another; while the first program has another file in
    // its place and keeps the first elsewhere. Where neither has it, nothing is said.
    let script = format!(
        "{program} 2>/dev/null; exec 3>&2 2>{file_name}; {program} 2>&3; {program}; exec 3>&-; {program}"
    );
    let (status, _, errors) = end(&mut sh(runner, script));
    assert_eq!(status, 0);
    assert_eq!(errors.matches(": image ").count(), 4, "the shell and all but the last: {errors}");
    assert_eq!(fs::read(&file).unwrap(), b"", "a message went to a file of the program's");
}

#[test]
fn messages_reach_a_socket() {
    let bench = Workbench::new();
    let whereabouts = bench.whereabouts().display().to_string();
    let runner = bench.runner();
    let words = runner.get_args().map(|word| word.to_str().expect("text"));
    let words: Vec<_> = std::iter::once(env!("CARGO_BIN_EXE_liblinux-run")).chain(words).collect();
    let script = "import socket, subprocess, sys
ours, theirs = socket.socketpair()
done = subprocess.run(sys.argv[1:], stderr=theirs, stdout=subprocess.DEVNULL)
theirs.close()
print(done.returncode, ours.makefile().read().count(': image '))";
    let mut command = std::process::Command::new("python3");
    command.args(["-c", script]).args(words).args(["--verbose", "sh", "-c"]);
    assert_eq!(succeed(command.arg(format!("{whereabouts}; {whereabouts}"))), "0 3\n");
}
