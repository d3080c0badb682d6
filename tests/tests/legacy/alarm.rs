//! `alarm`: what it says about the old alarm, and which it sets.

use crate::Function;
use crate::child::Child;
use std::sync::atomic::Ordering::SeqCst;

/// `struct __kernel_old_itimerval`: interval and time, each in seconds and microseconds.
type Timer = [i64; 4];

/// Sets an alarm over an old one; the result, the new interval and the new time in seconds.
fn replace(alarm: Function, old: Timer, seconds: usize) -> [i64; 3] {
    let [set, get] = ["setitimer", "getitimer"].map(Function::bare);
    let child = Child::start(|numbers| {
        let mut timer: Timer = [0; 4];
        // SAFETY: the timer is this child's.
        let done = unsafe { set.call([0, (&raw const old).addr(), 0, 0, 0, 0]) };
        // SAFETY: as above.
        let result = unsafe { alarm.call([seconds, 0, 0, 0, 0, 0]) };
        // SAFETY: the kernel writes to `timer` alone.
        let read = unsafe { get.call([0, (&raw mut timer).addr(), 0, 0, 0, 0]) };
        let rounded = timer[2] + i64::from(timer[3] >= 500_000);
        for (number, value) in
            numbers.iter().zip([done as i64, read as i64, result as i64, timer[0] + timer[1], rounded])
        {
            number.store(value, SeqCst);
        }
    });
    let [0, 0, result, interval, time, ..] = child.end() else { panic!("a timer call failed") };
    [result, interval, time]
}

#[test]
fn says_what_was_left_of_the_old_alarm() {
    let functions = Function::both("alarm");
    let most = u32::MAX as usize;
    for (old, seconds, result) in [
        ([0, 0, 0, 0], 0, 0),
        ([0, 0, 0, 0], 100, 0),
        ([0, 0, 0, 450_000], 100, 1),
        ([0, 0, 0, 950_000], 0, 1),
        ([0, 0, 70, 450_000], 100, 70),
        ([0, 0, 70, 950_000], most, 71),
        ([3, 5, 70, 0], most + 101, 70),
        ([0, 0, 1 << 32, 450_000], 7, 0),
        ([0, 0, (1 << 32) - 1, 950_000], 7, 0),
    ] {
        let [ours, bare] = functions.map(|function| replace(function, old, seconds));
        assert_eq!(bare[0], result, "the kernel's own alarm({seconds}) over {old:?}");
        assert_eq!(ours, bare, "alarm({seconds}) over {old:?}");
    }
}
