//! No bytes make the checker panic: the function that the fuzzer runs, on the images that
//! `proptest` makes of a real one.

#[path = "anything/mod.rs"]
mod anything;
#[path = "specimen/mod.rs"]
mod specimen;

use proptest::collection::vec;
use proptest::prelude::*;
use specimen::Specimen;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn edits_of_the_image(
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.1),
        choice in 0..20usize,
    ) {
        let mut bytes = Specimen::good().image.bytes;
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        anything::judge(&bytes, choice);
    }

    #[test]
    fn headers_and_noise(mut bytes in vec(any::<u8>(), 0..4096), class in 1..3u8, choice in 0..20usize) {
        let header = [0x7f, b'E', b'L', b'F', class, 1, 1];
        let len = header.len().min(bytes.len());
        bytes[..len].copy_from_slice(&header[..len]);
        anything::judge(&bytes, choice);
    }
}
