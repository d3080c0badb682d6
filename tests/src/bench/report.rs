//! What was measured, as rows: for a table, for a file, for a picture.
//!
//! # Invariants
//!
//! 1. A ratio is the median of the rounds' ratios, not the ratio of two medians.

use super::case::{Case, Reference};
use super::pair::{Round, Spread};
use crate::image::Image;
use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};
use object::{Object as _, ObjectSymbol as _};
use serde::Serialize;

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The function, and what distinguishes this call of it.
    pub name: String,
    /// What ours is compared with.
    pub reference: &'static str,
    /// The least code that could do the same.
    pub floor: &'static str,
    /// Nanoseconds of a call of our image.
    pub ours_ns: Spread,
    /// Nanoseconds of a call of the reference.
    pub reference_ns: Spread,
    /// Nanoseconds of a call of the floor.
    pub floor_ns: Spread,
    /// Ours over the reference.
    pub ratio: Spread,
    /// The highest good ratio; none if a floor is in our place.
    pub target: Option<f64>,
    /// Ours over the floor.
    pub floor_ratio: Spread,
    /// What the ratio to the floor should be at most.
    pub floor_target: Option<f64>,
    /// Bytes of code of our function.
    pub ours_bytes: Option<u64>,
    /// Bytes of code that our function jumps to when something is in the way.
    pub ours_cold_bytes: Option<u64>,
    /// Bytes of code of the reference, if that is the C image.
    pub reference_bytes: Option<u64>,
}

impl Row {
    /// A case and its rounds.
    pub fn new(case: &Case, rounds: &[Round], code: &Code) -> Self {
        let spread = |number: fn(&Round) -> f64| Spread::of(rounds.iter().map(number));
        let is_c = case.against == Reference::CImage;
        Self {
            name: case.name.clone(),
            reference: match case.against {
                Reference::CImage => "C image",
                Reference::Libc => "libc syscall()",
                Reference::Plain => "__vdso_syscall",
                Reference::Number => "bare legacy call",
                Reference::ThreadRng => "rand ThreadRng",
            },
            floor: case.floor_name,
            ours_ns: spread(|round| round.ours),
            reference_ns: spread(|round| round.reference),
            floor_ns: spread(|round| round.floor),
            ratio: spread(|round| round.ours / round.reference),
            target: case.target,
            floor_ratio: spread(|round| round.ours / round.floor),
            floor_target: case.floor_target,
            ours_bytes: size(&code.ours, case.symbol).filter(|_| case.target.is_some()),
            ours_cold_bytes: code.cold(case.symbol).filter(|_| case.target.is_some()),
            reference_bytes: size(&code.reference, case.symbol).filter(|_| is_c),
        }
    }

    /// Whether both ratios are what they should be.
    pub fn is_good(&self) -> bool {
        self.target.is_none_or(|target| self.ratio.median <= target)
            && self.floor_target.is_none_or(|target| self.floor_ratio.median <= target)
    }
}

/// The files of both images, to see how large their functions are.
#[derive(Clone, Debug)]
pub struct Code {
    ours: Vec<u8>,
    /// Our image with all symbols.
    debug: Vec<u8>,
    reference: Vec<u8>,
}

impl Code {
    /// Reads the files.
    pub fn read(reference: &std::path::Path) -> Result<Self, String> {
        let read = |path: &std::path::Path| {
            std::fs::read(path).map_err(|error| {
                format!("{}: {error}; run `cargo xtask image` first", path.display())
            })
        };
        let ours = Image::path();
        Ok(Self {
            ours: read(&ours)?,
            debug: read(&ours.with_extension("so.dbg"))?,
            reference: read(reference)?,
        })
    }

    /// Bytes of the cold half of a function; none if it has none.
    fn cold(&self, symbol: &str) -> Option<u64> {
        let name = format!("{}_cold", symbol.trim_start_matches("__vdso_"));
        // As the compiler mangles it, so that `time` does not find the half of `clock_gettime`.
        let cold = format!("{}{name}", name.len());
        let elf = object::File::parse(self.debug.as_slice()).ok()?;
        let is_cold = |name: &str| name.contains(&cold);
        elf.symbols().find(|symbol| symbol.name().is_ok_and(is_cold)).map(|symbol| symbol.size())
    }
}

/// Bytes of an exported function.
fn size(file: &[u8], name: &str) -> Option<u64> {
    let elf = object::File::parse(file).ok()?;
    elf.dynamic_symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.size())
}

/// A ratio in the colour of what was wanted.
fn judged(cell: Cell, ratio: Spread, target: Option<f64>) -> Cell {
    match target {
        Some(target) => cell.fg(if ratio.median <= target { Color::Green } else { Color::Red }),
        None => cell,
    }
}

/// The rows as a table for people.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "function", "ours ns", "other ns", "ratio", "10%..90%", "target", "floor", "ns", "ratio",
        "bytes",
    ]);
    for row in rows {
        let ratio = Cell::new(format!("{:.3}", row.ratio.median));
        let floor_ratio = Cell::new(format!("{:.3}", row.floor_ratio.median));
        let bytes =
            |bytes: Option<u64>| bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        let cold = row.ours_cold_bytes.map_or_else(String::new, |cold| format!("+{cold}"));
        table.add_row([
            Cell::new(&row.name),
            Cell::new(format!("{:.2}", row.ours_ns.median)),
            Cell::new(format!("{:.2}", row.reference_ns.median)),
            judged(ratio, row.ratio, row.target).add_attribute(Attribute::Bold),
            Cell::new(format!("{:.3}..{:.3}", row.ratio.low, row.ratio.high)),
            Cell::new(row.target.map_or_else(|| "-".to_owned(), |target| format!("{target:.2}"))),
            Cell::new(row.floor),
            Cell::new(format!("{:.2}", row.floor_ns.median)),
            judged(floor_ratio, row.floor_ratio, row.floor_target),
            Cell::new(format!("{}{cold} / {}", bytes(row.ours_bytes), bytes(row.reference_bytes))),
        ]);
    }
    for column in table.column_iter_mut().filter(|column| ![0, 6].contains(&column.index)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
