//! `cargo xtask boot --run`: programs of the user's in a guest, and what is said of those that
//! cannot run.
//!
//! The guests boot the kernel that `cargo xtask boot` built.

use liblinux_workspace::line;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Uses a library of its own, reads the file that is its first argument, and says what it sees.
const PROGRAM: &str = r#"
    #include <stdio.h>
    #include <sys/auxv.h>
    #include <unistd.h>
    int answer(void);
    int main(int count, char **arguments) {
        char text[64] = "", folder[256];
        FILE *file = fopen(arguments[1], "r");
        if (!file || !fgets(text, sizeof(text), file)) return 1;
        printf("%d arguments, %s, text %s, image %d, in %s\n", count, arguments[0], text,
               !!getauxval(AT_SYSINFO_EHDR), getcwd(folder, sizeof(folder)));
        fwrite("\0\377\n", 1, 3, stdout);
        printf("%s\n", arguments[2]);
        fprintf(stderr, "an error\n");
        return answer();
    }
"#;

/// Prints a lot, and leaves a process behind that holds its output.
const SCRIPT: &str = "#!/bin/sh\nsleep 1000 &\nyes 0123456789 | head -c 1000000\nkill -SEGV $$\n";

fn run(folder: &Path, options: &[&str], words: &[&OsStr]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(folder).arg("boot").args(options).arg("--run").args(words);
    command.output().expect("xtask runs")
}

fn words<'a>(words: &[&'a str]) -> Vec<&'a OsStr> {
    words.iter().map(|word| OsStr::new(*word)).collect()
}

fn status(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn executable(path: &Path, text: &[u8]) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn gcc(folder: &Path, source: &str, arguments: &[&str]) {
    fs::write(folder.join("source.c"), source).unwrap();
    let output =
        Command::new("gcc").current_dir(folder).arg("source.c").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A folder with the program and its library, which the program finds beside itself.
fn with_library() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    gcc(
        &root,
        "int answer(void) { return 7; }",
        &["-shared", "-fPIC", "-Wl,-soname,libanswer.so.3", "-o", "libanswer.so.3"],
    );
    gcc(&root, PROGRAM, &["libanswer.so.3", "-Wl,-rpath,$ORIGIN", "-o", "program"]);
    fs::write(root.join("text"), "taken").unwrap();
    (folder, root)
}

#[test]
fn a_dynamic_program_runs_with_its_library_and_its_file() {
    let (_folder, root) = with_library();
    let output = run(
        &root,
        &[],
        &["./program", "text"]
            .map(OsStr::new)
            .into_iter()
            .chain([OsStr::from_bytes(b"\xfe--limit")])
            .collect::<Vec<_>>(),
    );
    let (code, errors) = status(&output);
    assert_eq!(code, Some(7), "{errors}");
    let first = format!("3 arguments, ./program, text taken, image 1, in {}\n", root.display());
    let expected = [first.as_bytes(), b"\0\xff\n\xfe--limit\n"].concat();
    assert_eq!(output.stdout.escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert!(errors.contains("an error\n") && errors.contains("ended with status 7"), "{errors}");
    assert!(errors.contains(&format!("taken along: {}", root.join("text").display())), "{errors}");
}

#[test]
fn a_script_that_a_signal_ends_has_a_shells_status() {
    let folder = tempfile::tempdir().unwrap();
    executable(&folder.path().join("script"), SCRIPT.as_bytes());
    let output = run(folder.path(), &[], &words(&["./script"]));
    let (code, errors) = status(&output);
    assert_eq!(code, Some(128 + 11), "{errors}");
    assert_eq!(output.stdout.len(), 1_000_000);
}

#[test]
fn a_program_that_takes_too_long_is_killed() {
    let output = run(Path::new("/"), &["--limit", "1"], &words(&["sleep", "1000"]));
    let (code, errors) = status(&output);
    assert_eq!(code, Some(124), "{errors}");
    assert!(errors.contains("--limit SECONDS gives it more"), "{errors}");
}

#[test]
fn the_kernels_command_line_and_processors_are_the_users() {
    let script = "nproc; cat /proc/cmdline";
    let words_added = format!("{}=c quiet", line::DEFAULT.parameter);
    let options = ["--cpus", "2", "--append", &words_added];
    let output = run(Path::new("/"), &options, &words(&["sh", "-c", script]));
    let (code, errors) = status(&output);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        code == Some(0) && text.starts_with("2\n") && text.contains(&words_added),
        "{text} {errors}"
    );
}

#[test]
fn what_cannot_run_is_refused_before_anything_is_built() {
    let (_folder, root) = with_library();
    fs::remove_file(root.join("libanswer.so.3")).unwrap();
    executable(&root.join("small"), b"\x7fELF\x01\x01\x01");
    fs::write(root.join("plain"), "#!/bin/sh\n").unwrap();
    executable(&root.join("script"), b"#!/nonexistent/python\n");
    for (name, code, because) in [
        ("nonesuch-program", 127, "no program `nonesuch-program` on the PATH"),
        ("./nonesuch", 127, "there is no file"),
        ("./plain", 126, "chmod +x"),
        ("./small", 126, "32-bit"),
        ("./script", 126, "/nonexistent/python, which is not there"),
        ("./program", 126, "needs libanswer.so.3"),
    ] {
        let started = std::time::Instant::now();
        let output = run(&root, &[], &words(&[name]));
        let (found, errors) = status(&output);
        assert!(found == Some(code) && errors.contains(because), "{name}: {found:?} {errors}");
        assert!(
            output.stdout.is_empty() && started.elapsed().as_secs() < 10,
            "{name} came to a build"
        );
    }
    let output = run(&root, &["--take", "absent"], &words(&["true"]));
    assert!(status(&output).0 == Some(125) && status(&output).1.contains("absent to take along"));
}
