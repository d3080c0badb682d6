//! A guest for one program of the user's: `cargo xtask boot --run PROGRAM ARGS`.
//!
//! The program's standard output and errors come through ports of their own, byte for byte, and are
//! passed on while it runs. It ends as the program does. Failures of the guest have the exit
//! statuses of `env`.
//!
//! # Invariants
//!
//! 1. The program's own exit status is returned only of a guest that said which image it has, and
//!    said the end.
//! 2. Nothing but the program's output is written to standard output.

use crate::bootable::Origin;
use crate::cache::Cache;
use crate::luggage::Luggage;
use crate::outlook::Outlook;
use crate::qemu::{self, Guest, Limits};
use crate::stream::Stream;
use crate::workshop::{self, Workshop};
use crate::{bootable, config, elf, packages, subject};
use anyhow::{Context, Result, bail, ensure};
use liblinux_protocol::port;
use liblinux_protocol::session::{ARGUMENT, ENVIRONMENT, FILE, FOLDER, LIMIT, PATH};
use liblinux_workspace::{ARCHITECTURE, Line, Workspace};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The exit status of `timeout`.
const TIMED_OUT: u8 = 124;

/// Shells add this to the number of the signal that ended a program.
const SIGNALLED: i32 = 128;

/// The words of the kernel's command line before the user's.
const COMMAND_LINE: &str = "clocksource=tsc tsc=reliable";

/// The time that a guest may take beside the program.
const BOOT: Duration = Duration::from_secs(60);

/// The same for each MiB of files, which the kernel unpacks before anything runs.
const UNPACK: Duration = Duration::from_secs(1);

/// Memory of a guest without its files, in MiB.
const MEMORY_MIB: u64 = 256;

/// Variables of this process that mean the same in the guest.
const VARIABLES: [&str; 5] = ["LANG", "LC_ALL", "LD_LIBRARY_PATH", "RUST_BACKTRACE", "TERM"];

/// Where the guest has programs.
const SEARCH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The ports, and the files that they are.
const STREAMS: &[&str] = &[port::STDOUT, port::STDERR];

/// The program to run.
#[derive(Clone, Debug)]
pub struct Request {
    /// The program, and its arguments.
    pub words: Vec<OsString>,
    /// Files and folders to take along.
    pub take: Vec<PathBuf>,
    /// Seconds after which the program is killed.
    pub limit_s: u32,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory in MiB; enough for the files unless given.
    pub memory_mib: Option<u32>,
    /// Words added to the kernel command line.
    pub append: String,
}

/// The image and the kernel that it runs on.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The workspace.
    pub root: PathBuf,
    /// The image as it is mapped.
    pub image: PathBuf,
    /// The image with its symbols.
    pub image_debug: PathBuf,
    /// The kernel line.
    pub line: &'static Line,
    /// The kernel's source, if it is not to be that of Debian's package.
    pub source: Option<PathBuf>,
}

impl Machine {
    /// What its kernel is made of.
    fn origin(&self) -> Origin<'_> {
        Origin { root: &self.root, line: self.line, source: self.source.as_deref() }
    }
}

/// A request whose program and files are there.
pub struct Session {
    request: Request,
    luggage: Luggage,
}

impl Session {
    /// Finds the program and the files that it takes along; refuses a program that cannot run,
    /// before anything is built.
    pub fn prepare(request: Request) -> Result<Self> {
        ensure!(request.cpus > 0, "a guest needs a processor: --cpus is at least 1");
        let name = request.words.first().context("there is no program to run")?;
        let program = subject::find(name)?;
        let mut luggage = Luggage::empty();
        luggage.program(&program)?;
        luggage.arguments(&request.words[1..])?;
        for path in &request.take {
            luggage.named(path)?;
        }
        let folder = std::env::current_dir().context("the current folder is gone")?;
        luggage.folder(&folder)?;
        for file in ["/etc/ld.so.cache", ARCHITECTURE.musl_path] {
            luggage.optional(file)?;
        }
        let fields = fields(&request, &program, &folder);
        luggage.archive().bytes(FILE, &fields);
        Ok(Self { request, luggage })
    }

