//! `vdso/client/src/calls.rs`: a method for each call, with the parameters' names and types.
//!
//! It is generated rather than expanded from the table by a macro, because the table's parameters
//! are C declarations: a macro could at best give methods whose parameters have no names and whose
//! types are projections.

use super::parameter::Parameter;
use super::safety;
use crate::HEADER;
use anyhow::{Context as _, Result};
use liblinux_abi::kernel::clone::CHILD;
use liblinux_abi::syscall::descriptor::{OPENS, PROCESSES, is_descriptor};
use liblinux_abi::syscall::{Kind, SYSCALLS, Syscall};
use liblinux_abi::syscall::{ctype, manual, since, standard};
use liblinux_workspace::Workspace;
use std::fmt::Write as _;

const ESSAY: &str = "
//! A method of [`Vdso`](crate::Vdso) for each system call, by the table of `liblinux-abi`.
//!
//! Parameters have the kernel's names and, but for two things, the kernel's types. A file
//! descriptor is a `c_int`, whatever the kernel calls it, and so is the number of a process.
//! Pointers to structures are untyped: bring the layouts of your libc bindings or of
//! `linux-raw-sys`, and mind that the kernel's `sigset_t` has 8 bytes. The one structure that a
//! libc has otherwise, `struct sigaction`, has a type: [`Sigaction`].

use crate::Sigaction;
use core::ffi::{
    c_char, c_int, c_long, c_longlong, c_uchar, c_uint, c_ulong, c_ulonglong, c_ushort, c_void,
};

";

/// Columns of a line of a comment.
const WIDTH: usize = 88;

/// Calls that no compiled function can make, because its caller would find another stack, or none;
/// and `getrandom`, which the client writes by hand, because the function of that name takes two
/// arguments more.
const NOT_GENERATED: &[&str] = &["rt_sigreturn", "vfork", "getrandom"];

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut text = format!("// {HEADER}\n{}crate::call::methods! {{\n", ESSAY.trim_start());
    for call in
        SYSCALLS.iter().filter(|call| call.is_exported() && !NOT_GENERATED.contains(&call.name))
    {
        method(&mut text, call).with_context(|| format!("system call {}", call.name))?;
    }
    text.push_str("}\n");
    Ok(text)
}

fn method(text: &mut String, call: &Syscall) -> Result<()> {
    let parameters = Parameter::of(call)?;
    let page = manual::find(call.name);
    let title = page.map_or_else(|| call.name.to_owned(), |page| page.page.to_owned());
    let first =
        format!("`{title}`, number {}.{}{}", call.number, note(call.kind), since(call.name));
    for line in wrapped(&first) {
        writeln!(text, "    /// {line}")?;
    }
    writeln!(text, "    ///\n    /// `{}`", declared(call))?;
    if matches!(call.name, "clone" | "clone3") {
        writeln!(text, "    ///")?;
        for line in wrapped(CHILD) {
            writeln!(text, "    /// {line}")?;
        }
    }
    if let Some(errors) = page.map(|page| page.errors).filter(|errors| !errors.is_empty()) {
        writeln!(text, "    ///")?;
        for line in wrapped(&format!("Errors of the manual: {errors}.")) {
            writeln!(text, "    /// {line}")?;
        }
    }
    writeln!(text, "    ///\n    /// # Safety\n    ///")?;
    for sentence in safety::sentences(call, &parameters) {
        // The lines of an item stand below its first word.
        let indent = if sentence.starts_with("- ") { "  " } else { "" };
        writeln!(text, "    /// {}", wrapped(&sentence).join(&format!("\n    /// {indent}")))?;
    }
    let parameters: Result<Vec<_>> =
        parameters.iter().map(|parameter| typed(call, parameter)).collect();
    writeln!(text, "    {}({}) -> {};", call.name, parameters?.join(", "), result(call)?)?;
    Ok(())
}

/// A parameter with its type, and behind `as` the type of the entry's where that is another.
fn typed(call: &Syscall, parameter: &Parameter) -> Result<String> {
    let kernels = parameter.rust_type()?;
    if parameter.is_pointer() || kernels == "c_int" || !is_descriptor(call.name, &parameter.name) {
        return parameter.rust();
    }
    Ok(format!("{}: c_int as {kernels}", parameter.rust_name()))
}

/// The method's result, and behind `=>` what the entry returns where that is not a whole register.
fn result(call: &Syscall) -> Result<String> {
    let is_number = OPENS.contains(&call.name) || PROCESSES.contains(&call.name);
    let method = if is_number { "c_int" } else { "usize" };
    let (returned, _) = standard::entry(call);
    let entry = match returned {
        "long" => return Ok(method.to_owned()),
        "int" => "c_int",
        other => {
            ctype::find(other).with_context(|| format!("`{other}` has no row in vdso/abi"))?.rust
        }
    };
    Ok(format!("{method} => {entry}"))
}

/// The kernel's declaration.
fn declared(call: &Syscall) -> String {
    let (result, parameters) = standard::entry(call);
    let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
    format!("{result} {}({parameters})", call.name)
}

fn note(kind: Kind) -> String {
    match kind {
        Kind::Legacy { successors } => {
            format!(" Superseded, and made by `{}`.", successors.join("` and `"))
        }
        Kind::Standard => " Answers from user space where it can.".to_owned(),
        Kind::Custom { because } => {
            format!(" With code of its own, as a plain stub would not do: {because}.")
        }
        Kind::Stub | Kind::Absent { .. } => String::new(),
    }
}

/// The kernel line that a call needs, unless every line has it.
fn since(call: &str) -> String {
    match since::since(call) {
        since::OLDEST => String::new(),
        line => format!(" Linux {line} has it, the line before that has not: `ENOSYS`."),
    }
}

/// Breaks a text into lines of the width of a comment.
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
