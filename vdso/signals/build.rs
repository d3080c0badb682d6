//! The library's name, and that it is never unloaded: a signal may come at any time. It has no
//! debug information of std.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for argument in ["-soname,liblinux-signals.so", "-z,nodelete", "--strip-debug"] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
    }
}
