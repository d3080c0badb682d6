//! busybox: a shell with its tools, made by its own build.
//!
//! It has what its authors configure by default, and is linked statically: the shell starts itself
//! anew for each tool, by the name that the kernel knows of it.

use crate::musl::Musl;
use anyhow::{Context as _, Result};
use liblinux_workspace::command::output;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kernel's headers, which are not musl's to have.
const HEADERS: [(&str, &str); 4] = [
    ("linux", "/usr/include/linux"),
    ("mtd", "/usr/include/mtd"),
    ("asm-generic", "/usr/include/asm-generic"),
    ("asm", "/usr/include/x86_64-linux-gnu/asm"),
];

/// Options, and what they become.
const OPTIONS: [(&str, &str); 4] = [
    ("CONFIG_STATIC", "y"),
    // Tools are the shell's own, whatever the machine has.
    ("CONFIG_FEATURE_PREFER_APPLETS", "y"),
    ("CONFIG_FEATURE_SH_STANDALONE", "y"),
    // It needs a part of the kernel's headers that newer ones lack.
    ("CONFIG_TC", "n"),
];

/// Makes it in its tree.
pub(crate) fn make(tree: &Path, musl: &Musl) -> Result<PathBuf> {
    let headers = tree.join("kernel-headers");
    fs::create_dir(&headers).with_context(|| format!("cannot create {}", headers.display()))?;
    for (name, target) in HEADERS {
        symlink(target, headers.join(name)).context("cannot create a link")?;
    }
    let make = |words: &[&str]| {
        output(Command::new("make").arg("--silent").args(words).current_dir(tree)).map(drop)
    };
    make(&["defconfig"])?;
    configure(&tree.join(".config"))?;
    let compiler = format!("CC={} -idirafter {}", musl.compiler.display(), headers.display());
    let jobs = format!("-j{}", std::thread::available_parallelism().map_or(1, usize::from));
    make(&[&jobs, &compiler, "HOSTCC=gcc", "SKIP_STRIP=y", "busybox"])?;
    Ok(tree.join("busybox"))
}

/// Sets the options in a configuration.
fn configure(file: &Path) -> Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let is_set = |line: &str| {
        OPTIONS.iter().any(|(name, _)| {
            line.strip_prefix("# ")
                .unwrap_or(line)
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('=') || rest.starts_with(" is not set"))
        })
    };
    let mut lines: Vec<String> =
        text.lines().filter(|line| !is_set(line)).map(str::to_owned).collect();
    lines.extend(OPTIONS.iter().map(|(name, value)| format!("{name}={value}")));
    fs::write(file, lines.join("\n") + "\n")
        .with_context(|| format!("cannot write {}", file.display()))
}
