//! A program's file: what it is, and what of it is mapped.

use crate::arguments::quoted;
use crate::status::{Failure, NOT_EXECUTABLE, NOT_FOUND};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// An open i386 program, or its interpreter.
#[derive(Debug)]
pub(crate) struct Program {
    /// The file.
    pub(crate) file: File,
    /// Its path.
    pub(crate) path: PathBuf,
    /// Whether it can be anywhere.
    pub(crate) is_movable: bool,
    /// Its first instruction, before it is moved.
    pub(crate) entry: u32,
    /// Where its program headers are in the file, and how many.
    pub(crate) headers: (u32, u16),
    /// The parts that are mapped.
    pub(crate) segments: Vec<Segment>,
    /// The interpreter that it names.
    pub(crate) interpreter: Option<PathBuf>,
    /// Whether its stack is to be executable.
    pub(crate) has_executable_stack: bool,
}

/// A part of a file that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it is in the file.
    pub(crate) offset: u32,
    /// Where it is in memory.
    pub(crate) address: u32,
    /// Bytes in the file.
    pub(crate) file_size: u32,
    /// Bytes in memory.
    pub(crate) memory_size: u32,
    /// `PF_X`, `PF_W`, `PF_R`.
    pub(crate) flags: u32,
}

/// What a file is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// An i386 program.
    Program(Program),
    /// A script: its interpreter, and the one argument that it gives it.
    Script(PathBuf, Option<Vec<u8>>),
    /// A 64-bit program of this machine.
    Native,
}

/// `EM_386`.
const EM_386: u16 = 3;
/// `EM_X86_64`.
const EM_X86_64: u16 = 62;
/// Names of machines that such a file may be for.
const MACHINES: [(u16, &str); 7] = [
    (2, "SPARC"),
    (8, "MIPS"),
    (20, "PowerPC"),
    (40, "ARM"),
    (62, "x86-64"),
    (183, "AArch64"),
    (243, "RISC-V"),
];
/// Bytes that say what a file is.
const HEAD: usize = 256;
/// Bytes of the header of an ELF file with 32 bits.
const ELF_HEADER: usize = 52;
/// Bytes of one of its program headers.
const PROGRAM_HEADER: usize = 32;

/// Opens a file and sees what it is.
pub(crate) fn open(path: &Path) -> Result<Kind, Failure> {
    let cannot = |status: i32, why: &str| {
        Failure::new(status, format!("cannot run {}: {why}", quoted(path.as_os_str())))
    };
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            cannot(NOT_FOUND, "there is no such file")
        }
        ErrorKind::PermissionDenied => cannot(
            NOT_EXECUTABLE,
            "permission denied: the loader has to read the file (`chmod +r FILE`)",
        ),
        _ => cannot(NOT_EXECUTABLE, &error.to_string()),
    })?;
    let metadata = file.metadata().map_err(|error| cannot(NOT_EXECUTABLE, &error.to_string()))?;
    if metadata.is_dir() {
        return Err(cannot(NOT_EXECUTABLE, "it is a directory"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(cannot(
            NOT_EXECUTABLE,
            "permission denied: it is not executable (`chmod +x FILE`)",
        ));
    }
    let mut head = [0; HEAD];
    let filled =
        file.read_at(&mut head, 0).map_err(|error| cannot(NOT_EXECUTABLE, &error.to_string()))?;
    let head = &head[..filled];
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(line)
            .ok_or_else(|| cannot(NOT_EXECUTABLE, "it is a script that names no interpreter"));
    }
    if !head.starts_with(b"\x7fELF") || head.len() < ELF_HEADER {
        return Err(cannot(NOT_EXECUTABLE, "it is neither a program (ELF) nor a script (#!)"));
    }
    let machine = half(head, 18);
    match (head[4], head[5], machine) {
        (2, 1, EM_X86_64) => return Ok(Kind::Native),
        (1, 1, EM_386) => {}
        (1, 1, EM_X86_64) => {
            return Err(cannot(NOT_EXECUTABLE, "it is a program for the x32 ABI, not for i386"));
        }
        _ => {
            let name = MACHINES.iter().find(|(number, _)| *number == machine);
            let name =
                name.map_or_else(|| format!("machine {machine}"), |(_, name)| (*name).to_owned());
            let why = format!("it is a program for {name}; this runs programs for i386");
            return Err(cannot(NOT_EXECUTABLE, &why));
        }
    }
    program(file, path, head).map(Kind::Program).map_err(|why| cannot(NOT_EXECUTABLE, &why))
}

