//! The dynamic symbols: what programs find by name.
//!
//! # Invariants
//!
//! 1. What must be exported is `liblinux_abi::image::export::exports()`; no name is written down
//!    here.
//! 2. Each rule first gets the exports, and so refuses an image without any.

use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::symbol::{SHN_UNDEF, Symbol};
use crate::verdict::{Verdict, demand, none_of};
use crate::view::notes::layout;
use goblin::elf::sym::{
    STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_TLS, STV_DEFAULT,
};
use liblinux_abi::image::export::{Binding, NAME_MAX, ROBUST, exports, standard};
use liblinux_abi::image::layout::SLOT_SIZE;
use std::collections::BTreeMap;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "no-undefined",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NOTHING_UNDEFINED],
        because: "no library is loaded that could define the symbol: the reference stays zero",
        remedy: "link with --no-undefined, and inline or write what {source} calls",
        check: no_undefined,
    },
    Rule {
        name: "plain-symbols",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::NO_CONSTRUCTORS],
        because: "an indirect function needs a resolver run by a relocation, a thread-local symbol needs a thread pointer",
        remedy: "export nothing but functions from {source}; choose by alternatives, not by resolvers",
        check: plain_symbols,
    },
    Rule {
        name: "export-shape",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::EXPORTS],
        because: "Go and the kernel's own parse_vdso.c ignore what is not a defined, global or weak function in the text",
        remedy: "give the entry .type @function and .size, and list it in {versions}",
        check: export_shape,
    },
    Rule {
        name: "expected-exports",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::EXPORTS, demand::LOCKED],
        because: "the table in vdso/abi promises these names to programs, and no other",
        remedy: "compare vdso/abi/src/syscall/table.rs and image/export.rs with linker/x86_64/vdso.map, then run `cargo xtask image`",
        check: expected_exports,
    },
    Rule {
        name: "unique-exports",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::DATA_PAGE_SYMBOLS],
        because: "of two symbols of one name some readers take the first and some the last",
        remedy: "look for a second definition of the name in {source} and {versions}",
        check: unique_exports,
    },
    Rule {
        name: "null-symbol",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NOTHING_UNDEFINED],
        because: "index 0 means that a symbol is absent, and readers skip it without a look",
        remedy: "{build}",
        check: null_symbol,
    },
    Rule {
        name: "aliases",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::LOCKED],
        because: "the two names of a standard function are one function: libcs use the one, programs the other",
        remedy: "export both names from one place in {source}",
        check: aliases,
    },
    Rule {
        name: "entry-room",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::ENTRY_ROOM],
        because: "CRIU writes a 16-byte trampoline over an entry, which destroys other code in those bytes",
        remedy: "align the entry to 16 bytes and pad it to 16 in {source}",
        check: entry_room,
    },
    Rule {
        name: "name-length",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::NAME_LENGTH],
        because: "CRIU copies names into 32 bytes and compares what fits",
        remedy: "choose a shorter name",
        check: name_length,
    },
];

fn no_undefined(subject: &Subject<'_>) -> Verdict {
    let undefined = |symbol: &&Symbol<'_>| symbol.index != 0 && symbol.section == SHN_UNDEF;
    let names: Vec<&str> =
        subject.image.dynsym()?.iter().filter(undefined).map(|symbol| symbol.name).collect();
    none_of("undefined dynamic symbols", &names)
}

fn plain_symbols(subject: &Subject<'_>) -> Verdict {
    let special = |symbol: &&Symbol<'_>| matches!(symbol.kind, STT_GNU_IFUNC | STT_TLS);
    let names: Vec<&str> =
        subject.image.dynsym()?.iter().filter(special).map(|symbol| symbol.name).collect();
    none_of("indirect or thread-local dynamic symbols", &names)
}

fn export_shape(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let text = image.text()?;
    let fault = |symbol: &Symbol<'_>| {
        let fault = if symbol.kind != STT_FUNC {
            "is not a function"
        } else if !matches!(symbol.binding, STB_GLOBAL | STB_WEAK) {
            "is neither global nor weak"
        } else if symbol.visibility != STV_DEFAULT {
            "is hidden"
        } else if symbol.size == 0 {
            "has no size"
        } else if !text.contains(&symbol.value) || symbol.end() > text.end {
            "is outside .text"
        } else if image
            .sections()
            .is_ok_and(|all| all.get(symbol.section).is_none_or(|home| home.name != ".text"))
        {
            "does not name .text as its section"
        } else {
            return None;
        };
        Some(format!("{} {fault}", symbol.name))
    };
    image.exports()?;
    // Local symbols, too: they have no place among the dynamic ones.
    let offered = image.dynsym()?.iter().skip(1).filter(|symbol| !symbol.is_version_node());
    let profile = subject.profile;
    let is_judged = |symbol: &&Symbol<'_>| profile.is_liblinux() || profile.wants(symbol.name);
    let offered = offered.filter(|symbol| symbol.section != SHN_UNDEF).filter(is_judged);
    let wrong: Vec<String> = offered.filter_map(fault).collect();
    none_of("exports that are not plain functions", &wrong)
}

