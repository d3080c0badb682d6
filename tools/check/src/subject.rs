//! What is judged: the image and its profile, the unstripped image, the ABI lock.
//!
//! # Invariants
//!
//! 1. If the subject lacks what a rule asks for, the answer is a [`Fault`], never empty.
//! 2. Addresses and bytes of code come from the stripped image, names from the unstripped one; the
//!    rule `same-code` holds the two together.

use crate::flow::aarch64::{Followed, follow_all};
use crate::flow::{self, Flow, Surroundings};
use crate::function::{self, Function};
use crate::image::Image;
use crate::lock::Lock;
use crate::profile::Profile;
use crate::reader::{self, Harm};
use crate::symbol::Symbol;
use crate::verdict::{Fault, Verdict};
use crate::view::alternatives;
use crate::view::exceptions::{self, Fixup};
use iced_x86::Instruction;
use std::cell::OnceCell;
use std::ops::Range;

/// What a family of rules presumes of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Any ELF file.
    Elf,
    /// A little-endian file.
    Tables,
    /// A little-endian file with x86 code.
    X86,
    /// A little-endian file with 64-bit x86 code.
    X86_64,
}

/// Everything that the rules may look at.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The image as the kernel takes it.
    pub image: Image<'a>,
    /// What kind of vDSO it is.
    pub profile: &'static Profile,
    /// The address that the file is linked for. Where that is not 0, the image is moved to 0.
    pub(crate) base: u64,
    /// The file as it is.
    file: &'a [u8],
    debug: Option<Image<'a>>,
    lock: Option<&'a Lock>,
    functions: OnceCell<Result<Vec<Function<'a>>, Fault>>,
    flows: OnceCell<Result<Vec<(usize, Flow)>, Fault>>,
    followed: OnceCell<Result<Vec<Followed<'a>>, Fault>>,
    harms: OnceCell<Vec<Harm>>,
}

impl<'a> Subject<'a> {
    /// Takes the files together.
    pub fn new(
        image: Image<'a>,
        profile: &'static Profile,
        debug: Option<Image<'a>>,
        lock: Option<&'a Lock>,
    ) -> Self {
        Self {
            base: 0,
            file: image.bytes,
            image,
            profile,
            debug,
            lock,
            functions: OnceCell::new(),
            flows: OnceCell::new(),
            followed: OnceCell::new(),
            harms: OnceCell::new(),
        }
    }

    /// The same, of a file that is linked for another address than the image that the rules see.
    pub(crate) fn linked_for(self, base: u64, file: &'a [u8]) -> Self {
        Self { base, file, ..self }
    }

    /// Whether rules with these needs can be judged.
    pub(crate) fn admits(&self, needs: Needs) -> Verdict {
        let image = &self.image;
        let lacks = |what: &str| Err(Fault::NotJudged(format!("the file {what}")));
        match needs {
            Needs::Elf => Ok(()),
            // liblinux is for one machine, and its rules for one kind of file.
            _ if self.profile.is_liblinux() && !image.is_native() => {
                lacks("is not a 64-bit little-endian x86-64 ELF")
            }
            _ if !image.is_little_endian() => lacks("is not little-endian"),
            Needs::X86 if image.x86_bits().is_none() => lacks("has no x86 code"),
            Needs::X86_64 if image.x86_bits() != Some(64) => lacks("has no 64-bit x86 code"),
            _ => Ok(()),
        }
    }