    /// Boots the guest and passes the program's output on; the exit status.
    pub fn run(mut self, machine: &Machine) -> Result<u8> {
        let name = self.request.words[0].to_string_lossy();
        eprintln!("{}", Outlook::of_program(&machine.origin(), &machine.image_debug, &name));
        packages::require(packages::BOOT)?;
        shell(&mut self.luggage)?;
        let boots = Workspace::at(&machine.root).boot();
        fs::create_dir_all(&boots).with_context(|| format!("cannot create {}", boots.display()))?;
        let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&boots);
        let folder =
            folder.with_context(|| format!("cannot create a folder in {}", boots.display()))?;
        let images = self.build(machine, &boots, folder.path())?;
        let guest = self.guest(machine.line, folder.path())?;
        for path in self.luggage.list() {
            eprintln!("taken along: {}", path.display());
        }
        let limit = Duration::from_secs(self.request.limit_s.into());
        let boot = BOOT + UNPACK * self.files_mib()?;
        let overall = limit + boot;
        // The program may be silent, and the verdict has a line before it and one behind it.
        let limits = Limits { first_line: boot, each_line: overall, overall };
        let mut streams = [
            Stream::new(folder.path().join(STREAMS[0]), Box::new(io::stdout())),
            Stream::new(folder.path().join(STREAMS[1]), Box::new(io::stderr())),
        ];
        let started = Instant::now();
        let verdict = qemu::run_watched(&guest, limits, &mut || {
            streams.iter_mut().try_for_each(Stream::pass_on)
        });
        match verdict.and_then(|text| self.judge(&text, machine.line, &images, started.elapsed())) {
            Ok(status) => Ok(status),
            Err(error) => {
                // The console may say why.
                let kept = folder.keep();
                Err(error
                    .context(format!("the guest failed (its files are in {})", kept.display())))
            }
        }
    }

    /// Builds the kernel into `folder` and adds init to the luggage; the build-ids of both images
    /// of the kernel.
    fn build(&mut self, machine: &Machine, boots: &Path, folder: &Path) -> Result<[String; 2]> {
        let build_id = bootable::build_id(&machine.image, &machine.image_debug)?;
        let cache = Cache::open()?;
        let _cache_lock = cache.lock()?;
        let (origin, image) = (machine.origin(), &machine.image_debug);
        let kernel = bootable::build(&cache, &origin, config::SMALLEST, image)?;
        let bz_image = folder.join(ARCHITECTURE.kernel_image);
        fs::copy(&kernel.bz_image, &bz_image)
            .with_context(|| format!("cannot write {}", bz_image.display()))?;
        let _programs_lock = workshop::lock(boots)?;
        let workshop = Workshop {
            root: &machine.root,
            folder: boots.join("programs"),
            line: machine.line,
            kernel: &kernel.source,
            headers: &kernel.headers,
            image: &machine.image,
            image_debug: &machine.image_debug,
            c_image_debug: &kernel.c_image,
        };
        self.luggage.archive().program("/init", &workshop.init()?)?;
        Ok([build_id, elf::build_id(&kernel.c_image)?])
    }

    /// MiB of files, rounded up.
    fn files_mib(&mut self) -> Result<u32> {
        let size = self.luggage.archive().size().div_ceil(1 << 20);
        u32::try_from(size).context("the files are too large for a guest")
    }

    fn guest(&mut self, line: &Line, folder: &Path) -> Result<Guest> {
        // The files are in memory twice while the kernel unpacks them.
        let files_mib = u64::from(self.files_mib()?) * 2;
        let memory_mib =
            u32::try_from(MEMORY_MIB + files_mib).context("the files are too large for a guest")?;
        Ok(Guest {
            folder: folder.to_owned(),
            bz_image: folder.join(ARCHITECTURE.kernel_image),
            initramfs: self.luggage.archive().archive()?,
            command_line: format!("{}=rust {COMMAND_LINE} {}", line.parameter, self.request.append),
            cpus: self.request.cpus,
            counts_instructions: false,
            lacks_smap: false,
            memory_mib: self.request.memory_mib.unwrap_or(memory_mib),
            streams: STREAMS,
        })
    }

    /// The exit status for a verdict.
    fn judge(
        &self,
        verdict: &str,
        line: &Line,
        images: &[String; 2],
        elapsed: Duration,
    ) -> Result<u8> {
        let value = |key: &str| {
            verdict
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
                .map(str::to_owned)
        };
        if let Some((_, why)) = verdict.split_once("Bail out! ") {
            bail!("{}", why.trim());
        }
        let image = value("image").context("the guest did not say which image it has")?;
        let [ours, kernels] = images;
        let word = format!("{}=c", line.parameter);
        let asked_for_c = self.request.append.split_whitespace().any(|given| given == word);
        let wanted = if asked_for_c { kernels } else { ours };
        ensure!(
            image == *wanted,
            "the guest's programs have the image {image}, but must have {wanted}"
        );
        let end = value("end").context("the guest did not say how the program ended")?;
        let (status, how) = ending(&end, self.request.limit_s)?;
        let name = self.request.words[0].display();
        eprintln!(
            "{name} {how} (image {}, {:.1} s with the boot)",
            &image[..12],
            elapsed.as_secs_f32()
        );
        Ok(status)
    }
}

