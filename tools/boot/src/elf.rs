//! The facts that a boot reads from ELF files: build-id, functions, loader, libraries.
//!
//! # Invariants
//!
//! 1. A file without the thing asked for is an error where a verdict needs the answer (the
//!    build-id, a function), and an empty answer where absence is ordinary (a static program has no
//!    loader).

use crate::cache::hex;
use anyhow::{Context, Result};
use goblin::elf::Elf;
use goblin::elf::note::NT_GNU_BUILD_ID;
use std::fs;
use std::path::Path;

/// The loader and the libraries of a dynamic program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// PT_INTERP.
    pub interpreter: Option<String>,
    /// DT_NEEDED.
    pub libraries: Vec<String>,
}

/// The GNU build-id of a file, in hexadecimal.
pub fn build_id(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf =
        Elf::parse(&bytes).with_context(|| format!("{} is not an ELF file", path.display()))?;
    let segments = elf.iter_note_headers(&bytes).into_iter().flatten();
    let sections = elf.iter_note_sections(&bytes, None).into_iter().flatten();
    segments
        .chain(sections)
        .filter_map(Result::ok)
        .find(|note| note.n_type == NT_GNU_BUILD_ID && note.name == "GNU")
        .map(|note| hex(note.desc))
        .with_context(|| {
            format!(
                "{} has no build-id, so a guest could not prove that it saw it; link with --build-id",
                path.display()
            )
        })
}

/// The address of a function in a file that has its symbols.
pub fn symbol(path: &Path, name: &str) -> Result<u64> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf =
        Elf::parse(&bytes).with_context(|| format!("{} is not an ELF file", path.display()))?;
    let mut symbols = elf.syms.iter().filter(|symbol| !symbol.is_import() && symbol.is_function());
    let found = symbols.find(|symbol| elf.strtab.get_at(symbol.st_name) == Some(name));
    let found = found.with_context(|| {
        format!("{} has no function {name}, which a selftest is about to call", path.display())
    })?;
    Ok(found.st_value)
}

/// The loader and the libraries that the program or library at `path` needs.
pub fn needs(path: &Path) -> Result<Needs> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let elf =
        Elf::parse(&bytes).with_context(|| format!("{} is not an ELF file", path.display()))?;
    Ok(Needs {
        interpreter: elf.interpreter.map(str::to_owned),
        libraries: elf.libraries.iter().map(|&name| name.to_owned()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_program() {
        let path = std::env::current_exe().unwrap();
        let needs = needs(&path).unwrap();
        assert!(needs.interpreter.is_some());
        assert!(needs.libraries.iter().any(|name| name.starts_with("libc.so")));
    }

    #[test]
    fn a_second_reader_agrees_on_the_build_id() {
        use object::Object;
        let path = Path::new("/bin/sh");
        let bytes = fs::read(path).unwrap();
        let file = object::File::parse(&*bytes).unwrap();
        assert_eq!(build_id(path).unwrap(), hex(file.build_id().unwrap().unwrap()));
    }

    #[test]
    fn says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        fs::write(&path, "text").unwrap();
        assert!(build_id(&path).unwrap_err().to_string().contains("not an ELF file"));
    }
}
