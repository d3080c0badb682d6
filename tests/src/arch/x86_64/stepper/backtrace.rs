//! From where the child stands back to the caller, frame by frame.

use super::{MARKS, RETURN_ADDRESS, Stepper};
use crate::arch::unwinder::Frame;
use nix::libc::user_regs_struct;

impl Stepper<'_> {
    /// Unwinds from an instruction of the image to the caller, and counts it.
    pub fn unwind(&mut self, registers: &user_regs_struct) -> Result<(), String> {
        let offset = self.offset(registers.rip);
        let place = |error: String| format!("at {offset:#x}: {error}");
        let Some(instruction) = self.code.instruction(offset) else {
            return Err(place("no instruction of a function begins here".into()));
        };
        self.unwind_from(Frame::innermost(registers), 0).map_err(place)?;
        self.deepest = self.deepest.max((self.top() + 8).saturating_sub(registers.rsp));
        if !self.seen.contains(&(offset, instruction.to_vec())) {
            self.seen.insert((offset, instruction.to_vec()));
        }
        self.steps += 1;
        Ok(())
    }

    /// Unwinds from a function that the image has called, at its first instruction.
    pub fn unwind_callee(&self, registers: &user_regs_struct) -> Result<(), String> {
        let mut frame = Frame::innermost(registers);
        frame.0[16] = self.word(frame.stack())?;
        frame.0[7] += 8;
        self.unwind_from(frame, 1)
    }

    /// Unwinds from a frame; a return address is looked up `back` bytes before, in the call itself.
    fn unwind_from(&self, mut frame: Frame, mut back: u64) -> Result<(), String> {
        while self.contains(frame.address()) {
            let is_signal = self.unwinder.is_signal(self.offset(frame.address()) - back);
            frame = self.caller(&frame, back)?;
            back = u64::from(!is_signal); // The interrupted instruction itself.
        }
        is_caller(&frame, self.top())
    }

    /// The caller of one frame.
    pub fn caller(&self, frame: &Frame, back: u64) -> Result<Frame, String> {
        let offset = self.offset(frame.address()).wrapping_sub(back);
        let caller = self.unwinder.caller(offset, frame, &|address| self.word(address))?;
        if caller.stack() <= frame.stack() && !self.unwinder.is_signal(offset) && back == 1 {
            return Err(format!("the frame of {offset:#x} is not above its callee's"));
        }
        Ok(caller)
    }
}

/// Whether a frame is the caller's, at the place where the call returns to.
pub(super) fn is_caller(frame: &Frame, top: u64) -> Result<(), String> {
    if (frame.address(), frame.stack()) != (RETURN_ADDRESS, top + 8) {
        return Err(format!(
            "the caller is found at {:#x} with stack {:#x}, not {RETURN_ADDRESS:#x} with {:#x}",
            frame.address(),
            frame.stack(),
            top + 8
        ));
    }
    if frame.preserved() != MARKS {
        return Err(format!(
            "the caller's registers are found as {:x?}, not {MARKS:x?}",
            frame.preserved()
        ));
    }
    Ok(())
}
