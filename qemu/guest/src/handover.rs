//! What a guest leaves for the next one: the files in [`FOLDER`].
//!
//! A guest has no disk. The folder's files go to the host as an archive, which the next guest's
//! kernel unpacks behind its own: they are there again, under the same names.
//!
//! # Invariants
//!
//! 1. Only whole archives are sent; a guest without the folder sends nothing.

use crate::machine;
use anyhow::{Context, Result};
use cpio::newc;
use liblinux_protocol::port::{KEPT, KEPT_FOLDER as FOLDER};
use std::fs;
use std::io::Write;
use std::path::Path;

const DIRECTORY: u32 = 0o040755;
const REGULAR: u32 = 0o100644;

/// Sends the folder to the host, if there is one.
pub fn send() -> Result<()> {
    if !Path::new(FOLDER).is_dir() {
        return Ok(());
    }
    let bytes = archive(Path::new(FOLDER))?;
    let mut port = machine::open_port(KEPT)?;
    port.write_all(&bytes).context("cannot send the kept files to the host")
}

/// An archive of `folder`, whose files it names by their paths.
fn archive(folder: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    add(folder, &mut bytes)?;
    newc::trailer(&mut bytes).context("cannot write an archive")?;
    Ok(bytes)
}

fn add(path: &Path, bytes: &mut Vec<u8>) -> Result<()> {
    let name = path.strip_prefix("/").unwrap_or(path).to_string_lossy().into_owned();
    if path.is_dir() {
        let builder = newc::Builder::new(&name).mode(DIRECTORY).nlink(2);
        builder.write(&mut *bytes, 0).finish().context("cannot write an archive")?;
        let entries =
            fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        paths.sort();
        return paths.iter().try_for_each(|path| add(path, bytes));
    }
    let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let size = u32::try_from(content.len()).context("a kept file is too large")?;
    let mut writer = newc::Builder::new(&name).mode(REGULAR).write(&mut *bytes, size);
    writer.write_all(&content).context("cannot write an archive")?;
    writer.finish().context("cannot write an archive")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_holds_every_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("images")).unwrap();
        fs::write(folder.path().join("images/pages"), "content").unwrap();
        let bytes = archive(folder.path()).unwrap();
        let mut rest = bytes.as_slice();
        let mut names = Vec::new();
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            names.push((reader.entry().name().to_owned(), reader.entry().file_size()));
            rest = reader.finish().unwrap();
        }
        assert_eq!(names.len(), 3);
        assert!(names[2].0.ends_with("images/pages") && names[2].1 == 7, "{names:?}");
    }
}
