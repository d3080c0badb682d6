//! The kernel's own selftests: judges of the image that come from outside the project.
//!
//! They come from the source of the kernel that the guest runs and are compiled where they lie,
//! with the flags of their Makefiles, by a line of gcc each. The Makefiles of their folders
//! differ in everything, build all or nothing, and cannot say when to build again. As in those
//! Makefiles the programs are dynamic: `dlopen("linux-vdso.so.1")`, with which some look for the
//! image, finds nothing in a static program, and they would test nothing. rseq's library alone is
//! linked in, since no loader of the guest would find it.
//!
//! `vdso_test_chacha` links the assembly that the kernel's image is made of. Here it links a file
//! of the project, which calls the code in the image that the process has, found by the symbols of
//! both images. Its 1000 trials would take an interpreted processor with AVX2 three minutes, so the
//! guest's is made of a copy that says 20; `tests/tests/blocks.rs` makes all of them, on a real
//! one. `robust_list` gives another thread 100 us to start waiting, which is long on a real
//! processor alone; the guest's gives it half a second.
//!
//! Those that musl has all functions for are also built for a guest's musl ([`libc`]).
//!
//! Here is every selftest that runs; the case `qemu/cases/selftests.toml` says which were left out,
//! and why.
//!
//! # Invariants
//!
//! 1. Nothing of the kernel's is copied into the project or written into its tree.
//! 2. A copy differs from its source in the words of the table alone, and a source without those
//!    words is an error.

mod table;

pub use self::table::SELFTESTS;

use self::table::FOLDERS;
use crate::{elf, libc};
use anyhow::{Context, Result, ensure};
use liblinux_abi::kernel::random::State;
use liblinux_abi::syscall;
use liblinux_workspace::Line;
use std::fs;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The sources of the selftests.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// The kernel's source.
    pub tree: &'a Path,
    /// The kernel line.
    pub line: &'static Line,
    /// The kernel's headers for user space.
    pub headers: &'a Path,
    /// The project's image with its symbols.
    pub image_debug: &'a Path,
    /// The kernel's image with its symbols.
    pub c_image_debug: &'a Path,
}

