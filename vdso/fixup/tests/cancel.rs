//! Calling a thread off, over every place, state and context that memory can hold.

use liblinux_abi::arch::x86_64::signal::{CS, RBX, RIP};
use liblinux_abi::image::cancel::Window;
use liblinux_fixup::memory::Stamped;
use liblinux_fixup::{Fault, Memory, cancel};
use std::cell::RefCell;
use std::collections::BTreeMap;

const WINDOW: Window = Window { start: 0x1000, call: 0x1005, end: 0x1007, exit: 0x1024 };
const CODE: u16 = 0x33;
const CONTEXT: u64 = 0x7000;
const STATE: u64 = 0x9000;

/// Memory of the words that were put there.
#[derive(Default)]
struct Words {
    words: RefCell<BTreeMap<u64, u64>>,
    stores: RefCell<Vec<(u64, u64)>>,
}

impl Memory for Words {
    fn load(&self, address: u64) -> Result<u64, Fault> {
        self.words.borrow().get(&address).copied().ok_or(Fault)
    }

    fn load_half(&self, address: u64) -> Result<u32, Fault> {
        self.load(address).map(|word| word as u32)
    }

    fn store(&self, address: u64, value: u64) -> Result<(), Fault> {
        let mut words = self.words.borrow_mut();
        *words.get_mut(&address).ok_or(Fault)? = value;
        self.stores.borrow_mut().push((address, value));
        Ok(())
    }

    fn exchange(&self, _: u64, _: u64, _: u64) -> Result<bool, Fault> {
        unreachable!("nothing is exchanged")
    }

    fn exchange_cell(&self, _: u64, _: Stamped, _: Stamped) -> Result<bool, Fault> {
        unreachable!("nothing is exchanged")
    }

    fn pause(&self) {
        unreachable!("nothing is waited for")
    }
}

/// What dispatch says of a thread at `ip`, and what it stored.
fn dispatch(words: &[(u64, u64)]) -> (Result<bool, Fault>, Vec<(u64, u64)>) {
    let memory = Words::default();
    memory.words.borrow_mut().extend(words.iter().copied());
    let said = cancel::dispatch(&memory, &WINDOW, CODE, CONTEXT);
    let stores = memory.stores.borrow().clone();
    (said, stores)
}

fn context(ip: u64, segment: u64) -> [(u64, u64); 3] {
    [(CONTEXT + RIP as u64, ip), (CONTEXT + CS as u64, segment), (CONTEXT + RBX as u64, STATE)]
}

fn thread(ip: u64, segment: u64, state: u64) -> (Result<bool, Fault>, Vec<(u64, u64)>) {
    dispatch(&[&context(ip, segment)[..], &[(STATE, state)]].concat())
}

#[test]
fn a_thread_is_moved_from_the_window_alone_and_only_if_its_state_is_set() {
    let to_exit = vec![(CONTEXT + RIP as u64, WINDOW.exit)];
    let mut moved = 0;
    for ip in (0..0x2000).chain([u64::MAX, u64::MAX - WINDOW.start]) {
        for state in [0, 1, 2, 1 << 31, u64::MAX, 1 << 32] {
            for segment in [0x33, 0x23, 0, 0x2b_0000_0033] {
                let is_in = (WINDOW.start..=WINDOW.call).contains(&ip);
                let wanted = is_in && state as u32 != 0 && segment as u16 == CODE;
                let stores = if wanted { to_exit.clone() } else { Vec::new() };
                assert_eq!(thread(ip, segment, state), (Ok(wanted), stores), "{ip:#x} {state:#x}");
                moved += u32::from(wanted);
            }
        }
    }
    assert_eq!(moved, 6 * 4 * 2, "six places, four states that are set, two selectors");
}

#[test]
fn a_state_that_cannot_be_read_is_not_set() {
    assert_eq!(dispatch(&context(WINDOW.call, CODE.into())), (Ok(false), Vec::new()));
}

#[test]
fn a_context_that_cannot_be_read_is_a_fault() {
    assert_eq!(dispatch(&[]), (Err(Fault), Vec::new()));
    let whole = context(WINDOW.call, CODE.into());
    for missing in 0..whole.len() {
        let mut words = whole.to_vec();
        words.remove(missing);
        assert_eq!(dispatch(&words), (Err(Fault), Vec::new()), "word {missing}");
    }
}
