//! `target/client`: what programs link with, the pkg-config file that says so, and the library of
//! signals that they share.
//!
//! glibc binds a program that needs `linux-vdso.so.1` to the vDSO of the kernel it runs on. So a
//! library of that name is needed to link against, and never to run: it has the image's symbols in
//! the image's version node, and no code. The historic names (`clock_gettime` and so on) are left
//! out: a program that links this first would otherwise find the image's functions under its libc's
//! names, and they set no `errno`.
//!
//! # Invariants
//!
//! 1. The stub exports what the table says the image exports, but for the weak names; a test
//!    compares them.

use anyhow::{Context as _, Result};
use liblinux_abi::image::export::{Binding, SONAME, VERSION, exports};
use liblinux_workspace::Workspace;
use liblinux_workspace::command::run;
use liblinux_workspace::product;
use liblinux_workspace::signals::{Libc, MUSL_COMPILER};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library of signals, and the folder of the one that is for musl.
const SIGNALS: &str = "liblinux-signals.so";
const MUSL: &str = "musl";

const PKG_CONFIG: &str = "\
prefix=${pcfiledir}
includedir=${prefix}/include
libdir=${prefix}

Name: liblinux
Description: Every Linux system call, by the entries of the vDSO
Version: @VERSION@
Cflags: -I${includedir}
Libs: -L${libdir} -llinux
";

/// Builds `liblinux.so`, `liblinux-signals.so` for glibc and musl, and `liblinux.pc`, and copies
/// the headers; the folder where they are.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.link_library();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let scratch =
        tempfile::tempdir_in(&folder).context("cannot create a scratch folder for the stub")?;
    let library = scratch.path().join("liblinux.so");
    link(scratch.path(), &library)?;
    product::install(&library, &folder.join("liblinux.so"))?;
    for libc in [Libc::Glibc, Libc::Musl] {
        if libc.is_here() {
            signals(workspace, libc, scratch.path(), &folder)?;
        } else {
            eprintln!(
                "not built: {MUSL}/{SIGNALS}, because {MUSL_COMPILER} is missing; `cargo xtask \
                 packages` installs it"
            );
        }
    }
    let text = PKG_CONFIG.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    product::write(&folder.join("liblinux.pc"), text)?;
    copy(&workspace.client().join("include"), &folder.join("include"))?;
    Ok(folder)
}

/// Installs the shared library of `vdso/signals`, which cargo names by its own rule: that for musl
/// in a folder of its own.
fn signals(workspace: &Workspace, libc: Libc, scratch: &Path, folder: &Path) -> Result<()> {
    let built = libc.build_signals(workspace, &workspace.root().join("target"))?;
    let place = if libc == Libc::Musl { folder.join(MUSL) } else { folder.to_owned() };
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let copy = scratch.join(SIGNALS);
    fs::copy(&built, &copy).with_context(|| format!("cargo built no {}", built.display()))?;
    product::install(&copy, &place.join(SIGNALS))
}

fn link(scratch: &Path, library: &Path) -> Result<()> {
    let mut source = ".text\n".to_owned();
    let mut versions = format!("{VERSION} {{ global:");
    for export in exports().filter(|export| export.binding == Binding::Global) {
        let name = export.name;
        // The addresses are not used: the dynamic loader binds to the kernel's image.
        writeln!(
            source,
            ".globl {name}\n.type {name}, @function\n{name}: .skip 16\n.size {name}, 16"
        )?;
        write!(versions, " {name};")?;
    }
    source.push_str(".section .note.GNU-stack, \"\", @progbits\n");
    versions.push_str(" local: *; };\n");
    let (assembly, script) = (scratch.join("liblinux.s"), scratch.join("liblinux.map"));
    fs::write(&assembly, source).context("cannot write the stub's symbols")?;
    fs::write(&script, versions).context("cannot write the stub's version script")?;
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-nostdlib", "-Wl,--hash-style=both"]).arg(format!("-Wl,-soname,{SONAME}"));
    cc.arg(format!("-Wl,--version-script={}", script.display()))
        .arg("-o")
        .arg(library)
        .arg(assembly);
    run(&mut cc).context("the link stub cannot be built")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            let bytes = fs::read(entry.path())
                .with_context(|| format!("cannot read {}", entry.path().display()))?;
            product::write(&target, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::command::output;
    use object::{Object as _, ObjectSymbol as _};
    use std::collections::BTreeSet;

    #[test]
    fn the_stub_has_the_images_symbols_and_version() {
        let folder = build(&Workspace::current()).unwrap();
        let bytes = fs::read(folder.join("liblinux.so")).unwrap();
        let elf = object::File::parse(bytes.as_slice()).unwrap();
        let ours: BTreeSet<&str> = elf
            .dynamic_symbols()
            .filter(|symbol| symbol.is_definition() && symbol.size() > 0)
            .map(|symbol| symbol.name().unwrap())
            .collect();
        let lock = crate::lock::read(&Workspace::current()).unwrap();
        let exports = lock.exports();
        let names = exports.entries().iter().map(|entry| entry.name.as_str());
        let locked: BTreeSet<&str> = names.filter(|name| name.starts_with("__vdso_")).collect();
        assert_eq!(ours, locked);
        let versions =
            output(Command::new("readelf").arg("-VdW").arg(folder.join("liblinux.so"))).unwrap();
        assert!(
            versions.contains("Name: LINUX_2.6") && versions.contains("[linux-vdso.so.1]"),
            "{versions}"
        );
    }

    /// The program's calls are bound to the image that this kernel has, its `clock_gettime` to the
    /// libc.
    #[test]
    fn a_program_links_by_pkg_config_and_starts() {
        let workspace = Workspace::current();
        let folder = build(&workspace).unwrap();
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.env("PKG_CONFIG_PATH", &folder).args(["--cflags", "--libs", "liblinux"]);
        let flags = output(&mut pkg_config).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let program = scratch.path().join("linked");
        let mut cc = Command::new("cc");
        cc.args(["-Wall", "-Wextra", "-Werror"]).arg(workspace.client().join("examples/linked.c"));
        cc.args(flags.split_whitespace()).arg("-o").arg(&program);
        output(&mut cc).unwrap();
        let said = output(
            Command::new("env")
                .arg("LD_DEBUG=bindings")
                .arg("sh")
                .arg("-c")
                .arg(format!("{} 2>&1", program.display())),
        )
        .unwrap();
        let bound = |symbol: &str| {
            let to = said.lines().find(|line| {
                line.contains("linked [0] to") && line.contains(&format!("`{symbol}'"))
            });
            to.unwrap_or_else(|| panic!("{symbol} is not bound:\n{said}")).to_owned()
        };
        assert!(bound("__vdso_clock_gettime").contains("to linux-vdso.so.1"));
        assert!(bound("clock_gettime").contains("/libc.so.6"));
    }
}
