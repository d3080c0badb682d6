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
use crate::view::versions::{
    AUXILIARY_SIZE, DEFINITION_SIZE, Definition, definitions, version_index,
};
use goblin::elf::dynamic::{DT_SONAME, DT_STRTAB, DT_VERDEFNUM};
use goblin::elf::sym::STB_LOCAL;

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
    let wanted = subject.profile.versions;
    demand!(!nodes.is_empty(), "there is no version node");
    demand!(
        wanted.is_empty() || nodes == wanted,
        "the version nodes are {nodes:?}, not {wanted:?}"
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
    let image = &subject.image;
    let own = image.tag(DT_SONAME, "DT_SONAME")?;
    let own = image.string(image.tag(DT_STRTAB, "DT_STRTAB")?.saturating_add(own))?;
    let wanted = subject.profile.soname.unwrap_or(own);
    demand!(base.name == wanted, "the base version is `{}`, not `{wanted}`", base.name);
    Ok(())
}

fn version_symbols(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let found = definitions(image)?;
    let is_node = |definition: &&Definition<'_>| definition.flags & FLAG_BASE == 0;
    let nodes: Vec<u16> = found.iter().filter(is_node).map(|node| node.index).collect();
    demand!(!nodes.is_empty(), "there is no version node");
    let is_liblinux = subject.profile.is_liblinux();
    let mut wrong = Vec::new();
    for symbol in image.dynsym()? {
        let index = version_index(image, symbol.index)?;
        // The first symbol is not one, and has no version; local ones need none.
        let is_right = match symbol.index {
            0 => index == 0,
            _ if symbol.binding == STB_LOCAL && !is_liblinux => true,
            _ => nodes.contains(&index),
        };
        if !is_right {
            wrong.push(format!("{} ({index:#x})", symbol.name));
        }
    }
    none_of(&format!("symbols whose version is none of the nodes {nodes:x?}"), &wrong)
}
