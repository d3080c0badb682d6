//! Instructions of call-frame information, as LLVM's libunwind runs them: which it refuses.
//!
//! # Invariants
//!
//! 1. Only what makes it give up is modelled, not the rows that the instructions make.

use super::frame::Cursor;
use super::memory::Read;

/// The highest register that it knows on x86-64.
const REGISTERS: u64 = 32;

/// Runs instructions up to `end`; whether it knows all of them.
pub(super) fn run(cursor: &mut Cursor<'_, '_>, end: u64) -> Read<bool> {
    let mut remembered = 0_u32;
    while cursor.at.cast_signed() < end.cast_signed() {
        let opcode = cursor.byte()?;
        let is_known = match opcode {
            0 | 0x2d => true,
            2 => skip(cursor, 1),
            3 => skip(cursor, 2),
            4 => skip(cursor, 4),
            0x0a => {
                remembered += 1;
                true
            }
            0x0b => {
                let is_there = remembered > 0;
                remembered = remembered.saturating_sub(1);
                is_there
            }
            0x0e | 0x2e => {
                cursor.leb128(false)?;
                true
            }
            0x13 => {
                cursor.leb128(true)?;
                true
            }
            0x0f => block(cursor)?,
            6..=8 | 0x0d => register(cursor)?,
            5 | 0x0c | 0x14 | 0x2f => register(cursor)? && cursor.leb128(false).map(|_| true)?,
            0x11 | 0x12 | 0x15 => register(cursor)? && cursor.leb128(true).map(|_| true)?,
            9 => register(cursor)? && register(cursor)?,
            0x10 | 0x16 => register(cursor)? && block(cursor)?,
            _ => match opcode & 0xc0 {
                0x40 => true,
                0x80 => {
                    cursor.leb128(false)?;
                    u64::from(opcode & 0x3f) <= REGISTERS
                }
                0xc0 => u64::from(opcode & 0x3f) <= REGISTERS,
                _ => false,
            },
        };
        if !is_known {
            return Ok(false);
        }
    }
    Ok(true)
}

fn skip(cursor: &mut Cursor<'_, '_>, len: u64) -> bool {
    cursor.at = cursor.at.wrapping_add(len);
    true
}

/// An expression, which is not looked at.
fn block(cursor: &mut Cursor<'_, '_>) -> Read<bool> {
    let len = cursor.leb128(false)?;
    Ok(skip(cursor, len))
}

fn register(cursor: &mut Cursor<'_, '_>) -> Read<bool> {
    Ok(cursor.leb128(false)? <= REGISTERS)
}
