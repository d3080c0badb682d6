//! Kernels that this machine does not run, in QEMU: one that maps no vDSO, one that maps the image
//! already, and one of another version that maps the C one.

use crate::workbench::Workbench;
use liblinux_boot::initramfs::Initramfs;
use liblinux_boot::qemu::{self, Guest, Limits};
use liblinux_workspace::Workspace;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The guest's first process: writes what the runner's programs print to the verdict's port.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
for kind in proc sysfs devtmpfs; do mkdir -p /$kind; done
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
while :; do
	for port in /sys/class/virtio-ports/*; do
		[ \"$(cat $port/name 2>/dev/null)\" = liblinux.verdict ] && break 2
	done
done
{
	echo begin; /where; echo \"status $?\"
	for program in /where '/bin/sh -c /where' /clocks; do
		/runner --verbose --image /image $program; echo \"status $?\"
	done
} >/dev/${port##*/} 2>&1
poweroff -f
";

/// As for a machine that is busy with other tests.
const LIMITS: Limits = Limits {
    first_line: Duration::from_secs(60),
    each_line: Duration::from_secs(60),
    overall: Duration::from_secs(120),
};

/// The output of a guest whose kernel has these words on its command line.
fn guest(command_line: &str) -> Vec<String> {
    let bench = Workbench::new();
    let workspace = Workspace::current();
    let boot = workspace.boots(workspace.built_line()).join("bzImage-smoke");
    let bz_image = boot.canonicalize();
    let bz_image =
        bz_image.unwrap_or_else(|_| panic!("no {}: run `cargo xtask boot` first", boot.display()));
    let flags = ["-O2", "-static"];
    let clocks = Workspace::current().guest_programs().join("clocks.c");
    let init = bench.path("init");
    fs::write(&init, INIT).unwrap();
    let mut archive = Initramfs::new();
    archive.file("/init", &init).unwrap();
    archive.program("/bin/busybox", Path::new("/bin/busybox")).unwrap();
    archive.program("/runner", Path::new(env!("CARGO_BIN_EXE_liblinux-run"))).unwrap();
    archive.file("/image", &Workbench::image()).unwrap();
    archive.program("/where", &bench.build("where", "where.c", "gcc", &flags)).unwrap();
    archive.program("/clocks", &bench.compile("clocks", &clocks, "gcc", &flags)).unwrap();
    let guest = Guest {
        folder: bench.path(""),
        bz_image,
        initramfs: archive.archive().unwrap(),
        command_line: format!("clocksource=tsc tsc=reliable {command_line}"),
        cpus: 1,
        lacks_smap: false,
        memory_mib: 256,
        counts_instructions: false,
        streams: &[],
    };
    let text = qemu::run(&guest, LIMITS).unwrap();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn clocks(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("clock ")).count()
}

#[test]
fn a_kernel_without_a_vdso() {
    let lines = guest("vdso=0");
    assert_eq!(lines[..3], ["begin", "none", "status 2"], "{lines:#?}");
    let told = lines.iter().filter(|line| line.contains("this kernel has no vDSO")).count();
    let mapped = lines.iter().filter(|line| *line == "/memfd:liblinux-vdso (deleted)").count();
    let good = lines.iter().filter(|line| *line == "status 0").count();
    // The shell is a program of its own; every clock was compared with the bare call.
    assert_eq!((told, mapped, good, clocks(&lines)), (4, 2, 3, 9), "{lines:#?}");
}

/// A kernel with a vDSO, in which `where` ends with this status.
fn a_kernel_with_a_vdso(image: &str, status: &str) {
    let lines = guest(&format!("{}={image}", Workspace::current().built_line().parameter));
    assert_eq!(lines[..3], ["begin", "[vdso]", status], "{lines:#?}");
    let told = lines
        .iter()
        .filter(|line| {
            line.contains("by the code of the kernel's vDSO") && line.contains(" clock_gettime")
        })
        .count();
    let mapped = lines.iter().filter(|line| *line == "/memfd:liblinux-vdso (deleted)").count();
    let good = lines[3..].iter().filter(|line| *line == "status 0").count();
    assert_eq!((told, mapped, good, clocks(&lines)), (4, 2, 3, 9), "{lines:#?}");
}

#[test]
fn a_kernel_with_the_image() {
    a_kernel_with_a_vdso("rust", "status 0");
}

#[test]
fn a_kernel_with_the_c_image() {
    a_kernel_with_a_vdso("c", "status 1");
}
