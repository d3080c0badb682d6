//! The i386 system: Debian's packages for i386, as the tests of 32-bit programs run them here and
//! in a guest.
//!
//! # Invariants
//!
//! 1. In a guest no file of it takes the place of one for x86-64: all of it is in a folder of its
//!    own, to which links lead where i386 programs look for their loader and libraries.

use crate::cache::Cache;
use crate::compiler::{self, partial};
use crate::foreign;
use crate::initramfs::Initramfs;
use crate::progress::Progress;
use anyhow::{Context as _, Result};
use liblinux_protocol::i386::FOLDER;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the set of packages; changes with it.
const SET: &str = "programs-2";

/// The packages: programs, and the libraries that they need.
const PACKAGES: &[&str] = &[
    "bash",
    "busybox-static",
    "coreutils",
    "diffutils",
    "findutils",
    "git",
    "grep",
    "gzip",
    "libacl1",
    "libattr1",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libgmp10",
    "libpcre2-8-0",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libselinux1",
    "libssl3",
    "libtinfo6",
    "mawk",
    "perl-base",
    "python3.11-minimal",
    "sed",
    "tar",
    "zlib1g",
];

/// Where i386 programs look for what is in the system's folder of the same name.
const LINKS: [&str; 3] = ["/lib/ld-linux.so.2", "/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu"];

/// What a guest does without: texts for people.
const LEFT_OUT: [&str; 6] = [
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/bug",
];

/// The folder of the system, fetched if it is not in the cache.
pub fn system(cache: &Cache) -> Result<PathBuf> {
    foreign::get(SET, "i386", PACKAGES, cache)
}

/// Assembles a program of the tests of 32-bit programs, which needs no library.
pub(crate) fn assemble(
    root: &Path,
    name: &str,
    output: &Path,
    progress: &mut Progress,
) -> Result<()> {
    let source = root.join("tools/run32/tests/programs").join(name);
    let mut command = Command::new("gcc");
    command.args(["-m32", "-nostdlib", "-static", "-no-pie", "-o"]);
    command.arg(partial(output)).arg(&source);
    compiler::compile(command, &[source], output, progress)
}

/// Puts the system into a guest.
pub(crate) fn add_to(archive: &mut Initramfs, system: &Path) -> Result<()> {
    add(archive, system, system)?;
    for link in LINKS {
        archive.symlink(link, &format!("{FOLDER}{link}"));
    }
    Ok(())
}

fn add(archive: &mut Initramfs, system: &Path, path: &Path) -> Result<()> {
    let place = path.strip_prefix(system).unwrap_or(path);
    if LEFT_OUT.iter().any(|folder| place == Path::new(folder)) {
        return Ok(());
    }
    let name = Path::new(FOLDER).join(place);
    let name = name.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    let data =
        fs::symlink_metadata(path).with_context(|| format!("cannot find {}", path.display()))?;
    if data.is_symlink() {
        let target =
            fs::read_link(path).with_context(|| format!("cannot read {}", path.display()))?;
        // An absolute one means a file of the system itself.
        let inside = target.strip_prefix("/").map(|target| Path::new(FOLDER).join(target));
        archive.symlink(name, &inside.unwrap_or(target).to_string_lossy());
    } else if data.is_dir() {
        let entries =
            fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        for entry in entries {
            add(archive, system, &entry?.path())?;
        }
    } else {
        archive.copy(name, path, data.permissions().mode() & 0o777)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_guest_has_it_in_a_folder_with_links_to_it() {
        let system = tempfile::tempdir().unwrap();
        let at = |name: &str| system.path().join(name);
        for folder in ["usr/bin", "usr/share/doc/text", "lib"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("usr/bin/program"), "x").unwrap();
        symlink("/lib/other", at("lib/link")).unwrap();
        symlink("near", at("lib/next")).unwrap();
        let mut archive = Initramfs::new();
        add_to(&mut archive, system.path()).unwrap();
        let bytes = archive.archive().unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(archive.has("/i386/usr/bin/program") && archive.has("/i386/lib/link"));
        assert!(has(b"/i386/lib/other") && has(b"near") && has(b"/i386/lib/ld-linux.so.2"));
        assert!(!archive.has("/i386/usr/share/doc/text") && archive.has("/lib/ld-linux.so.2"));
    }
}
