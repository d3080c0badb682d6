//! Real programs, each with real work: from Debian's source packages, and one of the project's own.
//!
//! A program that is linked dynamically is compiled once, against the headers of musl, and is run
//! by the dynamic loader of one musl and of the other. So nothing differs but the library. Output
//! and exit status have to be the same.

use crate::busybox;
use crate::job::{self, End};
use crate::musl::Musl;
use crate::runner::Runner;
use crate::server;
use anyhow::{Context as _, Result, ensure};
use liblinux_boot::cache::{self, Cache};
use liblinux_boot::source_package;
use liblinux_guest::pinning::Report;
use liblinux_workspace::Workspace;
use liblinux_workspace::command::{output, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a program may take: far more than it does.
const LIMIT: Duration = Duration::from_secs(300);

/// A program and its work.
pub(crate) struct Program {
    /// Its name.
    pub(crate) name: &'static str,
    origin: Origin,
    flags: &'static [&'static str],
    work: Work,
}

/// Where its sources are.
enum Origin {
    /// A source package of Debian, and what its files to compile are.
    Debian(&'static str, fn(&Path) -> Result<Vec<PathBuf>>),
    /// A source package of Debian, and what makes the program in its tree.
    Made(&'static str, fn(&Path, &Musl) -> Result<PathBuf>),
    /// A file of `vdso/libc/work`.
    Own(&'static str),
}

/// What it does.
enum Work {
    /// It runs with these arguments, of which some are scripts of `vdso/libc/work`.
    Run(&'static [&'static str]),
    /// It serves files to many clients.
    Serve,
}

const fn calls(name: &'static str, flags: &'static [&'static str]) -> Program {
    Program { name, origin: Origin::Own("calls.c"), flags, work: Work::Run(&[]) }
}

/// Every program.
pub(crate) const PROGRAMS: &[Program] = &[
    calls("calls", &["-O2"]),
    calls("calls-static", &["-O2", "-static"]),
    calls("calls-pie", &["-O2", "-static-pie", "-fPIE"]),
    Program {
        name: "lua",
        origin: Origin::Debian("lua5.4", lua),
        flags: &["-O1", "-DLUA_USE_POSIX", "-lm"],
        work: Work::Run(&["lua.lua"]),
    },
    Program {
        name: "sqlite",
        origin: Origin::Debian("sqlite3", sqlite),
        flags: &["-O1", "-DSQLITE_THREADSAFE=1", "-DSQLITE_OMIT_LOAD_EXTENSION", "-lm"],
        work: Work::Run(&["-batch", "-init", "sqlite.sql", "work.db", ".quit"]),
    },
    Program {
        name: "civetweb",
        origin: Origin::Debian("civetweb", civetweb),
        flags: &["-O1", "-DNO_SSL", "-DUSE_X_DOM_SOCKET", "-Iinclude", "-lm"],
        work: Work::Serve,
    },
    Program {
        name: "busybox",
        origin: Origin::Made("busybox", busybox::make),
        flags: &["-static"],
        work: Work::Run(&["sh", "busybox.sh"]),
    },
];

/// The source packages that programs come from.
pub(crate) fn packages() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().filter_map(Program::package)
}

fn lua(tree: &Path) -> Result<Vec<PathBuf>> {
    let folder = tree.join("src");
    // Debian's own build makes this file, of the name of the system that it builds for.
    let header = folder.join("lua5.4-deb-multiarch.h");
    fs::write(&header, "#define DEB_HOST_MULTIARCH \"x86_64-linux-musl\"\n")
        .with_context(|| format!("cannot write {}", header.display()))?;
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    // `luac.c` has another program's main function.
    files
        .retain(|file| file.extension().is_some_and(|end| end == "c") && !file.ends_with("luac.c"));
    ensure!(!files.is_empty(), "{} has no C source", folder.display());
    Ok(files)
}

/// One file has all of SQLite; its own makefile makes it, with tclsh.
fn sqlite(tree: &Path) -> Result<Vec<PathBuf>> {
    let quiet = |command: &mut Command| output(command.current_dir(tree)).map(drop);
    quiet(Command::new("./configure").args(["--disable-readline", "--disable-tcl"]))?;
    quiet(Command::new("make").args(["sqlite3.c", "shell.c"]))?;
    Ok(["sqlite3.c", "shell.c"].map(|name| tree.join(name)).to_vec())
}

fn civetweb(tree: &Path) -> Result<Vec<PathBuf>> {
    Ok(["src/civetweb.c", "src/main.c"].map(|name| tree.join(name)).to_vec())
}

/// The result for a program.
pub(crate) struct Outcome {
    /// The difference to the musl that it was, if there is one.
    pub(crate) fault: Option<String>,
    /// What it did, where it was pinned.
    pub(crate) pinned: Option<Report>,
    /// A server's requests in a second on the musl that it was, and on this one.
    pub(crate) speeds: Option<[f64; 2]>,
}

impl Program {
    /// Lets it work on the musl that it was and on the rerouted one.
    pub(crate) fn compare(
        &self,
        workspace: &Workspace,
        cache: &Cache,
        runner: &Runner,
        [stock, rerouted]: [&Musl; 2],
        is_pinned: bool,
    ) -> Result<Outcome> {
        let build = |musl, kind| self.build(workspace, cache, musl, self.kind(kind));
        let [before, after] = if self.is_static() {
            [vec![build(stock, "stock")?], vec![build(rerouted, "rerouted")?]]
        } else {
            let program = build(stock, "stock")?;
            [stock, rerouted].map(|musl| vec![musl.loader.clone(), program.clone()])
        };
        let (expected, speed_before) = self.work(workspace, &before, runner.command(None))?;
        let scratch = tempfile::tempdir().context("cannot create a folder")?;
        let report = is_pinned.then(|| scratch.path().join("report"));
        let (found, _) = self.work(workspace, &after, runner.command(report.as_deref()))?;
        let pinned = report.as_deref().map(Report::take).transpose()?;
        // A tracer counts the calls of a pinned server, so its speed is another one. Without the
        // image's entries musl makes its calls by itself.
        let unpinned = match (&self.work, &self.origin) {
            (Work::Serve, _) => Some(("unpinned", runner.command(None))),
            (_, Origin::Own(_)) => Some(("on the kernel's own vDSO", Command::new("env"))),
            _ => None,
        };
        let unpinned = unpinned
            .map(|(how, command)| anyhow::Ok((how, self.work(workspace, &after, command)?)))
            .transpose()?;
        let speed_after = unpinned.as_ref().and_then(|(_, (_, speed))| *speed);
        let speeds = speed_before.zip(speed_after).map(|(before, after)| [before, after]);
        let fault = if expected.status != Some(0) || expected.said.is_empty() {
            Some(format!("its work fails on the musl that it was: {}", tell(&expected)))
        } else if let Some(pinned) = pinned.as_ref().filter(|pinned| pinned.violations > 0) {
            Some(format!("makes calls from elsewhere:\n{}", pinned.listed.join("\n")))
        } else if found != expected {
            Some(format!("{}\ninstead of {}", tell(&found), tell(&expected)))
        } else if let Some((how, (end, _))) = unpinned.filter(|(_, (end, _))| *end != expected) {
            Some(format!("{how} {}\ninstead of {}", tell(&end), tell(&expected)))
        } else {
            None
        };
        Ok(Outcome { fault, pinned, speeds })
    }

    /// The source package that it comes from.
    pub(crate) fn package(&self) -> Option<&'static str> {
        match self.origin {
            Origin::Own(_) => None,
            Origin::Debian(name, _) | Origin::Made(name, _) => Some(name),
        }
    }

    /// Whether the library is in it.
    pub(crate) fn is_static(&self) -> bool {
        self.flags.iter().any(|flag| flag.starts_with("-static"))
    }

    /// How it differs by the musl that it is built with, `kind`.
    pub(crate) fn kind(&self, kind: &'static str) -> &'static str {
        if self.is_static() { kind } else { "shared" }
    }

    /// Builds it in the folder of the check; a program of Debian's may be there from before.
    pub(crate) fn build(
        &self,
        workspace: &Workspace,
        cache: &Cache,
        musl: &Musl,
        kind: &str,
    ) -> Result<PathBuf> {
        let folder = workspace.libc_check();
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let package = self.package().map(|name| source_package::get(name, cache)).transpose()?;
        let mut name = self.name.to_owned();
        if let Some(package) = &package {
            name += &format!("-{}", package.version.replace(':', "-"));
        }
        let flags = cache::key([("flags", self.flags.join(" ").as_bytes())]);
        name += &format!("-{}-{kind}", &flags[..8]);
        if self.is_static() {
            name += &format!("-{}", musl.key);
        }
        let program = folder.join(name);
        if package.is_some() && program.is_file() {
            return Ok(program);
        }
        let scratch = tempfile::tempdir_in(&folder)
            .with_context(|| format!("cannot create a folder in {}", folder.display()))?;
        let tree = scratch.path().join("tree");
        match &package {
            None => fs::create_dir(&tree).context("cannot create a folder")?,
            Some(package) => {
                eprintln!("building {} {} ...", package.name, package.version);
                package.unpack(&tree)?;
            }
        }
        let made = self.make(workspace, &tree, musl)?;
        fs::rename(&made, &program)
            .with_context(|| format!("cannot create {}", program.display()))?;
        Ok(program)
    }

    /// Makes the program of what is in `tree`.
    fn make(&self, workspace: &Workspace, tree: &Path, musl: &Musl) -> Result<PathBuf> {
        let sources = match self.origin {
            Origin::Made(_, make) => return make(tree, musl),
            Origin::Debian(_, sources) => sources(tree)?,
            Origin::Own(file) => vec![workspace.libc().join("work").join(file)],
        };
        let program = tree.with_file_name("program");
        let mut compiler = Command::new(&musl.compiler);
        compiler.current_dir(tree).arg("-w").arg("-o").arg(&program);
        compiler.args(sources).args(self.flags);
        run(&mut compiler).with_context(|| format!("{} does not compile", self.name))?;
        Ok(program)
    }

    /// Adds it to a command that runs programs, and lets it work; a server's requests in a second.
    fn work(
        &self,
        workspace: &Workspace,
        words: &[PathBuf],
        mut command: Command,
    ) -> Result<(End, Option<f64>)> {
        let folder = tempfile::tempdir().context("cannot create a folder")?;
        command.args(words).current_dir(folder.path());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path());
        match self.work {
            Work::Serve => {
                let (end, speed) = server::serve(&mut command, folder.path())?;
                Ok((end, Some(speed)))
            }
            Work::Run(words) => {
                let scripts = workspace.libc().join("work");
                let word = |word: &&str| {
                    let script = scripts.join(word);
                    if script.is_file() { script } else { PathBuf::from(word) }
                };
                Ok((job::end(command.args(words.iter().map(word)), LIMIT)?, None))
            }
        }
    }
}

/// An end in words.
fn tell(end: &End) -> String {
    let status = end.status.map_or("no end".to_owned(), |status| format!("status {status}"));
    let lines: Vec<&str> = end.said.lines().collect();
    let last = &lines[lines.len().saturating_sub(10)..];
    format!("{status}, {} lines, the last ones:\n{}", lines.len(), last.join("\n"))
}
