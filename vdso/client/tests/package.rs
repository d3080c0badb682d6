//! The client as a published crate: the files that cargo packs, and that it compiles alone.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A cargo home with the crates of the user's, and none that was unpacked: cargo takes a crate that
/// has the version, and would compile the client with an earlier run's `liblinux-abi`.
fn home() -> tempfile::TempDir {
    let users = env::var_os("CARGO_HOME").map(PathBuf::from);
    let users = users.or_else(|| Some(env::home_dir()?.join(".cargo"))).expect("a cargo home");
    let home = tempfile::tempdir().expect("a folder");
    fs::create_dir(home.path().join("registry")).expect("a folder");
    for name in ["config.toml", "config", "registry/index", "registry/cache"] {
        if users.join(name).exists() {
            symlink(users.join(name), home.path().join(name)).expect("a link");
        }
    }
    home
}

/// Packs the client and what it needs, unpacks that elsewhere, and compiles it there. Nothing is
/// fetched.
#[test]
fn the_client_and_what_it_needs_can_be_published() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
    let home = home();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.env("CARGO_HOME", home.path());
    cargo.current_dir(&root).args(["package", "--offline", "--locked", "--allow-dirty"]);
    cargo
        .args(["-p", "liblinux-abi", "-p", "liblinux-signal", "-p", "liblinux"])
        .arg("--target-dir")
        .arg(&target);
    // Flags of an outer build would be other ones than those of a user.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (package, needed) in [
        ("liblinux-abi", ["src/lib.rs", "README.md", "LICENSE-MIT", "LICENSE-GPL-2.0"].as_slice()),
        ("liblinux-signal", &["src/lib.rs", "README.md", "LICENSE-MIT", "LICENSE-GPL-2.0"]),
        (
            "liblinux",
            &[
                "src/lib.rs",
                "src/signal/x86_64/handler.s",
                "include/liblinux.h",
                "include/liblinux/random.h",
                "examples/random.rs",
                "examples/random.c",
                "README.md",
                "LICENSE-MIT",
                "LICENSE-GPL-2.0",
            ],
        ),
    ] {
        let archive =
            target.join("package").join(format!("{package}-{}.crate", env!("CARGO_PKG_VERSION")));
        let listing = Command::new("tar").arg("tzf").arg(&archive).output().expect("tar runs");
        let listing = String::from_utf8(listing.stdout).expect("UTF-8");
        let files: BTreeSet<_> =
            listing.lines().filter_map(|line| Some(line.split_once('/')?.1)).collect();
        for file in needed {
            assert!(files.contains(file), "{package} lacks {file}: {files:?}");
        }
        assert!(!files.iter().any(|file| file.starts_with("tests/")), "{files:?}");
        let manifest = Command::new("tar")
            .arg("xzOf")
            .arg(&archive)
            .arg("--wildcards")
            .arg("*/Cargo.toml")
            .output();
        let manifest = String::from_utf8(manifest.expect("tar runs").stdout).expect("UTF-8");
        for field in [
            "description",
            "license",
            "readme",
            "keywords",
            "categories",
            "[package.metadata.docs.rs]",
        ] {
            assert!(manifest.contains(field), "{package}: no {field}:\n{manifest}");
        }
    }
}
