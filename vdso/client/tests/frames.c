/*
 * frames IMAGE: landings that find all registers in a frame, with a handler in place of the kernel.
 * Prints what does not hold. The signal that comes without a fixup is the judge of one that a
 * landing declines.
 */
#include "child.h"
#include "liblinux/frame.h"
#include "frames.h"
#include <pthread.h>
#include <setjmp.h>
#include <sys/time.h>
#include <unwind.h>

static volatile int landings, deep;
static struct vdso_fixup_frame seen;
static uint64_t good = 7;
static int (*act)(struct vdso_fixup_frame *frame);

static int on_fault(struct vdso_fixup_frame *frame)
{
	/* Vectors are changed here, as any function may do. */
	__asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n\tpcmpeqd %%xmm15, %%xmm15" : : : "xmm0", "xmm15");
	landings = landings + 1;
	seen = *frame;
	return act(frame);
}

LIBLINUX_FRAME_LANDING(landing, on_fault);

static int mend(struct vdso_fixup_frame *frame)
{
	frame->rdi = (uint64_t)&good;
	return LIBLINUX_RESUME;
}

static int skip(struct vdso_fixup_frame *frame)
{
	frame->ip += 3;
	frame->rax = 42;
	return LIBLINUX_RESUME;
}

static int decline(struct vdso_fixup_frame *frame)
{
	(void)frame;
	return LIBLINUX_DECLINE;
}

static volatile int signals;
static siginfo_t told;
static mcontext_t found;

static void handler(int number, siginfo_t *information, void *context)
{
	ucontext_t *user = (ucontext_t *)context;
	greg_t *registers = user->uc_mcontext.gregs;

	(void)number;
	signals = signals + 1;
	told = *information;
	found = user->uc_mcontext;
	registers[REG_RAX] = 2;
	registers[REG_RIP] = registers[REG_R9];
	registers[REG_RSP] = registers[REG_R8];
}

static const int numbers[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };

/* The program's own handlers, which were there first. */
static void handle(void)
{
	struct sigaction action;
	unsigned int i;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
	for (i = 0; i < 4; i++)
		CHECK(!sigaction(numbers[i], &action, 0));
}

static void prepare(void)
{
	static struct vdso_fixup_dso own;

	CHECK(!liblinux_frame_prepare(image));
	CHECK(!liblinux_fixups_join(&fixups, image) && fixups.pages);
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
}

static void alternate(void)
{
	stack_t stack;

	memset(&stack, 0, sizeof(stack));
	stack.ss_sp = pages(16, PROT_READ | PROT_WRITE);
	stack.ss_size = 16 * PAGE;
	CHECK(!sigaltstack(&stack, 0));
}

/* ---- What a frame says, and that nothing else changes ---- */

static void frame_tests(void)
{
	prepare();
	act = skip;
	CHECK(probe_stack(8, (uint64_t)pages(4, PROT_READ | PROT_WRITE) + 4 * PAGE) == 42 && landings == 1);
	CHECK(seen.rdi == 8 && seen.trap == 14 && seen.error == 4 && seen.signal == SIGSEGV);
	CHECK(seen.address == 8 && seen.code == SEGV_MAPERR && !seen.pkey && !seen.reserved && seen.via);
	act = mend;
	CHECK(!probe_registers(8) && landings == 2);
	CHECK(!probe_registers(1UL << 62) && landings == 3 && seen.trap == 13 && !seen.address);
	CHECK(probe_jump(8) == 5 && landings == 3);
}

static void alternate_frame_tests(void)
{
	alternate();
	frame_tests();
	CHECK(seen.sp % 16 == 8 || !(seen.sp % 16));
}

/* ---- A landing that declines ---- */

static void declines(uint64_t kind, uint64_t address)
{
	mcontext_t context;
	siginfo_t information;

	handle();
	CHECK(probe_kind(kind, address) == 2 && signals == 1);
	context = found;
	information = told;
	prepare();
	act = decline;
	CHECK(probe_kind(kind, address) == 2 && signals == 2 && landings == 1);
	CHECK(!memcmp(&information, &told, sizeof(told)));
	/* The address of the last page fault, of whichever fault that was. */
	if (context.gregs[REG_TRAPNO] != 14)
		context.gregs[REG_CR2] = found.gregs[REG_CR2];
	CHECK(!memcmp(context.gregs, found.gregs, sizeof(found.gregs)));
}

static void declined_hole(void) { declines(0, 8); }
static void declined_page(void) { declines(0, (uint64_t)pages(1, PROT_NONE)); }
static void declined_protection(void) { declines(0, 1UL << 62); }
static void declined_opcode(void) { declines(1, 0); }
static void declined_division(void) { declines(2, 0); }

static void declined_bus(void)
{
	int file = memfd_create("empty", 0);

	declines(0, (uint64_t)mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 0));
}

static void (*const kinds[])(void) = {
	declined_hole, declined_page, declined_protection, declined_opcode, declined_division, declined_bus,
};

static void decline_tests(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		CHECK(!end_of(kinds[i]));
}

static void alternate_decline_tests(void)
{
	alternate();
	decline_tests();
}

/* No handler takes the signal: the process ends by it. */
static void without_handler(void)
{
	prepare();
	act = decline;
	probe_kind(0, 8);
}

