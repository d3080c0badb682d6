//! Guests that misbehave, each in a real QEMU: the error, how soon it comes, and that no process
//! stays.
//!
//! They boot the kernel that `cargo xtask boot` built, and fail without it. The guests' init is a
//! few lines of C written here, so that the crate's guest can change without changing what is
//! tested.

use liblinux_boot::cache::Cache;
use liblinux_boot::initramfs::Initramfs;
use liblinux_boot::ktap;
use liblinux_boot::qemu::{self, Guest, Limits};
use liblinux_workspace::{ARCHITECTURE, Workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const LIMITS: Limits = Limits {
    first_line: Duration::from_secs(10),
    each_line: Duration::from_secs(3),
    overall: Duration::from_secs(15),
};

/// The start of every init: `say` writes to the verdict's port, `off` powers off.
const PRELUDE: &str = r#"
    #include <fcntl.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mount.h>
    #include <sys/reboot.h>
    #include <unistd.h>
    static void say(const char *text) {
        mount("dev", "/dev", "devtmpfs", 0, 0);
        int port = open("/dev/vport1p1", O_WRONLY);
        if (port < 0) port = open("/dev/vport0p1", O_WRONLY);
        if (port < 0 || write(port, text, strlen(text)) < 0) abort();
        close(port);
    }
    static void off(void) { sync(); reboot(RB_POWER_OFF); }
"#;

/// A guest whose init does `body`, in a folder that lives as long as the first result.
fn guest(body: &str) -> (tempfile::TempDir, Guest) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("init.c");
    fs::write(&source, format!("{PRELUDE} int main(void) {{ {body} }}")).unwrap();
    let init = folder.path().join("init");
    let mut gcc = Command::new("gcc");
    assert!(gcc.arg("-static").arg("-o").arg(&init).arg(&source).status().unwrap().success());
    let mut archive = Initramfs::new();
    archive.program("/init", &init).unwrap();
    let kernel = format!("{}-smoke", ARCHITECTURE.kernel_image);
    let workspace = Workspace::current();
    let bz_image = workspace.boots(workspace.built_line()).join(kernel);
    assert!(
        bz_image.is_file(),
        "no kernel at {}: run `cargo xtask boot` first",
        bz_image.display()
    );
    let guest = Guest {
        folder: folder.path().to_owned(),
        bz_image: bz_image.canonicalize().unwrap(),
        initramfs: archive.archive().unwrap(),
        command_line: "tsc=reliable".into(),
        cpus: 1,
        counts_instructions: false,
        lacks_smap: false,
        memory_mib: 128,
        streams: &[],
    };
    (folder, guest)
}

/// Runs a guest that must fail; the error.
fn failure(body: &str) -> String {
    let (folder, guest) = guest(body);
    let started = Instant::now();
    let error = qemu::run(&guest, LIMITS).unwrap_err().to_string();
    assert!(
        started.elapsed() < LIMITS.overall + Duration::from_secs(5),
        "the watchdogs did not bite"
    );
    assert!(error.contains("console.log"), "the console's path is shown: {error}");
    assert_no_qemu_in(folder.path());
    error
}

/// No process has its working folder where the guest's was.
fn assert_no_qemu_in(folder: &Path) {
    let folder = folder.canonicalize().unwrap();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let stray = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder);
        assert!(!stray, "{} is still running", entry.path().display());
    }
}

#[test]
fn prints_nothing() {
    let error = failure("for (;;) pause();");
    assert!(error.contains("no verdict within 10 s"), "{error}");
    assert!(error.contains("Run /init as init process"), "the console's end is shown: {error}");
}

#[test]
fn powers_off_without_a_word() {
    let error = failure("off();");
    assert!(error.contains("without printing a verdict"), "{error}");
}

#[test]
fn panics() {
    let error = failure("return 3;");
    assert!(error.contains("panicked: Attempted to kill init"), "{error}");
}

#[test]
fn hangs_in_the_middle() {
    let error = failure(r#"say("KTAP version 1\n1..1\n"); for (;;) pause();"#);
    assert!(error.contains("hangs: nothing new in its verdict for 3 s"), "{error}");
}

#[test]
fn reports_forever() {
    let error =
        failure(r##"say("KTAP version 1\n1..1\n"); for (;;) { say("# on\n"); sleep(1); }"##);
    assert!(error.contains("still running after 15 s"), "{error}");
}

#[test]
fn stops_in_the_middle() {
    let (_folder, guest) = guest(r#"say("KTAP version 1\n1..2\nok 1 a\n"); off();"#);
    let text = qemu::run(&guest, LIMITS).unwrap();
    assert!(ktap::parse(&text).unwrap_err().to_string().contains("announces 2 tests and has 1"));
}

#[test]
fn the_kernels_own_parser_reads_every_verdict() {
    let kunit = newest_source().join("tools/testing/kunit/kunit.py");
    let workspace = Workspace::current();
    let boots = workspace.boots(workspace.built_line());
    let mut read = 0;
    for entry in fs::read_dir(&boots).unwrap().flatten() {
        let verdict = entry.path().join("verdict.ktap");
        let Ok(text) = fs::read_to_string(&verdict) else { continue };
        let Ok(report) = ktap::parse(&text) else { continue };
        let output =
            Command::new("python3").arg(&kunit).arg("parse").arg(&verdict).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let passed = !report.tests.iter().any(ktap::Test::failed);
        assert_eq!(output.status.success(), passed, "{}: {said}", verdict.display());
        let count = report.count();
        assert!(
            said.contains(&format!("passed: {}", count.passed)),
            "{}: {said}",
            verdict.display()
        );
        read += 1;
    }
    assert!(read > 0, "no verdict below {}: run `cargo xtask boot` first", boots.display());
}

fn newest_source() -> PathBuf {
    let root = Cache::open().unwrap().root().to_owned();
    let trees = fs::read_dir(root).unwrap().flatten().map(|entry| entry.path());
    let used =
        |tree: &PathBuf| fs::metadata(tree.join("used")).and_then(|data| data.modified()).ok();
    trees
        .filter(|tree| used(tree).is_some())
        .max_by_key(used)
        .expect("a built kernel")
        .join("source")
}
