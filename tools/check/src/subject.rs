//! What is judged: the image, the unstripped image, the ABI lock.
//!
//! # Invariants
//!
//! 1. What a rule asks for and is not there is a [`Fault`], never an empty answer.
//! 2. Addresses and bytes of code come from the stripped image, names from the unstripped one; the rule `same-code`
//!    holds the two together.

use crate::function::{self, Function};
use crate::image::{Image, Symbol};
use crate::lock::Lock;
use crate::rule::{Fault, Verdict};
use std::cell::OnceCell;

/// What a family of rules presumes of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Any ELF file.
    Elf,
    /// A 64-bit little-endian x86-64 file, whose tables have the sizes that the rules know.
    Native,
}

/// Everything that the rules may look at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The image as the kernel takes it.
    pub image: Image<'a>,
    debug: Option<Image<'a>>,
    lock: Option<&'a Lock>,
    functions: OnceCell<Result<Vec<Function<'a>>, Fault>>,
}

impl<'a> Subject<'a> {
    /// Puts together what is judged.
    pub fn new(image: Image<'a>, debug: Option<Image<'a>>, lock: Option<&'a Lock>) -> Self {
        Self { image, debug, lock, functions: OnceCell::new() }
    }

    /// Whether rules with these needs can be judged.
    pub(crate) fn admits(&self, needs: Needs) -> Verdict {
        if needs == Needs::Elf || self.image.is_native() {
            return Ok(());
        }
        Err(Fault::NotJudged("the file is no 64-bit little-endian x86-64 ELF".into()))
    }

    /// The unstripped image.
    pub fn debug(&self) -> Result<&Image<'a>, Fault> {
        self.debug.as_ref().ok_or_else(|| Fault::NotJudged("there is no unstripped image (FILE.dbg)".into()))
    }

    /// The ABI lock.
    pub fn lock(&self) -> Result<&'a Lock, Fault> {
        self.lock
            .ok_or_else(|| Fault::NotJudged("no ABI lock was given (--lock linker/x86_64/vdso.abi)".into()))
    }

    /// All symbols, local ones too: those of the unstripped image, or of the image itself if it has kept them.
    pub fn symbols(&self) -> Result<&[Symbol<'a>], Fault> {
        match &self.debug {
            Some(debug) => Ok(debug.symtab()?),
            None if self.image.has_symtab() => Ok(self.image.symtab()?),
            None => self.debug().map(|_| [].as_slice()),
        }
    }

    /// All functions of the image, decoded.
    pub fn functions(&self) -> Result<&[Function<'a>], Fault> {
        self.functions.get_or_init(|| function::decode_all(self)).as_deref().map_err(Clone::clone)
    }
}
