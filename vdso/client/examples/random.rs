//! Random bytes from user space, for threads that keep states of their own.
//!
//! ```text
//! cargo build --release --package liblinux --examples
//! cargo xtask run -- target/release/examples/random
//! ```
//!
//! On a kernel before 6.11, which cannot keep states, the same program goes by the system call.

#![expect(unsafe_code, reason = "makes a system call")]

use liblinux::random::{Random, State};
use liblinux::{Errno, Vdso};
use std::collections::BTreeSet;

const THREADS: usize = 4;
const KEYS: usize = 1000;

type Key = [u8; 16];

/// A key from a state, or without one by a system call.
fn key(vdso: &Vdso, state: Option<&State<'_>>) -> Result<Key, Errno> {
    let mut key = Key::default();
    match state {
        Some(state) => state.fill(&mut key)?,
        // SAFETY: the buffer has that size, for which the kernel never gives less.
        None => drop(unsafe { vdso.getrandom(key.as_mut_ptr().cast(), key.len(), 0) }?),
    }
    Ok(key)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let vdso = Vdso::find()?.or_syscall();
    let states = Random::of(&vdso).and_then(|random| random.map(&vdso, THREADS)).ok();
    let keys = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for _ in 0..THREADS {
            let (vdso, state) = (&vdso, states.as_ref().and_then(|states| states.take()));
            threads.push(scope.spawn(move || {
                (0..KEYS).map(|_| key(vdso, state.as_ref())).collect::<Result<Vec<_>, _>>()
            }));
        }
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let different: BTreeSet<Key> = keys.into_iter().flatten().collect();
    println!("{} keys, {} of them different", THREADS * KEYS, different.len());
    Ok(())
}
