//! The block function behind `__vdso_getrandom`: by the kernel's own selftest of it, and against a
//! textbook ChaCha20.
//!
//! Each on the image as it is built, which has SSE2 alone, and on the image as the kernel would
//! patch it.

#![expect(unsafe_code, reason = "calls the function, which is not exported")]

use liblinux_abi::arch::x86_64::alternative::FEATURE_AVX2;
use liblinux_abi::kernel::random::{BLOCK_SIZE, State};
use liblinux_boot::selftests::{Origin, SELFTESTS};
use liblinux_tests::arch::alternatives;
use liblinux_tests::image::Image;
use liblinux_tests::kernel::Source;
use liblinux_tests::random::{BATCH_SIZE, GENERATION, KEY, block, seeded};
use liblinux_workspace::Workspace;
use std::arch::asm;
use std::path::Path;
use std::process::{Command, Output};

/// Blocks that go to the state.
const REFILL: usize = 2;

/// The image as built, and as patched.
fn variants() -> [(&'static str, Vec<u8>); 2] {
    assert!(
        alternatives::has(FEATURE_AVX2),
        "this test needs a processor with AVX2: half of the code asks for it"
    );
    let mut patched = Image::read();
    assert!(alternatives::apply(&mut patched) > 0, "nothing was patched");
    [("SSE2", Image::read()), ("AVX2", patched)]
}

/// Builds `vdso_test_chacha` with an image's block function and runs it.
fn selftest(folder: &Path, image: &[u8]) -> Output {
    let (copy, program) = (folder.join("image"), folder.join("vdso_test_chacha"));
    std::fs::write(&copy, image).expect("a copy of the image");
    let source = Source::cached();
    let workspace = Workspace::current();
    let origin = Origin {
        root: workspace.root(),
        tree: source.root(),
        line: source.line(),
        headers: &source.build().join("usr/include"),
        image_debug: &Image::debug_path(),
        c_image_debug: &source.c_image().with_extension("so.dbg"),
    };
    let test =
        SELFTESTS.iter().find(|test| test.name == "vDSO/vdso_test_chacha").expect("it is listed");
    let mut build = test
        .command(origin, &test.source(source.root()), &program)
        .expect("both images have the function");
    build.arg(format!("-DCOPY=\"{}\"", copy.display()));
    let built = build.output().expect("gcc runs");
    assert!(built.status.success(), "{build:?}:\n{}", String::from_utf8_lossy(&built.stderr));
    Command::new(&program).output().expect("the selftest runs")
}

#[test]
fn the_kernels_selftest_passes() {
    for (name, image) in variants() {
        let folder = tempfile::tempdir().expect("a folder");
        let output = selftest(folder.path(), &image);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("\nok 1 chacha: PASS\n"),
            "{name}: {text}"
        );
    }
}

#[test]
fn the_kernels_selftest_runs_the_images_code() {
    for (name, mut image) in variants() {
        let constant = b"expand 32-byte k";
        let place = image.windows(constant.len()).position(|window| window == constant);
        image[place.expect("the constant of ChaCha20")] ^= 1;
        let folder = tempfile::tempdir().expect("a folder");
        let output = selftest(folder.path(), &image);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            !output.status.success() && text.contains("outputs do not match"),
            "{name}: {text}"
        );
    }
}

/// Calls the function for the blocks from number `start` on, of which the last [`REFILL`] go to the
/// state if `refills`. Returns the number of the block that comes next.
fn generate(
    function: usize,
    out: &mut [[u8; BLOCK_SIZE]],
    state: &mut State,
    start: u64,
    refills: bool,
) -> u64 {
    let direct = out.len() as u64;
    let end = start.wrapping_add(direct + if refills { REFILL as u64 } else { 0 });
    let (next, fault): (u64, u32);
    // SAFETY: calls the function as the image does: `out` has room for the first `rsi` blocks and
    // the state for the others; it changes only registers that a C function may.
    unsafe {
        asm!(
            "call {function}",
            function = in(reg) function,
            inlateout("rdi") out.as_mut_ptr() => _,
            inlateout("rsi") direct => _,
            inlateout("rdx") &raw mut *state => _,
            inlateout("rcx") end => _,
            inlateout("r8") start => next,
            lateout("eax") fault,
            clobber_abi("C"),
        );
    }
    assert_eq!(fault, 0, "all of the memory is ours");
    next
}

#[test]
fn blocks_of_any_number_are_chacha20() {
    for (name, image) in variants() {
        let function = Image::map(image).internal("chacha_generate");
        // Up to the end of the lower half of the number, and to that of the number.
        for near in [0, 1 << 32, 1 << 33, 1 << 63] {
            for before in 0..10 {
                for direct in 0..=13 {
                    let start = u64::wrapping_sub(near, before);
                    let number = |index: usize| start.wrapping_add(index as u64);
                    for refills in [false, true] {
                        if direct == 0 && !refills {
                            continue; // At least one block is asked for.
                        }
                        let mut out = vec![[0; BLOCK_SIZE]; direct];
                        let mut state = seeded();
                        let next = generate(function, &mut out, &mut state, start, refills);
                        let place = format!("{name}: {direct} blocks from {start:#x}");
                        for (index, found) in out.iter().enumerate() {
                            assert_eq!(
                                *found,
                                block(&KEY, number(index)),
                                "{place}, block {index}"
                            );
                        }
                        assert_eq!(
                            next,
                            number(direct + if refills { REFILL } else { 0 }),
                            "{place}"
                        );
                        let mut expected = seeded();
                        if refills {
                            let refill =
                                [block(&KEY, number(direct)), block(&KEY, number(direct + 1))]
                                    .concat();
                            expected.batch.copy_from_slice(&refill[..BATCH_SIZE]);
                            for (word, bytes) in
                                expected.key.iter_mut().zip(refill[BATCH_SIZE..].as_chunks().0)
                            {
                                *word = u32::from_le_bytes(*bytes);
                            }
                        }
                        assert!(
                            state == expected && state.generation == GENERATION,
                            "{place}: the state"
                        );
                    }
                }
            }
        }
    }
}
