//! Broken images that editing cannot express: small assembly, linked as real linkers link it.
//!
//! These are the images that pass the kernel's own gates and still break processes. Each is linked
//! twice, sound and broken, and the rule has to tell the two apart.

use liblinux_check::check_as;
use liblinux_check::profile::LIBLINUX;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = "
SECTIONS {
    . = SIZEOF_HEADERS;
    .hash : { *(.hash) } :text
    .gnu.hash : { *(.gnu.hash) }
    .dynsym : { *(.dynsym) }
    .dynstr : { *(.dynstr) }
    .gnu.version : { *(.gnu.version) }
    .gnu.version_d : { *(.gnu.version_d) }
    .dynamic (READONLY) : { *(.dynamic) } :text :dynamic
    .rela : { *(.rela.*) } :text
    .relr : { *(.relr.dyn) }
    .tdata : { *(.tdata .tdata.*) } :text TLS
    .rodata : { *(.rodata .rodata.* .data .data.*) } :text
    .text : { *(.text .text.*) }
    __ex_table : { *(__ex_table) }
    /DISCARD/ : { *(.note.* .eh_frame .got .got.plt) }
}
PHDRS {
    text PT_LOAD FLAGS(5) FILEHDR PHDRS;
    dynamic PT_DYNAMIC FLAGS(4);
    EXTRA
}
";

const VERSIONS: &str = "LINUX_2.6 { global: __vdso_one; local: *; };";

const ASSEMBLY: &str = "
.intel_syntax noprefix
.globl __vdso_one
.type __vdso_one, @function
.balign 16
__vdso_one: mov eax, 39
    syscall
    ret
.size __vdso_one, 16
.balign 16
";

/// One way to link the assembly.
struct Link<'a> {
    assembly: &'a str,
    script: String,
    options: &'a [&'a str],
}

impl Default for Link<'_> {
    fn default() -> Self {
        Self {
            assembly: "",
            script: SCRIPT.replace("EXTRA", "").replace(":text TLS", ":text"),
            options: &["-Wl,--hash-style=both", "-Wl,--version-script=versions"],
        }
    }
}

impl Link<'_> {
    fn image(&self, directory: &Path) -> Vec<u8> {
        let write = |name: &str, text: &str| {
            std::fs::write(directory.join(name), text).expect("write a source")
        };
        write("one.s", &format!("{ASSEMBLY}{}\n", self.assembly));
        write("script", &self.script);
        write("versions", VERSIONS);
        let output = Command::new("gcc")
            .current_dir(directory)
            .args([
                "-nostdlib",
                "-shared",
                "-Wl,-soname=linux-vdso.so.1",
                "-Wl,-T,script",
                "-Wl,-z,noexecstack",
            ])
            .args(["-Wl,--no-warn-rwx-segments", "-o", "one.so", "one.s"])
            .args(self.options)
            .output()
            .expect("gcc is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::read(directory.join("one.so")).expect("the linked image")
    }

    /// The rules that refuse the image, with what they say.
    fn refusals(&self) -> Vec<(&'static str, String)> {
        let directory = tempfile::tempdir().expect("a directory");
        let image = self.image(directory.path());
        let report = check_as(&LIBLINUX, &image, None, None).expect("readable");
        report.refused().map(|(rule, what)| (rule.name, what.to_owned())).collect()
    }
}

/// The sound link passes `rule`, and `broken` does not.
fn tells_apart(rule: &str, broken: &Link<'_>) {
    let refuses = |link: &Link<'_>| link.refusals().into_iter().find(|(name, _)| *name == rule);
    assert_eq!(refuses(&Link::default()), None, "the sound image is refused");
    let refusal = refuses(broken);
    println!("{refusal:?}");
    assert!(refusal.is_some(), "{rule} does not see it; refused: {:?}", broken.refusals());
}

#[test]
fn writable_dynamic() {
    let script = Link::default().script.replace("PT_DYNAMIC FLAGS(4)", "PT_DYNAMIC FLAGS(6)");
    tells_apart("read-only-dynamic", &Link { script, ..Link::default() });
}

#[test]
fn writable_dynamic_section() {
    let script = Link::default().script.replace(" (READONLY)", "");
    tells_apart("no-writable-data", &Link { script, ..Link::default() });
}

#[test]
fn thread_local_storage() {
    let script = SCRIPT.replace("EXTRA", "tls PT_TLS FLAGS(4);").replace(":text TLS", ":text :tls");
    let assembly = ".section .tdata, \"awT\", @progbits\n.long 1";
    let link = || Link { script: script.clone(), assembly, ..Link::default() };
    tells_apart("known-segments", &link());
    tells_apart("no-tls-sections", &link());
}

#[test]
fn no_version_definitions() {
    let link = || Link { options: &["-Wl,--hash-style=both"], ..Link::default() };
    tells_apart("version-definitions", &link());
    tells_apart("version-symbols", &link());
}

#[test]
fn one_hash_table_only() {
    let options = |style| [style, "-Wl,--version-script=versions"];
    tells_apart(
        "sysv-hash",
        &Link { options: &options("-Wl,--hash-style=gnu"), ..Link::default() },
    );
    tells_apart(
        "gnu-hash",
        &Link { options: &options("-Wl,--hash-style=sysv"), ..Link::default() },
    );
}

#[test]
fn relocations() {
    let assembly = ".section .data\n.balign 8\n.quad __vdso_one";
    let relative = ".section .data\n.balign 8\none: .quad one";
    tells_apart("no-relocation-tags", &Link { assembly: relative, ..Link::default() });
    tells_apart("no-relocation-sections", &Link { assembly, ..Link::default() });
}

#[test]
fn packed_relocations() {
    let link = || Link {
        assembly: ".section .data\n.balign 8\none: .quad one, one, one",
        options: &[
            "-Wl,--hash-style=both",
            "-Wl,--version-script=versions",
            "-Wl,-z,pack-relative-relocs",
        ],
        ..Link::default()
    };
    tells_apart("no-relocation-tags", &link());
    tells_apart("no-relocation-sections", &link());
}

#[test]
fn dependencies_and_undefined_symbols() {
    let script =
        SCRIPT.replace(" .got .got.plt)", ")").replace("EXTRA", "").replace(":text TLS", ":text");
    let assembly = ".globl elsewhere\nmov rax, [rip + elsewhere@gotpcrel]";
    tells_apart("no-undefined", &Link { assembly, script, ..Link::default() });
    let run_path = ["-Wl,--hash-style=both", "-Wl,--version-script=versions", "-Wl,-rpath,/tmp"];
    tells_apart("no-run-path", &Link { options: &run_path, ..Link::default() });
}

#[test]
fn initialisers() {
    let options =
        ["-Wl,--hash-style=both", "-Wl,--version-script=versions", "-Wl,-init=__vdso_one"];
    tells_apart("no-initialisers", &Link { options: &options, ..Link::default() });
}

#[test]
fn unaligned_and_short_entries() {
    let assembly =
        "nop\n.globl __vdso_two\n.type __vdso_two, @function\n__vdso_two: ret\n.size __vdso_two, 1";
    let script = Link::default().script;
    let link = Link { assembly, script, options: &["-Wl,--hash-style=both"] };
    tells_apart("entry-room", &link);
}

#[test]
fn an_exception_table_that_processes_see() {
    let assembly = "1: nop\n.section __ex_table, \"a\", @progbits\n.long 1b - ., 1b - .";
    tells_apart("extable-absent", &Link { assembly, ..Link::default() });
}
