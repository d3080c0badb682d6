//! The kernel's configuration: the options asked for, and whether kconfig took them.
//!
//! kconfig silently drops a line whose dependencies are not met, and the guest then fails far from
//! the cause. So the fragment is compared with the result, line by line.
//!
//! There is one small configuration; a case whose programs need more names a fragment that is added
//! to it, and with it another kernel, so that the others stay quick to build. Where both speak of
//! an option, the added fragment decides.
//!
//! # Invariants
//!
//! 1. [`dropped`] compares at least one line, or says that the fragment asks for nothing.

use anyhow::{Context, Result};
use liblinux_workspace::Line;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The fragment that every kernel is made from.
pub const SMALLEST: &str = "smoke";

/// The text of the fragment `name` in `folder`, behind that of the smallest one.
pub fn fragment(folder: &Path, name: &str) -> Result<String> {
    let read = |name: &str| {
        let path = folder.join(format!("{name}.config"));
        fs::read_to_string(&path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))
    };
    let smallest = read(SMALLEST)?;
    if name == SMALLEST {
        return Ok(smallest);
    }
    Ok(layered(&smallest, &read(name)?))
}

/// `base` without the lines about options that `layer` speaks of, and behind it `layer`.
pub fn layered(base: &str, layer: &str) -> String {
    let spoken_of: BTreeSet<&str> = layer.lines().filter_map(option).collect();
    let keep = |line: &&str| option(line).is_none_or(|name| !spoken_of.contains(name));
    let kept: String = base.split_inclusive('\n').filter(keep).collect();
    kept + layer
}

/// The option that a line sets or unsets.
fn option(line: &str) -> Option<&str> {
    let line = line.trim();
    unset(line).or_else(|| {
        line.starts_with("CONFIG_").then(|| line.split_once('=').map(|(name, _)| name))?
    })
}

/// Whether a kernel of this fragment builds the image itself, from the sources in its tree.
pub fn builds_image(fragment: &str) -> bool {
    fragment.lines().any(|line| line.trim() == "CONFIG_X86_VDSO64_RUST_BUILT=y")
}

/// The fragment with the option for the image, in the build folder unless the fragment says where
/// or lets the kernel build it.
pub fn with_image(fragment: &str, line: &Line) -> String {
    let mut text = fragment.trim_end().to_owned() + "\n";
    if image(fragment, line).is_none() && !builds_image(fragment) {
        text += &format!("{}=\"vdso64-rust.so.dbg\"\n", line.image_option);
    }
    text
}

/// The image's path in a configuration, relative to the build folder.
pub fn image<'a>(config: &'a str, line: &Line) -> Option<&'a str> {
    let value =
        config.lines().find_map(|text| text.strip_prefix(line.image_option)?.strip_prefix('='))?;
    let path = value.trim().trim_matches('"');
    (!path.is_empty()).then_some(path)
}

/// The lines of `asked` that do not hold in `config`.
pub fn dropped<'a>(asked: &'a str, config: &str) -> Vec<&'a str> {
    let mut compared = 0;
    let mut dropped = Vec::new();
    for line in asked.lines().map(str::trim) {
        let holds = if let Some(name) = unset(line) {
            !config
                .lines()
                .any(|set| set.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        } else if line.starts_with("CONFIG_") {
            config.lines().any(|set| set == line)
        } else {
            continue;
        };
        compared += 1;
        if !holds {
            dropped.push(line);
        }
    }
    if compared == 0 {
        dropped.push("(the fragment asks for nothing)");
    }
    dropped
}

/// The option that the line asks to be off.
fn unset(line: &str) -> Option<&str> {
    line.strip_suffix("=n")
        .or_else(|| line.strip_prefix("# ")?.strip_suffix(" is not set"))
        .filter(|name| name.starts_with("CONFIG_"))
}

/// Whether a kernel of this fragment looks for its own faults, which makes it large and slow to
/// build.
pub fn looks_for_faults(fragment: &str) -> bool {
    fragment.lines().any(|line| line.trim() == "CONFIG_KASAN=y")
}

/// The number that an option is set to.
pub fn number(config: &str, option: &str) -> Option<u32> {
    config.lines().find_map(|line| line.strip_prefix(option)?.strip_prefix('=')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::line;

    #[test]
    fn finds_dropped_lines() {
        let asked = "# why\nCONFIG_A=y\nCONFIG_B=n\n# CONFIG_C is not set\nCONFIG_D=\"x\"\n";
        assert!(dropped(asked, "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_D=\"x\"\n").is_empty());
        assert_eq!(
            dropped(asked, "CONFIG_AB=y\nCONFIG_C=y\nCONFIG_D=\"y\"\n"),
            ["CONFIG_A=y", "# CONFIG_C is not set", "CONFIG_D=\"x\""]
        );
        assert_eq!(dropped("# only words\n", "CONFIG_A=y\n").len(), 1);
    }

    #[test]
    fn an_added_fragment_decides() {
        let base = "# why\nCONFIG_A=y\nCONFIG_AB=y\n# CONFIG_C is not set\nCONFIG_D=1\n";
        let layer = "# CONFIG_A is not set\nCONFIG_C=y\n# CONFIG_D=2 would be\n";
        assert_eq!(layered(base, layer), format!("# why\nCONFIG_AB=y\nCONFIG_D=1\n{layer}"));
        assert_eq!(layered(base, ""), base);
    }

    #[test]
    fn reads_a_number() {
        let config = "CONFIG_HZ_250=y\nCONFIG_HZ=250\nCONFIG_NAME=\"x\"\n";
        assert_eq!(number(config, "CONFIG_HZ"), Some(250));
        assert_eq!(number(config, "CONFIG_NAME"), None);
        assert_eq!(number(config, "CONFIG_H"), None);
    }

    #[test]
    fn asks_for_the_image_once() {
        for line in line::LINES {
            let text = with_image("CONFIG_A=y", line);
            assert_eq!(image(&text, line), Some("vdso64-rust.so.dbg"));
            assert_eq!(with_image(&text, line), text);
            let named = format!("{}=\"/tmp/x\"\n", line.image_option);
            assert_eq!(with_image(&named, line), named);
        }
    }
}
