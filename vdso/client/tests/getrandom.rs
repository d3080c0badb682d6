//! `getrandom` with three arguments, of which the function has five.

#![expect(unsafe_code, reason = "makes system calls")]

#[path = "headers/compiler.rs"]
mod compiler;

use compiler::{check, print};
use liblinux::{Errno, Vdso};
use liblinux_abi::kernel::datapage::{DATA_SIZE, LAYOUT, RandomData};
use liblinux_tests::image::Image;
use liblinux_tests::random::{GENERATION, ready};
use std::mem::offset_of;

/// Liblinux's image, whose generator is ready, and the kernel's own.
fn images() -> [(&'static str, Vdso); 2] {
    let image = Image::load();
    ready(image.random(), GENERATION);
    // SAFETY: mapped for good, as its headers say.
    let ours = unsafe { Vdso::at(image.base()) }.expect("our image is fit").or_syscall();
    [("ours", ours), ("the kernel's", Vdso::find().expect("this kernel has a vDSO").or_syscall())]
}

#[test]
fn the_call_has_three_arguments_and_touches_no_state() {
    for (name, vdso) in images() {
        let mut bytes = [0_u8; 64];
        // SAFETY: the buffer has that size.
        let filled = unsafe { vdso.getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        assert_eq!(filled, Ok(64), "{name}");
        assert_ne!(bytes, [0; 64], "{name}");
        let nothing: *mut std::ffi::c_void = std::ptr::null_mut();
        // SAFETY: the kernel looks at the pointer before it writes.
        let filled = unsafe { vdso.getrandom(nothing.wrapping_add(8), 8, 0) };
        assert_eq!(filled, Err(Errno::EFAULT), "{name}");
        // SAFETY: refused flags.
        assert_eq!(unsafe { vdso.getrandom(nothing, 0, 1 << 20) }, Err(Errno::EINVAL), "{name}");
    }
    // SAFETY: no call is made.
    assert_eq!(unsafe { Vdso::none().getrandom(std::ptr::null_mut(), 0, 0) }, Err(Errno::NO_ENTRY));
}

/// The registers of the fourth and the fifth argument, as a C program leaves them, are not taken
/// for a state.
#[test]
fn a_table_that_is_passed_on_is_not_a_state() {
    const PROGRAM: &str = "
#include <string.h>
#include <sys/auxv.h>
#include \"liblinux.h\"
#include \"liblinux/random.h\"
static const void *image;
static __typeof__(__vdso_getrandom) *entry;
__attribute__((noipa)) static long by_name(void *buffer, unsigned long len, unsigned int flags, void *table, unsigned long size)
{
\t(void)table;
\t(void)size;
\treturn liblinux_getrandom(image, buffer, len, flags);
}
int main(int count, char **arguments)
{
\tstatic unsigned char table[4096] __attribute__((aligned(4096)));
\tunsigned char buffer[16] = { 0 }, zeros[sizeof(table)] = { 0 };
\tlong filled;

\t(void)count;
\tif (strcmp(arguments[1], \"kernel\")) {
\t\timage = map(arguments[1]);
\t\tmprotect((char *)image - DATA_BELOW, DATA_BELOW, PROT_READ | PROT_WRITE);
\t\t*(unsigned long *)((char *)image - DATA_BELOW + GENERATION_AT) = 77;
\t\t*((char *)image - DATA_BELOW + READY_AT) = 1;
\t} else {
\t\timage = liblinux_find(getauxval(AT_SYSINFO_EHDR));
\t}
\tentry = LIBLINUX(image, getrandom);
\tif (!entry) {
\t\tputs(\"none\");
\t\treturn 0;
\t}
\tfilled = by_name(buffer, sizeof(buffer), 0, table, 144);
\tprintf(\"%ld %d\", filled, memcmp(table, zeros, sizeof(table)) != 0);
\tentry(buffer, sizeof(buffer), 0, table, 144);
\tprintf(\" %d\\n\", memcmp(table, zeros, sizeof(table)) != 0);
\treturn 0;
}
";
    let is_random = |symbol: &&(&str, usize)| symbol.0 == "vdso_u_rng_data";
    let random = LAYOUT.symbols.iter().find(is_random).expect("the generator's state").1;
    let numbers = [
        ("DATA_BELOW", DATA_SIZE),
        ("GENERATION_AT", random + offset_of!(RandomData, generation)),
        ("READY_AT", random + offset_of!(RandomData, is_ready)),
    ];
    let defines = numbers.map(|(name, value)| format!("-D{name}={value}"));
    let program = [include_str!("map.h"), PROGRAM].concat();
    let mut flags = vec!["-x", "c", "-O2"];
    flags.extend(defines.iter().map(String::as_str));
    let image = Image::path();
    // Three arguments leave the table alone; as a state it is written.
    assert_eq!(print("gcc", &flags, &program, &[image.to_str().unwrap()]), "16 0 1\n");
    let kernels = print("gcc", &flags, &program, &["kernel"]);
    assert!(matches!(kernels.as_str(), "16 0 1\n" | "none\n"), "{kernels}");
    // The function has five parameters, by every name.
    for call in ["LIBLINUX(image, getrandom)(b, 1, 0)", "__vdso_getrandom(b, 1, 0)"] {
        let three = format!(
            "#include \"liblinux.h\"\nlong f(const void *image, char *b) {{ (void)image; return {call}; }}\n"
        );
        for (compiler, language) in [("gcc", "c"), ("g++", "c++")] {
            let why = check(compiler, &["-x", language], &three).unwrap_err();
            assert!(why.contains("too few arguments"), "{why}");
        }
    }
}
