//! The C header: in every dialect, with every libc's headers, and its resolver against an
//! independent reader.

use liblinux_tests::image::Image;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Runs a compiler on a program, and returns its complaints.
fn compile(compiler: &str, flags: &[&str], program: &str) -> Result<(), String> {
    let mut command = Command::new(compiler);
    command
        .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
        .args(flags)
        .arg("-I")
        .arg(folder("include"))
        .arg("-");
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut compiler = command.spawn().unwrap_or_else(|error| panic!("{compiler}: {error}"));
    compiler
        .stdin
        .take()
        .expect("a pipe")
        .write_all(program.as_bytes())
        .expect("the compiler reads");
    let output = compiler.wait_with_output().expect("the compiler ends");
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn the_header_compiles_in_every_dialect_before_and_after_a_libc() {
    const LIBC: &str = "#include <stdio.h>\n#include <fcntl.h>\n#include <poll.h>\n#include <sched.h>\n#include <signal.h>\n\
        #include <sys/epoll.h>\n#include <sys/resource.h>\n#include <sys/select.h>\n#include <sys/socket.h>\n\
        #include <sys/stat.h>\n#include <sys/time.h>\n#include <sys/uio.h>\n#include <time.h>\n#include <unistd.h>\n";
    const KERNEL: &str = "#include <linux/aio_abi.h>\n#include <linux/bpf.h>\n#include <linux/io_uring.h>\n\
        #include <linux/openat2.h>\n#include <linux/perf_event.h>\n#include <linux/stat.h>\n#include <linux/time_types.h>\n";
    const OURS: &str = "#include \"liblinux.h\"\n";
    const GUARD: &str = "#define LIBLINUX_FIXUPS\n#include \"liblinux/guard.h\"\n";
    const SIGNALS: &str = "#include \"liblinux/signals.h\"\n";
    const USE: &str = "long use(const void *image);\nlong use(const void *image) { return LIBLINUX(image, close)(1u); }\n";
    let dialects: [(&str, &[&str]); 5] = [
        ("gcc", &["-x", "c", "-std=c99", "-pedantic"]),
        ("gcc", &["-x", "c", "-std=gnu17", "-D_GNU_SOURCE"]),
        ("gcc", &["-x", "c", "-std=gnu17", "-ffreestanding", "-mgeneral-regs-only"]),
        ("g++", &["-x", "c++", "-std=c++11", "-Wno-pedantic"]),
        ("musl-gcc", &["-x", "c", "-std=gnu11", "-D_GNU_SOURCE"]),
    ];
    for (compiler, flags) in dialects {
        let mut programs = vec![
            OURS.to_owned(),
            [OURS, LIBC].concat(),
            [LIBC, OURS].concat(),
            [OURS, LIBC, GUARD].concat(),
            [GUARD, OURS].concat(),
            [OURS, SIGNALS, LIBC].concat(),
            [OURS, "#define LIBLINUX_NO_LIBC\n", GUARD].concat(),
        ];
        // musl-tools has no kernel headers.
        if compiler != "musl-gcc" {
            programs.push([KERNEL, OURS].concat());
            programs.push([OURS, KERNEL].concat());
        }
        for program in programs {
            compile(compiler, flags, &[&program, USE].concat()).unwrap_or_else(|complaints| {
                panic!("{compiler} {flags:?}:\n{program}\n{complaints}")
            });
        }
    }
    // The fixups alone, in dialects that the table of calls is not for.
    for (compiler, flags) in [
        ("g++", &["-x", "c++", "-std=c++98", "-pedantic"][..]),
        ("clang++", &["-x", "c++", "-std=c++98", "-pedantic"]),
        ("clang", &["-x", "c", "-std=c99", "-pedantic"]),
    ] {
        for program in [
            GUARD.to_owned(),
            [SIGNALS, GUARD].concat(),
            ["#define LIBLINUX_NO_LIBC\n", GUARD].concat(),
        ] {
            compile(compiler, flags, &program).unwrap_or_else(|complaints| {
                panic!("{compiler} {flags:?}:\n{program}\n{complaints}")
            });
        }
    }
    // A call that is not as its prototype says is refused.
    let wrong =
        [OURS, "long f(const void *image) { return LIBLINUX(image, close)(\"x\", 2); }\n"].concat();
    assert!(compile("gcc", &["-x", "c"], &wrong).is_err());
}

/// `resolve.c`, compiled.
static RESOLVE: LazyLock<PathBuf> = LazyLock::new(|| {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("resolve");
    let mut gcc = Command::new("gcc");
    gcc.args([
        "-O1",
        "-g",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsanitize=undefined",
        "-fno-sanitize-recover",
    ]);
    gcc.arg("-I").arg(folder("include")).arg(folder("tests/resolve.c")).arg("-o").arg(&program);
    assert!(gcc.status().expect("gcc runs").success());
    program
});

/// The lines that the program prints about an image.
fn resolve(image: &[u8], arguments: &[String], input: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(image).unwrap();
    let mut command = Command::new(&*RESOLVE);
    command.arg(file.path()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_resolver_finds_what_an_independent_reader_finds() {
    let image = Image::read();
    let elf = object::File::parse(image.as_slice()).unwrap();
    let (mut names, mut offsets) = (String::new(), String::new());
    for symbol in elf.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.size() > 0)
    {
        writeln!(names, "{}", symbol.name().unwrap()).unwrap();
        writeln!(offsets, "{}", symbol.address()).unwrap();
    }
    names.push_str("__vdso_nonesuch\nLINUX_2.6\n__vdso_rea\n");
    offsets.push_str("-1\n-1\n-1\n");
    assert!(names.lines().count() > 300);
    assert_eq!(resolve(&image, &["find".to_owned()], &names), offsets);
}

/// As the Rust client: out of the image, but not to where no function can be.
#[test]
fn the_resolver_follows_a_symbol_to_where_a_function_can_be() {
    let image = Image::read();
    let elf = object::File::parse(image.as_slice()).unwrap();
    let symbol =
        elf.dynamic_symbols().find(|symbol| symbol.name() == Ok("__vdso_clock_gettime")).unwrap();
    let (start, _) = elf.section_by_name(".dynsym").unwrap().file_range().unwrap();
    let place = start + 24 * symbol.index().0 as u64 + 8;
    let to = |address: &str| {
        let arguments = ["lead".to_owned(), place.to_string(), address.to_owned()];
        resolve(&image, &arguments, "").trim().to_owned()
    };
    for address in ["1000", "123456789abc", "7fffffffffffffff"] {
        assert_eq!(to(address), address);
    }
    for address in ["0", "1", "fff", "8000000000000000", "ffffffffffffffff"] {
        assert_eq!(to(address), "0", "{address}");
    }
}

#[test]
fn the_resolver_says_what_is_wrong() {
    let image = Image::read();
    let unfit = |image: &[u8]| resolve(image, &["unfit".to_owned()], "");
    assert_eq!(unfit(&image), "fit\n");
    for (at, byte, what) in [(0, 0, "does not begin"), (18, 3, "x86-64"), (33, 0xff, "first page")]
    {
        let mut broken = image.clone();
        broken[at] = byte;
        assert!(unfit(&broken).contains(what), "{}", unfit(&broken));
    }
    assert!(unfit(&[0; 4096]).contains("does not begin"));
}

#[test]
fn the_resolver_survives_every_changed_byte() {
    let image = Image::read();
    let elf = object::File::parse(image.as_slice()).unwrap();
    let sections =
        [".dynamic", ".hash", ".gnu.hash", ".gnu.version", ".gnu.version_d", ".dynsym", ".dynstr"];
    let mut arguments = ["damage", "0", "1024"].map(str::to_owned).to_vec();
    for name in sections {
        let (start, size) = elf.section_by_name(name).unwrap().file_range().unwrap();
        arguments.extend([start.to_string(), (start + size).to_string()]);
    }
    let noticed = resolve(&image, &arguments, "");
    assert!(noticed.trim().parse::<u32>().unwrap() > 100, "damage goes unnoticed: {noticed}");
}
