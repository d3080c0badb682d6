//! The C headers of exception fixups against `liblinux_abi::image::fixup`, by a C compiler.

use liblinux_abi::image::fixup::{
    CHUNK_ROWS, CONSTANTS, Constant, MAX_CAPACITY, STRUCTURES, area_size,
};
use liblinux_abi::image::structure::Field;
use liblinux_workspace::{Line, Workspace, line};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// Where the kernel's header is in its tree.
const KERNEL_HEADER: &str = "arch/x86/include/uapi/asm/vdso_fixup.h";

/// A program that is an error wherever the header and the tables differ, and how many things it
/// compares: all, or those that the header has.
fn program(header: &Path, all: bool) -> (String, usize) {
    let text = std::fs::read_to_string(header).expect("the header");
    let has = |what: String| all || text.contains(&what);
    let mut count = 0;
    let mut program = format!("#include \"{}\"\n", header.display());
    let mut demand = |condition: String| {
        count += 1;
        writeln!(program, "_Static_assert({condition}, \"{condition}\");")
            .expect("writing to a string");
    };
    for Constant { name, value, .. } in
        CONSTANTS.iter().filter(|one| has(format!("#define {}\t", one.name)))
    {
        demand(format!("{name} == {value:#x}"));
    }
    for structure in STRUCTURES.iter().filter(|one| has(format!("struct {} {{", one.name))) {
        let c = structure.name;
        demand(format!("sizeof(struct {c}) == {}", structure.size));
        demand(format!("_Alignof(struct {c}) == {}", structure.align));
        for Field { name, offset, .. } in structure.fields {
            demand(format!("__builtin_offsetof(struct {c}, {name}) == {offset}"));
        }
    }
    if all {
        // As constants, and as a function of a variable of any type.
        for capacity in (1..=3 * CHUNK_ROWS).chain([1023, 1024, 1025, MAX_CAPACITY]) {
            let size = area_size(capacity).expect("a size");
            demand(format!("VDSO_FIXUP_AREA_SIZE({capacity}) == {size}"));
        }
        program += "unsigned long size_of(unsigned int capacity);\n\
                    unsigned long size_of(unsigned int capacity)\n\
                    {\n\treturn VDSO_FIXUP_AREA_SIZE(capacity);\n}\n";
    }
    (program, count)
}

/// Compiles the program: how many things were compared, or the compiler's complaints.
fn compile(header: &Path, all: bool) -> Result<usize, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("compare.c");
    let (program, count) = program(header, all);
    std::fs::write(&source, program).expect("a file");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]).arg(&source);
    let output = gcc.output().expect("gcc runs");
    if output.status.success() {
        Ok(count)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn the_clients_header_is_the_tables() {
    let header = Workspace::current().client().join("include/liblinux/fixup.h");
    compile(&header, true)
        .unwrap_or_else(|complaints| panic!("{}:\n{complaints}", header.display()));
    // The comparison can fail.
    let text = std::fs::read_to_string(&header).expect("the header");
    for (right, changed) in [
        ("uint64_t current_generation;", "uint32_t current_generation;"),
        ("VDSO_FIXUP_SLOT_ROWS + 1)", "VDSO_FIXUP_SLOT_ROWS + 2)"),
    ] {
        assert!(text.contains(right), "{}: has no `{right}`", header.display());
        let wrong = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(wrong.path(), text.replace(right, changed)).expect("a file");
        assert!(compile(wrong.path(), true).is_err(), "a header with `{changed}` was accepted");
    }
}

/// The file that the kernel series adds, as it is after all patches that add to it as a whole.
fn added(patches: &str) -> Option<String> {
    let start = patches.find(&format!("\n+++ b/{KERNEL_HEADER}\n"))?;
    let hunk = patches[start + 1..].lines().skip(1);
    let lines = hunk
        .take_while(|line| line.starts_with(['+', '@']))
        .filter_map(|line| line.strip_prefix('+'));
    Some(lines.collect::<Vec<_>>().join("\n") + "\n")
}

#[test]
fn the_kernels_header_is_the_tables() {
    line::LINES.iter().for_each(compare_with_series);
}

fn compare_with_series(line: &Line) {
    let folder = Workspace::current().series(line);
    let series = std::fs::read_to_string(folder.join("series")).expect("the series");
    let patches = series.lines().filter(|line| !line.is_empty());
    let patches: String = patches
        .map(|patch| std::fs::read_to_string(folder.join(patch)).expect("a patch"))
        .collect();
    assert!(!patches.is_empty(), "the series is empty");
    let text =
        added(&patches).unwrap_or_else(|| panic!("no patch of the series adds {KERNEL_HEADER}"));
    let header = tempfile::Builder::new().suffix(".h").tempfile().expect("a file");
    std::fs::write(header.path(), text).expect("a file");
    let compared = compile(header.path(), false);
    let compared = compared.unwrap_or_else(|complaints| panic!("{KERNEL_HEADER}:\n{complaints}"));
    // Magic, flag, kind and bits; cell, area, range, chunk, row, entry and attached area with their
    // fields.
    assert!(compared > 40, "only {compared} things were compared: the header has other names");
}
