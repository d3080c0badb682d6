//! A case: one boot of one guest, described by a data file.
//!
//! Boots differ by matrix (which image, which clock source, how many CPUs), not by test, so a case
//! is data and adding one is adding a file to `qemu/cases`; its name is the file's. The file also
//! says what must be seen, so that a guest which boots with something else fails: a control that
//! runs the wrong image would prove nothing.
//!
//! Most cases are judged by themselves. A case that another says it is the control of
//! (`control_of`) is judged by the difference between the two ([`crate::control`]); the two run the
//! same programs, which only the first lists, and neither runs without the other.
//!
//! # Invariants
//!
//! 1. A key that is not known here is an error: a misspelt expectation is not silently dropped.
//! 2. A case runs at least one program, and no two under one name.

use crate::config;
use crate::libc::Libc;
use crate::programs::{self, Program as Built};
use crate::qemu::Limits;
use anyhow::{Result, ensure};
use liblinux_protocol::case::{Check, Program};
use liblinux_workspace::{Line, line};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeSet;
use std::time::Duration;

/// The time that a guest may take beside its programs.
const BOOT_AND_END_S: u32 = 60;

/// One file of `qemu/cases`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// One line for `--list`.
    pub about: String,
    /// Whether the case runs when none is named.
    #[serde(default)]
    pub default: bool,
    /// Whether it takes longer than a run of all tests may: it runs when it is named, and only
    /// then.
    #[serde(default)]
    pub long: bool,
    /// Whether a run of all tests boots it on every kernel line, and not on the default one alone.
    #[serde(default)]
    pub every_line: bool,
    /// Words added to the kernel command line, behind the one that chooses the image.
    #[serde(default)]
    pub command_line: String,
    /// Virtual CPUs.
    #[serde(default = "one")]
    pub cpus: u32,
    /// Whether the processor's time-stamp counter counts instructions, one each. Takes one CPU.
    #[serde(default)]
    pub counts_instructions: bool,
    /// Whether the processor has no SMAP. QEMU before 9.1 takes the stack of an `iretq` in user
    /// mode for the kernel's, which SMAP forbids.
    #[serde(default)]
    pub lacks_smap: bool,
    /// Memory of the guest, in MiB.
    #[serde(default = "memory_mib")]
    pub memory_mib: u32,
    /// Seconds until the guest must have printed the first line of its verdict.
    #[serde(default = "boot_s")]
    pub boot_s: u32,
    /// Seconds for which its verdict may stay as it is, once it has begun.
    #[serde(default = "quiet_s")]
    pub quiet_s: u32,
    /// Lines that the kernel's log must have, for a kernel that looks for faults.
    #[serde(default)]
    pub log_says: Vec<String>,
    /// The kernel's configuration: a fragment of `qemu/config`, added to the smallest one.
    #[serde(default = "smallest")]
    pub config: String,
    /// Which image the programs must see.
    pub image: Image,
    /// The musl on which its programs run, which are then selftests of the kernel.
    pub libc: Option<Libc>,
    /// Which clock source the guest's kernel must have chosen.
    pub clocksource: String,
    /// The case that this one runs the programs of, on the other image or the other musl.
    pub control_of: Option<String>,
    /// The case whose control this is, or the control of this one.
    #[serde(skip)]
    pub partner: Option<String>,
    /// Files that its programs use: names that [`crate::programs`] knows how to build.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The case that must have run before, in another guest: the files that that one left in
    /// `/kept` are there again.
    pub follows: Option<String>,
    /// Its programs, in the order in which they run.
    #[serde(rename = "program", default)]
    pub programs: Vec<CaseProgram>,
}

/// A program of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseProgram {
    /// A name that [`crate::programs`] knows how to build.
    pub name: String,
    /// The kernel line that alone has it; all have it if none is given.
    pub kernel: Option<String>,
    /// How the guest judges it.
    #[serde(deserialize_with = "check")]
    pub check: Check,
    /// Seconds after which it is killed. It must print something each [`Case::quiet_s`] all the
    /// same.
    #[serde(default = "limit_s")]
    pub limit_s: u32,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The image's functions that its libc must have resolved.
    #[serde(default)]
    pub resolves: Vec<String>,
    /// Whether its measurements are shown: diagnostics of its tests of the form `WHAT: FIGURES`.
    #[serde(default)]
    pub figures: bool,
}

