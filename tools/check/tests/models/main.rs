//! The models of readers against the readers themselves: the same image for both, and the same
//! answer from both.
//!
//! Libcs, Go and the unwinders run in programs that `tests/readers/launch.c` starts as the kernel
//! would, with any image for their vDSO. The runner cannot: it takes sound images alone. Readers
//! that take an address are given one by a program of their own. gdb reads the image out of a core
//! file. CRIU reads its own process's vDSO, so `criu.c` writes the image over that. bionic does not
//! run here, so its model is compared with nothing.
//!
//! The images are this workspace's and the running kernel's own, each with one thing broken: faults
//! that a person thought of, and random ones in what readers read.

mod core_file;
mod faults;
#[path = "../mutation/mod.rs"]
mod mutation;
mod probes;
#[path = "../specimen/mod.rs"]
mod specimen;

use faults::{FAULTS, classes};
use goblin::elf::dynamic::DT_HASH;
use liblinux_check::image::Image;
use liblinux_check::machine::X86_64;
use liblinux_check::reader::{Answer, Fate, READERS, Reader, harms};
use probes::Probes;
use specimen::{File, Specimen};
use std::collections::BTreeMap;

/// Random mutants of each class.
const MUTANTS: usize = 25;

/// What a reader did with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It went well; where it found each name.
    Found(BTreeMap<String, u64>),
    /// It died of a signal.
    Crashed,
    /// It ended by itself, with a complaint.
    Aborted,
    /// It did not end.
    Hung,
}

/// What a model expects.
fn expected(answer: &Answer) -> Outcome {
    let found =
        answer.found.iter().filter_map(|(name, place)| Some(((*name).to_owned(), (*place)?)));
    match answer.fate {
        Fate::Loads | Fate::Ignores(_) => Outcome::Found(found.collect()),
        Fate::Crashes(_) => Outcome::Crashed,
        Fate::Aborts(_) => Outcome::Aborted,
        Fate::Hangs(_) => Outcome::Hung,
    }
}

fn reader(name: &str) -> &'static Reader {
    READERS.iter().find(|reader| reader.name == name).expect(name)
}

/// The images that are broken: their names and bytes.
fn originals() -> Vec<(&'static str, File)> {
    vec![
        ("this workspace's image", Specimen::good().image),
        ("the kernel's image", probes::running()),
    ]
}

/// Compares a reader with its model on every image, and tells how often each outcome was seen.
fn compare(name: &str, is_told: impl Fn(&str) -> bool, ask: impl Fn(&Probes, &File) -> Outcome) {
    compare_on(&originals(), name, is_told, |probes, image| Some(ask(probes, image)));
}

