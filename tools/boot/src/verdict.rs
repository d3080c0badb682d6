//! A guest's report, held against the demands of its case.
//!
//! A report is believed only if it names the right image: the build-id that the guest found at
//! `AT_SYSINFO_EHDR` must be the one in the file on the host. Otherwise all its results may be
//! true, but about another image. The guest's timers must be fine ones. A kernel that gave the
//! processor's timer up has ticks of 4 ms instead: sleeping processes wake later, and a case and
//! its control would differ by that.
//!
//! # Invariants
//!
//! 1. A program that the case lists and the guest did not report has failed, as has one that ran no
//!    test.
//! 2. A row passes only with the right build-id, the functions that the case demands, and no failed
//!    test. Of a case that is compared with another ([`crate::control`]), failed tests count there.

use crate::case::{Case, CaseProgram};
use crate::ktap::{Count, Outcome, Report, Test};
use liblinux_protocol::report::{
    BUILD_ID, CLOCKSOURCE, IMAGE, NONE, NOT_CARRIED, OBSERVED, PROCESSORS, RESOLVED,
};

/// The result of a case.
#[derive(Debug)]
pub struct Verdict {
    /// The case's name.
    pub case: String,
    /// Problems of the guest as a whole: with one, nothing in it is believed.
    pub problems: Vec<String>,
    /// One row per program of the case.
    pub rows: Vec<Row>,
}

/// The result of a program.
#[derive(Debug, Default)]
pub struct Row {
    /// The program's name.
    pub program: String,
    /// The libc or language that looked for the image.
    pub language: &'static str,
    /// The image that it saw, in hexadecimal, or `none`.
    pub build_id: String,
    /// The image's functions that its libc resolved.
    pub resolved: Vec<String>,
    /// How many system calls worked although the kernel refuses their numbers, as the program said.
    pub not_carried: Option<String>,
    /// Its measurements, if the case wants them shown: `WHAT: FIGURES`.
    pub figures: Vec<String>,
    /// Its tests.
    pub count: Count,
    /// How each test ended that has none below it; last the program itself, if it failed without
    /// one of them.
    pub results: Vec<(String, Outcome)>,
    /// Why it failed; empty if it passed.
    pub problems: Vec<String>,
}

impl Verdict {
    /// A case without results.
    pub fn failed(case: &Case, problem: String) -> Self {
        Self { case: case.name.clone(), problems: vec![problem], rows: Vec::new() }
    }

    /// Whether everything that the case demands was seen.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
            && !self.rows.is_empty()
            && self.rows.iter().all(|row| row.problems.is_empty())
    }
}

/// Judges `report`; `build_id` is that of the image which must be seen, or `none`.
pub fn judge(case: &Case, report: &Report, build_id: &str) -> Verdict {
    let mut problems = Vec::new();
    let mut demand = |what: &str, key: &str, expected: &str| match report.value(key) {
        Some(seen) if seen == expected => {}
        Some(seen) => {
            problems.push(format!("the guest's {what} is {seen}, but must be {expected}"))
        }
        None => problems.push(format!("the guest did not say its {what} (`# {key}: ...`)")),
    };
    demand("image", IMAGE, build_id);
    demand("clock source", CLOCKSOURCE, &case.clocksource);
    demand("timer resolution", "timer resolution", "1 ns");
    demand("number of processors", PROCESSORS, &case.cpus.to_string());
    if report.tests.len() != case.programs.len() {
        let (seen, expected) = (report.tests.len(), case.programs.len());
        problems.push(format!("the guest reported {seen} programs, but must run {expected}"));
    }
    let rows = case
        .programs
        .iter()
        .map(|program| judge_program(case, program, report, build_id))
        .collect();
    Verdict { case: case.name.clone(), problems, rows }
}

