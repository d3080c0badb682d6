//! Programs that cannot be run, traced or mapped: the reason, the exit status, and nothing left
//! behind.

use crate::workbench::{UNPRIVILEGED, Workbench, end, is_root, sh, succeed};
use liblinux_workspace::skip::skip;
use nix::libc;
use nix::sys::ptrace;
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn permit(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn programs_that_cannot_be_run_end_as_under_env() {
    let bench = Workbench::new();
    let plain = bench.path("plain");
    fs::write(&plain, "text").unwrap();
    let script = bench.executable("script", "#!/nonexistent/interpreter\n");
    let broken = bench.executable("broken", b"\x7fELF and no more");
    for (program, status, why) in [
        ("nonesuch-program".into(), 127, "no such program on the PATH"),
        (bench.path("none"), 127, "no such file"),
        (plain.join("below"), 126, "Not a directory"),
        (script, 127, "the interpreter"),
        (plain, 126, "chmod +x"),
        (bench.path(""), 126, "is a directory"),
        ("".into(), 127, ""),
    ] {
        let (ended, output, errors) = end(bench.runner().arg(&program));
        assert_eq!((ended, output.as_str()), (status, ""), "{}: {errors}", program.display());
        assert!(
            errors.starts_with("liblinux-run: cannot run ") && errors.contains(why),
            "{errors}"
        );
        assert_eq!(end(Command::new("env").arg(&program)).0, status, "env {}", program.display());
    }
    // A file with no known format is given to the shell, by execvp(3).
    assert_eq!(end(bench.runner().arg(&broken)).0, end(Command::new("env").arg(&broken)).0);
    for wrong in [&["--nonesuch"][..], &[], &["--image"]] {
        let (status, _, errors) = end(Command::new(env!("CARGO_BIN_EXE_liblinux-run")).args(wrong));
        assert!(status == 125 && errors.contains("--help"), "{status} {errors}");
    }
    assert_eq!(end(Command::new(env!("CARGO_BIN_EXE_liblinux-run")).arg("--help")).0, 0);
}

#[test]
fn arguments_are_the_programs() {
    let bench = Workbench::new();
    let output = succeed(bench.runner().args(["printf", "<%s>", "--verbose", "--", "-x", ""]));
    assert_eq!(output, "<--verbose><--><-x><>");
    assert_eq!(succeed(bench.runner().args(["--", "printf", "%s", "--help"])), "--help");
    // Large arguments and environments: the auxiliary vector is far up the stack.
    let many: Vec<String> = (0..20_000).map(|number| number.to_string()).collect();
    let counted = succeed(bench.runner().args(["sh", "-c", "echo $#", "sh"]).args(&many));
    assert_eq!(counted, "20000\n");
}

#[test]
fn without_privileges_it_works_as_well() {
    let bench = Workbench::new();
    if !is_root() {
        return;
    }
    let whereabouts = bench.whereabouts();
    assert_eq!(succeed(bench.unprivileged().arg(&whereabouts)), "/memfd:liblinux-vdso (deleted)\n");
    let piped = format!("{} | cat; id -u", whereabouts.display());
    assert_eq!(
        succeed(&mut sh(bench.unprivileged(), piped)),
        format!("/memfd:liblinux-vdso (deleted)\n{UNPRIVILEGED}\n")
    );
}

#[test]
fn set_uid_programs_run_without_and_that_is_said() {
    let bench = Workbench::new();
    if !is_root() {
        return;
    }
    let id = bench.install("id", Path::new("/usr/bin/id"));
    for (mode, what) in [(0o4755, "set-uid"), (0o2755, "set-gid")] {
        chown(&id, Some(0), Some(0)).unwrap();
        permit(&id, mode);
        let (status, output, errors) =
            end(bench.unprivileged().arg(&id).arg(if mode == 0o4755 { "-u" } else { "-g" }));
        assert_eq!((status, output), (0, format!("{UNPRIVILEGED}\n")), "the kernel withholds them");
        assert!(errors.contains(what) && errors.lines().count() == 1, "{errors}");
        // As root there is nothing to withhold.
        assert_eq!(end(bench.runner().arg(&id).arg("-u")), (0, "0\n".into(), String::new()));
    }
    permit(&id, 0o711);
    let (status, output, errors) = end(bench.unprivileged().arg(&id).arg("-u"));
    assert_eq!((status, output), (0, format!("{UNPRIVILEGED}\n")));
    assert!(
        errors.contains("runs with the kernel's vDSO: its memory is closed to the runner"),
        "{errors}"
    );
}

#[test]
fn programs_of_32_bits_are_left_alone() {
    let bench = Workbench::new();
    let program = bench.assemble("exit32", 32);
    let direct = end(&mut Command::new(&program)).0;
    let (status, _, errors) = end(bench.runner().arg(&program));
    assert_eq!(status, direct);
    if direct != 7 {
        return skip("this kernel runs 64-bit programs alone (CONFIG_IA32_EMULATION)");
    }
    assert!(errors.contains("runs with the kernel's vDSO: it is not a 64-bit program"), "{errors}");
    // It may start others, which have the image.
    let script = format!("{0}; {1}", program.display(), bench.whereabouts().display());
    assert_eq!(end(&mut sh(bench.runner(), script)).1, "/memfd:liblinux-vdso (deleted)\n");
}

#[test]
fn without_room_the_program_ends_before_it_begins() {
    let bench = Workbench::new();
    let program = bench.assemble("exit64", 64);
    let mut seen = [0; 3];
    for kilobytes in (100..500).step_by(8) {
        let script = format!("ulimit -c 0; ulimit -v {kilobytes}; exec {}", program.display());
        match end(&mut sh(bench.runner(), &script)) {
            // The kernel itself has no room for the program.
            (137 | 139, ..) => seen[0] += 1,
            (125, output, errors) => {
                assert!(
                    output.is_empty() && errors.contains("there is no room for the image's"),
                    "{errors}"
                );
                assert!(
                    errors.contains("ends before it began") && errors.contains("ENOMEM"),
                    "{errors}"
                );
                seen[1] += 1;
            }
            (7, _, errors) => {
                assert_eq!(errors, "");
                seen[2] += 1;
            }
            other => panic!("{script}: {other:?}"),
        }
    }
    assert!(
        seen.iter().all(|count| *count > 0),
        "no room at all, none for the image, enough: {seen:?}"
    );
}

#[test]
fn where_no_file_can_be_had_the_image_has_no_name() {
    let bench = Workbench::new();
    let (whereabouts, program) = (bench.whereabouts(), bench.assemble("exit64", 64));
    let (mut limited, runner) = (Command::new("sh"), bench.runner());
    limited
        .args(["-c", "ulimit -f 0; exec \"$@\"", "sh"])
        .arg(runner.get_program())
        .args(runner.get_args());
    assert_eq!(end(limited.arg(&whereabouts)), (0, "anonymous\n".into(), String::new()));
    let mut command = bench.runner();
    command.arg("--verbose");
    let (status, _, errors) =
        end(&mut sh(command, format!("ulimit -n 3; exec {}", program.display())));
    assert!(status == 7 && errors.lines().count() == 2, "{status} {errors}");
}

#[test]
fn under_a_filter_the_image_is_mapped_and_nothing_else_tried() {
    let bench = Workbench::new();
    let (filter, whereabouts) = (
        bench.build("filter", "filter.c", "gcc", &["-O2", "-Wall", "-Werror"]),
        bench.whereabouts(),
    );
    let (memfd, prctl) = (libc::SYS_memfd_create.to_string(), libc::SYS_prctl.to_string());
    let mut command = bench.runner();
    command.arg(&filter).args(["kill", &memfd, &prctl, "--"]).arg(&whereabouts);
    assert_eq!(end(&mut command), (0, "anonymous\n".into(), String::new()));
    // Where mapping is forbidden, no program could run.
    let mut command = bench.runner();
    command.arg(&filter).args(["fail", &libc::SYS_mmap.to_string(), "--"]).arg(&whereabouts);
    let (status, _, errors) = end(&mut command);
    assert!(status == 125 && errors.contains("EPERM"), "{status} {errors}");
}

#[test]
fn without_ptrace_the_reason_is_said() {
    let bench = Workbench::new();
    let filter = bench.build("filter", "filter.c", "gcc", &["-O2", "-Wall", "-Werror"]);
    let runner = bench.runner();
    let mut command = Command::new(filter);
    command.args(["fail", &libc::SYS_ptrace.to_string(), "--"]);
    let (status, output, errors) =
        end(command.arg(runner.get_program()).args(runner.get_args()).args(["echo", "x"]));
    assert!(
        status == 125 && output.is_empty() && errors.contains("seccomp"),
        "{status} {output} {errors}"
    );

    let inner = bench.runner();
    let mut nested = bench.runner();
    let (status, output, errors) =
        end(nested.arg(inner.get_program()).args(inner.get_args()).args(["echo", "x"]));
    assert!(status == 125 && output.is_empty(), "{status} {output}");
    assert!(errors.contains("traces it already") && errors.contains("(liblinux-run)"), "{errors}");
}

#[test]
fn debuggers_cannot_trace_what_is_traced_and_say_so() {
    let bench = Workbench::new();
    let (status, _, errors) = end(bench.runner().args(["strace", "true"]));
    assert!(status != 0 && errors.contains("Operation not permitted"), "{status} {errors}");
    let mut command = bench.runner();
    let (_, output, errors) =
        end(command.args(["gdb", "-nx", "-batch", "-ex", "run", "--args", "true"]));
    assert!(format!("{output}{errors}").contains("Operation not permitted"), "{output}{errors}");
}

/// A program that sleeps, and that the runner is to let go of.
fn sleeper(bench: &Workbench) -> Command {
    let mut command = bench.runner();
    command.args(["--no-follow", "sleep", "100"]);
    command
}

/// Waits until the sleeper has the image and is not traced.
fn let_go(child: &Child) -> Pid {
    let pid = Pid::from_raw(child.id().cast_signed());
    until(pid, |status| status.contains("Name:\tsleep") && status.contains("TracerPid:\t0\n"));
    pid
}

/// Waits until `/proc/PID/status` is so.
fn until(pid: Pid, is_so: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        if is_so(&status) {
            break;
        }
        assert!(Instant::now() < deadline, "{status}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_program_that_was_let_go_can_be_traced() {
    let bench = Workbench::new();
    let mut child = sleeper(&bench).spawn().unwrap();
    let pid = let_go(&child);
    ptrace::seize(pid, ptrace::Options::empty()).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(maps.contains("liblinux-vdso"), "{maps}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn strace_traces_a_program_that_was_let_go() {
    let bench = Workbench::new();
    let mut child = sleeper(&bench).spawn().unwrap();
    let pid = let_go(&child);
    let mut strace = Command::new("strace");
    let strace = strace.args(["-p", &pid.to_string()]).stderr(Stdio::piped()).spawn().unwrap();
    let tracer = format!("TracerPid:\t{}\n", strace.id());
    until(pid, |status| status.contains(&tracer));
    child.kill().unwrap();
    child.wait().unwrap();
    let output = strace.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        errors.contains("attached") && errors.contains("+++ killed by SIGKILL +++"),
        "{errors}"
    );
}

/// gdb reads the image's own symbols.
#[test]
fn gdb_shows_the_symbols_of_a_program_that_was_let_go() {
    let bench = Workbench::new();
    let mut child = sleeper(&bench).spawn().unwrap();
    let pid = let_go(&child);
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-p", &pid.to_string()]);
    gdb.args(["-ex", "info address __vdso_openat", "-ex", "info address __vdso_clock_gettime"]);
    let (status, output, errors) = end(&mut gdb);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(status, 0, "{output}{errors}");
    let mapping = |symbol: &str| {
        let line = format!("Symbol \"{symbol}\" is at 0x");
        let found = output.lines().find_map(|text| text.strip_prefix(&line));
        let digits = found
            .and_then(|rest| rest.split(' ').next())
            .unwrap_or_else(|| panic!("{output}{errors}"));
        let address = u64::from_str_radix(digits, 16).unwrap();
        let mut mappings = maps.lines().filter(|mapping| {
            let (start, rest) = mapping.split_once('-').unwrap();
            let ends = [start, rest.split(' ').next().unwrap()];
            let [start, end] = ends.map(|digits| u64::from_str_radix(digits, 16).unwrap());
            (start..end).contains(&address)
        });
        mappings.next().unwrap_or_else(|| panic!("{symbol} at {address:#x} is nowhere:\n{maps}"))
    };
    for symbol in ["__vdso_openat", "__vdso_clock_gettime"] {
        assert!(mapping(symbol).contains("liblinux-vdso"), "{symbol}: {}", mapping(symbol));
    }
}
