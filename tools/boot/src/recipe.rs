//! The inputs of a kernel's build, and the name in the cache that is made of them.

use crate::cache::{self, Cache};
use crate::source::Source;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Part of the key: goes up when [`crate::tree`] builds differently from the same inputs.
const RECIPE: &[u8] = b"1";

/// The inputs of a kernel, beside the image.
pub struct Recipe {
    /// The checked source.
    pub source: Source,
    /// The text of the configuration fragment.
    pub fragment: String,
    /// The series, in order.
    pub patches: Vec<PathBuf>,
}

impl Recipe {
    /// The name in the cache of the folder of its tree.
    pub fn folder(&self, cache: &Cache) -> Result<PathBuf> {
        let compiler = version("gcc")? + &version("ld")?;
        let patches = self
            .patches
            .iter()
            .map(|path| fs::read(path).with_context(|| format!("cannot read {}", path.display())));
        let patches = patches.collect::<Result<Vec<_>>>()?;
        let mut parts: Vec<(&str, &[u8])> = vec![
            ("recipe", RECIPE),
            ("source", self.source.identity.as_bytes()),
            ("config", self.fragment.as_bytes()),
            ("compiler", compiler.as_bytes()),
        ];
        parts.extend(patches.iter().map(|patch| ("patch", patch.as_slice())));
        Ok(cache.root().join(format!("linux-{}", &cache::key(parts)[..16])))
    }
}

fn version(tool: &str) -> Result<String> {
    let result = Command::new(tool).arg("--version").output();
    let result = result.with_context(|| format!("cannot run {tool}; install Debian's gcc"))?;
    let text = String::from_utf8_lossy(&result.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
