//! A web server under load: many clients at once, over loopback, each with many requests.
//!
//! # Invariants
//!
//! 1. Every byte of every answer is compared with the file that was asked for.

use crate::job::End;
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

const CLIENTS: usize = 16;
const REQUESTS: usize = 60;
const SERVER_THREADS: usize = 8;

/// How long a server may take to listen, a client to be answered, and a server to end.
const LIMIT: Duration = Duration::from_secs(60);

/// Sizes of the files that are served.
const SIZES: [usize; 3] = [0, 700, 300_000];

/// Runs a server, and clients that ask it for files in `folder`: how it ended, and what the clients
/// got.
pub(crate) fn serve(command: &mut Command, folder: &Path) -> Result<End> {
    for size in SIZES {
        fs::write(folder.join(format!("{size}.bin")), content(size))
            .with_context(|| format!("cannot write in {}", folder.display()))?;
    }
    let port = free_port()?;
    command
        .arg("-document_root")
        .arg(folder)
        .arg("-listening_ports")
        .arg(format!("127.0.0.1:{port}"));
    command.arg("-num_threads").arg(SERVER_THREADS.to_string());
    let mut server = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run the server")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let load = listens(&mut server, address).and_then(|()| load(address));
    let ended = finish(&mut server)?;
    Ok(End { status: ended, said: format!("{} answers\n", load?) })
}

/// A port that no server has now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no loopback")?;
    Ok(listener.local_addr()?.port())
}

/// Waits until the server takes connections.
fn listens(server: &mut Child, address: SocketAddr) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = server.try_wait()? {
            bail!("the server ended before it listened: {status}");
        }
        ensure!(begun.elapsed() < LIMIT, "the server does not listen at {address}");
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// All clients; the number of answers.
fn load(address: SocketAddr) -> Result<usize> {
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| thread::spawn(move || client(address, number))).collect();
    let mut answers = 0;
    for client in clients {
        answers += client.join().ok().context("a client panicked")??;
    }
    Ok(answers)
}

fn client(address: SocketAddr, number: usize) -> Result<usize> {
    for request in 0..REQUESTS {
        let size = SIZES[(number + request) % SIZES.len()];
        let mut stream = TcpStream::connect(address).context("the server takes no connection")?;
        stream.set_read_timeout(Some(LIMIT))?;
        let head = format!("GET /{size}.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).context("the server does not finish its answer")?;
        let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let head = head.context("the answer has no end of its head")? + 4;
        ensure!(answer.starts_with(b"HTTP/1.1 200 "), "the answer is not 200");
        ensure!(answer[head..] == content(size), "a file of {size} bytes came with other bytes");
    }
    Ok(REQUESTS)
}

/// The bytes of a file of that size.
fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

/// Asks the server to end, and waits.
fn finish(server: &mut Child) -> Result<Option<i32>> {
    // An error means that it has ended.
    let _ = kill(Pid::from_raw(server.id() as i32), Signal::SIGTERM);
    let begun = Instant::now();
    loop {
        if let Some(status) = server.try_wait()? {
            return Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)));
        }
        if begun.elapsed() > LIMIT {
            server.kill()?;
            server.wait()?;
            return Ok(None);
        }
        sleep(Duration::from_millis(10));
    }
}
