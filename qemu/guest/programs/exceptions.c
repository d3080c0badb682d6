/*
 * Raises every exception in every way, and compares what the landing finds with what a signal
 * handler sees.
 */
#include "codes.h"

static const char *const register_names[R_COUNT] = {
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi", "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp",
};

struct exception {
	const char *name;
	const char *label, *code, *end;
	char **page;			/* argument: this plus */
	uint64_t argument;
	int may_be_missing;		/* QEMU's own processor raises it not. */
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
	{ "SSE division by zero", CALLED(c_sse), NULL, 0, 1 },
	{ "alignment check", CALLED(c_align), &readable, 0, 1 },
};

#define EXCEPTIONS (sizeof(exceptions) / sizeof(*exceptions))

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
			want = wanted->error | (uint64_t)wanted->signal << VDSO_FIXUP_SIGNAL_SHIFT;
		if (i == R_DX)
			want = wanted->trap == 14 ? wanted->address : 0;
		if (i == R_CX)
			want = wanted->ip;
		if (i == R_SP && want - wanted->saved_sp + 4096 <= 4096)
			want += seen->saved_sp - wanted->saved_sp;	/* run() was called from elsewhere. */
		if (i == R_R15)
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

/*
 * Whether dispatch cannot tell the fault from a signal frame that the kernel could not write: a
 * general protection fault of a thread without a stack, on a processor that leaves RF clear.
 * Processors raise a stack segment fault there and set RF, QEMU's TCG does neither.
 */
static int is_ambiguous(const struct state *wanted)
{
	int64_t sp = wanted->regs[R_SP];

	return wanted->trap == 13 && !(wanted->flags & 0x10000) && sp != (int64_t)((uint64_t)sp << 16) >> 16;
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
		if (ret == 0 && !exception->may_be_missing)
			die("%s raises nothing", exception->name);
		if (ret == 0 && exception->may_be_missing) {
			skip("this processor raises no exception", "%s: kernel", exception->name);
			skip("this processor raises no exception", "%s: dispatch", exception->name);
			continue;
		}
		choose(KERNEL);
		land(exception, "kernel", &wanted);
		if (is_ambiguous(&wanted)) {
			skip("this processor reports it as no processor does", "%s: dispatch", exception->name);
			continue;
		}
		choose(DISPATCH);
		land(exception, "dispatch", &wanted);
	}
}

int main(void)
{
	struct vdso_fixup_attached out;

	find_entries();
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		return 0;
	}
	prepare();
	handle_all();
	plan(2 * EXCEPTIONS);
	exception_tests();
	return failures != 0;
}
