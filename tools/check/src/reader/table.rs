//! The table of readers and names, for people.
//!
//! # Invariants
//!
//! 1. Every reader of the image's machine has its lines.

use super::{Answer, Fate, READERS, Yields};
use crate::machine::Machine;
use std::fmt::Write as _;

/// What each reader does with the image: a line for its fate, and one for each name that it wants.
pub fn table(image: &[u8], machine: &Machine) -> String {
    let mut text = String::new();
    for reader in READERS {
        let title = format!("{} ({})", reader.name, reader.version);
        let Some(answer) = reader.ask(image, machine) else {
            let _ = writeln!(text, "{title}: does not read images of this machine");
            continue;
        };
        let _ = writeln!(text, "{title}: {}", fate(&answer));
        let shown =
            answer.found.iter().filter(|(name, place)| place.is_some() || is_of(machine, name));
        for (name, place) in shown {
            let line = match place {
                Some(place) if reader.yields == Yields::Frame => format!("entry at {place:#x}"),
                Some(place) => format!("{place:#x}"),
                None if !matches!(answer.fate, Fate::Loads | Fate::Ignores(_)) => "-".to_owned(),
                None => format!("absent: {}", reader.absent),
            };
            let _ = writeln!(text, "  {name:<24} {line}");
        }
    }
    text
}

/// Whether images of the machine have such a function: CRIU asks those of x86-64 for i386's, too.
fn is_of(machine: &Machine, name: &str) -> bool {
    machine.name != "x86-64" || !name.starts_with("__kernel_")
}

fn fate(answer: &Answer) -> String {
    match &answer.fate {
        Fate::Loads => "loads".to_owned(),
        Fate::Ignores(why) => format!("does without the image: {why}"),
        Fate::Crashes(why) => format!("crashes: {why}"),
        Fate::Aborts(why) => format!("aborts: {why}"),
        Fate::Hangs(why) => format!("hangs: {why}"),
    }
}
