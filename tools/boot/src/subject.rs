//! A program of the user's: its file, and the files that it needs to start.
//!
//! # Invariants
//!
//! 1. A program that the guest could not start, or that would not use the image, is refused before
//!    anything is built, with the exit status that `env` has for it.

use crate::library;
use anyhow::{Context, Result};
use goblin::elf::Elf;
use goblin::elf::header::{ET_DYN, ET_EXEC};
use liblinux_workspace::ARCHITECTURE;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The exit statuses of `env` if it failed, if a program cannot be run, and if it was not found.
pub const FAILED: u8 = 125;
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The bytes of a script that are read to find its interpreter: as many as the kernel reads.
const FIRST_LINE: u64 = 256;

/// Names of loaders that list what a program needs, instead of starting it, if they are told
/// `--list`.
const LOADERS: [&str; 2] = ["ld-linux", "ld-musl"];

/// Why a program is not run, with the exit status for it.
#[derive(Debug)]
pub struct Refusal {
    /// As of `env`.
    pub status: u8,
    why: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.why)
    }
}

impl std::error::Error for Refusal {}

/// A refusal of a file that is there.
fn cannot_run<T>(file: &Path, why: &str) -> Result<T> {
    Err(Refusal { status: CANNOT_RUN, why: format!("{} cannot be run: {why}", file.display()) }
        .into())
}

/// The file of the program `name`: a path, or a name to look for on `PATH`.
pub fn find(name: &OsStr) -> Result<PathBuf> {
    let absent = |why: String| Err(Refusal { status: NOT_FOUND, why }.into());
    if name.as_bytes().contains(&b'/') {
        let path = std::path::absolute(name)
            .with_context(|| format!("{} is not a path", name.display()))?;
        return if path.exists() {
            Ok(path)
        } else {
            absent(format!("there is no file {}", path.display()))
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file));
    match found {
        Some(file) => Ok(std::path::absolute(file)?),
        None => absent(format!(
            "there is no program `{}` on the PATH; a program of this folder is named `./{0}`",
            name.display()
        )),
    }
}

/// Whether a file may be executed.
pub fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The files that a program or library needs beside itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Programs: a loader needs no more, an interpreter has needs itself.
    pub programs: Vec<PathBuf>,
    /// Libraries, with all that they need themselves.
    pub libraries: Vec<PathBuf>,
}

/// The needs of the program `file`.
pub fn of_program(file: &Path) -> Result<Needs> {
    if !file.is_file() {
        return cannot_run(file, "it is not a file");
    }
    if !is_program(file) {
        return cannot_run(file, "it is not executable; `chmod +x` makes it so");
    }
    match needs(file)? {
        Some(needs) => Ok(needs),
        None => cannot_run(file, "it is neither an ELF program nor a script that starts with `#!`"),
    }
}

/// The needs of `file` if it is a program, a library or a script; `None` of another file.
pub fn needs(file: &Path) -> Result<Option<Needs>> {
    let mut start = Vec::new();
    let open = || format!("cannot read {}", file.display());
    File::open(file)
        .with_context(open)?
        .take(FIRST_LINE)
        .read_to_end(&mut start)
        .with_context(open)?;
    if let Some(line) = start.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        return script(file, &String::from_utf8_lossy(line)).map(Some);
    }
    if !start.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    // EI_CLASS
    if start.get(4) != Some(&2) {
        return cannot_run(
            file,
            "it is a 32-bit or x32 program, and the image is the 64-bit one; build it for x86-64 (`gcc -m64`)",
        );
    }
    let bytes = fs::read(file).with_context(open)?;
    let elf = match Elf::parse(&bytes) {
        Ok(elf) => elf,
        Err(error) => return cannot_run(file, &format!("its ELF headers are broken: {error}")),
    };
    if elf.header.e_machine != ARCHITECTURE.elf_machine {
        let why = format!(
            "it is for another processor (ELF machine {}), not for x86-64",
            elf.header.e_machine
        );
        return cannot_run(file, &why);
    }
    if ![ET_EXEC, ET_DYN].contains(&elf.header.e_type) {
        return cannot_run(file, "it is an object file, which is still to be linked");
    }
    linked(file, &elf).map(Some)
}

