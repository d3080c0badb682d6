//! The cases of the workspace, and which of them run.
//!
//! # Invariants
//!
//! 1. Of a case and its control, [`choose`] returns both or none; of a case that follows another,
//!    both.
//! 2. A case that another one follows does not follow a third.
//! 3. A case that takes long is chosen by its name, or along with another long one.
//! 4. A case that another one follows runs on the lines on which that one runs.
//! 5. A case and its control differ in one thing, the image or the musl: they have one kernel, the
//!    same clocks and timers, processors and memory.

use crate::cache::Cache;
use crate::case::Case;
use crate::foreign;
use crate::programs::LibcNeed;
use anyhow::{Context, Result, bail, ensure};
use liblinux_workspace::{Line, Workspace, line};
use std::fs;
use std::path::Path;

/// Reads every case of the workspace at `root`, in the order of their names.
pub fn all(root: &Path) -> Result<Vec<Case>> {
    let folder = Workspace::at(root).cases();
    let mut cases = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        cases.push(
            Case::parse(&name, &text)
                .with_context(|| format!("{} is not a case", path.display()))?,
        );
    }
    ensure!(!cases.is_empty(), "{} has no case (*.toml)", folder.display());
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    pair(&mut cases)?;
    needs(&cases)?;
    Ok(cases)
}

/// What of the project's musl the programs of a case need.
pub fn libc_need(case: &Case) -> Result<LibcNeed> {
    let names = case.programs.iter().map(|program| &program.name).chain(&case.tools);
    let mut need = LibcNeed::Nothing;
    for name in names {
        need = need.max(case.program(name)?.libc_need());
    }
    Ok(need)
}

/// Why a case cannot run on a line, if a package of another suite that it needs cannot be had.
pub fn obstacle(case: &Case, line: &Line) -> Result<Option<String>> {
    for name in case.files() {
        if let Some((package, suite)) = case.program(name)?.newer(line)
            && let Err(why) = foreign::newer(suite, package, &Cache::open()?)
        {
            return Ok(Some(format!("{why:#}")));
        }
    }
    Ok(None)
}

/// Fails if a case follows what it cannot, or one that is not long would bring a long one along.
fn needs(cases: &[Case]) -> Result<()> {
    for case in cases {
        let find = |name: &String| cases.iter().find(|other| other.name == *name);
        if let Some(first) = &case.follows {
            ensure!(
                find(first).is_some_and(|other| other.follows.is_none()),
                "`{}` follows `{first}`, which is not a case or follows another itself",
                case.name
            );
        }
        let first = case.follows.as_ref().and_then(find);
        ensure!(
            first.is_none_or(|first| line::LINES
                .iter()
                .all(|line| case.is_on(line) == first.is_on(line))),
            "`{}` and the case that it follows run on different kernel lines",
            case.name
        );
        for other in [&case.follows, &case.partner].into_iter().flatten().filter_map(find) {
            ensure!(
                case.long || !other.long,
                "`{}` brings `{}` along, which takes long: say `long = true` in both",
                case.name,
                other.name
            );
        }
    }
    Ok(())
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
        alike(&cases[subject], &cases[control])?;
        cases[subject].partner = Some(cases[control].name.clone());
        cases[control].partner = Some(name);
        cases[control].programs = cases[subject].programs.clone();
    }
    Ok(())
}

/// Fails unless a case and its control are the same machine with the same kernel and clocks, but
/// for the image or the musl.
fn alike(case: &Case, control: &Case) -> Result<()> {
    match (case.image != control.image, case.libc != control.libc) {
        (false, false) => bail!(
            "`{}` and its control `{}` run the same image with the same libc",
            case.name,
            control.name
        ),
        (true, true) => bail!(
            "`{}` and its control `{}` differ in `image` and in `libc`; a difference between their results could come \
             from either",
            case.name,
            control.name
        ),
        (true, false) | (false, true) => {}
    }
    let facts = |case: &Case| {
        [
            ("command_line", case.command_line.clone()),
            ("config", case.config.clone()),
            ("clocksource", case.clocksource.clone()),
            ("cpus", case.cpus.to_string()),
            ("memory_mib", case.memory_mib.to_string()),
            ("counts_instructions", case.counts_instructions.to_string()),
            ("lacks_smap", case.lacks_smap.to_string()),
        ]
    };
    for ((key, ours), (_, theirs)) in facts(case).into_iter().zip(facts(control)) {
        ensure!(
            ours == theirs,
            "`{}` and its control `{}` differ in `{key}`: `{ours}` and `{theirs}`; a difference between their results \
             would say nothing of the image or the libc",
            case.name,
            control.name
        );
    }
    Ok(())
}

/// A number of cases.
pub(crate) fn count(cases: usize) -> String {
    if cases == 1 { "1 case".to_owned() } else { format!("{cases} cases") }
}

