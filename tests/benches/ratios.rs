//! `cargo xtask bench`: the ratios of our image to the kernel's C image, as a table, a file and a
//! picture.
//!
//! Criterion measures one function after the other; ratios need them in turns (see
//! `liblinux_tests::bench::pair`).

use liblinux_tests::bench::case::Bench;
use liblinux_tests::bench::report::{Code, Row, table};
use liblinux_tests::bench::{c_image, images, pair, picture};
use liblinux_tests::synthetic::Clocksource;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How often both images are mapped anew: a mapping's physical pages, which decide its place in
/// caches, are chance.
const MAPPINGS: usize = 5;

/// Rounds for each case and mapping.
const ROUNDS: usize = 101;

/// Compares our image with the kernel's C image.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the ratios to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Measure only cases whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// What cargo gives every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match perform(&clap::Parser::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &Arguments) -> Result<(), String> {
    let code = Code::read(&c_image()?)?;
    let source = Clocksource::measure();
    pair::pin()?;
    let benches = (0..MAPPINGS)
        .map(|_| Ok(Bench::new(images()?, source)))
        .collect::<Result<Vec<_>, String>>()?;
    let mut rows = Vec::new();
    for index in 0..benches[0].cases().len() {
        let case = &benches[0].cases()[index];
        if !case.name.contains(&arguments.only) {
            continue;
        }
        let mut rounds = Vec::new();
        for bench in &benches {
            let case = &bench.cases()[index];
            bench.verify(case)?;
            rounds.extend(pair::measure(bench, case, &source, ROUNDS));
        }
        rows.push(Row::new(case, &rounds, &code));
    }
    if rows.is_empty() {
        return Err(format!("no case's name contains `{}`", arguments.only));
    }
    println!("{}", table(&rows));
    println!("TSC at {} kHz, multiplier {}, shift {}", source.khz, source.mult, source.shift);
    println!(
        "ratio: ours / C image (getppid: libc's syscall(); cancellable: __vdso_syscall; legacy calls: the bare call); bytes: ours+cold / C image"
    );
    let over: Vec<_> =
        rows.iter().filter(|row| !row.is_good()).map(|row| row.name.as_str()).collect();
    let judged = rows.iter().filter(|row| row.target.is_some()).count();
    println!("{} of {judged} within their targets", judged - over.len());
    if !over.is_empty() {
        println!("over: {}", over.join(", "));
    }
    if let Some(path) = &arguments.json {
        write(path, &serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?)?;
    }
    if let Some(path) = &arguments.svg {
        write(path, &picture::svg(&rows))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let complain = |error: std::io::Error| format!("cannot write {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(complain)?;
    }
    std::fs::write(path, text).map_err(complain)?;
    println!("{}", path.display());
    Ok(())
}
