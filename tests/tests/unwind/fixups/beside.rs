//! One call over a scene, and what the kernel and other threads do while it is under way.

use super::scene::Scene;
use crate::walk::{PAGE_FAULT, REFUSED, Walk, answer};
use liblinux_abi::image::fixup::{Cell, HEADER_SIZE, MARKED, PRIVATE_QUERY, UNMARKED};
use liblinux_tests::arch::stepper::{Next, Stop};
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The number of the first private call, as a kernel might choose it.
pub(super) const PRIVATE_BASE: u32 = 0x1234_5600;

/// What private calls are answered.
struct Answers {
    /// `fixup_query`, and whether it writes the area.
    query: (i64, bool),
    /// The others.
    others: i64,
}

/// What the kernel answers, in turns; and filters in front of it, of which one says that all is
/// well, and one that there is no area. Then a kernel that cannot mark a text (ENOMEM), and one
/// that knows of none. The last one has the area, and finds all text marked.
const ANSWERS: [Answers; 9] = [
    Answers { query: (REFUSED, false), others: REFUSED },
    Answers { query: (0, true), others: 0 },
    Answers { query: (-16, false), others: -16 },
    Answers { query: (0, true), others: 0 },
    Answers { query: (0, false), others: 0 },
    Answers { query: (-2, false), others: 0 },
    Answers { query: (0, true), others: -12 },
    Answers { query: (0, true), others: UNMARKED as i64 },
    Answers { query: (0, true), others: MARKED as i64 },
];

/// The round in which the kernel answers as the last one does.
pub(super) const OFFERED: u64 = ANSWERS.len() as u64 - 1;

/// `lock cmpxchg16b [r8]`.
const EXCHANGE: [u8; 5] = [0xf0, 0x49, 0x0f, 0xc7, 0x08];

/// `syscall`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Other threads commit while a call has made fewer stops than this: a writer ends only if they do.
const COMMITS_UNTIL: usize = 2000;

/// What other threads do meanwhile.
pub(super) struct Others {
    /// Write a word: at which stop, where, which.
    pub(super) writes: Vec<(usize, usize, u64)>,
    /// Are quicker with an exchange of a cell: with the one of this number.
    pub(super) first_exchange: Option<u64>,
    /// And by how many generations.
    pub(super) lead: u64,
    /// Write a word: before which exchange, where, which.
    pub(super) spoil: Option<(u64, usize, u64)>,
    /// Have written all cells of the next generation but the header's, or of the one behind it.
    pub(super) finish: Option<Finish>,
    /// Unmap what is accessed next when so many stops are over.
    pub(super) fault_from: Option<usize>,
    /// Unmap the cell that is exchanged: the one of this number.
    pub(super) fault_exchange: Option<u64>,
    /// Commit two generations whenever so many stops are over.
    pub(super) commits_every: usize,
}

/// Another writer has written all that there is to write.
#[derive(Clone, Copy)]
pub(super) struct Finish {
    /// Where the area is among the pages.
    pub(super) area: usize,
    /// Before the exchange of this number.
    pub(super) before: u64,
    /// How many generations it is ahead.
    pub(super) lead: u64,
}

impl Finish {
    /// Stamps the cells.
    fn stamp(&self, scene: &Scene, memory: &File) {
        let at = scene.address + (self.area as u64 + HEADER_SIZE);
        let mut bytes = vec![0; scene.size() - self.area - HEADER_SIZE as usize];
        memory.read_exact_at(&mut bytes, at).expect("the pages");
        let stamp = scene.get(self.area + 8) + 1 + self.lead;
        for cell in bytes.as_chunks_mut::<{ size_of::<Cell>() }>().0 {
            cell[8..].copy_from_slice(&stamp.to_ne_bytes());
        }
        memory.write_all_at(&bytes, at).expect("the pages");
    }
}

impl Others {
    pub(super) fn none() -> Self {
        Self {
            writes: Vec::new(),
            first_exchange: None,
            lead: 0,
            spoil: None,
            finish: None,
            fault_from: None,
            fault_exchange: None,
            commits_every: usize::MAX,
        }
    }
}

/// Makes a call over the scene, beside other threads, and again until each instruction with a
/// landing that it reaches has faulted once in some call. Returns how many exchanges the last one
/// made.
pub(super) fn call(
    walk: &mut Walk<'_>,
    scene: &Scene,
    name: &str,
    arguments: &[u64],
    others: &Others,
    round: u64,
) -> u64 {
    let prepared = walk.prepared(name, arguments);
    let mut faulted = std::mem::take(&mut walk.faulted);
    let mut exchanges;
    loop {
        scene.put(walk);
        exchanges = 0;
        let (mut injected, mut generation) = (false, scene.get(8));
        let mut fault_from = others.fault_from;
        walk.run(name, &prepared, &mut |stop: Stop<'_>| {
            let write = |address: u64, words: &[u64]| {
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
                stop.memory.write_all_at(&bytes, address).is_ok()
            };
            for (_, place, word) in others.writes.iter().filter(|(when, ..)| *when == stop.count) {
                assert!(write(scene.address + *place as u64, &[*word]), "the page can be written");
            }
            let is_time = stop.count % others.commits_every == others.commits_every - 1;
            if is_time && stop.count < COMMITS_UNTIL {
                generation = generation.wrapping_add(2);
                assert!(write(scene.address + 8, &[generation]), "the page can be written");
            }
            if stop.instruction.starts_with(&EXCHANGE) {
                if let Some((_, place, word)) =
                    others.spoil.filter(|(before, ..)| *before == exchanges)
                {
                    assert!(
                        write(scene.address + place as u64, &[word]),
                        "the page can be written"
                    );
                }
                if let Some(finish) = others.finish.filter(|finish| finish.before == exchanges) {
                    finish.stamp(scene, stop.memory);
                }
                if others.first_exchange == Some(exchanges) {
                    // The cell may be nowhere: then the exchange faults, too.
                    write(
                        stop.registers.r8,
                        &[1, stop.registers.rcx.wrapping_add(others.lead).wrapping_sub(1)],
                    );
                }
                exchanges += 1;
                if others.fault_exchange == Some(exchanges - 1) {
                    return Next::Raise(PAGE_FAULT);
                }
            }
            if stop.may_fault && fault_from.is_some_and(|from| stop.count >= from) {
                fault_from = None;
                return Next::Raise(PAGE_FAULT);
            }
            if stop.may_fault
                && !injected
                && faulted.insert((stop.offset, stop.instruction.to_vec()))
            {
                injected = true;
                return Next::Raise(PAGE_FAULT);
            }
            let answers = &ANSWERS[round as usize % ANSWERS.len()];
            let asks = |rax: u64| rax == u64::from(PRIVATE_BASE + PRIVATE_QUERY);
            if stop.instruction == SYSCALL && asks(stop.registers.rax) && answers.query.1 {
                // The kernel has the first area.
                assert!(write(stop.registers.rdi, &[scene.address, 512]), "the caller's stack");
            }
            answer(stop, &|registers| {
                if asks(registers.rax) { answers.query.0 } else { answers.others }
            })
        });
        if !injected {
            break;
        }
    }
    walk.faulted = faulted;
    exchanges
}
