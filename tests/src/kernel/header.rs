//! The kernel's headers, read by the compiler that the kernel is built with.

use super::Source;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A C expression of the kernel, and the value that it should have.
#[derive(Clone, Copy, Debug)]
pub struct Fact {
    /// An integer constant expression.
    pub expression: &'static str,
    /// What this project takes it for.
    pub value: usize,
}

/// Compares all facts; the compiler's complaints about those that differ.
pub fn compare(source: &Source, prelude: &str, facts: &[Fact]) -> Result<(), String> {
    let mut program = prelude.to_owned();
    for Fact { expression, value } in facts {
        writeln!(program, "_Static_assert(({expression}) == {value}, \"not {value}\");")
            .expect("writing to a string");
    }
    let (root, build) = (source.root().display(), source.build().display());
    let mut gcc = Command::new("gcc");
    gcc.args([
        "-fsyntax-only",
        "-w",
        "-std=gnu11",
        "-fno-pie",
        "-fshort-wchar",
        "-fms-extensions",
        "-nostdinc",
        "-D__KERNEL__",
    ]);
    for folder in ["arch/x86/include", "include", "arch/x86/include/uapi", "include/uapi"] {
        gcc.arg(format!("-I{root}/{folder}"));
    }
    for folder in [
        "arch/x86/include/generated",
        "include",
        "arch/x86/include/generated/uapi",
        "include/generated/uapi",
    ] {
        gcc.arg(format!("-I{build}/{folder}"));
    }
    for header in ["compiler-version.h", "kconfig.h", "compiler_types.h"] {
        gcc.arg("-include").arg(format!("{root}/include/linux/{header}"));
    }
    gcc.args(["-x", "c", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut compiler = gcc.spawn().expect("gcc runs");
    let mut input = compiler.stdin.take().expect("its input is a pipe");
    input.write_all(program.as_bytes()).expect("gcc reads its input");
    drop(input);
    let output = compiler.wait_with_output().expect("gcc ends");
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