/// Which image is at `AT_SYSINFO_EHDR`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Image {
    /// The project's.
    Rust,
    /// An update of the project's image, with other code behind the same offsets.
    Update,
    /// The kernel's own.
    C,
}

impl Image {
    /// The word of the kernel's command line that chooses it.
    pub(crate) fn word(self, line: &Line) -> String {
        let image = match self {
            Self::Rust | Self::Update => "rust",
            Self::C => "c",
        };
        format!("{}={image}", line.parameter)
    }
}

impl CaseProgram {
    fn is_on(&self, line: &Line) -> bool {
        self.kernel.as_ref().is_none_or(|version| version == line.version)
    }
}

impl Case {
    /// Reads the text of the case called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let mut case: Self = toml::from_str(text).map_err(|error| anyhow::anyhow!("{error}"))?;
        name.clone_into(&mut case.name);
        match &case.control_of {
            None => {
                ensure!(!case.programs.is_empty(), "it runs no program, so it would prove nothing")
            }
            Some(other) => {
                ensure!(case.programs.is_empty(), "it runs the programs of `{other}` and no others")
            }
        }
        ensure!(
            !(case.default && case.long),
            "a case that runs when none is named cannot be a long one"
        );
        ensure!(
            !(case.every_line && case.long),
            "a run of all tests leaves a long case out, on every line"
        );
        ensure!(case.cpus > 0 && case.memory_mib >= 64, "a guest needs a CPU and 64 MiB of memory");
        ensure!(
            case.cpus == 1 || !case.counts_instructions,
            "instructions are counted on one CPU only"
        );
        let mut seen = BTreeSet::new();
        for program in &case.programs {
            if let Some(version) = &program.kernel {
                line::find(version)?;
            }
            ensure!(seen.insert(&program.name), "program `{}` is listed twice", program.name);
            for word in program.arguments.iter().chain([&program.name]) {
                ensure!(
                    !word.contains(['\t', '\n']),
                    "`{}`: tabs and line ends separate fields in the guest",
                    word.escape_debug()
                );
            }
        }
        Ok(case)
    }

    /// The same without the programs that a kernel line does not have.
    pub fn on(mut self, line: &Line) -> Self {
        self.programs.retain(|program| program.is_on(line));
        self
    }

    /// Whether a kernel line has any of its programs.
    pub fn is_on(&self, line: &Line) -> bool {
        self.programs.iter().any(|program| program.is_on(line))
    }

    /// Whether a run of all tests boots it on a line: on the default one, on each if it says so,
    /// and where alone its programs are.
    pub fn is_tested_on(&self, line: &Line) -> bool {
        let is_elsewhere = line != line::DEFAULT && self.is_on(line::DEFAULT);
        !self.long && self.is_on(line) && (self.every_line || !is_elsewhere)
    }

    /// How long its guest may take: for its programs as long as they may, and a minute to boot and
    /// to end.
    pub fn limits(&self) -> Limits {
        let programs: u32 = self.programs.iter().map(|program| program.limit_s).sum();
        let seconds = |count: u32| Duration::from_secs(count.into());
        Limits {
            first_line: seconds(self.boot_s),
            each_line: seconds(self.quiet_s),
            overall: seconds(programs) + seconds(self.boot_s.max(BOOT_AND_END_S)),
        }
    }

    /// The names of all files that go into the guest.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let programs = self.programs.iter().map(|program| program.name.as_str());
        programs.chain(self.tools.iter().map(String::as_str))
    }

    /// The program that a name among its files stands for.
    pub(crate) fn program(&self, name: &str) -> Result<Built> {
        let program = programs::find(name)?;
        if self.libc.is_some() { program.for_musl() } else { Ok(program) }
    }

    /// The guest's case file ([`liblinux_protocol::case`]).
    pub fn guest_file(&self, path_of: impl Fn(&str) -> Result<String>) -> Result<String> {
        let mut file = String::new();
        for program in &self.programs {
            let program = Program {
                name: program.name.clone(),
                check: program.check,
                limit: Duration::from_secs(program.limit_s.into()),
                path: path_of(&program.name)?,
                arguments: program.arguments.clone(),
            };
            file += &program.line();
        }
        Ok(file)
    }
}

