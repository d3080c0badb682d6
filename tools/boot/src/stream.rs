//! A guest's output to a port, passed on while it comes.
//!
//! # Invariants
//!
//! 1. Bytes are passed on once, in order and unchanged.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

/// A file that grows, and where its bytes go.
pub(crate) struct Stream {
    path: PathBuf,
    file: Option<File>,
    out: Box<dyn Write>,
}

impl Stream {
    pub(crate) fn new(path: PathBuf, out: Box<dyn Write>) -> Self {
        Self { path, file: None, out }
    }

    /// Passes on the bytes that came since the last time.
    pub(crate) fn pass_on(&mut self) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(
                File::open(&self.path)
                    .with_context(|| format!("cannot read {}", self.path.display()))?,
            ),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).context("cannot read the program's output")?;
        if !bytes.is_empty() {
            self.out
                .write_all(&bytes)
                .and_then(|()| self.out.flush())
                .context("cannot pass the output on")?;
        }
        Ok(())
    }
}
