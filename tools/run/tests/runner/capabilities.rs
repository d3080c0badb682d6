//! Programs whose files have capabilities (`capabilities(7)`): `ping` on some systems, programs
//! that capture packets on most.

#![expect(unsafe_code, reason = "extended attributes are written by a C function")]

use crate::workbench::{UNPRIVILEGED, Workbench, end, is_root};
use nix::libc;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// `CAP_NET_RAW` of `include/uapi/linux/capability.h`.
const NET_RAW: u32 = 13;

/// `VFS_CAP_REVISION_2` and `VFS_CAP_FLAGS_EFFECTIVE` of the same: the program begins with what the
/// file permits.
const EFFECTIVE: u32 = 0x0200_0001;

/// Gives a file a capability, as `setcap` does.
fn give(file: &Path, capability: u32) {
    // `struct vfs_cap_data`: two halves of the permitted ones, each followed by the inheritable
    // ones.
    let permitted = 1_u64 << capability;
    let words = [EFFECTIVE, permitted as u32, 0, (permitted >> 32) as u32, 0];
    let value: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = CString::new(file.as_os_str().as_bytes()).unwrap();
    let name = c"security.capability";
    // SAFETY: the strings end with a zero, and the value has as many bytes as are said.
    let set = unsafe {
        libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    assert!(
        set == 0,
        "no capabilities on {}: {}; set TMPDIR to a folder whose filesystem has extended attributes",
        file.display(),
        io::Error::last_os_error()
    );
}

/// The capabilities that a program had, in the status that it printed of itself.
fn effective(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("a line CapEff");
    u64::from_str_radix(line.trim(), 16).expect("a hexadecimal number")
}

#[test]
fn programs_with_capabilities_run_without_and_that_is_said() {
    let bench = Workbench::new();
    if !is_root() {
        return;
    }
    let program = bench.install("cat", Path::new("/bin/cat"));
    give(&program, NET_RAW);
    let ran = |command: &mut Command| {
        let (status, output, errors) = end(command.arg("/proc/self/status"));
        assert_eq!(status, 0, "{errors}");
        (effective(&output), errors)
    };

    // Without the runner the kernel gives the file's capability to every user.
    let mut direct = Command::new(&program);
    let (direct, _) = ran(direct.uid(UNPRIVILEGED).gid(UNPRIVILEGED).current_dir("/"));
    assert_eq!(
        direct,
        1 << NET_RAW,
        "{}: the kernel itself does not give it: set TMPDIR to a folder that is not mounted `nosuid`",
        program.display()
    );

    let (under, errors) = ran(bench.unprivileged().arg(&program));
    assert_eq!(under, 0, "the kernel withholds it");
    assert!(errors.contains("without its file's (capabilities) privileges"), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");

    // As root there is nothing to withhold.
    let (under, errors) = ran(bench.runner().arg(&program));
    assert_eq!((under & 1 << NET_RAW, errors.as_str()), (1 << NET_RAW, ""));
}
