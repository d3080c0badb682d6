//! The kernel series against the kernel's own style checker.

use liblinux_tests::kernel::Source;
use std::path::Path;
use std::process::Command;

#[test]
fn each_patch_passes_checkpatch() {
    let source = Source::cached();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel-patch");
    let folder = folder.canonicalize().expect("the series' folder");
    let series = std::fs::read_to_string(folder.join("series")).expect("the series");
    let patches: Vec<_> = series.lines().filter(|line| !line.is_empty()).collect();
    assert!(!patches.is_empty(), "the series is empty");
    for patch in patches {
        let mut checkpatch = Command::new("perl");
        checkpatch
            .current_dir(source.root())
            .args(["scripts/checkpatch.pl", "--strict"])
            .arg(folder.join(patch));
        let output = checkpatch.output().expect("perl runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let is_clean = text.contains("total: 0 errors, 0 warnings, 0 checks");
        assert!(
            output.status.success() && is_clean,
            "{patch}:\n{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
