//! `copytree FROM TO`: copies a tree of files, folders and symbolic links, by the entries of the
//! vDSO alone.
//!
//! A static program without libc and without std, with an entry point of its own. It finds the
//! image by its initial stack, and once it has, it pins the origin of its system calls: from then
//! to its exit, one `syscall` outside the image would kill it.
//!
//! # Invariants
//!
//! 1. After `Vdso::pin_origin` every system call is a method of the pinned [`Vdso`].
//! 2. The only bare system calls are those that say why the program has found no image.

#![no_std]
#![no_main]

mod output;
mod start;
mod tree;

use liblinux::{Call, Vdso};
use output::{Output, STDERR, STDOUT, say};
use start::Arguments;

/// The calls that this program makes.
const NEEDED: [Call; 15] = [
    Call::close,
    Call::copy_file_range,
    Call::exit_group,
    Call::fchmod,
    Call::getdents64,
    Call::mkdirat,
    Call::mknodat,
    Call::openat,
    Call::prctl,
    Call::read,
    Call::readlinkat,
    Call::statx,
    Call::symlinkat,
    Call::utimensat,
    Call::write,
];

/// Runs the program; its exit status.
fn main(image: Result<Vdso, liblinux::Unfit>, arguments: Arguments) -> (Vdso, i32) {
    let bare = || Vdso::none().or_syscall();
    let vdso = match image {
        Ok(vdso) => vdso,
        Err(why) => {
            say!(&bare(), STDERR, "copytree: {why}\n");
            return (bare(), 1);
        }
    };
    if let Some(call) = NEEDED.into_iter().find(|call| vdso.entry(*call).is_none()) {
        say!(
            &bare(),
            STDERR,
            "copytree: the vDSO has no entry for {call:?}: it is the kernel's own, or an older one of liblinux; \
             start this program with `cargo xtask run -- copytree ...`\n"
        );
        return (bare(), 1);
    }
    if let Err(why) = vdso.pin_origin() {
        say!(&vdso, STDERR, "copytree: this kernel cannot pin the origin of system calls: {why}\n");
        return (vdso, 1);
    }
    let (Some(from), Some(to), None) = (arguments.get(1), arguments.get(2), arguments.get(3))
    else {
        say!(&vdso, STDERR, "usage: copytree FROM TO\n");
        return (vdso, 2);
    };
    match tree::copy(&vdso, from, to) {
        Ok(count) => {
            say!(
                &vdso,
                STDOUT,
                "copied {} files, {} folders, {} links, {} bytes; every system call came from the vDSO\n",
                count.files,
                count.folders,
                count.links,
                count.bytes
            );
            (vdso, 0)
        }
        Err(tree::Failed) => (vdso, 1),
    }
}
