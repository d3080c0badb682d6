/*
 * Raises every exception in every way, and compares what the landing finds with what a signal handler sees.
 *
 * Each exception is raised three times: under a plain signal handler, which is the oracle; with its fixup attached to the
 * kernel; and with its fixup found by __vdso_fixup_dispatch, in a handler, as on a kernel without the patch. Then come
 * the exceptions and signals that must never land, what a miss looks like, and text that is no longer the one that was
 * registered.
 */
#include "fixups.h"

#include <fcntl.h>
#include <sys/time.h>

/* Registers as the signal frame numbers them. */
enum { R_R8, R_R9, R_R10, R_R11, R_R12, R_R13, R_R14, R_R15, R_DI, R_SI, R_BP, R_BX, R_DX, R_AX, R_CX, R_SP, R_COUNT };

static const char *const register_names[R_COUNT] = {
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp",
};

struct state {
	uint64_t regs[R_COUNT];		/* 0 */
	uint64_t saved_sp;		/* 128 */
	uint64_t trap, error, address;	/* of the oracle */
	uint64_t ip;
	int signal, code;
};

/*
 * Runs `code` with `argument` in rdi, marks in the other registers and the state in r15. 0 if nothing happened, 1 if it
 * landed, 2 if the handler saw it. The text from code_start on is the DSO; landings store all registers.
 */
long run(const void *code, uint64_t argument, struct state *state);
extern const char code_start[], __stop_code[], done[], landed[], handled[];

asm(".pushsection code, \"ax\", @progbits\n"
    ".balign 4096\n"
    "code_start:\n"
    "run:\n"
    "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "	mov %rdx, %r15\n"
    "	mov %rsp, 128(%r15)\n"
    "	mov %rdi, %r11\n"
    "	mov %rsi, %rdi\n"
    "	mov $0x5a01, %eax; mov $0x5a02, %ebx; mov $0x5a03, %ecx; mov $0x5a04, %edx; mov $0x5a05, %esi\n"
    "	mov $0x5a06, %ebp; mov $0x5a08, %r8d; mov $0x5a09, %r9d; mov $0x5a0a, %r10d\n"
    "	mov $0x5a0c, %r12d; mov $0x5a0d, %r13d; mov $0x5a0e, %r14d\n"
    "	jmp *%r11\n"
    "done:\n"
    "	xor %eax, %eax\n"
    "	jmp 1f\n"
    "landed:\n"
    "	mov %r8, 0(%r15); mov %r9, 8(%r15); mov %r10, 16(%r15); mov %r11, 24(%r15)\n"
    "	mov %r12, 32(%r15); mov %r13, 40(%r15); mov %r14, 48(%r15); mov %r15, 56(%r15)\n"
    "	mov %rdi, 64(%r15); mov %rsi, 72(%r15); mov %rbp, 80(%r15); mov %rbx, 88(%r15)\n"
    "	mov %rdx, 96(%r15); mov %rax, 104(%r15); mov %rcx, 112(%r15); mov %rsp, 120(%r15)\n"
    "	mov $1, %eax\n"
    "	jmp 1f\n"
    "handled:\n"
    "	mov $2, %eax\n"
    "1:	mov 128(%r15), %rsp\n"
    /* What a case may have changed beside registers: alignment checks, x87, SSE. */
    "	pushf; andl $~0x40000, (%rsp); popf\n"
    "	fninit\n"
    "	movl $0x1f80, -4(%rsp); ldmxcsr -4(%rsp)\n"
    "	cld\n"
    "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "	ret\n"
    ".popsection");

