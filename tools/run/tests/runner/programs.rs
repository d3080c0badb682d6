//! Large programs that people use.

use crate::workbench::{Workbench, end, sh, succeed};
use std::fs;
use std::process::Command;

#[test]
fn bash_pipelines() {
    let bench = Workbench::new();
    let script = "set -o pipefail; seq 1 20000 | sort -rn | awk '{ s += $1 } END { print s }' | tee >(cat >&2) | \
                  (read sum; echo $((sum + $(echo 1 | cat)))); yes | head -n 3 | wc -l; ( exit 5 ) | true; echo $?; \
                  coproc cat; echo x >&${COPROC[1]}; read -u ${COPROC[0]} x; echo $x; wait -n $!; \
                  for i in {1..50}; do (echo $i) & done | sort -n | tail -n 1; wait";
    let script = script.replace("wait -n $!; ", "kill $COPROC_PID; ");
    let (status, output, _) = end(bench.runner().args(["bash", "-c", &script]));
    assert_eq!((status, output.as_str()), (0, "200010001\n3\n5\nx\n50\n"));
}

#[test]
fn python_and_perl() {
    let bench = Workbench::new();
    let python = "import time, threading, subprocess, multiprocessing, random, os
threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(20)]
[t.start() for t in threads]; [t.join() for t in threads]
assert abs(time.time() - float(subprocess.check_output(['date', '+%s.%N']))) < 60
assert len(os.getrandom(16)) == 16 and time.monotonic() > 0
with multiprocessing.Pool(3) as pool: print(sum(pool.map(abs, range(-100, 0))))";
    assert_eq!(succeed(bench.runner().args(["python3", "-c", python])), "5050\n");
    let perl = "my $pid = fork; exit 3 unless $pid; waitpid $pid, 0; print $? >> 8, ' ', time > 1e9, ' ', `echo x`";
    assert_eq!(succeed(bench.runner().args(["perl", "-MTime::HiRes=time", "-e", perl])), "3 1 x\n");
}

#[test]
fn git() {
    let bench = Workbench::new();
    let script = "set -e; cd \"$0\"; git init -q; echo text > file; git add file; \
                  git -c user.name=n -c user.email=e@example.org commit -qm first; git gc -q; git fsck --strict; \
                  git log --format=%s; git status --porcelain";
    let mut command = sh(bench.runner(), script);
    command.arg(bench.path("")).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", bench.path(""));
    let output = succeed(&mut command);
    assert!(output.starts_with("first\n"), "{output}");
}

#[test]
fn gcc() {
    let bench = Workbench::new();
    let (source, program) = (bench.path("hello.c"), bench.path("hello"));
    fs::write(&source, "#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n")
        .unwrap();
    succeed(bench.runner().args(["gcc", "-O2", "-pipe", "-o"]).arg(&program).arg(&source));
    assert_eq!(succeed(bench.runner().arg(&program)), "hello\n");
    fs::write(&source, "int main(void) { return nonesuch; }\n").unwrap();
    let (status, _, errors) = end(bench.runner().arg("gcc").arg("-c").arg(&source));
    assert!(status == 1 && errors.contains("nonesuch"), "{status} {errors}");
}

/// The unwinder walks the tables of every object of the process, the image's too.
#[test]
fn c_plus_plus() {
    let bench = Workbench::new();
    let source = bench.path("many.cpp");
    let text = r#"#include <chrono>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <vector>

int main()
{
	using namespace std::chrono;
	auto start = steady_clock::now();
	std::vector<int> caught(20);
	std::vector<std::thread> threads;
	for (int &place : caught)
		threads.emplace_back([&place] {
			try {
				std::this_thread::sleep_for(milliseconds(1));
				throw std::runtime_error("one");
			} catch (const std::exception &) {
				place = 1;
			}
		});
	for (auto &thread : threads)
		thread.join();
	int sum = 0;
	for (int place : caught)
		sum += place;
	if (steady_clock::now() - start < milliseconds(1) || system_clock::now() < system_clock::from_time_t(1600000000))
		return 3;
	std::cout << sum << std::endl;
}
"#;
    fs::write(&source, text).unwrap();
    for link in [&["-O2", "-pthread"][..], &["-O2", "-pthread", "-static"]] {
        let program = bench.compile("many", &source, "g++", link);
        assert_eq!(succeed(bench.runner().arg(&program)), "20\n");
    }
}

