//! A web server under load: many clients at once, each with many requests.
//!
//! # Invariants
//!
//! 1. Every byte of every answer is compared with the file that was asked for.

use crate::streams;
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// How long a server may take to listen, a client to be answered, and a server to end.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Sizes of the files that are served.
pub const SIZES: [usize; 3] = [0, 700, 300_000];

/// A load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Clients at once.
    pub clients: usize,
    /// The requests of each.
    pub requests: usize,
}

/// Runs a server of the files that are put into `folder`, and `load` when it takes connections: how
/// the server ended, and the result of the load.
pub fn serve<S, T>(
    server: &mut Command,
    folder: &Path,
    connect: impl Fn() -> io::Result<S>,
    load: impl FnOnce() -> Result<T>,
) -> Result<(ExitStatus, T)> {
    for size in SIZES {
        fs::write(folder.join(file(size)), content(size))
            .with_context(|| format!("cannot write in {}", folder.display()))?;
    }
    let nowhere = streams::null().context("cannot open /dev/null")?;
    let streams = vec![(nowhere.try_clone()?, 0), (nowhere.try_clone()?, 1), (nowhere, 2)];
    streams::lay(server, streams);
    let mut server = server.spawn().context("cannot run the server")?;
    let result = listens(&mut server, connect).and_then(|()| load());
    let ended = finish(&mut server)?;
    Ok((ended, result?))
}

impl Load {
    /// All clients; the number of answers.
    pub fn answers<S: Read + Write>(
        self,
        connect: &(impl Fn() -> io::Result<S> + Sync),
    ) -> Result<usize> {
        let client = |number| (0..self.requests).try_for_each(|step| ask(connect, number + step));
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..self.clients).map(|number| scope.spawn(move || client(number))).collect();
            for client in clients {
                client.join().ok().context("a client panicked")??;
            }
            Ok(self.clients * self.requests)
        })
    }
}

/// Waits until the server takes connections.
fn listens<S>(server: &mut Child, connect: impl Fn() -> io::Result<S>) -> Result<()> {
    let begun = Instant::now();
    while let Err(error) = connect() {
        if let Some(status) = server.try_wait()? {
            bail!("the server ended before it listened: {status}");
        }
        ensure!(begun.elapsed() < LIMIT, "the server does not listen: {error}");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// One request.
fn ask<S: Read + Write>(connect: impl Fn() -> io::Result<S>, number: usize) -> Result<()> {
    let size = SIZES[number % SIZES.len()];
    let mut stream = connect().context("the server takes no connection")?;
    let name = file(size);
    let head = format!("GET /{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("the server does not finish its answer")?;
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let head = head.context("the answer has no end of its head")? + 4;
    ensure!(answer.starts_with(b"HTTP/1.1 200 "), "the answer is not 200");
    ensure!(answer[head..] == content(size), "a file of {size} bytes came with other bytes");
    Ok(())
}

/// The name of a file of that size.
pub fn file(size: usize) -> String {
    format!("{size}.bin")
}

/// The bytes of a file of that size.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

/// Asks the server to end, and waits; one that does not end is killed.
fn finish(server: &mut Child) -> Result<ExitStatus> {
    // An error means that it has ended.
    let _ = kill(Pid::from_raw(server.id().cast_signed()), Signal::SIGTERM);
    let begun = Instant::now();
    loop {
        if let Some(status) = server.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > LIMIT {
            server.kill()?;
            return Ok(server.wait()?);
        }
        sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Answers with what it was made of, whatever is asked.
    struct Said(Cursor<Vec<u8>>);

    impl Read for Said {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.0.read(bytes)
        }
    }

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_answer_must_have_the_bytes_of_the_file() {
        let answered = |head: &str, body: &[u8]| {
            let bytes = [head.as_bytes(), body].concat();
            ask(|| Ok(Said(Cursor::new(bytes.clone()))), 1)
        };
        let good = "HTTP/1.1 200 OK\r\n\r\n";
        assert!(answered(good, &content(700)).is_ok());
        assert!(answered(good, &content(699)).is_err());
        assert!(answered(good, &[1; 700]).is_err());
        assert!(answered("HTTP/1.1 404 No\r\n\r\n", &content(700)).is_err());
        assert!(answered("HTTP/1.1 200 OK\r\n", &content(700)).is_err());
    }

    #[test]
    fn a_server_that_ends_early_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let refused = || Err::<Said, _>(io::ErrorKind::ConnectionRefused.into());
        let error =
            serve(&mut Command::new("true"), folder.path(), refused, || Ok(())).unwrap_err();
        assert!(error.to_string().contains("before it listened"), "{error}");
    }
}