#define CODE(name, text) \
	extern const char name[], name##_end[]; \
	asm(".pushsection code, \"ax\", @progbits\n" #name ":\n\t" text "\n" #name "_end:\n\tjmp done\n.popsection")

CODE(c_load, "mov (%rdi), %rax");
CODE(c_load_byte, "movzbl (%rdi), %eax");
CODE(c_store, "mov %rax, (%rdi)");
CODE(c_exchange, "lock xadd %rax, (%rdi)");
CODE(c_string, "xchg %rdi, %rsi; mov $2, %ecx; rep movsb");
CODE(c_vector, "movups (%rdi), %xmm0");
CODE(c_push, "mov %rdi, %rsp; push %rax");
CODE(c_call, "mov %rdi, %rsp; call 1f; 1:");
CODE(c_jump, "jmp *%rdi");
CODE(c_undefined, "ud2");
CODE(c_divide, "xor %edx, %edx; xor %ecx, %ecx; div %ecx");
CODE(c_overflow, "mov $-1, %edx; mov $1, %ecx; div %ecx");
CODE(c_privileged, "hlt");
CODE(c_port, "in $0x80, %al");
CODE(c_segment, "mov $0xffff, %eax; mov %eax, %ds");
CODE(c_interrupt, "int $0x20");
CODE(c_into, "int $4; nop");
CODE(c_x87, "pushq $0x0300; fldcw (%rsp); fld1; fldz; fdivrp; fwait");
CODE(c_sse, "pushq $0x1d80; ldmxcsr (%rsp); mov $1, %eax; cvtsi2ss %eax, %xmm0; xorps %xmm1, %xmm1; divss %xmm1, %xmm0");
CODE(c_align, "pushf; orl $0x40000, (%rsp); popf; mov 1(%rdi), %eax");
CODE(c_breakpoint, "int3; nop");
CODE(c_step, "pushf; orl $0x100, (%rsp); popf; nop");
CODE(c_spin, "1: cmpl $0, (%rdi); je 1b");
CODE(c_uncovered, "mov (%rdi), %rax");
CODE(c_plain, "mov (%rdi), %rax");

#define CALLED(name) #name, name, name##_end

static char *readable, *hidden, *short_file, *unmapped, *code_page;

struct exception {
	const char *name;
	const char *label, *code, *end;
	char **page;			/* argument: this plus */
	uint64_t argument;
};

static const struct exception exceptions[] = {
	{ "load, unmapped", CALLED(c_load), &unmapped, 8 },
	{ "load, null", CALLED(c_load), NULL, 0 },
	{ "load, PROT_NONE", CALLED(c_load), &hidden, 16 },
	{ "load, past the end of a file", CALLED(c_load), &short_file, 4096 },
	{ "load, kernel half", CALLED(c_load), NULL, 0xffff888000000000 },
	{ "load, not canonical", CALLED(c_load), NULL, 0x8000000000000000 },
	{ "load, straddling", CALLED(c_load), &hidden, -4 },
	{ "load of a byte, unmapped", CALLED(c_load_byte), &unmapped, 1 },
	{ "load of a vector, PROT_NONE", CALLED(c_vector), &hidden, 0 },
	{ "copy, unmapped", CALLED(c_string), &unmapped, 0 },
	{ "store, unmapped", CALLED(c_store), &unmapped, 8 },
	{ "store, PROT_NONE", CALLED(c_store), &hidden, 8 },
	{ "store, read-only", CALLED(c_store), &readable, 8 },
	{ "store, past the end of a file", CALLED(c_store), &short_file, 4096 },
	{ "store, kernel half", CALLED(c_store), NULL, 0xffff888000000000 },
	{ "store, not canonical", CALLED(c_store), NULL, 0x8000000000000000 },
	{ "locked exchange, read-only", CALLED(c_exchange), &readable, 8 },
	{ "push, unmapped", CALLED(c_push), &unmapped, 4096 },
	{ "push, not canonical", CALLED(c_push), NULL, 0x8000000000000000 },
	{ "call, read-only stack", CALLED(c_call), &readable, 4096 },
	{ "execute, PROT_NONE", CALLED(c_jump), &code_page, 0 },
	{ "undefined instruction", CALLED(c_undefined), NULL, 0 },
	{ "division by zero", CALLED(c_divide), NULL, 0 },
	{ "division that overflows", CALLED(c_overflow), NULL, 0 },
	{ "privileged instruction", CALLED(c_privileged), NULL, 0 },
	{ "input from a port", CALLED(c_port), NULL, 0 },
	{ "bad segment", CALLED(c_segment), NULL, 0 },
	{ "software interrupt", CALLED(c_interrupt), NULL, 0 },
	{ "INT 4", CALLED(c_into), NULL, 0 },
	{ "x87 division by zero", CALLED(c_x87), NULL, 0 },
	{ "SSE division by zero", CALLED(c_sse), NULL, 0 },
	{ "alignment check", CALLED(c_align), &readable, 0 },
};

#define EXCEPTIONS (sizeof(exceptions) / sizeof(*exceptions))

enum way { ORACLE, KERNEL, DISPATCH };

static enum way way;
static void *area;
static struct state *oracle;
static volatile sig_atomic_t signals;

/* The oracle; and in the other ways, what a fault that was not fixed up meets. */
static void see(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	signals++;
	if (way == DISPATCH && vdso.dispatch(area, info, context) == 1)
		return;
	memcpy(oracle->regs, regs, sizeof(oracle->regs));
	oracle->trap = regs[REG_TRAPNO];
	oracle->error = regs[REG_ERR];
	oracle->address = regs[REG_CR2];
	oracle->ip = regs[REG_RIP];
	oracle->signal = sig;
	oracle->code = info->si_code;
	regs[REG_RIP] = (greg_t)handled;
	regs[REG_EFL] &= ~0x100;
	regs[REG_R15] = (greg_t)oracle;
}

static void handle_all(void)
{
	static const int all[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGUSR1, SIGALRM };
	stack_t stack = { .ss_sp = map(65536, PROT_READ | PROT_WRITE), .ss_size = 65536 };
	struct sigaction action = { .sa_sigaction = see, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		sigaction(all[i], &action, NULL);
}

/* The table: each code has an entry but c_uncovered; entries ascend as the codes do. */
static struct entry table[32];
static unsigned entries;

static void cover(const char *start, const char *end, uint32_t flags)
{
	set_entry(&table[entries++], start, end - start, landed, flags);
}

static void fill_table(void)
{
	static const struct {
		const char *label, *start, *end;
	} codes[] = {
		{ CALLED(c_load) }, { CALLED(c_load_byte) }, { CALLED(c_store) }, { CALLED(c_exchange) },
		{ CALLED(c_string) }, { CALLED(c_vector) }, { CALLED(c_push) }, { CALLED(c_call) }, { CALLED(c_jump) },
		{ CALLED(c_undefined) }, { CALLED(c_divide) }, { CALLED(c_overflow) }, { CALLED(c_privileged) },
		{ CALLED(c_port) }, { CALLED(c_segment) }, { CALLED(c_interrupt) }, { CALLED(c_into) }, { CALLED(c_x87) },
		{ CALLED(c_sse) }, { CALLED(c_align) }, { CALLED(c_breakpoint) }, { CALLED(c_step) },
		{ CALLED(c_spin) },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		cover(codes[i].start, codes[i].end, 0);
	cover(c_plain, c_plain_end, PLAIN);
}

static void prepare(void)
{
	int file = memfd_create("short", 0);
	struct dso code = { (uintptr_t)code_start, __stop_code - code_start, (uintptr_t)table, 0 };
	struct dso page = { .count = 1 };
	struct entry *page_table;
	char *block;
	unsigned long size;
	long ret;

	oracle = map(4096, PROT_READ | PROT_WRITE);
	readable = map(8192, PROT_READ);
	hidden = map(8192, PROT_READ | PROT_WRITE) + 4096;
	/* Between two pages, and where the kernel maps nothing unless it is told to. */
	unmapped = mmap((void *)0x100000000000, 3 * 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (unmapped == MAP_FAILED)
		die("mmap");
	unmapped += 4096;
	if (mprotect(hidden, 4096, PROT_NONE) || munmap(unmapped, 4096))
		die("mprotect, munmap");
	if (file < 0 || ftruncate(file, 4096))
		die("memfd_create");
	short_file = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (short_file == MAP_FAILED)
		die("mmap of a file");

	/* Three pages of code, as a compiler at run time has them; the second cannot be executed at the moment. */
	block = map(3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	code_page = block + 4096;
	memcpy(block, "\xff\x25\0\0\0\0", 6);	/* jmp *0(%rip) */
	memcpy(block + 6, &(const char *){ landed }, 8);
	page_table = (struct entry *)(block + 2 * 4096);
	set_entry(page_table, code_page, 4096, block, 0);
	if (mprotect(code_page, 4096, PROT_NONE))
		die("mprotect");

	area = new_area(8, &size);
	fill_table();
	code.count = entries;
	ret = vdso.reg(area, &code);
	if (ret)
		die("register is %ld", ret);
	page.text_start = (uintptr_t)block;
	page.text_len = 3 * 4096;
	page.table = (uintptr_t)page_table;
	ret = vdso.reg(area, &page);
	if (ret)
		die("register is %ld", ret);
}

static unsigned long area_bytes(void)
{
	return vdso.area_size(8);
}

static void choose(enum way new_way)
{
	long ret = new_way == KERNEL ? vdso.attach(area, area_bytes()) : vdso.attach(NULL, 0);

	if (ret)
		die("attach is %ld", ret);
	way = new_way;
}

static uint64_t argument_of(const struct exception *exception)
{
	return exception->argument + (exception->page ? (uint64_t)*exception->page : 0);
}

/* Whether the landing's registers are what the contract says of what the oracle saw. */
static int same(const struct state *seen, const struct state *wanted)
{
	int good = 1;

	for (int i = 0; i < R_COUNT; i++) {
		uint64_t want = wanted->regs[i];

		if (i == R_DI)
			want = wanted->trap;
		if (i == R_SI)
			want = wanted->error;
		if (i == R_DX)
			want = wanted->trap == 14 ? wanted->address : 0;
		if (i == R_CX)
			want = wanted->ip;
		if (i == R_SP && want - wanted->saved_sp + 4096 <= 4096)
			want += seen->saved_sp - wanted->saved_sp;	/* run() was called from elsewhere. */
		if (i == R_R15 || (i == R_R11 && wanted->regs[i] == wanted->regs[R_CX]))
			continue;
		if (seen->regs[i] != want) {
			note("%s is %#lx, not %#lx", register_names[i], seen->regs[i], want);
			good = 0;
		}
	}
	return good;
}

static void land(const struct exception *exception, const char *how, const struct state *wanted)
{
	struct state seen = {};
	long ret;

	signals = 0;
	ret = run(exception->code, argument_of(exception), &seen);
	if (ret != 1)
		note("run() is %ld", ret);
	test(ret == 1 && same(&seen, wanted) && signals == (way == DISPATCH), "%s: %s", exception->name, how);
}

static void exception_tests(void)
{
	for (size_t i = 0; i < EXCEPTIONS; i++) {
		const struct exception *exception = &exceptions[i];
		struct state wanted;
		long ret;

		choose(ORACLE);
		memset(oracle, 0, sizeof(*oracle));
		ret = run(exception->code, argument_of(exception), oracle);
		wanted = *oracle;
		if (ret == 0) {
			skip("this processor raises no exception", "%s: kernel", exception->name);
			skip("this processor raises no exception", "%s: dispatch", exception->name);
			continue;
		}
		choose(KERNEL);
		land(exception, "kernel", &wanted);
		choose(DISPATCH);
		land(exception, "dispatch", &wanted);
	}
}

/* A signal comes as if there were no area, with the same siginfo and registers. */
static void miss(const char *name, const char *code, uint64_t argument)
{
	int raised = 0;

	for (way = ORACLE; way <= DISPATCH; way++) {
		static struct state wanted;
		long ret;

		choose(way);
		memset(oracle, 0, sizeof(*oracle));
		signals = 0;
		ret = run(code, argument, oracle);
		if (way == ORACLE) {
			wanted = *oracle;
			raised = ret == 2;
			continue;
		}
		if (!raised) {
			skip("this processor raises no exception", "%s: no landing, %s", name,
			     way == KERNEL ? "kernel" : "dispatch");
			continue;
		}
		if (ret != 2 || signals != 1)
			note("run() is %ld, %d signals", ret, (int)signals);
		test(ret == 2 && signals == 1 && !memcmp(oracle, &wanted, sizeof(wanted)), "%s: no landing, %s", name,
		     way == KERNEL ? "kernel" : "dispatch");
	}
}

static void unable_signals(void)
{
	struct state seen = {};
	sigset_t all, old;

	choose(KERNEL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	test(run(c_load, 0, &seen) == 1, "a blocked signal makes no difference");
	test(run(c_undefined, 0, &seen) == 1, "a blocked SIGILL makes no difference");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGSEGV, SIG_IGN);
	test(run(c_load, 0, &seen) == 1, "an ignored signal makes no difference");
	handle_all();
}

/* Signals from outside, while the thread is in text that is covered. */
static void sent_signals(void)
{
	static const char *const names[] = { "oracle", "kernel", "dispatch" };
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	struct state seen = {};

	for (enum way next = KERNEL; next <= DISPATCH; next++) {
		int *word = (int *)oracle + 1000;
		pid_t child;

		choose(next);
		*word = 0;
		signals = 0;
		setitimer(ITIMER_REAL, &soon, NULL);
		test(run(c_spin, (uint64_t)word, oracle) == 2 && oracle->signal == SIGALRM, "a timer's signal arrives: %s",
		     names[next]);
		child = fork();
		if (!child) {
			usleep(20000);
			kill(getppid(), SIGSEGV);
			_exit(0);
		}
		test(run(c_spin, (uint64_t)word, oracle) == 2 && oracle->signal == SIGSEGV && oracle->code <= 0,
		     "a SIGSEGV that was sent arrives: %s", names[next]);
		waitpid(child, NULL, 0);
		(void)seen;
	}
}

static void plain_tests(void)
{
	for (enum way next = KERNEL; next <= DISPATCH; next++) {
		struct state seen = {};
		long ret;

		choose(next);
		ret = run(c_plain, 8, &seen);
		test(ret == 1 && seen.regs[R_DI] == 8 && seen.regs[R_SI] == 0x5a05 && seen.regs[R_DX] == 0x5a04 &&
		     seen.regs[R_CX] == 0x5a03, "a plain landing changes rip alone: %s",
		     next == KERNEL ? "kernel" : "dispatch");
	}
}

/* Text that was unmapped without a word, with other text in its place. */
static void stale_tests(void)
{
	struct entry *entry;
	struct dso dso = { .text_len = 4096, .count = 1 };
	struct state seen = {};
	char *text = map(8192, PROT_READ | PROT_WRITE | PROT_EXEC), *again;

	entry = (struct entry *)(text + 4096);
	memcpy(text, "\x48\x8b\x07\xc3", 4);
	memcpy(text + 64, "\xff\x25\0\0\0\0", 6);
	memcpy(text + 70, &(const char *){ landed }, 8);
	set_entry(entry, text, 3, text + 64, 0);
	dso.text_start = (uintptr_t)text;
	dso.table = (uintptr_t)entry;
	choose(KERNEL);
	test(!vdso.reg(area, &dso) && run(text, 0, &seen) == 1, "text that was registered lands");
	test(!mprotect(text, 4096, PROT_READ | PROT_EXEC) && run(text, 0, &seen) == 1, "it lands after mprotect");
	test(!mprotect(text, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) && run(text, 0, &seen) == 1,
	     "it lands after mprotect back");

	/* The very same bytes: only the kernel can tell. */
	again = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(again, text, 4096);
	if (mremap(again, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, text) != text)
		die("mremap");
	test(run(text, 0, oracle) == 2, "text that was replaced by the same bytes does not");

	/* Registered again: a new registration of the same place. */
	test(!vdso.unregister(area, (uintptr_t)text) && !vdso.reg(area, &dso) && run(text, 0, &seen) == 1,
	     "it does when it is registered again");
	again = mremap(text, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, map(4096, PROT_NONE));
	if (again == MAP_FAILED)
		die("mremap");
	test(run(again, 0, oracle) == 2, "text that was moved away does not");
	test(!vdso.unregister(area, (uintptr_t)text), "and can be unregistered");
}

static void inheritance(void)
{
	struct state seen = {};
	struct attached out;
	int status;
	pid_t child;

	choose(KERNEL);
	child = fork();
	if (!child)
		_exit(run(c_load, 0, &seen) == 1 && !vdso.query(&out) && out.area == (uintptr_t)area ? 0 : 1);
	test(waitpid(child, &status, 0) == child && !status, "a child inherits the area");
	child = fork();
	if (!child) {
		execl("/proc/self/exe", "fixups", "query", NULL);
		_exit(1);
	}
	test(waitpid(child, &status, 0) == child && !status, "a new program starts without");
}

int main(int count, char **arguments)
{
	struct attached out;

	(void)arguments;
	find_entries();
	if (count > 1)
		return vdso.query(&out) == -ENOENT ? 0 : 1;
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		return 0;
	}
	prepare();
	handle_all();
	plan(2 * EXCEPTIONS + 2 * 5 + 3 + 4 + 2 + 7 + 2);
	exception_tests();
	miss("uncovered text", c_uncovered, 8);
	miss("uncovered text, not canonical", c_uncovered, 0x8000000000000000);
	miss("execution of what is not mapped", c_jump, (uint64_t)unmapped);
	miss("breakpoint", c_breakpoint, 0);
	miss("single step", c_step, 0);
	unable_signals();
	sent_signals();
	plain_tests();
	stale_tests();
	inheritance();
	return failures != 0;
}
