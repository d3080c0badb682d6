//! A case: one boot of one guest, described by a data file.
//!
//! Boots differ by matrix (which image, which clock source, how many CPUs), not by test, so a case is data and adding
//! one is adding a file to `qemu/cases`; its name is the file's. The file also says what must be seen, so that a guest
//! which boots with something else is caught: a control that runs the wrong image would prove nothing.
//!
//! Most cases are judged by themselves. A case that another says it is the control of (`control_of`) is judged by the
//! difference between the two ([`crate::control`]); the two run the same programs, which only the first lists, and
//! neither runs without the other.
//!
//! # Invariants
//!
//! 1. A key that is not known here is an error: a misspelt expectation is not silently dropped.
//! 2. A case runs at least one program, and no two under one name.
//! 3. Of a case and its control, [`choose`] returns both or none; of a case that follows another, both.
//! 4. What a case follows, follows nothing itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::config;

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
    /// Whether it takes longer than a run of all tests may: it runs when it is named, and only then.
    #[serde(default)]
    pub long: bool,
    /// Words added to the kernel command line.
    #[serde(default)]
    pub command_line: String,
    /// Virtual CPUs.
    #[serde(default = "one")]
    pub cpus: u32,
    /// Whether the processor's time-stamp counter counts instructions, one each. Takes one CPU.
    #[serde(default)]
    pub counts_instructions: bool,
    /// Memory of the guest, in MiB.
    #[serde(default = "memory_mib")]
    pub memory_mib: u32,
    /// The kernel's configuration: a fragment of `qemu/config`, added to the smallest one.
    #[serde(default = "smallest")]
    pub config: String,
    /// Which image the programs must see.
    pub image: Image,
    /// Which clock source the guest's kernel must have chosen.
    pub clocksource: String,
    /// The case that this one runs the programs of, on the other image.
    pub control_of: Option<String>,
    /// The case whose control this is, or the control of this one.
    #[serde(skip)]
    pub partner: Option<String>,
    /// Files that its programs use: names that [`crate::programs`] knows how to build.
    #[serde(default)]
    pub tools: Vec<String>,
    /// The case that must have run before, in another guest: what that one left in `/kept` is there again.
    pub follows: Option<String>,
    /// What runs, in this order.
    #[serde(rename = "program", default)]
    pub programs: Vec<CaseProgram>,
}

/// A program of a case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseProgram {
    /// A name that [`crate::programs`] knows how to build.
    pub name: String,
    /// How the guest judges it.
    pub check: Check,
    /// Seconds after which it is killed. It must print something each minute all the same.
    #[serde(default = "limit_s")]
    pub limit_s: u32,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// The image's functions that its libc must have resolved.
    #[serde(default)]
    pub resolves: Vec<String>,
}

/// Which image is at `AT_SYSINFO_EHDR`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Image {
    /// Ours.
    Rust,
    /// An update of ours, with other code behind the same offsets.
    Update,
    /// The kernel's own.
    C,
}

/// How the guest's init judges a program.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// It prints each clock between two bare system-call readings.
    Clocks,
    /// It prints the seconds since the epoch.
    Date,
    /// It prints KTAP itself.
    Ktap,
    /// It is a selftest of the kernel's that prints TAP.
    Tap,
    /// It is a selftest of the kernel's whose exit status tells.
    Status,
}

impl Check {
    /// The word in the guest's `/case` file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clocks => "clocks",
            Self::Date => "date",
            Self::Ktap => "ktap",
            Self::Tap => "tap",
            Self::Status => "status",
        }
    }
}

impl Case {
    /// Reads the text of the case called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let mut case: Self = toml::from_str(text).map_err(|error| anyhow::anyhow!("{error}"))?;
        name.clone_into(&mut case.name);
        match &case.control_of {
            None => ensure!(!case.programs.is_empty(), "it runs no program, so it would prove nothing"),
            Some(other) => {
                ensure!(case.programs.is_empty(), "it runs the programs of `{other}` and no others")
            }
        }
        ensure!(!(case.default && case.long), "a case that runs when none is named cannot be a long one");
        ensure!(case.cpus > 0 && case.memory_mib >= 64, "a guest needs a CPU and 64 MiB of memory");
        ensure!(case.cpus == 1 || !case.counts_instructions, "instructions are counted on one CPU only");
        let mut seen = BTreeSet::new();
        for program in &case.programs {
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

    /// How long its guest may run: as long as its programs may, and a minute to boot.
    pub fn limit(&self) -> Duration {
        let programs: u32 = self.programs.iter().map(|program| program.limit_s).sum();
        Duration::from_secs(u64::from(programs) + 60)
    }

    /// The names of all files that go into the guest.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let programs = self.programs.iter().map(|program| program.name.as_str());
        programs.chain(self.tools.iter().map(String::as_str))
    }

    /// The guest's `/case` file: per program `name TAB check TAB limit TAB path TAB argument...`.
    pub fn guest_file(&self, path_of: impl Fn(&str) -> Result<String>) -> Result<String> {
        let mut file = String::new();
        for program in &self.programs {
            let path = path_of(&program.name)?;
            let limit = program.limit_s.to_string();
            let mut fields = vec![program.name.as_str(), program.check.word(), &limit, &path];
            fields.extend(program.arguments.iter().map(String::as_str));
            file += &fields.join("\t");
            file.push('\n');
        }
        Ok(file)
    }
}

