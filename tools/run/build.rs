//! Puts an image into the program: the file that `LIBLINUX_IMAGE` names, judged by the checker.
//! Without that variable the program is built without an image and has to be given one as it runs.

use std::path::PathBuf;
use std::{env, fs};

/// Names the file to embed.
const VARIABLE: &str = "LIBLINUX_IMAGE";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let text = match env::var_os(VARIABLE).map(PathBuf::from) {
        None => "None".to_owned(),
        Some(file) => {
            println!("cargo::rerun-if-changed={}", file.display());
            let bytes = fs::read(&file).unwrap_or_else(|error| {
                panic!(
                    "{VARIABLE}: cannot read {}: {error}; `cargo xtask image` makes it",
                    file.display()
                )
            });
            let report =
                liblinux_check::check_as(&liblinux_check::profile::LIBLINUX, &bytes, None, None)
                    .unwrap_or_else(|error| panic!("{VARIABLE}: {}: {error}", file.display()));
            assert!(report.is_good(), "{VARIABLE}: {} is refused:\n{report}", file.display());
            fs::write(folder.join("image"), bytes).expect("OUT_DIR is writable");
            "Some(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/image\")))".to_owned()
        }
    };
    fs::write(folder.join("embedded.rs"), text).expect("OUT_DIR is writable");
}
