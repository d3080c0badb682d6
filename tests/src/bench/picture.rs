//! The ratios as a picture: a bar each, its spread, and its target.
//!
//! # Invariants
//!
//! 1. The axis starts at zero and is the same for all bars; a ratio beyond its end is drawn open
//!    and labelled.

use super::report::Row;
use std::fmt::Write as _;

/// The ratio at the right end of the axis.
const END: f64 = 1.2;

/// Pixels: of the names, of the axis, of the numbers right of it, of a row, above and below all
/// rows.
const NAMES: f64 = 230.0;
const AXIS: f64 = 480.0;
const NUMBERS: f64 = 130.0;
const ROW: f64 = 20.0;
const MARGIN: f64 = 34.0;

/// Colours of a bar that is within its target, of one that is not, and of a floor.
const GOOD: &str = "#4a9c6d";
const BAD: &str = "#d0743c";
const FLOOR: &str = "#9aa7b0";

/// The rows as an SVG file.
pub fn svg(rows: &[Row]) -> String {
    draw(rows).expect("writing to a string")
}

fn draw(rows: &[Row]) -> Result<String, std::fmt::Error> {
    let mut svg = String::new();
    let bottom = MARGIN + ROW * rows.len() as f64;
    let (width, height) = (NAMES + AXIS + NUMBERS, bottom + MARGIN);
    writeln!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#333">
<rect width="{width}" height="{height}" fill="#fff"/>
<text x="{NAMES}" y="14">time of a call, liblinux over the kernel's C vDSO; line: 10th to 90th percentile; mark: target</text>"##
    )?;
    for tenth in (0..=12).step_by(2) {
        let ratio = f64::from(tenth) / 10.0;
        let (at, colour) = (x(ratio), if tenth == 10 { "#555" } else { "#ddd" });
        writeln!(svg, r#"<path d="M{at:.1} {MARGIN}V{bottom}" stroke="{colour}"/>"#)?;
        writeln!(
            svg,
            r#"<text x="{at:.1}" y="{}" text-anchor="middle">{ratio:.1}</text>"#,
            bottom + 16.0
        )?;
    }
    for (row, index) in rows.iter().zip(0_u32..) {
        bar(&mut svg, row, MARGIN + ROW * f64::from(index))?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn bar(svg: &mut String, row: &Row, top: f64) -> std::fmt::Result {
    let (middle, base) = (top + ROW / 2.0, top + ROW / 2.0 + 4.0);
    let colour = match row.target {
        None => FLOOR,
        Some(target) if row.ratio.median <= target => GOOD,
        Some(_) => BAD,
    };
    let opacity = if row.ratio.median > END { 0.5 } else { 1.0 };
    let (end, low, high) = (x(row.ratio.median), x(row.ratio.low), x(row.ratio.high));
    writeln!(svg, r#"<text x="{}" y="{base}" text-anchor="end">{}</text>"#, NAMES - 8.0, row.name)?;
    writeln!(
        svg,
        r#"<rect x="{NAMES}" y="{}" width="{:.1}" height="{}" fill="{colour}" fill-opacity="{opacity}"/>"#,
        top + 4.0,
        end - NAMES,
        ROW - 8.0
    )?;
    writeln!(svg, r##"<path d="M{low:.1} {middle}H{high:.1}" stroke="#000"/>"##)?;
    if let Some(target) = row.target.map(x) {
        writeln!(
            svg,
            r##"<path d="M{target:.1} {}v{}" stroke="#b00" stroke-width="2"/>"##,
            top + 2.0,
            ROW - 4.0
        )?;
    }
    let numbers = format!("{:.2} ({:.1} ns)", row.ratio.median, row.ours_ns.median);
    writeln!(svg, r#"<text x="{}" y="{base}">{numbers}</text>"#, NAMES + AXIS + 8.0)
}

/// Where a ratio is on the axis.
fn x(ratio: f64) -> f64 {
    NAMES + AXIS * ratio.clamp(0.0, END) / END
}
