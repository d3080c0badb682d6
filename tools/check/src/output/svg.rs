//! A picture of an image's layout: its sections by address, and what it exports.
//!
//! # Invariants
//!
//! 1. The picture has at most [`ROWS`] rows, whatever the file holds.

use super::xml;
use crate::image::Image;
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE};
use std::fmt::Write as _;

/// The most rows of a column.
const ROWS: usize = 600;

/// Pixels of a row.
const ROW: usize = 18;

/// The picture as SVG.
pub fn picture(name: &str, image: &Image<'_>) -> Result<String, String> {
    let mut sections: Vec<_> = image.sections()?.iter().skip(1).take(ROWS).collect();
    sections.sort_by_key(|section| section.header.sh_offset);
    let mut exports = image.exports().unwrap_or_default();
    exports.sort_by_key(|symbol| symbol.value);
    exports.truncate(ROWS);
    let rows = sections.len().max(exports.len()) + 3;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"{}\" \
         font-family=\"monospace\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        rows * ROW
    );
    let len = image.bytes.len();
    line(&mut svg, 10, 1, &format!("{name}: {len} bytes; sections, and exports by address"));
    for (row, section) in sections.iter().enumerate() {
        let header = &section.header;
        let (start, end) = (header.sh_offset, header.sh_offset.saturating_add(header.sh_size));
        let y = (row + 2) * ROW;
        // As wide as its share of the file, and never invisible.
        let share = header.sh_size.saturating_mul(180) / len.max(1) as u64;
        let width = share.clamp(2, 180);
        let _ = writeln!(
            svg,
            "<rect x=\"10\" y=\"{}\" width=\"{width}\" height=\"14\" fill=\"{}\"/>",
            y - 12,
            colour(header.sh_flags)
        );
        line(&mut svg, 200, row + 2, &format!("{start:#07x}..{end:#07x} {}", section.name));
    }
    for (row, symbol) in exports.iter().enumerate() {
        let text = format!("{:#07x} {:>5} {}", symbol.value, symbol.size, symbol.name);
        line(&mut svg, 540, row + 2, &text);
    }
    svg += "</svg>\n";
    Ok(svg)
}

fn line(svg: &mut String, x: usize, row: usize, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\">{}</text>", row * ROW, xml(text));
}

/// Code, what is mapped, what could be written, the rest.
fn colour(flags: u64) -> &'static str {
    let has = |flag: u32| flags & u64::from(flag) != 0;
    match () {
        () if has(SHF_EXECINSTR) => "#d9822b",
        () if has(SHF_WRITE) => "#c23030",
        () if has(SHF_ALLOC) => "#2965cc",
        () => "#a7b6c2",
    }
}
