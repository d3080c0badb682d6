//! Judges the vDSO images of Debian's kernels, of every machine and release.
//!
//! `cargo run --release -p liblinux-check --example matrix [PACKAGE...]`
//!
//! takes the images out of the packages (or out of any other file that holds images), keeps them
//! in `~/.cache/liblinux/images`, where the test `real` judges them, and prints what each gets.
//! Without an argument it judges those that are kept. Packages come from `apt-get download`, for
//! another machine behind `dpkg --add-architecture`:
//!
//! ```text
//! apt-get download linux-image-6.12.117+deb13-arm64:arm64
//! ```

#[path = "../tests/kept/mod.rs"]
mod kept;

use liblinux_check::check;
use liblinux_check::source::Source;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Takes the images out of a source and keeps them.
fn keep(source: &Path) -> Result<(), String> {
    let folder = kept::folder();
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for found in Source::Path(source.to_owned()).images()? {
        let file = folder.join(kept::name_of(&found.name));
        std::fs::write(&file, &found.bytes)
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    for source in std::env::args().skip(1).map(PathBuf::from) {
        if let Err(error) = keep(&source) {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    }
    let mut refused = false;
    for (name, bytes) in kept::images() {
        let report = match check(&bytes, None, None) {
            Ok(report) => report,
            Err(error) => {
                println!("{name}: {error}");
                refused = true;
                continue;
            }
        };
        let (held, all) = (report.held(), report.judgements.len());
        let not_judged = report.not_judged().count();
        println!("{name}: {}, {held} of {all} hold, {not_judged} not judged", report.profile.name);
        for finding in report.findings() {
            println!("  {}: {}: {}", finding.severity.name(), finding.rule.name, finding.what);
        }
        refused |= !report.is_good();
    }
    if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
