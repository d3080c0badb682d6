//! The files that a program of the user's takes along into its guest: those by which it starts, and
//! those that were named.
//!
//! Every file is in the guest under the path that it has here, links on the way included, so that a
//! loader's cache, a library's run path and a script's first line mean the same there.
//!
//! # Invariants
//!
//! 1. Of a program, a library or a script, everything that it needs to start is taken as well.
//! 2. Nothing is left out silently: a file that cannot be taken is an error.

use crate::initramfs::Initramfs;
use crate::subject;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Folders of the guest's own, whose contents here mean nothing there.
const OWN: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Links on the way to a file, at most: the kernel's limit (`MAXSYMLINKS`).
const LINKS: u32 = 40;

/// Permissions that are taken along. Files belong to root in the guest, so a set-user-id bit would
/// mean another user.
const PERMISSIONS: u32 = 0o777;

/// The files, and those of them that the user sees listed.
pub struct Luggage {
    archive: Initramfs,
    /// Files that came because they were named: arguments and what `--take` names.
    named: Vec<PathBuf>,
}

impl Luggage {
    /// A guest's own folders.
    pub fn empty() -> Self {
        Self { archive: Initramfs::new(), named: Vec::new() }
    }

    /// Takes the program `file` with all that it needs to start.
    pub fn program(&mut self, file: &Path) -> Result<()> {
        let needs = subject::of_program(file)?;
        self.place(file)?;
        self.needs(needs)
    }

    /// Takes what was named: a file, with what it needs if it is a program or a library, or a
    /// folder with all in it.
    pub fn named(&mut self, path: &Path) -> Result<()> {
        let path = std::path::absolute(path)
            .with_context(|| format!("{} is not a path", path.display()))?;
        ensure!(path.exists(), "there is no {} to take along", path.display());
        self.named.push(path.clone());
        self.tree(&path)
    }

    /// Takes the arguments that name files.
    pub fn arguments(&mut self, arguments: &[impl AsRef<OsStr>]) -> Result<()> {
        for argument in arguments.iter().map(|argument| Path::new(argument.as_ref())) {
            let is_own = OWN.iter().any(|own| argument.starts_with(own));
            if argument.is_file() && !is_own {
                self.named(argument)?;
            }
        }
        Ok(())
    }

    /// Takes a file if it is there.
    pub fn optional(&mut self, file: &str) -> Result<()> {
        if Path::new(file).is_file() { self.place(Path::new(file)).map(drop) } else { Ok(()) }
    }

    /// Makes a folder, without what is in it here.
    pub fn folder(&mut self, path: &Path) -> Result<()> {
        self.place(path).map(drop)
    }

    /// The files that came because they were named.
    pub fn list(&self) -> &[PathBuf] {
        &self.named
    }

    /// The archive, for what else the guest needs.
    pub fn archive(&mut self) -> &mut Initramfs {
        &mut self.archive
    }

    fn needs(&mut self, needs: subject::Needs) -> Result<()> {
        for library in &needs.libraries {
            self.place(library)?;
        }
        for program in &needs.programs {
            if !self.has(program)? {
                self.program(program)?;
            }
        }
        Ok(())
    }

    fn tree(&mut self, path: &Path) -> Result<()> {
        let end = self.place(path)?;
        if !end.is_dir() {
            return match subject::needs(&end)? {
                Some(needs) => self.needs(needs),
                None => Ok(()),
            };
        }
        let entries =
            fs::read_dir(&end).with_context(|| format!("cannot list {}", end.display()))?;
        for entry in entries {
            let entry = entry?.path();
            // A link that leads nowhere does so in the guest, too.
            if entry.is_file() || entry.is_dir() {
                self.tree(&entry)?;
            }
        }
        Ok(())
    }

    fn has(&self, path: &Path) -> Result<bool> {
        Ok(self.archive.has(text(path)?))
    }

    /// Puts the file or folder at `path` into the archive, and the links on the way to it; where it
    /// really is.
    fn place(&mut self, path: &Path) -> Result<PathBuf> {
        let mut place = PathBuf::from("/");
        let mut rest: Vec<PathBuf> = parts(path);
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == Path::new("..") {
                place.pop();
                continue;
            }
            let here = place.join(&part);
            if OWN.iter().any(|own| here == Path::new(own)) && !rest.is_empty() {
                bail!(
                    "{} cannot be taken along: {} is the guest's own; copy it elsewhere",
                    path.display(),
                    here.display()
                );
            }
            let data = fs::symlink_metadata(&here)
                .with_context(|| format!("cannot find {}", here.display()))?;
            let name = text(&here)?.to_owned();
            if data.is_symlink() {
                links += 1;
                ensure!(links <= LINKS, "{} leads through too many links", path.display());
                let target = fs::read_link(&here)
                    .with_context(|| format!("cannot read {}", here.display()))?;
                self.archive.symlink(&name, text(&target)?);
                if target.is_absolute() {
                    place = PathBuf::from("/");
                }
                rest.extend(parts(&target));
                continue;
            }
            if data.is_dir() {
                self.archive.folder(&name);
            } else if data.is_file() {
                if !self.archive.has(&name) {
                    self.archive.copy(&name, &here, data.permissions().mode() & PERMISSIONS)?;
                }
            } else {
                bail!(
                    "{} is neither a file nor a folder, and cannot be taken along",
                    here.display()
                );
            }
            place = here;
        }
        Ok(place)
    }
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<PathBuf> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some(PathBuf::from("..")),
        _ => None,
    };
    path.components().rev().filter_map(part).collect()
}

/// A path for the archive, whose names are text.
fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| {
        format!("{} is not UTF-8, and the guest's archive holds such names only", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn takes_links_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        fs::write(root.join("real/deep/file"), "x").unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink("../real/deep/file", root.join("real/again")).unwrap();
        let mut luggage = Luggage::empty();
        luggage.named(&root.join("link/again")).unwrap();
        for name in ["link", "real/again", "real/deep/file"] {
            assert!(luggage.archive.has(root.join(name).to_str().unwrap()), "no {name}");
        }
        assert!(!luggage.archive.has(root.join("link/again").to_str().unwrap()));
        symlink("loop", root.join("loop")).unwrap();
        let error = format!("{:#}", luggage.place(&root.join("loop")).unwrap_err());
        assert!(error.contains("too many links"), "{error}");
    }

    #[test]
    fn a_folder_brings_all_in_it_and_programs_their_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        fs::copy("/bin/true", root.join("sub/true")).unwrap();
        symlink("nowhere", root.join("broken")).unwrap();
        let mut luggage = Luggage::empty();
        luggage.named(&root).unwrap();
        assert!(luggage.archive.has(root.join("sub/true").to_str().unwrap()));
        let library = Path::new("/lib/x86_64-linux-gnu/libc.so.6").canonicalize().unwrap();
        assert!(luggage.archive.has(library.to_str().unwrap()), "no libc");
    }

    #[test]
    fn refuses_what_is_the_guests_own() {
        let error = Luggage::empty().named(Path::new("/proc/version")).unwrap_err().to_string();
        assert!(error.contains("the guest's own"), "{error}");
        let error = Luggage::empty().named(Path::new("/nonesuch")).unwrap_err().to_string();
        assert!(error.contains("there is no /nonesuch"), "{error}");
        let mut luggage = Luggage::empty();
        luggage.arguments(&["/proc/version", "-x", "/nonesuch", "/etc"]).unwrap();
        assert!(luggage.list().is_empty());
    }
}
