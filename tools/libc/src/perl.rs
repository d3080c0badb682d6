//! Perl's own tests, on one musl and on the other, test by test.
//!
//! The interpreter is the one without loadable modules, `miniperl`, which Perl's build makes first
//! and which Perl's makefile has a set of tests for. It is compiled once, and names its loader by a
//! link in the suite's folder, which leads to one musl and then to the other. The shell and the
//! tools that tests start are busybox, which is linked with the same musl. So a test runs pinned
//! with all the processes that it starts. A script that ended differently is run once more.
//!
//! # Invariants
//!
//! 1. The folder is whole if it has its stamp; without one it is made anew.
//! 2. No program but busybox and the interpreter is on the path.

use crate::ends::{self, Ends, Results};
use crate::job;
use crate::musl::Musl;
use crate::programs::Program;
use crate::runner::Runner;
use anyhow::{Context as _, Result, ensure};
use liblinux_boot::cache::{self, Cache};
use liblinux_boot::progress::Progress;
use liblinux_boot::source_package;
use liblinux_guest::pinning::Report;
use liblinux_workspace::Workspace;
use liblinux_workspace::command::output;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Debian's source package.
const PACKAGE: &str = "perl";

/// How long a script may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The folders of the scripts.
const FOLDERS: [&str; 6] = ["base", "cmd", "comp", "io", "op", "run"];

/// The folder of the suite, with what differs between the two musls as links.
struct Place(PathBuf);

/// Runs the scripts on both.
pub(crate) fn run(
    workspace: &Workspace,
    cache: &Cache,
    busybox: &Program,
    runner: &Runner,
    musls: [&Musl; 2],
) -> Result<Results> {
    let [stock, rerouted] = musls;
    let shell = |musl: &Musl, kind| busybox.build(workspace, cache, musl, busybox.kind(kind));
    let [stock, rerouted] = [
        (stock.loader.clone(), shell(stock, "stock")?),
        (rerouted.loader.clone(), shell(rerouted, "rerouted")?),
    ];
    let place = Place::make(workspace, cache, musls[0], &stock)?;
    let scripts = place.scripts()?;
    let is_pinned = runner.is_complete()?;
    let mut progress = Progress::exact("running Perl's own tests on both musls", scripts.len());
    let (mut results, mut same) = (Results::default(), Ends::new());
    for script in &scripts {
        let mut once = || -> Result<[Ends; 2]> {
            place.choose(&stock)?;
            let (expected, _) = place.ends(script, runner, false)?;
            place.choose(&rerouted)?;
            let (found, report) = place.ends(script, runner, is_pinned)?;
            if let Some(report) = report {
                results.pinned.get_or_insert_default().add(&report);
            }
            Ok([expected, found])
        };
        let [expected, mut found] = once()?;
        let mut different = ends::differences(&expected, &found);
        if !different.is_empty() {
            let [expected, again] = once()?;
            // A test that ended the same once is the same.
            let now = ends::differences(&expected, &again);
            different = different.intersection(&now).cloned().collect();
            found = again;
            same.extend(ends::equal(&expected, &found));
        } else {
            same.append(&mut found);
        }
        results.different.extend(different);
        progress.advance(Some(script));
    }
    progress.finish();
    results.same = ends::counted(&same);
    Ok(results)
}

impl Place {
    /// Builds the interpreter, or finds it built.
    fn make(
        workspace: &Workspace,
        cache: &Cache,
        musl: &Musl,
        links: &(PathBuf, PathBuf),
    ) -> Result<Self> {
        let package = source_package::get(PACKAGE, cache)?;
        let place = Self(workspace.libc_check().join(format!("perl-{}", package.version)));
        let stamp = place.0.join("made");
        if fs::read_to_string(&stamp).is_ok_and(|key| key == musl.key) {
            return Ok(place);
        }
        cache::remove_tree(&place.0)?;
        fs::create_dir_all(place.0.join("bin"))
            .with_context(|| format!("cannot create {}", place.0.display()))?;
        // The build runs what it makes.
        place.choose(links)?;
        for tool in output(Command::new(&links.1).arg("--list"))?.lines() {
            symlink("../busybox", place.0.join("bin").join(tool))
                .with_context(|| format!("cannot create a link to {tool}"))?;
        }
        let tree = place.tree();
        package.unpack(&tree)?;
        eprintln!("building {PACKAGE} {} ...", package.version);
        let option = |name: &str, value: &str| format!("-D{name}={value}");
        let loader = place.0.join("loader");
        let compiler =
            format!("{} -Wl,--dynamic-linker={}", musl.compiler.display(), loader.display());
        let libc = workspace.stock_libc();
        let (library, headers) = (libc.join("lib"), libc.join("include"));
        let mut configure = Command::new("./Configure");
        // It looks for functions by programs, and not by the names that `nm` finds in a library.
        configure.args(["-des", "-Uusenm", "-Doptimize=-O1", "-Dlibs=-lm"]);
        configure.args(["-Dloclibpth=", "-Dlocincpth=", "-Dman1dir=none", "-Dman3dir=none"]);
        configure.arg(option("cc", &compiler)).arg(option("usrinc", &headers.to_string_lossy()));
        configure.arg(option("libpth", &library.to_string_lossy()));
        configure.arg(option("sh", &place.0.join("bin/sh").to_string_lossy()));
        output(configure.current_dir(&tree))?;
        let jobs = format!("-j{}", std::thread::available_parallelism().map_or(1, usize::from));
        for words in [&[&jobs[..], "miniperl"][..], &["minitest_prep"]] {
            output(Command::new("make").args(words).current_dir(&tree))?;
        }
        cache::write_whole(&stamp, &musl.key)?;
        Ok(place)
    }

    fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }

    /// Lets the links lead to a loader and a shell.
    fn choose(&self, (loader, shell): &(PathBuf, PathBuf)) -> Result<()> {
        for (name, target) in [("loader", loader), ("busybox", shell)] {
            let (link, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
            symlink(target, &new)
                .and_then(|()| fs::rename(&new, &link))
                .with_context(|| format!("cannot create the link {}", link.display()))?;
        }
        Ok(())
    }

    /// The scripts, by their names in the folder of tests.
    fn scripts(&self) -> Result<Vec<String>> {
        let mut scripts = Vec::new();
        for folder in FOLDERS {
            let path = self.tree().join("t").join(folder);
            let entries =
                fs::read_dir(&path).with_context(|| format!("Perl has no {}", path.display()))?;
            let names = entries.flatten().map(|entry| entry.file_name());
            let names = names.map(|name| format!("{folder}/{}", name.to_string_lossy()));
            scripts.extend(names.filter(|name| name.ends_with(".t")));
        }
        scripts.sort();
        Ok(scripts)
    }

    /// How the tests of a script end on the musl that was chosen.
    fn ends(
        &self,
        script: &str,
        runner: &Runner,
        is_pinned: bool,
    ) -> Result<(Ends, Option<Report>)> {
        let tests = self.tree().join("t");
        let report = self.0.join("report");
        let mut command = runner.command(is_pinned.then_some(report.as_path()));
        let text = fs::read(tests.join(script)).with_context(|| format!("cannot read {script}"))?;
        command.arg("./perl").args(switches(&String::from_utf8_lossy(&text))).arg(script);
        command.current_dir(&tests).env_clear();
        command.env("PATH", self.0.join("bin")).env("HOME", &self.0).env("PERL_SKIP_TTY_TEST", "1");
        let end = job::end(&mut command, LIMIT)?;
        let report = is_pinned.then(|| Report::take(&report)).transpose()?;
        let mut ends: Ends =
            end.said.lines().filter_map(verdict).map(|end| format!("{end} of {script}")).collect();
        ensure!(
            !ends.is_empty() || end.status.is_some(),
            "{script} of Perl neither ends nor says anything"
        );
        ends.push(match end.status {
            Some(0) => format!("PASS: the end of {script}"),
            Some(status) => format!("FAIL: the end of {script}, status {status}"),
            None => format!("FAIL: the end of {script}, which is not reached"),
        });
        Ok((ends, report))
    }
}

/// The switches in a script's first line, which Perl wants on its command line, too.
fn switches(text: &str) -> impl Iterator<Item = &str> {
    let line = text.lines().next().unwrap_or_default();
    line.split_whitespace().skip(1).filter(|word| line.starts_with("#!") && word.starts_with('-'))
}

/// A line of TAP that ends a test: its verdict and its number. Names can have addresses.
fn verdict(line: &str) -> Option<String> {
    let (is_good, rest) = match line.strip_prefix("not ok ") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok ")?),
    };
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let directive = rest.rsplit_once("# ").map(|(_, words)| words.to_ascii_lowercase());
    let is_left_out = directive.is_some_and(|words| words.starts_with("skip"));
    let word = if is_left_out {
        "SKIPPED"
    } else if is_good {
        "PASS"
    } else {
        "FAIL"
    };
    (!number.is_empty()).then(|| format!("{word}: test {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tap_have_a_verdict_and_a_number() {
        for (line, wanted) in [
            ("ok 1 - fork", Some("PASS: test 1")),
            ("ok 12", Some("PASS: test 12")),
            ("not ok 3 - SCALAR(0x7f00)", Some("FAIL: test 3")),
            ("ok 4 # skip no dynamic loading", Some("SKIPPED: test 4")),
            ("ok - without a number", None),
            ("1..4", None),
            ("# not ok 1", None),
        ] {
            assert_eq!(verdict(line).as_deref(), wanted, "{line}");
        }
    }

    #[test]
    fn switches_are_those_of_the_first_line() {
        let switches = |text| switches(text).collect::<Vec<_>>();
        assert_eq!(switches("#!./perl -T -w\nprint 1;\n"), ["-T", "-w"]);
        assert!(switches("#!./perl\n-T\n").is_empty());
        assert!(switches("print -T\n").is_empty());
    }
}
