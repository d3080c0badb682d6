//! Profiles: what kind of vDSO an image is, and so which rules judge it, how severely, and which
//! files a remedy may name.
//!
//! A profile is data. Rules ask it for facts (the machine, the SONAME, the version nodes, the names
//! that C libraries look up) and hold the image to them.
//!
//! # Invariants
//!
//! 1. Names are unique, and stable: scripts and reports hold them.
//! 2. No profile but liblinux's names a file of this workspace.

mod detect;
mod list;

pub use crate::machine::{Class, Code, Machine};
use crate::verdict::Severity;
pub use detect::detect;
use liblinux_abi::image::layout::PAGE_SIZE;
pub use list::{ANY, LIBLINUX, PROFILES, find};

/// Which images a rule or a profile is for. Each includes those in front of it: a rule judges the
/// images of its own scope and of every later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Any vDSO.
    Any,
    /// One that Linux maps.
    Linux,
    /// liblinux, whose every byte is accounted for.
    Liblinux,
}

/// How far an image has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It is as processes see it: whole pages.
    Mapped,
    /// It comes from the linker or from `objcopy`; `vdso2c` or the kernel pads it later.
    Built,
}

/// What a remedy calls the places to look at; `{script}` and so on in a rule's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// `{script}`: the linker script.
    pub script: &'static str,
    /// `{versions}`: where the version nodes are.
    pub versions: &'static str,
    /// `{source}`: the image's code.
    pub source: &'static str,
    /// `{build}`: how to make the image anew, an instruction.
    pub build: &'static str,
    /// `{unstripped}`: the image before it was stripped.
    pub unstripped: &'static str,
    /// `{bless}`: how to accept an intended change of the interface, an instruction.
    pub bless: &'static str,
}

/// A kind of vDSO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// How `--profile` and reports name it.
    pub name: &'static str,
    /// The same for people.
    pub title: &'static str,
    /// Which rules judge it.
    pub scope: Scope,
    /// The machine; none if any will do.
    pub machine: Option<&'static Machine>,
    /// How far it has come.
    pub stage: Stage,
    /// `DT_SONAME`; none if any will do.
    pub soname: Option<&'static str>,
    /// The version nodes that an export may be in; none if any will do.
    pub versions: &'static [&'static str],
    /// The functions that C libraries and language runtimes look up on this machine.
    pub wanted: &'static [&'static str],
    /// Rules that this vDSO's makers break on purpose, and how bad that is here.
    pub known: &'static [(&'static str, Severity)],
    /// What remedies call the places to look at.
    pub places: Places,
}

impl Profile {
    /// Whether a rule of that scope judges images of this profile.
    pub fn includes(&self, scope: Scope) -> bool {
        scope <= self.scope
    }

    /// Whether this is liblinux, where a rule that does not hold is always an error.
    pub fn is_liblinux(&self) -> bool {
        self.scope == Scope::Liblinux
    }

    /// Whether `vdso2c`, a tool of the x86 kernels' build, takes the image and may refuse it.
    pub fn is_for_x86_kernels(&self) -> bool {
        let is_x86 = |machine: &Machine| matches!(machine.code, Code::X86(_));
        self.includes(Scope::Linux) && self.machine.is_some_and(is_x86)
    }

    /// Bytes of which the file has a whole number.
    pub fn unit(&self) -> usize {
        match self.stage {
            Stage::Mapped => PAGE_SIZE,
            Stage::Built => 1,
        }
    }

    /// Whether a C library or a language runtime looks that name up on this machine; of an unknown
    /// machine any name with the prefix of such functions counts.
    pub fn wants(&self, name: &str) -> bool {
        if self.wanted.is_empty() {
            name.starts_with("__vdso_") || name.starts_with("__kernel_")
        } else {
            self.wanted.contains(&name)
        }
    }

    /// A remedy with the names of this profile's places.
    pub fn remedy(&self, template: &str) -> String {
        let places = [
            ("script}", self.places.script),
            ("versions}", self.places.versions),
            ("source}", self.places.source),
            ("build}", self.places.build),
            ("unstripped}", self.places.unstripped),
            ("bless}", self.places.bless),
        ];
        let mut parts = template.split('{');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let place =
                places.iter().find_map(|(key, name)| Some((*name, part.strip_prefix(key)?)));
            let (name, rest) = place.unwrap_or(("{", part));
            text.extend([name, rest]);
        }
        text
    }
}
