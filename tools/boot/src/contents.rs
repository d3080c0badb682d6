//! The files of the guests of a run, and the file system that each guest gets of them.

use crate::case::Case;
use crate::initramfs::Initramfs;
use crate::options::Options;
use crate::programs::{self, Program};
use crate::tree::Kernel;
use crate::workshop::{self, Workshop};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Everything that goes into the guests, on the host.
pub(crate) struct Contents {
    init: PathBuf,
    programs: Vec<(Program, PathBuf)>,
}

impl Contents {
    /// Builds what `cases` name.
    pub(crate) fn build(
        options: &Options,
        folder: &Path,
        kernel: &Kernel,
        cases: &[Case],
    ) -> Result<Self> {
        let mut wanted: Vec<Program> = Vec::new();
        for name in cases.iter().flat_map(Case::files) {
            if !wanted.iter().any(|known| known.name == name) {
                wanted.push(programs::find(name)?);
            }
        }
        let _lock = workshop::lock(folder)?;
        let workshop = Workshop {
            root: &options.root,
            folder: folder.join("programs"),
            line: options.line,
            kernel: &kernel.source,
            headers: &kernel.headers,
            image: &options.image,
            image_debug: &options.image_debug,
            c_image_debug: &kernel.c_image,
        };
        let files = workshop.build(&wanted)?;
        Ok(Self { init: workshop.init()?, programs: wanted.into_iter().zip(files).collect() })
    }

    /// The file system of a case's guest.
    pub(crate) fn initramfs(&self, case: &Case) -> Result<Vec<u8>> {
        let mut archive = Initramfs::new();
        archive.program("/init", &self.init)?;
        for (program, file) in &self.programs {
            if case.files().any(|name| name == program.name) {
                program.add_to(&mut archive, file)?;
            }
        }
        archive.text(
            liblinux_protocol::case::FILE,
            &case.guest_file(|name| Ok(programs::find(name)?.guest_path()))?,
        );
        archive.archive()
    }
}
