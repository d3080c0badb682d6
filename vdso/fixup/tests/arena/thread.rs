//! The threads of a process in an array, as the registry sees them: its memory, and the kernel.

use super::{Arena, pages};
use liblinux_abi::image::fixup::{KIND_SHIFT, MAGIC, MOVE, area_size};
use liblinux_abi::kernel::errno::{EBUSY, EFAULT, EINVAL};
use liblinux_fixup::memory::Stamped;
use liblinux_fixup::{Error, Fault, Kernel, Memory};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The action before each step of a thread; a fault means that it makes no further step.
pub(crate) trait Hook {
    fn step(&self) -> Result<(), Fault>;
    fn pause(&self) {}
}

/// Nothing happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free;

impl Hook for Free {
    fn step(&self) -> Result<(), Fault> {
        Ok(())
    }
}

/// A thread: the memory, and the action at its steps.
#[derive(Debug)]
pub(crate) struct Thread<H> {
    pub(super) arena: Arc<Arena>,
    pub(super) hook: H,
}

impl<H: Hook> Thread<H> {
    pub(crate) fn hook(&self) -> &H {
        &self.hook
    }

    fn at(&self, address: u64) -> Result<&AtomicU64, Fault> {
        self.hook.step()?;
        self.arena.word(address)
    }
}

impl<H: Hook> Memory for Thread<H> {
    fn load(&self, address: u64) -> Result<u64, Fault> {
        Ok(self.at(address)?.load(Relaxed))
    }

    fn load_half(&self, address: u64) -> Result<u32, Fault> {
        if address % 4 != 0 {
            return Err(Fault);
        }
        let word = self.at(address & !7)?.load(Relaxed);
        Ok((word >> (8 * (address & 7))) as u32)
    }

    fn store(&self, address: u64, value: u64) -> Result<(), Fault> {
        self.at(address)?.store(value, Relaxed);
        Ok(())
    }

    fn exchange(&self, address: u64, old: u64, new: u64) -> Result<bool, Fault> {
        Ok(self.at(address)?.compare_exchange(old, new, Relaxed, Relaxed).is_ok())
    }

    fn exchange_cell(&self, address: u64, old: Stamped, new: Stamped) -> Result<bool, Fault> {
        if address % 16 != 0 {
            return Err(Fault);
        }
        let value = self.at(address)?;
        let generation = self.arena.word(address + 8)?;
        let is_old = (value.load(Relaxed), generation.load(Relaxed)) == (old.value, old.generation);
        if is_old {
            assert!(new.generation > old.generation, "a cell goes back from {old:?} to {new:?}");
            value.store(new.value, Relaxed);
            generation.store(new.generation, Relaxed);
        }
        Ok(is_old)
    }

    fn pause(&self) {
        self.hook.pause();
    }
}

impl<H: Hook> Kernel for Thread<H> {
    fn attached(&self) -> Result<(u64, u64), Error> {
        self.hook.step()?;
        self.arena.refusal()?;
        match self.arena.attached() {
            0 => Err(Error::ABSENT),
            area => {
                let capacity = self.arena.word(area + 16).expect("the attached area").load(Relaxed);
                Ok((area, area_size(capacity & 0xffff_ffff).unwrap_or_default()))
            }
        }
    }

    /// As the kernel does it: instead of another area only if that one is sealed towards the new
    /// one.
    fn attach(&self, area: u64, size: u64) -> isize {
        if self.hook.step().is_err() {
            return -EFAULT;
        }
        if let Err(error) = self.arena.refusal() {
            return error.code();
        }
        let word = |at: u64| self.arena.word(at).map_or(0, |word| word.load(Relaxed));
        let old = self.arena.attached();
        let is_successor =
            || word(old + 72) == word(old + 8) + 1 && word(old + 64) == area | MOVE << KIND_SHIFT;
        if area != 0 {
            if area % 64 != 0 || size < 128 || word(area) != MAGIC {
                return -EINVAL;
            }
            if old != 0 && old != area && !is_successor() {
                return -EBUSY;
            }
        }
        self.arena.attached.store(area, Relaxed);
        0
    }

    fn mark(&self, start: u64, len: u64) -> isize {
        let failure =
            self.arena.refusal().err().or(*self.arena.unmarkable.lock().expect("never poisoned"));
        if let Some(error) = failure {
            return error.code();
        }
        self.arena.marks.lock().expect("never poisoned").extend(pages(start, len));
        0
    }

    fn marked(&self, start: u64, len: u64) -> Option<bool> {
        self.arena.refusal().ok()?;
        start.checked_add(len)?;
        let marks = self.arena.marks.lock().expect("never poisoned");
        Some(pages(start, len).all(|page| marks.contains(&page)))
    }
}
