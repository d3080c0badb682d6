//! Bytes are not text: names, paths, arguments and the environment may be anything.

use crate::workbench::{Workbench, end, succeed};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The kernel's name of the image's mapping.
const NAME: &str = "/memfd:liblinux-vdso (deleted)\n";

/// Names of programs: cut inside of a character after 15 bytes, invalid, with what separates fields
/// and lines.
const NAMES: [&[u8]; 7] = [
    "программа-тест".as_bytes(),
    "a程序程序程序程序".as_bytes(),
    b"\xff\xfe\x80",
    b"a) R 1 (b",
    b"two\nlines\tand a tab",
    b"(deleted)",
    b" ",
];

#[test]
fn a_program_of_any_name_has_the_image() {
    let bench = Workbench::new();
    let whereabouts = bench.whereabouts();
    for name in NAMES {
        // The program's file and the folder that it is in.
        let folder = bench.path("").join(OsStr::from_bytes(name));
        std::fs::create_dir(&folder).unwrap();
        let program = folder.join(OsStr::from_bytes(name));
        succeed(Command::new("install").arg("-T").arg(&whereabouts).arg(&program));
        let mut direct = bench.runner();
        assert_eq!(end(direct.arg(&program)), (0, NAME.into(), String::new()), "{name:?}");
        // Started by another one, in that folder, and named in a message.
        let mut shell = bench.runner();
        shell
            .arg("--verbose")
            .args(["sh", "-c", "\"$0\"; exec \"$0\""])
            .arg(&program)
            .current_dir(&folder);
        let (status, output, errors) = end(&mut shell);
        assert_eq!(
            (status, output, errors.matches(": image ").count()),
            (0, NAME.repeat(2), 3),
            "{errors}"
        );
        assert_eq!(errors.lines().count(), 3, "a name breaks a line: {errors}");
    }
}

#[test]
fn arguments_and_environment_reach_the_program_as_they_are() {
    let bench = Workbench::new();
    for name in NAMES {
        let name = OsStr::from_bytes(name);
        let words = ["sh", "-c", "printf '%s|' \"$0\" \"$@\" \"$variable\" | od -An -tx1", "zero"];
        let ask = |mut command: Command| {
            succeed(
                command
                    .args(words)
                    .arg(name)
                    .arg("")
                    .arg(name)
                    .env("variable", name)
                    .env(name, "value"),
            )
        };
        assert_eq!(ask(bench.runner()), ask(Command::new("env")), "{name:?}");
    }
    // The first argument need not be the program's name, nor text.
    let mut command = bench.runner();
    let script = "exec -a \"$0\" \"$1\"";
    command
        .args(["bash", "-c", script])
        .arg(OsStr::from_bytes(b"\xd1\n)"))
        .arg(bench.whereabouts());
    assert_eq!(end(&mut command), (0, NAME.into(), String::new()));
}

#[test]
fn the_runner_itself_may_have_any_name() {
    let bench = Workbench::new();
    let whereabouts = bench.whereabouts();
    let plain = bench.runner();
    for name in NAMES {
        let runner = bench.path("").join(OsStr::from_bytes(name));
        succeed(
            Command::new("install").arg("-T").arg(env!("CARGO_BIN_EXE_liblinux-run")).arg(&runner),
        );
        let run = |program: &OsStr| {
            let mut command = Command::new(&runner);
            command.arg0(OsStr::from_bytes(name)).args(plain.get_args()).arg(program);
            command
        };
        assert_eq!(
            end(&mut run(whereabouts.as_os_str())),
            (0, NAME.into(), String::new()),
            "{name:?}"
        );
        // One tracer is named by the other, which can trace nothing.
        let (status, _, errors) = end(run(runner.as_os_str()).args(plain.get_args()).arg("true"));
        assert!(
            status == 125 && errors.contains("traces it already"),
            "{name:?}: {status} {errors}"
        );
    }
    // An image and a program that do not exist are named, and the end is as ever.
    let wrong = OsStr::from_bytes(b"/none/\xd1");
    for (command, status) in [
        (bench.runner().arg(wrong), 127),
        (
            Command::new(env!("CARGO_BIN_EXE_liblinux-run")).arg("--image").arg(wrong).arg("true"),
            125,
        ),
    ] {
        let (ended, _, errors) = end(command);
        assert!(ended == status && errors.contains("/none/"), "{ended} {errors}");
    }
}
