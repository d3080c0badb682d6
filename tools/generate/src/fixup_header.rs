//! `vdso/client/include/liblinux/fixup.h`: areas and tables of exception fixups for C, generated
//! from `vdso/abi`.

use crate::HEADER;
use anyhow::{Context as _, Result, bail};
use liblinux_abi::arch::x86_64::signal;
use liblinux_abi::image::fixup::{CONSTANTS, Constant, STRUCTURES};
use liblinux_abi::image::structure::{Field, Structure};
use liblinux_workspace::Workspace;
use std::fmt::Write as _;

/// Constants above this are written in hexadecimal: they are bits, not numbers.
const DECIMAL_MAX: u64 = 1 << 20;

/// The size of an area, which a C compiler can compute: `area_size` of the tables.
const AREA_SIZE: &str = r"
/*
 * Bytes of an area for so many DSOs, 1 to VDSO_FIXUP_MAX_CAPACITY: a constant for a constant.
 * __vdso_fixup_area_size() answers the same.
 */
#define VDSO_FIXUP_AREA_SIZE(capacity) \
	((capacity) > VDSO_FIXUP_CHUNK_ROWS ? \
		 VDSO_FIXUP_HEADER_SIZE + ((uint64_t)(capacity) / VDSO_FIXUP_SLOT_ROWS + 1) * \
						  (VDSO_FIXUP_RANGE_SIZE + VDSO_FIXUP_CHUNK_SIZE) : \
		 VDSO_FIXUP_HEADER_SIZE + VDSO_FIXUP_RANGE_SIZE + sizeof(struct vdso_fixup_chunk) + \
			 (uint64_t)(capacity) * VDSO_FIXUP_ROW_SIZE)
";

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut text = format!(
        "/* {HEADER} */\n\
         /* SPDX-License-Identifier: GPL-2.0-only OR MIT */\n\
         /*\n * Areas and tables of exception fixups: see vdso/abi/src/image/fixup.rs, or the kernel's\n \
         * <asm/vdso_fixup.h>.\n */\n\
         #ifndef LIBLINUX_FIXUP_H\n#define LIBLINUX_FIXUP_H\n\n\
         #if !defined(__x86_64__) || !defined(__LP64__)\n\
         #error \"liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for \
         others\"\n#else\n\n#include <stdint.h>\n",
    );
    for Constant { name, value, about } in CONSTANTS {
        let value = if *value > DECIMAL_MAX { format!("{value:#x}UL") } else { value.to_string() };
        write!(text, "\n{}\n#define {name} {value}\n", comment(about))?;
    }
    for structure in STRUCTURES {
        text.push_str(&declaration(structure)?);
    }
    text.push_str(AREA_SIZE);
    text.push_str("\n#endif /* x86-64 */\n\n#endif /* LIBLINUX_FIXUP_H */\n");
    Ok(text)
}

/// A comment in C, on one line if that is not too wide. The text begins with a space.
pub(crate) fn comment(about: &str) -> String {
    const WIDTH: usize = 100;
    if about.len() + "/* */".len() <= WIDTH {
        return format!("/*{about} */");
    }
    let mut lines = vec![" *".to_owned()];
    for word in about.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => *line += &format!(" {word}"),
            _ => lines.push(format!(" * {word}")),
        }
    }
    format!("/*\n{}\n */", lines.join("\n"))
}

/// A structure in C.
pub(crate) fn declaration(structure: &Structure) -> Result<String> {
    let mut text = format!("\n{}\nstruct {} {{\n", comment(structure.about), structure.name);
    for Field { name, kind, about, .. } in structure.fields {
        writeln!(text, "\t{}; /*{about} */", declarator(name, kind)?)?;
    }
    // Alignment that does not come from a field.
    if structure.align > 8 {
        writeln!(text, "}} __attribute__((aligned({})));", structure.align)?;
    } else {
        text.push_str("};\n");
    }
    Ok(text)
}

/// A field in C, by its name and its type in Rust.
fn declarator(name: &str, kind: &str) -> Result<String> {
    if let Some(array) = kind.strip_prefix('[') {
        let (element, len) = array
            .trim_end_matches(']')
            .split_once("; ")
            .with_context(|| format!("{name}: {kind} is not an array"))?;
        return Ok(format!("{}[{len}]", declarator(name, element)?));
    }
    let c = match kind {
        "u64" | "usize" => "uint64_t".to_owned(),
        "u32" => "uint32_t".to_owned(),
        "i32" => "int32_t".to_owned(),
        _ => match STRUCTURES
            .iter()
            .chain(signal::STRUCTURES)
            .find(|structure| structure.rust == kind)
        {
            Some(structure) => format!("struct {}", structure.name),
            None => bail!(
                "{name}: {kind} has no name in C; add it to tools/generate/src/fixup_header.rs"
            ),
        },
    };
    Ok(format!("{c} {name}"))
}