/// Reads the word of a check.
fn check<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Check, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn smallest() -> String {
    config::SMALLEST.to_owned()
}

fn one() -> u32 {
    1
}

fn boot_s() -> u32 {
    20
}

fn quiet_s() -> u32 {
    60
}

fn limit_s() -> u32 {
    50
}

fn memory_mib() -> u32 {
    256
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const SMALL: &str = r#"
        about = "x"
        default = true
        image = "c"
        clocksource = "tsc"
        [[program]]
        name = "busybox"
        check = "date"
        arguments = ["date", "+%s"]
    "#;

    #[test]
    fn the_guest_file_is_tab_separated() {
        let case = Case::parse("small", SMALL).unwrap();
        let file = case.guest_file(|name| Ok(format!("/bin/{name}"))).unwrap();
        assert_eq!(file, "busybox\tdate\t50\t/bin/busybox\tdate\t+%s\n");
        assert_eq!((case.cpus, case.memory_mib, case.image), (1, 256, Image::C));
    }

    #[test]
    fn a_program_of_one_kernel_line_runs_on_that_alone() {
        let [one, other] = [&line::LINES[0], &line::LINES[1]];
        let kernel = format!("kernel = '{}'\ncheck =", one.version);
        let case = Case::parse("some", &SMALL.replace("check =", &kernel)).unwrap();
        assert_eq!(case.clone().on(one).programs.len(), 1);
        assert!(case.is_tested_on(one) && !case.is_tested_on(other));
        assert_eq!(case.on(other).programs.len(), 0);
    }

    #[test]
    fn a_run_of_all_tests_boots_a_case_on_the_lines_that_it_is_for() {
        let default = line::DEFAULT;
        let other = line::LINES.iter().find(|line| *line != default).unwrap();
        let tested = |text: &str| {
            let case = Case::parse("some", text).unwrap();
            [case.is_tested_on(default), case.is_tested_on(other)]
        };
        assert_eq!(tested(SMALL), [true, false]);
        assert_eq!(tested(&SMALL.replace("default", "every_line")), [true, true]);
        assert_eq!(tested(&SMALL.replace("default", "long")), [false, false]);
        let of_other = format!("kernel = '{}'\ncheck =", other.version);
        assert_eq!(tested(&SMALL.replace("check =", &of_other)), [false, true]);
    }

    #[test]
    fn refuses() {
        for (from, to, because) in [
            ("about", "abuot", "unknown field `abuot`"),
            ("\"c\"", "\"d\"", "unknown variant `d`"),
            ("[\"date\"", "[\"da\\tte\"", "separate fields"),
            ("default = true", "long = true\nevery_line = true", "on every line"),
            ("default", "cpus = 0\ndefault", "needs a CPU"),
            ("default", "long = true\ndefault", "cannot be a long one"),
            ("default", "cpus = 2\ncounts_instructions = true\ndefault", "on one CPU"),
            ("clocksource = \"tsc\"", "", "missing field `clocksource`"),
            ("check =", "kernel = '2.6'\ncheck =", "`2.6` is not a kernel"),
        ] {
            let error = format!("{:#}", Case::parse("bad", &SMALL.replace(from, to)).unwrap_err());
            assert!(error.contains(because), "{error}");
        }
        let (head, program) = SMALL.split_once("[[").unwrap();
        let twice = format!("{SMALL}[[{program}");
        assert!(Case::parse("bad", &twice).unwrap_err().to_string().contains("listed twice"));
        let none = format!("{head} program = []");
        assert!(Case::parse("bad", &none).unwrap_err().to_string().contains("no program"));
    }
}
