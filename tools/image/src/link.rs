//! Linking the image, and stripping it as the kernel's build does.
//!
//! # Invariants
//!
//! 1. The link takes the image's own object and nothing else; an undefined symbol is an error.

use crate::recipe::Recipe;
use anyhow::{Context as _, Result};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_workspace::command::run;
use liblinux_workspace::{Line, Workspace};
use object::{Object as _, ObjectSegment as _};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Links a kernel line's image from its object.
pub(crate) fn link(
    workspace: &Workspace,
    line: &Line,
    recipe: &Recipe,
    object: &Path,
    linked: &Path,
) -> Result<()> {
    let mut ld = Command::new("ld");
    ld.args(&recipe.linker);
    // For the kernel's build, where that looks for more than the linker script defines.
    for (name, offset) in crate::layout::of(line)?.kernel_symbols {
        ld.arg(format!("--defsym={name}=data_start+{offset:#x}"));
    }
    ld.arg("--version-script").arg(workspace.version_script());
    ld.arg("-T").arg(workspace.linker_script()).arg(object).arg("-o").arg(linked);
    run(&mut ld).context(
        "the image does not link; an undefined symbol is code that is not in the image: \
         a panic, a call into `core`, a copy that became `memcpy`",
    )
}

/// Strips the linked image, and fills the last page: what is mapped is whole pages.
pub(crate) fn strip(recipe: &Recipe, linked: &Path, stripped: &Path) -> Result<()> {
    let mut objcopy = Command::new("objcopy");
    objcopy.args(&recipe.strip).arg(linked).arg(stripped);
    run(&mut objcopy).context("the image cannot be stripped")?;
    let mut bytes =
        fs::read(stripped).with_context(|| format!("cannot read {}", stripped.display()))?;
    // The program headers are those of the linked image, which the kernel's exception table makes
    // longer.
    let linked = fs::read(linked).with_context(|| format!("cannot read {}", linked.display()))?;
    let elf = object::File::parse(linked.as_slice()).context("the linked image is not readable")?;
    let loaded = elf.segments().map(|segment| segment.address() + segment.size()).max();
    let len = bytes.len().max(usize::try_from(loaded.context("the image has no segment")?)?);
    bytes.resize(len.next_multiple_of(PAGE_SIZE), 0);
    fs::write(stripped, bytes).with_context(|| format!("cannot write {}", stripped.display()))
}