/// The same on these images; a reader may pass over one that it cannot be shown.
fn compare_on(
    originals: &[(&str, File)],
    name: &str,
    is_told: impl Fn(&str) -> bool,
    ask: impl Fn(&Probes, &File) -> Option<Outcome>,
) {
    let (probes, reader) = (Probes::build(), reader(name));
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut compare = |what: String, image: &File, sound: &Outcome| {
        let answer = reader.ask(&image.bytes, &X86_64).expect("a reader of this machine");
        let Some(real) = ask(&probes, image) else { return };
        let model = expected(&answer);
        let kind = match &real {
            Outcome::Found(found) if found.is_empty() => "found nothing",
            Outcome::Found(_) if real == *sound => "found all",
            Outcome::Found(_) => "found other places",
            Outcome::Crashed => "crashed",
            Outcome::Aborted => "aborted",
            Outcome::Hung => "hung",
        };
        *seen.entry(kind).or_default() += 1;
        let is_led_astray = match name {
            // Go calls what it found before it can tell.
            "Go" => real == Outcome::Crashed && model != *sound,
            // The kernel maps CRIU's dynamic loader behind its vDSO, so a read there need not end
            // it.
            "CRIU" => real == Outcome::Found(BTreeMap::new()) && model == Outcome::Crashed,
            _ => false,
        };
        if model != real && !is_led_astray {
            wrong.push(format!("{what}: the model says {answer:?}, the reader {real:?}"));
        }
    };
    for (original, good) in originals {
        let sound = ask(&probes, good).expect("a sound image is shown");
        assert!(
            matches!(&sound, Outcome::Found(found) if !found.is_empty()),
            "{original}: {sound:?}"
        );
        compare((*original).to_owned(), good, &sound);
        for (fault, break_it) in FAULTS {
            // gdb takes an image of FreeBSD's for one of another kind of process.
            if name == "gdb and BFD" && *fault == "OS ABI FreeBSD" {
                continue;
            }
            let mut broken = good.clone();
            break_it(&mut broken);
            compare(format!("{original}, {fault}"), &broken, &sound);
        }
        for class in classes(good).iter().filter(|class| is_told(class.name)) {
            for number in 0..MUTANTS {
                let mutant = mutation::mutant(good, class, number);
                let what = format!("{original}, {} {number} at {:#x}", class.name, mutant.at);
                compare(what, &mutation::mutated(good, &mutant), &sound);
            }
        }
    }
    println!("{name}: {seen:?}");
    assert!(wrong.is_empty(), "{} of {name}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen.len() > 2, "{name} met too little: {seen:?}");
}

/// What readers of symbols read.
fn is_symbols(class: &str) -> bool {
    !["eh_frame_hdr", "eh_frame", "section headers"].contains(&class)
}

/// What unwinders read.
fn is_frames(class: &str) -> bool {
    ["program headers", "eh_frame_hdr", "eh_frame"].contains(&class)
}

#[test]
fn sound_images_harm_no_reader() {
    for (original, image) in originals() {
        assert_eq!(harms(&image.bytes, &X86_64), [], "{original}");
    }
}

#[test]
fn glibc() {
    compare("glibc", is_symbols, |probes, image| probes.launched("glibc", image, &[]));
}

#[test]
fn musl() {
    compare("musl", is_symbols, |probes, image| probes.launched("musl", image, &[]));
}

#[test]
fn go() {
    compare("Go", is_symbols, |probes, image| probes.launched("go", image, &[]));
}

#[test]
fn parse_vdso() {
    compare("parse_vdso.c", is_symbols, |probes, image| probes.reading("parse", image));
}

#[test]
fn abseil() {
    compare("abseil", is_symbols, |probes, image| probes.reading("abseil", image));
}

#[test]
fn rustix() {
    compare("rustix", is_symbols, |probes, image| probes.reading("rustix", image));
}

/// CRIU of Debian 12 reads `DT_HASH` alone and wants the last nine bytes of `e_ident` to be 0,
/// where the model's CRIU 4.2 reads either table and knows Linux's OS ABI: images on which these
/// differ are not shown. Nor is this workspace's, which has more pages than the kernel maps here.
#[test]
fn criu() {
    let kernels = [("the kernel's image", probes::running())];
    compare_on(&kernels, "CRIU", is_symbols, |probes, image| {
        let has_hash = Image::read(&image.bytes).is_ok_and(|view| view.tag(DT_HASH, "").is_ok());
        let is_plain = image.bytes[7] != 3 && image.bytes[8..16].iter().all(|byte| *byte == 0);
        (has_hash && is_plain).then(|| probes.criu(image))
    });
}

/// An unwinder is asked about the places that glibc found.
fn unwound(probes: &Probes, program: &str, image: &File) -> Outcome {
    let glibc = probes.launched("glibc", image, &[]);
    let Outcome::Found(places) = glibc else { return glibc };
    let arguments: Vec<String> =
        places.into_iter().flat_map(|(name, place)| [name, format!("{place:x}")]).collect();
    probes.launched(program, image, &arguments)
}

#[test]
fn libgcc() {
    compare("libgcc", is_frames, |probes, image| unwound(probes, "libgcc", image));
}

#[test]
fn libunwind() {
    compare("LLVM libunwind", is_frames, |probes, image| unwound(probes, "libunwind", image));
}

#[test]
fn gdb() {
    compare("gdb and BFD", |_| false, |probes, image| probes.gdb(image));
}
