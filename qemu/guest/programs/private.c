/*
 * Makes the image's private calls from everywhere but the image, with the right number, and looks
 * at what seccomp, ptrace and Syscall User Dispatch see of them. Leaves the number for the next
 * boot, which must have another: an argument `again` says that it is that.
 */
#include "entries.h"

#include "filter.h"

#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>

/* Where the image keeps the base of its private calls. */
#define PRIVATE_WORD 0xff4
#define QUERY 1

/* What is here is there again in a case that follows this one. */
#define KEPT_FOLDER "/kept"
#define KEPT_BASE KEPT_FOLDER "/private-base"

static const char *image;
static size_t image_size;
static unsigned base;

static void find_image(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[256];

	image = (const char *)getauxval(AT_SYSINFO_EHDR);
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			image_size = end - start;
	if (maps)
		fclose(maps);
	if (!image_size)
		die("/proc/self/maps has no [vdso]");
	memcpy(&base, image + PRIVATE_WORD, sizeof(base));
}

/* Code that makes one call: mov $number, %eax; syscall; ret. */
static long (*call_at(char *page, unsigned number, const char *instruction))(void *)
{
	page[0] = (char)0xb8;
	memcpy(page + 1, &number, 4);
	memcpy(page + 5, instruction, 2);
	page[7] = (char)0xc3;
	return (long (*)(void *))page;
}

static int queries(void)
{
	struct vdso_fixup_attached out;

	return vdso.query(&out) != -ENOENT;
}

static void *thread(void *unused)
{
	(void)unused;
	return (void *)(long)queries();
}

/*
 * Jumps to each `syscall; ret` of the image with the number of the query: all but the query's own
 * have other calls to make. How many of them made it, or -1 if no place was found.
 */
static int at_every_syscall(void)
{
	struct vdso_fixup_attached out;
	int places = 0, made = 0;

	for (const char *at = image; at < image + image_size - 3; at++) {
		long ret = base + QUERY;

		if (memcmp(at, "\x0f\x05\xc3", 3))
			continue;
		places++;
		asm volatile("call *%1"
			     : "+a"(ret)
			     : "r"(at), "D"(&out)
			     : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory");
		made += ret != -ENOSYS;
	}
	note("%d places make calls, %d the query", places, made);
	return places > 100 && made == 1 ? 0 : -1;
}

static void from_outside(void)
{
	char *page = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC), *copy;
	struct vdso_fixup_attached out = {};
	long (*query_of_copy)(struct vdso_fixup_attached *);
	unsigned wrong = 0;
	long ret;

	for (unsigned i = 0; i < 3; i++)
		test(syscall(base + i, &out, 0, 0) == -1 && errno == ENOSYS, "call %u from the libc", i);
	test(call_at(page, base + QUERY, "\x0f\x05")(&out) == -ENOSYS, "from a page that was just written");
	test(call_at(page, base + QUERY, "\xcd\x80")(&out) == -ENOSYS, "by int 0x80");

	/* All of the image, with its word. */
	copy = map(image_size, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(copy, image, image_size);
	query_of_copy = (void *)(copy + ((const char *)vdso.query - image));
	ret = query_of_copy(&out);
	test(ret == -ENOSYS, "from a copy of the image");

	/*
	 * A filter may allow what this entry is used for, and must not have allowed these calls
	 * with it.
	 */
	for (unsigned i = 0; i < 256; i++)
		wrong += vdso.syscall(base + i, &out, 0, 0) != -ENOSYS;
	wrong += vdso.syscall(base - 1, 0, 0, 0) != -ENOSYS;
	test(!wrong, "every number, from the image's entry for any call");
	test(!at_every_syscall(), "the image's own call, from every other place of the image that makes calls");
}

/*
 * Code at the end of the page below the image makes a call and continues in the image, where it
 * faults.
 */
static void fell_into_image(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	_exit(((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] == -ENOSYS ? 0 : 4);
}

static int from_below(char *page)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP };
	struct sigaction action = { .sa_sigaction = fell_into_image, .sa_flags = SA_SIGINFO };
	char *code = page + 4096 - 7;
	uint32_t number = base + QUERY;

	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	/* mov $number, %eax; syscall */
	*code = '\xb8';
	memcpy(code + 1, &number, 4);
	memcpy(code + 5, "\x0f\x05", 2);
	((void (*)(struct vdso_fixup_attached *))code)(&(struct vdso_fixup_attached){});
	return 5;
}

