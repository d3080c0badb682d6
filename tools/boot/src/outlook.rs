//! The steps of a run and about how long they take, said before the first of them.
//!
//! A first run builds kernels, which takes minutes; a later one finds them built, or links a new
//! image into them. So each step says how long it took the last time on this machine. The first
//! build of a kernel has a figure from another machine, and the guests have none until they ran
//! once.
//!
//! # Invariants
//!
//! 1. Looking changes nothing: it takes no lock, makes no folder and installs nothing.

use crate::bootable::{self, Bootable, Origin};
use crate::case::Case;
use crate::options::Options;
use crate::tree::Stage;
use crate::{cases, config, packages};
use liblinux_workspace::Workspace;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

/// How many times as long the build of a kernel takes that looks for its own faults.
const DEBUG_FACTOR: u32 = 3;

/// The steps of a run.
#[derive(Debug)]
pub(crate) struct Outlook {
    /// The words for what is run.
    subject: String,
    missing: Vec<&'static str>,
    kernels: Vec<Step>,
    guests: Option<Guests>,
}

/// A kernel that is to be there.
#[derive(Debug)]
struct Step {
    configuration: String,
    stage: Stage,
    /// How long it took the last time here.
    last: Option<Duration>,
    /// How long a first build takes elsewhere.
    usual: Duration,
}

/// The guests that boot.
#[derive(Debug)]
struct Guests {
    count: usize,
    at_once: usize,
    /// How long they took the last time here, if each has run.
    last: Option<Duration>,
}

impl Outlook {
    /// The outlook of a run that boots `cases`, with its files in `folder`.
    pub(crate) fn of_cases(options: &Options, folder: &Path, cases: &[Case]) -> Self {
        let mut kernels: Vec<(String, Step)> = Vec::new();
        for case in cases {
            let key = Bootable::key(case);
            if !kernels.iter().any(|(known, _)| *known == key) {
                let image = Bootable::image(case, options);
                let mut step = Step::of(&options.origin(), &case.config, image);
                // A kernel is built once; with another image it is linked alone.
                if kernels.iter().any(|(_, known)| known.configuration == step.configuration)
                    && step.stage == Stage::New
                {
                    (step.stage, step.last) = (Stage::Linked, None);
                }
                kernels.push((key, step));
            }
        }
        let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        Self {
            subject: format!("{}: {}", cases::count(cases.len()), names.join(", ")),
            missing: missing(),
            kernels: kernels.into_iter().map(|(_, step)| step).collect(),
            guests: Some(Guests::of(folder, cases)),
        }
    }

    /// The outlook of a guest with the smallest kernel for one program.
    pub(crate) fn of_program(origin: &Origin<'_>, image: &Path, name: &str) -> Self {
        let kernels = vec![Step::of(origin, config::SMALLEST, image)];
        Self { subject: format!("a guest for {name}"), missing: missing(), kernels, guests: None }
    }

    /// The time of all steps, if each is known.
    fn whole(&self) -> Option<Duration> {
        let kernels: Option<Duration> = self.kernels.iter().map(Step::time).sum();
        let guests = match &self.guests {
            Some(guests) => guests.last?,
            None => Duration::ZERO,
        };
        kernels.map(|kernels| kernels + guests).filter(|_| self.missing.is_empty())
    }
}

impl Step {
    fn of(origin: &Origin<'_>, configuration: &str, image: &Path) -> Self {
        let (stage, last) = bootable::outlook(origin, configuration, image);
        let folder = Workspace::at(origin.root).kernel_config(origin.line);
        let fragment = config::fragment(&folder, configuration).unwrap_or_default();
        let factor = if config::looks_for_faults(&fragment) { DEBUG_FACTOR } else { 1 };
        let usual = Duration::from_secs(origin.line.build_s) * factor;
        let configuration = format!("{} {configuration}", origin.line.version);
        Self { configuration, stage, last, usual }
    }

    /// How long it takes; none if that is not known.
    fn time(&self) -> Option<Duration> {
        match self.stage {
            Stage::Built => Some(Duration::ZERO),
            Stage::Linked => self.last,
            Stage::New => Some(self.last.unwrap_or(self.usual)),
        }
    }
}

impl Guests {
    fn of(folder: &Path, cases: &[Case]) -> Self {
        let at_once = available_parallelism().map_or(1, usize::from).min(cases.len()).max(1);
        let seconds = |case: &Case| -> Option<f64> {
            fs::read_to_string(record(&folder.join(&case.name))).ok()?.trim().parse().ok()
        };
        let each: Option<Vec<f64>> = cases.iter().map(seconds).collect();
        let last = each.map(|each| {
            let longest = each.iter().copied().fold(0.0, f64::max);
            Duration::from_secs_f64(
                (each.iter().sum::<f64>() / at_once as f64).max(longest).max(0.0),
            )
        });
        Self { count: cases.len(), at_once, last }
    }
}

