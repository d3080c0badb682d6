//! Pages and errors of `abi::manual` against the manual itself, as Debian's `manpages-dev` installs
//! it.

use liblinux_abi::kernel::errno::SYNONYMS;
use liblinux_abi::syscall::SYSCALLS;
use liblinux_abi::syscall::descriptor::OPENS;
use liblinux_abi::syscall::manual::{self, MANUAL};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "/usr/share/man";

/// Calls whose page is named after the libc's function.
const NAMED_OTHERWISE: &[(&str, &str)] = &[
    ("newfstatat", "stat"),
    ("rt_sigtimedwait", "sigtimedwait"),
    ("rt_tgsigqueueinfo", "rt_sigqueueinfo"),
];

/// What pages name that no call returns.
const INTERNAL: &[&str] = &["EPOLL", "EPOLLEXCLUSIVE", "ERESTARTNOINTR", "ERESTARTSYS"];

/// Calls whose page speaks of descriptors where it says what is returned, though they return
/// another thing, or one for some requests only.
const SOME_REQUESTS: &[&str] = &[
    "poll",
    "select",
    "fcntl",
    "futex",
    "epoll_wait",
    "inotify_add_watch",
    "pselect6",
    "ppoll",
    "epoll_pwait",
    "timerfd_settime",
    "timerfd_gettime",
    "name_to_handle_at",
    "kcmp",
    "bpf",
    "epoll_pwait2",
];

/// A page's name, such as `open(2)`, and its text; `None` if the call has no page.
fn page(call: &str) -> Option<(String, String)> {
    let name = NAMED_OTHERWISE.iter().find(|(from, _)| *from == call).map_or(call, |(_, to)| to);
    let folders = [("man2", "2"), ("man3", "3")].map(|(folder, section)| {
        Path::new(FOLDER).join(folder).join(format!("{name}.{section}.gz"))
    });
    let mut path: PathBuf = folders.into_iter().find(|path| path.is_file())?;
    loop {
        let output = Command::new("gzip").arg("-dc").arg(&path).output().expect("gzip runs");
        assert!(output.status.success(), "{} cannot be unpacked", path.display());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let first = text.lines().find(|line| {
            !line.is_empty() && !line.starts_with(['\'', '.']) || line.starts_with(".so ")
        });
        match first.and_then(|line| line.strip_prefix(".so ")) {
            // Another page describes it.
            Some(other) => path = Path::new(FOLDER).join(format!("{}.gz", other.trim())),
            None => {
                let file = path.file_stem().expect("a name").to_str().expect("ASCII").to_owned();
                let (name, section) = file.rsplit_once('.').expect("a section");
                return Some((format!("{name}({section})"), text));
            }
        }
    }
}

/// The errors that a page's section ERRORS lists.
fn errors(text: &str) -> Vec<String> {
    let section = text.lines().skip_while(|line| !line.starts_with(".SH ERRORS")).skip(1);
    let mut errors: Vec<String> = Vec::new();
    for line in section.take_while(|line| !line.starts_with(".SH ")) {
        let Some(word) = [".B ", ".BR ", ".TP "].iter().find_map(|tag| line.strip_prefix(tag))
        else {
            continue;
        };
        let word = word.trim_start().trim_start_matches('\\');
        let end =
            word.find(|letter: char| !letter.is_ascii_uppercase() && !letter.is_ascii_digit());
        let word = &word[..end.unwrap_or(word.len())];
        let name = SYNONYMS.iter().find(|(from, _)| *from == word).map_or(word, |(_, to)| to);
        if name.len() > 1
            && name.starts_with('E')
            && !INTERNAL.contains(&name)
            && !errors.iter().any(|error| error == name)
        {
            errors.push(name.to_owned());
        }
    }
    errors
}

#[test]
fn pages_and_errors_are_the_manuals() {
    assert!(
        Path::new(FOLDER).join("man2/open.2.gz").is_file(),
        "{FOLDER} has no manual; run `sudo apt-get install manpages-dev`"
    );
    let mut differences = Vec::new();
    for call in SYSCALLS.iter().filter(|call| call.is_exported()) {
        let ours =
            manual::find(call.name).map(|page| (page.page.to_owned(), page.errors.to_owned()));
        let theirs = page(call.name).map(|(page, text)| (page, errors(&text).join(" ")));
        if ours != theirs {
            differences.push(format!("{}: {ours:?}, the manual has {theirs:?}", call.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    println!("{} pages agree", MANUAL.len());
}

/// The section RETURN VALUE of a page, as one line.
fn returns(text: &str) -> String {
    let section = text.lines().skip_while(|line| !line.starts_with(".SH RETURN VALUE")).skip(1);
    let lines: Vec<_> = section.take_while(|line| !line.starts_with(".SH ")).collect();
    lines.join(" ").replace("\\-", "-")
}

/// What the manual says of calls that return descriptors. Where its page is of several calls, or
/// returns one for some requests, it says no more than the word.
#[test]
fn calls_that_return_descriptors_are_the_manuals() {
    let (mut missing, mut found) = (Vec::new(), 0);
    for call in SYSCALLS.iter().filter(|call| call.is_exported()) {
        let Some((name, text)) = page(call.name) else { continue };
        let says = returns(&text).contains("descriptor");
        if OPENS.contains(&call.name) {
            assert!(says, "{}: {name} does not return a descriptor", call.name);
            found += 1;
        } else if says {
            missing.push(call.name);
        }
    }
    println!("{found} calls return descriptors; for some requests: {missing:?}");
    assert!(found > 20, "{found} pages were read");
    assert_eq!(missing, SOME_REQUESTS);
}
