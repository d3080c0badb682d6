//! The two hash tables, `DT_HASH` and `DT_GNU_HASH`.
//!
//! # Invariants
//!
//! 1. A table is handed out only if all of it lies inside the file, so counts in it bound every
//!    walk.

use crate::image::Image;
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH};

/// The hash of System V's ABI; also that of version names.
pub(crate) fn sysv(name: &str) -> u32 {
    name.bytes().fold(0, |hash, byte| {
        let hash: u32 = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

/// The hash of GNU's table.
pub(crate) fn gnu(name: &str) -> u32 {
    name.bytes().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(u32::from(byte)))
}

/// `len` little-endian words at `address`.
fn words(image: &Image<'_>, table: &str, address: u64, len: u64) -> Result<Vec<u32>, String> {
    let bytes =
        image.at(address, len.saturating_mul(4)).map_err(|error| format!("{table}: {error}"))?;
    Ok(bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
        .collect())
}

/// `DT_HASH`.
#[derive(Clone, Debug)]
pub struct SysvTable {
    /// Where it is.
    pub address: u64,
    /// The first symbol of each chain, 0 if it is empty.
    pub buckets: Vec<u32>,
    /// For each symbol the next one of its chain, 0 at the end.
    pub chains: Vec<u32>,
}

impl SysvTable {
    /// Reads the table.
    pub fn of(image: &Image<'_>) -> Result<Self, String> {
        let address = image.tag(DT_HASH, "DT_HASH")?;
        let counts = words(image, "DT_HASH", address, 2)?;
        let [buckets, chains] = [u64::from(counts[0]), u64::from(counts[1])];
        let mut all = words(image, "DT_HASH", address, 2 + buckets + chains)?.split_off(2);
        let chains = all.split_off(counts[0] as usize);
        Ok(Self { address, buckets: all, chains })
    }

    /// Bytes of the table.
    pub fn size(&self) -> u64 {
        4 * (2 + self.buckets.len() + self.chains.len()) as u64
    }
}

/// `DT_GNU_HASH`.
#[derive(Clone, Debug)]
pub struct GnuTable {
    /// Where it is.
    pub address: u64,
    /// The first symbol that the table lists; those in front of it cannot be found.
    pub first_symbol: u32,
    /// By how many bits the hash is shifted for the filter's second bit.
    pub shift: u32,
    /// How many bits a word of the filter has.
    pub word_bits: u32,
    /// The filter: for each listed name two bits of one word are set.
    pub filter: Vec<u64>,
    /// The first symbol of each chain, 0 if it is empty.
    pub buckets: Vec<u32>,
    /// For each listed symbol its hash; the lowest bit is set in a chain's last one.
    pub chains: Vec<u32>,
}

impl GnuTable {
    /// Reads the table for an image with `symbols` dynamic symbols, a number that the table itself
    /// does not have.
    pub fn of(image: &Image<'_>, symbols: usize) -> Result<Self, String> {
        const NAME: &str = "DT_GNU_HASH";
        let address = image.tag(DT_GNU_HASH, NAME)?;
        let header = words(image, NAME, address, 4)?;
        let [buckets, first_symbol, filter, shift] = [header[0], header[1], header[2], header[3]];
        let listed = symbols.checked_sub(first_symbol as usize).ok_or_else(|| {
            format!("{NAME} lists symbols from {first_symbol} on, but there are {symbols}")
        })?;
        // A word of the filter is as wide as an address.
        let parts = image.class().word() as usize / 4;
        let len = 4 + parts as u64 * u64::from(filter) + u64::from(buckets) + listed as u64;
        let all = words(image, NAME, address, len)?;
        let (words, rest) = all[4..].split_at(parts * filter as usize);
        let (buckets, chains) = rest.split_at(buckets as usize);
        let filter = words
            .chunks_exact(parts)
            .map(|word| word.iter().rev().fold(0, |word, part| word << 32 | u64::from(*part)))
            .collect();
        Ok(Self {
            address,
            word_bits: 32 * parts as u32,
            first_symbol,
            shift,
            filter,
            buckets: buckets.into(),
            chains: chains.into(),
        })
    }

    /// Bytes of the table.
    pub fn size(&self) -> u64 {
        let filter = self.word_bits as usize / 32 * self.filter.len();
        4 * (4 + filter + self.buckets.len() + self.chains.len()) as u64
    }

    /// The word of the filter and the bits in it that a name with this hash needs; the filter is
    /// not empty.
    pub fn filter_bits(&self, hash: u32) -> (usize, u64) {
        let bits = self.word_bits;
        let word = (hash / bits) as usize % self.filter.len();
        (word, 1 << (hash % bits) | 1 << (hash.checked_shr(self.shift).unwrap_or(0) % bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_equal_those_of_the_specifications() {
        // The version hash that every glibc object with a GLIBC_2.2.5 need holds, and that of
        // LINUX_2.6 in parse_vdso.c.
        assert_eq!(sysv("GLIBC_2.2.5"), 0x0969_1a75);
        assert_eq!(sysv("LINUX_2.6"), 0x03ae_75f6);
        assert_eq!((gnu(""), gnu("printf")), (0x1505, 0x156b_2bb8));
    }
}
