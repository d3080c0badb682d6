//! Symbol versions: one node, in which every export is.
//!
//! # Invariants
//!
//! 1. Every field that some reader uses has the value that the linker writes, so that all readers
//!    see the same.

use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand, none_of};
use crate::view::hashes::sysv;
use crate::view::versions::{AUXILIARY_SIZE, DEFINITION_SIZE, definitions, version_index};
use goblin::elf::dynamic::DT_VERDEFNUM;
use liblinux_abi::image::export;

const REMEDY: &str = "link with --version-script={versions}, which has one node";

/// `VER_FLG_BASE`: the definition names the file itself.
const FLAG_BASE: u16 = 1;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "version-definitions",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::VERSIONS],
        because: "Go crashes at start on a vDSO without version definitions, and musl and rustix take only the right one",
        remedy: REMEDY,
        check: version_definitions,
    },
    Rule {
        name: "version-base",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::VERSIONS],
        because: "glibc and readers that print versions expect the first definition to name the file itself",
        remedy: REMEDY,
        check: version_base,
    },
    Rule {
        name: "version-symbols",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::VERSIONS],
        because: "musl, Go and rustix skip a symbol whose version is another one or hidden",
        remedy: REMEDY,
        check: version_symbols,
    },
];

fn version_definitions(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let found = definitions(image)?;
    let announced = image.tag(DT_VERDEFNUM, "DT_VERDEFNUM")?;
    demand!(
        announced == found.len() as u64,
        "DT_VERDEFNUM is {announced}, but there are {} definitions",
        found.len()
    );
    for (definition, place) in found.iter().zip(1..) {
        let (name, hash) = (definition.name, sysv(definition.name));
        demand!(definition.version == 1, "vd_version of {name} is {}, not 1", definition.version);
        demand!(
            definition.hash == hash,
            "vd_hash of {name} is {:#x}, not {hash:#x}",
            definition.hash
        );
        demand!(definition.index == place, "vd_ndx of {name} is {}, not {place}", definition.index);
        demand!(
            definition.flags & !FLAG_BASE == 0,
            "vd_flags of {name} is {:#x}",
            definition.flags
        );
        demand!(
            (definition.names, definition.next_name) == (1, 0),
            "{name} has {} names, the next one {} bytes behind the first, not one alone",
            definition.names,
            definition.next_name
        );
        demand!(
            u64::from(definition.auxiliary) == DEFINITION_SIZE,
            "the name of {name} is {} bytes behind its start, not {DEFINITION_SIZE}",
            definition.auxiliary
        );
        let is_next = u64::from(definition.next) == DEFINITION_SIZE + AUXILIARY_SIZE;
        demand!(is_next || definition.next == 0, "vd_next of {name} is {}", definition.next);
    }
    let nodes: Vec<&str> = found
        .iter()
        .filter(|definition| definition.flags & FLAG_BASE == 0)
        .map(|definition| definition.name)
        .collect();
    demand!(
        nodes == [export::VERSION],
        "the version nodes are {nodes:?}, not only {}",
        export::VERSION
    );
    Ok(())
}

fn version_base(subject: &Subject<'_>) -> Verdict {
    let found = definitions(&subject.image)?;
    let base = &found[0];
    demand!(
        base.flags & FLAG_BASE != 0 && base.index == 1,
        "the first version definition, {}, is not the base",
        base.name
    );
    demand!(
        base.name == export::SONAME,
        "the base version is `{}`, not `{}`",
        base.name,
        export::SONAME
    );
    Ok(())
}

fn version_symbols(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let found = definitions(image)?;
    let node = found.iter().find(|definition| definition.name == export::VERSION);
    let Some(node) = node else {
        return Err(format!("the image has no version {}", export::VERSION).into());
    };
    let mut wrong = Vec::new();
    // The first symbol is not one, and has no version.
    for symbol in image.dynsym()? {
        let (index, wanted) =
            (version_index(image, symbol.index)?, if symbol.index == 0 { 0 } else { node.index });
        if index != wanted {
            wrong.push(format!("{} ({index:#x})", symbol.name));
        }
    }
    none_of(
        &format!("symbols whose version is not {} ({:#x})", export::VERSION, node.index),
        &wrong,
    )
}