/// The leak sanitizer traces its own process at the end, which only one tracer can.
#[test]
fn sanitizers() {
    let bench = Workbench::new();
    let source = bench.path("leak.c");
    let text = "#include <stdlib.h>\nint main(void) { volatile char *p = malloc(9); p[1] = 7; p = NULL; return 0; }\n";
    fs::write(&source, text).unwrap();
    let program = bench.compile("leak", &source, "gcc", &["-O0", "-fsanitize=address,undefined"]);
    let run = |mut command: Command, options: &str| {
        end(command.arg(&program).env("ASAN_OPTIONS", options))
    };
    let found = |(status, _, errors): (i32, String, String)| {
        assert!(
            status == 23 && errors.contains("LeakSanitizer: detected memory leaks"),
            "{status} {errors}"
        );
    };
    found(run(Command::new("env"), "exitcode=23"));
    let mut let_go = bench.runner();
    let_go.arg("--no-follow");
    found(run(let_go, "exitcode=23"));
    assert_eq!(run(bench.runner(), "detect_leaks=0"), (0, String::new(), String::new()));
    let (status, _, errors) = run(bench.runner(), "exitcode=23");
    assert!(
        status != 0 && errors.contains("LeakSanitizer does not work under ptrace"),
        "{status} {errors}"
    );
}

#[test]
fn cargo() {
    let bench = Workbench::new();
    let version = succeed(bench.runner().args(["cargo", "--version"]));
    assert!(version.starts_with("cargo 1."), "{version}");
    fs::create_dir_all(bench.path("tiny/src")).unwrap();
    let manifest =
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(bench.path("tiny/Cargo.toml"), manifest).unwrap();
    fs::write(bench.path("tiny/src/main.rs"), "fn main() { println!(\"tiny\") }\n").unwrap();
    let mut command = bench.runner();
    command.args(["cargo", "run", "--quiet", "--offline"]).current_dir(bench.path("tiny"));
    // The variables that the cargo of this test sets for its children are not meant for that one.
    command
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    assert_eq!(succeed(&mut command), "tiny\n");
}

#[test]
fn go_with_many_threads() {
    let bench = Workbench::new();
    let source = bench.path("many.go");
    let text = r#"package main

import (
	"fmt"
	"os/exec"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	var lock sync.Mutex
	good := 0
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			start := time.Now()
			out, err := exec.Command("echo", "x").Output()
			if err == nil && string(out) == "x\n" && time.Since(start) > 0 {
				lock.Lock()
				good++
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	fmt.Println(good)
}
"#;
    fs::write(&source, text).unwrap();
    let program = bench.compile("many", &source, "go", &["build"]);
    assert_eq!(succeed(bench.runner().arg(&program)), "20\n");
    assert!(succeed(bench.runner().args(["go", "version"])).starts_with("go version"));
}

#[test]
fn java() {
    let bench = Workbench::new();
    let source = bench.path("Hello.java");
    let text = "import java.util.stream.*;
public class Hello {
    public static void main(String[] args) throws Exception {
        long start = System.nanoTime();
        int sum = IntStream.range(0, 100000).parallel().map(i -> i % 7).sum();
        Process child = new ProcessBuilder(\"echo\", \"child\").inheritIO().start();
        child.waitFor();
        if (System.nanoTime() < start || System.currentTimeMillis() < 1600000000000L) System.exit(3);
        try { ((Object) null).hashCode(); } catch (NullPointerException e) { System.out.println(\"caught\"); }
        System.out.println(sum);
    }
}
";
    fs::write(&source, text).unwrap();
    let mut command = bench.runner();
    assert_eq!(succeed(command.arg("java").arg(&source)), "child\ncaught\n299995\n");
}
