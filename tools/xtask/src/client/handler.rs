//! `vdso/client/include/liblinux/handler.h`: the signal handler of `handler.s` for C.

use super::COMMAND;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::fs;

const BEFORE: &str = "\
/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The signal handler of exception fixups, from vdso/client/src/arch/x86_64/handler.s. */
#ifndef LIBLINUX_HANDLER_H
#define LIBLINUX_HANDLER_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error \"liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others\"
#else

__asm__(
\t\".pushsection .rodata.liblinux_handler, \\\"a\\\", @progbits\\n\"
\t\".intel_syntax noprefix\\n\"
";

const AFTER: &str = "\
\t\".att_syntax prefix\\n\"
\t\".popsection\\n\");

/* The signature and the code, and their end. */
extern const unsigned char liblinux_handler_page[] __attribute__((visibility(\"hidden\")));
extern const unsigned char liblinux_handler_end[] __attribute__((visibility(\"hidden\")));

#endif /* x86-64 */

#endif /* LIBLINUX_HANDLER_H */
";

/// What the file should say.
pub(crate) fn text(workspace: &Workspace) -> Result<String> {
    let path = workspace.client().join("src/arch/x86_64/handler.s");
    let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = format!("/* {COMMAND} */\n{BEFORE}");
    for line in source.lines() {
        let code = line.split('#').next().unwrap_or_default().trim_end();
        if !code.is_empty() {
            let escaped = code.trim_start().replace('\\', "\\\\").replace('"', "\\\"").replace('\t', " ");
            writeln!(text, "\t\"{escaped}\\n\"")?;
        }
    }
    Ok(text + AFTER)
}