/// The needs of a script with that first line.
fn script(file: &Path, line: &str) -> Result<Needs> {
    let mut words = line.split_whitespace();
    let Some(interpreter) = words.next().map(PathBuf::from) else {
        return cannot_run(file, "its first line names no interpreter");
    };
    if !interpreter.is_file() {
        let why = format!(
            "its first line names the interpreter {}, which is not there",
            interpreter.display()
        );
        return cannot_run(file, &why);
    }
    let mut programs = vec![interpreter.clone()];
    if interpreter.file_name().is_some_and(|name| name == "env") {
        // Options and variables come before the program.
        let named = words.find(|word| !word.starts_with('-') && !word.contains('='));
        programs.extend(named.map(|name| find(name.as_ref())).transpose()?);
    }
    Ok(Needs { programs, libraries: Vec::new() })
}

/// The needs of a program or library, as its loader finds them on this machine.
fn linked(file: &Path, elf: &Elf<'_>) -> Result<Needs> {
    if elf.interpreter.is_none() && elf.libraries.is_empty() {
        return Ok(Needs::default());
    }
    let loader = Path::new(elf.interpreter.unwrap_or(ARCHITECTURE.loader));
    if !loader.is_file() {
        let hint = if loader.to_string_lossy().contains("musl") {
            "; `sudo apt-get install musl` brings it"
        } else {
            ""
        };
        return cannot_run(
            file,
            &format!("it asks for the loader {}, which is not there{hint}", loader.display()),
        );
    }
    let mut needs = Needs { programs: vec![loader.to_owned()], libraries: Vec::new() };
    let name = loader.file_name().unwrap_or_default().to_string_lossy();
    // Another program in its place would be started, not asked.
    if elf.libraries.is_empty() || !LOADERS.iter().any(|known| name.starts_with(known)) {
        return Ok(needs);
    }
    let output = Command::new(loader)
        .arg("--list")
        .arg(file)
        .env("LC_ALL", "C")
        .env_remove("LD_PRELOAD")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", loader.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let (libraries, missing) = library::listed(&said);
    if let Some(library) = missing.first() {
        return cannot_run(
            file,
            &format!(
                "it needs {library}, which its loader does not find; {}",
                library::source(library)
            ),
        );
    }
    if !output.status.success() {
        return cannot_run(file, &format!("its loader refuses it: {}", said.trim()));
    }
    needs.libraries = libraries;
    // glibc loads it when a thread is cancelled, and ends the process if it is not there.
    let unwinder = Path::new(ARCHITECTURE.unwinder);
    if name.starts_with("ld-linux") && unwinder.is_file() {
        needs.libraries.push(unwinder.to_owned());
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (u8, String) {
        let error = result.unwrap_err();
        let refusal = error.downcast_ref::<Refusal>().expect("a refusal");
        (refusal.status, refusal.to_string())
    }

    #[test]
    fn refuses_what_cannot_run() {
        let mut foreign = fs::read(std::env::current_exe().unwrap()).unwrap();
        foreign[18] = 183; // e_machine: AArch64
        let mut object = fs::read(std::env::current_exe().unwrap()).unwrap();
        object[16] = 1; // e_type: ET_REL
        for (bytes, mode, because) in [
            (&b"#!/bin/sh\n"[..], 0o644, "chmod +x"),
            (b"text", 0o755, "neither an ELF program nor a script"),
            (b"#!/nonexistent/sh\n", 0o755, "names the interpreter /nonexistent/sh"),
            (b"#!\n", 0o755, "names no interpreter"),
            (b"\x7fELF\x01\x01\x01", 0o755, "32-bit"),
            (b"\x7fELF\x02\x01\x01", 0o755, "broken"),
            (&foreign, 0o755, "another processor (ELF machine 183)"),
            (&object, 0o755, "an object file"),
        ] {
            let (_folder, path) = file(bytes, mode);
            let (status, why) = refusal(of_program(&path));
            assert_eq!(status, 126);
            assert!(why.contains(because), "{why}");
        }
        assert_eq!(refusal(of_program(Path::new("/"))).0, 126);
        for name in ["nonesuch-on-the-path", "./nonesuch"] {
            let (status, why) = refusal(find(name.as_ref()));
            assert!(status == 127 && why.contains("nonesuch"), "{why}");
        }
    }

    #[test]
    fn a_program_needs_its_loader_and_libraries() {
        let needs = of_program(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(needs.programs, [PathBuf::from(ARCHITECTURE.loader)]);
        assert!(needs.libraries.iter().any(|path| path.ends_with("libc.so.6")), "{needs:?}");
    }

    #[test]
    fn a_script_needs_what_its_first_line_names() {
        let (_folder, path) = file(b"#!/usr/bin/env -S A=b sh -e\n", 0o755);
        let needs = of_program(&path).unwrap();
        assert_eq!(needs.programs, [PathBuf::from("/usr/bin/env"), find("sh".as_ref()).unwrap()]);
    }
}
