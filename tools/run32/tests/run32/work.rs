//! Real work by the loader: programs of Debian's i386 packages with scripts, compared line by line
//! with what they print natively.

use crate::workbench::{has_i386, libraries, loader, system};
use std::path::Path;
use std::process::Command;

/// A program of the system, and a script for it.
const WORK: [(&str, &str); 4] = [
    ("bin/bash", include_str!("../work/commands.sh")),
    ("usr/bin/perl", include_str!("../work/perl.pl")),
    ("usr/bin/python3.11", include_str!("../work/python.py")),
    ("bin/bash", include_str!("../work/git.sh")),
];

/// Output and status, in a folder of its own that has the same name each time.
fn run(mut command: Command, system: &Path, script: &str, folder: &Path) -> String {
    let place = folder.join("place");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(folder.join("script"), script).unwrap();
    let path =
        ["bin", "usr/bin", "usr/sbin"].map(|folder| system.join(folder).display().to_string());
    let git = system.join("usr/lib/git-core");
    command.arg(folder.join("script")).current_dir(&place).env_clear();
    command.env("PATH", path.join(":")).env("LD_LIBRARY_PATH", libraries(system));
    command.env("PYTHONHOME", system.join("usr")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("GIT_EXEC_PATH", git).env("TZ", "UTC");
    command.env("PERL5LIB", system.join("usr/lib/i386-linux-gnu/perl-base"));
    command.env("GIT_TEMPLATE_DIR", system.join("usr/share/git-core/templates"));
    let output = command.output().unwrap();
    std::fs::remove_dir_all(&place).unwrap();
    let text = [output.stdout, output.stderr].concat();
    format!("{}{}\n", String::from_utf8_lossy(&text), output.status)
}

#[test]
fn programs_print_what_they_print_natively() {
    let Some(system) = system() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (program, script) in WORK {
        let program = system.join(program);
        let command = loader([Path::new("--prefix"), system, &program]);
        let here = run(command, system, script, folder.path());
        let count = here.lines().count();
        assert!(count > 20, "{}: {here}", program.display());
        let mut probe = Command::new(system.join("bin/bash"));
        probe.args(["-c", "true"]).env("LD_LIBRARY_PATH", libraries(system));
        if !has_i386(&system.join("bin/busybox")) || !probe.status().is_ok_and(|end| end.success())
        {
            continue;
        }
        let there = run(Command::new(&program), system, script, folder.path());
        let differences: Vec<_> =
            here.lines().zip(there.lines()).filter(|(here, there)| here != there).collect();
        assert!(differences.is_empty(), "{}: {differences:#?}", program.display());
        assert_eq!(count, there.lines().count(), "{}", program.display());
        println!("{}: {count} lines", program.display());
    }
}
