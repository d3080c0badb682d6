//! Reading an image's dynamic symbols, from bytes that may be anything.
//!
//! An image comes from a kernel, from a tool that put its own in place, or from a caller who gave
//! an address. So every offset is checked before it is used, and every loop has a bound: a walk
//! through a chain advances through the bytes or counts its steps. A part that no image of any
//! kernel has is an error, which names it.
//!
//! Both hash tables are read, the GNU one first, because either can be missing: linkers drop one or
//! the other. An image with neither is not searched one symbol after the other: it does not say how
//! many it has.
//!
//! A symbol's value is added to the image's address, as every loader does, and may lead out of the
//! image: a tool that puts an image in place can lead a name to the kernel's own function. Whether
//! there is code, inside or outside, no look at the image can tell. So only an address is refused
//! that no function can have ([`address_at`]).
//!
//! # Invariants
//!
//! 1. Nothing here reads outside the given bytes or runs for longer than they are.

use crate::Errno;
use crate::arch::MACHINE;
use core::fmt;
use liblinux_abi::image::export::{SONAME, VERSION};
use liblinux_abi::image::layout::PAGE_SIZE;

/// The largest image that is believed, in bytes.
const LARGEST: u64 = 1 << 20;

/// Version definitions that are looked at; images have two.
const DEFINITIONS: usize = 16;

/// Why something is not used as an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfit {
    /// The kernel told of no image (`vdso=0`, or a tool removed it).
    Missing,
    /// The auxiliary vector could not be read.
    Vector(Errno),
    /// It is not an ELF image for this processor, or a broken one.
    Broken(&'static str),
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "the kernel gave this process no vDSO (AT_SYSINFO_EHDR is missing or 0): it runs with `vdso=0`, or a \
                 tracer took the vDSO away",
            ),
            Self::Vector(errno) => {
                write!(f, "/proc/self/auxv, which says where the vDSO is, cannot be read: {errno}; mount /proc, or ")?;
                f.write_str("give the address (`Vdso::at`, `Vdso::from_stack`)")
            }
            Self::Broken(what) => write!(f, "AT_SYSINFO_EHDR does not point at a vDSO for this processor: {what}"),
        }
    }
}

impl core::error::Error for Unfit {}

/// The size in bytes of the image whose first page this is.
pub(crate) fn extent(page: &[u8]) -> Result<usize, Unfit> {
    let load = segments(page)?
        .find(|segment| segment.kind == PT_LOAD)
        .ok_or(Unfit::Broken("nothing is loaded"))?;
    if load.offset != 0 || load.flags & (PF_R | PF_W | PF_X) != PF_R | PF_X {
        return Err(Unfit::Broken(
            "its first segment is not the whole of it, readable and executable",
        ));
    }
    if load.size < page.len() as u64 / 4 || load.size > LARGEST {
        return Err(Unfit::Broken("its size is not that of an image"));
    }
    Ok((load.size as usize).next_multiple_of(PAGE_SIZE))
}

/// The address of a function that is `offset` bytes from an image at `base`, modulo 2^64; none in
/// the first page, where null pointers lead, or in the kernel's half.
pub(crate) fn address_at(base: usize, offset: u64) -> Option<usize> {
    let address = base.wrapping_add(offset as usize);
    (PAGE_SIZE..=isize::MAX as usize).contains(&address).then_some(address)
}

/// The tables of an image by which symbols are found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'a> {
    image: &'a [u8],
    /// The difference of an address and its offset.
    bias: u64,
    strings: &'a [u8],
    symbols: &'a [u8],
    versions: &'a [u8],
    /// The index of our version in `versions`.
    version: u16,
    gnu_hash: Option<&'a [u8]>,
    sysv_hash: Option<&'a [u8]>,
}

