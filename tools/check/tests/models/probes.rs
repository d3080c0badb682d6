//! The real readers: small programs that tell what they resolved, built when the tests start.

use crate::specimen::File;
use crate::{Outcome, core_file};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Seconds after which a reader that has not ended counts as one that never does.
const LIMIT: &str = "5";

/// Where LLVM's libunwind is; the package `libunwind-14` brings it.
const LIBUNWIND: &str = "/usr/lib/llvm-14/lib/libunwind.so.1";

/// The readers, and a folder for the images that they are shown.
pub(crate) struct Probes {
    images: tempfile::TempDir,
}

/// The folder of the programs, which all tests share.
static PROGRAMS: OnceLock<tempfile::TempDir> = OnceLock::new();

impl Probes {
    pub(crate) fn build() -> Self {
        PROGRAMS.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder");
            build_c(folder.path());
            build_go(folder.path());
            build_rustix(folder.path());
            folder
        });
        Self { images: tempfile::tempdir().expect("a folder") }
    }

    fn program(name: &str) -> PathBuf {
        PROGRAMS.get().expect("built").path().join(name)
    }

    fn image(&self, image: &File) -> PathBuf {
        let path = self.images.path().join("vdso64.so");
        std::fs::write(&path, &image.bytes).expect("write the image");
        path
    }

    /// Shows the image to a program that maps it itself.
    pub(crate) fn reading(&self, program: &str, image: &File) -> Outcome {
        let mut command = Command::new("timeout");
        command.arg(LIMIT).arg(Self::program(program)).arg(self.image(image));
        outcome(&command.output().expect("timeout runs"))
    }

    /// Shows the image to a program, as its vDSO.
    pub(crate) fn launched(&self, program: &str, image: &File, arguments: &[String]) -> Outcome {
        let path = self.image(image);
        let mut command = Command::new("timeout");
        command.arg(LIMIT).arg(Self::program("launch")).arg(path).arg(Self::program(program));
        outcome(&command.args(arguments).output().expect("timeout runs"))
    }

    /// Shows the image to CRIU, in place of the vDSO of its own process.
    pub(crate) fn criu(&self, image: &File) -> Outcome {
        let path = self.image(image);
        let mut command = Command::new("timeout");
        command.arg(LIMIT).arg(Self::program("criu")).arg(path);
        outcome(&command.output().expect("timeout runs"))
    }

    /// Shows the image to gdb, in a core file.
    pub(crate) fn gdb(&self, image: &File) -> Outcome {
        let path = self.images.path().join("core");
        std::fs::write(&path, core_file::of(&image.bytes)).expect("write the core file");
        let names =
            ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres", "getrandom"];
        let mut command = Command::new("timeout");
        command.args([LIMIT, "gdb", "-nx", "-batch", "-core"]).arg(path);
        for name in names {
            command.arg("-ex").arg(format!("info address __vdso_{name}"));
        }
        let output = command.output().expect("timeout runs");
        if !output.status.success() && output.status.code() != Some(1) {
            return outcome(&output);
        }
        // Symbol "NAME" is at 0xPLACE in a file compiled without debugging.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("Symbol \"")?.split_once("\" is at 0x")?;
            let place = u64::from_str_radix(rest.split(' ').next()?, 16).ok()?;
            Some((name.to_owned(), place.wrapping_sub(core_file::PLACE)))
        });
        Outcome::Found(lines.collect())
    }
}

fn outcome(output: &Output) -> Outcome {
    use std::os::unix::process::ExitStatusExt as _;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    match (output.status.code(), output.status.signal()) {
        (Some(0), _) => Outcome::Found(
            text.lines()
                .chain(errors.lines())
                .filter_map(|line| {
                    let (name, place) = line.split_once(' ')?;
                    Some((name.to_owned(), u64::from_str_radix(place, 16).ok()?))
                })
                .collect(),
        ),
        (Some(124), _) => Outcome::Hung,
        // The runtimes of Go and Rust end with a status of their own.
        (Some(2), _) if errors.contains("SIGSEGV") || errors.contains("panic") => Outcome::Crashed,
        (Some(101), _) if errors.contains("panicked") => Outcome::Aborted,
        // The dynamic linker's complaints.
        (Some(127), _) if errors.contains("vdso") || errors.contains("Assertion") => {
            Outcome::Aborted
        }
        // `timeout` gives a signal's number as a shell does, or dies of the same signal.
        (Some(134), _) | (None, Some(6)) => Outcome::Aborted,
        (Some(128..), _) | (None, Some(_)) => Outcome::Crashed,
        _ => panic!("{}: {text}{errors}", output.status),
    }
}

/// The vDSO of the running kernel, out of this process.
pub(crate) fn running() -> File {
    use std::os::unix::fs::FileExt as _;
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the memory map");
    let line = maps.lines().find(|line| line.ends_with("[vdso]")).expect("a vDSO");
    let (start, rest) = line.split_once('-').expect("a range");
    let end = rest.split(' ').next().expect("its end");
    let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).expect("an address"));
    let mut bytes = vec![0; (end - start) as usize];
    let memory = std::fs::File::open("/proc/self/mem").expect("the memory");
    memory.read_exact_at(&mut bytes, start).expect("the vDSO's bytes");
    File { bytes }
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The kernel line whose parser the checker has a model of: later ones read `DT_GNU_HASH`, too.
const PARSERS_LINE: &str = "6.12";

