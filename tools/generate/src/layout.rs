//! `vdso/kbuild/layout.c`, by which the kernel's compiler compares the data pages that it has with
//! those that the image was written for.

use crate::HEADER;
use anyhow::{Context as _, Result};
use liblinux_abi::kernel::datapage::LAYOUTS;
use liblinux_workspace::Workspace;
use std::fmt::Write as _;

/// The kernel line that builds the image in its own tree.
const IN_TREE: &str = "7.3";

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let layout = LAYOUTS.iter().find(|layout| layout.line == IN_TREE);
    let layout = layout.with_context(|| format!("LAYOUTS has none for Linux {IN_TREE}"))?;
    let mut text = format!(
        "// SPDX-License-Identifier: GPL-2.0-only OR MIT\n\
         /*\n \
         * {HEADER}\n \
         *\n \
         * The layout of the data pages that the image in this folder reads. It is not an\n \
         * ABI: where one of these fails, change abi/src/kernel/datapage and the code\n \
         * that reads the page.\n \
         */\n\
         #include <linux/build_bug.h>\n\
         #include <linux/stddef.h>\n\
         #include <linux/time_namespace.h>\n\
         #include <vdso/clocksource.h>\n\
         #include <vdso/datapage.h>\n\
         #include <asm/vdso.h>\n\
         #include <asm/vdso/vsyscall.h>\n\n"
    );
    for (expression, value) in layout.facts {
        writeln!(text, "static_assert({expression} == {value});")?;
    }
    Ok(text)
}
