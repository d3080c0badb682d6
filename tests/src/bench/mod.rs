//! Measuring the image against the kernel's C image: what the benches share.
//!
//! Both images are mapped into one process, over data pages with the same contents, with the
//! alternatives that the kernel would choose. [`case`] lists what is called, [`call`] calls it many
//! times, [`floor`] has the least code that could do the same, [`fixup`] has exception fixups,
//! [`frame`] landings with a frame, [`pair`] measures in turns, and [`report`] and [`picture`] show
//! the outcome.
//!
//! The C image comes from the build of the kernel that `cargo xtask boot` left in its cache.

pub mod call;
pub mod case;
pub mod fixup;
pub mod floor;
pub mod frame;
mod legacy;
pub mod pair;
pub mod picture;
pub mod report;

use crate::arch::alternatives;
use crate::image::Image;
use crate::kernel::Source;
use liblinux_mkimage::embed::set_tick;
use liblinux_workspace::Workspace;
use std::path::PathBuf;

/// The variable that holds the path of another C image than that of the kernel that
/// `cargo xtask boot` built.
pub const C_IMAGE: &str = "LIBLINUX_C_IMAGE";

/// The file of the kernel's C image, or what to do to have one.
pub fn c_image() -> Result<PathBuf, String> {
    let line = Image::line();
    let folder = || Workspace::current().kernel(line).join("build").join(line.c_image_folder);
    let built = || folder().join("vdso64.so");
    let path = std::env::var_os(C_IMAGE).map_or_else(built, PathBuf::from);
    if !path.is_file() {
        return Err(format!(
            "no C image at {} to compare with; run `cargo xtask boot` first, which builds the kernel and \
             with it its C image, or set {C_IMAGE} to one",
            path.display()
        ));
    }
    Ok(path)
}

/// Maps our image and the C image, each over pages of its own, both with alternatives applied.
pub fn images() -> Result<[Image; 2], String> {
    let path = c_image()?;
    let mut file = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    alternatives::apply(&mut file);
    // As a kernel build has them: with its tick and this processor's alternatives.
    let mut ours = Image::read();
    set_tick(&mut ours, Source::cached().config_number("CONFIG_HZ"))
        .map_err(|error| error.to_string())?;
    alternatives::apply(&mut ours);
    Ok([Image::map(ours), Image::map(file)])
}