fn build_c(folder: &Path) {
    let workspace = liblinux_workspace::Workspace::current();
    let kernel = workspace
        .kernel(liblinux_workspace::line::find(PARSERS_LINE).expect("a line"))
        .join("source/tools/testing/selftests/vDSO");
    let parser = kernel.join("parse_vdso.c").display().to_string();
    assert!(
        Path::new(&parser).is_file(),
        "{parser} is not there; run `cargo xtask boot --kernel {PARSERS_LINE}` first"
    );
    let include = format!("-I{}", kernel.display());
    let abseil = ["--cflags", "--libs", "absl_debugging_internal"];
    let abseil = run(Command::new("pkg-config").args(abseil));
    let abseil = abseil.split_whitespace();
    let place = here().join("../readers/place.c");
    let object = folder.join("place.o");
    run(Command::new("gcc").args(["-O1", "-fPIC", "-c"]).arg(place).arg("-o").arg(&object));
    let object = object.display().to_string();
    let abseil: Vec<&str> = std::iter::once(object.as_str()).chain(abseil).collect();
    for (compiler, output, source, flags) in [
        ("gcc", "launch", "../readers/launch.c", &["-O1", "-fPIE", "-pie", &object][..]),
        ("gcc", "glibc", "glibc.c", &["-ldl"]),
        ("musl-gcc", "musl", "musl.c", &["-static"]),
        ("gcc", "criu", "criu.c", &["-O1"]),
        ("gcc", "parse", "parse.c", &["-O1", &include, &parser, &object]),
        ("gcc", "libgcc", "unwind.c", &["-lgcc_s"]),
        ("gcc", "libunwind", "unwind.c", &["-DLLVM", LIBUNWIND]),
        ("g++", "abseil", "abseil.cpp", &abseil),
    ] {
        let mut command = Command::new(compiler);
        command.arg(here().join(source)).args(flags).arg("-o").arg(folder.join(output));
        run(&mut command);
    }
}

fn build_go(folder: &Path) {
    let mut command = Command::new("go");
    command.args(["build", "-o"]).arg(folder.join("go")).arg(here().join("resolved.go"));
    let cache = folder.join("cache");
    run(command.env("CGO_ENABLED", "0").env("GO111MODULE", "off").env("GOCACHE", cache));
}

/// rustix's file is private to the crate, so it is compiled anew, beside what it uses.
fn build_rustix(folder: &Path) {
    let mut metadata = Command::new(env!("CARGO"));
    // A fresh registry has the crates of this platform alone.
    metadata.args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform"]);
    let text = run(metadata.arg(liblinux_workspace::ARCHITECTURE.triple));
    let source = |package: &str| -> PathBuf {
        let manifests = text.split("\"manifest_path\":\"").skip(1);
        let mut paths = manifests.filter_map(|rest| rest.split('"').next());
        let is_it = |path: &&str| {
            let folder = path.strip_suffix("/Cargo.toml").and_then(|path| path.rsplit('/').next());
            folder
                .and_then(|folder| folder.strip_prefix(package))
                .is_some_and(|version| version.starts_with("-1.") || version.starts_with("-0."))
        };
        let path = paths.find(is_it).unwrap_or_else(|| panic!("no package {package}"));
        Path::new(path).parent().expect("a folder").to_owned()
    };
    let raw = source("linux-raw-sys").join("src/lib.rs");
    let library = folder.join("liblinux_raw_sys.rlib");
    let rustc = |edition: &str| {
        let mut command = Command::new("rustc");
        command.args(["-O", "--cap-lints=allow", "--edition", edition]);
        command
    };
    let features = ["elf", "general", "errno", "no_std"].map(|name| format!("feature=\"{name}\""));
    let mut command = rustc("2021");
    command.args(["--crate-type=rlib", "--crate-name=linux_raw_sys"]);
    command.args(features.iter().flat_map(|feature| ["--cfg", feature]));
    run(command.arg(raw).arg("-o").arg(&library));
    let vdso = source("rustix").join("src/backend/linux_raw/vdso.rs");
    std::fs::create_dir_all(folder.join("backend")).expect("a folder");
    std::fs::copy(vdso, folder.join("backend/vdso.rs")).expect("rustix's source");
    std::fs::copy(here().join("rustix.rs"), folder.join("rustix.rs"))
        .expect("the program's source");
    let mut command = rustc("2021");
    command.arg("--extern").arg(format!("linux_raw_sys={}", library.display()));
    command.arg("-C").arg(format!("link-arg={}", folder.join("place.o").display()));
    run(command.arg(folder.join("rustix.rs")).arg("-o").arg(folder.join("rustix")));
}