impl<'a> Tables<'a> {
    /// Reads the tables of an image, all of whose bytes these are.
    pub(crate) fn read(image: &'a [u8]) -> Result<Self, Unfit> {
        let find = |kind| {
            let found = segments(image)?.find(|segment| segment.kind == kind);
            found.ok_or(Unfit::Broken("it has no PT_LOAD or no PT_DYNAMIC"))
        };
        let bias = find(PT_LOAD)?.address;
        let dynamic = find(PT_DYNAMIC)?;
        let dynamic = from(image, dynamic.address.wrapping_sub(bias))
            .and_then(|bytes| bytes.get(..usize::try_from(dynamic.size).ok()?))
            .ok_or(Unfit::Broken("its PT_DYNAMIC is outside"))?;
        let value = |tag: u64| {
            let entries =
                dynamic.as_chunks::<16>().0.iter().map(|entry| (word(entry, 0), word(entry, 8)));
            let mut entries = entries.take_while(|(tag, _)| tag.is_some_and(|tag| tag != 0));
            entries.find(|(found, _)| *found == Some(tag))?.1
        };
        let table = |tag| from(image, value(tag)?.wrapping_sub(bias));
        let strings = table(DT_STRTAB)
            .zip(value(DT_STRSZ))
            .and_then(|(bytes, size)| bytes.get(..usize::try_from(size).ok()?));
        let strings = strings.ok_or(Unfit::Broken("it has no string table"))?;
        if value(DT_SONAME).and_then(|name| text(strings, name)) != Some(SONAME.as_bytes()) {
            return Err(Unfit::Broken("its SONAME is not linux-vdso.so.1"));
        }
        let definitions = table(DT_VERDEF).ok_or(Unfit::Broken("it has no version definitions"))?;
        let tables = Self {
            image,
            bias,
            strings,
            symbols: table(DT_SYMTAB).ok_or(Unfit::Broken("it has no symbol table"))?,
            versions: table(DT_VERSYM).ok_or(Unfit::Broken("it has no symbol versions"))?,
            version: version(definitions, strings)
                .ok_or(Unfit::Broken("it does not define version LINUX_2.6"))?,
            gnu_hash: table(DT_GNU_HASH),
            sysv_hash: table(DT_HASH),
        };
        if tables.gnu_hash.is_none() && tables.sysv_hash.is_none() {
            return Err(Unfit::Broken("it has no hash table"));
        }
        Ok(tables)
    }

    /// How far behind the image's first byte an exported function is, for [`address_at`].
    pub(crate) fn find(&self, name: &[u8]) -> Option<u64> {
        match self.gnu_hash {
            Some(table) => self.find_gnu(table, name),
            None => self.find_sysv(self.sysv_hash?, name),
        }
    }

    fn find_gnu(&self, table: &[u8], name: &[u8]) -> Option<u64> {
        let hash = gnu_hash(name);
        let [buckets, first, bloom_words, shift] = [0, 4, 8, 12].map(|at| half(table, at));
        let (buckets, first, bloom_words) = (buckets?, first?, bloom_words?);
        if buckets == 0 || bloom_words == 0 {
            return None;
        }
        let bloom = word(table, 16 + 8 * (hash as usize / 64 % bloom_words as usize))?;
        let bits = 1 << (hash % 64) | 1 << (hash.checked_shr(shift?).unwrap_or(0) % 64);
        if bloom & bits != bits {
            return None;
        }
        let start = 16 + 8 * bloom_words as usize;
        let mut symbol = half(table, start + 4 * (hash % buckets) as usize)?;
        let chain = table.get(start + 4 * buckets as usize..)?;
        // Each step is 4 bytes further in `chain`, which ends.
        loop {
            let link = half(chain, 4 * symbol.checked_sub(first)? as usize)?;
            if link | 1 == hash | 1
                && let Some(offset) = self.function(symbol, name)
            {
                return Some(offset);
            }
            if link & 1 == 1 {
                return None;
            }
            symbol = symbol.checked_add(1)?;
        }
    }

    fn find_sysv(&self, table: &[u8], name: &[u8]) -> Option<u64> {
        let (buckets, count) = (half(table, 0)?, half(table, 4)?);
        let bucket = sysv_hash(name).checked_rem(buckets)?;
        let mut symbol = half(table, 8 + 4 * bucket as usize)?;
        let chain = table.get(8 + 4 * buckets as usize..)?;
        // A chain that has no end comes by more symbols than there are bytes for.
        for _ in 0..count.min(self.image.len() as u32 / 4) {
            if symbol == 0 {
                break;
            }
            if let Some(offset) = self.function(symbol, name) {
                return Some(offset);
            }
            symbol = half(chain, 4 * symbol as usize)?;
        }
        None
    }

