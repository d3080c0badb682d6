//! C and C++ programs over the headers: whether they compile, and their output.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of the client.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a compiler on a program; how it ended and what it said.
pub(crate) fn run(compiler: &str, flags: &[&str], program: &str) -> Output {
    let mut command = Command::new(compiler);
    command.env("LC_ALL", "C").args(["-Wall", "-Wextra"]).args(flags);
    command.arg("-I").arg(folder("include")).arg("-");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut compiler = command.spawn().unwrap_or_else(|error| panic!("{compiler}: {error}"));
    compiler
        .stdin
        .take()
        .expect("a pipe")
        .write_all(program.as_bytes())
        .expect("the compiler reads");
    compiler.wait_with_output().expect("the compiler ends")
}

/// Whether a program compiles without a warning; else what the compiler complains about.
pub(crate) fn check(compiler: &str, flags: &[&str], program: &str) -> Result<(), String> {
    let output = run(compiler, &[&["-Werror", "-fsyntax-only"], flags].concat(), program);
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Compiles, links and runs a program with its arguments, and returns its output.
#[track_caller]
pub(crate) fn print(compiler: &str, flags: &[&str], program: &str, arguments: &[&str]) -> String {
    let file = tempfile::Builder::new().tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    let path = file.into_temp_path();
    let output = run(compiler, &[flags, &["-o", path.to_str().expect("UTF-8")]].concat(), program);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new(&path).args(arguments).output().expect("it starts");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}{complained}", output.status);
    said.into_owned()
}
