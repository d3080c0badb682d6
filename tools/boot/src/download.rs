//! Debian's package of a kernel's source, fetched into the cache.
//!
//! The archive that a machine lists rarely has it: 7.3 is in the backports of a newer release, and
//! 6.12 in the security archive, which a fresh `debootstrap` leaves out. So apt gets a list of its
//! own, made from the machine's ([`crate::archive`]): the same archive, with the suite that has the
//! package.
//!
//! Backports have a version for some months, until a newer kernel takes its place. Then the package
//! is [`Unobtainable`], and the error says where kernel.org has the same source.
//!
//! # Invariants
//!
//! 1. The tarball appears in the cache under its name only when it is whole.

use crate::archive::{self, Apt};
use crate::cache::Cache;
use anyhow::{Context, Result, ensure};
use liblinux_workspace::Line;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A kernel line whose source cannot be had from Debian's archive here.
#[derive(Debug)]
pub struct Unobtainable {
    line: &'static Line,
    why: String,
}

impl std::error::Error for Unobtainable {}

impl std::fmt::Display for Unobtainable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Line { version, base, package, suite, .. } = self.line;
        let major = version.split('.').next().unwrap_or_default();
        write!(
            formatter,
            "the source of Linux {version} cannot be had from Debian's {suite} (package {package}): {}\n\
             kernel.org has it: https://cdn.kernel.org/pub/linux/kernel/v{major}.x/linux-{base}.tar.xz; \
             give that file, or the tree in it, with `--source`",
            self.why
        )
    }
}

/// A package's tarball in the cache, and the package's version.
pub(crate) struct Download {
    pub(crate) path: PathBuf,
    pub(crate) version: String,
}

/// Where a line's tarball lies in the cache.
pub(crate) fn place(line: &Line, cache: &Cache) -> PathBuf {
    cache.root().join(format!("{}.tar.xz", line.package))
}

/// Fetches the package of a line's source into the cache.
pub(crate) fn fetch(line: &'static Line, cache: &Cache) -> Result<Download> {
    let unobtainable = |why: String| Unobtainable { line, why };
    let listed = archive::listed().map_err(unobtainable)?;
    let address = archive::having(&listed, line.suite)
        .ok_or_else(|| unobtainable("apt lists no archive of Debian on this machine".to_owned()))?;
    from(&archive::line(&address, line.suite), line, cache)
}

/// The same from the archive of a line of apt's `sources.list`.
fn from(source: &str, line: &'static Line, cache: &Cache) -> Result<Download> {
    eprintln!("fetching {} from {} into {}", line.package, line.suite, cache.root().display());
    let folder = tempfile::Builder::new().prefix("download-").tempdir_in(cache.root());
    let folder =
        folder.with_context(|| format!("cannot create a folder in {}", cache.root().display()))?;
    let folder = folder.path();
    let apt = Apt::new(folder, source)?;
    for (words, label) in
        [(&["update"][..], "apt-get update"), (&["download", line.package], "apt-get download")]
    {
        apt.run(words, label)?.map_err(|why| Unobtainable { line, why })?;
    }

    let package = package(folder)?;
    let dpkg = |words: &[&str]| {
        let result =
            Command::new("dpkg-deb").args(words).output().context("cannot run dpkg-deb")?;
        ensure!(
            result.status.success(),
            "dpkg-deb cannot read {}: {}",
            package.display(),
            String::from_utf8_lossy(&result.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&result.stdout).trim().to_owned())
    };
    let (package, contents) = (package.to_string_lossy(), folder.join("contents"));
    let version = dpkg(&["--field", &package, "Version"])?;
    dpkg(&["--extract", &package, &contents.to_string_lossy()])?;
    let (found, path) = (contents.join(line.tarball.trim_start_matches('/')), place(line, cache));
    ensure!(
        found.is_file(),
        "{} {version} has no {}; correct tools/workspace/src/line.rs",
        line.package,
        line.tarball
    );
    fs::rename(&found, &path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(Download { path, version })
}

/// The package that apt left in `folder`.
fn package(folder: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let package = paths.find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    package.context("apt-get says that it fetched the package, but the package is not there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache;
    use crate::probe::present;
    use liblinux_workspace::line;
    use liblinux_workspace::skip::skip;

    /// Makes an archive in `folder`, as apt reads it, that has the package of a line's source;
    /// the line of `sources.list` for it.
    fn make_archive(folder: &Path, line: &Line) -> String {
        let (control, sources) = (folder.join("p/DEBIAN"), folder.join("p/usr/src"));
        fs::create_dir_all(&control).unwrap();
        fs::create_dir_all(&sources).unwrap();
        let description = format!(
            "Package: {}\nVersion: 1.2-3\nArchitecture: all\nMaintainer: m\nDescription: d\n",
            line.package
        );
        fs::write(control.join("control"), &description).unwrap();
        fs::write(folder.join("p").join(line.tarball.trim_start_matches('/')), "bytes").unwrap();
        let package = folder.join("p.deb");
        let (contents, mut dpkg) = (folder.join("p"), Command::new("dpkg-deb"));
        let built = dpkg.arg("--build").args([&contents, &package]).output().unwrap();
        assert!(built.status.success());
        let size = fs::metadata(&package).unwrap().len();
        let hash = cache::hash_file(&package).unwrap();
        let record = format!("{description}Filename: ./p.deb\nSize: {size}\nSHA256: {hash}\n\n");
        fs::write(folder.join("Packages"), record).unwrap();
        format!("deb [trusted=yes] file:{} ./\n", folder.display())
    }

    #[test]
    fn a_package_is_fetched_without_a_change_to_the_machine() {
        if !present("apt-get", &std::env::var_os("PATH").unwrap()) {
            return skip("this system has no apt-get");
        }
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cache = Cache::at(cache.path()).unwrap();
        for line in line::LINES {
            let source = make_archive(&folder.path().join(line.version), line);
            let download = from(&source, line, &cache).unwrap();
            assert_eq!(download.version, "1.2-3");
            assert_eq!(fs::read(&download.path).unwrap(), b"bytes");
            assert_eq!(download.path, place(line, &cache));
        }
        let left = fs::read_dir(cache.root()).unwrap().count();
        assert_eq!(left, line::LINES.len(), "the tarballs alone are left");
    }

    #[test]
    fn an_archive_without_the_package_says_where_else_it_is() {
        if !present("apt-get", &std::env::var_os("PATH").unwrap()) {
            return skip("this system has no apt-get");
        }
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cache = Cache::at(cache.path()).unwrap();
        let [wanted, other] = [&line::LINES[0], &line::LINES[1]];
        let without = make_archive(folder.path(), other);
        let absent = format!("deb [trusted=yes] file:{}/nonesuch ./\n", folder.path().display());
        for source in [without, absent] {
            let error = from(&source, wanted, &cache).err().expect("it is not there");
            let error = error.downcast::<Unobtainable>().unwrap().to_string();
            let address = format!("linux-{}.tar.xz", wanted.base);
            assert!(error.contains(&address) && error.contains("--source"), "{error}");
            assert!(error.contains("E: "), "apt's own words are shown: {error}");
        }
    }
}