/// A program of the kernel's selftests.
#[derive(Clone, Copy, Debug)]
pub struct Selftest {
    /// Its folder in `tools/testing/selftests` and its name: `vDSO/vdso_test_abi`.
    pub name: &'static str,
    /// Files beside `NAME.c`.
    more: &'static [&'static str],
    /// Flags beside the folder's, on each kernel line or on one.
    flags: &'static [&'static str],
    line_flags: Option<(&'static str, &'static [&'static str])>,
    /// Whether it is linked with [`BLOCKS`].
    has_blocks: bool,
    /// Words of its source, and the words of a guest's copy instead.
    edit: Option<(&'static str, &'static str)>,
}

/// The file of the workspace that calls the block function of either image.
const BLOCKS: &str = "qemu/guest/programs/chacha_blocks.c";

/// The names of the block functions in the project's image and in the kernel's.
const OUR_BLOCKS: &str = "chacha_generate";
const KERNELS_BLOCKS: &str = "__arch_chacha20_blocks_nostack";

/// What all folders share.
const SHARED: &str = "-ITREE/tools/testing/selftests";

impl Selftest {
    /// Its main file in the kernel's source `tree`.
    pub fn source(&self, tree: &Path) -> PathBuf {
        tree.join("tools/testing/selftests").join(format!("{}.c", self.name))
    }

    /// The source that a guest's program is made of: the kernel's, or a copy that is written beside
    /// `output`.
    pub fn guest_source(&self, tree: &Path, output: &Path) -> Result<PathBuf> {
        let source = self.source(tree);
        let Some((from, to)) = self.edit else { return Ok(source) };
        let text = fs::read_to_string(&source)
            .with_context(|| format!("cannot read {}", source.display()))?;
        ensure!(
            text.matches(from).count() == 1,
            "{} does not say `{from}` once: look at it, and at tools/boot/src/selftests/table.rs",
            source.display()
        );
        let copy = output.with_extension("c");
        fs::write(&copy, text.replace(from, to))
            .with_context(|| format!("cannot write {}", copy.display()))?;
        Ok(copy)
    }

    /// Files of the workspace at `root` that it is linked with.
    pub fn own_sources(&self, root: &Path) -> Vec<PathBuf> {
        self.has_blocks.then(|| root.join(BLOCKS)).into_iter().collect()
    }

    /// The command that builds it from `main`, its main file or a copy of it, into `output`.
    pub fn command(&self, origin: Origin<'_>, main: &Path, output: &Path) -> Result<Command> {
        self.compiled(Command::new("gcc"), origin, main, output)
    }

    /// The same for a guest's musl, with a compiler that has its headers and its library.
    pub fn musl_command(
        &self,
        compiler: &Path,
        origin: Origin<'_>,
        main: &Path,
        output: &Path,
    ) -> Result<Command> {
        let mut command = Command::new(compiler);
        command.arg(format!("-Wl,--dynamic-linker={}", libc::LOADER));
        // A header of the selftests has the call's structure anew if the C library does not know
        // its number, and the kernel's headers have it, too.
        command.arg(format!("-D__NR_futex_waitv={}", syscall::number("futex_waitv")));
        self.compiled(command, origin, main, output)
    }

    fn compiled(
        &self,
        mut command: Command,
        origin: Origin<'_>,
        main: &Path,
        output: &Path,
    ) -> Result<Command> {
        let source = self.source(origin.tree);
        let (folder, _) = self.name.split_once('/').expect("the table's names have a folder");
        let (_, more, flags) = FOLDERS
            .iter()
            .find(|(name, ..)| *name == folder)
            .expect("the table's folders are known");
        // As `lib.mk` says; without symbols, which the guest would have to unpack.
        command.args(["-D_GNU_SOURCE=", "-s", "-w", "-isystem"]).arg(origin.headers);
        let lines = self.line_flags.filter(|(version, _)| *version == origin.line.version);
        let lines = lines.map_or(&[][..], |(_, flags)| flags);
        for flag in [SHARED].iter().chain(flags.iter()).chain(self.flags).chain(lines) {
            command.arg(flag.replace("TREE", &origin.tree.to_string_lossy()));
        }
        if self.has_blocks {
            let ours = elf::symbol(origin.image_debug, OUR_BLOCKS)?;
            let kernels = elf::symbol(origin.c_image_debug, KERNELS_BLOCKS)?;
            command
                .arg(format!("-DOUR_BLOCKS={ours:#x}"))
                .arg(format!("-DKERNELS_BLOCKS={kernels:#x}"));
            command.arg(format!("-DKEY_OFFSET={}", offset_of!(State, key)));
        }
        if main != source {
            // The copy includes files by paths from the original's folder.
            command.arg("-iquote").arg(source.with_file_name(""));
        }
        command.arg("-o").arg(output).arg(main);
        command.args(more.iter().chain(self.more).map(|file| source.with_file_name(file)));
        command.args(self.own_sources(origin.root));
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases;
    use liblinux_workspace::{Workspace, line};

    fn origin() -> Origin<'static> {
        let [root, tree, headers, none] = ["/w", "/k", "/h", "/none"].map(Path::new);
        let line = line::DEFAULT;
        Origin { root, tree, line, headers, image_debug: none, c_image_debug: none }
    }

    #[test]
    fn the_line_has_the_folders_and_the_tests_own_words() {
        let line = |name: &str| {
            let test = SELFTESTS.iter().find(|test| test.name == name).unwrap();
            format!(
                "{:?}",
                test.command(origin(), &test.source(Path::new("/k")), Path::new("/o")).unwrap()
            )
            .replace('"', "")
        };
        assert_eq!(
            line("rseq/basic_test"),
            "gcc -D_GNU_SOURCE= -s -w -isystem /h -I/k/tools/testing/selftests -O2 -pthread \
             -I/k/tools/testing/selftests/rseq -I/k/tools/include -I/k/tools/arch/x86/include -o /o /k/tools/testing/selftests/rseq/basic_test.c /k/tools/testing/selftests/rseq/rseq.c"
        );
        let line = line("x86/sysret_rip");
        assert!(line.contains(" -no-pie ") && line.ends_with("/x86/clang_helpers_64.S"), "{line}");
    }

    #[test]
    fn for_musl_the_loader_is_the_guests() {
        let test =
            SELFTESTS.iter().find(|test| test.name == "futex/functional/robust_list").unwrap();
        let main = test.source(Path::new("/k"));
        let words = |command: Command| {
            let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
            words.collect::<Vec<_>>()
        };
        let usual = words(test.command(origin(), &main, Path::new("/o")).unwrap());
        let command = test.musl_command(Path::new("/m"), origin(), &main, Path::new("/o")).unwrap();
        assert_eq!(command.get_program(), "/m");
        let musl = words(command);
        assert!(musl[0].ends_with(libc::LOADER) && musl.ends_with(&usual), "{musl:?}");
    }

    #[test]
    fn every_selftest_has_a_folder_and_a_name_of_its_own() {
        let mut names: Vec<&str> = SELFTESTS.iter().map(|test| test.name).collect();
        for test in SELFTESTS.iter().filter(|test| !test.has_blocks) {
            test.command(origin(), Path::new("/k/x.c"), Path::new("/o")).unwrap();
        }
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b), "twice in the table: {names:?}");
    }

    #[test]
    fn an_image_without_the_function_is_named() {
        let test = SELFTESTS.iter().find(|test| test.has_blocks).unwrap();
        let program = std::env::current_exe().unwrap();
        let origin = Origin { image_debug: &program, ..origin() };
        let error =
            test.command(origin, Path::new("/k/x.c"), Path::new("/o")).unwrap_err().to_string();
        assert!(
            error.contains("chacha_generate") && error.contains(&*program.to_string_lossy()),
            "{error}"
        );
    }

    #[test]
    fn a_copy_differs_in_what_the_table_says() {
        let test = SELFTESTS.iter().find(|test| test.has_blocks).unwrap();
        let tree = tempfile::tempdir().unwrap();
        let source = test.source(tree.path());
        fs::create_dir_all(source.parent().unwrap()).unwrap();
        fs::write(&source, "enum { TRIALS = 1000, BLOCKS };\n").unwrap();
        let copy = test.guest_source(tree.path(), &tree.path().join("program")).unwrap();
        assert_eq!(fs::read_to_string(copy).unwrap(), "enum { TRIALS = 20, BLOCKS };\n");
        fs::write(&source, "enum { TRIALS = 500 };\n").unwrap();
        let error =
            test.guest_source(tree.path(), &tree.path().join("program")).unwrap_err().to_string();
        assert!(error.contains("TRIALS = 1000"), "{error}");
    }

    #[test]
    fn every_selftest_is_in_a_case() {
        let cases = cases::all(Workspace::current().root()).unwrap();
        for test in SELFTESTS {
            let mut programs = cases.iter().flat_map(|case| &case.programs);
            assert!(
                programs.any(|program| program.name == test.name),
                "no case runs {}",
                test.name
            );
        }
    }
}