/* The image moves; code appears where it was, and just below where it is. */
static int moved(void)
{
	char *page_below = map(4096 + image_size, PROT_READ | PROT_WRITE | PROT_EXEC), *place = page_below + 4096;
	long (*query)(struct vdso_fixup_attached *) = (void *)(place + ((const char *)vdso.query - image));
	struct vdso_fixup_attached out;
	char *page;

	if (mremap((void *)image, image_size, image_size, MREMAP_MAYMOVE | MREMAP_FIXED, place) != place)
		return 1;
	if (query(&out) != -ENOENT)
		return 2;
	page = mmap((void *)image, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (page != image || call_at(page, base + QUERY, "\x0f\x05")(&out) != -ENOSYS)
		return 3;
	return from_below(page_below);
}

/* The image goes; code appears where it was. */
static int unmapped(void)
{
	struct vdso_fixup_attached out;
	char *page;

	if (munmap((void *)image, image_size))
		return 1;
	page = mmap((void *)image, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return page != image || call_at(page, base + QUERY, "\x0f\x05")(&out) != -ENOSYS;
}

static int filtered(void)
{
	struct vdso_fixup_attached out;

	if (set_filter(SECCOMP_RET_ERRNO | EXDEV, -1))
		return 1;
	return vdso.query(&out) != -EXDEV || vdso.attach(NULL, 0) != -EXDEV;
}

static int strict(void)
{
	struct vdso_fixup_attached out;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	vdso.query(&out);
	return 2;
}

/* What the process has attached stays in effect behind the filter. */
extern const char probe_load[], probe_landing[], probe_end[];
asm(".pushsection probe, \"ax\", @progbits\n"
    "probe_load: mov (%rdi), %rax; mov $1, %eax; ret\n"
    "probe_landing: mov $2, %eax; ret\n"
    "probe_end: .popsection");

static int attached_before(void)
{
	static struct vdso_fixup_entry table[1];
	struct vdso_fixup_dso dso = { (uintptr_t)probe_load, probe_end - probe_load, (uintptr_t)table, 1 };
	unsigned long size;
	void *area = new_area(1, &size);

	set_entry(table, probe_load, 3, probe_landing, VDSO_FIXUP_PLAIN);
	if (vdso.reg(area, &dso) || vdso.attach(area, size) || filtered())
		return 1;
	return ((long (*)(void *))probe_load)(NULL) != 2;
}

#define PR_SET_SYSCALL_USER_DISPATCH 59
static volatile char selector;
static volatile unsigned long dispatched;

static void sigsys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	selector = 0;
	dispatched = info->si_syscall;
}

static int dispatch_range(const void *start, unsigned long len)
{
	struct sigaction action = { .sa_sigaction = sigsys, .sa_flags = SA_SIGINFO };
	struct vdso_fixup_attached out;
	long ret;

	sigaction(SIGSYS, &action, NULL);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, start, len, &selector))
		return -1;
	selector = 1;
	ret = vdso.query(&out);
	selector = 0;
	return ret == -ENOENT;
}

static int dispatch_allowed(void)
{
	return dispatch_range(image, image_size) != 1 || dispatched;
}

static int dispatch_refused(void)
{
	return dispatch_range((void *)4096, 4096) != 0 || dispatched != base + QUERY;
}

static int traced(void)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return 1;
	raise(SIGSTOP);
	return 0;
}

/* A tracer turns the tracee's getppid into a private call; another sees the image's own call. */
static void tracer(void)
{
	struct user_regs_struct regs = {};
	struct vdso_fixup_attached out;
	int status, seen = 0;
	long result = 0;
	pid_t child = fork();

	if (!child) {
		traced();
		syscall(SYS_getppid, &out);
		vdso.query(&out);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		die("ptrace");
	for (int entry = 1; !ptrace(PTRACE_SYSCALL, child, 0, 0) && waitpid(child, &status, 0) == child && WIFSTOPPED(status);
	     entry = !entry) {
		ptrace(PTRACE_GETREGS, child, 0, &regs);
		if (entry && regs.orig_rax == SYS_getppid) {
			regs.orig_rax = base + QUERY;
			ptrace(PTRACE_SETREGS, child, 0, &regs);
			ptrace(PTRACE_SYSCALL, child, 0, 0);
			waitpid(child, &status, 0);
			entry = !entry;
			ptrace(PTRACE_GETREGS, child, 0, &regs);
			result = regs.rax;
		} else if (regs.orig_rax == base + QUERY) {
			seen += entry ? 1 : (long)regs.rax == -ENOENT;
		}
	}
	test(result == -ENOSYS, "a tracer that changes another call's number");
	test(seen == 2, "a tracer sees the number and the result");
}

/* The base of the boot before. */
static unsigned base_before(void)
{
	FILE *file = fopen(KEPT_BASE, "r");
	unsigned before;

	if (!file || fscanf(file, "%x", &before) != 1)
		die("reading " KEPT_BASE);
	fclose(file);
	return before;
}

/* Leaves it for the next boot. */
static void keep_base(void)
{
	FILE *file;

	mkdir(KEPT_FOLDER, 0755);
	file = fopen(KEPT_BASE, "w");
	if (!file || fprintf(file, "%x\n", base) < 0 || fclose(file))
		die("writing " KEPT_BASE);
}

int main(int count, char **arguments)
{
	int is_again = count > 1 && !strcmp(arguments[1], "again");
	pthread_t other;
	void *ret;
	int status;

	find_entries();
	find_image();
	if (!base) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no private calls\n");
		return 0;
	}
	plan(21 + is_again);
	if (is_again)
		test(base != base_before(), "the base is not the one of the boot before");
	else
		keep_base();
	test(!queries(), "the image's own call");
	test(!in_child(queries), "in a child");
	if (pthread_create(&other, NULL, thread, NULL) || pthread_join(other, &ret))
		die("pthread_create");
	test(!ret, "in another thread");
	test(base >= 0x10000000 && base <= 0x2fffffff && base % 256 == 0, "the base is where no number is");
	from_outside();
	test(!in_child(moved), "an image that was moved makes calls; what is in its place, or just below it, does not");
	test(!in_child(unmapped), "what is in the place of an image that was unmapped does not");
	tracer();
	test(!in_child(filtered), "a seccomp filter that allows a list gives its own error");
	status = in_child(strict);
	test(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "seccomp's strict mode kills");
	test(!in_child(attached_before), "what was attached before a filter goes on to work");
	test(!in_child(dispatch_allowed), "Syscall User Dispatch lets the image's calls pass, if its text is allowed");
	test(!in_child(dispatch_refused), "Syscall User Dispatch makes them SIGSYS, if not");
	return failures != 0;
}
