//! The examples of `vdso/client` on this kernel: their judge is the one that runs in a guest.

use crate::workbench::Workbench;
use liblinux_boot::case::Case;
use liblinux_boot::programs;
use liblinux_boot::workshop::Workshop;
use liblinux_workspace::{Workspace, line};
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn the_clients_examples_run_as_they_do_in_a_guest() {
    let root = Workspace::current().root().to_owned();
    let root = root.canonicalize().expect("the workspace");
    let stub = root.join("target/client/liblinux.so");
    assert!(stub.is_file(), "there is no {}; run `cargo xtask client` first", stub.display());
    let text = std::fs::read_to_string(root.join("qemu/cases/client.toml")).expect("the case");
    let case = Case::parse("client", &text).expect("a case");
    let programs =
        case.files().map(programs::find).collect::<Result<Vec<_>, _>>().expect("programs");
    let folder = Workspace::current().boot().join("programs");
    // None of them is made from the kernel's source or from images.
    let none = Path::new("");
    let workshop = Workshop {
        root: &root,
        folder,
        line: line::DEFAULT,
        kernel: none,
        headers: none,
        image: none,
        image_debug: none,
        c_image_debug: none,
    };
    let files = workshop.build(&programs).expect("the examples");
    let bench = Workbench::new();
    for (program, file) in programs.iter().zip(files) {
        symlink(file, bench.path(program.name)).expect("a link");
    }
    let output = bench
        .runner()
        .arg("--")
        .arg(bench.path("client"))
        .arg(bench.path(""))
        .output()
        .expect("the runner");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let plan = said.lines().find_map(|line| line.strip_prefix("1..")).expect("a plan");
    let passed =
        said.lines().filter(|line| line.starts_with("ok ") && !line.contains("# SKIP")).count();
    assert_eq!(passed.to_string(), plan);
    assert!(passed > 0);
}
