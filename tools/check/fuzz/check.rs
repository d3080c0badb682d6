//! Fuzzes the checker with libFuzzer: the function that the test `anything` runs.
//!
//! `cargo +nightly fuzz run check -- -rss_limit_mb=256 -timeout=2`, in the folder `tools/check`

#![no_main]

#[path = "../tests/anything/mod.rs"]
mod anything;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // The first byte selects a profile.
    let (choice, image) = bytes.split_first().unwrap_or((&0, &[]));
    anything::judge(image, usize::from(*choice));
});
