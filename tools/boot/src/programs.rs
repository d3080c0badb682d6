//! The programs that run in the guest, and the sources of each; [`crate::workshop`] builds them.
//!
//! Some are programs that users run, and do not know the image: one C source under every libc that
//! reads a vDSO, a Go program, a Rust program with std, and Debian's own busybox. The others are
//! there for the image: those of `qemu/guest`, and the examples of `vdso/client` with their judge,
//! `client`. Each is built by its language's ordinary tool with ordinary flags. Beside them are the
//! kernel's selftests ([`crate::selftests`]), and the runner with the image that it gives to
//! programs.
//!
//! # Invariants
//!
//! 1. Names are unique, those of the selftests included.

use crate::initramfs::Initramfs;
use crate::selftests::{SELFTESTS, Selftest};
use anyhow::{Context as _, Result};
use liblinux_workspace::Line;
use std::path::Path;

/// A program that cases may name.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name in cases and reports.
    pub name: &'static str,
    /// The libc or language that looks for the vDSO.
    pub language: &'static str,
    pub(crate) build: Build,
}

/// The sources of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Build {
    /// A file that a Debian package brings: the machine's, or that of the suite that the kernel
    /// line names for it.
    Debian { path: &'static str, package: &'static str },
    /// A shell script of the workspace.
    Script(&'static str),
    /// A compiler with its flags, for `clocks.c`.
    C(&'static str, &'static [&'static str]),
    /// A C source of the guest's programs that test fixups, with their headers and those of
    /// `vdso/client`.
    Fixup(&'static str),
    /// `clocks.go`
    Go,
    /// A binary of the guest crate, dynamic.
    Rust(&'static str),
    /// The runner, dynamic, without an image inside.
    Runner,
    /// The project's image, to be given to the runner.
    Image,
    /// A file of `vdso/libc/work`, static, with the musl that makes its calls by the image.
    Libc(&'static str),
    /// The same, with Debian's musl, for comparison.
    Musl(&'static str),
    /// A compiler with its flags, for an example of `vdso/client`.
    ClientC(&'static str, &'static [&'static str], &'static str),
    /// An example of `vdso/client` that is a library, in C.
    ClientLibrary(&'static str),
    /// An example of `vdso/client` that is a workspace of its own.
    ClientRust(&'static str),
    /// One of the kernel's selftests.
    Selftest(&'static Selftest),
}

const C_FLAGS: &[&str] = &["-O2", "-Wall", "-Werror"];
const C_THREADS: &[&str] = &["-O2", "-Wall", "-Werror", "-pthread"];
const C_STATIC: &[&str] = &["-O2", "-Wall", "-Werror", "-static"];
const C_BARE: &[&str] =
    &["-O2", "-Wall", "-Werror", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector"];
/// The stub that a program links with is in `target/client`, where `cargo xtask client` puts it.
const C_LINKED: &[&str] = &["-O2", "-Wall", "-Werror", "-Ltarget/client", "-llinux"];
/// The runner's program and its package.
pub(crate) const RUNNER: &str = "liblinux-run";
const FIXUP: &str = "C, glibc static";

const fn program(name: &'static str, language: &'static str, build: Build) -> Program {
    Program { name, language, build }
}

/// Every program there is, beside [`SELFTESTS`].
pub const PROGRAMS: &[Program] = &[
    program(
        "busybox",
        "Debian busybox, glibc static",
        Build::Debian { path: "/bin/busybox", package: "busybox-static" },
    ),
    program("glibc-dynamic", "C, glibc dynamic", Build::C("gcc", C_FLAGS)),
    program("glibc-static", "C, glibc static", Build::C("gcc", C_STATIC)),
    program("musl-dynamic", "C, musl dynamic", Build::C("musl-gcc", C_FLAGS)),
    program("musl-static", "C, musl static", Build::C("musl-gcc", C_STATIC)),
    program("go", "Go", Build::Go),
    program("rust", "Rust std, glibc dynamic", Build::Rust("clocks")),
    program("stubs", "Rust std, glibc dynamic", Build::Rust("stubs")),
    program("pointers", "Rust std, glibc dynamic", Build::Rust("pointers")),
    program("enclave", "Rust std, glibc dynamic", Build::Rust("enclave")),
    program("exceptions", FIXUP, Build::Fixup("exceptions.c")),
    program("landings", FIXUP, Build::Fixup("landings.c")),
    program("private", FIXUP, Build::Fixup("private.c")),
    program("reused", FIXUP, Build::Fixup("reused.c")),
    program("sealed", FIXUP, Build::Fixup("sealed.c")),
    program("hostile", FIXUP, Build::Fixup("hostile.c")),
    program("stacks", FIXUP, Build::Fixup("stacks.c")),
    program("mappings", FIXUP, Build::Fixup("mappings.c")),
    program("state", FIXUP, Build::Fixup("state.c")),
    program("random_states", FIXUP, Build::Fixup("random_states.c")),
    program("stress", FIXUP, Build::Fixup("stress.c")),
    program("instruction_counts", FIXUP, Build::Fixup("instruction_counts.c")),
    program(
        "criu",
        "Debian criu, glibc dynamic",
        Build::Debian { path: "/usr/sbin/criu", package: "criu" },
    ),
    program("vdso-fixup.sh", "shell script", Build::Script("kernel-patch/criu/vdso-fixup.sh")),
    program("checkpoint", "Rust std, glibc dynamic", Build::Rust("checkpoint")),
    program("blocked", "Rust std, glibc dynamic", Build::Rust("blocked")),
    program("audited", "Rust std, glibc dynamic", Build::Rust("audited")),
    program("straced", "Rust std, glibc dynamic", Build::Rust("straced")),
    program(
        "strace",
        "Debian strace, glibc dynamic",
        Build::Debian { path: "/usr/bin/strace", package: "strace" },
    ),
    program("yama", "Rust std, glibc dynamic", Build::Rust("yama")),
    program(RUNNER, "Rust std, glibc dynamic", Build::Runner),
    program("vdso64.so", "the image", Build::Image),
    program("pinned", "Rust std, glibc dynamic", Build::Rust("pinned")),
    program("calls", "C, liblinux musl static", Build::Libc("calls.c")),
    program("costs", "C, liblinux musl static", Build::Libc("costs.c")),
    program("costs-musl", "C, musl static", Build::Musl("costs.c")),
    program("client", "Rust std, glibc dynamic", Build::Rust("client")),
    program("sandboxed", "Rust std, glibc dynamic", Build::Rust("sandboxed")),
    program("sandboxed-c", FIXUP, Build::Fixup("sandboxed.c")),
    program("copytree", "Rust, no libc", Build::ClientRust("copytree")),
    program("copytree-c", "C, musl static", Build::ClientC("musl-gcc", C_STATIC, "copytree.c")),
    program(
        "linked",
        "C, glibc dynamic, linked with the vDSO",
        Build::ClientC("gcc", C_LINKED, "linked.c"),
    ),
    program("registry", "C, glibc dynamic", Build::ClientC("gcc", C_FLAGS, "registry.c")),
    program("random-c", "C, glibc dynamic", Build::ClientC("gcc", C_FLAGS, "random.c")),
    program("cancel", "Rust std, glibc dynamic", Build::Rust("cancel")),
    program("cancel-c", "C, glibc dynamic", Build::ClientC("gcc", C_THREADS, "cancel.c")),
    program("threads", "C, no libc", Build::ClientC("gcc", C_BARE, "threads.c")),
    program("random", "Rust std, glibc dynamic", Build::Rust("random")),
    program("divide", "Rust std, glibc dynamic", Build::Rust("divide")),
    program("lazy_pages", "Rust std, glibc dynamic", Build::Rust("lazy_pages")),
    program("lazy_pages-c", "C, glibc dynamic", Build::ClientC("gcc", C_FLAGS, "lazy_pages.c")),
    program("instances", "C, glibc dynamic", Build::ClientC("gcc", C_FLAGS, "instances.c")),
    program("barrier", "C, glibc dynamic", Build::ClientC("gcc", C_FLAGS, "barrier.c")),
    program("wasm", "Rust std and Wasmtime, glibc dynamic", Build::ClientRust("wasm")),
    program("linear_memory", "Rust std, glibc dynamic", Build::Rust("linear_memory")),
    program("peek", "Rust std, glibc dynamic", Build::Rust("peek")),
    program("jit", "Rust std, glibc dynamic", Build::Rust("jit")),
    program("jit-c", "C, glibc dynamic", Build::ClientC("gcc", C_FLAGS, "jit.c")),
    program("plugin-host", "C, glibc dynamic", Build::ClientC("gcc", C_FLAGS, "plugin/host.c")),
    program("plugin.so", "C, a library", Build::ClientLibrary("plugin/plugin.c")),
];

/// The program called `name`.
pub fn find(name: &str) -> Result<Program> {
    if let Some(selftest) = SELFTESTS.iter().find(|selftest| selftest.name == name) {
        return Ok(program(selftest.name, "C, glibc dynamic", Build::Selftest(selftest)));
    }
    PROGRAMS.iter().find(|program| program.name == name).copied().with_context(|| {
        let names = PROGRAMS.iter().map(|program| program.name);
        let names: Vec<&str> =
            names.chain(SELFTESTS.iter().map(|selftest| selftest.name)).collect();
        format!("there is no program `{name}`; the programs are: {}", names.join(", "))
    })
}

impl Program {
    /// The package that it comes from on a line whose machine has too old a one, and its suite.
    pub(crate) fn newer(&self, line: &Line) -> Option<(&'static str, &'static str)> {
        let Build::Debian { package, .. } = self.build else { return None };
        line.newer.iter().find(|newer| newer.0 == package).copied()
    }

    /// Whether it is linked with the project's musl.
    pub(crate) fn needs_libc(&self) -> bool {
        matches!(self.build, Build::Libc(_))
    }

    /// Puts it into a guest; `file` comes from [`crate::workshop::Workshop::build`].
    pub fn add_to(&self, archive: &mut Initramfs, file: &Path) -> Result<()> {
        // A program brings the libraries that its own library needs; an image needs none.
        if let Build::Script(_) | Build::ClientLibrary(_) | Build::Image = self.build {
            return archive.file(&self.guest_path(), file);
        }
        let path = self.guest_path();
        match (self.build, file.to_str().and_then(|file| file.strip_suffix(&path))) {
            // A newer package is unpacked in a folder.
            (Build::Debian { .. }, Some(root)) if !root.is_empty() => {
                archive.apart(&path, Path::new(root))?;
            }
            _ => archive.program(&path, file)?,
        }
        if self.name == "busybox" {
            archive.symlink("/bin/sh", "busybox");
        }
        Ok(())
    }

    /// Its path in the guest.
    pub fn guest_path(&self) -> String {
        match self.build {
            Build::Debian { path, .. } => path.to_owned(),
            _ => format!("/programs/{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_program_lists_the_valid_ones() {
        let error = find("perl").unwrap_err().to_string();
        assert!(error.contains("`perl`") && error.contains("musl-static"), "{error}");
    }

    #[test]
    fn what_was_built_here_is_of_this_system_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let program = find("glibc-dynamic").unwrap();
        let file = folder.path().join(program.guest_path().trim_start_matches('/'));
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        std::fs::copy("/bin/true", &file).unwrap();
        let mut archive = Initramfs::default();
        program.add_to(&mut archive, &file).unwrap();
        assert!(archive.has(&program.guest_path()));
    }

    #[test]
    fn a_package_is_of_another_suite_on_the_line_that_says_so() {
        use liblinux_workspace::line::find as line;
        let criu = find("criu").unwrap();
        assert_eq!(criu.newer(line("7.3").unwrap()), Some(("criu", "trixie")));
        assert_eq!(criu.newer(line("6.12").unwrap()), None);
        assert_eq!(find("strace").unwrap().newer(line("7.3").unwrap()), None);
    }

    #[test]
    fn names_are_unique() {
        let names = PROGRAMS.iter().map(|program| program.name);
        let mut names: Vec<_> =
            names.chain(SELFTESTS.iter().map(|selftest| selftest.name)).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }
}
