//! Pointers and entries of call-frame information, as the two unwinders read them.
//!
//! Both are asked for the functions that glibc finds, and both abort at an encoding that they do
//! not know. They differ in how they come from an address to its entry.

use super::glibc::{self, Library};
use super::memory::{Memory, Read};
use super::names::Name;
use super::{Fate, Found};
use crate::machine::{ARM, Machine};

/// Nothing is encoded (`DW_EH_PE_omit`).
pub(super) const OMIT: u8 = 0xff;

/// Relative to its own place (`DW_EH_PE_pcrel`).
pub(super) const RELATIVE: u8 = 0x10;

/// Relative to a base that the table has (`DW_EH_PE_datarel`).
pub(super) const BASED: u8 = 0x30;

/// 32 bits, signed (`DW_EH_PE_sdata4`).
pub(super) const SIGNED_32: u8 = 0x0b;

/// The pointer has to be followed once more (`DW_EH_PE_indirect`).
pub(super) const INDIRECT: u8 = 0x80;

/// The functions that an unwinder is asked for.
pub(super) fn wanted(machine: &Machine) -> &'static [Name] {
    // 32-bit Arm has unwinding tables of its own kind, which are not modelled.
    if *machine == ARM { &[] } else { glibc::wanted(machine) }
}

/// The entries of functions that glibc finds; `find` has the entry that covers an address.
pub(super) fn entries(
    memory: &Memory<'_>,
    names: &[Name],
    find: fn(&Memory<'_>, &Library, u64) -> Read<Option<u64>>,
) -> Read<Found> {
    let library = glibc::load(memory)?;
    glibc::check_versions(memory, &library)?;
    let entry = |name: &Name| match glibc::place(memory, &library, name.symbol)? {
        Some(place) => find(memory, &library, place),
        None => Ok(None),
    };
    Ok(Ok(names.iter().map(entry).collect::<Read<_>>()?))
}

/// What an unwinder does at an encoding that it does not know.
pub(super) fn wrong() -> Fate {
    Fate::Aborts("it does not know the encoding of a pointer".to_owned())
}

/// A place from which numbers are read, one behind the other.
pub(super) struct Cursor<'m, 'a> {
    pub(super) memory: &'m Memory<'a>,
    pub(super) at: u64,
}

impl Cursor<'_, '_> {
    pub(super) fn byte(&mut self) -> Read<u8> {
        let byte = self.memory.u8(self.at)?;
        self.at = self.at.wrapping_add(1);
        Ok(byte)
    }

    pub(super) fn word32(&mut self) -> Read<u32> {
        let word = self.memory.u32(self.at)?;
        self.at = self.at.wrapping_add(4);
        Ok(word)
    }

    pub(super) fn word64(&mut self) -> Read<u64> {
        let word = self.memory.u64(self.at)?;
        self.at = self.at.wrapping_add(8);
        Ok(word)
    }

    /// A number of seven bits a byte (LEB128).
    pub(super) fn leb128(&mut self, is_signed: bool) -> Read<u64> {
        let (mut number, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                if is_signed && byte & 0x40 != 0 && shift < 64 {
                    number |= u64::MAX << shift;
                }
                return Ok(number);
            }
        }
    }

    /// The number of an encoded pointer, to which nothing is added yet.
    pub(super) fn raw(&mut self, encoding: u8) -> Read<u64> {
        let wide = self.memory.is_wide;
        Ok(match encoding & 0x0f {
            0 if wide => self.word64()?,
            0 | 3 => self.word32()?.into(),
            1 => self.leb128(false)?,
            2 => {
                let low = self.byte()?;
                u64::from(self.byte()?) << 8 | u64::from(low)
            }
            4 | 12 => self.word64()?,
            9 => self.leb128(true)?,
            10 => {
                let low = self.byte()?;
                let word = u16::from(self.byte()?) << 8 | u16::from(low);
                i64::from(word.cast_signed()).cast_unsigned()
            }
            11 => i64::from(self.word32()?.cast_signed()).cast_unsigned(),
            _ => return Err(wrong()),
        })
    }

    /// Goes behind a zero-terminated string.
    pub(super) fn skip_string(&mut self) -> Read<()> {
        let len = self.memory.string_len(self.at)?;
        self.at = self.at.wrapping_add(len + 1);
        Ok(())
    }
}
