//! A thread whose system calls are pinned to the image.

use crate::workbench::{Workbench, end};
use std::path::Path;

#[test]
fn a_pinned_thread_may_call_every_standard_function() {
    let bench = Workbench::new();
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vdso/client/include");
    let include = format!("-I{}", include.display());
    let program = bench.build("pinned", "pinned.c", "gcc", &["-O2", "-Wall", "-Werror", &include]);
    let (status, _, errors) = end(bench.runner().arg(program));
    assert_eq!(status, 0, "{errors}");
}
