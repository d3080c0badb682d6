//! For any bytes the checker answers with a report, or says that it cannot read them.

#[path = "specimen/mod.rs"]
mod specimen;

use liblinux_check::{Lock, check};
use specimen::Specimen;

/// Rounds of random edits.
const ROUNDS: u64 = 250;

/// Numbers that follow from a seed (xorshift64), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Values that offsets, counts and sizes are most often wrong about.
const EDGES: [u64; 8] = [0, 1, 7, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX];

/// Where the tables are that everything else is found through.
fn tables(specimen: &Specimen) -> Vec<std::ops::Range<usize>> {
    let view = specimen.image.view();
    let sections =
        view.sections().expect("sections").iter().filter(|section| section.name != ".text");
    let ranges = sections.map(|section| {
        section.header.sh_offset as usize
            ..(section.header.sh_offset + section.header.sh_size) as usize
    });
    let headers = [
        0..288,
        view.header.e_shoff as usize
            ..view.header.e_shoff as usize + 64 * usize::from(view.header.e_shnum),
    ];
    headers.into_iter().chain(ranges.filter(|range| range.len() > 8)).collect()
}

fn answers(specimen: &Specimen, with_debug: bool) {
    let debug = with_debug.then_some(specimen.debug.bytes.as_slice());
    if let Ok(report) = check(&specimen.image.bytes, debug, Some(&specimen.lock)) {
        assert!(!report.to_string().is_empty());
    }
}

#[test]
fn no_edit_makes_the_checker_panic() {
    let good = Specimen::good();
    let tables = tables(&good);
    let mut numbers = Numbers(0x5eed_11b1_1111);
    for round in 0..ROUNDS {
        let mut broken = good.clone();
        for _ in 0..=numbers.below(4) {
            let table = &tables[numbers.below(tables.len())];
            let at = table.start + numbers.below(table.len() - 8);
            let target = if round % 3 == 0 { &mut broken.debug } else { &mut broken.image };
            match numbers.below(3) {
                0 => target.bytes[at] ^= 1 << numbers.below(8),
                1 => target.put32(at & !3, EDGES[numbers.below(6)] as u32),
                _ => target.put64(at & !7, EDGES[numbers.below(8)]),
            }
        }
        answers(&broken, round % 2 == 0);
    }
}

#[test]
fn no_edit_of_headers_makes_the_checker_panic() {
    let good = Specimen::good();
    // Every field of the headers in turn, with values at the edges.
    for at in (0..288).step_by(4) {
        for edge in [0, 0x7fff_ffff, u64::MAX] {
            let mut broken = good.clone();
            broken.image.put32(at, edge as u32);
            answers(&broken, false);
        }
    }
}

#[test]
fn no_truncation_makes_the_checker_panic() {
    let good = Specimen::good();
    let mut numbers = Numbers(0x5eed_7254_ca7e);
    let len = good.image.bytes.len();
    for cut in (0..70).step_by(7).chain((0..30).map(|_| numbers.below(len))) {
        let mut broken = good.clone();
        broken.image.bytes.truncate(cut);
        answers(&broken, true);
        broken.image = good.image.clone();
        broken.debug.bytes.truncate(cut);
        answers(&broken, true);
    }
}

#[test]
fn no_text_makes_the_lock_reader_panic() {
    let text = Specimen::good().lock.to_string().into_bytes();
    let mut numbers = Numbers(0x5eed_10c4_10c4);
    for _ in 0..ROUNDS {
        let mut broken = text.clone();
        let at = numbers.below(broken.len());
        broken[at] = numbers.next() as u8;
        broken.truncate(numbers.below(text.len()));
        let _ = Lock::parse(&String::from_utf8_lossy(&broken));
    }
}
