//! The small kernel, booted with some of the patches.
//!
//! The guest runs what the kernel has to do with these patches: unmodified programs, on the
//! project's image as soon as a patch lets the command line choose it, and the selftests that the
//! patches have brought so far, as they are in the tree at that point.

use crate::Series;
use crate::tree::Tree;
use anyhow::{Context as _, Result};
use liblinux_boot::case::{Case, Image};
use liblinux_boot::{Kernel, Options, boot_built, config, list_cases};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where patches put selftests.
const SELFTESTS: &str = "tools/testing/selftests/";

/// The file of the tree that says which boot parameters it has.
const PARAMETERS: &str = "Documentation/admin-guide/kernel-parameters.txt";

/// The cases whose programs every kernel must run, by image.
const USUAL: [(Image, &str); 2] = [(Image::C, "c"), (Image::Rust, "rust")];

/// Boots a kernel of this tree that has been built in the folder `name`, with `patches` applied.
pub(crate) fn boot(
    series: Series<'_>,
    tree: &Tree<'_>,
    name: &str,
    patches: &[PathBuf],
) -> Result<()> {
    let (workspace, line) = (series.workspace, series.line);
    let kernel = Kernel::of(line, tree.source(), tree.build(name));
    let options = Options {
        root: workspace.root().to_owned(),
        image: workspace.image(line),
        image_debug: workspace.debug_image(line),
        updated_image: workspace.updated_image(line),
        line,
        source: None,
        cases: Vec::new(),
    };
    let parameters = tree.source().join(PARAMETERS);
    let parameters = fs::read_to_string(&parameters)
        .with_context(|| format!("cannot read {}", parameters.display()))?;
    let has_choice = parameters.lines().any(|text| {
        text.trim_start().strip_prefix(line.parameter).is_some_and(|rest| rest.starts_with('='))
    });
    let image = if has_choice { Image::Rust } else { Image::C };
    let cases = chosen(list_cases(workspace.root())?, image, &brought(patches)?);
    let cases: Vec<Case> = cases.into_iter().map(|case| case.on(line)).collect();
    boot_built(&options, &kernel, &tree.folder.join("boot"), &cases)
}

/// The selftests that patches add or change, by their names in cases: `vDSO/vdso_test_unmap`.
fn brought(patches: &[PathBuf]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for patch in patches {
        let text = fs::read_to_string(patch)
            .with_context(|| format!("cannot read {}", patch.display()))?;
        names.extend(text.lines().filter_map(selftest));
    }
    Ok(names)
}

/// The selftest that a line of a patch says it is about.
fn selftest(line: &str) -> Option<String> {
    let path = line.strip_prefix("+++ b/")?.strip_prefix(SELFTESTS)?;
    Some(path.strip_suffix(".c")?.to_owned())
}

/// Of all cases those that run on `image`, each with those programs that a kernel with these
/// selftests must run.
fn chosen(cases: Vec<Case>, image: Image, selftests: &BTreeSet<String>) -> Vec<Case> {
    let is_usual = |case: &Case| USUAL.contains(&(image, case.name.as_str()));
    let mut seen = BTreeSet::new();
    let mut chosen = Vec::new();
    for mut case in cases {
        let is_plain = case.default && case.image == image && case.config == config::SMALLEST;
        if !is_plain {
            continue;
        }
        let is_usual = is_usual(&case);
        case.programs.retain(|program| {
            let is_own = selftests.contains(&program.name) && seen.insert(program.name.clone());
            is_own || is_usual && !Path::new(&program.name).starts_with("vDSO")
        });
        case.tools.clear();
        if !case.programs.is_empty() {
            chosen.push(case);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::Workspace;

    #[test]
    fn a_kernel_runs_the_selftests_that_it_has() {
        let line = "+++ b/tools/testing/selftests/vDSO/vdso_test_fixup.c";
        assert_eq!(selftest(line).as_deref(), Some("vDSO/vdso_test_fixup"));
        assert_eq!(selftest("+++ b/tools/testing/selftests/vDSO/Makefile"), None);
        let names = |image, selftests: &[&str]| {
            let cases = list_cases(Workspace::current().root()).unwrap();
            let selftests = selftests.iter().map(|name| (*name).to_owned()).collect();
            let cases = chosen(cases, image, &selftests);
            let programs =
                cases.iter().flat_map(|case| &case.programs).map(|program| program.name.clone());
            programs.collect::<Vec<_>>()
        };
        let unpatched = names(Image::C, &[]);
        assert!(unpatched.iter().any(|name| name == "go"), "{unpatched:?}");
        assert!(!unpatched.iter().any(|name| name.starts_with("vDSO")), "{unpatched:?}");
        let patched = names(Image::Rust, &["vDSO/vdso_test_fixup", "vDSO/vdso_test_frames"]);
        let own = patched.iter().filter(|name| name.starts_with("vDSO")).count();
        assert!(own == 2 && patched.iter().any(|name| name == "go"), "{patched:?}");
    }
}
