# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# Python by i386 system calls: threads, processes, signals, sockets, files, memory. It prints
# nothing that differs from one run to the next. Runs in an empty folder.
import array, errno, fcntl, gc, json, mmap, os, random, resource, select, signal, socket, struct, subprocess, sys
import threading, time, traceback, zlib


def threads():
    local, seen, lock = threading.local(), [], threading.Lock()

    def work(i):
        local.value = i
        time.sleep(0.01)
        with lock:
            seen.append(local.value)

    all = [threading.Thread(target=work, args=(i,)) for i in range(40)]
    [t.start() for t in all]
    [t.join() for t in all]
    print(sorted(seen) == list(range(40)), threading.active_count())
    event, order = threading.Event(), []
    waiter = threading.Thread(target=lambda: (event.wait(), order.append("woken")))
    waiter.start()
    order.append("set")
    event.set()
    waiter.join()
    print(order, event.wait(0.01), threading.Event().wait(0.01))
    full, results = threading.Semaphore(0), []
    pool = [threading.Thread(target=lambda: (full.acquire(), results.append(1))) for _ in range(10)]
    [t.start() for t in pool]
    [full.release() for _ in pool]
    [t.join() for t in pool]
    print(len(results))


def processes():
    children = []
    for i in range(20):
        pid = os.fork()
        if pid == 0:
            os._exit(i)
        children.append(pid)
    print(sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))
    pid = os.fork()
    if pid == 0:
        signal.pause()
    os.kill(pid, signal.SIGTERM)
    info = os.waitid(os.P_PID, pid, os.WEXITED)
    print(info.si_pid == pid, info.si_status, info.si_code == os.CLD_KILLED)
    pid = os.posix_spawn("/proc/self/exe", ["python", "-S", "-c", "raise SystemExit(9)"], os.environ)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    out = subprocess.run([sys.executable, "-S", "-c", "print(input()[::-1])"], input="abc\n", text=True, capture_output=True)
    print(out)
    try:
        os.execv("/nonesuch", ["x"])
    except OSError as error:
        print(errno.errorcode[error.errno])
    try:
        subprocess.run([sys.executable, "-S", "-c", "import time; time.sleep(9)"], timeout=0.3)
    except subprocess.TimeoutExpired as error:
        print(type(error).__name__)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(usage.ru_maxrss > 0, usage.ru_utime >= 0)
    print(os.getpid() != os.getppid(), os.getpgid(0) == os.getpgrp(), os.getpriority(os.PRIO_PROCESS, 0))


def signals():
    seen = []
    signal.signal(signal.SIGALRM, lambda s, f: seen.append(s))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    while len(seen) < 3:
        time.sleep(0.2)
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(seen[:3])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGRTMIN + 3])
    os.kill(os.getpid(), signal.SIGRTMIN + 3)
    os.kill(os.getpid(), signal.SIGUSR1)
    print(sorted(int(s) for s in signal.sigpending()))
    print([signal.sigwait([signal.SIGUSR1, signal.SIGRTMIN + 3]) for _ in range(2)])
    print(signal.sigtimedwait([signal.SIGUSR2], 0.01))
    signal.signal(signal.SIGUSR2, lambda s, f: seen.append("in " + threading.current_thread().name))
    signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR2)
    print(seen[-1])
    read, write = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(write)
    signal.raise_signal(signal.SIGUSR2)
    print(list(os.read(read, 9)))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    print(signal.getsignal(signal.SIGALRM) is signal.SIG_DFL, signal.siginterrupt(signal.SIGUSR1, False))


def sockets():
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    server.listen(8)
    names = []

    def serve():
        for _ in range(5):
            peer, _ = server.accept()
            with peer:
                names.append(peer.recv(100))
                peer.sendall(b"x" * 100000)

    thread = threading.Thread(target=serve)
    thread.start()
    for i in range(5):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("socket")
            client.sendall(b"%d" % i)
            size = 0
            while part := client.recv(4096):
                size += len(part)
        print(i, size)
    thread.join()
    print(names, server.getsockname())
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    read, write = os.pipe()
    socket.send_fds(a, [b"two"], [read, write])
    data, fds, flags, _ = socket.recv_fds(b, 10, 4)
    os.write(fds[1], b"through")
    print(data, os.read(read, 9), flags)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    b.send(b"who")
    data, credentials, _, _ = a.recvmsg(10, 100)
    print(data, struct.unpack("3i", credentials[0][2])[0] == os.getpid())
    b.settimeout(0.01)
    try:
        b.recv(1)
    except TimeoutError as error:
        print(error)
    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 500000))
    print(struct.unpack("ll", a.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 8)))
    print(a.sendmsg([b"a", b"bc", b""]), b.recv(9))


