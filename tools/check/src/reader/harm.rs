//! What an image does to its readers: which of them end, and on which names they disagree.
//!
//! A name that no reader finds is absent from the image, and no reader is harmed: each has its own
//! way to do without. A name that some find and others do not is there, and the others lose it.
//!
//! # Invariants
//!
//! 1. Each harm names the reader that is harmed.

use super::{Fate, READERS, Reader, Yields};
use crate::machine::Machine;
use crate::verdict::Severity;
use std::collections::BTreeMap;

/// One reader's loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harm {
    /// The reader.
    pub reader: &'static str,
    /// Whether the program dies or goes wrong. Otherwise it only does without what it could have.
    pub is_fatal: bool,
    /// How bad that is.
    pub severity: Severity,
    /// What happens.
    pub what: String,
}

/// How bad a reader's loss is: a tool misleads people, and an unwinder that finds no call-frame
/// information matters to the few programs that unwind through the image.
fn severity(reader: &Reader, is_fatal: bool) -> Severity {
    match (reader.is_tool, reader.yields) {
        (true, _) => Severity::Warning,
        (false, Yields::Frame) if !is_fatal => Severity::Warning,
        (false, _) => Severity::Error,
    }
}

/// What the image does to each reader of that machine.
pub fn harms(image: &[u8], machine: &Machine) -> Vec<Harm> {
    let answers: Vec<_> = READERS
        .iter()
        .filter_map(|reader| reader.ask(image, machine).map(|answer| (reader, answer)))
        .collect();
    let found = answers
        .iter()
        .filter(|(reader, _)| reader.yields == Yields::Function)
        .flat_map(|(_, answer)| answer.found.iter().copied());
    let agreed = agreed(found);
    let mut harms = Vec::new();
    for (reader, answer) in &answers {
        let harm = |is_fatal: bool, what: String| Harm {
            reader: reader.name,
            is_fatal,
            severity: severity(reader, is_fatal),
            what,
        };
        if let Some((is_fatal, what)) = ending(reader, &answer.fate) {
            harms.push(harm(is_fatal, what));
            continue;
        }
        for (name, place) in &answer.found {
            let Some(agreed) = agreed.get(name) else { continue };
            let (is_fatal, what) = match place {
                None if reader.yields == Yields::Frame => (
                    false,
                    format!(
                        "it finds no call-frame information for the start of {name}, at {agreed:#x}"
                    ),
                ),
                None => (
                    false,
                    format!(
                        "it does not find {name}, which others find at {agreed:#x}: it {}",
                        reader.absent
                    ),
                ),
                Some(place) if reader.yields == Yields::Function && place != agreed => {
                    (true, format!("it finds {name} at {place:#x}, and others at {agreed:#x}"))
                }
                Some(_) => continue,
            };
            harms.push(harm(is_fatal, what));
        }
    }
    harms
}

/// Where most readers find each name.
fn agreed(found: impl Iterator<Item = (&'static str, Option<u64>)>) -> BTreeMap<&'static str, u64> {
    let mut votes: BTreeMap<&str, BTreeMap<u64, usize>> = BTreeMap::new();
    for (name, place) in found {
        if let Some(place) = place {
            *votes.entry(name).or_default().entry(place).or_default() += 1;
        }
    }
    let most = |places: BTreeMap<u64, usize>| {
        places.into_iter().rev().max_by_key(|(_, votes)| *votes).map(|(place, _)| place)
    };
    votes.into_iter().filter_map(|(name, places)| Some((name, most(places)?))).collect()
}

fn ending(reader: &Reader, fate: &Fate) -> Option<(bool, String)> {
    Some(match fate {
        Fate::Loads => return None,
        Fate::Ignores(why) => {
            (false, format!("it does without the image, because {why}: it {}", reader.absent))
        }
        Fate::Crashes(why) => (true, format!("it crashes: {why}")),
        Fate::Aborts(why) => (true, format!("it ends the process: {why}")),
        Fate::Hangs(why) => (true, format!("it never ends: {why}")),
    })
}
