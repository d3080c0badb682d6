//! Builds the guest's programs, each by its language's ordinary tool.
//!
//! # Invariants
//!
//! 1. A program is rebuilt when its source, a header, the library that it is linked with, its
//!    command or its compiler changed, and appears under its name only when the build succeeded.
//! 2. Go and C are built without network; cargo uses the workspace's lock file.

use crate::cache::{self, Cache, Lock};
use crate::compiler::{self, partial};
use crate::foreign;
use crate::programs::{Build, Program, RUNNER};
use crate::progress::Progress;
use crate::selftests::Origin;
use anyhow::{Context, Result, ensure};
use liblinux_workspace::{ARCHITECTURE, Line, Workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const C_LIBRARY: &[&str] = &["-O2", "-Wall", "-Werror", "-shared", "-fPIC"];
const C_FIXUP: &[&str] = &["-O2", "-Wall", "-Werror", "-static", "-pthread"];
/// The library to link with.
const LIBRARY: &str = "target/client/liblinux.so";
/// How a command names it.
const LINK: &str = "-llinux";
/// The package of the guest's programs.
const GUEST: &str = "liblinux-guest";

/// Builds programs of the workspace at `root` into `folder`.
pub struct Workshop<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// Where results go.
    pub folder: PathBuf,
    /// The line of the guest's kernel.
    pub line: &'static Line,
    /// The source of that kernel, which has the selftests.
    pub kernel: &'a Path,
    /// Its headers for user space.
    pub headers: &'a Path,
    /// The project's image.
    pub image: &'a Path,
    /// The same with its symbols.
    pub image_debug: &'a Path,
    /// The kernel's image with its symbols.
    pub c_image_debug: &'a Path,
}

/// Waits until no other run builds programs below `folder`. A run that boots cases holds this only
/// while it builds.
pub fn lock(folder: &Path) -> Result<Lock> {
    cache::lock(&folder.join("programs.lock"), "target/boot/programs")
}

/// Where [`Contents`](crate::contents::Contents) of `folder` have the selftests of the vDSO.
pub(crate) fn selftests(folder: &Path) -> PathBuf {
    folder.join("programs/vDSO")
}

