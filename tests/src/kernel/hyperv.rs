//! The kernel's C image with Hyper-V's clock in it.
//!
//! The configuration of the guests has no Hyper-V, which would add much to the kernel's build for a
//! clock that no guest can have. The clock's reading is one `#ifdef` in one file of the C image, so
//! that file is compiled again with the line that built it and the option, and the image linked
//! again with the line that linked it.
//!
//! # Invariants
//!
//! 1. Nothing is written to the kernel's tree.

use super::Source;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What differs from the configuration.
const OPTION: &str = "-DCONFIG_HYPERV_TIMER=1";

/// Builds the image in `folder`.
pub fn c_image(source: &Source, folder: &Path) -> PathBuf {
    let (object, image) = (folder.join("vclock_gettime.o"), folder.join("vdso64.so"));
    let made = source.line().c_image_folder;
    let compile = saved(source, "vclock_gettime.o");
    let dependencies = format!(" -Wp,-MMD,{made}/.vclock_gettime.o.d");
    let compile = replace(&compile, &dependencies, "");
    let target = format!(" -o {made}/vclock_gettime.o ");
    run(source, &replace(&compile, &target, &format!(" {OPTION} -o '{}' ", object.display())));

    let link = saved(source, "vdso64.so.dbg");
    // Checks may stand behind it.
    let link = link.split(" && ").next().unwrap_or_default();
    let link = replace(
        link,
        &format!(" -o {made}/vdso64.so.dbg "),
        &format!(" -o '{}' ", image.display()),
    );
    run(
        source,
        &replace(
            &link,
            &format!(" {made}/vclock_gettime.o "),
            &format!(" '{}' ", object.display()),
        ),
    );
    image
}

/// The line that made a file of the image.
fn saved(source: &Source, file: &str) -> String {
    let text =
        source.read(source.build().join(source.line().c_image_folder).join(format!(".{file}.cmd")));
    let line = text.lines().find_map(|line| line.strip_prefix("savedcmd_")?.split_once(" := "));
    line.unwrap_or_else(|| panic!("kbuild kept no command for {file}")).1.to_owned()
}

fn replace(line: &str, from: &str, to: &str) -> String {
    assert_eq!(line.matches(from).count(), 1, "`{from}` is not once in `{line}`");
    line.replace(from, to)
}

fn run(source: &Source, line: &str) {
    let output = Command::new("sh")
        .current_dir(source.build())
        .args(["-c", line])
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{line}:\n{}", String::from_utf8_lossy(&output.stderr));
}
