//! A web server under load over loopback: clients that compare each byte, then a load generator.

use crate::ab;
use crate::job::End;
use anyhow::{Context as _, Result};
use liblinux_guest::load::{self, Load};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

const LOAD: Load = Load { clients: 16, requests: 60 };
const SERVER_THREADS: usize = 8;

/// Runs a server that gives out the files in `folder`, under load: how it ended, with the numbers
/// of answers, and how many requests the load generator could make in a second.
pub(crate) fn serve(command: &mut Command, folder: &Path) -> Result<(End, f64)> {
    let port = free_port()?;
    command.arg("-document_root").arg(folder);
    command.arg("-listening_ports").arg(format!("127.0.0.1:{port}"));
    command.arg("-num_threads").arg(SERVER_THREADS.to_string());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connect = || {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(load::LIMIT))?;
        Ok(stream)
    };
    let (ended, (answers, seen)) =
        load::serve(command, folder, connect, || Ok((LOAD.answers(&connect)?, ab::ask(port)?)))?;
    let status = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal));
    let said = format!("{answers} answers, and {} to ab\n", seen.answers);
    Ok((End { status, said }, seen.speed))
}

/// A port that no server has now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("there is no loopback")?;
    Ok(listener.local_addr()?.port())
}
