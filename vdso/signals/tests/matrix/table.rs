//! The table in `vdso/signals/matrix.md`.

use crate::runtimes::Runtime;
use crate::scenes::{Process, Scene};

/// The command that makes it.
pub(crate) const COMMAND: &str =
    "cargo test -p liblinux-signals --test matrix -- --ignored --nocapture";

/// A process, and the word for what came of it.
pub(crate) type Row = (Process, String);

/// The document, which has to be the same on every kernel.
pub(crate) fn document(runtimes: &[Runtime], rows: &[Row]) -> String {
    let part = |scene, is_preloaded| {
        let is_asked = |process: &Process| {
            process.scene == scene
                && process.is_preloaded == is_preloaded
                && process.order.len() == 2
        };
        let rows: Vec<&Row> = rows.iter().filter(|(process, _)| is_asked(process)).collect();
        table(runtimes, &rows)
    };
    let (pairs, all) = (runtimes.len() * (runtimes.len() - 1), runtimes.len());
    format!(
        "<!-- Made by `{COMMAND}`. -->
# The matrix

Two runtimes in one process, the row's loaded first. The command tries them on this machine's kernel and, in a guest, on the patched
one: each word here is what came of it on both.

## Their own faults

A fault in each, without the library. *Own*: each handled its own. *Ends*: the process does. *X has it*: the handler of X saw both.
*Reported*: the crash reporter reported a fault that was not a crash.

{}
With the library all {pairs} pairs are *own*: a fault in each, the same in a handler of the program, an overflow of the stack in
those that recover from it, and a fault in each again. So are all {all} of them together, in {all} orders.

## SIGSEGV that was sent

By `tgkill`, with the library; and the same without it. *Ignored*: no handler takes it, and the process continues.

{}
## A fault in the program

In text of none of the two, with the library; and the same without it.

{}",
        part(Scene::Fault, false),
        part(Scene::Sent, true),
        part(Scene::Crash, true)
    )
}

fn table(runtimes: &[Runtime], rows: &[&Row]) -> String {
    let names: Vec<&str> = runtimes.iter().map(|runtime| runtime.name).collect();
    let head = format!("| first | {} |\n|---{}|\n", names.join(" | "), "|---".repeat(names.len()));
    let line = |first: &&str| {
        let cell = |second: &&str| {
            let names = [*first, *second];
            let is_asked = |row: &&&Row| row.0.order.iter().map(|one| one.name).eq(names);
            rows.iter().find(is_asked).map_or("", |(_, word)| word)
        };
        let cells: Vec<&str> = names.iter().map(cell).collect();
        format!("| {first} | {} |\n", cells.join(" | "))
    };
    names.iter().map(line).fold(head, |text, line| text + &line)
}
