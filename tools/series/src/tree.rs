//! The tree to which patches are applied, and makes in it: one build folder for each configuration.

use crate::configuration::{Base, Configuration};
use crate::objects::Touched;
use anyhow::{Context as _, Result, bail, ensure};
use liblinux_boot::{cache, config, job};
use liblinux_mkimage::embed::embed;
use liblinux_workspace::{ARCHITECTURE, Line, Workspace};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

/// Lines of a log that are shown of a build that failed.
const SHOWN_LINES: usize = 15;

/// A tree, and what is made of it.
pub(crate) struct Tree<'w> {
    pub(crate) workspace: &'w Workspace,
    pub(crate) line: &'static Line,
    /// The folder with the source and the builds.
    pub(crate) folder: PathBuf,
}

impl Tree<'_> {
    /// The source.
    pub(crate) fn source(&self) -> PathBuf {
        self.folder.join("source")
    }

    /// The folder of a configuration's build.
    pub(crate) fn build(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Configures a kernel; its configuration. Patches that are not applied yet may lack options,
    /// so what kconfig drops is an error only if `is_complete`.
    pub(crate) fn configure(
        &self,
        configuration: &Configuration,
        is_complete: bool,
    ) -> Result<String> {
        let build = self.build(configuration.name);
        fs::create_dir_all(&build).with_context(|| format!("cannot create {}", build.display()))?;
        let asked = self.fragment(configuration)?;
        let mut make = self.make(configuration);
        match configuration.base {
            Base::Target(target) => {
                make.arg(target);
            }
            Base::Fragment(_) => {
                let path = build.join("asked.config");
                cache::write_whole(&path, &asked)?;
                make.arg("allnoconfig").env("KCONFIG_ALLCONFIG", path);
            }
        }
        let log = build.join("configure.log");
        ensure!(
            job::run_logged(&mut make, &log, |_| {})?.success(),
            "kconfig failed; the last lines of {} are\n{}",
            log.display(),
            job::tail(&log, SHOWN_LINES)
        );
        let path = build.join(".config");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if is_complete && matches!(configuration.base, Base::Fragment(_)) {
            let dropped = config::dropped(&asked, &text);
            ensure!(dropped.is_empty(), "kconfig dropped {}", dropped.join(", "));
        }
        self.embed(&build, &text)?;
        Ok(text)
    }

    fn fragment(&self, configuration: &Configuration) -> Result<String> {
        let Base::Fragment(name) = configuration.base else { return Ok(String::new()) };
        let folder = self.workspace.kernel_config(self.line);
        let text = config::layered(&config::fragment(&folder, name)?, configuration.lines);
        Ok(config::with_image(&text, self.line))
    }

    /// Puts the image where the configuration says, if it has the option by now.
    fn embed(&self, build: &Path, text: &str) -> Result<()> {
        let Some(place) = config::image(text, self.line) else { return Ok(()) };
        let hz = config::number(text, "CONFIG_HZ").context("the configuration has no CONFIG_HZ")?;
        embed(&self.workspace.debug_image(self.line), &build.join(place), self.line, hz).map(drop)
    }

    /// Makes the targets of a configuration; what the compiler warns of, each without its line.
    pub(crate) fn compile(
        &self,
        configuration: &Configuration,
        touched: &Touched,
        config: &str,
        mut on_line: impl FnMut(Option<&str>),
    ) -> Result<BTreeSet<String>> {
        let mut make = self.make(configuration);
        if configuration.is_whole {
            // The selftests are compiled with this kernel's headers for user space.
            make.args([ARCHITECTURE.kernel_image, "headers"]);
        } else {
            make.args(touched.targets(&self.source(), configuration.architecture, config));
        }
        let log = self.build(configuration.name).join("build.log");
        let mut warnings = BTreeSet::new();
        let status = job::run_logged(&mut make, &log, |line| {
            warnings.extend(line.and_then(warning));
            on_line(line.and_then(|line| line.split_whitespace().last()));
        })?;
        if !status.success() {
            let tail = job::tail(&log, SHOWN_LINES);
            bail!("make failed; the last lines of {} are\n{tail}", log.display());
        }
        Ok(warnings)
    }

    /// A make in the tree, which ends with this process.
    pub(crate) fn make(&self, configuration: &Configuration) -> Command {
        let mut make = job::supervised("TERM", "make");
        let cores = available_parallelism().map_or(1, usize::from);
        make.arg(format!("-j{cores}")).arg("-C").arg(self.source());
        make.arg(format!("O={}", self.build(configuration.name).display()));
        make.arg(format!("ARCH={}", configuration.architecture)).args(configuration.words);
        for name in ["MAKEFLAGS", "MAKELEVEL", "CROSS_COMPILE", "CC", "LD", "KCFLAGS", "LLVM"] {
            make.env_remove(name);
        }
        make.env("LC_ALL", "C");
        make
    }
}

/// A warning, or an error of a checker that make does not mind, without the line that it is of: a
/// patch above it moves that.
fn warning(line: &str) -> Option<String> {
    let at = [": warning: ", ": error: "].iter().find_map(|word| line.find(word))?;
    let file = line[..at].split(':').next().unwrap_or_default();
    Some(format!("{file}{}", &line[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_the_same_in_another_line() {
        let of = |line: &str| warning(&format!("mm/mremap.c:{line}: warning: symbol 'x' was not"));
        assert_eq!(of("12:5"), of("14:5"));
        assert_eq!(of("12").unwrap(), "mm/mremap.c: warning: symbol 'x' was not");
        assert_eq!(warning("  CC      mm/mremap.o"), None);
    }
}
