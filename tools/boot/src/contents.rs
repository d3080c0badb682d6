//! The files of the guests of a run, and the file system that each guest gets of them.

use crate::case::Case;
use crate::initramfs::Initramfs;
use crate::libc;
use crate::options::Options;
use crate::programs::Program;
use crate::tree::Kernel;
use crate::workshop::{self, Workshop};
use anyhow::Result;
use liblinux_workspace::Workspace;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Everything that goes into the guests, on the host.
pub(crate) struct Contents {
    workspace: Workspace,
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
        let mut paths = BTreeSet::new();
        for case in cases {
            for name in case.files() {
                let program = case.program(name)?;
                if paths.insert(program.guest_path()) {
                    wanted.push(program);
                }
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
        Ok(Self {
            workspace: Workspace::at(&options.root),
            init: workshop.init()?,
            programs: wanted.into_iter().zip(files).collect(),
        })
    }

    /// The file system of a case's guest.
    pub(crate) fn initramfs(&self, case: &Case) -> Result<Vec<u8>> {
        let mut archive = Initramfs::new();
        archive.program("/init", &self.init)?;
        let path_of = |name: &str| Ok(case.program(name)?.guest_path());
        let paths = case.files().map(path_of).collect::<Result<BTreeSet<_>>>()?;
        for (program, file) in &self.programs {
            if paths.contains(&program.guest_path()) {
                program.add_to(&mut archive, file)?;
            }
        }
        if let Some(libc) = case.libc {
            archive.file(libc::LOADER, &libc.loader(&self.workspace))?;
        }
        archive.text(liblinux_protocol::case::FILE, &case.guest_file(path_of)?);
        archive.archive()
    }
}
