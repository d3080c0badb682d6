//! The example of a step of CI, on a build folder.

#[path = "specimen/mod.rs"]
mod specimen;

use specimen::{Specimen, segment};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The step's status and its report, on a folder with this image in it.
fn step(image: Option<&[u8]>) -> (i32, String) {
    let build = tempfile::tempdir().expect("a directory");
    let folder = build.path().join("arch/x86/entry/vdso");
    if let Some(image) = image {
        fs::create_dir_all(&folder).expect("the folder");
        fs::write(folder.join("vdso64.so"), image).expect("write the image");
    }
    let report = build.path().join("vdso.sarif");
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci.sh"))
        .arg(build.path())
        .arg(&report)
        .env("CHECKER", env!("CARGO_BIN_EXE_liblinux-check"))
        .output()
        .expect("a shell");
    let status = output.status.code().expect("no signal");
    (status, fs::read_to_string(report).unwrap_or_default())
}

#[test]
fn the_step_passes_refuses_and_says_that_nothing_is_there() {
    let good = Specimen::good().image;
    let (status, report) = step(Some(&good.bytes));
    assert!(status == 0 && report.contains("\"results\": []"), "{status}: {report}");
    // A kernel with the series has liblinux there as objcopy leaves it.
    let headers = good.view().header;
    let end = headers.e_shoff as usize + 64 * usize::from(headers.e_shnum);
    let (status, report) = step(Some(&good.bytes[..end]));
    assert!(status == 0 && report.contains("\"results\": []"), "{status}: {report}");
    // What ends within a page for another reason is refused.
    assert_eq!(step(Some(&good.bytes[..good.bytes.len() - 1])).0, 1);
    let mut broken = good.clone();
    broken.put32(broken.segment(2) + segment::FLAGS, 6);
    let (status, report) = step(Some(&broken.bytes));
    assert!(status == 1 && report.contains("read-only-dynamic"), "{status}: {report}");
    assert_eq!(step(None).0, 2);
}
