//! The runtimes of the suite, and how each is built.
//!
//! A runtime is a library for `host.c` that knows of no other. To add one, write such a library
//! (`start` installs its handlers, `fault` has a fault and notes who handled it, `overflow` is for
//! one that recovers from an overflow of its stack), build it here, and add a row to [`RUNTIMES`].
//! Then make the table anew.

use crate::programs::{FOLDER, LIBRARY, compile, go, java, passing, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Runtime {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// The step of `host.c` that loads it.
    pub(crate) loads: &'static str,
    /// Its library.
    pub(crate) file: &'static str,
    /// What is noted when it handles a fault of its own; none if it only reports those of others.
    pub(crate) notes: Option<&'static str>,
    /// Whether it recovers from an overflow of the stack in its code.
    pub(crate) overflows: bool,
}

/// The variable that leads to Wasmtime's library, which Debian does not have.
pub(crate) const WASMTIME: &str = "LIBLINUX_WASMTIME";

/// Those that can be had here, built.
pub(crate) static RUNTIMES: LazyLock<Vec<Runtime>> = LazyLock::new(|| {
    go();
    java();
    java_library();
    passing();
    let row = |name, loads, file, notes, overflows| Runtime { name, loads, file, notes, overflows };
    let mut runtimes = vec![
        row("careless", "careless", "./a.so", Some("a"), false),
        row("careful", "careful", "./b.so", Some("b"), false),
        row("C++", "load", "./throw.so", Some("cpp"), true),
        row("reporter", "load", "./reporter.so", None, false),
        row("Go", "load", "./go.so", Some("go"), false),
        row("Java", "load", "./java.so", Some("java"), true),
    ];
    match wasmtime() {
        Some(library) => {
            wasm_library(&library);
            runtimes.push(row("Wasmtime", "load", "./wasm.so", Some("wasm"), true));
        }
        None => println!("skipped: Wasmtime: {WASMTIME} does not name its library"),
    }
    runtimes
});

/// Wasmtime's library, if there is one.
pub(crate) fn wasmtime() -> Option<PathBuf> {
    let library = PathBuf::from(std::env::var_os(WASMTIME)?);
    Some(library.canonicalize().unwrap_or_else(|error| {
        panic!("{WASMTIME} names {}, which cannot be found: {error}", library.display())
    }))
}

/// The folder of the Java machine whose compiler `javac` is.
pub(crate) fn java_home() -> PathBuf {
    let compiler = run(Command::new("sh").args(["-c", "readlink -f \"$(command -v javac)\""]));
    let home = Path::new(&compiler).parent().and_then(Path::parent);
    home.expect("a folder of Java").to_owned()
}

/// `java.so`, with that machine.
fn java_library() {
    let home = java_home();
    let path = |name: &str| home.join(name).to_str().expect("UTF-8").to_owned();
    let server = path("lib/server");
    let classes = format!("-DCLASSES=\"{}\"", FOLDER.to_str().expect("UTF-8"));
    let headers = [format!("-I{}", path("include")), format!("-I{}", path("include/linux"))];
    let machine = [format!("-L{server}"), format!("-Wl,-rpath,{server}"), "-ljvm".to_owned()];
    let flags: Vec<&str> = headers.iter().chain(&machine).map(String::as_str).collect();
    compile(&FOLDER, &["java.c"], "java.so", &[&LIBRARY[..], &flags, &[&classes]].concat(), "");
}

/// `wasm.so`, with the library at a path.
fn wasm_library(library: &Path) {
    let folder = library.parent().and_then(Path::to_str).expect("UTF-8");
    let name = library.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    let flags = [format!("-L{folder}"), format!("-Wl,-rpath,{folder}"), format!("-l:{name}")];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    compile(&FOLDER, &["wasm.c"], "wasm.so", &[&LIBRARY[..], &flags].concat(), "");
}
