//! The conformance suite: runtimes that handle their own faults, side by side in one process, with
//! the library and without, on this machine's kernel and on the patched one.
//!
//! Every runtime is a library of its own for `host.c`, and knows of no other. They are loaded in an
//! order; then something happens ([`scenes::Scene`]), and the runtime whose handler saw it is
//! noted. `runtimes.rs` says how to add one.
//!
//! The quick test takes every two of them, with the library. The long ones take all scenes, with
//! and without, on both kernels, and all runtimes together, and make `vdso/signals/matrix.md`.
//! `LIBLINUX_WASMTIME` names Wasmtime's library, which Debian does not have; without it the others
//! are tested alone, and the table is printed only.

#[path = "../programs/mod.rs"]
mod programs;

mod machine;
mod runtimes;
mod scenes;
mod table;

use machine::Machine;
use programs::FOLDER;
use runtimes::{RUNTIMES, Runtime, wasmtime};
use scenes::{Process, Scene, orders, pairs};
use std::path::Path;
use table::{COMMAND, Row};

/// The processes of every two runtimes.
fn of_pairs(scenes: &[Scene], is_preloaded: bool) -> Vec<Process> {
    let of_pair = |order: Vec<Runtime>| {
        scenes.iter().map(move |scene| Process {
            scene: *scene,
            order: order.clone(),
            is_preloaded,
        })
    };
    pairs(&RUNTIMES).into_iter().flat_map(of_pair).collect()
}

/// Runs processes that have to come out right.
fn demand(machine: Machine, processes: &[Process]) {
    for (process, told) in processes.iter().zip(machine.run(processes)) {
        assert_eq!(process.word(&told), "own", "{machine:?}: {}: {told:?}", process.name());
    }
}

#[test]
fn of_two_runtimes_each_has_its_faults_in_both_orders() {
    let processes = of_pairs(&[Scene::Own], true);
    assert!(processes.len() >= 30, "six runtimes or more: {}", processes.len());
    demand(Machine::Stock, &processes);
}

/// Rotations of the runtimes: each is in each place.
fn rotations() -> Vec<Process> {
    let rotated = |by| {
        let mut order = RUNTIMES.clone();
        order.rotate_left(by);
        together(order)
    };
    (0..RUNTIMES.len()).map(rotated).collect()
}

fn together(order: Vec<Runtime>) -> Process {
    Process { scene: Scene::Own, order, is_preloaded: true }
}

/// Every two of the runtimes in every scene, with the library and without, and all of them at once;
/// and the table.
fn everything(machine: Machine) {
    let all = rotations();
    let pairs = [
        of_pairs(&[Scene::Own], true),
        of_pairs(&[Scene::Fault], false),
        of_pairs(&[Scene::Sent, Scene::Crash], true),
        of_pairs(&[Scene::Sent, Scene::Crash], false),
    ];
    let processes = [&all[..], &pairs.concat()].concat();
    let words = machine.run(&processes);
    let words = processes.iter().zip(&words).map(|(process, told)| process.word(told));
    let rows: Vec<Row> = processes.iter().cloned().zip(words).collect();
    let text = table::document(&RUNTIMES, &rows);
    println!("{machine:?}:\n{text}");
    judge(&rows);
    compare(&text);
}

#[test]
#[ignore = "makes a table: minutes"]
fn the_matrix_is_right_on_this_kernel() {
    everything(Machine::Stock);
}

#[test]
#[ignore = "boots a guest: minutes"]
fn the_matrix_is_right_on_the_patched_kernel() {
    everything(Machine::Patched);
}

#[test]
#[ignore = "minutes"]
fn five_of_them_are_right_in_every_order() {
    let others = RUNTIMES.iter().filter(|one| !["careful", "reporter"].contains(&one.name));
    let others: Vec<Runtime> = others.copied().collect();
    let processes: Vec<Process> = orders(&others).into_iter().map(together).collect();
    demand(Machine::Stock, &processes);
    println!("{} of them in {} orders: each its own", others.len(), processes.len());
}

/// Fails for what did not come out right with the library: a runtime did not have its own, or
/// another signal came to another handler than without.
fn judge(rows: &[Row]) {
    let without = |process: &Process| {
        let is_same = |other: &Process| {
            !other.is_preloaded && other.scene == process.scene && other.order == process.order
        };
        rows.iter().find(|(other, _)| is_same(other)).map(|(_, word)| word.as_str())
    };
    let mut wrong = Vec::new();
    for (process, word) in rows.iter().filter(|(process, _)| process.is_preloaded) {
        let wanted = if process.scene.is_own() { Some("own") } else { without(process) };
        if Some(word.as_str()) != wanted {
            wrong.push(format!("{}: {word}, and not {wanted:?}", process.name()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Fails if the table in the documentation is another one.
fn compare(text: &str) {
    if wasmtime().is_none() {
        return;
    }
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("matrix.md");
    let made = FOLDER.join("matrix.md");
    std::fs::write(&made, text).expect("a file");
    let is_fresh = std::fs::read_to_string(&ours).is_ok_and(|known| known == text);
    assert!(is_fresh, "the table is another one: cp {} {}", made.display(), ours.display());
    println!("{} is what `{COMMAND}` makes", ours.display());
}
