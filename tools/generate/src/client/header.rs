//! `vdso/client/include/liblinux.h`: the prototype of each entry, for C and C++.

use super::parameter::Parameter;
use crate::HEADER;
use anyhow::Result;
use liblinux_abi::kernel::clone::CHILD;
use liblinux_abi::syscall::{Kind, SYSCALLS, Syscall};
use liblinux_abi::syscall::{ctype, legacy, manual, standard};
use liblinux_workspace::Workspace;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The widest line.
const WIDTH: usize = 100;

/// Takes the place of a space where a line must not be broken.
const UNBROKEN: &str = "\u{1}";

const ESSAY: &str = r#"/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux.h - every Linux system call, by the entries of the vDSO.
 *
 * Two ways to an entry:
 *
 *   link it (glibc, dynamic):     cc prog.c $(pkg-config --cflags --libs liblinux)
 *                                 long fd = __vdso_openat(AT_FDCWD, path, O_RDONLY, 0);
 *   look it up (musl, static,     const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
 *   no libc at all):              long fd = LIBLINUX(image, openat)(AT_FDCWD, path, O_RDONLY, 0);
 *
 * LIBLINUX(image, call) has the type of a pointer to the entry, and is a null pointer if the image
 * has no such entry. A linked program that shall also start on an older image declares the entry
 * weak before it uses it, and tests it:
 *
 *   #pragma weak __vdso_mseal
 *   if (__vdso_mseal) ...
 *
 * What holds for every entry unless a comment says otherwise:
 *
 * - It returns what the kernel returned: a value, or -errno in [-4095, -1]. It does not set errno.
 * - It preserves every register but rax, rcx, r10 and r11, vector registers and flags that the
 *   psABI preserves included. It takes 8 bytes of stack (what is made by another call up to
 *   LEGACY_STACK), no thread-local storage, and locks nothing: signal handlers may call it.
 * - The errors are those that the manual's page lists; where none are listed, the page has no list
 *   of its own.
 * - Standard functions (they answer from user space where they can) are ordinary C functions: they
 *   preserve what the psABI says, and a bad pointer gives -EFAULT.
 *
 * Types are spelled without the kernel's headers and without a libc's, and clash with neither.
 * Pointers take what a program has in its libc's types, in C and in C++:
 *
 * - a structure that libcs have under the kernel's name is that one (struct stat, struct pollfd,
 *   struct rusage);
 * - one that they call differently is a void pointer, with the kernel's name beside it. Its bytes
 *   are those of the libc's: struct timespec, itimerspec, timeval, itimerval, timex, rlimit,
 *   utsname, msghdr, siginfo_t. (musl's struct msghdr and cmsghdr have padding that the kernel
 *   reads: begin them with zeros.)
 * - a set of signals has 8 bytes for the kernel, which is what the argument sigsetsize says: a
 *   libc's sigset_t is larger, and its first 8 bytes are those of the kernel's.
 * - struct sigaction is another in every libc, so the one here is struct liblinux_sigaction, and a
 *   libc's is refused.
 * - a timer_t of the libc is not the kernel's, which is an int.
 *
 * liblinux/random.h has getrandom with its three arguments, and from a state that the caller keeps;
 * liblinux/thread.h starts threads without a libc.
 */
#ifndef LIBLINUX_H
#define LIBLINUX_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "liblinux/resolve.h"
#include "liblinux/origin.h"
#include "liblinux/vfork.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The entry of a call in an image that liblinux_find() found, with its type; a null pointer if it
 * has none.
 *
 * Three are more than a pointer of that type. LIBLINUX(image, vfork)() is a call and nothing else,
 * by a function that is known to return twice; exit and exit_group are known not to return.
 */
