//! The kernel series against the kernel's own style checker.

use liblinux_abi::syscall::SYSCALLS;
use liblinux_tests::kernel::Source;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The patches, in order.
fn series() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel-patch");
    let folder = folder.canonicalize().expect("the series' folder");
    let series = std::fs::read_to_string(folder.join("series")).expect("the series");
    let patches: Vec<_> =
        series.lines().filter(|line| !line.is_empty()).map(|name| folder.join(name)).collect();
    assert!(!patches.is_empty(), "the series is empty");
    patches
}

#[test]
fn the_kernel_refuses_the_legacy_calls_of_the_table() {
    let start = "+static const u16 legacy_numbers[] __initconst = {\n";
    let texts = series().into_iter().map(|path| std::fs::read_to_string(path).expect("a patch"));
    let lists: Vec<String> = texts
        .filter_map(|text| Some(text.split_once(start)?.1.split_once("+};")?.0.replace("\n+", "\n")))
        .collect();
    let [list] = lists.as_slice() else { panic!("{} patches have a list", lists.len()) };
    let list = list.strip_prefix('+').expect("an added line");
    let generated = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel-patch/legacy_syscalls.h");
    let generated = std::fs::read_to_string(generated).expect("the list; run `cargo xtask bless`");
    assert_eq!(list, generated, "put the lines of kernel-patch/legacy_syscalls.h into the patch");
    let legacy = SYSCALLS.iter().filter(|call| !call.successors().is_empty());
    let names: Vec<String> = legacy.map(|call| format!("\t__NR_{},", call.name)).collect();
    assert_eq!(list.lines().skip(1).collect::<Vec<_>>(), names);
    println!("{} calls that the kernel need not carry", names.len());
}

#[test]
fn each_patch_passes_checkpatch() {
    let source = Source::cached();
    // Each takes a second or two of one CPU, so they run beside each other.
    let checks: Vec<_> = series().into_iter().map(|patch| (checkpatch(&source, &patch), patch)).collect();
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
