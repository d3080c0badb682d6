//! Fuzzes the checker with libFuzzer: the function that the test `anything` runs, held to the
//! bounds.
//!
//! `cargo +nightly fuzz run -s none -O check`, in the folder `tools/check`; the README has it
//! whole.

#![no_main]

#[path = "../tests/anything/mod.rs"]
mod anything;
#[path = "../tests/bounded/mod.rs"]
mod bounded;

use anything::Way;
use anything::mutate::mutate;

/// Bytes in front of the image, which say how it is judged.
const WAY: usize = 2;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (way, image) = bytes.split_at(WAY.min(bytes.len()));
    let byte = |at: usize| way.get(at).copied().unwrap_or(0);
    let way = Way { profile: byte(0), output: byte(1) };
    bounded::hold(image.len(), || anything::judge(image, way));
});

// Three of four mutants change fields; libFuzzer makes the fourth.
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
    if seed % 4 == 0 || size <= WAY {
        return libfuzzer_sys::fuzzer_mutate(data, size, most);
    }
    let mut image = data[WAY..size].to_vec();
    mutate(&mut image, most - WAY, u64::from(seed));
    data[..WAY].copy_from_slice(&(seed >> 16).to_le_bytes()[..WAY]);
    let size = WAY + image.len();
    data[WAY..size].copy_from_slice(&image);
    size
});
