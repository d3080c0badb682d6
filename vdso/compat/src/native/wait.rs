// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Waiting for children.

use super::limit::Usage64;
use crate::call::{Outcome, native};
use crate::delivery::info::{self, Words};
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place};

/// `waitpid`.
pub(crate) fn waitpid(frame: &Frame) -> Outcome {
    native!(wait4, frame.long(0), frame.long(1), frame.long(2), 0)
}

/// `wait4`.
pub(crate) fn wait4(frame: &Frame) -> Outcome {
    let mut usage = Usage64::ZERO;
    let wanted = if frame.argument(3) == 0 { 0 } else { place(&mut usage) };
    let child = native!(wait4, frame.long(0), frame.long(1), frame.long(2), wanted)?;
    if child > 0 {
        memory::write_if(frame.argument(3), usage.narrow())?;
    }
    Ok(child)
}

/// `waitid`.
pub(crate) fn waitid(frame: &Frame) -> Outcome {
    let mut usage = Usage64::ZERO;
    let mut found: Words = [0; 32];
    let wanted = if frame.argument(4) == 0 { 0 } else { place(&mut usage) };
    let [kind, id, _, options, ..] = frame.arguments();
    let result = native!(waitid, kind, id, place(&mut found), options, wanted);
    if found[0] != 0 {
        memory::write_if(frame.argument(4), usage.narrow())?;
    }
    // The kernel writes the first six words, those of a child, after an error, too.
    let narrow = info::narrow(&found);
    let mut child = [0_u32; 6];
    for (to, from) in child.iter_mut().zip(narrow) {
        *to = from;
    }
    memory::write_if(frame.argument(2), child)?;
    result
}
