//! No bytes make the checker panic: the function that the fuzzer runs, on the mutants that
//! `proptest` makes of real images.

#[path = "anything/mod.rs"]
mod anything;
#[path = "kept/mod.rs"]
mod kept;
#[path = "specimen/mod.rs"]
mod specimen;

use anything::Way;
use anything::mutate::mutate;
use proptest::collection::vec;
use proptest::prelude::*;
use specimen::Specimen;
use std::sync::LazyLock;

/// This workspace's image, and those of kernels and emulators that are kept.
static IMAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let kept = kept::images().into_iter().map(|(_, bytes)| bytes);
    [Specimen::good().image.bytes].into_iter().chain(kept).collect()
});

fn ways() -> impl Strategy<Value = Way> {
    (any::<u8>(), any::<u8>()).prop_map(|(profile, output)| Way { profile, output })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn mutants_of_real_images(
        image in any::<prop::sample::Index>(),
        seeds in vec(any::<u64>(), 1..4),
        way in ways(),
    ) {
        let mut bytes = IMAGES[image.index(IMAGES.len())].clone();
        let most = bytes.len() + 8192;
        seeds.iter().for_each(|seed| mutate(&mut bytes, most, *seed));
        anything::judge(&bytes, way);
    }

    #[test]
    fn headers_and_noise(mut bytes in vec(any::<u8>(), 0..4096), class in 1..3u8, way in ways()) {
        let header = [0x7f, b'E', b'L', b'F', class, 1, 1];
        let len = header.len().min(bytes.len());
        bytes[..len].copy_from_slice(&header[..len]);
        anything::judge(&bytes, way);
    }

    #[test]
    fn what_claims_to_be_packed(mut bytes in vec(any::<u8>(), 0..4096), kind in 0..6usize, way in ways()) {
        let magic: &[u8] = [
            &b"!<arch>\n"[..],
            &[0x1f, 0x8b, 0x08],
            &[0xfd, b'7', b'z', b'X', b'Z', 0],
            &[0x5d, 0, 0, 0x10, 0],
            &[0x28, 0xb5, 0x2f, 0xfd],
            &[0x02, 0x21, 0x4c, 0x18],
        ][kind];
        bytes.splice(..0, magic.iter().copied());
        anything::judge(&bytes, way);
    }
}
