//! An image that is linked for another address than 0 is judged as if it were linked for 0.

#[path = "specimen/mod.rs"]
mod specimen;

use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERSYM};
use goblin::elf::section_header::SHF_ALLOC;
use liblinux_check::check_as;
use liblinux_check::profile::ANY;
use specimen::{File, Specimen, section, segment, symbol};
use std::collections::BTreeSet;

/// Where gVisor's image is linked for.
const BASE: u64 = 0xffff_ffff_ff70_0000;

/// The image linked for [`BASE`].
fn moved(good: &File) -> File {
    let (view, mut file) = (good.view(), good.clone());
    for (one, at) in view.segments().expect("segments").iter().zip((64..).step_by(56)) {
        file.put64(at + segment::VADDR, one.p_vaddr.wrapping_add(BASE));
        file.put64(at + segment::PADDR, one.p_paddr.wrapping_add(BASE));
    }
    let headers = view.header.e_shoff as usize;
    for (one, at) in view.sections().expect("sections").iter().zip((headers..).step_by(64)) {
        if one.header.sh_flags & u64::from(SHF_ALLOC) != 0 {
            file.put64(at + section::ADDR, one.header.sh_addr.wrapping_add(BASE));
        }
    }
    for tag in [DT_GNU_HASH, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERSYM] {
        let (at, value) = (good.tag(tag), view.tag(tag, "a tag").expect("a tag"));
        file.put64(at + 8, value.wrapping_add(BASE));
    }
    let symbols = good.contents(".dynsym");
    for one in view.dynsym().expect("symbols").iter().filter(|one| one.section < 0xff00) {
        if one.section != 0 {
            let at = symbols + 24 * one.index + symbol::VALUE;
            file.put64(at, one.value.wrapping_add(BASE));
        }
    }
    file
}

/// The rules that an image breaks, and those that are not judged.
fn said(file: &File) -> (BTreeSet<&'static str>, usize) {
    let report = check_as(&ANY, &file.bytes, None, None).expect("an image");
    let broken = report.broken().map(|(rule, _)| rule.name).collect();
    (broken, report.not_judged().count())
}

#[test]
fn nothing_but_its_address_is_held_against_it() {
    let good = Specimen::good().image;
    let (mut sound, not_judged) = said(&good);
    sound.insert("load-at-zero");
    assert_eq!(said(&moved(&good)), (sound, not_judged));
}

#[test]
fn an_address_on_which_tables_do_not_agree_moves_nothing() {
    let good = Specimen::good().image;
    let mut file = moved(&good);
    let at = file.tag(DT_STRTAB) + 8;
    file.put64(at, 0x100);
    assert!(said(&file).0.contains("dynamic-tables"));
}