/// The exit status of an end that the guest told, and the words for it.
fn ending(end: &str, limit_s: u32) -> Result<(u8, String)> {
    let (word, rest) = end.split_once(' ').unwrap_or((end, ""));
    let number = |text: &str| {
        text.parse::<i32>().with_context(|| format!("`{end}` is not an end of a program"))
    };
    Ok(match word {
        "exited" => (u8::try_from(number(rest)?)?, format!("ended with status {rest}")),
        "killed" => {
            (u8::try_from(SIGNALLED + number(rest)?)?, format!("was killed by signal {rest}"))
        }
        "timed" => {
            (TIMED_OUT, format!("was killed after {limit_s} s; --limit SECONDS gives it more"))
        }
        "not" => {
            bail!("the guest could not start the program: {}", rest.trim_start_matches("started "))
        }
        _ => bail!("`{end}` is not an end of a program"),
    })
}

/// The words for the guest's init.
fn fields(request: &Request, program: &Path, folder: &Path) -> Vec<u8> {
    let mut fields = Vec::new();
    let mut add = |key: &str, value: &OsStr| {
        fields.extend([key.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    };
    add(LIMIT, request.limit_s.to_string().as_ref());
    add(FOLDER, folder.as_os_str());
    add(PATH, program.as_os_str());
    add(ENVIRONMENT, SEARCH.as_ref());
    add(ENVIRONMENT, "HOME=/".as_ref());
    for name in VARIABLES {
        if let Some(value) = std::env::var_os(name) {
            let mut variable = OsString::from(format!("{name}="));
            variable.push(value);
            add(ENVIRONMENT, &variable);
        }
    }
    request.words.iter().for_each(|word| add(ARGUMENT, word));
    fields
}

/// Adds busybox, as every program that it can be and that was not taken along: `/bin/sh`,
/// `/bin/ls`.
fn shell(luggage: &mut Luggage) -> Result<()> {
    let busybox = Path::new("/bin/busybox");
    luggage.program(busybox).context("`sudo apt-get install busybox-static` brings it again")?;
    let output = Command::new(busybox).arg("--list").output().context("cannot run busybox")?;
    let folder = busybox.canonicalize().context("busybox is gone")?;
    let folder = folder.parent().unwrap_or(Path::new("/bin")).display().to_string();
    for name in String::from_utf8_lossy(&output.stdout).lines() {
        let link = format!("{folder}/{name}");
        if !luggage.archive().has(&link) {
            luggage.archive().symlink(&link, "busybox");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_has_its_status() {
        for (end, status, how) in [
            ("exited 0", 0, "status 0"),
            ("exited 7", 7, "status 7"),
            ("killed 11", 139, "signal 11"),
            ("timed out", 124, "after 60 s"),
        ] {
            let (found, text) = ending(end, 60).unwrap();
            assert!(found == status && text.contains(how), "{end}: {found} {text}");
        }
        assert!(
            ending("not started 2 No such file", 60)
                .unwrap_err()
                .to_string()
                .contains("No such file")
        );
        assert!(ending("well", 60).is_err());
    }
}