#define LIBLINUX(image, call) \
	LIBLINUX_EXPAND(LIBLINUX_PICK, (LIBLINUX_AS_##call, LIBLINUX_POINTER, 0))(image, __vdso_##call, "__vdso_" #call)
#define LIBLINUX_EXPAND(macro, arguments) macro arguments
#define LIBLINUX_PICK(first, second, ...) second
#define LIBLINUX_POINTER(image, entry, name) ((__typeof__(entry) *)(unsigned long)liblinux_symbol((image), name))
#define LIBLINUX_AS_exit 0, LIBLINUX_NORETURN
#define LIBLINUX_AS_exit_group 0, LIBLINUX_NORETURN
#define LIBLINUX_NORETURN(image, entry, name) \
	((liblinux_noreturn)(unsigned long)liblinux_symbol((image), name))
#define LIBLINUX_AS_vfork 0, LIBLINUX_VFORK
/* What follows the macro is the empty list of the call's arguments, which this takes away. */
#define LIBLINUX_VFORK(image, entry, name) liblinux_vfork(image) liblinux_vfork_has_to_be_called_here
#define liblinux_vfork_has_to_be_called_here()

typedef long (*liblinux_noreturn)(int) __attribute__((__noreturn__));

/* The kernel's struct sigaction. */
struct liblinux_sigaction {
	void (*handler)(int);		/* or with SA_SIGINFO, cast: void (*)(int, siginfo_t *, void *) */
	unsigned long flags;		/* SA_*, and 0x04000000 (SA_RESTORER), without which no handler returns */
	void (*restorer)(void);		/* such as LIBLINUX(image, rt_sigreturn) */
	unsigned long mask;		/* bit n - 1 is signal n */
};

/* Any call by its number. */
long __vdso_syscall(long number, ...);

/*
 * The same, unless the word at STATE is not 0: then -ECANCELED, and no effect. What calls off also
 * sends a signal, whose handler calls __vdso_cancel_dispatch() with its third argument: 1 if it
 * moved the thread, 0 if it did not. liblinux/cancel.h does both.
 */
long __vdso_syscall_cancellable(volatile unsigned int *state, long number, ...);
long __vdso_cancel_dispatch(void *ucontext);

/* Stores where a call can be called off: addresses of start, call, end and exit. */
long __vdso_cancel_window(unsigned long window[4]);

"#;

const END: &str = "
#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_H */
";

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut structures = BTreeSet::new();
    let mut prototypes = String::new();
    for call in SYSCALLS.iter().filter(|call| call.is_exported()) {
        let parameters = Parameter::of(call)?;
        structures.extend(
            parameters.iter().filter_map(|parameter| parameter.structure().map(str::to_owned)),
        );
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
    if matches!(call.name, "clone" | "clone3") {
        write!(comment, " {CHILD}")?;
    }
    if comment.len() + "/*  */".len() <= WIDTH {
        writeln!(text, "\n/* {comment} */")?;
    } else {
        writeln!(text, "\n/*\n{}\n */", wrapped(" * ", " * ", &comment))?;
    }
    // A declaration is not broken within a parameter.
    let list: Vec<String> =
        parameters.iter().map(|parameter| parameter.c().replace(' ', UNBROKEN)).collect();
    let list = if list.is_empty() { "void".to_owned() } else { list.join(", ") };
    let line = format!("{} {}({list}){};", result(call), call.symbol, attribute(call));
    writeln!(text, "{}", wrapped("", "\t", &line).replace(UNBROKEN, " "))?;
    Ok(())
}

fn note(kind: Kind) -> String {
    match kind {
        Kind::Stub | Kind::Absent { .. } => String::new(),
        Kind::Standard => ", a standard function".to_owned(),
        Kind::Custom { because } => {
            format!(", with code of its own, as a plain stub would not do: {because}")
        }
        Kind::Legacy { successors } => {
            format!(", superseded, and made by {}", successors.join(" and "))
        }
    }
}

fn result(call: &Syscall) -> &'static str {
    match standard::entry(call).0 {
        _ if call.name == "rt_sigreturn" => "void",
        returned => ctype::find(returned).map_or(returned, |row| row.c),
    }
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