    /// The offset of a symbol, if it is the function that is looked for.
    fn function(&self, index: u32, name: &[u8]) -> Option<u64> {
        let symbol = self.symbols.get(24 * index as usize..)?.first_chunk::<24>()?;
        let version = self.versions.get(2 * index as usize..)?.first_chunk::<2>()?;
        let (kind, binding, section) =
            (symbol[4] & 0xf, symbol[4] >> 4, u16::from_le_bytes([symbol[6], symbol[7]]));
        let is_function = matches!(kind, STT_NOTYPE | STT_FUNC)
            && matches!(binding, STB_GLOBAL | STB_WEAK)
            && section != 0;
        let is_ours = u16::from_le_bytes(*version) & 0x7fff == self.version;
        if !is_function || !is_ours || text(self.strings, half(symbol, 0)?.into()) != Some(name) {
            return None;
        }
        let offset = word(symbol, 8)?.wrapping_sub(self.bias);
        // Offset 0 is the ELF header.
        (offset != 0).then_some(offset)
    }
}

/// A program header.
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// The program headers of an image, after a look at its ELF header.
fn segments(image: &[u8]) -> Result<impl Iterator<Item = Segment>, Unfit> {
    let header =
        image.first_chunk::<64>().ok_or(Unfit::Broken("it is shorter than an ELF header"))?;
    // ELF, 64 bits, little-endian, version 1.
    if header[..7] != *b"\x7fELF\x02\x01\x01" {
        return Err(Unfit::Broken("it does not begin as a 64-bit ELF file does"));
    }
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    if short(16) != ET_DYN {
        return Err(Unfit::Broken("it is not a shared object"));
    }
    if short(18) != MACHINE {
        return Err(Unfit::Broken("it is for another processor"));
    }
    let headers = from(image, word(header, 32).unwrap_or(u64::MAX))
        .and_then(|bytes| bytes.get(..56 * usize::from(short(56))))
        .filter(|_| short(54) == 56)
        .ok_or(Unfit::Broken("its program headers are outside"))?;
    Ok(headers.as_chunks::<56>().0.iter().filter_map(|header| {
        Some(Segment {
            kind: half(header, 0)?,
            flags: half(header, 4)?,
            offset: word(header, 8)?,
            address: word(header, 16)?,
            size: word(header, 40)?,
        })
    }))
}

/// The index of our version among the definitions.
fn version(mut definitions: &[u8], strings: &[u8]) -> Option<u16> {
    for _ in 0..DEFINITIONS {
        let definition = definitions.first_chunk::<20>()?;
        let name = half(definitions.get(half(definition, 12)? as usize..)?, 0)?;
        if text(strings, name.into()) == Some(VERSION.as_bytes()) {
            return Some(u16::from_le_bytes([definition[4], definition[5]]) & 0x7fff);
        }
        match half(definition, 16)? {
            0 => return None,
            next => definitions = definitions.get(next as usize..)?,
        }
    }
    None
}

/// The bytes from an offset on.
fn from(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(offset).ok()?..)
}

/// The string at an offset, without its null byte.
fn text(strings: &[u8], offset: u64) -> Option<&[u8]> {
    let string = from(strings, offset)?;
    string.get(..string.iter().position(|byte| *byte == 0)?)
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add((*byte).into()))
}

fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add((*byte).into());
        let top = hash & 0xf000_0000;
        (hash ^ top >> 24) & !top
    })
}

// `elf.h`.
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERDEF: u64 = 0x6fff_fffc;
const STT_NOTYPE: u8 = 0;
const STT_FUNC: u8 = 2;
const STB_GLOBAL: u8 = 1;
const STB_WEAK: u8 = 2;

#[cfg(test)]
mod tests;