fn judge_program(case: &Case, program: &CaseProgram, report: &Report, build_id: &str) -> Row {
    let language = case.program(&program.name).map_or("", |program| program.language);
    let mut row = Row { program: program.name.clone(), language, ..Row::default() };
    let Some(test) = report.tests.iter().find(|test| test.name == program.name) else {
        row.problems.push("the guest did not report it".to_owned());
        return row;
    };
    let Some(below) = &test.subtests else {
        row.problems.push(said("it has no results of its own", test));
        return row;
    };
    row.count = below.count();
    row.build_id = below.value(BUILD_ID).unwrap_or("not said").to_owned();
    if row.build_id != build_id {
        row.problems.push(format!("it saw the image {}, but must see {build_id}", row.build_id));
    }
    row.not_carried = below.value(NOT_CARRIED).map(str::to_owned);
    let resolved = below.value(RESOLVED).unwrap_or_default().split_whitespace();
    row.resolved = resolved.filter(|name| *name != NONE).map(str::to_owned).collect();
    for name in program.resolves.iter().filter(|name| !row.resolved.contains(name)) {
        row.problems.push(format!("its libc did not resolve {name}"));
    }
    if program.figures {
        let diagnostics = below.tests.iter().flat_map(|test| &test.diagnostics);
        let is_figure =
            |line: &&String| line.split_once(": ").is_some_and(|(key, _)| !OBSERVED.contains(&key));
        row.figures = diagnostics.filter(is_figure).cloned().collect();
        if row.figures.is_empty() {
            row.problems.push("it measured nothing".to_owned());
        }
    }
    collect_results("", below, &mut row.results);
    if test.outcome == Outcome::Fail && row.count.failed == 0 {
        row.results.push(("the program itself".to_owned(), Outcome::Fail));
    }
    if case.partner.is_some() {
        if row.count.passed + row.count.failed == 0 {
            row.problems
                .push("it skipped everything: leave it out of the case, and say why".to_owned());
        }
        return row;
    }
    collect_failures("", below, &mut row.problems);
    if row.count.passed == 0 {
        row.problems.push("none of its tests ran and passed".to_owned());
    }
    if row.problems.is_empty() && test.failed() {
        row.problems.push(said("the guest says that it failed", test));
    }
    row
}

fn collect_failures(path: &str, report: &Report, problems: &mut Vec<String>) {
    for test in &report.tests {
        let path = format!("{path}{}", test.name);
        let before = problems.len();
        if let Some(below) = &test.subtests {
            collect_failures(&format!("{path}/"), below, problems);
        }
        if test.outcome == Outcome::Fail && problems.len() == before {
            problems.push(said(&format!("{path} failed"), test));
        }
    }
}

fn collect_results(path: &str, report: &Report, results: &mut Vec<(String, Outcome)>) {
    for test in &report.tests {
        let path = format!("{path}{}", test.name);
        match &test.subtests {
            Some(below) => collect_results(&format!("{path}/"), below, results),
            None => results.push((path, test.outcome.clone())),
        }
    }
}

