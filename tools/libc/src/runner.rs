//! The runner, under which programs work.

use anyhow::{Context as _, Result};
use liblinux_abi::image::export::SYSCALL_CANCELLABLE;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The runner and the image that it gives to programs.
#[derive(Clone, Debug)]
pub struct Runner {
    /// `liblinux-run`.
    pub program: PathBuf,
    /// The image.
    pub image: PathBuf,
}

impl Runner {
    /// Whether the image has all that musl needs to make no call by itself.
    pub(crate) fn is_complete(&self) -> Result<bool> {
        let image = fs::read(&self.image)
            .with_context(|| format!("cannot read {}", self.image.display()))?;
        // Cancellation points need it.
        let name = [SYSCALL_CANCELLABLE.as_bytes(), b"\0"].concat();
        Ok(image.windows(name.len()).any(|bytes| bytes == name))
    }

    /// A command that runs what is added, pinned if there is to be a report.
    pub(crate) fn command(&self, report: Option<&Path>) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--image").arg(&self.image);
        if let Some(report) = report {
            command.arg("--pin").arg(report);
        }
        command.arg("--");
        command
    }
}
