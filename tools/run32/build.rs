//! Puts the shim and the 32-bit image into the program, and links it below 4 GiB.

use liblinux_compat::facts::LOADER_BASE;
use liblinux_mkimage::compat;
use liblinux_workspace::Workspace;
use std::env;
use std::path::PathBuf;

fn main() {
    let workspace = Workspace::current();
    for input in ["vdso/abi/src", "vdso/compat", "vdso/kbuild/Makefile", "linker/x86_64"] {
        println!("cargo::rerun-if-changed={}", workspace.root().join(input).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    compat::build(&workspace, &folder).unwrap_or_else(|error| panic!("{error:#}"));
    println!("cargo::rustc-link-arg-bins=-no-pie");
    println!("cargo::rustc-link-arg-bins=-Wl,--image-base={LOADER_BASE:#x}");
}
