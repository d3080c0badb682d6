// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `select` and its like: sets of descriptors.

use super::time::{Form, waiting_mask};
use crate::call::{Errno, Outcome, native};
use crate::frame::{Frame, extend};
use crate::memory::{self, place, place_if};

/// Words of 64 bits in a set of 1024 descriptors.
const SET_WORDS: usize = 16;

/// Sets of descriptors are a multiple of 4 bytes here and of 8 in the kernel, so they are copied.
struct Sets {
    places: [u32; 3],
    bytes: usize,
    sets: [[u64; SET_WORDS]; 3],
}

impl Sets {
    fn read(count: u32, places: [u32; 3]) -> Result<Self, Errno> {
        if count > SET_WORDS as u32 * 64 {
            // The kernel reads and writes up to 4 bytes more than the caller has.
            return Ok(Self { places, bytes: 0, sets: [[0; SET_WORDS]; 3] });
        }
        let bytes = (count as usize).div_ceil(32) * 4;
        let mut this = Self { places, bytes, sets: [[0; SET_WORDS]; 3] };
        for (set, place) in this.sets.iter_mut().zip(places) {
            for (index, word) in set.iter_mut().enumerate().take(bytes.div_ceil(8)) {
                let at = place.wrapping_add(index as u32 * 8);
                if place == 0 {
                } else if bytes - index * 8 >= 8 {
                    *word = memory::read(at)?;
                } else {
                    *word = memory::read::<u32>(at)?.into();
                }
            }
        }
        Ok(this)
    }

    fn at(&mut self, index: usize) -> u64 {
        let Some((set, address)) = self.sets.get_mut(index).zip(self.places.get(index)) else {
            return 0;
        };
        if *address == 0 || self.bytes == 0 { u64::from(*address) } else { place(set) }
    }

    fn write(&self) -> Result<(), Errno> {
        for (set, place) in self.sets.iter().zip(self.places) {
            for (index, word) in set.iter().enumerate().take(self.bytes.div_ceil(8)) {
                let at = place.wrapping_add(index as u32 * 8);
                if place == 0 {
                } else if self.bytes - index * 8 >= 8 {
                    memory::write(at, *word)?;
                } else {
                    memory::write(at, *word as u32)?;
                }
            }
        }
        Ok(())
    }
}

fn select_with(count: u32, places: [u32; 3], time: u32) -> Outcome {
    let mut sets = Sets::read(count, places)?;
    let mut wait = Form::Narrow.read(time)?;
    let (count, wait_at) = (extend(count), place_if(&mut wait));
    let result = native!(select, count, sets.at(0), sets.at(1), sets.at(2), wait_at);
    if let Some(left) = wait {
        let _ = Form::Narrow.write(time, left);
    }
    if result.is_ok() {
        sets.write()?;
    }
    result
}

/// `select`, whose arguments are in memory.
pub(crate) fn old_select(frame: &Frame) -> Outcome {
    let [count, read, write, except, time] = memory::read::<[u32; 5]>(frame.argument(0))?;
    select_with(count, [read, write, except], time)
}

/// `_newselect`.
pub(crate) fn select(frame: &Frame) -> Outcome {
    let places = [frame.argument(1), frame.argument(2), frame.argument(3)];
    select_with(frame.argument(0), places, frame.argument(4))
}

fn pselect_in(frame: &Frame, form: Form) -> Outcome {
    let places = [frame.argument(1), frame.argument(2), frame.argument(3)];
    let [mask_at, size] = memory::read_if::<[u32; 2]>(frame.argument(5))?.unwrap_or([0, 8]);
    let mut mask = waiting_mask(mask_at, size)?;
    let mut pair = [place_if(&mut mask), 8];
    let mut sets = Sets::read(frame.argument(0), places)?;
    let mut time = form.read(frame.argument(4))?;
    let (count, time_at) = (frame.signed(0), place_if(&mut time));
    let pair_at = place(&mut pair);
    let result = native!(pselect6, count, sets.at(0), sets.at(1), sets.at(2), time_at, pair_at);
    if let Some(left) = time {
        let _ = form.write(frame.argument(4), left);
    }
    if result.is_ok() {
        sets.write()?;
    }
    result
}

/// `pselect6` with 32 bits.
pub(crate) fn pselect6(frame: &Frame) -> Outcome {
    pselect_in(frame, Form::Narrow)
}

/// `pselect6_time64`.
pub(crate) fn pselect6_64(frame: &Frame) -> Outcome {
    pselect_in(frame, Form::Wide)
}