/// Picks the cases called `names`, the default ones if there are none, and what they are compared
/// with.
pub fn choose(cases: Vec<Case>, names: &[String]) -> Result<Vec<Case>> {
    let valid = cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>().join(", ");
    if let Some(unknown) = names.iter().find(|name| !cases.iter().any(|case| case.name == **name)) {
        bail!("there is no case `{unknown}`; the cases in qemu/cases are: {valid}");
    }
    let wanted =
        |case: &Case| if names.is_empty() { case.default } else { names.contains(&case.name) };
    let partners: Vec<String> =
        cases.iter().filter(|case| wanted(case)).filter_map(|case| case.partner.clone()).collect();
    let first: Vec<String> =
        cases.iter().filter(|case| wanted(case)).filter_map(|case| case.follows.clone()).collect();
    let needed = |case: &Case| partners.contains(&case.name) || first.contains(&case.name);
    let chosen: Vec<Case> = cases.into_iter().filter(|case| wanted(case) || needed(case)).collect();
    ensure!(!chosen.is_empty(), "no case says `default = true`; name one of: {valid}");
    Ok(chosen)
}

/// The cases on a kernel line, without the programs that the line does not have. A case of which
/// none is left does not run there, which is said; that no case is left is an error.
pub fn on(cases: Vec<Case>, line: &Line) -> Result<Vec<Case>> {
    let cases = cases.into_iter().map(|case| case.on(line));
    let (cases, absent): (Vec<_>, Vec<_>) = cases.partition(|case| !case.programs.is_empty());
    if !absent.is_empty() {
        let names: Vec<_> = absent.iter().map(|case| case.name.as_str()).collect();
        let why = format!("not for Linux {}: {}", line.version, names.join(", "));
        ensure!(!cases.is_empty(), "{why}; their programs need another kernel line, `--kernel`");
        eprintln!("{why}");
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Image;
    use crate::case::tests::SMALL;

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
        let second =
            Case::parse("second", &SMALL.replace("default = true", "follows = \"first\"")).unwrap();
        let chosen = choose(vec![first, second], &["second".into()]).unwrap();
        let names: Vec<_> = chosen.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
    }

    #[test]
    fn a_case_needs_of_musl_what_its_programs_and_tools_need() {
        let need = |tools: &str| {
            let tools = format!("default = true\ntools = [{tools}]");
            let case = Case::parse("small", &SMALL.replace("default = true", &tools)).unwrap();
            libc_need(&case).unwrap()
        };
        assert_eq!(need(""), LibcNeed::Nothing);
        assert_eq!(need("\"calls\""), LibcNeed::Library);
        assert_eq!(need("\"lua\", \"calls\""), LibcNeed::Programs);
    }

    #[test]
    fn a_case_without_a_program_on_a_line_does_not_run_there() {
        let [one, other] = [&line::LINES[0], &line::LINES[1]];
        let some = SMALL.replace("check =", &format!("kernel = '{}'\ncheck =", one.version));
        let cases = vec![Case::parse("all", SMALL).unwrap(), Case::parse("some", &some).unwrap()];
        let names = |line| -> Vec<String> {
            on(cases.clone(), line).unwrap().into_iter().map(|case| case.name).collect()
        };
        assert_eq!(names(one), ["all", "some"]);
        assert_eq!(names(other), ["all"]);
        let error = on(cases[1..].to_vec(), other).unwrap_err().to_string();
        assert!(error.contains("some") && error.contains("--kernel"), "{error}");
    }

    #[test]
    fn what_takes_long_is_brought_by_nothing_short() {
        let first = Case::parse("first", &SMALL.replace("default = true", "long = true")).unwrap();
        let short = SMALL.replace("default = true", "follows = \"first\"");
        let parse = |text: &str| Case::parse("second", text).unwrap();
        let error = needs(&[first.clone(), parse(&short)]).unwrap_err().to_string();
        assert!(error.contains("takes long"), "{error}");
        needs(&[first.clone(), parse(&short.replace("follows", "long = true\nfollows"))]).unwrap();
        assert!(needs(&[parse(&short)]).unwrap_err().to_string().contains("not a case"));
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
        let other = |line: &str| parse("a-c", &format!("{control}\n{line}"));
        let hpet = parse("a-c", &control.replace("tsc", "hpet"));
        for (cases, because) in [
            (vec![parse("a", SMALL), other("command_line = 'highres=off'")], "`highres=off`"),
            (vec![parse("a", SMALL), other("config = 'debug'")], "differ in `config`"),
            (vec![parse("a", SMALL), other("cpus = 2")], "differ in `cpus`"),
            (vec![parse("a", SMALL), other("counts_instructions = true")], "`counts_instructions`"),
            (vec![parse("a", SMALL), other("lacks_smap = true")], "`lacks_smap`"),
            (vec![parse("a", SMALL), hpet], "differ in `clocksource`: `tsc` and `hpet`"),
            (vec![parse("a", SMALL), other("libc = 'stock'")], "in `image` and in `libc`"),
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
        let root = Workspace::current().root().to_owned();
        let cases = all(&root).unwrap();
        assert!(cases.iter().any(|case| case.default && case.image == Image::Rust));
        assert!(cases.iter().any(|case| case.default && case.image == Image::C), "no control");
        for case in cases {
            for name in case.files() {
                case.program(name).unwrap();
            }
        }
    }
}
