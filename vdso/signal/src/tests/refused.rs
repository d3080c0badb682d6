// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Areas and links that are not well formed.

use super::{Probe, SIGNAL, add, chain, dispatch, leak, remove};
use crate::{Area, Chain, Error, Link, Verdict};
use core::ffi::c_int;
use core::ptr::null;
use liblinux_abi::arch::x86_64::signal::Action;

#[test]
fn links_that_are_not_well_formed_are_refused() {
    shuttle::check_random(
        || {
            let area = chain::<2>();
            let probe = Probe::new(true);
            let refuses = |link: Link| {
                let link = leak(link);
                assert_eq!(add(area, link), Err(Error::INVALID), "{link:?}");
            };
            for signal in [c_int::MIN, -1, 0, 9, 19, 65, c_int::MAX] {
                let mut link = probe.link();
                link.signal = signal;
                refuses(link);
            }
            let mut link = probe.link();
            link.flags = 1 << 31;
            refuses(link);
            let mut link = probe.link();
            link.handler = None;
            refuses(link);
            let action = Action { handler: 0x1000, flags: 0, restorer: 0, mask: 0 };
            refuses(Link::of_action(SIGNAL, &action).observer());
            refuses(Link::of_action(SIGNAL, &Action { handler: 0, ..action }));
            // SAFETY: neither is a link, and neither is followed.
            let (none, odd) = unsafe { (area.add(null()), null::<Link>().wrapping_byte_add(8)) };
            assert_eq!(none, Err(Error::INVALID));
            // SAFETY: as above.
            assert_eq!(unsafe { area.add(odd) }, Err(Error::INVALID));
            assert!(matches!(dispatch(area), Verdict::Declined));
        },
        1,
    );
}

#[test]
fn a_link_is_added_once_and_removed_once() {
    shuttle::check_random(
        || {
            let area = chain::<2>();
            let links = [(); 3].map(|()| leak(Probe::new(true).link()));
            assert_eq!(remove(area, links[0]), Err(Error::MISSING));
            assert_eq!(add(area, links[0]), Ok(()));
            assert_eq!(add(area, links[0]), Err(Error::EXISTS));
            assert_eq!(add(area, links[1]), Ok(()));
            assert_eq!(add(area, links[2]), Err(Error::FULL));
            assert_eq!(remove(area, links[0]), Ok(()));
            assert_eq!(remove(area, links[0]), Err(Error::MISSING));
            assert_eq!(add(area, links[2]), Ok(()));
            assert_eq!(Error::BUSY.code(), -16);
        },
        1,
    );
}

/// A null pointer is refused. In an area whose words are at random, but for the addresses of links,
/// every operation ends.
#[test]
fn hostile_areas_end_in_an_answer() {
    use shuttle::rand::Rng as _;
    shuttle::check_random(
        || {
            // SAFETY: null is refused.
            let none = unsafe { Area::at(null()) };
            assert_eq!(none.err(), Some(Error::INVALID));
            let mut random = shuttle::rand::thread_rng();
            let chain: &'static Chain<4> = Box::leak(Box::new(Chain::new()));
            let area = chain.area();
            let links = [(); 3].map(|()| leak(Probe::new(random.gen_range(0..2) == 0).link()));
            for _ in 0..20 {
                area.scribble(&mut |word| match random.gen_range(0..4) {
                    0 => random.gen_range(0..u64::MAX),
                    1 => random.gen_range(0..6),
                    _ => word,
                });
                for link in links {
                    let _ = add(area, link);
                }
                let _ = dispatch(area);
                for link in links {
                    let _ = remove(area, link);
                }
            }
        },
        200,
    );
}

#[test]
fn memory_becomes_an_area_if_it_is_large_enough_and_aligned() {
    shuttle::check_random(
        || {
            assert_eq!((Area::size(0), Area::size(65_537)), (None, None));
            let size = Area::size(3).expect("a size");
            let memory = Box::leak(vec![0_u64; size / 8 + 16].into_boxed_slice()).as_mut_ptr();
            let memory = memory.cast::<u8>();
            let aligned = memory.wrapping_add(memory.align_offset(64));
            // SAFETY: as much memory, which is never freed.
            let init = |address, size, capacity| unsafe { Area::init(address, size, capacity) };
            assert_eq!(init(aligned, size - 1, 3).err(), Some(Error::INVALID));
            assert_eq!(init(aligned.wrapping_add(8), size, 3).err(), Some(Error::INVALID));
            assert_eq!(init(aligned, size, 0).err(), Some(Error::INVALID));
            let area = init(aligned, size, 3).expect("an area");
            let probe = Probe::new(true);
            add(area, leak(probe.link())).expect("there is room");
            // SAFETY: an area.
            let found = unsafe { Area::at(aligned) }.expect("the same area");
            assert!(super::is_taken(dispatch(found)));
            assert_eq!(probe.calls(), 1);
        },
        1,
    );
}
