//! An ordinary Rust program that reads both clocks of the standard library.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn main() {
    let start = Instant::now();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).expect("a date after 1970").as_secs();
    assert!(seconds > 1_700_000_000, "{seconds} s since 1970");
    println!("{:?}", start.elapsed());
}
