//! `vdso/client/src/calls.rs`: a method for each call, with the parameters' names and types.
//!
//! It is generated rather than expanded from the table by a macro, because the table's parameters are C declarations:
//! a macro could at best give methods whose parameters have no names and whose types are projections.

use super::parameter::Parameter;
use crate::HEADER;
use anyhow::{Context as _, Result};
use liblinux_abi::manual;
use liblinux_abi::syscall::{Kind, SYSCALLS, Syscall};
use liblinux_workspace::Workspace;
use std::fmt::Write as _;

const ESSAY: &str = "
//! A method of [`Vdso`](crate::Vdso) for each system call, by the table of `liblinux-abi`.
//!
//! Parameters are the kernel's. Pointers to structures are untyped: bring the layouts of your libc bindings or of the
//! kernel's headers, and mind that the kernel's `sigset_t` has 8 bytes.

use core::ffi::{c_char, c_int, c_long, c_longlong, c_uchar, c_uint, c_ulong, c_ulonglong, c_ushort, c_void};

";

/// Columns of a line of a comment.
const WIDTH: usize = 110;

/// Calls that no compiled function can make: its caller would find another stack, or none.
const NOT_FUNCTIONS: &[&str] = &["rt_sigreturn", "vfork"];

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut text = format!("// {HEADER}\n{}crate::call::methods! {{\n", ESSAY.trim_start());
    for call in SYSCALLS.iter().filter(|call| call.is_exported() && !NOT_FUNCTIONS.contains(&call.name)) {
        method(&mut text, call).with_context(|| format!("system call {}", call.name))?;
    }
    text.push_str("}\n");
    Ok(text)
}

fn method(text: &mut String, call: &Syscall) -> Result<()> {
    let mut parameters = Vec::new();
    for parameter in call.parameters {
        parameters.push(Parameter::parse(parameter)?.rust()?);
    }
    let page = manual::find(call.name);
    let title = page.map_or_else(|| call.name.to_owned(), |page| page.page.to_owned());
    writeln!(text, "    /// `{title}`, number {}.{}", call.number, note(call.kind))?;
    writeln!(text, "    ///\n    /// `long {}({})`", call.name, declared(call))?;
    if let Some(errors) = page.map(|page| page.errors).filter(|errors| !errors.is_empty()) {
        writeln!(text, "    ///")?;
        for line in wrapped(&format!("Errors of the manual: {errors}.")) {
            writeln!(text, "    /// {line}")?;
        }
    }
    writeln!(text, "    {}({});", call.name, parameters.join(", "))?;
    Ok(())
}

fn declared(call: &Syscall) -> String {
    if call.parameters.is_empty() { "void".to_owned() } else { call.parameters.join(", ") }
}

fn note(kind: Kind) -> String {
    match kind {
        Kind::Legacy { successors } => format!(" Superseded, and made by `{}`.", successors.join("` and `")),
        Kind::Standard => " Answers from user space where it can.".to_owned(),
        Kind::Custom { because } => format!(" Not a plain stub: {because}."),
        Kind::Stub | Kind::Absent { .. } => String::new(),
    }
}

/// Breaks a text into lines of the width of our comments.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() > WIDTH {
            lines.push(word.to_owned());
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines
}
