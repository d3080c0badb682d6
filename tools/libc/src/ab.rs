//! The load of `ab`, the load generator of the Apache web server.
//!
//! # Invariants
//!
//! 1. A load that the server did not bear is an error: each request must be answered with status
//!    2xx and with as many bytes as the file has.

use crate::job;
use anyhow::{Context as _, Result, ensure};
use liblinux_guest::load;
use std::process::Command;

/// Clients at once, and the requests of them all.
const CLIENTS: usize = 16;
const REQUESTS: usize = 10_000;

/// The bytes of the file that is asked for: one of those that [`load::serve`] puts there.
const SIZE: usize = load::SIZES[1];

/// What it saw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Answers, all of them good.
    pub(crate) answers: usize,
    /// The bytes of all answers without their heads.
    pub(crate) bytes: usize,
    /// Requests in a second.
    pub(crate) speed: f64,
}

/// Asks the server at a port.
pub(crate) fn ask(port: u16) -> Result<Seen> {
    let mut command = Command::new("ab");
    command.args(["-q", "-c"]).arg(CLIENTS.to_string()).arg("-n").arg(REQUESTS.to_string());
    command.arg(format!("http://127.0.0.1:{port}/{}", load::file(SIZE)));
    let end = job::end(&mut command, load::LIMIT).context(
        "`ab` is needed as load generator, of Debian's package apache2-utils: `cargo xtask packages` installs it",
    )?;
    let seen = (end.status == Some(0)).then(|| parse(&end.said)).flatten();
    let seen = seen.with_context(|| format!("`ab` does not report its requests:\n{}", end.said))?;
    ensure!(
        (seen.answers, seen.bytes) == (REQUESTS, REQUESTS * SIZE),
        "of {REQUESTS} requests of `ab` not all were answered with {SIZE} bytes:\n{}",
        end.said
    );
    Ok(seen)
}

/// The report, if that is one.
fn parse(said: &str) -> Option<Seen> {
    let field = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()
    };
    let number = |name: &str| field(name)?.parse::<usize>().ok();
    let failed = number("Failed requests")? + number("Non-2xx responses").unwrap_or(0);
    Some(Seen {
        answers: number("Complete requests")?.saturating_sub(failed),
        bytes: number("HTML transferred")?,
        speed: field("Requests per second")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
Document Length:        700 bytes
Complete requests:      200
Failed requests:        0
Total transferred:      222800 bytes
HTML transferred:       140000 bytes
Requests per second:    365.47 [#/sec] (mean)
";

    #[test]
    fn a_report_is_read() {
        let seen = Seen { answers: 200, bytes: 140_000, speed: 365.47 };
        assert_eq!(parse(REPORT), Some(seen));
        assert_eq!(parse("apr_socket_recv: Connection refused (111)\n"), None);
    }

    #[test]
    fn failures_and_other_statuses_are_no_answers() {
        let answers = |text: &str| parse(text).unwrap().answers;
        assert_eq!(answers(&REPORT.replace("requests:        0", "requests:        3")), 197);
        assert_eq!(answers(&format!("{REPORT}Non-2xx responses:      200\n")), 0);
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let error = format!("{:#}", ask(port).unwrap_err());
        assert!(error.contains("`ab`"), "{error}");
    }
}
