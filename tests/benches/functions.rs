//! Every function of our image and of the kernel's C image, by criterion:
//! `cargo bench -p liblinux-tests --bench functions`.
//!
//! For following one image over time. To compare the two, see `ratios`.

use criterion::{BenchmarkId, Criterion};
use liblinux_tests::bench::call::Call;
use liblinux_tests::bench::case::{Bench, Case};
use liblinux_tests::bench::{images, pair};
use liblinux_tests::synthetic::Clocksource;
use std::process::ExitCode;
use std::time::Duration;

/// How long each function runs before it is measured, and while it is.
const WARM_UP: Duration = Duration::from_millis(200);
const MEASUREMENT: Duration = Duration::from_secs(1);

/// Calls between two writes of the data page: far less than a second of them.
const CALLS: u64 = 1000;

fn main() -> ExitCode {
    let source = Clocksource::measure();
    let bench = match pair::pin().and_then(|()| images()) {
        Ok(images) => Bench::new(images, source),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut criterion = Criterion::default()
        .warm_up_time(WARM_UP)
        .measurement_time(MEASUREMENT)
        .configure_from_args();
    for case in bench.cases() {
        if let Err(error) = bench.verify(case) {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
        let mut group = criterion.benchmark_group(&case.name);
        let calls = Call::alike([case.ours, case.reference, case.floor]);
        for (name, call) in ["liblinux", "reference", "floor"].into_iter().zip(calls) {
            group.bench_with_input(BenchmarkId::from_parameter(name), &call, |bencher, call| {
                bencher.iter_custom(|times| run(&bench, case, call, times, &source));
            });
        }
        group.finish();
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}

/// The time that so many calls take.
fn run(bench: &Bench, case: &Case, call: &Call, times: u64, source: &Clocksource) -> Duration {
    let mut ticks = 0;
    let mut left = times;
    while left > 0 {
        let calls = left.min(CALLS);
        bench.tick_for(case);
        ticks += call.time(calls);
        left -= calls;
    }
    Duration::from_secs_f64(source.nanoseconds(ticks) / 1e9)
}
