//! Real readers on images that the checker accepts, and on some that it refuses.
//!
//! The rules describe loaders. Here the loaders themselves run: glibc's dynamic linker and its
//! unwinder, musl's start-up code, Go's runtime, the kernel's reference parser, gdb. Every mutant
//! of what loaders read that the checker accepts has to give each of them what the sound image
//! gives. And the readers have to be able to tell: the images that led to these rules make at least
//! one of them fail.

#[path = "../mutation/mod.rs"]
mod mutation;
#[path = "../specimen/mod.rs"]
mod specimen;

use liblinux_workspace::{Workspace, line};
use mutation::Setting;
use specimen::{File, Specimen, section};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Seconds after which a reader that has not ended counts as one that does not end.
const LIMIT: &str = "20";

/// Mutants of each class of which the accepted ones are shown to the readers.
const MUTANTS: usize = 40;

/// The kernel line whose parser the checker has a model of: later ones read `DT_GNU_HASH`, too.
const PARSERS_LINE: &str = "6.12";

/// The readers, built.
struct Readers {
    folder: tempfile::TempDir,
}

/// What one reader printed, or how it ended.
type Answer = (&'static str, String);

impl Readers {
    fn build() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers");
        let kernel = Workspace::current().kernel(line::find(PARSERS_LINE).expect("a line"));
        let kernel = kernel.join("source/tools/testing/selftests/vDSO");
        assert!(
            kernel.is_dir(),
            "{} is not there; run `cargo xtask boot --kernel {PARSERS_LINE}` first",
            kernel.display()
        );
        let include = format!("-I{}", kernel.display());
        let parser = kernel.join("parse_vdso.c").display().to_string();
        for (compiler, output, sources, flags) in [
            ("gcc", "launch", vec!["launch.c", "place.c"], vec!["-O1", "-fPIE", "-pie"]),
            ("gcc", "glibc", vec!["probe.c"], vec!["-ldl"]),
            ("musl-gcc", "musl", vec!["probe.c"], vec!["-static"]),
            ("gcc", "parse", vec!["parse.c", &parser], vec!["-O1", &include]),
        ] {
            let sources = sources.iter().map(|source| here.join(source));
            let output = folder.path().join(output);
            let mut command = Command::new(compiler);
            run(command.args(sources).args(flags).arg("-o").arg(output));
        }
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(folder.path().join("go")).arg(here.join("probe.go"));
        run(go
            .env("CGO_ENABLED", "0")
            .env("GO111MODULE", "off")
            .env("GOCACHE", folder.path().join("cache")));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What each reader says of the image. `names` is what it is asked for.
    fn ask(&self, image: &[u8], names: &[String]) -> Vec<Answer> {
        let (file, list) = (self.path("vdso64.so"), self.path("names"));
        std::fs::write(&file, image).expect("write the image");
        std::fs::write(&list, names.join("\n") + "\n").expect("write the names");
        let (launch, file, list) = (self.path("launch"), file.as_path(), list.as_path());
        let probe = |name: &str| self.path(name);
        let script = "info line *0x2000\ninfo scope *0x2000\ninfo address __vdso_getpid\ninfo symbol 0x2275\n";
        std::fs::write(self.path("script"), script).expect("write the script");
        vec![
            ("parse_vdso", answer(&probe("parse"), &[file, list])),
            ("glibc and libgcc", answer(&launch, &[file, &probe("glibc"), list])),
            ("musl", answer(&launch, &[file, &probe("musl"), list])),
            ("Go", answer(&launch, &[file, &probe("go")])),
            (
                "gdb",
                answer(
                    Path::new("gdb"),
                    &["-nx", "-batch", "-x"]
                        .map(Path::new)
                        .into_iter()
                        .chain([self.path("script").as_path(), file])
                        .collect::<Vec<_>>(),
                ),
            ),
        ]
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn answer(program: &Path, arguments: &[&Path]) -> String {
    let output = Command::new("timeout")
        .arg(LIMIT)
        .arg(program)
        .args(arguments)
        .output()
        .expect("timeout runs");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), output.status)
}

/// Every export, and many names that are not there.
fn names(good: &Specimen) -> Vec<String> {
    let view = good.image.view();
    let there = view
        .exports()
        .expect("exports")
        .into_iter()
        .map(|export| export.name.to_owned())
        .collect::<Vec<_>>();
    let absent = (0..2000).map(|number| format!("__vdso_absent_{number}"));
    there.iter().cloned().chain(absent).collect()
}

/// The readers whose answers differ from those on the sound image.
fn differing(sound: &[Answer], other: &[Answer]) -> Vec<String> {
    let pairs = sound.iter().zip(other).filter(|(sound, other)| sound.1 != other.1);
    pairs
        .map(|(sound, other)| {
            let lines = sound.1.lines().zip(other.1.lines()).find(|(sound, other)| sound != other);
            format!("{}: {:?}", sound.0, lines.unwrap_or((&sound.1, &other.1)))
        })
        .collect()
}

#[test]
fn readers_use_every_accepted_mutant_like_the_sound_image() {
    let (good, readers) = (Specimen::good(), Readers::build());
    let names = names(&good);
    let sound = readers.ask(&good.image.bytes, &names);
    for (reader, says) in &sound {
        assert!(says.ends_with("exit status: 0"), "{reader} cannot use the sound image: {says}");
    }
    assert!(
        sound[1].1.contains("getpid right") && sound[1].1.contains("clock goes"),
        "{}",
        sound[1].1
    );
    let mut tried = 0;
    let mut wrong = Vec::new();
    for class in mutation::classes(&good.image).iter().filter(|class| class.is_loaders) {
        for number in 0..MUTANTS {
            let mutant = mutation::mutant(&good.image, class, number);
            if mutation::is_refused(&good, &mutant, Setting::Alone) {
                continue;
            }
            tried += 1;
            // A build-id is one as good as another; five of them show it.
            if class.name == "note" && number % 8 != 0 {
                continue;
            }
            let answers = readers.ask(&mutation::mutated(&good.image, &mutant).bytes, &names);
            let differing = differing(&sound, &answers);
            if !differing.is_empty() {
                wrong.push(format!(
                    "{} {number} at {:#x}: {}",
                    class.name,
                    mutant.at,
                    differing.join("; ")
                ));
            }
        }
    }
    println!("{tried} of {} mutants of what loaders read were accepted", MUTANTS * 13);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A way to break the image that real readers were seen to fail on, and which reader fails.
type Break = (&'static str, &'static str, fn(&mut File));

const BREAKS: &[Break] = &[
    ("a chain that leads back to itself", "parse_vdso", |image| {
        let at = image.contents(".hash");
        let buckets = image.word(at) as usize;
        let mut last = image.word(at + 8) as usize;
        while let next @ 1.. = image.word(at + 8 + 4 * (buckets + last)) as usize {
            last = next;
        }
        image.put32(at + 8 + 4 * (buckets + last), last as u32);
    }),
    ("buckets far behind the image", "glibc and libgcc", |image| {
        let (from, to) = (image.gnu_buckets(), image.contents(".dynsym"));
        let buckets = image.word(image.contents(".gnu.hash")) as usize;
        assert!(from + 4 * buckets < to);
        (0..buckets).for_each(|bucket| image.put32(from + 4 * bucket, 0x7fff_ffff));
    }),
    ("another symbol table than the sections'", "glibc and libgcc", |image| {
        let size = image.view().section(".dynsym").expect("symbols").header.sh_size;
        let (strings, copy) = (image.section_index(".dynstr"), image.loaded_copy(".dynsym"));
        image.exchange_values("__vdso_getpid", "__vdso_getppid");
        let header = image.section(".dynsym");
        image.put32(header + section::TYPE, 1);
        image.pretend(".comment", 11, copy, size, strings, 24);
    }),
    ("no version definitions", "Go", |image| {
        let at = image.tag(0x6fff_fffc);
        image.put64(at, 0x6fff_ff00);
    }),
    ("a writable dynamic table", "glibc and libgcc", |image| {
        let at = image.segment(2);
        image.put32(at + specimen::segment::FLAGS, 6);
    }),
];

#[test]
fn readers_fail_on_images_that_the_checker_refuses() {
    let (good, readers) = (Specimen::good(), Readers::build());
    let names = names(&good);
    let sound = readers.ask(&good.image.bytes, &names);
    for (what, reader, break_it) in BREAKS {
        let mut broken = good.image.clone();
        break_it(&mut broken);
        let report = liblinux_check::check(&broken.bytes, None, None).expect("readable");
        assert!(!report.is_good(), "the checker accepts {what}");
        let answers = readers.ask(&broken.bytes, &names);
        let differing = differing(&sound, &answers);
        assert!(
            differing.iter().any(|one| one.starts_with(reader)),
            "{what}: {reader} sees no difference: {differing:?}"
        );
    }
}
