//! `linker/x86_64/vdso.map`: which symbols the image exports.

use crate::HEADER;
use anyhow::Result;
use liblinux_abi::image::export::{VERSION, exports};
use liblinux_workspace::Workspace;
use std::fmt::Write as _;

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut text = format!(
        "/* SPDX-License-Identifier: GPL-2.0-only OR MIT */\n/* {HEADER} */\n{VERSION} {{\nglobal:\n"
    );
    for export in exports() {
        writeln!(text, "\t{};", export.name)?;
    }
    text.push_str("local:\n\t*;\n};\n");
    Ok(text)
}
