// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The state of a process, saved and restored: the entries round `liblinux_fixup::state`.

use crate::arch::memory::User;
use crate::fixup::done;
use liblinux_fixup::state;

/// Writes the state to `len` bytes at `buffer`; how many it has.
pub extern "C" fn save(buffer: u64, len: u64) -> isize {
    match state::save(&User, buffer, len) {
        Ok(size) => size as isize,
        Err(error) => error.code(),
    }
}

/// Takes the state back from `len` bytes at `buffer`.
pub extern "C" fn restore(buffer: u64, len: u64) -> isize {
    done(state::restore(&User, buffer, len))
}
