//! The legacy calls: a document for people. What the kernel refuses it reads from the image.

use crate::HEADER;
use anyhow::Result;
use liblinux_abi::syscall::legacy::{CHANGES_FLAGS, KEPT, STACK, find_note};
use liblinux_abi::syscall::{SYSCALLS, Syscall, number};
use liblinux_workspace::Workspace;
use std::fmt::Write as _;

fn calls() -> impl Iterator<Item = &'static Syscall> {
    SYSCALLS.iter().filter(|call| !call.successors().is_empty())
}

/// Which calls qualify, which do not, and why.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut text = format!(
        "<!-- {HEADER} -->\n\
         # Legacy calls\n\n\
         A new 64-bit architecture does not get these calls of x86-64 (`scripts/syscall.tbl` of the kernel). {} of them\n\
         are functions of the image over newer calls, and `legacy_syscalls=off` makes the kernel refuse their numbers;\n\
         {} it has to keep.\n\n\
         The functions return what the call returned, with the same effects, and preserve what a plain stub preserves.\n\
         They use up to {STACK} bytes of stack, the return address included. What a tracer or filter sees is the newer\n\
         call.\n\n\
         | number | call | makes | what is different |\n|---|---|---|---|\n",
        calls().count(),
        KEPT.len(),
    );
    for call in calls() {
        let made: Vec<_> = call.successors().iter().map(|name| format!("`{name}`")).collect();
        let flags = CHANGES_FLAGS.contains(&call.name).then_some("changes the status flags");
        let notes: Vec<_> =
            flags.into_iter().chain(find_note(call.name).map(|note| note.text)).collect();
        let row = format!(
            "| {} | `{}` | {} | {}",
            call.number,
            call.name,
            made.join(", "),
            notes.join("; ")
        );
        writeln!(text, "{} |", row.trim_end())?;
    }
    text.push_str("\n| number | has to be kept | because |\n|---|---|---|\n");
    for kept in KEPT {
        writeln!(text, "| {} | `{}` | {} |", number(kept.name), kept.name, kept.because)?;
    }
    Ok(text)
}
