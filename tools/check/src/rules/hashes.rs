//! The two hash tables, each searched the way loaders search it.
//!
//! musl and the kernel's own parse_vdso.c know only `DT_HASH`; glibc and Go prefer `DT_GNU_HASH`. Both tables have to
//! find every export, which is tried here for each one rather than inferred from the tables' shape.
//!
//! # Invariants
//!
//! 1. A search ends even in a table whose chains are circular: it takes no more steps than there are symbols.

use crate::image::Image;
use crate::rule::{Rule, Verdict, demand, none_of};
use crate::subject::Subject;
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH};

const REMEDY: &str = "link with --hash-style=both, and keep .hash and .gnu.hash in linker/x86_64/vdso.lds";

/// A name that no image exports: a search for it has to end, too.
const ABSENT: &str = "__vdso_there_is_no_such_entry";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "sysv-hash",
        rows: &[12],
        because: "musl and parse_vdso.c know no other table, and without it silently lose the vDSO",
        remedy: REMEDY,
        check: sysv_hash,
    },
    Rule {
        name: "sysv-hash-count",
        rows: &[12],
        because: "readers without section headers take the number of symbols from the hash table's nchain",
        remedy: REMEDY,
        check: sysv_hash_count,
    },
    Rule {
        name: "gnu-hash",
        rows: &[12],
        because: "glibc and Go prefer this table, and believe it when it says that a name is not there",
        remedy: REMEDY,
        check: gnu_hash,
    },
    Rule {
        name: "gnu-hash-bloom",
        rows: &[12],
        because: "glibc asserts that the filter's size is a power of two, and masks with it",
        remedy: REMEDY,
        check: gnu_hash_bloom,
    },
];

/// The hash of System V's ABI; also that of version names.
pub(crate) fn sysv(name: &str) -> u32 {
    name.bytes().fold(0, |hash, byte| {
        let hash: u32 = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

/// The hash of GNU's table.
fn gnu(name: &str) -> u32 {
    name.bytes().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

/// Refuses unless `find` finds each export, and does not find what is absent.
fn finds_all<'a>(
    image: &Image<'a>,
    table: &str,
    find: impl Fn(&str) -> Result<Option<usize>, String>,
) -> Verdict {
    let mut lost = Vec::new();
    for symbol in image.exports()? {
        if find(symbol.name)? != Some(symbol.index) {
            lost.push(symbol.name);
        }
    }
    none_of(&format!("exports that {table} does not find"), &lost)?;
    demand!(find(ABSENT)?.is_none(), "{table} finds {ABSENT}");
    Ok(())
}

/// Whether symbol `index` has that name, as a loader would ask.
fn is_named(image: &Image<'_>, index: usize, name: &str) -> Result<bool, String> {
    let symbol = image.dynsym()?.get(index).ok_or_else(|| format!("a hash chain leads to symbol {index}"))?;
    Ok(symbol.name == name)
}

fn word(image: &Image<'_>, table: u64, index: u64) -> Result<u32, String> {
    image.u32(table.saturating_add(index.saturating_mul(4)))
}

fn sysv_hash(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let table = image.tag(DT_HASH, "DT_HASH")?;
    let buckets = u64::from(word(image, table, 0)?);
    demand!(buckets > 0, "nbucket is 0");
    finds_all(image, "DT_HASH", |name| {
        let mut index = word(image, table, 2 + u64::from(sysv(name)) % buckets)?;
        for _ in 0..image.dynsym()?.len() {
            if index == 0 {
                return Ok(None);
            }
            if is_named(image, index as usize, name)? {
                return Ok(Some(index as usize));
            }
            index = word(image, table, 2 + buckets + u64::from(index))?;
        }
        Err(format!("the chain of {name} in DT_HASH has no end"))
    })
}

fn sysv_hash_count(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let chains = word(image, image.tag(DT_HASH, "DT_HASH")?, 1)? as usize;
    let symbols = image.dynsym()?.len();
    demand!(chains == symbols, "nchain is {chains}, but there are {symbols} dynamic symbols");
    Ok(())
}

/// The header of GNU's table.
struct GnuTable {
    buckets: u64,
    first_symbol: u64,
    bloom_words: u64,
    bloom_shift: u32,
    address: u64,
}

impl GnuTable {
    fn of(image: &Image<'_>) -> Result<Self, String> {
        let address = image.tag(DT_GNU_HASH, "DT_GNU_HASH")?;
        Ok(Self {
            buckets: word(image, address, 0)?.into(),
            first_symbol: word(image, address, 1)?.into(),
            bloom_words: word(image, address, 2)?.into(),
            bloom_shift: word(image, address, 3)?,
            address,
        })
    }

    /// Searches as glibc does: filter, bucket, chain.
    fn find(&self, image: &Image<'_>, name: &str) -> Result<Option<usize>, String> {
        let hash = gnu(name);
        let filter_word = u64::from(hash) / 64 % self.bloom_words;
        let filter = image.u64(self.address.saturating_add(16 + 8 * filter_word))?;
        let bits = 1u64 << (hash % 64) | 1u64 << (hash.checked_shr(self.bloom_shift).unwrap_or(0) % 64);
        if filter & bits != bits {
            return Ok(None);
        }
        let buckets = 4 + 2 * self.bloom_words;
        let first = u64::from(word(image, self.address, buckets + u64::from(hash) % self.buckets)?);
        if first == 0 {
            return Ok(None);
        }
        for index in (first..).take(image.dynsym()?.len()) {
            let link = index.checked_sub(self.first_symbol).ok_or_else(|| {
                format!("a bucket of DT_GNU_HASH leads to symbol {index}, before its first")
            })?;
            let chained = word(image, self.address, buckets + self.buckets + link)?;
            if chained | 1 == hash | 1 && is_named(image, index as usize, name)? {
                return Ok(Some(index as usize));
            }
            if chained & 1 == 1 {
                return Ok(None);
            }
        }
        Err(format!("the chain of {name} in DT_GNU_HASH has no end"))
    }
}

fn gnu_hash(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let table = GnuTable::of(image)?;
    demand!(table.buckets > 0, "nbuckets is 0");
    demand!(table.bloom_words > 0, "the filter has no words");
    finds_all(image, "DT_GNU_HASH", |name| table.find(image, name))
}

fn gnu_hash_bloom(subject: &Subject<'_>) -> Verdict {
    let table = GnuTable::of(&subject.image)?;
    demand!(
        table.bloom_words.is_power_of_two(),
        "the filter has {} words, no power of two",
        table.bloom_words
    );
    demand!(table.bloom_shift < 32, "the filter's shift is {}", table.bloom_shift);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_equal_those_of_the_specifications() {
        // The version hash that every glibc object with a GLIBC_2.2.5 need holds, and that of LINUX_2.6 in parse_vdso.c.
        assert_eq!(sysv("GLIBC_2.2.5"), 0x0969_1a75);
        assert_eq!(sysv("LINUX_2.6"), 0x03ae_75f6);
        assert_eq!((gnu(""), gnu("printf")), (0x1505, 0x156b_2bb8));
    }
}
