//! `cargo xtask bench`, second part: exception fixups on this kernel.

use comfy_table::{Table, presets};
use liblinux_tests::bench::fixup::{Registry, Traffic, fault, look_up};
use liblinux_tests::bench::frame::{Steps, call_in_vain, return_by_iretq};
use liblinux_tests::bench::pair::{Spread, pin};
use liblinux_tests::fixup::probe::Probe;
use liblinux_tests::synthetic::{Clocksource, ticks};
use std::process::ExitCode;

/// Rounds of everything.
const ROUNDS: usize = 61;

/// Sizes of registries: DSOs, entries of each.
const SMALL: (usize, usize) = (1, 1);
const LARGE: (usize, usize) = (1024, 4096);

/// How many addresses are looked up in turns: one that faults again and again, some, and more than
/// caches hold.
const ADDRESSES: [u64; 4] = [1, 64, 1024, 65_536];

/// Lookups of a round, at least.
const LOOKUPS: u64 = 4096;

/// What a fault by `dispatch` may cost over one by a handler that knows its landing.
const DISPATCH_TARGET: f64 = 1.05;

/// The same of a fault that a landing with a frame steps over and resumes: `iretq` alone, which the
/// landing needs and a handler does not, is more than the look-up.
const FRAME_TARGET: f64 = 1.15;

/// Nanoseconds that a lookup may take.
const LOOKUP_TARGET_NS: f64 = 60.0;

/// Nanoseconds that a registration or a removal may take beside so many DSOs, splits and merges of
/// chunks included.
const REGISTER_TARGETS_NS: [(usize, f64); 4] = [(1, 5e3), (32, 5e3), (1024, 5e3), (65_536, 20e3)];

fn main() -> ExitCode {
    match perform() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform() -> Result<(), String> {
    let source = Clocksource::measure();
    pin()?;
    let time = |work: &dyn Fn(u64), times: u64| {
        let start = ticks();
        work(times);
        source.nanoseconds(ticks() - start) / times as f64
    };
    let (mut judged, mut over) = (0, Vec::new());
    let mut judge = |what: &str, value: f64, target: f64| {
        judged += 1;
        if value > target {
            over.push(what.to_owned());
        }
    };
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["what", "ns", "10%..90%", "against", "ratio", "10%..90%", "target"]);
    let registries =
        [SMALL, LARGE].map(|(dsos, entries)| (dsos, entries, Registry::new(dsos, entries)));
    let probe = Probe::named("load");
    let mut pair = |what: String, target: f64, work: &dyn Fn(u64, bool)| {
        let rounds: Vec<[f64; 2]> = (0..ROUNDS)
            .map(|_| {
                let by = |is_dispatch| time(&|times| work(times, is_dispatch), 100);
                let there = [by(true), by(false)];
                let back = [by(false), by(true)];
                [(there[0] + back[1]) / 2.0, (there[1] + back[0]) / 2.0]
            })
            .collect();
        let [ours, other] = [0, 1].map(|index| Spread::of(rounds.iter().map(|round| round[index])));
        let ratio = Spread::of(rounds.iter().map(|round| round[0] / round[1]));
        judge(&what, ratio.median, target);
        table.add_row([
            what,
            format!("{:.0}", ours.median),
            format!("{:.0}..{:.0}", ours.low, ours.high),
            format!("{:.0} by a handler that knows", other.median),
            format!("{:.3}", ratio.median),
            format!("{:.3}..{:.3}", ratio.low, ratio.high),
            format!("{target:.2}"),
        ]);
    };
    for (dsos, entries, registry) in &registries {
        if registry.area.register(&probe.dso()) != 0 {
            return Err("the probe cannot be registered".into());
        }
        let what = format!("a fault by dispatch, {dsos} x {entries}");
        pair(what, DISPATCH_TARGET, &|times, is_dispatch| fault(registry, times, is_dispatch));
    }
    let steps = Steps::new();
    let what = "a fault by dispatch, stepped over in a frame".to_owned();
    pair(what, FRAME_TARGET, &|times, is_dispatch| steps.step_over(times, is_dispatch));
    let mut single = |what: String, target: Option<f64>, round: &dyn Fn() -> f64| {
        let spread = Spread::of((0..ROUNDS).map(|_| round()));
        if let Some(target) = target {
            judge(&what, spread.median, target);
        }
        let target = target.map_or_else(String::new, |target| format!("{target:.0} ns"));
        let range = format!("{:.1}..{:.1}", spread.low, spread.high);
        let none = String::new;
        table.add_row([
            what,
            format!("{:.1}", spread.median),
            range,
            none(),
            none(),
            none(),
            target,
        ]);
    };
    let parts: [(&str, &dyn Fn(u64)); 2] = [
        ("iretq in user space", &return_by_iretq),
        ("a call that the kernel lacks", &call_in_vain),
    ];
    for (what, work) in parts {
        single(what.to_owned(), None, &|| time(work, LOOKUPS));
    }
    for (dsos, entries, registry) in &registries {
        for different in ADDRESSES {
            let addresses =
                registry.addresses(different).repeat((LOOKUPS / different).max(1) as usize);
            let target = (different < 1024).then_some(LOOKUP_TARGET_NS);
            single(
                format!("lookup, {dsos} x {entries}, of {different} addresses"),
                target,
                &|| time(&|_| look_up(registry, &addresses), addresses.len() as u64),
            );
        }
    }
    for (dsos, target) in REGISTER_TARGETS_NS {
        let traffic = Traffic::beside(dsos);
        let [come, go]: [&dyn Fn() -> f64; 2] = [
            &|| {
                let spent = time(&|_| traffic.come(), traffic.visitors());
                traffic.go();
                spent
            },
            &|| {
                traffic.come();
                time(&|_| traffic.go(), traffic.visitors())
            },
        ];
        single(format!("register beside {dsos}"), Some(target), come);
        single(format!("unregister beside {dsos}"), Some(target), go);
    }
    println!("{table}");
    println!("{} of {judged} within their targets", judged - over.len());
    if !over.is_empty() {
        println!("over: {}", over.join(", "));
    }
    Ok(())
}
