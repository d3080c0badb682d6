//! Dynamic programs of Debian's i386 packages: glibc's loader, thread-local storage, threads.

use crate::workbench::{inside, output, system};
use std::path::Path;

fn python(system: &Path, script: &str) -> String {
    let mut command = inside(system, "usr/bin/python3.11", ["-c", script]);
    command.env("PYTHONHOME", system.join("usr")).env("PYTHONDONTWRITEBYTECODE", "1");
    output(&mut command)
}

#[test]
fn bash_runs_coreutils() {
    let Some(system) = system() else { return };
    let bin = system.join("bin");
    let script = format!(
        "PATH={0}:{1}; echo $MACHTYPE; ls {1}/cut {1}/wc | wc -l; date -u -d @0 +%F; seq 10 | paste -sd+; \
         printf 'b\\na\\n' | sort | tr '\\n' ' '; trap 'echo trapped' USR1; kill -USR1 $$; (sleep 0.05; echo sub) & wait; \
         stat -c %F /; cat <(echo substituted)",
        bin.display(),
        system.join("usr/bin").display()
    );
    let here = output(&mut inside(system, "bin/bash", ["-c", &script]));
    assert_eq!(
        here,
        "i686-pc-linux-gnu\n2\n1970-01-01\n1+2+3+4+5+6+7+8+9+10\na b trapped\nsub\ndirectory\nsubstituted\n"
    );
}

#[test]
fn perl_forks_and_gets_an_alarm() {
    let Some(system) = system() else { return };
    let script = r#"$SIG{ALRM} = sub { print "alarm\n" }; my $p = fork; exit 5 unless $p;
        waitpid $p, 0; print $? >> 8, "\n"; alarm 1; sleep 3; print join(",", map { $_ * 2 } 1..5), "\n""#;
    let here = output(&mut inside(system, "usr/bin/perl", ["-e", script]));
    assert_eq!(here, "5\nalarm\n2,4,6,8,10\n");
}

#[test]
fn threads_have_storage_of_their_own() {
    let Some(system) = system() else { return };
    let here = python(
        system,
        "import threading, time\n\
         local, seen = threading.local(), []\n\
         def work(i):\n\
         \x20 local.value = i; time.sleep(0.01); seen.append(local.value)\n\
         threads = [threading.Thread(target=work, args=(i,)) for i in range(30)]\n\
         [t.start() for t in threads]; [t.join() for t in threads]\n\
         print(sorted(seen) == list(range(30)))",
    );
    assert_eq!(here, "True\n");
}

#[test]
fn descriptors_pass_through_a_socket() {
    let Some(system) = system() else { return };
    let here = python(
        system,
        "import socket, os\n\
         a, b = socket.socketpair(); r, w = os.pipe(); r2, w2 = os.pipe()\n\
         socket.send_fds(a, [b'two'], [r, r2])\n\
         m, fds, flags, _ = socket.recv_fds(b, 10, 4)\n\
         os.write(w, b'1'); os.write(w2, b'2')\n\
         print(m, [os.read(f, 1) for f in fds], flags)\n\
         socket.send_fds(a, [b'cut'], [r, r2])\n\
         m, fds, flags, _ = socket.recv_fds(b, 10, 1)\n\
         print(m, len(fds), flags & socket.MSG_CTRUNC != 0)\n\
         b.settimeout(0.01)\n\
         try: b.recv(1)\n\
         except TimeoutError: print('timeout')\n\
         a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b'\\x02\\0\\0\\0\\0\\0\\0\\0')\n\
         print(a.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 8)[0])",
    );
    assert_eq!(here, "b'two' [b'1', b'2'] 0\nb'cut' 1 True\ntimeout\n2\n");
}

#[test]
fn signals_are_waited_for_and_taken() {
    let Some(system) = system() else { return };
    let here = python(
        system,
        "import signal, os, time\n\
         signal.signal(signal.SIGALRM, lambda s, f: print('alarm', s))\n\
         signal.setitimer(signal.ITIMER_REAL, 0.02); time.sleep(0.2)\n\
         signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); os.kill(os.getpid(), signal.SIGUSR1)\n\
         i = signal.sigtimedwait([signal.SIGUSR1], 1); print(i.si_signo, i.si_pid == os.getpid())\n\
         print(signal.sigtimedwait([signal.SIGUSR2], 0.01))\n\
         p = os.fork()\n\
         if p == 0: os._exit(7)\n\
         i = os.waitid(os.P_PID, p, os.WEXITED); print(i.si_status, i.si_pid == p)",
    );
    assert_eq!(here, "alarm 14\n10 True\nNone\n7 True\n");
}

#[test]
fn files_and_memory_have_their_sizes() {
    let Some(system) = system() else { return };
    let here = python(
        system,
        "import mmap, os, tempfile, fcntl, struct\n\
         print(struct.calcsize('P'))\n\
         m = mmap.mmap(-1, 300 << 20); m[299 << 20] = 7; print(m[299 << 20])\n\
         f = tempfile.TemporaryFile(); f.truncate(1 << 33); print(os.fstat(f.fileno()).st_size)\n\
         fcntl.lockf(f, fcntl.LOCK_EX, 5, 1 << 32)\n\
         os.pwrite(f.fileno(), b'x', 5 << 30); print(os.pread(f.fileno(), 2, (5 << 30) - 1))\n\
         os.writev(f.fileno(), [b'ab', b'cd']); print(os.preadv(f.fileno(), [bytearray(4)], 0))\n\
         print(os.statvfs('/').f_namemax > 0)",
    );
    assert_eq!(here, "4\n7\n8589934592\nb'\\x00x'\n4\nTrue\n");
}
