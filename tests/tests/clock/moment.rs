//! What a data page says at some moment, and what time that means.

use liblinux_abi::kernel::clock::{AUXILIARY, COARSE};
use liblinux_abi::kernel::datapage::{
    AUXILIARY_CLOCKS, CLOCK_MODE_NONE, CLOCK_MODE_TIMENS, CLOCK_MODE_TSC, CLOCKS, ClockData,
    DataPage,
};
use std::sync::atomic::Ordering::Relaxed;

pub(crate) const NSEC_PER_SEC: u128 = 1_000_000_000;

/// Numbers without a pattern, the same in every run (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Of any magnitude: as many numbers of 5 bits as of 50.
    pub(crate) fn any_size(&mut self) -> u64 {
        let shift = self.next() % 64;
        self.next() >> shift
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// One clocksource's data with a plausible scale, and a counter that is usually near.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) mode: i32,
    pub(crate) cycle_last: u64,
    pub(crate) max_cycles: u64,
    pub(crate) mult: u32,
    pub(crate) shift: u32,
    pub(crate) base: [[u64; 2]; CLOCKS],
    pub(crate) resolution: u32,
    pub(crate) counter: u64,
}

impl Moment {
    /// A count is between a hundredth of a nanosecond and two of them, and an update is at most
    /// half an hour old: the C image counts the seconds since an update one by one.
    pub(crate) fn any(numbers: &mut Numbers) -> Self {
        let shift = 24 + numbers.below(8) as u32;
        let mult = ((1_u64 << shift) / 100 + numbers.below(1 << shift)) as u32;
        let cycle_last = numbers.any_size() >> 1;
        let magnitude = 1 + numbers.below(40);
        let elapsed = numbers.below(1 << magnitude);
        // As the kernel has it, beyond this the product needs more than 64 bits; a smaller one must
        // do no harm.
        let max_cycles = if numbers.below(4) == 0 {
            elapsed.saturating_sub(1)
        } else {
            u64::MAX / u64::from(mult) / 2
        };
        let counter = match numbers.below(8) {
            0 => cycle_last.wrapping_sub(elapsed),
            _ => cycle_last.wrapping_add(elapsed),
        };
        let base = std::array::from_fn(|clock| {
            let shift = if COARSE >> clock & 1 != 0 { 0 } else { shift };
            [numbers.below(1 << 35), numbers.below(1_000_000_000 << shift)]
        });
        let resolution = [1, 4_000_000][numbers.below(2) as usize];
        Self {
            mode: CLOCK_MODE_TSC,
            cycle_last,
            max_cycles,
            mult,
            shift,
            base,
            resolution,
            counter,
        }
    }

    fn publish(&self, data: &ClockData) {
        data.sequence.store(2, Relaxed);
        data.mode.store(self.mode, Relaxed);
        data.cycle_last.store(self.cycle_last, Relaxed);
        data.max_cycles.store(self.max_cycles, Relaxed);
        data.mask.store(u64::MAX, Relaxed);
        data.mult.store(self.mult, Relaxed);
        data.shift.store(self.shift, Relaxed);
        for (slot, [sec, nsec]) in data.base.iter().zip(self.base) {
            slot.sec.store(sec, Relaxed);
            slot.nsec.store(nsec, Relaxed);
        }
    }

    /// Writes the whole page, with auxiliary clocks that differ in their time, every third one
    /// disabled.
    pub(crate) fn publish_page(&self, page: &DataPage) {
        for (index, data) in auxiliary_data(page).enumerate() {
            let mut moment = self.clone();
            moment.base[0][0] = moment.base[0][0].wrapping_add(index as u64);
            moment.mode = if index % 3 == 2 { CLOCK_MODE_NONE } else { self.mode };
            moment.publish(data);
        }
        self.publish(&page.hres_coarse);
        self.publish(&page.raw);
        let (west, daylight_saving) = page.time_zone();
        west.store(-60, Relaxed);
        daylight_saving.store(3, Relaxed);
        page.hrtimer_res().store(self.resolution, Relaxed);
    }

    /// What the data means: nanoseconds since the epoch of the clock, by plain arithmetic on 128
    /// bits.
    pub(crate) fn time(&self, clock: usize, counter: u64) -> u128 {
        let [sec, nsec] = self.base[clock].map(u128::from);
        let elapsed = i128::from(counter) - i128::from(self.cycle_last);
        let elapsed = u128::try_from(elapsed).unwrap_or(0); // Time does not run backwards.
        sec * NSEC_PER_SEC + ((nsec + elapsed * u128::from(self.mult)) >> self.shift)
    }
}

/// The clocksources of all auxiliary clocks.
fn auxiliary_data(page: &DataPage) -> impl Iterator<Item = &ClockData> {
    (0..).map_while(|index| page.auxiliary(index))
}

/// The auxiliary clocks that [`Moment::publish_page`] enables.
pub(crate) fn auxiliary_clocks() -> impl Iterator<Item = usize> {
    (0..AUXILIARY_CLOCKS).filter(|index| index % 3 != 2).map(|index| AUXILIARY + index)
}

pub(crate) fn clocks(set: u32) -> impl Iterator<Item = usize> {
    (0..CLOCKS).filter(move |clock| set >> clock & 1 != 0)
}

/// Writes a time namespace's page: offsets, and zeros for all that the kernel leaves alone.
pub(crate) fn timens_page(offsets: &[[u64; 2]; CLOCKS], page: &DataPage) {
    page.hrtimer_res().store(0, Relaxed);
    for data in [&page.hres_coarse, &page.raw].into_iter().chain(auxiliary_data(page)) {
        data.sequence.store(1, Relaxed);
        data.mode.store(CLOCK_MODE_TIMENS, Relaxed);
        for (slot, [sec, nsec]) in data.base.iter().zip(offsets) {
            slot.sec.store(*sec, Relaxed);
            slot.nsec.store(*nsec, Relaxed);
        }
    }
}
