//! What became of each patch in each configuration.

use comfy_table::{ContentArrangement, Table, presets};
use std::fmt;
use std::time::Duration;

/// One build.
#[derive(Debug)]
pub struct Build {
    /// How long it took.
    pub duration: Duration,
    /// What is wrong with it, if anything.
    pub fault: Option<String>,
}

/// All builds of a series: a row for each patch, a column for each configuration.
#[derive(Debug, Default)]
pub struct Outcome {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<(String, Vec<Build>)>,
}

impl Outcome {
    /// How many builds are good, and how many are not.
    pub fn counts(&self) -> (usize, usize) {
        let builds = || self.rows.iter().flat_map(|(_, builds)| builds);
        let failed = builds().filter(|build| build.fault.is_some()).count();
        (builds().count() - failed, failed)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["patch"].iter().chain(&self.columns));
        for (name, builds) in &self.rows {
            let cell = |build: &Build| match build.fault {
                None => format!("{} s", build.duration.as_secs()),
                Some(_) => "failed".into(),
            };
            table.add_row([name.clone()].into_iter().chain(builds.iter().map(cell)));
        }
        writeln!(formatter, "{table}")?;
        for (name, builds) in &self.rows {
            for (build, column) in builds.iter().zip(&self.columns) {
                if let Some(fault) = &build.fault {
                    writeln!(formatter, "{name}, {column}: {fault}")?;
                }
            }
        }
        let (good, failed) = self.counts();
        write!(formatter, "{good} built, {failed} failed")
    }
}
