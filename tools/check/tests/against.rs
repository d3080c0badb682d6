//! One image against another.

#[path = "specimen/mod.rs"]
mod specimen;

use liblinux_check::against::{Restore, compare};
use specimen::{File, Specimen, symbol};

/// What the comparison of the good image with a changed one says.
fn against(change: impl Fn(&mut File)) -> (String, bool, Restore) {
    let good = Specimen::good().image;
    let mut new = good.clone();
    change(&mut new);
    let comparison = compare(&good.view(), &new.view()).expect("both are readable");
    (comparison.to_string(), comparison.breaks(), comparison.restore)
}

#[test]
fn an_image_equals_itself() {
    let (text, breaks, restore) = against(|_| {});
    assert_eq!((breaks, restore), (false, Restore::InPlace), "{text}");
}

#[test]
fn an_entry_that_moved_is_redirected() {
    let (text, breaks, restore) = against(|file| {
        let at = file.export("__vdso_getcpu") + symbol::VALUE;
        let old = u64::from(file.word(at));
        file.put64(at, old + 16);
    });
    assert!(text.contains("moved: __vdso_getcpu"), "{text}");
    assert!(!breaks && matches!(restore, Restore::Redirect { ref lost, .. } if lost.is_empty()));
}

#[test]
fn an_entry_that_vanished_breaks() {
    let (text, breaks, restore) = against(|file| {
        let name = file.contents(".dynstr") + file.word(file.export("__vdso_time")) as usize;
        file.put(name, b"__vdso_tyme");
    });
    assert!(breaks && text.contains("removed: __vdso_time"), "{text}");
    assert!(matches!(restore, Restore::Redirect { lost, .. } if lost == ["__vdso_time"]));
}

#[test]
fn a_mapping_of_another_size_is_redirected() {
    let (text, breaks, _) = against(|file| {
        let len = file.bytes.len();
        file.bytes.resize(len + 4096, 0);
    });
    assert!(!breaks && text.contains("the mappings have"), "{text}");
}

#[test]
fn images_of_two_machines_are_not_compared() {
    let good = Specimen::good().image;
    let mut other = good.clone();
    other.put16(18, 183);
    assert!(compare(&good.view(), &other.view()).is_err());
}
