//! Where the processes of the suite run: on this machine's kernel, or on the patched one in a
//! guest.

use crate::programs::{FOLDER, program};
use crate::runtimes::{java_home, wasmtime};
use crate::scenes::Process;
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a process wrote, and its exit status as a shell has it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) status: i32,
}

/// A kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// That of this machine.
    Stock,
    /// The patched one, with the image, in a guest.
    Patched,
}

/// Seconds that a guest may take for all processes.
const LIMIT_S: &str = "20000";

/// The parts of a Java machine's folder that it needs to start.
const JAVA: &str = "conf lib/jvm.cfg lib/libjava.so lib/libjimage.so lib/libnet.so lib/libnio.so \
                    lib/libverify.so lib/libzip.so lib/modules lib/security lib/server lib/tzdb.dat";

/// The script of a guest.
const SCRIPT: &str = "suite.sh";

impl Machine {
    /// Runs processes one after the other.
    pub(crate) fn run(self, processes: &[Process]) -> Vec<Told> {
        match self {
            Self::Stock => processes.iter().map(here).collect(),
            Self::Patched => in_guest(processes),
        }
    }
}

fn here(process: &Process) -> Told {
    let arguments = process.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = program("./host", &arguments, process.is_preloaded).output().expect("it starts");
    let text = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    let signal = output.status.signal().map(|signal| 128 + signal);
    let status = output.status.code().or(signal).expect("it has ended");
    Told { text: text.trim().to_owned(), status }
}

/// A shell script that runs all of them and frames what each wrote.
fn script(processes: &[Process]) -> String {
    let folder = FOLDER.display();
    let mut script = format!("#!/bin/sh\nulimit -c 0\ncd {folder} || exit 1\n");
    for (number, process) in processes.iter().enumerate() {
        let preload =
            if process.is_preloaded { "LD_PRELOAD=$PWD/liblinux-signals.so " } else { "" };
        let steps = process.arguments().join(" ");
        writeln!(
            script,
            "echo '<run {number}>'; {preload}timeout 600 ./host {steps} 2>&1; s=$?; echo; echo \"<end {number} $s>\""
        )
        .expect("a string");
    }
    script
}

fn in_guest(processes: &[Process]) -> Vec<Told> {
    let file = FOLDER.join(SCRIPT);
    std::fs::write(&file, script(processes)).expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let java = java_home();
    let folders = JAVA.split(' ').map(|name| java.join(name));
    let mut taken: Vec<PathBuf> = [FOLDER.clone()].into_iter().chain(folders).collect();
    taken.extend(wasmtime().map(|library| library.parent().expect("a folder").to_owned()));
    let mut boot = Command::new(env!("CARGO"));
    boot.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    // Its libraries look for each other where the launcher of Java says.
    boot.env("LD_LIBRARY_PATH", java.join("lib/server"));
    boot.args(["xtask", "boot", "--limit", LIMIT_S]);
    boot.args(taken.iter().flat_map(|path| ["--take".as_ref(), path.as_os_str()]));
    let log = FOLDER.join("suite.log");
    let output = File::create(&log).expect("a file");
    println!("{} processes in a guest, which writes {}", processes.len(), log.display());
    let ended = boot.arg("--run").arg(&file).stdout(output).status().expect("cargo starts");
    assert!(ended.success(), "{boot:?}: {ended}; {} has what it wrote", log.display());
    let text = std::fs::read(&log).expect("it was written");
    let text = String::from_utf8_lossy(&text);
    (0..processes.len()).map(|number| told(&text, number)).collect()
}

/// What the process of a number wrote, out of all that the script did.
fn told(text: &str, number: usize) -> Told {
    let (start, end) = (format!("<run {number}>\n"), format!("\n<end {number} "));
    let (_, rest) = text.split_once(&start).expect("the process started");
    let (text, rest) = rest.split_once(&end).expect("the process ended");
    let (status, _) = rest.split_once('>').expect("a status");
    Told { text: text.trim().to_owned(), status: status.parse().expect("a status") }
}
