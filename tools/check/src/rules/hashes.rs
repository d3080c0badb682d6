//! The two hash tables, every bucket and every chain of both.
//!
//! musl and the kernel's own parse_vdso.c know only `DT_HASH`; glibc and Go prefer `DT_GNU_HASH`. A
//! program probes for an entry by looking up its name, so look-ups of absent names are as common as
//! those of present ones. They walk chains that no export is in: so finding each export is not
//! enough.
//!
//! # Invariants
//!
//! 1. Where these rules hold, a look-up of any name ends, reads nothing outside the tables, and
//!    finds a symbol exactly if one has that name: each symbol stands once in the one chain that
//!    its hash selects, and each chain ends.

use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::symbol::Symbol;
use crate::verdict::{Fault, Verdict, demand, none_of};
use crate::view::hashes::{GnuTable, SysvTable, gnu, sysv};
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH};
use goblin::elf::sym::STB_LOCAL;

const REMEDY: &str = "link with --hash-style=both, and keep .hash and .gnu.hash in {script}";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "sysv-hash",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::BOTH_HASH_TABLES],
        because: "musl and parse_vdso.c know no other table, and follow its chains without a bound, for absent names too",
        remedy: REMEDY,
        check: sysv_hash,
    },
    Rule {
        name: "sysv-hash-count",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::BOTH_HASH_TABLES],
        because: "readers without section headers take the number of symbols from the hash table's nchain",
        remedy: REMEDY,
        check: sysv_hash_count,
    },
    Rule {
        name: "gnu-hash",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::BOTH_HASH_TABLES],
        because: "glibc and Go prefer this table, walk its chains to their end marks, and believe it about absent names",
        remedy: REMEDY,
        check: gnu_hash,
    },
    Rule {
        name: "gnu-hash-bloom",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::BOTH_HASH_TABLES],
        because: "glibc asserts that the filter's size is a power of two, and believes it when it says that a name is absent",
        remedy: REMEDY,
        check: gnu_hash_bloom,
    },
];

/// Which chain each symbol is in, and what is wrong with the table.
struct Walk<'i, 'a> {
    symbols: &'i [Symbol<'a>],
    seen: Vec<bool>,
    /// Whether local symbols have to be in a chain, too.
    with_locals: bool,
    wrong: Vec<String>,
}

impl<'i, 'a> Walk<'i, 'a> {
    fn of(subject: &'i Subject<'a>) -> Result<Self, String> {
        let (symbols, with_locals) = (subject.image.dynsym()?, subject.profile.is_liblinux());
        Ok(Self { with_locals, symbols, seen: vec![false; symbols.len()], wrong: Vec::new() })
    }

    /// Notes that symbol `index` is in chain `bucket`; `wanted` gives the chain that its name
    /// selects. Returns whether the walk along this chain can continue.
    fn visit(&mut self, index: u32, bucket: usize, wanted: impl Fn(&str) -> usize) -> bool {
        let Some(symbol) = self.symbols.get(index as usize) else {
            self.wrong
                .push(format!("chain {bucket} leads to symbol {index}, which does not exist"));
            return false;
        };
        if self.seen[symbol.index] {
            self.wrong.push(format!("chain {bucket} reaches {} a second time", symbol.name));
            return false;
        }
        self.seen[symbol.index] = true;
        if wanted(symbol.name) != bucket {
            self.wrong
                .push(format!("chain {bucket} has {}, whose hash selects another", symbol.name));
        }
        true
    }

    /// Refuses what was wrong, and symbols from `first` on that no chain reached.
    fn verdict(mut self, table: &str, first: usize) -> Verdict {
        let missed = self.symbols.iter().skip(first);
        // A linker may keep local symbols out of the chains: nothing looks them up.
        let missed = missed.filter(|symbol| symbol.binding != STB_LOCAL || self.with_locals);
        let missed = missed.filter(|symbol| !self.seen[symbol.index]);
        self.wrong.extend(missed.map(|symbol| format!("no chain leads to {}", symbol.name)));
        none_of(table, &self.wrong)
    }
}

fn sysv_hash(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let table = SysvTable::of(image)?;
    let count = table.buckets.len();
    demand!(count > 0, "nbucket is 0");
    let mut walk = Walk::of(subject)?;
    for (bucket, first) in table.buckets.iter().enumerate() {
        let mut index = *first;
        while index != 0 && walk.visit(index, bucket, |name| sysv(name) as usize % count) {
            index = table.chains.get(index as usize).copied().unwrap_or(0);
        }
    }
    demand!(
        table.chains.first() == Some(&0),
        "the chain of symbol 0, the null one, leads somewhere"
    );
    walk.verdict("DT_HASH", 1)
}

fn sysv_hash_count(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let (chains, symbols) = (SysvTable::of(image)?.chains.len(), image.dynsym()?.len());
    demand!(chains == symbols, "nchain is {chains}, but there are {symbols} dynamic symbols");
    Ok(())
}

/// The table; another image than liblinux may do without it, since readers then take `DT_HASH`.
fn gnu_table(subject: &Subject<'_>) -> Result<GnuTable, Fault> {
    let image = &subject.image;
    let has_other = image.tag(DT_HASH, "DT_HASH").is_ok() && !subject.profile.is_liblinux();
    if has_other && image.tag(DT_GNU_HASH, "DT_GNU_HASH").is_err() {
        return Err(Fault::NotJudged("the image has no DT_GNU_HASH".into()));
    }
    Ok(GnuTable::of(image, image.dynsym()?.len())?)
}

fn gnu_hash(subject: &Subject<'_>) -> Verdict {
    let table = gnu_table(subject)?;
    let count = table.buckets.len();
    demand!(count > 0, "nbuckets is 0");
    let mut walk = Walk::of(subject)?;
    for (bucket, first) in table.buckets.iter().enumerate().filter(|(_, first)| **first != 0) {
        for index in *first..=u32::MAX {
            let link = index
                .checked_sub(table.first_symbol)
                .and_then(|link| table.chains.get(link as usize));
            let Some(link) = link else {
                walk.wrong.push(format!(
                    "chain {bucket} leads to symbol {index}, which the table does not list"
                ));
                break;
            };
            if !walk.visit(index, bucket, |name| gnu(name) as usize % count) {
                break;
            }
            let symbol = &walk.symbols[index as usize];
            if link | 1 != gnu(symbol.name) | 1 {
                walk.wrong.push(format!(
                    "the hash of {} is {link:#x}, not {:#x}",
                    symbol.name,
                    gnu(symbol.name)
                ));
            }
            if link & 1 == 1 {
                break;
            }
        }
    }
    // Symbols in front of the first one are never found; only the null symbol may be there.
    walk.verdict("DT_GNU_HASH", 1)
}

fn gnu_hash_bloom(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let table = gnu_table(subject)?;
    let words = table.filter.len();
    demand!(words.is_power_of_two(), "the filter has {words} words, not a power of two");
    demand!(table.shift < 32, "the filter's shift is {}", table.shift);
    let mut wanted = vec![0; words];
    for symbol in image.dynsym()?.iter().skip(table.first_symbol as usize) {
        let (word, bits) = table.filter_bits(gnu(symbol.name));
        wanted[word] |= bits;
    }
    let differing = wanted.iter().zip(&table.filter).position(|(wanted, found)| wanted != found);
    match differing {
        None => Ok(()),
        Some(word) => Err(Fault::Wrong(format!(
            "word {word} of the filter is {:#x}, but the names of the table give {:#x}",
            table.filter[word], wanted[word]
        ))),
    }
}
