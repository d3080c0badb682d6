//! The kernel series: against the kernel's own style checker, and what it expects of the image.

use liblinux_abi::image::export::{BODY, PRIVATE};
use liblinux_abi::syscall::SYSCALLS;
use liblinux_tests::image::Image;
use liblinux_tests::kernel::Source;
use liblinux_workspace::{Line, Workspace, line};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The patches of a kernel line, in order.
fn series(line: &Line) -> Vec<PathBuf> {
    let folder = Workspace::current().series(line);
    let folder = folder.canonicalize().expect("the series' folder");
    let series = std::fs::read_to_string(folder.join("series")).expect("the series");
    let patches: Vec<_> =
        series.lines().filter(|line| !line.is_empty()).map(|name| folder.join(name)).collect();
    assert!(!patches.is_empty(), "the series is empty");
    patches
}

/// The kernel refuses what the image lists (`legacy_syscalls=off`), and has no list of its own.
#[test]
fn the_image_lists_the_legacy_calls_of_the_table() {
    let listed = Image::debug_section(".legacy_syscalls");
    let listed: Vec<u32> = listed
        .chunks(2)
        .map(|bytes| u32::from(u16::from_le_bytes(bytes.try_into().expect("16 bits"))))
        .collect();
    let legacy = SYSCALLS.iter().filter(|call| !call.successors().is_empty());
    assert_eq!(listed, legacy.map(|call| call.number).collect::<Vec<_>>());
    assert!(!listed.is_empty(), "the kernel could refuse nothing");
    for path in line::LINES.iter().flat_map(series) {
        let text = std::fs::read_to_string(&path).expect("a patch");
        assert!(!text.contains("+\t__NR_open,"), "{} has a list of its own", path.display());
    }
    println!("{} calls that the kernel need not carry", listed.len());
}

/// The letter that goes with the series says how many patches there are, and costs that stand in
/// the folder's guide as well.
#[test]
fn the_cover_letter_is_of_this_series() {
    let folder = Workspace::current().series(line::DEFAULT);
    let read = |path: &Path| std::fs::read_to_string(path).expect("a document");
    let letter = read(&folder.join("cover-letter"));
    let count = format!("[PATCH 00/{}]", series(line::DEFAULT).len());
    assert!(letter.contains(&count), "the letter is not of {count}");
    let guide = read(&folder.with_file_name("README.md"));
    let costs: Vec<&str> = letter
        .split_whitespace()
        .map(|word| word.trim_matches([',', '.']))
        .filter(|word| word.parse::<u32>().is_ok_and(|number| number > 100) || word.contains(','))
        .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    assert!(costs.len() > 8, "the letter has no costs: {costs:?}");
    for cost in costs {
        assert!(guide.contains(cost), "{cost} is in the letter and not in the guide");
    }
}

/// What the kernel takes a private call from: `vdso2c` finds the sites by these names.
#[test]
fn each_private_call_has_one_site() {
    let image = Image::load();
    for name in PRIVATE {
        let site = image.internal(&format!("{}_site", name.strip_prefix("__").expect("a name")));
        let body = image.internal(&format!("{name}{BODY}"));
        let code = &image.file()[body - image.base()..site - image.base()];
        assert!(code.ends_with(&[0x0f, 0x05]), "{name} does not return to {site:#x}");
        assert_eq!(code.windows(2).filter(|bytes| *bytes == [0x0f, 0x05]).count(), 1, "{name}");
    }
}

/// The image's path is the only question: who answers all others with yes builds the kernel that
/// others build.
#[test]
fn all_yes_asks_for_no_second_image() {
    line::LINES.iter().filter_map(Source::of_line).for_each(|source| all_yes(&source));
}

fn all_yes(source: &Source) {
    let Line { image_option, .. } = source.line();
    for target in ["allyesconfig", "allmodconfig"] {
        let build = tempfile::tempdir().expect("a folder");
        let mut make = Command::new("make");
        make.arg("-C").arg(source.root()).arg(format!("O={}", build.path().display())).arg(target);
        let output = make.output().expect("make runs");
        assert!(output.status.success(), "{target}: {}", String::from_utf8_lossy(&output.stderr));
        let config =
            std::fs::read_to_string(build.path().join(".config")).expect("a configuration");
        assert!(
            config.lines().any(|line| line == "CONFIG_X86_64=y"),
            "{target} is of another machine"
        );
        assert!(
            config.contains(&format!("{image_option}=\"\"")),
            "{target} is not asked for a path"
        );
        let second = image_option.trim_end_matches("_IMAGE").to_owned() + "=";
        let wanted = config.lines().find(|line| line.starts_with(&second));
        assert_eq!(wanted, None, "{target}");
    }
}

#[test]
fn each_patch_passes_checkpatch() {
    line::LINES.iter().filter_map(Source::of_line).for_each(|source| check_patches(&source));
}

fn check_patches(source: &Source) {
    let patches = series(source.line());
    // Each takes a second or two of one CPU, so they run beside each other.
    let checks: Vec<_> =
        patches.into_iter().map(|patch| (checkpatch(source, &patch), patch)).collect();
    for (check, patch) in checks {
        let output = check.wait_with_output().expect("perl ends");
        let text = String::from_utf8_lossy(&output.stdout);
        let is_clean = text.contains("total: 0 errors, 0 warnings, 0 checks");
        assert!(
            output.status.success() && is_clean,
            "{}:\n{text}{}",
            patch.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn checkpatch(source: &Source, patch: &Path) -> Child {
    let mut perl = Command::new("perl");
    perl.current_dir(source.root()).args(["scripts/checkpatch.pl", "--strict"]).arg(patch);
    perl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("perl runs")
}
