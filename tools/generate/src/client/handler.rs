//! `vdso/client/include/liblinux/handler.h`: the signal handler of `handler.s` for C.
//!
//! It is assembled here, and written as bytes: the compilers that read it differ in their dialects
//! of assembly, some are told to read the other one (`-masm=intel`), and symbols of assembly are
//! lost between the parts of a link-time optimisation.

#![expect(unsafe_code, reason = "names code in assembly")]

use crate::HEADER;
use crate::fixup_header::declaration;
use anyhow::{Context as _, Result, ensure};
use liblinux_abi::arch::x86_64::{handler, signal};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_workspace::Workspace;
use std::fmt::Write as _;
use std::{fs, slice};

const SOURCE: &str = include_str!("../../../../vdso/client/src/signal/x86_64/handler.s");

liblinux_abi::signal_handler!(
    ".pushsection .rodata.liblinux_handler, \"a\", @progbits",
    include_str!("../../../../vdso/client/src/signal/x86_64/handler.s"),
    // A program that has this crate and the client has the labels twice, so they stay local.
    ".globl liblinux_generated_handler, liblinux_generated_handler_end",
    ".set liblinux_generated_handler, liblinux_handler_page",
    ".set liblinux_generated_handler_end, liblinux_handler_end",
    ".popsection"
);

unsafe extern "C" {
    static liblinux_generated_handler: u8;
    static liblinux_generated_handler_end: u8;
}

const BEFORE: &str = "\
/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The signal handler of exception fixups: vdso/client/src/signal/x86_64/handler.s, assembled. */
#ifndef LIBLINUX_HANDLER_H
#define LIBLINUX_HANDLER_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error \"liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others\"
#else

#include <stdint.h>

/* The signature and the code. They refer to nothing outside, and get a page of their own. */
static const unsigned char liblinux_handler_page[] = {
";

const AFTER: &str = "
#endif /* x86-64 */

#endif /* LIBLINUX_HANDLER_H */
";

/// What the file should say.
pub(crate) fn text(workspace: &Workspace) -> Result<String> {
    let path = workspace.client().join("src/signal/x86_64/handler.s");
    let source =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(
        source == SOURCE,
        "{} is newer than this program: run the command again",
        path.display()
    );
    let (start, end) =
        (&raw const liblinux_generated_handler, &raw const liblinux_generated_handler_end);
    // SAFETY: both are in one section, which is never written.
    let code = unsafe { slice::from_raw_parts(start, end.addr() - start.addr()) };
    let mut text = format!("/* {HEADER} */\n{BEFORE}");
    for line in code.chunks(16) {
        let bytes: Vec<_> = line.iter().map(|byte| format!("{byte:#04x},")).collect();
        writeln!(text, "\t{}", bytes.join(" "))?;
    }
    text.push_str("};\n");
    for (name, value, about) in [
        (
            "LIBLINUX_HANDLER_SIGNATURE",
            handler::SIGNATURE_SIZE,
            "Bytes of the signature; the handler is behind it.",
        ),
        (
            "LIBLINUX_HANDLER_PAGE",
            PAGE_SIZE,
            "Bytes of each of the two pages; the data are on the second one.",
        ),
    ] {
        write!(text, "\n/* {about} */\n#define {name} {value}\n")?;
    }
    for structure in signal::STRUCTURES.iter().chain(handler::STRUCTURES) {
        text.push_str(&declaration(structure)?);
    }
    Ok(text + AFTER)
}
