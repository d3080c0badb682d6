//! Runtimes that handle their own faults, side by side in one process: with the library, and
//! without.
//!
//! Every runtime is a library of its own for `host.c`, and knows of no other. They are loaded in an
//! order; then each has a fault, and the one whose handler saw it is noted. To add a runtime, write
//! such a library and add a row to [`runtimes`].
//!
//! `LIBLINUX_WASMTIME` names Wasmtime's library, which Debian does not have; without it the others
//! are tested alone. `cargo test -p liblinux-signals --test matrix -- --ignored --nocapture` prints
//! the table of all pairs, and tries all of them in every order.

mod programs;

use programs::{FOLDER, LIBRARY, compile, go, host, java, run};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A runtime: its name, the word by which it is loaded, its file, and what is noted when it has its
/// fault.
#[derive(Clone, Copy)]
struct Runtime {
    name: &'static str,
    loads: &'static str,
    file: &'static str,
    notes: &'static str,
}

const fn runtime(
    name: &'static str,
    loads: &'static str,
    file: &'static str,
    notes: &'static str,
) -> Runtime {
    Runtime { name, loads, file, notes }
}

/// Those that can be had here, built.
static RUNTIMES: LazyLock<Vec<Runtime>> = LazyLock::new(|| {
    go();
    java();
    java_library();
    let mut runtimes = vec![
        runtime("careless", "careless", "./a.so", "a"),
        runtime("careful", "careful", "./b.so", "b"),
        runtime("Go", "load", "./go.so", "go"),
        runtime("Java", "load", "./java.so", "java"),
    ];
    match std::env::var_os("LIBLINUX_WASMTIME") {
        Some(library) => {
            wasm_library(Path::new(&library));
            runtimes.push(runtime("Wasmtime", "load", "./wasm.so", "wasm"));
        }
        None => println!("skipped: Wasmtime: LIBLINUX_WASMTIME does not name its library"),
    }
    runtimes
});

/// `java.so`, with the machine of the compiler that `javac` is.
fn java_library() {
    let compiler = run(Command::new("sh").args(["-c", "readlink -f \"$(command -v javac)\""]));
    let home = Path::new(&compiler).parent().and_then(Path::parent).expect("a folder of Java");
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
    let library: PathBuf = library.canonicalize().expect("LIBLINUX_WASMTIME names a file");
    let folder = library.parent().and_then(Path::to_str).expect("UTF-8");
    let name = library.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    let flags = [format!("-L{folder}"), format!("-Wl,-rpath,{folder}"), format!("-l:{name}")];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    compile(&FOLDER, &["wasm.c"], "wasm.so", &[&LIBRARY[..], &flags].concat(), "");
}

/// What came of runtimes that are loaded in this order and then have a fault each, and what should.
fn side_by_side(order: &[Runtime], is_preloaded: bool) -> (String, String) {
    let loads = order.iter().map(|runtime| format!("{}:{}", runtime.loads, runtime.file));
    let faults = order.iter().map(|runtime| format!("fault:{}", runtime.file));
    let steps: Vec<String> = loads.chain(faults).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    let wanted: Vec<&str> = order.iter().map(|runtime| runtime.notes).collect();
    (host(&steps, is_preloaded), wanted.join(" "))
}

/// Every order of some runtimes.
fn orders(runtimes: &[Runtime]) -> Vec<Vec<Runtime>> {
    let mut all = vec![vec![]];
    for (index, runtime) in runtimes.iter().enumerate() {
        let longer = |order: Vec<Runtime>| {
            (0..=index).map(move |place| {
                let mut order = order.clone();
                order.insert(place, *runtime);
                order
            })
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// Every two of the runtimes, in both orders.
fn pairs() -> Vec<Vec<Runtime>> {
    let ordered = |first: &Runtime| {
        let others = RUNTIMES.iter().filter(|other| other.name != first.name);
        others.map(|second| vec![*first, *second]).collect::<Vec<_>>()
    };
    RUNTIMES.iter().flat_map(ordered).collect()
}

#[test]
fn of_two_runtimes_each_has_its_faults_in_both_orders() {
    let pairs = pairs();
    assert!(pairs.len() >= 12, "four runtimes or more");
    for pair in pairs {
        let (told, wanted) = side_by_side(&pair, true);
        assert_eq!(told, wanted, "{}, then {}", pair[0].name, pair[1].name);
    }
}

/// What came of two runtimes, in a word or a few.
fn outcome(pair: &[Runtime], is_preloaded: bool) -> String {
    let (told, wanted) = side_by_side(pair, is_preloaded);
    if told == wanted {
        return "each its own".to_owned();
    }
    match pair.iter().find(|runtime| told == format!("{0} {0}", runtime.notes)) {
        Some(runtime) => format!("{} has both", runtime.name),
        None => "the process ends".to_owned(),
    }
}

#[test]
#[ignore = "prints a table, and tries every order: minutes"]
fn all_of_them_have_their_faults_in_every_order() {
    println!("| first | then | without | with |\n|---|---|---|---|");
    for pair in pairs() {
        let (without, with) = (outcome(&pair, false), outcome(&pair, true));
        println!("| {} | {} | {without} | {with} |", pair[0].name, pair[1].name);
    }
    let orders = orders(&RUNTIMES);
    for order in &orders {
        let (told, wanted) = side_by_side(order, true);
        assert_eq!(told, wanted);
    }
    println!("all {} of them in {} orders: each its own", RUNTIMES.len(), orders.len());
}