/// The file in a guest's folder that says how many seconds the guest ran.
pub(crate) fn record(folder: &Path) -> PathBuf {
    folder.join("seconds")
}

fn missing() -> Vec<&'static str> {
    packages::missing(packages::BOOT).iter().map(|package| package.name).collect()
}

impl fmt::Display for Outlook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = match self.whole() {
            Some(time) => format!(", {} in all", about(time)),
            None => String::new(),
        };
        write!(formatter, "going to boot {}{whole}", self.subject)?;
        if !self.missing.is_empty() {
            write!(formatter, "\n  Debian packages to install: {}", self.missing.join(" "))?;
        }
        for Step { configuration, stage, last, usual } in &self.kernels {
            write!(formatter, "\n  kernel `{configuration}`: ")?;
            match (stage, last) {
                (Stage::Built, _) => write!(formatter, "it is built")?,
                (Stage::Linked, Some(last)) => {
                    write!(formatter, "to link with the new image, {}", about(*last))?
                }
                (Stage::Linked, None) => write!(
                    formatter,
                    "to link with the new image, under half a minute on two idle processors"
                )?,
                (Stage::New, Some(last)) => write!(
                    formatter,
                    "to unpack, patch and build, once; {}, as the last time",
                    about(*last)
                )?,
                (Stage::New, None) => write!(
                    formatter,
                    "to unpack, patch and build, once; {} on two idle processors",
                    about(*usual)
                )?,
            }
        }
        if let Some(Guests { count, at_once, last }) = &self.guests {
            write!(formatter, "\n  guests: {count}, {at_once} at a time")?;
            if let Some(last) = last {
                write!(formatter, ", {}", about(*last))?;
            }
        }
        Ok(())
    }
}

/// A time as a person says it.
fn about(time: Duration) -> String {
    match time.as_secs() {
        0..=1 => "a second or two".to_owned(),
        seconds @ 2..=90 => format!("about {seconds} s"),
        seconds => format!("about {} minutes", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(stage: Stage, last: Option<u64>) -> Step {
        let last = last.map(Duration::from_secs);
        Step { configuration: "smoke".into(), stage, last, usual: Duration::from_secs(264) }
    }

    fn outlook(kernel: Step, last: Option<u64>) -> Outlook {
        let guests = Guests { count: 2, at_once: 2, last: last.map(Duration::from_secs) };
        Outlook {
            subject: "2 cases: a, b".into(),
            missing: Vec::new(),
            kernels: vec![kernel],
            guests: Some(guests),
        }
    }

    #[test]
    fn the_first_time_says_minutes_and_later_ones_seconds() {
        let first = outlook(step(Stage::New, None), None).to_string();
        assert!(first.contains("build, once; about 4 minutes on two idle processors"), "{first}");
        assert!(first.starts_with("going to boot 2 cases: a, b\n"), "{first}");
        let again = outlook(step(Stage::New, Some(150)), Some(20)).to_string();
        assert!(
            again.contains("b, about 3 minutes in all") && again.contains("as the last time"),
            "{again}"
        );
        let later = outlook(step(Stage::Linked, Some(14)), Some(20)).to_string();
        assert!(
            later.contains("about 34 s in all") && later.contains("image, about 14 s"),
            "{later}"
        );
        let nothing = outlook(step(Stage::Built, None), Some(20)).to_string();
        assert!(
            nothing.contains("it is built") && nothing.contains("2 at a time, about 20 s"),
            "{nothing}"
        );
    }

    #[test]
    fn packages_are_named_and_leave_the_time_open() {
        let mut outlook = outlook(step(Stage::Built, None), Some(20));
        outlook.missing = vec!["flex", "bison"];
        let text = outlook.to_string();
        assert!(text.contains("to install: flex bison") && !text.contains("in all"), "{text}");
    }

    #[test]
    fn guests_take_as_long_as_their_files_say() {
        let folder = tempfile::tempdir().unwrap();
        let case = |name: &str| {
            let mut case = Case::parse(name, crate::case::tests::SMALL).unwrap();
            case.name = name.into();
            case
        };
        let cases = [case("a"), case("b")];
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(record(&folder.path().join("a")), "7.5").unwrap();
        assert_eq!(Guests::of(folder.path(), &cases).last, None, "one has not run");
        assert_eq!(Guests::of(folder.path(), &cases[..1]).last, Some(Duration::from_secs_f64(7.5)));
    }
}
