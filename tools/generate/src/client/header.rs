//! `vdso/client/include/liblinux.h`: the prototype of each entry, for C and C++.

use super::parameter::Parameter;
use crate::HEADER;
use anyhow::{Context as _, Result};
use liblinux_abi::syscall::{Kind, SYSCALLS, Syscall};
use liblinux_abi::{legacy, manual};
use liblinux_workspace::Workspace;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The widest line.
const WIDTH: usize = 110;

/// Stands for a space where a line must not be broken.
const UNBROKEN: &str = "\u{1}";

const ESSAY: &str = r#"/*
 * liblinux.h - every Linux system call, by the entries of the vDSO.
 *
 * Two ways to an entry:
 *
 *   link it (glibc, dynamic):     cc prog.c $(pkg-config --cflags --libs liblinux)
 *                                 long fd = __vdso_openat(AT_FDCWD, path, O_RDONLY, 0);
 *   look it up (musl, static,     const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
 *   no libc at all):              long fd = LIBLINUX(image, openat)(AT_FDCWD, path, O_RDONLY, 0);
 *
 * LIBLINUX(image, call) has the type of a pointer to the entry, and is a null pointer if the image has no such entry.
 * A linked program that shall also start on an older image declares the entry weak before it uses it, and tests it:
 *
 *   #pragma weak __vdso_mseal
 *   if (__vdso_mseal) ...
 *
 * What holds for every entry unless a comment says otherwise:
 *
 * - It returns what the kernel returned: a value, or -errno in [-4095, -1]. It does not set errno.
 * - It preserves every register but rax, rcx, r10 and r11, vector registers and flags that the psABI preserves included.
 *   It takes 8 bytes of stack (what is made by another call up to LEGACY_STACK), no thread-local storage, and locks
 *   nothing: signal handlers may call it.
 * - The errors are those that the manual's page lists; where none are listed, the page has no list of its own.
 * - Standard functions (they answer from user space where they can) are ordinary C functions: they preserve what the
 *   psABI says, and a bad pointer gives -EFAULT.
 *
 * Types are spelled without the kernel's headers and without a libc's, and clash with neither. A structure is the
 * kernel's, which for some names is not the libc's (struct sigaction, struct stat with old libcs); what the libc
 * calls struct timespec is struct __kernel_timespec here, and a kernel signal set has 8 bytes.
 */
#ifndef LIBLINUX_H
#define LIBLINUX_H

#include "liblinux/resolve.h"
#include "liblinux/origin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The entry of a call in an image that liblinux_find() found, with its type; a null pointer if it has none. */
#define LIBLINUX(image, call) ((__typeof__(__vdso_##call) *)(unsigned long)liblinux_symbol((image), "__vdso_" #call))

/* Any call by its number. */
long __vdso_syscall(long number, ...);

"#;

const END: &str = "
#ifdef __cplusplus
}
#endif

#endif /* LIBLINUX_H */
";

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut structures = BTreeSet::new();
    let mut prototypes = String::new();
    for call in SYSCALLS.iter().filter(|call| call.is_exported()) {
        let parameters = call.parameters.iter().map(|parameter| Parameter::parse(parameter));
        let parameters =
            parameters.collect::<Result<Vec<_>>>().with_context(|| format!("system call {}", call.name))?;
        structures.extend(parameters.iter().filter_map(|parameter| parameter.structure().map(str::to_owned)));
        prototype(&mut prototypes, call, &parameters)?;
    }
    let essay = ESSAY.replace("LEGACY_STACK", &legacy::STACK.to_string());
    let mut text = format!("/* {HEADER} */\n{essay}");
    for structure in structures {
        writeln!(text, "{structure};")?;
    }
    Ok(text + &prototypes + END)
}

fn prototype(text: &mut String, call: &Syscall, parameters: &[Parameter]) -> Result<()> {
    let page = manual::find(call.name);
    let title = page.map_or("no page in the manual", |page| page.page);
    let mut comment = format!("{title}, number {}{}.", call.number, note(call.kind));
    if let Some(errors) = page.map(|page| page.errors).filter(|errors| !errors.is_empty()) {
        write!(comment, " Errors: {errors}.")?;
    }
    if comment.len() + "/*  */".len() <= WIDTH {
        writeln!(text, "\n/* {comment} */")?;
    } else {
        writeln!(text, "\n/*\n{}\n */", wrapped(" * ", " * ", &comment))?;
    }
    // A declaration is not broken within a parameter.
    let list: Vec<String> = parameters.iter().map(|parameter| parameter.c().replace(' ', UNBROKEN)).collect();
    let list = if list.is_empty() { "void".to_owned() } else { list.join(", ") };
    let line = format!("{} {}({list}){};", result(call), call.symbol, attribute(call));
    writeln!(text, "{}", wrapped("", "\t", &line).replace(UNBROKEN, " "))?;
    Ok(())
}

fn note(kind: Kind) -> String {
    match kind {
        Kind::Stub | Kind::Absent { .. } => String::new(),
        Kind::Standard => ", a standard function".to_owned(),
        Kind::Custom { because } => format!(", not a plain stub: {because}"),
        Kind::Legacy { successors } => format!(", superseded, and made by {}", successors.join(" and ")),
    }
}

fn result(call: &Syscall) -> &'static str {
    if call.name == "rt_sigreturn" { "void" } else { "long" }
}

/// What a compiler has to know.
fn attribute(call: &Syscall) -> &'static str {
    match call.name {
        "exit" | "exit_group" => " __attribute__((__noreturn__))",
        "vfork" => " __attribute__((__returns_twice__))",
        _ => "",
    }
}

/// Breaks a line between words.
fn wrapped(first: &str, next: &str, text: &str) -> String {
    let mut lines = vec![first.to_owned()];
    let mut start = true;
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.len());
        if !start && line + 1 + word.len() > WIDTH {
            lines.push(next.to_owned());
            start = true;
        }
        let line = lines.last_mut().expect("there is a first line");
        if !start {
            line.push(' ');
        }
        line.push_str(word);
        start = false;
    }
    lines.join("\n")
}
