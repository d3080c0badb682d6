//! A folder with a runner, an image and the programs that tests need, readable by every user.

use liblinux_workspace::skip::skip;
use liblinux_workspace::{Workspace, line};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A user without privileges.
pub(crate) const UNPRIVILEGED: u32 = 65534;

/// The folder.
pub(crate) struct Workbench(TempDir);

impl Workbench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
            .expect("the test's own folder");
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The image that `cargo xtask image` built.
    pub(crate) fn image() -> PathBuf {
        let image = Workspace::current().image(line::DEFAULT);
        assert!(image.is_file(), "there is no {}; run `cargo xtask image` first", image.display());
        image
    }

    /// A runner with the image; the program is to be added.
    pub(crate) fn runner(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_liblinux-run"));
        command.arg("--image").arg(Self::image());
        command
    }

    /// A runner and an image that a user without privileges can reach, as that user.
    pub(crate) fn unprivileged(&self) -> Command {
        use std::os::unix::process::CommandExt as _;
        let (runner, image) = (self.path("runner"), self.path("image"));
        if !runner.exists() {
            self.install("runner", Path::new(env!("CARGO_BIN_EXE_liblinux-run")));
            fs::copy(Self::image(), &image).expect("the image");
        }
        let mut command = Command::new(runner);
        command.arg("--image").arg(image);
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED).current_dir("/");
        command
    }

    /// Copies a program under `name`.
    ///
    /// By another process: if this one had the copy open for writing, a child that another thread
    /// starts meanwhile would have it too until its exec, and the kernel would not run the program
    /// (`ETXTBSY`).
    pub(crate) fn install(&self, name: &str, program: &Path) -> PathBuf {
        let copy = self.path(name);
        succeed(Command::new("install").args(["-m", "755", "-T"]).arg(program).arg(&copy));
        copy
    }

    /// A file that may be run, with this content; see [`Self::install`].
    pub(crate) fn executable(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let text = self.path(&format!("{name}.content"));
        fs::write(&text, content).expect("a file of the test");
        self.install(name, &text)
    }

    /// Builds `source` of the folder `programs` under `name`.
    pub(crate) fn build(
        &self,
        name: &str,
        source: &str,
        compiler: &str,
        flags: &[&str],
    ) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
        self.compile(name, &source, compiler, flags)
    }

    /// Builds a file under `name`.
    pub(crate) fn compile(
        &self,
        name: &str,
        source: &Path,
        compiler: &str,
        flags: &[&str],
    ) -> PathBuf {
        let output = self.path(name);
        let mut command = Command::new(compiler);
        command.args(flags).arg("-o").arg(&output).arg(source);
        succeed(command.env("GO111MODULE", "off").env("CGO_ENABLED", "0"));
        output
    }

    /// `where`, with the C library linked dynamically.
    pub(crate) fn whereabouts(&self) -> PathBuf {
        self.build("where", "where.c", "gcc", &["-O2", "-Wall", "-Werror"])
    }

    /// A program without a libc.
    pub(crate) fn assemble(&self, name: &str, bits: u32) -> PathBuf {
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/programs/exit{bits}.s"));
        let (object, output) = (self.path("object"), self.path(name));
        let emulation = if bits == 32 { "elf_i386" } else { "elf_x86_64" };
        succeed(Command::new("as").arg(format!("--{bits}")).arg("-o").arg(&object).arg(source));
        succeed(Command::new("ld").args(["-m", emulation]).arg("-o").arg(&output).arg(&object));
        output
    }
}

/// Whether the tests run as root; the present one is skipped if not.
pub(crate) fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip("it needs root, for processes and files of other users");
    }
    root
}

/// Runs a command that must succeed; what it printed.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, errors(&output));
    String::from_utf8(output.stdout).expect("text")
}

/// Runs a command; its exit status (128 and the signal's number if one killed it), output and
/// errors.
pub(crate) fn end(command: &mut Command) -> (i32, String, String) {
    use std::os::unix::process::ExitStatusExt as _;
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status =
        output.status.code().unwrap_or_else(|| 128 + output.status.signal().expect("an end"));
    (status, String::from_utf8_lossy(&output.stdout).into_owned(), errors(&output))
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A script for `sh`.
pub(crate) fn sh(mut command: Command, script: impl AsRef<OsStr>) -> Command {
    command.arg("sh").arg("-c").arg(script);
    command
}
