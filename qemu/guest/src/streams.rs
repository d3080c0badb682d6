//! The standard streams of a program that is about to start.
//!
//! For `Stdio` Rust makes `dup2`, a legacy call, which the kernel may refuse. Here it is `dup3`.

#![expect(unsafe_code, reason = "streams are laid between fork and exec")]

use crate::arch;
use crate::bare::number;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Gives a command `streams` as its descriptors of these numbers. Our hold on them is gone with the
/// command.
pub fn lay(command: &mut Command, streams: Vec<(OwnedFd, u64)>) {
    let prepare = move || {
        for (stream, place) in &streams {
            let from = u64::from(stream.as_raw_fd().unsigned_abs());
            // SAFETY: changes the descriptors of a process that is about to become another.
            let laid =
                unsafe { arch::syscall(const { number("dup3") }, [from, *place, 0, 0, 0, 0]) };
            if laid < 0 {
                return Err(io::Error::from_raw_os_error(i32::try_from(-laid).unwrap_or_default()));
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls and touches no memory that another thread could hold
    // locked.
    unsafe { command.pre_exec(prepare) };
}

/// A stream without a byte that takes all.
pub fn null() -> io::Result<OwnedFd> {
    OpenOptions::new().read(true).write(true).open("/dev/null").map(OwnedFd::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_command_has_the_streams_that_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("said");
        let file = OwnedFd::from(fs::File::create(&path).unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", "cat; echo out; echo err >&2; exit 3"]);
        let both = file.try_clone().unwrap();
        lay(&mut command, vec![(null().unwrap(), 0), (file, 1), (both, 2)]);
        assert_eq!(command.status().unwrap().code(), Some(3));
        assert_eq!(fs::read_to_string(path).unwrap(), "out\nerr\n");
    }
}