/// The first line of a script.
fn script(line: &[u8]) -> Option<Kind> {
    let line = line.split(|byte| *byte == b'\n').next()?.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (interpreter, rest) = line.split_at(end);
    let rest = rest.trim_ascii();
    let argument = if rest.is_empty() { None } else { Some(rest.to_vec()) };
    let interpreter = Path::new(std::ffi::OsStr::from_bytes(interpreter)).to_owned();
    if interpreter.as_os_str().is_empty() {
        None
    } else {
        Some(Kind::Script(interpreter, argument))
    }
}

fn program(file: File, path: &Path, head: &[u8]) -> Result<Program, String> {
    const PT_LOAD: u32 = 1;
    const PT_INTERP: u32 = 3;
    const PT_GNU_STACK: u32 = 0x6474_e551;
    const ET_EXEC: u16 = 2;
    const ET_DYN: u16 = 3;
    let kind = half(head, 16);
    if kind != ET_EXEC && kind != ET_DYN {
        return Err("it is an object or a core file, not a program".to_owned());
    }
    let (table, count) = (word(head, 28), half(head, 44));
    if usize::from(half(head, 42)) != PROGRAM_HEADER || count == 0 {
        return Err("its program headers are missing or of an unknown size".to_owned());
    }
    let mut headers = vec![0; PROGRAM_HEADER * usize::from(count)];
    file.read_exact_at(&mut headers, table.into())
        .map_err(|_| "its program headers are behind the file's end".to_owned())?;
    let (mut segments, mut interpreter) = (Vec::new(), None);
    let mut has_executable_stack = true;
    for header in headers.chunks_exact(PROGRAM_HEADER) {
        let field = |index: usize| word(header, index * 4);
        match field(0) {
            PT_LOAD => segments.push(Segment {
                offset: field(1),
                address: field(2),
                file_size: field(4),
                memory_size: field(5),
                flags: field(6),
            }),
            PT_INTERP => interpreter = Some(name(&file, field(1), field(4))?),
            PT_GNU_STACK => has_executable_stack = field(6) & 1 != 0,
            _ => {}
        }
    }
    check(&segments)?;
    Ok(Program {
        path: path.to_owned(),
        file,
        is_movable: kind == ET_DYN,
        entry: word(head, 24),
        headers: (table, count),
        segments,
        interpreter,
        has_executable_stack,
    })
}

/// Whether segments can be mapped one after the other.
fn check(segments: &[Segment]) -> Result<(), String> {
    let mut end = 0;
    for segment in segments {
        let Segment { offset, address, file_size, memory_size, .. } = *segment;
        let last = address.checked_add(memory_size).ok_or("a segment ends above 4 GiB")?;
        if offset % 4096 != address % 4096 || file_size > memory_size || address < end {
            return Err("its segments overlap or are not aligned".to_owned());
        }
        end = last;
    }
    if end == 0 { Err("it has nothing to map".to_owned()) } else { Ok(()) }
}

fn name(file: &File, offset: u32, len: u32) -> Result<PathBuf, String> {
    let mut bytes = vec![0; len.min(4096) as usize];
    file.read_exact_at(&mut bytes, offset.into())
        .map_err(|_| "its interpreter's name is behind the file's end".to_owned())?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Ok(Path::new(std::ffi::OsStr::from_bytes(&bytes[..end])).to_owned())
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from(half(bytes, at)) | u32::from(half(bytes, at + 2)) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripts_first_line_has_at_most_one_argument() {
        let Some(Kind::Script(interpreter, argument)) = script(b" /bin/sh -e -u \nexit\n") else {
            panic!("the line is good");
        };
        assert_eq!(interpreter, PathBuf::from("/bin/sh"));
        assert_eq!(argument.unwrap(), b"-e -u");
        assert!(script(b"\n").is_none());
    }

    #[test]
    fn segments_must_ascend_and_fit() {
        let segment = Segment {
            offset: 0,
            address: 0x0804_8000,
            file_size: 0x1000,
            memory_size: 0x1000,
            flags: 5,
        };
        assert!(check(&[segment]).is_ok());
        assert!(check(&[segment, segment]).is_err());
        assert!(
            check(&[Segment { address: 0xffff_f000, memory_size: 0x2000, ..segment }]).is_err()
        );
        assert!(check(&[Segment { offset: 1, ..segment }]).is_err());
        assert!(check(&[]).is_err());
    }
}