fn expected_exports(subject: &Subject<'_>) -> Verdict {
    let mut found: BTreeMap<&str, u8> =
        subject.image.exports()?.iter().map(|symbol| (symbol.name, symbol.binding)).collect();
    let mut missing = Vec::new();
    let mut rebound = Vec::new();
    let line = layout(&subject.image)?.line;
    for export in exports().filter(|export| export.is_in(line)) {
        let binding = match export.binding {
            Binding::Global => STB_GLOBAL,
            Binding::Weak => STB_WEAK,
        };
        match found.remove(export.name) {
            None => missing.push(export.name),
            Some(other) if other != binding => rebound.push(export.name),
            Some(_) => {}
        }
    }
    let extra: Vec<&str> = found.into_keys().collect();
    none_of("exports that the table has and the image lacks", &missing)?;
    none_of("exports that the table does not have", &extra)?;
    none_of("exports that are weak and should be global, or the other way round", &rebound)
}

fn unique_exports(subject: &Subject<'_>) -> Verdict {
    let mut names: Vec<&str> = subject.image.exports()?.iter().map(|symbol| symbol.name).collect();
    names.sort_unstable();
    let twice: Vec<&str> =
        names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    none_of("names exported more than once", &twice)
}

fn null_symbol(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let is_null = |symbol: &Symbol<'_>| {
        let fields = [symbol.kind, symbol.binding, symbol.other];
        symbol.name.is_empty()
            && (symbol.value, symbol.size, symbol.section) == (0, 0, 0)
            && fields == [0; 3]
    };
    demand!(is_null(&image.dynsym()?[0]), "the dynamic symbol 0, the null one, is not all zeros");
    let nodes = image.dynsym()?.iter().filter(|symbol| symbol.is_version_node());
    for node in nodes {
        let shape = (node.value, node.size, node.binding, node.other);
        let versions = subject.profile.versions;
        demand!(
            versions.is_empty() || versions.contains(&node.name),
            "there is a symbol {} as for a version, but {versions:?} are the versions",
            node.name
        );
        demand!(
            shape == (0, 0, STB_GLOBAL, 0),
            "the symbol {} of the version is {shape:x?}",
            node.name
        );
    }
    let other = image.dynsym()?.iter().filter(|symbol| symbol.other != symbol.visibility);
    let other: Vec<&str> = other.map(|symbol| symbol.name).collect();
    none_of("symbols with more than a visibility in st_other", &other)
}

fn aliases(subject: &Subject<'_>) -> Verdict {
    let exports: BTreeMap<&str, _> = subject
        .image
        .exports()?
        .iter()
        .map(|symbol| (symbol.name, (symbol.value, symbol.size)))
        .collect();
    let wrong: Vec<&str> = standard()
        .filter(|call| {
            !exports.contains_key(call.symbol) || exports.get(call.symbol) != exports.get(call.name)
        })
        .map(|call| call.name)
        .collect();
    none_of("standard functions whose two names are not one function", &wrong)
}

fn entry_room(subject: &Subject<'_>) -> Verdict {
    let mut exports = subject.image.exports()?;
    exports.sort_by_key(|symbol| (symbol.value, symbol.size));
    if !subject.profile.is_liblinux() {
        return entries_apart(subject, &exports);
    }
    let room = SLOT_SIZE as u64;
    let narrow: Vec<&str> =
        exports.iter().filter(|symbol| symbol.size < room).map(|symbol| symbol.name).collect();
    none_of("entries smaller than 16 bytes", &narrow)?;
    let crooked: Vec<&str> = exports
        .iter()
        .filter(|symbol| !symbol.value.is_multiple_of(room))
        .map(|symbol| symbol.name)
        .collect();
    none_of("entries at addresses that are not a multiple of 16", &crooked)?;
    let mut before: Option<&Symbol<'_>> = None;
    for &symbol in &exports {
        if let Some(before) = before {
            let alias = (symbol.value, symbol.size) == (before.value, before.size);
            demand!(
                alias || symbol.value >= before.end(),
                "the entries {} and {} overlap",
                before.name,
                symbol.name
            );
        }
        before = Some(symbol);
    }
    Ok(())
}

/// Whether each wanted entry has 16 bytes up to the next: compilers pad short functions, so the
/// symbol's own size does not matter.
fn entries_apart(subject: &Subject<'_>, exports: &[&Symbol<'_>]) -> Verdict {
    // On other machines its jump is shorter.
    if subject.image.x86_bits() != Some(64) {
        return Ok(());
    }
    let room = SLOT_SIZE as u64;
    let narrow = exports.iter().enumerate().filter(|(index, symbol)| {
        // The next two may be other names of the same entry.
        let next = exports[*index..].iter().take(8).find(|next| next.value > symbol.value);
        subject.profile.wants(symbol.name)
            && next.is_some_and(|next| next.value < symbol.value.saturating_add(room))
    });
    let narrow: Vec<&str> = narrow.map(|(_, symbol)| symbol.name).collect();
    none_of("entries with less than 16 bytes up to the next", &narrow)
}

fn name_length(subject: &Subject<'_>) -> Verdict {
    // The kernel's C image has these two, too.
    let is_long = |name: &&str| name.len() > NAME_MAX && !ROBUST.contains(name);
    let symbols = subject.image.dynsym()?.iter().filter(|symbol| symbol.binding != STB_LOCAL);
    let long: Vec<&str> = symbols.map(|symbol| symbol.name).filter(is_long).collect();
    none_of("names longer than 31 bytes", &long)
}
