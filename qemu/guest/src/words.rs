//! Looking for addresses in memory.
//!
//! A libc that resolved a function of the vDSO keeps its address in a word of its data: glibc in
//! `_rtld_global_ro` or in a GOT entry, musl in a static of `clock_gettime`, Go in
//! `runtime.vdso*Sym`. All of them are aligned, and an address inside the image's text has so many
//! bits that nothing else looks like it.
//!
//! # Invariants
//!
//! 1. Only words whose address is a multiple of eight count.

/// The aligned words of `bytes`, which lie at `address` in the process they come from.
///
/// Incomplete words at either end are left out.
pub fn aligned(bytes: &[u8], address: u64) -> impl Iterator<Item = u64> {
    let skip = (address.wrapping_neg() % 8) as usize;
    let (words, _) = bytes.get(skip..).unwrap_or_default().as_chunks::<8>();
    words.iter().map(|word| u64::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_aligned_words_only() {
        let mut bytes = vec![0; 3];
        bytes.extend(7u64.to_ne_bytes());
        bytes.extend(9u64.to_ne_bytes());
        bytes.extend([1; 5]);
        assert_eq!(aligned(&bytes, 0x1005).collect::<Vec<_>>(), [7, 9]);
        assert_ne!(aligned(&bytes, 0x1000).collect::<Vec<_>>(), [7, 9]);
    }

    #[test]
    fn nothing_in_nothing() {
        assert_eq!(aligned(&[], 8).count(), 0);
        assert_eq!(aligned(&[1; 4], 1).count(), 0);
        assert_eq!(aligned(&[1; 7], 8).count(), 0);
    }
}