/// Reads every case of the workspace at `root`, in the order of their names.
pub fn all(root: &Path) -> Result<Vec<Case>> {
    let folder = root.join("qemu/cases");
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        cases.push(Case::parse(&name, &text).with_context(|| format!("{} is no case", path.display()))?);
    }
    ensure!(!cases.is_empty(), "{} has no case (*.toml)", folder.display());
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    pair(&mut cases)?;
    for case in &cases {
        let Some(first) = &case.follows else { continue };
        ensure!(
            cases.iter().any(|other| other.name == *first && other.follows.is_none()),
            "`{}` follows `{first}`, which is no case or follows another itself",
            case.name
        );
    }
    Ok(cases)
}

/// Gives each control the programs of its case, and each of the two the other's name.
fn pair(cases: &mut [Case]) -> Result<()> {
    for control in 0..cases.len() {
        let Some(name) = cases[control].control_of.clone() else { continue };
        let subject = cases.iter().position(|case| case.name == name);
        let subject = subject.filter(|subject| cases[*subject].control_of.is_none());
        let subject = subject.with_context(|| {
            format!(
                "`{}` says that it is the control of `{name}`, which has no programs",
                cases[control].name
            )
        })?;
        ensure!(cases[subject].partner.is_none(), "`{name}` has two controls");
        ensure!(cases[subject].image != cases[control].image, "`{name}` and its control run the same image");
        cases[subject].partner = Some(cases[control].name.clone());
        cases[control].partner = Some(name);
        cases[control].programs = cases[subject].programs.clone();
    }
    Ok(())
}

/// Picks the cases called `names`, the default ones if there are none, and what they are compared with.
pub fn choose(cases: Vec<Case>, names: &[String]) -> Result<Vec<Case>> {
    let valid = cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = names.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        bail!("there is no case `{unknown}`; the cases in qemu/cases are: {valid}");
    }
    let wanted = |case: &Case| if names.is_empty() { case.default } else { names.contains(&case.name) };
    let partners: Vec<String> =
        cases.iter().filter(|case| wanted(case)).filter_map(|case| case.partner.clone()).collect();
    let first: Vec<String> =
        cases.iter().filter(|case| wanted(case)).filter_map(|case| case.follows.clone()).collect();
    let needed = |case: &Case| partners.contains(&case.name) || first.contains(&case.name);
    let chosen: Vec<Case> = cases.into_iter().filter(|case| wanted(case) || needed(case)).collect();
    ensure!(!chosen.is_empty(), "no case says `default = true`; name one of: {valid}");
    Ok(chosen)
}

fn smallest() -> String {
    config::SMALLEST.to_owned()
}

fn one() -> u32 {
    1
}

fn limit_s() -> u32 {
    50
}

fn memory_mib() -> u32 {
    256
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
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
    fn refuses() {
        for (from, to, because) in [
            ("about", "abuot", "unknown field `abuot`"),
            ("\"c\"", "\"d\"", "unknown variant `d`"),
            ("[\"date\"", "[\"da\\tte\"", "separate fields"),
            ("default", "cpus = 0\ndefault", "needs a CPU"),
            ("default", "long = true\ndefault", "cannot be a long one"),
            ("default", "cpus = 2\ncounts_instructions = true\ndefault", "on one CPU"),
            ("clocksource = \"tsc\"", "", "missing field `clocksource`"),
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

    #[test]
    fn an_unknown_name_lists_the_valid_ones() {
        let cases = vec![Case::parse("c", SMALL).unwrap(), Case::parse("rust", SMALL).unwrap()];
        let error = choose(cases.clone(), &["rsut".into()]).unwrap_err().to_string();
        assert!(error.contains("`rsut`") && error.contains("c, rust"), "{error}");
        assert_eq!(choose(cases.clone(), &[]).unwrap().len(), 2);
        assert_eq!(choose(cases, &["c".into()]).unwrap()[0].name, "c");
    }

    #[test]
    fn a_case_brings_the_one_that_it_follows() {
        let first = Case::parse("first", &SMALL.replace("default = true", "")).unwrap();
        let second = Case::parse("second", &SMALL.replace("default = true", "follows = \"first\"")).unwrap();
        let chosen = choose(vec![first, second], &["second".into()]).unwrap();
        let names: Vec<_> = chosen.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn a_control_runs_the_programs_of_its_case() {
        let control = r#"
            about = "x"
            image = "rust"
            clocksource = "tsc"
            control_of = "a"
        "#;
        let parse = |name: &str, text: &str| Case::parse(name, text).unwrap();
        let mut cases = vec![parse("a", SMALL), parse("a-c", control), parse("b", SMALL)];
        pair(&mut cases).unwrap();
        assert_eq!(cases[1].programs.len(), 1);
        for name in ["a", "a-c"] {
            let chosen = choose(cases.clone(), &[name.into()]).unwrap();
            let names: Vec<_> = chosen.iter().map(|case| case.name.as_str()).collect();
            assert_eq!(names, ["a", "a-c"]);
        }
        assert_eq!(choose(cases, &[]).unwrap().len(), 3);

        let same = control.replace("rust", "c");
        for (cases, because) in [
            (vec![parse("b", SMALL), parse("b-c", control)], "no programs"),
            (vec![parse("a", SMALL), parse("a-c", &same)], "the same image"),
            (vec![parse("a", SMALL), parse("c", control), parse("d", control)], "two controls"),
        ] {
            let error = pair(&mut cases.clone()).unwrap_err().to_string();
            assert!(error.contains(because), "{error}");
        }
    }

    #[test]
    fn the_cases_of_the_workspace_parse() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let cases = all(&root).unwrap();
        assert!(cases.iter().any(|case| case.default && case.image == Image::Rust));
        assert!(cases.iter().any(|case| case.default && case.image == Image::C), "no control");
        for case in cases {
            for name in case.programs.iter().map(|program| &program.name).chain(&case.tools) {
                crate::programs::find(name).unwrap();
            }
        }
    }
}