    /// The unstripped image.
    pub fn debug(&self) -> Result<&Image<'a>, Fault> {
        self.debug
            .as_ref()
            .ok_or_else(|| Fault::NotJudged("the unstripped image (FILE.dbg) is missing".into()))
    }

    /// The ABI lock.
    pub fn lock(&self) -> Result<&'a Lock, Fault> {
        self.lock.ok_or_else(|| {
            let file = if self.profile.is_liblinux() { "linker/x86_64/vdso.abi" } else { "FILE" };
            Fault::NotJudged(format!("no ABI lock was given (--lock {file})"))
        })
    }

    /// All symbols, local ones too: those of the unstripped image, or of the image itself if it has
    /// kept them.
    pub fn symbols(&self) -> Result<&[Symbol<'a>], Fault> {
        match &self.debug {
            Some(debug) => Ok(debug.symtab()?),
            None if self.image.has_symtab() => Ok(self.image.symtab()?),
            None => self.debug().map(|_| [].as_slice()),
        }
    }

    /// All functions of the image, decoded.
    pub fn functions(&self) -> Result<&[Function<'a>], Fault> {
        self.functions
            .get_or_init(|| {
                function::decode_all(&self.image, self.profile.is_liblinux(), &self.symbols())
            })
            .as_deref()
            .map_err(Clone::clone)
    }

    /// The functions of an arm64 image, and all paths through each.
    pub(crate) fn followed(&self) -> Result<&[Followed<'a>], Fault> {
        let follow = || match self.symbols() {
            Ok(symbols) => follow_all(&self.image, symbols),
            Err(Fault::NotJudged(_)) => {
                let symbols = self.image.dynsym();
                follow_all(&self.image, symbols.map_err(Fault::NotJudged)?)
            }
            Err(fault) => Err(fault),
        };
        self.followed.get_or_init(follow).as_deref().map_err(Clone::clone)
    }

    /// What the image does to the programs of its machine that read vDSOs.
    pub(crate) fn harms(&self) -> Result<&[Harm], Fault> {
        let machine = self.profile.machine.or_else(|| reader::machine_of(self.file));
        let machine = machine.ok_or_else(|| {
            Fault::NotJudged("no reader is known for the image's machine".to_owned())
        })?;
        Ok(self.harms.get_or_init(|| reader::harms(self.file, machine)))
    }

    /// All paths through each function, by the function's place in [`Subject::functions`];
    /// replacements have none.
    pub(crate) fn flows(&self) -> Result<&[(usize, Flow)], Fault> {
        self.flows.get_or_init(|| self.follow_all()).as_deref().map_err(Clone::clone)
    }

    fn follow_all(&self) -> Result<Vec<(usize, Flow)>, Fault> {
        let functions = self.functions()?;
        let is_liblinux = self.profile.is_liblinux();
        // Tables that cannot be read, or that lead elsewhere, have rules of their own.
        let fixups = exceptions::own(&self.image).ok().flatten().unwrap_or_default();
        let leads_to_code = |fixup: &Fixup| {
            [fixup.instruction, fixup.landing].iter().all(|place| begins(functions, *place))
        };
        let fixups =
            if is_liblinux || fixups.iter().all(leads_to_code) { fixups } else { Vec::new() };
        let alternatives = alternatives::followed(&self.image, is_liblinux).unwrap_or_default();
        let code = |range: &Range<u64>| {
            let first = functions.partition_point(|function| function.range.start < range.start);
            let found = functions[first..]
                .iter()
                .take_while(|function| function.range.start == range.start)
                .find(|function| function.is_replacement && function.range == *range);
            found.map_or(&[] as &[Instruction], |function| &function.instructions)
        };
        let is_entry = |function: &&Function<'_>| {
            function.slot_owner().is_some_and(|call| call.has_plain_stub())
                || function.body_owner().is_some()
                || function.private_call().is_some()
        };
        let start = |function: &Function<'_>| function.range.start;
        let around = Surroundings {
            fixups: fixups.into_iter().map(|entry| (entry.instruction, entry)).collect(),
            starts: functions.iter().map(start).collect(),
            kernel: self.image.kernel_copy(),
            entries: functions.iter().filter(is_entry).map(start).collect(),
            replacements: alternatives
                .iter()
                .map(|entry| (entry.original.start, (entry.original.end, code(&entry.replacement))))
                .collect(),
        };
        let followed =
            functions.iter().enumerate().filter(|(_, function)| !function.is_replacement);
        Ok(followed.map(|(index, function)| (index, flow::follow(function, &around))).collect())
    }
}

/// Whether an instruction of a function begins there.
fn begins(functions: &[Function<'_>], place: u64) -> bool {
    /// How many functions that begin in front of a place may overlap there.
    const NESTED: usize = 8;
    let before = functions.partition_point(|function| function.range.start <= place);
    let mut near = functions[..before].iter().rev().take(NESTED);
    near.any(|function| function.index_of(place).is_some())
}
