//! A session: one program of the user's, whose output and end the host passes on.
//!
//! The file of a session is described in [`liblinux_protocol::session`].
//!
//! The program's output goes through a pipe into a virtio port, its errors through another, byte
//! for byte. Its input is empty. The verdict has lines `KEY: VALUE`, of which `end` is the last.
//!
//! # Invariants
//!
//! 1. All that the program wrote is with the host before `end` is.
//! 2. `end` is written whatever the program does, and processes that it leaves behind are gone
//!    before.

use crate::image::Image;
use crate::image::build_id;
use crate::machine;
use anyhow::{Context, Result, bail};
use liblinux_protocol::port;
use liblinux_protocol::session::{ARGUMENT, ENVIRONMENT, FILE, FOLDER, LIMIT, PATH};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the program is looked after.
const TICK: Duration = Duration::from_millis(5);

/// How long processes that outlive the program may continue to write its output.
const DRAIN: Duration = Duration::from_secs(1);

/// Bytes that are passed on at a time.
const CHUNK: usize = 16 << 10;

/// What runs, and how.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Session {
    limit: Duration,
    folder: OsString,
    path: OsString,
    environment: Vec<OsString>,
    arguments: Vec<OsString>,
}

/// Reads the session, if the guest was made for one.
pub fn read() -> Result<Option<Session>> {
    match std::fs::read(FILE) {
        Ok(bytes) => Session::parse(&bytes).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {FILE}")),
    }
}

impl Session {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let mut session = Self::default();
        for field in bytes.split(|byte| *byte == 0).filter(|field| !field.is_empty()) {
            let at = field
                .iter()
                .position(|byte| *byte == b'=')
                .context("a field of the session has no key")?;
            let value = OsString::from_vec(field[at + 1..].to_vec());
            match str::from_utf8(&field[..at]).unwrap_or("?") {
                LIMIT => {
                    let seconds =
                        value.to_str().and_then(|text| text.parse().ok()).context("no limit")?;
                    session.limit = Duration::from_secs(seconds);
                }
                FOLDER => session.folder = value,
                PATH => session.path = value,
                ENVIRONMENT => session.environment.push(value),
                ARGUMENT => session.arguments.push(value),
                other => bail!("the session has an unknown key `{}`", other),
            }
        }
        if session.path.is_empty() || session.arguments.is_empty() {
            bail!("the session names no program");
        }
        Ok(session)
    }

    /// Runs the program and tells the host how it ended.
    pub fn run(&self, port: &mut dyn Write) -> Result<()> {
        let image = Process::myself()
            .map_err(anyhow::Error::from)
            .and_then(|process| Image::of(&process))?;
        writeln!(port, "image: {}", build_id(image.as_ref()))?;
        let (output, errors) =
            (machine::open_port(port::STDOUT)?, machine::open_port(port::STDERR)?);
        let end = match self.start() {
            Ok(mut child) => {
                let output = pass_on(child.stdout.take().context("no pipe")?, output);
                let errors = pass_on(child.stderr.take().context("no pipe")?, errors);
                let end = self.attend(&mut child)?;
                finish([output, errors])?;
                end
            }
            Err(error) => format!("not started {} {error}", error.raw_os_error().unwrap_or(0)),
        };
        writeln!(port, "end: {end}")?;
        Ok(())
    }

    fn start(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        command.arg0(&self.arguments[0]).args(&self.arguments[1..]).current_dir(&self.folder);
        command.env_clear();
        for variable in &self.environment {
            let text = variable.clone().into_vec();
            let at = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
            let value = text.get(at + 1..).unwrap_or_default().to_vec();
            command.env(OsString::from_vec(text[..at].to_vec()), OsString::from_vec(value));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    /// Waits for the program's end, which comes at the limit if not before; says how it ended.
    fn attend(&self, child: &mut Child) -> Result<String> {
        let deadline = Instant::now() + self.limit;
        loop {
            if let Some(status) = child.try_wait().context("cannot wait for the program")? {
                return Ok(described(status));
            }
            if Instant::now() > deadline {
                child.kill().context("cannot kill the program")?;
                child.wait().context("cannot wait for the program")?;
                return Ok("timed out".to_owned());
            }
            std::thread::sleep(TICK);
        }
    }
}

fn described(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited {code}"),
        (None, number) => format!("killed {}", number.unwrap_or(0)),
    }
}

/// Writes all that comes out of a pipe to a port, in a thread of its own.
fn pass_on(mut pipe: impl Read + Send + 'static, mut port: File) -> JoinHandle<io::Result<()>> {
    std::thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        loop {
            match pipe.read(&mut chunk)? {
                0 => return Ok(()),
                count => port.write_all(&chunk[..count])?,
            }
        }
    })
}

/// Waits until the output is passed on, and ends the processes that still hold it.
fn finish(threads: [JoinHandle<io::Result<()>>; 2]) -> Result<()> {
    let deadline = Instant::now() + DRAIN;
    while !threads.iter().all(JoinHandle::is_finished) && Instant::now() < deadline {
        std::thread::sleep(TICK);
    }
    // Every process but this one. An error means that there is none.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    for thread in threads {
        match thread.join() {
            Ok(result) => result.context("cannot pass the program's output on")?,
            Err(_) => bail!("passing the program's output on panicked"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bytes_that_are_not_text() {
        let session = Session::parse(
            b"limit=9\0folder=/\0path=/bin/\xff\0environment=A=b=c\0argument=a\0argument=\xfe=\n\0",
        )
        .unwrap();
        assert_eq!(session.limit, Duration::from_secs(9));
        assert_eq!(session.path, OsString::from_vec(b"/bin/\xff".to_vec()));
        assert_eq!(session.environment, ["A=b=c"]);
        assert_eq!(
            session.arguments,
            [OsString::from("a"), OsString::from_vec(b"\xfe=\n".to_vec())]
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (bytes, what) in [
            (&b""[..], "names no program"),
            (b"path=/a\0", "names no program"),
            (b"path\0", "no key"),
            (b"limit=soon\0", "no limit"),
            (b"pth=/a\0", "unknown key `pth`"),
        ] {
            let error = format!("{:#}", Session::parse(bytes).unwrap_err());
            assert!(error.contains(what), "{error}");
        }
    }
}
