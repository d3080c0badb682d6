/*
 * The client's exception fixups in C where a seccomp filter answers for the kernel.
 *
 * Whose hit it was is seen, not asked: with SIGSEGV blocked a hit is the kernel's, or the process
 * ends. `sandboxed` does the same in Rust, and more.
 */
#include "entries.h"

#include "filter.h"

#define LIBLINUX_FIXUPS
#define LIBLINUX_NO_LIBC		/* Not before main(): the filter comes first. */
#include <liblinux/guard.h>

static struct liblinux_fixups fixups;
static struct vdso_fixup_dso own;
static const void *image;
static int answer;

/* ---- Faults ---- */

static int own_fault(void)
{
	struct liblinux_fault fault;
	char byte = 42, copy = 0;

	return !liblinux_probe_copy(&copy, &byte, 1, &fault) && copy == 42 &&
	       liblinux_probe_copy(&copy, (void *)8, 1, &fault) && fault.trap == 14 && fault.address == 8;
}

/* A text that was made at run time: a load that returns 1, and lands where it returns 2. */
static struct {
	char code[64];
	struct vdso_fixup_entry table;
} *late;

static long enroll_late(void)
{
	static const char code[] = "\x48\x8b\x07\xb8\1\0\0\0\xc3\xb8\2\0\0\0\xc3";
	struct vdso_fixup_dso dso = { .text_len = sizeof(late->code), .count = 1 };

	late = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(late->code, code, sizeof(code));
	set_entry(&late->table, late->code, 3, late->code + 9, VDSO_FIXUP_PLAIN);
	dso.text_start = (uintptr_t)late->code;
	dso.table = (uintptr_t)&late->table;
	return liblinux_fixups_register(&fixups, &dso);
}

static int late_fault(void)
{
	return ((int (*)(void *))late->code)(NULL) == 2;
}

/* ---- Whose they are ---- */

static int in_process(int (*body)(void), int block)
{
	int status;
	pid_t child = fork();

	if (!child) {
		sigset_t all;

		sigfillset(&all);
		if (block)
			sigprocmask(SIG_SETMASK, &all, NULL);
		_exit(!body());
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("fork");
	return status;
}

static int is_killed(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static int kernel_hits(int (*fault)(void))
{
	return fault() && !in_process(fault, 1);
}

static int handler_hits(int (*fault)(void))
{
	return fault() && is_killed(in_process(fault, 1));
}

static int misses(int (*fault)(void))
{
	return is_killed(in_process(fault, 0));
}

static int has_handler(void)
{
	struct sigaction action;

	return !sigaction(SIGSEGV, NULL, &action) && action.sa_handler != SIG_DFL;
}

/* ---- Tests, each in a child: a filter cannot be taken off ---- */

static int before(void)
{
	struct vdso_fixup_attached out;

	if (set_filter(SECCOMP_RET_ERRNO | answer, -1) || vdso.query(&out) != -answer || vdso.attach(NULL, 0) != -answer)
		return 0;
	if (has_handler() || liblinux_fixups_join(&fixups, image) || !fixups.pages || !has_handler())
		return 0;
	if (liblinux_fixups_register_own(&fixups, &own) || !handler_hits(own_fault))
		return 0;
	if (enroll_late() || !handler_hits(late_fault))
		return 0;
	return !liblinux_fixups_unregister(&fixups, own.text_start) && misses(own_fault);
}

static int join_by_kernel(void)
{
	return !liblinux_fixups_join(&fixups, image) && !fixups.pages && !liblinux_fixups_register_own(&fixups, &own);
}

static int after(void)
{
	struct liblinux_fixups here;
	uint64_t area;

	if (!join_by_kernel())
		return 0;
	area = liblinux_fixups_area(&fixups);
	if (set_filter(SECCOMP_RET_ERRNO | answer, -1) || !kernel_hits(own_fault) || has_handler())
		return 0;
	if (enroll_late() || !handler_hits(late_fault) || !has_handler() || !kernel_hits(own_fault))
		return 0;
	if (liblinux_fixups_join(&here, image) || !here.pages || liblinux_fixups_area(&here) != area ||
	    liblinux_fixups_area(&fixups) != area || liblinux_fixups_register_own(&here, &own) != -EEXIST)
		return 0;
	if (liblinux_fixups_unregister(&fixups, (uintptr_t)late->code) || !misses(late_fault))
		return 0;
	return !liblinux_fixups_unregister(&fixups, own.text_start) && misses(own_fault);
}

/* More than the first area has room for, twice. */
static int grows(void)
{
	if (!join_by_kernel() || set_filter(SECCOMP_RET_ERRNO | EPERM, -1))
		return 0;
	for (int i = 0; i < 300; i++)
		if (enroll_late() || !late_fault())
			return 0;
	return kernel_hits(own_fault) && handler_hits(late_fault);
}

static int refused(void)
{
	struct vdso_fixup_hit hit;

	return join_by_kernel() && !set_filter(SECCOMP_RET_ERRNO | EPERM, SYS_rt_sigaction) && enroll_late() == -EPERM &&
	       vdso.lookup((void *)fixups.joined, late->code, &hit) == -ENOENT && !in_process(own_fault, 1);
}

static int spared(void)
{
	return join_by_kernel() && !set_filter(SECCOMP_RET_KILL_PROCESS, -1) && kernel_hits(own_fault) &&
	       !liblinux_fixups_unregister(&fixups, own.text_start);
}

static int killed(void)
{
	set_filter(SECCOMP_RET_KILL_PROCESS, -1);
	liblinux_fixups_join(&fixups, image);
	return 0;
}

static int strict(void)
{
	int good = join_by_kernel() && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) && own_fault();

	syscall(SYS_exit, !good);
	return 0;
}

int main(void)
{
	static const int answers[] = { EPERM, ENOSYS, EACCES, ENOENT, 0 };
	struct vdso_fixup_attached out;
	int status;

	find_entries();
	image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		return 0;
	}
	plan(2 * 5 + 5);
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		answer = answers[i];
		test(!in_process(before, 0), "a filter before the first use: errno %d", answer);
		test(!in_process(after, 0), "a filter after it: errno %d", answer);
	}
	test(!in_process(grows, 0), "a registry that grows behind a filter");
	test(!in_process(refused, 0), "a filter that refuses handlers");
	test(!in_process(spared, 0), "a filter that kills spares what is registered");
	status = in_process(killed, 0);
	test(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "and kills whoever joins");
	test(!in_process(strict, 1), "strict mode spares what is registered");
	return failures != 0;
}
