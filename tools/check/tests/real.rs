//! Real images: this machine's own, those of kernels that the boots have built, Debian's kernels'
//! of every machine, and those of its QEMU and gVisor, if `cargo run --release -p liblinux-check
//! --example matrix` has kept them. None is accused falsely, and what is wrong with some is named.

#[path = "kept/mod.rs"]
mod kept;

use liblinux_check::source::Source;
use liblinux_check::{Report, check};
use std::path::PathBuf;

/// A fact about the images whose name begins so and whose profile is this one.
struct Fact {
    image: &'static str,
    profile: &'static str,
    rule: &'static str,
    what: &'static str,
}

const fn fact(
    image: &'static str,
    profile: &'static str,
    rule: &'static str,
    what: &'static str,
) -> Fact {
    Fact { image, profile, rule, what }
}

const FACTS: &[Fact] = &[
    // `vsgx.S` opens its frame behind the `endbr64`.
    fact("linux-image-6.12", "linux-x86-64", "unwind-entries", "__vdso_sgx_enter_enclave: from"),
    // The C ChaCha, which is assembly without `.cfi_startproc`.
    fact("linux-image-6.12", "linux-x86-64", "unwind-functions", "has none"),
    fact("linux-image-6.12", "linux-x32", "unwind-functions", "has none"),
    // i386 is compiled without unwind tables.
    fact("linux-image-6.1", "linux-i386", "unwind-entries", "__vdso_gettimeofday has none"),
    fact("linux-image-6.12.117+deb13-arm64", "linux-arm64", "sysv-hash", "no dynamic tag DT_HASH"),
    // Its build hands `-fcf-protection=full` to the linker, which takes it for `-f`, an auxiliary
    // library.
    fact("linux-binary-7.2.13+deb14-riscv64", "any", "no-dependencies", "DT_AUXILIARY"),
    fact("linux-image-6.12.95+deb12-amd64", "linux-x86-64", "eh-frame-end", "does not end"),
    // QEMU relocates its images when it loads a program, so they ask to be writable.
    fact("qemu-x86", "any", "one-load", "the PT_LOAD is writable"),
    // Its functions are two instructions and a return.
    fact("qemu-x86", "any", "entry-room", "__vdso_time"),
    // gVisor's is linked for the place that it had in old kernels.
    fact("runsc", "any", "load-at-zero", "is for address 0xffffffffff700000"),
    fact("qemu-aarch64", "any", "no-property-note", "a PT_NOTE has a property note"),
];

/// What was said falsely once: that rule must not say so of these images.
const NOT_SO: &[Fact] = &[
    // One entry covers several functions.
    fact("qemu-x86", "any", "unwind-rows", "in the midst of an instruction"),
    // Thumb's bit in an address.
    fact("qemu-arm", "any", "unwind-entries", "up to"),
    // PT_RISCV_ATTRIBUTES, of nothing in memory.
    fact("qemu-riscv64", "any", "segments-in-load", "UNKNOWN_PT"),
    // Tables are found at their address minus the image's.
    fact("runsc", "any", "dynamic-tables", "beyond the file"),
    fact("runsc", "any", "sysv-hash", "beyond the file"),
    fact("runsc", "any", "eh-frame-hdr", "beyond the file"),
    // The bytes behind the image are of the program that holds it.
    fact("qemu-", "any", "tail-padding", "the padding holds something"),
];

fn judged(name: &str, bytes: &[u8]) -> Report {
    let report = check(bytes, None, None).unwrap_or_else(|error| panic!("{name}: {error}"));
    // A kernel's image without the kernel's note is judged by what is wrong with it, below.
    let is_told_wrong = name.starts_with("linux-") && !report.profile.name.starts_with("linux-");
    assert!(report.is_good() || is_told_wrong, "{name} is accused falsely:\n{report}");
    report
}

#[test]
fn debians_images_are_not_accused_falsely_and_their_faults_are_named() {
    let images = kept::images();
    if images.is_empty() {
        println!("skipped: no images are kept; the example `matrix` fetches none by itself");
        return;
    }
    let reports: Vec<(String, Report)> =
        images.into_iter().map(|(name, bytes)| (name.clone(), judged(&name, &bytes))).collect();
    for Fact { image, profile, rule, what } in FACTS {
        let of = |found: &&(String, Report)| {
            found.0.starts_with(image) && found.1.profile.name == *profile
        };
        for (name, report) in reports.iter().filter(of) {
            let says =
                report.broken().any(|(broken, text)| broken.name == *rule && text.contains(what));
            assert!(says, "{name}: {rule} does not say that `{what}`:\n{report}");
        }
    }
    for Fact { image, rule, what, .. } in NOT_SO {
        for (name, report) in reports.iter().filter(|(name, _)| name.starts_with(image)) {
            let says =
                report.broken().any(|(broken, text)| broken.name == *rule && text.contains(what));
            assert!(!says, "{name}: {rule} says falsely that `{what}`:\n{report}");
        }
    }
    let profiles = reports.iter().filter(|(_, report)| report.profile.name.starts_with("linux-"));
    assert!(profiles.count() > reports.len() / 2, "most are Linux's");
}

#[test]
fn this_machines_image_is_not_accused_falsely() {
    match Source::Own.images() {
        Ok(found) => drop(judged(&found[0].name, &found[0].bytes)),
        Err(why) => println!("skipped: {why}"),
    }
}

/// The images that a kernel's build has left, before `vdso2c` pads them.
#[test]
fn images_of_kernel_builds_are_not_accused_falsely() {
    let cache = kept::folder().parent().map(PathBuf::from).unwrap_or_default();
    let builds = std::fs::read_dir(cache).into_iter().flatten().flatten();
    let mut judged_any = 0;
    for build in builds.map(|entry| entry.path().join("build/arch/x86/entry/vdso")) {
        // C's: liblinux's own is judged with its lock, by `cargo xtask image`.
        let Ok(found) = Source::Path(build).images() else { continue };
        for found in found {
            let report = check(&found.bytes, found.debug.as_deref(), None).expect("an ELF file");
            if report.profile.name.ends_with("-build") && !report.profile.is_liblinux() {
                assert!(report.is_good(), "{} is accused falsely:\n{report}", found.name);
                judged_any += 1;
            }
        }
    }
    if judged_any == 0 {
        println!("skipped: no kernel is built here; `cargo xtask boot` builds one");
    }
}