fn said(what: &str, test: &Test) -> String {
    let diagnostics = test.diagnostics.join("; ");
    if diagnostics.is_empty() { what.to_owned() } else { format!("{what}: {diagnostics}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ktap;

    const CASE: &str = r#"
        about = "x"
        image = "rust"
        clocksource = "tsc"
        [[program]]
        name = "go"
        check = "clocks"
        resolves = ["__vdso_clock_gettime"]
    "#;

    const GOOD: &str = "\
KTAP version 1
# clocksource: tsc
# timer resolution: 1 ns
# processors: 1
# image: 00ff
1..1
    KTAP version 1
    1..2
    # build-id: 00ff
    # resolved: __vdso_clock_gettime __vdso_time
    ok 1 image
    ok 2 CLOCK_REALTIME
ok 1 go
";

    fn verdict(text: &str) -> Verdict {
        judge(&Case::parse("small", CASE).unwrap(), &ktap::parse(text).unwrap(), "00ff")
    }

    #[test]
    fn passes_only_what_is_right() {
        let good = verdict(GOOD);
        assert!(good.passed(), "{good:?}");
        assert_eq!(good.rows[0].resolved, ["__vdso_clock_gettime", "__vdso_time"]);
        for (from, to, because) in [
            ("# image: 00ff", "# image: 00fe", "image is 00fe"),
            ("# image: 00ff\n", "", "did not say its image"),
            ("tsc", "hpet", "clock source is hpet"),
            ("resolution: 1 ns", "resolution: 4000000 ns", "timer resolution is 4000000 ns"),
            ("# timer resolution: 1 ns\n", "", "did not say its timer resolution"),
            ("processors: 1", "processors: 2", "number of processors is 2"),
            ("build-id: 00ff", "build-id: none", "it saw the image none"),
            ("    # build-id: 00ff\n", "", "it saw the image not said"),
            ("__vdso_clock_gettime ", "", "did not resolve __vdso_clock_gettime"),
            ("    ok 2", "    # 7 < 3\n    not ok 2", "CLOCK_REALTIME failed: 7 < 3"),
            ("ok 1 go", "not ok 1 go", "the guest says that it failed"),
            ("ok 1 go", "ok 1 golang", "did not report it"),
            ("ok 1 go", "ok 1 go\nok 2 gone", "reported 2 programs"),
        ] {
            let plan = if to.contains("ok 2 gone") { "\n1..2\n    " } else { "\n1..1\n    " };
            let text = GOOD.replacen(from, to, 1).replacen("\n1..1\n    ", plan, 1);
            let bad = verdict(&text);
            assert!(!bad.passed(), "passed:\n{text}");
            let problems: Vec<_> =
                bad.problems.iter().chain(bad.rows.iter().flat_map(|row| &row.problems)).collect();
            assert!(
                problems.iter().any(|problem| problem.contains(because)),
                "{because}: {problems:?}"
            );
        }
    }

    #[test]
    fn in_a_pair_the_comparison_decides_about_failures() {
        let mut case = Case::parse("small", CASE).unwrap();
        case.partner = Some("control".into());
        let judge = |text: &str| judge(&case, &ktap::parse(text).unwrap(), "00ff");
        let failed = GOOD.replace("    ok 2", "    not ok 2").replace("ok 1 go", "not ok 1 go");
        let verdict = judge(&failed);
        assert!(verdict.passed(), "{verdict:?}");
        let names = |verdict: &Verdict| -> Vec<String> {
            verdict.rows[0].results.iter().map(|(name, _)| name.clone()).collect()
        };
        assert_eq!(names(&verdict), ["image", "CLOCK_REALTIME"]);
        assert_eq!(verdict.rows[0].results[1].1, Outcome::Fail);
        let itself = judge(&GOOD.replace("ok 1 go", "not ok 1 go"));
        assert_eq!(names(&itself), ["image", "CLOCK_REALTIME", "the program itself"]);
        let skipped =
            GOOD.replace("image\n", "image # SKIP\n").replace("REALTIME\n", "REALTIME # SKIP\n");
        assert!(judge(&skipped).rows[0].problems[0].contains("skipped everything"));
        assert!(!judge(&GOOD.replace("build-id: 00ff", "build-id: 00fe")).passed());
    }

    #[test]
    fn figures_are_shown_where_they_are_wanted() {
        assert_eq!(verdict(GOOD).rows[0].figures, [""; 0]);
        let case =
            Case::parse("small", &CASE.replace("check =", "figures = true\ncheck =")).unwrap();
        let judge = |text: &str| judge(&case, &ktap::parse(text).unwrap(), "00ff").rows.remove(0);
        let row = judge(
            &GOOD.replace("    ok 2", "    # a null load: 1037\n    # 256 are there\n    ok 2"),
        );
        assert_eq!(
            (row.figures.as_slice(), row.problems.len()),
            (&["a null load: 1037".to_owned()][..], 0)
        );
        assert_eq!(judge(GOOD).problems, ["it measured nothing"]);
    }

    #[test]
    fn skipping_everything_is_no_pass() {
        let text =
            GOOD.replace("image\n", "image # SKIP\n").replace("REALTIME\n", "REALTIME # SKIP\n");
        assert!(verdict(&text).rows[0].problems[0].contains("none of its tests"));
    }
}
