//! What mutants do to readers, beside what the checker says of them.
//!
//! Readers are asked by their models, which `tests/models` compares with the readers themselves.
//!
//! # Invariants
//!
//! 1. Each mutant is of one kind, and counted once.

use crate::mutation::{self, Class};
use crate::specimen::Specimen;
use liblinux_check::image::Image;
use liblinux_check::profile::Profile;
use liblinux_check::reader::harms;
use liblinux_check::{Severity, check_as};
use std::collections::BTreeMap;

/// What a mutant does, beside the sound image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A program that reads the image is harmed, or the kernel's build refuses the image.
    Harmful,
    /// Debuggers, unwinders or selftests are misled, and no other program.
    Misleading,
    /// No reader looks that name up by itself, but an export leads elsewhere, or is gone. A program
    /// that asks for it is harmed; without the lock an image does not tell what should be there.
    Moved,
    /// No reader minds.
    Harmless,
}

/// Mutants of one kind: how many there are, how many are refused, how many at least warned of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) all: usize,
    pub(crate) refused: usize,
    pub(crate) warned: usize,
}

/// Mutants of a class, or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    pub(crate) harmful: Count,
    pub(crate) misleading: Count,
    pub(crate) moved: Count,
    pub(crate) harmless: Count,
    /// The rules that refuse harmless mutants, each with an example.
    pub(crate) accused: BTreeMap<&'static str, String>,
}

impl Score {
    pub(crate) fn add(&mut self, other: Self) {
        let add = |to: &mut Count, from: Count| {
            to.all += from.all;
            to.refused += from.refused;
            to.warned += from.warned;
        };
        add(&mut self.harmful, other.harmful);
        add(&mut self.misleading, other.misleading);
        add(&mut self.moved, other.moved);
        add(&mut self.harmless, other.harmless);
        self.accused.extend(other.accused);
    }
}

/// The scores of a class.
pub(crate) fn score(
    good: &Specimen,
    class: &Class,
    number: usize,
    profile: &'static Profile,
) -> Score {
    let before = exports(&good.image.bytes);
    let mut score = Score::default();
    for index in 0..number {
        let mutant = mutation::mutant(&good.image, class, index);
        let image = mutation::mutated(&good.image, &mutant).bytes;
        let report = check_as(profile, &image, None, None);
        let refused = report.as_ref().map_or(true, |report| !report.is_good());
        let warned = report.as_ref().map_or(true, |report| {
            report.findings().iter().any(|finding| finding.severity >= Severity::Warning)
        });
        let kind = kind(&image, profile, &before);
        let count = match kind {
            Kind::Harmful => &mut score.harmful,
            Kind::Misleading => &mut score.misleading,
            Kind::Moved => &mut score.moved,
            Kind::Harmless => &mut score.harmless,
        };
        count.all += 1;
        count.refused += usize::from(refused);
        count.warned += usize::from(warned);
        if kind == Kind::Harmless
            && let Ok(report) = report
        {
            let place = format!("{}, {:02x?} at {:#x}", class.name, mutant.bytes, mutant.at);
            let accused =
                report.refused().map(|(rule, what)| (rule.name, format!("{place}: {what}")));
            score.accused.extend(accused);
        }
    }
    score
}

fn kind(image: &[u8], profile: &Profile, before: &BTreeMap<String, u64>) -> Kind {
    let machine = profile.machine.unwrap_or(&liblinux_check::machine::X86_64);
    let worst = harms(image, machine).into_iter().map(|harm| harm.severity).max();
    let after = exports(image);
    match worst {
        Some(Severity::Error) => Kind::Harmful,
        _ if profile.is_for_x86_kernels() && is_refused_by_the_build(image) => Kind::Harmful,
        _ if !after.is_empty() && after != *before => Kind::Moved,
        Some(_) => Kind::Misleading,
        None => Kind::Harmless,
    }
}

/// Each export's name and address; none if the symbols cannot be read.
fn exports(image: &[u8]) -> BTreeMap<String, u64> {
    let view = Image::read(image).ok();
    let exports = view.as_ref().and_then(|view| view.exports().ok()).unwrap_or_default();
    exports.into_iter().map(|symbol| (symbol.name.to_owned(), symbol.value)).collect()
}

/// Whether `vdso2c` refuses the program headers: it takes one `PT_LOAD` that begins at 0, has as
/// many bytes in memory as in the file, and ends in the file.
fn is_refused_by_the_build(image: &[u8]) -> bool {
    let view = Image::read(image).ok();
    let load = view.as_ref().and_then(|view| view.load().ok());
    load.is_none_or(|load| {
        load.p_offset != 0
            || load.p_vaddr != 0
            || load.p_memsz != load.p_filesz
            || load.p_memsz > image.len() as u64
    })
}
