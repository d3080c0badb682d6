//! An image whose clocks are read, with a counter and data pages that the test sets.

use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_mkimage::embed::set_tick;
use liblinux_tests::arch::counter;
use liblinux_tests::image::Image;
use liblinux_tests::kernel::Source;
use std::path::Path;

type GetTime = extern "C" fn(i32, *mut [i64; 2]) -> isize;
type GetTimeOfDay = extern "C" fn(*mut [i64; 2], *mut [i32; 2]) -> isize;
type Time = extern "C" fn(*mut i64) -> isize;

/// An image and its functions.
pub(crate) struct Clocks {
    pub(crate) image: Image,
    pub(crate) clock_gettime: GetTime,
    pub(crate) clock_getres: GetTime,
    pub(crate) gettimeofday: GetTimeOfDay,
    pub(crate) time: Time,
}

impl Clocks {
    /// Maps an image file, edited, with a counter that the test sets.
    pub(crate) fn map(path: &Path, edit: impl FnOnce(&mut [u8])) -> Self {
        let mut file =
            std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        counter::fix(&mut file);
        edit(&mut file);
        let image = Image::map(file);
        let get_time = |name| {
            // SAFETY: `int NAME(clockid_t, struct timespec *)`, for the two functions named below.
            unsafe { std::mem::transmute::<usize, GetTime>(image.require(name)) }
        };
        let (clock_gettime, clock_getres) =
            (get_time("__vdso_clock_gettime"), get_time("__vdso_clock_getres"));
        let gettimeofday = image.require("__vdso_gettimeofday");
        // SAFETY: `int gettimeofday(struct timeval *, struct timezone *)`.
        let gettimeofday = unsafe { std::mem::transmute::<usize, GetTimeOfDay>(gettimeofday) };
        // SAFETY: `time_t time(time_t *)`.
        let time = unsafe { std::mem::transmute::<usize, Time>(image.require("__vdso_time")) };
        Self { image, clock_gettime, clock_getres, gettimeofday, time }
    }

    pub(crate) fn ours() -> Self {
        let hz = Source::cached().config_number("CONFIG_HZ");
        Self::map(&Image::path(), |file| set_tick(file, hz).expect("an image with a tick"))
    }

    pub(crate) fn theirs() -> Self {
        Self::map(&Source::cached().c_image(), |_| ())
    }

    pub(crate) fn get_time(&self, clock: usize) -> (isize, [i64; 2]) {
        let mut time = [-1; 2];
        ((self.clock_gettime)(clock as i32, &mut time), time)
    }
}

/// A hypervisor's page.
pub(crate) fn hypervisor_page<'i, T>(image: &'i Image, symbol: &str) -> &'i T {
    assert!(size_of::<T>() <= PAGE_SIZE);
    // SAFETY: the pages are mapped for good and zeroed, and both hypervisors' layouts are all
    // atomics.
    unsafe { image.data(symbol).cast().as_ref() }
}
