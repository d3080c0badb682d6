//! The code of an image as its unstripped twin describes it: functions, their instructions, and
//! landings of faults.
//!
//! # Invariants
//!
//! 1. Instructions are those of a linear decode of each function, padding left out. The bytes are
//!    those of the image that is given, which the kernel's alternatives may have changed.

use crate::image::Image;
use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};
use std::collections::BTreeMap;
use std::ops::Range;

/// The code of an image.
#[derive(Debug)]
pub struct Code {
    instructions: BTreeMap<u64, Vec<u8>>,
    landings: BTreeMap<u64, u64>,
    /// Start and end of each function, and its name.
    functions: Vec<(u64, u64, String)>,
}

impl Code {
    /// Decodes the code of an image.
    pub fn of(image: &Image) -> Self {
        let debug = Image::read_debug();
        let elf = object::File::parse(debug.as_slice()).expect("an ELF image");
        let mut code =
            Self { instructions: BTreeMap::new(), landings: landings(&elf), functions: Vec::new() };
        for symbol in
            elf.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        {
            let (start, end) = (symbol.address(), symbol.address() + symbol.size());
            if code.functions.iter().any(|function| function.0 == start) {
                continue; // An alias.
            }
            code.functions.push((start, end, symbol.name().expect("a name").to_owned()));
            let bytes = &image.file()[start as usize..end as usize];
            for instruction in &mut Decoder::with_ip(64, bytes, start, DecoderOptions::NONE) {
                assert!(!instruction.is_invalid(), "no instruction at {:#x}", instruction.ip());
                if instruction.mnemonic() != Mnemonic::Int3 {
                    let at = instruction.ip() as usize;
                    code.instructions.insert(
                        instruction.ip(),
                        image.file()[at..at + instruction.len()].to_vec(),
                    );
                }
            }
        }
        assert!(
            !code.instructions.is_empty() && !code.landings.is_empty(),
            "the image has no code"
        );
        code
    }

    /// The bytes of the instruction at an offset.
    pub fn instruction(&self, offset: u64) -> Option<&[u8]> {
        self.instructions.get(&offset).map(Vec::as_slice)
    }

    /// From the first instruction to behind the last.
    pub fn text(&self) -> Range<usize> {
        let first = self.instructions.first_key_value().expect("there is code");
        let last = self.instructions.last_key_value().expect("there is code");
        *first.0 as usize..*last.0 as usize + last.1.len()
    }

    /// Every instruction.
    pub fn instructions(&self) -> impl Iterator<Item = (u64, Vec<u8>)> {
        self.instructions.iter().map(|(offset, bytes)| (*offset, bytes.clone()))
    }

    /// Where the kernel resumes after a fault of the instruction at an offset.
    pub fn landing(&self, offset: u64) -> Option<u64> {
        self.landings.get(&offset).copied()
    }

    /// Every instruction that has a landing.
    pub fn faulting(&self) -> impl Iterator<Item = u64> {
        self.landings.keys().copied()
    }

    /// The function that an offset is in.
    pub fn function(&self, offset: u64) -> &str {
        let found = self.functions.iter().find(|(start, end, _)| (*start..*end).contains(&offset));
        found.map_or("no function", |(_, _, name)| name)
    }

    /// How many functions there are.
    pub fn functions(&self) -> usize {
        self.functions.len()
    }
}

/// Reads `__ex_table`: pairs of offsets from the table's start.
fn landings(elf: &object::File<'_>) -> BTreeMap<u64, u64> {
    let table = elf.section_by_name("__ex_table").expect("an exception table");
    let place =
        |word: [u8; 4]| table.address().wrapping_add_signed(i32::from_le_bytes(word).into());
    let entries = table.data().expect("its bytes").as_chunks::<8>().0;
    entries
        .iter()
        .map(|&[a, b, c, d, e, f, g, h]| (place([a, b, c, d]), place([e, f, g, h])))
        .collect()
}
