// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Links come and go under signals, in many schedules.

use super::{Probe, SIGNAL, add, chain, dispatch, is_taken, leak, remove_wholly};
use crate::{Link, Verdict};
use liblinux_abi::arch::x86_64::signal::{Action, SA_RESETHAND};
use shuttle::thread::spawn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const SCHEDULES: usize = 3000;

fn explore(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), SCHEDULES);
    shuttle::check_pct(test, SCHEDULES, 4);
}

#[test]
fn no_handler_runs_when_its_link_was_removed() {
    explore(|| {
        let area = chain::<2>();
        let (steady, probe) = (Probe::new(true), Probe::new(false));
        add(area, leak(steady.link().order(1))).expect("there is room");
        let link = leak(probe.link());
        let library = spawn(move || {
            for _ in 0..2 {
                probe.is_there.store(true, SeqCst);
                add(area, link).expect("there is room");
                remove_wholly(area, link);
                probe.is_there.store(false, SeqCst);
            }
        });
        let signals =
            [(); 2].map(|()| spawn(move || (0..2).for_each(|_| assert!(is_taken(dispatch(area))))));
        library.join().expect("it ends");
        signals.into_iter().for_each(|thread| thread.join().expect("it ends"));
        assert_eq!((probe.strays.load(SeqCst), steady.calls()), (0, 4));
    });
}

#[test]
fn a_link_in_whose_place_another_comes_leaves_no_gap() {
    explore(|| {
        let area = chain::<3>();
        let probes = [(); 4].map(|()| Probe::new(true));
        let links = probes.map(|probe| leak(probe.link()));
        add(area, links[0]).expect("there is room");
        let library = spawn(move || {
            for pair in links.windows(2) {
                add(area, pair[1]).expect("there is room");
                remove_wholly(area, pair[0]);
            }
        });
        let signals = [(); 2].map(|()| {
            spawn(move || (0..2).for_each(|_| assert!(is_taken(dispatch(area)), "a gap")))
        });
        library.join().expect("it ends");
        signals.into_iter().for_each(|thread| thread.join().expect("it ends"));
        assert_eq!(probes.iter().map(|probe| probe.calls()).sum::<usize>(), 4);
    });
}

#[test]
fn libraries_do_not_lose_each_others_links() {
    explore(|| {
        let area = chain::<4>();
        let probes = [(); 3].map(|()| Probe::new(false));
        let threads = probes.map(|probe| {
            spawn(move || {
                let (passing, staying) = (leak(Probe::new(false).link()), leak(probe.link()));
                add(area, passing).expect("there is room");
                remove_wholly(area, passing);
                add(area, staying).expect("there is room");
            })
        });
        let signal = spawn(move || assert!(matches!(dispatch(area), Verdict::Declined)));
        threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
        signal.join().expect("it ends");
        let before = probes.map(Probe::calls);
        assert!(matches!(dispatch(area), Verdict::Declined));
        assert_eq!(probes.map(Probe::calls), before.map(|calls| calls + 1));
    });
}

#[test]
fn an_action_that_is_reset_is_for_one_signal_of_many() {
    explore(|| {
        let area = chain::<1>();
        let action = Action { handler: 0x1000, flags: SA_RESETHAND, restorer: 0, mask: 0 };
        add(area, leak(Link::of_action(SIGNAL, &action))).expect("there is room");
        let calls = Arc::new(AtomicUsize::new(0));
        let signals = [(); 3].map(|()| {
            let calls = Arc::clone(&calls);
            spawn(move || {
                if let Verdict::Action(_) = dispatch(area) {
                    calls.fetch_add(1, SeqCst);
                }
            })
        });
        signals.into_iter().for_each(|thread| thread.join().expect("it ends"));
        assert_eq!(calls.load(SeqCst), 1);
    });
}
