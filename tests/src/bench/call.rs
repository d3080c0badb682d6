//! One function with its arguments, to be called many times.
//!
//! # Invariants
//!
//! 1. A call never crashes, and never changes a later call's result but through memory of its own.
//!    The code that makes a [`Call`] sees to it.
//! 2. Two calls with the same number of arguments run in the same loop, at the same place;
//!    [`Call::alike`] gives calls the same number. The place of the loop decides over a cycle, a
//!    fourth of the shortest functions.

#![expect(unsafe_code, reason = "calls functions by address")]

use crate::synthetic::ticks;
use std::mem::transmute;

/// A C function of up to five arguments and those arguments.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    function: usize,
    arguments: [usize; 5],
    count: usize,
}

/// The result and the arguments of C functions that take as many words.
macro_rules! function {
    ($($argument:ident)*) => { extern "C" fn($(function!(@ $argument)),*) -> isize };
    (@ $argument:ident) => { usize };
}

impl Call {
    /// The function at an address with these arguments.
    ///
    /// # Safety
    ///
    /// There is a C function that takes as many words, for as long as the process lives, and it may
    /// be called with them at any time, by one thread.
    pub unsafe fn new(function: usize, arguments: &[usize]) -> Self {
        let mut words = [0; 5];
        words[..arguments.len()].copy_from_slice(arguments);
        Self { function, arguments: words, count: arguments.len() }
    }

    /// The calls with as many arguments as the one that has most; functions do not look at the
    /// zeros.
    pub fn alike<const N: usize>(calls: [Self; N]) -> [Self; N] {
        let most = calls.iter().map(|call| call.count).max().unwrap_or(0);
        calls.map(|call| Self { count: most, ..call })
    }

    /// Calls once.
    pub fn once(&self) -> isize {
        self.repeat(1)
    }

    /// Counts of the TSC that so many calls take.
    pub fn time(&self, times: u64) -> u64 {
        let start = ticks();
        self.repeat(times);
        ticks() - start
    }

    /// Calls so many times, one call after the other, and returns the last result.
    #[inline(never)]
    fn repeat(&self, times: u64) -> isize {
        let [a, b, c, d, e] = self.arguments;
        macro_rules! call {
            ($($argument:ident)*) => {{
                // SAFETY: `new` was promised a function of as many arguments.
                let function = unsafe { transmute::<usize, function!($($argument)*)>(self.function) };
                again(times, || function($($argument),*))
            }};
        }
        match self.count {
            0 => call!(),
            1 => call!(a),
            2 => call!(a b),
            3 => call!(a b c),
            4 => call!(a b c d),
            _ => call!(a b c d e),
        }
    }
}

/// The loop. Several calls in a turn of it, because a taken branch costs as much as the shortest
/// functions do.
#[inline(always)]
fn again(times: u64, call: impl Fn() -> isize) -> isize {
    let mut last = 0;
    for _ in 0..times / 4 {
        call();
        call();
        call();
        last = call();
    }
    for _ in 0..times % 4 {
        last = call();
    }
    last
}
