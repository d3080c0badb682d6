//! The running kernel's vDSO as the tracer knows it, with the image's extension by it.
//!
//! A process has its own mapping of it, which is read in each program anew. The tables are parsed
//! and the extension is made once for the same bytes, which stay the same until the kernel is
//! another.
//!
//! # Invariants
//!
//! 1. The extension was made from these functions and from the one image that the tracer gives.

use crate::extension::Extension;
use crate::functions::Functions;
use crate::memory::Memory;
use anyhow::{Context as _, Result, anyhow};
use std::cell::OnceCell;

/// The running kernel's vDSO.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running {
    functions: Functions,
    /// The image with this vDSO behind it, once it was asked for, or why there is none.
    extension: OnceCell<Result<Extension, String>>,
}

impl Running {
    /// The vDSO at `address`; `known` if it is the same one.
    pub(crate) fn of(memory: &Memory, address: u64, known: Self) -> Result<Self> {
        let bytes = Functions::read(memory, address)
            .with_context(|| format!("the kernel's vDSO at {address:#x} cannot be read"))?;
        if bytes == known.functions.bytes() {
            return Ok(known);
        }
        let functions = Functions::parse(bytes).map_err(|error| {
            anyhow!("the kernel's vDSO at {address:#x} cannot be understood: {error}")
        })?;
        Ok(Self::new(functions))
    }

    /// A vDSO whose extension is still to be made.
    pub(crate) fn new(functions: Functions) -> Self {
        Self { functions, extension: OnceCell::new() }
    }

    /// Its functions.
    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    /// `image`, always the same one, with this vDSO behind it, or why that cannot be made.
    pub(crate) fn extension(&self, image: &[u8]) -> Result<&Extension, &str> {
        let made = self.extension.get_or_init(|| {
            Extension::new(image, &self.functions)
                .map_err(|error| format!("its code cannot be copied: {error:#}"))
        });
        made.as_ref().map_err(String::as_str)
    }
}
