//! Refuses vDSO images that a loader would choke on.
//!
//! Many programs read a vDSO, each in its own way and none of them through a library: libcs,
//! language runtimes, checkpointers, the kernel itself. The kernel's own gates look at little of
//! what those readers need, so this checker holds the union of their demands. It takes the bytes of
//! an image, and where they exist those of the unstripped image and the ABI lock, and answers every
//! rule of [`rules()`] that the image's [`Profile`] has: it holds, it does not, or it was not
//! judged and why.
//!
//! An image that some program could not read is *refused*: it breaks a rule whose severity is
//! [`Severity::Error`]. A file in which there is nothing to
//! check is *unreadable*. A rule whose table is missing refuses: see [`image::Image`].
//!
//! # Invariants
//!
//! 1. No input makes the checker panic: every offset of the file is an allegation until it has been
//!    compared with the file's length, and arithmetic on file contents is checked or wraps.
//! 2. A report holds one judgement for every rule of the profile, in the order of [`rules()`].
//! 3. What the image must hold (numbers, names, offsets) is read from `liblinux-abi`; this crate
//!    writes down only what the formats and their readers demand.

pub mod against;
pub mod arch;
mod cause;
pub mod cli;
pub mod demand;
mod flow;
pub mod function;
pub mod image;
pub mod lock;
pub mod machine;
pub mod output;
pub mod profile;
pub mod reader;
mod rebase;
pub mod report;
pub mod rule;
pub mod rules;
pub mod source;
mod spans;
pub mod subject;
pub mod symbol;
pub mod table;
pub mod verdict;
pub mod view;

use image::Image;
pub use image::Unreadable;
pub use lock::Lock;
pub use profile::Profile;
pub use report::{Finding, Judgement, Report};
pub use rule::Rule;
pub use rules::rules;
use subject::Subject;
pub use verdict::{Fault, Severity};

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// Judges `image` by every rule of its profile, which its own bytes tell.
///
/// `debug` is the same image before it was stripped; without it, rules about local symbols, the
/// kernel's exception table and the agreement of the two are not judged. Code is: its functions are
/// found through dynamic symbols, call-frame information and the jumps in the slots. Without
/// `lock`, the rule about the ABI lock is not judged.
pub fn check(
    image: &[u8],
    debug: Option<&[u8]>,
    lock: Option<&Lock>,
) -> Result<Report, Unreadable> {
    let profile = profile::detect(&Image::read(image)?);
    check_as(profile, image, debug, lock)
}

/// Judges the image in `bytes` by every rule of a profile.
pub fn check_as(
    profile: &'static Profile,
    bytes: &[u8],
    debug: Option<&[u8]>,
    lock: Option<&Lock>,
) -> Result<Report, Unreadable> {
    let file = Image::read(bytes)?;
    let debug = debug.map(Image::read).transpose()?;
    let moved = rebase::to_zero(&file);
    let moved_debug = debug.as_ref().and_then(rebase::to_zero);
    let (base, image) = match &moved {
        Some((base, bytes)) => (*base, Image::read(bytes)?),
        None => (0, file),
    };
    let debug = moved_debug.as_ref().map(|(_, bytes)| Image::read(bytes)).transpose()?.or(debug);
    Ok(Report::of(&Subject::new(image, profile, debug, lock).linked_for(base, bytes)))
}