def waiting():
    read, write = os.pipe()
    print(select.select([read], [write], [], 0.01)[1] == [write], select.select([read], [], [], 0.01))
    poll = select.poll()
    poll.register(read, select.POLLIN)
    print(poll.poll(10))
    epoll = select.epoll()
    epoll.register(read, select.EPOLLIN | select.EPOLLET)
    print(epoll.poll(0.01))
    os.write(write, b"x")
    print(len(poll.poll(10)), len(epoll.poll(0.01)), len(epoll.poll(0.01)))
    start = time.monotonic()
    time.sleep(0.05)
    passed = time.monotonic() - start
    print(0.05 <= passed < 30, abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 30)
    print(time.gmtime(2**31 - 1)[:6], time.process_time() >= 0, time.thread_time() >= 0)
    event = os.eventfd(3, os.EFD_SEMAPHORE)
    print(os.eventfd_read(event), os.eventfd_read(event))


def files():
    with open("data", "wb+") as f:
        f.truncate(1 << 33)
        print(os.fstat(f.fileno()).st_size, f.seek(-1, 2), f.read(), f.tell())
        fcntl.lockf(f, fcntl.LOCK_EX, 5, 1 << 32)
        print(os.pwrite(f.fileno(), b"x", 5 << 30), os.pread(f.fileno(), 2, (5 << 30) - 1))
        print(os.writev(f.fileno(), [b"ab", b"cd"]), os.preadv(f.fileno(), [bytearray(4)], 0))
        print(os.lseek(f.fileno(), 0, os.SEEK_DATA) >= 0, os.posix_fallocate(f.fileno(), 0, 10))
        child = os.fork()
        if child == 0:
            try:
                fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 1 << 32)
            except OSError as error:
                os._exit(error.errno)
            os._exit(0)
        print(errno.errorcode[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])])
    os.utime("data", ns=(1, (2**31 - 1) * 10**9 + 5))
    print(os.stat("data").st_mtime_ns, os.stat("data").st_atime_ns)
    os.mkdir("folder")
    for i in range(500):
        open(f"folder/{i}", "w").close()
    print(len(os.listdir("folder")), sum(entry.is_file() for entry in os.scandir("folder")))
    os.symlink("data", "link")
    print(os.readlink("link"), os.path.samefile("link", "data"), os.access("link", os.W_OK))
    here = os.open(".", os.O_DIRECTORY)
    os.rename("link", "moved", src_dir_fd=here, dst_dir_fd=here)
    print(os.stat("moved", dir_fd=here, follow_symlinks=False).st_size, sorted(os.listdir(here)))
    print(os.statvfs(".").f_namemax, os.umask(0o22), os.sysconf("SC_PAGESIZE"))
    with open("source", "wb") as f:
        f.write(b"abc" * 1000)
    with open("source", "rb") as source, open("copy", "wb") as copy:
        print(os.sendfile(copy.fileno(), source.fileno(), 3, 9))
        print(os.copy_file_range(source.fileno(), copy.fileno(), 100, 0, 9))
    print(zlib.crc32(open("copy", "rb").read()))


def memory():
    m = mmap.mmap(-1, 300 << 20)
    m[299 << 20] = 7
    print(struct.calcsize("P"), m[299 << 20], m.find(b"\x07"))
    m.resize(310 << 20)
    print(len(m))
    m.close()
    with open("mapped", "wb+") as f:
        f.write(b"0123456789" * 1000)
        f.flush()
        with mmap.mmap(f.fileno(), 0) as m:
            m[0:3] = b"abc"
            m.flush()
        f.seek(0)
        print(f.read(5))
    shared = mmap.mmap(-1, 4096)
    if os.fork() == 0:
        shared[0] = 5
        os._exit(0)
    os.wait()
    print(shared[0], sys.maxsize, array.array("l", [1]).itemsize)
    blocks = [bytearray(1 << 20) for _ in range(200)]
    del blocks
    try:
        bytearray(3 << 30)
    except (MemoryError, OverflowError) as error:
        print(type(error).__name__)
    print(resource.getrlimit(resource.RLIMIT_CORE)[1] == resource.RLIM_INFINITY, gc.collect() >= 0)


def language():
    random.seed(5)
    print([random.randrange(100) for _ in range(5)], sum(i * i for i in range(20000)), 2**200 % 97)
    print(json.loads(json.dumps({"a": [1.5, None, "x"]})), 0.1 + 0.2, 1e308 * 10, float.hex(1 / 3))
    print(len(os.urandom(7)), hash("x") is not None, sys.float_info.max)

    def deep(n):
        return 0 if n == 0 else 1 + deep(n - 1)

    try:
        deep(100000)
    except RecursionError as error:
        print(error)


for part in (threads, processes, signals, sockets, waiting, files, memory, language):
    print("#", part.__name__, flush=True)
    try:
        part()
    except Exception:
        traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