static void ending_tests(void)
{
	CHECK(dies(without_handler));
}

/* ---- Bad stacks and bad landings ---- */

static void stack_tests(void)
{
	uint64_t page = (uint64_t)pages(2, PROT_READ | PROT_WRITE);
	uint64_t stacks[] = { 0, 8, PAGE, 1UL << 62, ~0UL, page + PAGE, page + PAGE + 128, page + PAGE + 128 + 192 };
	unsigned int i;

	alternate();
	handle();
	prepare();
	act = decline;
	CHECK(!mprotect((void *)page, PAGE, PROT_READ));
	for (i = 0; i < sizeof(stacks) / sizeof(*stacks); i++) {
		signals = 0;
		CHECK(probe_stack(8, stacks[i]) == 2 && signals == 1 && !landings);
	}
}

static sigjmp_buf outside;

static int deeper(struct vdso_fixup_frame *frame)
{
	struct vdso_fixup_frame mine = *frame;

	deep = deep + 1;
	if (deep < 4)
		CHECK(!probe_registers(8));
	CHECK(!memcmp(&mine, frame, sizeof(mine)));
	return mend(frame);
}

static int leave(struct vdso_fixup_frame *frame)
{
	(void)frame;
	siglongjmp(outside, 1);
}

static void landing_tests(void)
{
	int i;

	prepare();
	act = deeper;
	CHECK(!probe_registers(8) && deep == 4 && landings == 4);
	act = leave;
	for (i = 0; i < 1000; i++) {
		if (!sigsetjmp(outside, 0))
			probe_kind(0, 8);
		CHECK(landings == 5 + i);
	}
	act = mend;
	CHECK(!probe_registers(8));
}

static volatile int cleaned;

static void clean(void *unused)
{
	(void)unused;
	cleaned = cleaned + 1;
}

static int end_thread(struct vdso_fixup_frame *frame)
{
	(void)frame;
	pthread_exit(0);
}

static void fault_here(void)
{
	__asm__ volatile("1:\tmovq (%0), %%rax\n2:\n" LIBLINUX_FIXUP_FRAME("1b", "2b", "landing")
			 : : "r"(8L) : "rax", "memory");
}

/* The compiler does not see that this throws nothing. */
static void (*volatile fault)(void) = fault_here;

static void *fault_in_thread(void *unused)
{
	pthread_cleanup_push(clean, 0);
	fault();
	pthread_cleanup_pop(0);
	return unused;
}

/*
 * A landing in which its thread ends. That unwinds through the frame to the thread's own cleanup,
 * which is a table's where there are exceptions.
 */
static void thread_tests(void)
{
	pthread_t thread;
	int i;

	prepare();
	act = end_thread;
	for (i = 0; i < 100; i++) {
		CHECK(!pthread_create(&thread, 0, fault_in_thread, 0));
		CHECK(!pthread_join(thread, 0));
	}
	CHECK(landings == 100 && cleaned == 100);
	act = mend;
	CHECK(!probe_registers(8) && landings == 101);
}

/* ---- Signals at any moment, and unwinding ---- */

static volatile int alarms;

static void alarmed(int number)
{
	char room[4096];

	(void)number;
	/* What is below the stack pointer is not the thread's. */
	memset(room, 0xa5, sizeof(room));
	__asm__ volatile("" : : "r"(room) : "memory");
	alarms = alarms + 1;
}

static uint64_t path[64];
static int steps;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *unused)
{
	(void)unused;
	if (steps < 64)
		path[steps++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static int walk(struct vdso_fixup_frame *frame)
{
	steps = 0;
	CHECK(_Unwind_Backtrace(step, 0) == _URC_END_OF_STACK);
	return skip(frame);
}

static void storm_tests(void)
{
	struct itimerval often = { { 0, 100 }, { 0, 100 } }, never = { { 0, 0 }, { 0, 0 } };
	uint64_t from_here[64];
	int depth, i, j;

	prepare();
	CHECK(signal(SIGALRM, alarmed) != SIG_ERR);
	act = mend;
	CHECK(!setitimer(ITIMER_REAL, &often, 0));
	for (i = 0; i < 1000 || alarms < 200; i++)
		CHECK(!probe_registers(8));
	CHECK(!setitimer(ITIMER_REAL, &never, 0));
	/* The way from the landing to the start of the program ends as that from here does. */
	_Unwind_Backtrace(step, 0);
	depth = steps;
	memcpy(from_here, path, sizeof(path));
	act = walk;
	__asm__ volatile("1:\tmovq (%1), %%rax\n2:\n" LIBLINUX_FIXUP_FRAME("1b", "2b", "landing")
			 : "=a"(i) : "r"(8L) : "memory");
	CHECK(i == 42 && depth > 2 && steps > depth);
	/* All but this function's own. */
	for (j = 1; j < depth; j++)
		CHECK(path[steps - j] == from_here[depth - j]);
}

int main(int count, char **arguments)
{
	void (*const tests[])(void) = {
		frame_tests, alternate_frame_tests, decline_tests, alternate_decline_tests,
		ending_tests, stack_tests, landing_tests, thread_tests, storm_tests,
	};

	return count == 2 ? run_tests(arguments[1], tests, 9) : 2;
}