impl Workshop<'_> {
    /// Builds `programs`, or finds them built; the files, in the same order.
    pub fn build(&self, programs: &[Program]) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot create {}", self.folder.display()))?;
        let mut progress = Progress::exact("building the guest's programs", programs.len());
        let rust: Vec<&str> = programs
            .iter()
            .filter_map(|program| match program.build {
                Build::Rust(binary) => Some(binary),
                _ => None,
            })
            .collect();
        if !rust.is_empty() {
            self.cargo("build", GUEST, &rust, &[], &mut progress)?;
        }
        let mut files = Vec::new();
        for program in programs {
            files.push(self.build_one(program, &mut progress)?);
            progress.advance(Some(program.name));
        }
        progress.finish();
        Ok(files)
    }

    /// Builds the guest's `/init`: static, so that it runs also where the image breaks a loader.
    /// That concerns the program alone, so its libraries are those of the others.
    pub fn init(&self) -> Result<PathBuf> {
        let mut progress = Progress::new("building the guest's init", None);
        let options = ["--", "-Ctarget-feature=+crt-static"];
        self.cargo("rustc", GUEST, &["init"], &options, &mut progress)?;
        progress.finish();
        Ok(self.rust("init"))
    }

    fn build_one(&self, program: &Program, progress: &mut Progress) -> Result<PathBuf> {
        let output = self.folder.join(program.name);
        match program.build {
            Build::Debian { path, package } => {
                if let Some((package, suite)) = program.newer(self.line) {
                    let system = foreign::newer(suite, package, &Cache::open()?)?;
                    return Ok(system.join(path.trim_start_matches('/')));
                }
                ensure!(
                    Path::new(path).is_file(),
                    "there is no {path}; run `sudo apt-get install {package}`"
                );
                Ok(PathBuf::from(path))
            }
            Build::Script(path) => Ok(self.root.join(path)),
            Build::Rust(binary) => Ok(self.rust(binary)),
            Build::Runner => {
                self.cargo("build", RUNNER, &[RUNNER], &[], progress)?;
                Ok(self.rust(RUNNER))
            }
            Build::Image => Ok(self.image.to_owned()),
            Build::C(compiler, flags) => {
                let source = self.root.join("qemu/guest/programs/clocks.c");
                let mut command = Command::new(compiler);
                command.args(flags).arg("-o").arg(partial(&output)).arg(&source);
                compiler::compile(command, &[source], &output, progress)?;
                Ok(output)
            }
            Build::Libc(name) => {
                let libc = Workspace::at(self.root);
                // The archive's bytes are named by the key beside it.
                let key = libc.built_libc().join("key");
                self.work(&libc.libc_compiler(), name, Some(key), output, progress)
            }
            Build::Musl(name) => self.work(Path::new("musl-gcc"), name, None, output, progress),
            Build::ClientC(compiler, flags, source) => {
                self.client(compiler, flags, source, output, progress)
            }
            Build::ClientLibrary(source) => self.client("gcc", C_LIBRARY, source, output, progress),
            Build::ClientRust(name) => {
                let target = self.folder.join(name).join("target");
                let mut command = cargo();
                command.args(["build", "--release", "--locked", "--manifest-path"]);
                command.arg(self.root.join("vdso/client/examples").join(name).join("Cargo.toml"));
                command.arg("--target-dir").arg(&target);
                command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
                self.run(command, name, progress)?;
                Ok(target.join("release").join(name))
            }
            Build::Fixup(name) => {
                let folder = self.root.join("qemu/guest/programs");
                let source = folder.join(name);
                let mut command = Command::new("gcc");
                let include = self.root.join("vdso/client/include");
                command
                    .args(C_FIXUP)
                    .arg("-o")
                    .arg(partial(&output))
                    .arg(&source)
                    .arg("-I")
                    .arg(&include);
                let headers = headers(&folder)?.into_iter().chain(self.client_headers()?);
                let sources: Vec<PathBuf> = [source].into_iter().chain(headers).collect();
                compiler::compile(command, &sources, &output, progress)?;
                Ok(output)
            }
            Build::Selftest(selftest) => {
                let folder = output.parent().context("its name has a folder")?;
                fs::create_dir_all(folder)
                    .with_context(|| format!("cannot create {}", folder.display()))?;
                let origin = Origin {
                    root: self.root,
                    tree: self.kernel,
                    line: self.line,
                    headers: self.headers,
                    image_debug: self.image_debug,
                    c_image_debug: self.c_image_debug,
                };
                // The kernel's folder is named after all that is in it, so its name in the command
                // covers all its files.
                let own = selftest.own_sources(self.root);
                let main = selftest.guest_source(self.kernel, &output)?;
                let command = selftest.command(origin, &main, &partial(&output))?;
                let sources: Vec<PathBuf> = [main].into_iter().chain(own).collect();
                compiler::compile(command, &sources, &output, progress)?;
                Ok(output)
            }
            Build::Go => {
                let source = self.root.join("qemu/guest/programs/clocks.go");
                let mut command = Command::new("go");
                command.args(["build", "-trimpath", "-o"]).arg(partial(&output)).arg(&source);
                // One file without modules: nothing to download, nothing to write next to the
                // source.
                command.env("GO111MODULE", "off").env("CGO_ENABLED", "0").env("GOFLAGS", "");
                command
                    .env("GOCACHE", self.folder.join("go-cache"))
                    .env("GOPATH", self.folder.join("go-path"));
                compiler::compile(command, &[source], &output, progress)?;
                Ok(output)
            }
        }
    }

    /// Compiles a file of `vdso/libc/work`; `key` changes with the libc.
    fn work(
        &self,
        compiler: &Path,
        name: &str,
        key: Option<PathBuf>,
        output: PathBuf,
        progress: &mut Progress,
    ) -> Result<PathBuf> {
        let source = Workspace::at(self.root).libc().join("work").join(name);
        let mut command = Command::new(compiler);
        command.args(["-O2", "-static", "-o"]).arg(partial(&output)).arg(&source);
        let sources: Vec<PathBuf> = [source].into_iter().chain(key).collect();
        compiler::compile(command, &sources, &output, progress)?;
        Ok(output)
    }

    /// Compiles a C example of `vdso/client`.
    fn client(
        &self,
        compiler: &str,
        flags: &[&str],
        source: &str,
        output: PathBuf,
        progress: &mut Progress,
    ) -> Result<PathBuf> {
        let client = self.root.join("vdso/client");
        let source = client.join("examples").join(source);
        let mut command = Command::new(compiler);
        // A library to link with stands after the source that needs it.
        command.current_dir(self.root).arg("-o").arg(partial(&output)).arg(&source).args(flags);
        command.arg("-I").arg(client.join("include"));
        let library = flags.contains(&LINK).then(|| self.root.join(LIBRARY));
        let sources: Vec<PathBuf> =
            [source].into_iter().chain(library).chain(self.client_headers()?).collect();
        compiler::compile(command, &sources, &output, progress)?;
        Ok(output)
    }

    /// The headers that examples include, directly or not.
    fn client_headers(&self) -> Result<Vec<PathBuf>> {
        let include = self.root.join("vdso/client/include");
        Ok([headers(&include)?, headers(&include.join("liblinux"))?].concat())
    }

    /// Builds programs of a package by a subcommand of cargo.
    fn cargo(
        &self,
        subcommand: &str,
        package: &str,
        binaries: &[&str],
        arguments: &[&str],
        progress: &mut Progress,
    ) -> Result<()> {
        let mut command = cargo();
        command.current_dir(self.root).args([subcommand, "--release", "--locked"]);
        command.args(["--package", package, "--target", ARCHITECTURE.triple]);
        command.arg("--target-dir").arg(self.folder.join("guest"));
        command.args(binaries.iter().flat_map(|binary| ["--bin", binary])).args(arguments);
        // A target folder of its own, so that this never evicts another build's results.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "");
        command.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
        self.run(command, package, progress)
    }

    /// Runs cargo, which says in a log what it does.
    fn run(&self, mut command: Command, name: &str, progress: &mut Progress) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot create {}", self.folder.display()))?;
        let log = self.folder.join(format!("{name}-build.log"));
        compiler::run(&mut command, name, &log, |line| progress.at(line.map(str::trim)))
    }

    /// Where cargo puts a program.
    fn rust(&self, binary: &str) -> PathBuf {
        self.folder.join("guest").join(ARCHITECTURE.triple).join("release").join(binary)
    }
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The headers in a folder.
fn headers(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "h"));
    ensure!(!files.is_empty(), "there are no headers in {}", folder.display());
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::find;
    use liblinux_workspace::line;

    #[test]
    fn compiles_once_and_names_errors() {
        let root = tempfile::tempdir().unwrap();
        let programs = root.path().join("qemu/guest/programs");
        fs::create_dir_all(&programs).unwrap();
        let source = programs.join("clocks.c");
        fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        let workshop = Workshop {
            root: root.path(),
            folder: root.path().join("out"),
            line: line::DEFAULT,
            kernel: root.path(),
            headers: root.path(),
            image: root.path(),
            image_debug: root.path(),
            c_image_debug: root.path(),
        };
        let program = find("glibc-static").unwrap();

        let file = workshop.build(&[program]).unwrap().remove(0);
        let built = fs::metadata(&file).unwrap().modified().unwrap();
        workshop.build(&[program]).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), built);

        fs::write(&source, "int main(void) { return nonesuch; }\n").unwrap();
        let error = workshop.build(&[program]).unwrap_err().to_string();
        assert!(error.contains("nonesuch"), "{error}");
    }
}
