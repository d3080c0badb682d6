//! `LIBLINUX(image, call)`: the calls that are more than a pointer of their type.

use crate::compiler::{check, print, run};

/// Three calls are more than a pointer of their type says: a compiler has to know.
#[test]
fn a_looked_up_call_keeps_what_a_compiler_has_to_know() {
    const CALLS: &str = "
__attribute__((noreturn)) void leave(const void *image);
void leave(const void *image) { LIBLINUX(image, exit)(3); }
__attribute__((noreturn)) void end(const void *image);
void end(const void *image) { LIBLINUX(image, exit_group)(3); }
#define select another_name
long (*pointer(const void *image))(int, void *, void *, void *, void *);
long (*pointer(const void *image))(int, void *, void *, void *, void *) { return LIBLINUX(image, select); }
";
    for (compiler, flags) in
        [("gcc", ["-x", "c"]), ("g++", ["-x", "c++"]), ("musl-gcc", ["-x", "c"])]
    {
        check(compiler, &flags, &["#include \"liblinux.h\"\n", CALLS].concat())
            .unwrap_or_else(|why| panic!("{compiler}:\n{why}"));
        // A pointer to vfork would lose it.
        let pointer = "#include \"liblinux.h\"\nvoid f(const void *image) { (void)LIBLINUX(image, vfork); }\n";
        let why = check(compiler, &[flags[0], flags[1]], pointer).unwrap_err();
        assert!(why.contains("liblinux_vfork_has_to_be_called_here"), "{why}");
    }
    // A function that calls a function which returns twice keeps what it needs in memory: gcc warns
    // of what it may clobber.
    const TWICE: &str =
        "#include \"liblinux.h\"\nint get(int); void leave(int) __attribute__((noreturn));
int use(const void *image, int from, int to);
int use(const void *image, int from, int to)
{
\tint total = get(from), other = get(to);
\tlong child;

\twhile (from < to) {
\t\ttotal += get(from++);
\t\tother ^= total;
\t}
\tchild = LIBLINUX(image, vfork)();
\tif (!child) {
\t\ttotal = get(total) + other;
\t\tleave(total);
\t}
\treturn total + other + (int)child;
}
";
    let output = run(
        "gcc",
        &["-x", "c", "-O2", "-S", "-o", "-", "-fdump-tree-optimized=/dev/stderr"],
        TWICE,
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // The abnormal edges of a call that returns twice.
    assert!(said.contains("ABNORMAL_DISPATCHER"), "{said}");
}

/// A child that shares its parent's stack, by an entry that was looked up in the image.
#[test]
fn a_looked_up_vfork_returns_twice() {
    const PROGRAM: &str = "
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include \"liblinux.h\"
int main(int count, char **arguments)
{
\tconst void *image = (const void *)strtoul(arguments[count - 1], 0, 16);
\tvolatile int seen = 0;
\tint status = 0;
\tlong child;

\tchild = LIBLINUX(image, vfork)();
\tif (!child) {
\t\tseen = 1;
\t\tLIBLINUX(image, exit_group)(7);
\t}
\twaitpid((int)child, &status, 0);
\tprintf(\"%d %d\\n\", seen, WEXITSTATUS(status));
\treturn 0;
}
";
    let program = PROGRAM
        .replace("(const void *)strtoul(arguments[count - 1], 0, 16)", "map(arguments[count - 1])");
    let program = [MAP, &program].concat();
    let image = liblinux_tests::image::Image::path();
    for flags in [
        ["-x", "c", "-O2"].as_slice(),
        &["-x", "c", "-O0"],
        &["-x", "c", "-O2", "-flto", "-masm=intel"],
    ] {
        assert_eq!(print("gcc", flags, &program, &[image.to_str().unwrap()]), "1 7\n", "{flags:?}");
    }
}

/// Maps an image over data pages of zeros.
const MAP: &str = include_str!("../map.h");
