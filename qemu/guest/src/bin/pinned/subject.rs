//! The programs that are pinned, and the work of each.
//!
//! Programs that are linked dynamically are started by their loader, which is the musl that makes
//! its calls by the image.

use anyhow::{Context as _, Result};
use liblinux_guest::load::{self, Load};
use liblinux_guest::streams;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, mkdirat};
use std::fmt;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

/// A program and its work.
pub(crate) struct Subject {
    /// Its name.
    pub(crate) name: &'static str,
    words: &'static [&'static str],
    is_server: bool,
}

const LOADER: &str = "/programs/ld-musl";

const fn worker(name: &'static str, words: &'static [&'static str]) -> Subject {
    Subject { name, words, is_server: false }
}

/// Every program.
pub(crate) const SUBJECTS: &[Subject] = &[
    worker("calls", &["/programs/calls"]),
    worker("lua", &[LOADER, "/programs/lua", "/programs/lua.lua"]),
    worker(
        "sqlite",
        &[
            LOADER,
            "/programs/sqlite",
            "-batch",
            "-init",
            "/programs/sqlite.sql",
            "work.db",
            ".quit",
        ],
    ),
    worker("busybox", &["/programs/busybox-musl", "sh", "/programs/busybox.sh"]),
    Subject { name: "civetweb", words: &[LOADER, "/programs/civetweb"], is_server: true },
];

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The exit status, or `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    /// Output and errors.
    pub(crate) said: String,
}

impl End {
    fn new(status: ExitStatus, mut said: String) -> Self {
        if let Some(signal) = status.signal() {
            said += &format!("signal {signal}\n");
        }
        Self { status: status.code(), said }
    }
}

/// On one line, since a diagnostic has one.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 6;
        let lines: Vec<&str> = self.said.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN)..];
        let status = self.status.map_or("a signal".to_owned(), |status| format!("status {status}"));
        write!(f, "{status}, {} lines, the last ones: {}", lines.len(), last.join(" | "))
    }
}

impl Subject {
    /// Lets it work, as an argument of the command `before` if that has words.
    pub(crate) fn work(&self, before: &[&str]) -> Result<End> {
        let folder = format!("/tmp/{}", self.name);
        mkdirat(AT_FDCWD, folder.as_str(), Mode::S_IRWXU).with_context(|| folder.clone())?;
        let words = [before, self.words].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(&folder);
        command.env_clear().env("PATH", "/bin").env("HOME", &folder);
        let end = if self.is_server { serve(command, &folder) } else { end(command) };
        fs::remove_dir_all(&folder).with_context(|| folder.clone())?;
        end
    }
}

fn end(mut command: Command) -> Result<End> {
    const SAID: &str = "/tmp/said";
    let file = OwnedFd::from(File::create(SAID).context(SAID)?);
    let streams = vec![(streams::null()?, 0), (file.try_clone()?, 1), (file, 2)];
    streams::lay(&mut command, streams);
    let status = command.status().context("it does not start")?;
    let said = fs::read(SAID).context(SAID)?;
    Ok(End::new(status, String::from_utf8_lossy(&said).into_owned()))
}

/// A server's work. The guest's kernel has no TCP, so it listens at a Unix socket.
fn serve(mut command: Command, folder: &str) -> Result<End> {
    const LOAD: Load = Load { clients: 8, requests: 20 };
    let socket = format!("{folder}/socket");
    command.args(["-document_root", folder, "-listening_ports", &format!("x{socket}")]);
    command.args(["-num_threads", "8"]);
    let connect = || {
        let stream = UnixStream::connect(&socket)?;
        stream.set_read_timeout(Some(load::LIMIT))?;
        Ok(stream)
    };
    let (status, answers) =
        load::serve(&mut command, Path::new(folder), connect, || LOAD.answers(&connect))?;
    Ok(End::new(status, format!("{answers} answers\n")))
}
